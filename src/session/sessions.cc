// The birth and end of what the sessions of a worker share: where the pooled types are known whole.
#include "session/sessions.h"

#include <cstdio>

#include "session/ws_input.h"

namespace martlet::session {

Sessions::Sessions(net::Reactor& r, Stats& counters) noexcept : reactor(r), stats(counters) {
  r.sessions = this;
  set_keep_alive(limits.keep_alive_ms);
}

Sessions::~Sessions() {
  if (spare) exchanges.give_back(spare);
}

void Sessions::set_keep_alive(uint32_t keep_alive_ms) noexcept {
  limits.keep_alive_ms = keep_alive_ms;
  const char* const form = keep_alive_ms < 1000 ? "Connection: keep-alive\r\n"
                                                : "Connection: keep-alive\r\nKeep-Alive: timeout=%u\r\n";
  const int size = std::snprintf(keep_alive_lines, sizeof keep_alive_lines, form, keep_alive_ms / 1000);
  keep_alive_bytes = static_cast<uint32_t>(size);
}

}  // namespace martlet::session
