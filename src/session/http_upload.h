// A request whose body is not here whole with its head. Its steps run at the head already, up to the first that wants the
// body: who is refused by one of them need not send it, and is not told to go on (RFC 9110 §10.1.1). Then the connection is
// in HttpPhase::body until it is whole. The body of a request that a step has answered is passed over when it is small.
// The worker's thread.
#pragma once

#include "session/http_session.h"

namespace martlet::session {

// Takes and runs the request at `at`, which has a body. True: it was whole, and `at` stands behind it. Else stop there.
bool take_with_body(Sessions& s, net::Connection& c, Exchange* e, const uint8_t*& at, const uint8_t* end) noexcept;

// The connection waits for the rest of it.
void wait_for_body(Sessions& s, net::Connection& c, Exchange* e) noexcept;

// There is something to read of it, or something is held.
void read_body(Sessions& s, net::Connection& c) noexcept;
void take_held_body(Sessions& s, net::Connection& c) noexcept;

// What waits behind an answer, or behind a step that has thought about the head, goes on.
void read_waiting(Sessions& s, net::Connection& c) noexcept;

}  // namespace martlet::session
