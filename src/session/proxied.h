// A connection that begins with a header of the PROXY protocol: reads that, tells who the client is, and binds HTTP for what
// follows. Nothing is sent before that, and a peer that sends anything else is cut. The worker's thread.
#pragma once

#include "net/connection.h"
#include "session/sessions.h"

namespace martlet::session {

extern const net::Protocol proxied_protocol;

// Of a peer that is trusted.
void start_proxied(Sessions& s, net::Connection& c) noexcept;

}  // namespace martlet::session
