// Between the files of an HTTP session: the steps that its connection goes through, implemented in http_session.cc.
// The worker's thread.
#pragma once

#include "session/http_session.h"

namespace martlet::session {

void enter(Sessions& s, net::Connection& c, HttpPhase phase) noexcept;

// Runs a request that asks for a WebSocket. False when the connection cannot go on with the next one now.
bool run_handshake(Sessions& s, net::Connection& c, Exchange* e) noexcept;
// Calls the application, and looks at what it has left behind. False: as above.
void call_steps(Sessions& s, net::Connection& c, Exchange* e, void (*steps)(void*, Exchange&)) noexcept;
bool after_steps(Sessions& s, net::Connection& c, Exchange* e) noexcept;

// The exchange is over: the answer is with the connection's output, or the request is refused. `cause` and `extra` are
// static texts.
void end_exchange(Sessions& s, net::Connection& c, Exchange* e) noexcept;
void refuse_request(Sessions& s, net::Connection& c, Exchange* e, int status, std::string_view cause, std::string_view extra = {}) noexcept;

// Works through [at, end). The cork is open.
void run_requests(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept;

// The body is awaited from here on, and asked for if the client waits for that.
void begin_waiting(Sessions& s, net::Connection& c, Exchange* e) noexcept;

}  // namespace martlet::session
