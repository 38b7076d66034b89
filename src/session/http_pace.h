// How long a peer may take for what it sends (RFC 9112 leaves it to us): time for a head, for a body and its pace, for the
// next request. It is only said here what has passed; the session answers and closes.
// The worker's thread.
#pragma once

#include <cstdint>

#include "net/connection.h"
#include "net/reactor.h"
#include "session/sessions.h"

namespace martlet::session {

// Whether a timeout that began then has passed; if not, left_ms is lowered to what is left of it.
bool passed(const net::Reactor& reactor, uint32_t since_ms, uint32_t timeout_ms, uint32_t& left_ms) noexcept;

// The same of a body that is coming: it paused too long, it comes too slowly, or its request has taken too long.
bool body_passed(const Sessions& s, net::Connection& c, uint32_t& left_ms) noexcept;

// Whether the peer is about to be given up for what it has not sent: then it is listened to once more.
bool is_overdue(const Sessions& s, net::Connection& c) noexcept;

}  // namespace martlet::session
