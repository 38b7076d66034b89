// HTTP/1.1 on a connection: keep-alive, pipelining in order, one exchange in flight, bodies in memory, timeouts, and
// the way over to a WebSocket. See DESIGN: the way of the bytes. The worker's thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/block.h"
#include "net/connection.h"
#include "session/exchange.h"
#include "session/sessions.h"

namespace martlet::session {

enum class HttpPhase : uint8_t {
  head,       // a head is expected, or has come in part
  idle,       // between requests
  body,       // a body is coming
  response,   // the application owes an answer
  lingering,  // the last answer was given: the session ends with this dispatch, and discard.h has the connection
};

struct HttpState {
  Exchange* exchange = nullptr;  // in flight beyond its handler, or with a body still coming
  base::Block* held = nullptr;   // input that is not parsed yet: [held_begin, held_end)
  uint32_t held_begin = 0;
  uint32_t held_end = 0;
  uint32_t scanned = 0;          // how far the head at held_begin was looked through
  uint32_t request_number = 0;
  uint32_t since_ms = 0;         // when the phase began
  uint32_t request_ms = 0;       // when the request began whose body is coming
  HttpPhase phase = HttpPhase::head;
  bool got_bytes = false;
};

extern const net::Protocol http_protocol;

// Binds HTTP to a connection that was accepted. `refuse`: it gets 503 and is closed.
void start_http(Sessions& s, net::Connection& c, bool refuse) noexcept;

// The exchange of this number, if it is still in flight on its connection. An answer ends that, also where the body is yet to
// be passed over.
Exchange* find_exchange(Sessions& s, base::SlotId id, uint32_t request_number) noexcept;

// The answer is with the connection's output (or the upgrade is done): ends an exchange that outlived its handler and
// lets the connection go on. For one whose handler is on the stack nothing happens; the session looks afterwards.
void settle_exchange(Exchange& e) noexcept;

// The next step of an exchange that outlived a step wants the body, which is still coming.
void want_body(Exchange& e) noexcept;

// Ends idle connections at once, and the others after their response.
void drain_http(Sessions& s, net::Connection& c) noexcept;

}  // namespace martlet::session
