// A name for a request: one that a trusted proxy has given it, or one of our own.
#include <martlet/request.h>

#include <cstring>

#include "session/exchange.h"
#include "session/origin.h"
#include "session/sessions.h"
#include "sys/process.h"

namespace martlet {

namespace {

constexpr size_t kMostBytes = 128;

struct RequestId {
  uint8_t size = 0;
  char text[kMostBytes];
};

// Nothing that a log, a shell or a page could take for something else.
bool is_harmless(std::string_view id) noexcept {
  if (id.empty() || id.size() > kMostBytes) return false;
  for (const char c : id) {
    const bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (!is_alnum && !std::strchr("-_.:=+/@", c)) return false;
  }
  return true;
}

// Of one thread: random, and a number that no other request of the thread has.
struct IdMaker {
  uint64_t random = 0;
  uint64_t next = 0;
};
thread_local constinit IdMaker maker;

char* put_base32(char* to, uint64_t bits, int letters) noexcept {
  for (int i = 0; i < letters; i++, bits >>= 5) *to++ = "0123456789abcdefghjkmnpqrstvwxyz"[bits & 31];
  return to;
}

// 65 and 55 bits. An odd factor shuffles the numbers without making two of them one, so that ids do not tell how many there were.
void make_id(RequestId& id) noexcept {
  if (maker.random == 0) {
    sys::random_bytes(&maker, sizeof maker);
    maker.random |= 1;
  }
  char* const rest = put_base32(id.text, maker.random, 13);
  id.size = static_cast<uint8_t>(put_base32(rest, maker.next++ * 0x9E3779B97F4A7C15, 11) - id.text);
}

std::string_view sent_id(session::Exchange& e) noexcept {
  const session::OriginFinder* finder = e.sessions->origins;
  const session::Origin* origin = finder ? finder->find(finder->context, e) : nullptr;
  if (!origin || !origin->client.peer_trusted) return {};
  return e.field(e.head.find(e.base, "x-request-id"));
}

}  // namespace

std::string_view Request::id() const noexcept {
  bool is_new = false;
  auto* id = exchange_->find_or_add<RequestId>(is_new);
  if (!id) return {};
  if (is_new) {
    const std::string_view sent = sent_id(*exchange_);
    if (is_harmless(sent)) {
      id->size = static_cast<uint8_t>(sent.size());
      std::memcpy(id->text, sent.data(), sent.size());
    } else {
      make_id(*id);
    }
  }
  return {id->text, id->size};
}

}  // namespace martlet
