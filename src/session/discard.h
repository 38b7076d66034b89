// What a connection is for when the last word has been said on it and its peer may still be sending: a refused upload, a
// WebSocket that was closed for what it sent. Its session is over and has been reaped (a WebSocket's close handler has
// run); only the socket is left, and what the last answer left in the queue.
//
// Closing a socket with unread input makes the kernel send a reset, which may destroy the answer before it is read, and
// many clients read nothing until they have sent everything (RFC 9112 §9.6). So our direction is shut when the output is
// out, and what comes is read and thrown away: while it comes (HttpLimits::discard_idle_ms), for a time and a number of
// bytes, and on so many connections at once. Who is beyond one of these limits is closed, reset or not.
// Nothing is parsed and nothing allocated; a connection gets one short read in a turn. The worker's thread.
#pragma once

#include <cstdint>

#include "net/connection.h"
#include "session/sessions.h"

namespace martlet::session {

struct DiscardState {
  uint64_t bytes = 0;          // thrown away so far
  uint32_t since_ms = 0;       // when it began, then when our direction was shut
  uint32_t most_words_ms = 0;  // how long what is queued may take to leave
  bool shut = false;           // our direction is closed
  bool has_place = false;      // it is one of Sessions::discarding
};

extern const net::Protocol discard_protocol;

// How long a last word may take to leave when only the progress of the write counts.
inline constexpr uint32_t kAnyWords = UINT32_MAX;

// For the on_reap of a session that has ended with Reactor::end_session(): its last step.
void start_discarding(Sessions& s, net::Connection& c, uint32_t most_words_ms) noexcept;

}  // namespace martlet::session
