// Lines of the log about WebSockets (L-04): the pattern of the route, the socket's id, and the code and the cause of its close. An id
// is made when a line is. The worker's thread.
#pragma once

#include <martlet/log.h>
#include <martlet/websocket.h>

#include <string_view>

#include "codec/log_text.h"
#include "net/connection.h"
#include "worker/worker.h"

namespace martlet::realtime {

// "WebSocket /chat/:room ws_…", and where that is not the route's own handler which one it is, and how it closes (WorkerSeam::describe).
void describe_socket(worker::Worker& w, const WebSocket& ws, std::string_view route, bool closes, codec::LogText& line) noexcept;

// One has ended, at level debug: not as its peer or the program wanted it, with 1000 or 1001.
void log_close(net::Connection& c, const CloseInfo& why) noexcept;
// An open one is about to close for a mistake of the program's: at warn.
void log_mistake(net::Connection& c, const CloseInfo& why) noexcept;

}  // namespace martlet::realtime
