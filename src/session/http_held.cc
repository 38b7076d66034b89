// See http_held.h.
#include "session/http_held.h"

#include <cstring>

#include "net/reactor.h"

namespace martlet::session {

void hold_some(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept {
  HttpState& http = c.state<HttpState>();
  const uint32_t size = static_cast<uint32_t>(end - at);
  if (http.held && at >= http.held->data() && at <= http.held->data() + http.held->capacity) {
    http.held_begin = static_cast<uint32_t>(at - http.held->data());
    return;
  }
  base::Block* block = s.reactor.blocks.acquire(size * 2 < 4096 ? 2048 : size * 2);
  if (!block) return s.reactor.abort(c);
  std::memcpy(block->data(), at, size);
  release_held(http);
  http.held = block;
  http.held_end = size;
}

bool grow_held(Sessions& s, HttpState& http) noexcept {
  if (http.held_begin > 0) {
    std::memmove(http.held->data(), http.held->data() + http.held_begin, http.held_end - http.held_begin);
    http.held_end -= http.held_begin;
    http.held_begin = 0;
  }
  if (http.held_end < http.held->capacity) return true;
  base::Block* block = s.reactor.blocks.acquire(http.held->capacity * 2);
  if (!block) return false;
  std::memcpy(block->data(), http.held->data(), http.held_end);
  http.held->release();
  http.held = block;
  return true;
}

}  // namespace martlet::session
