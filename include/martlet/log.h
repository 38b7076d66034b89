// martlet/log.h: what the library has to say. Peers cannot make it log without bound: repeated lines are rate-limited.
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>

#include <cstdint>
#include <string_view>

namespace martlet {

class Request;
class WebSocket;

enum class LogLevel : uint8_t { debug, info, warn, error, off };

// Lines below this level are not made. Default: warn; an App with AppOptions::debug, and any where MARTLET_DEBUG is "true" or "1" in the
// environment, makes it debug when it listens. Any thread.
void set_log_level(LogLevel level) noexcept;
LogLevel log_level() noexcept;

// Where lines go; standard error when not set. Called with a whole line without its newline, from any worker's thread,
// one at a time. Set it before App::run. It must not log itself.
void set_log_sink(Function<void(LogLevel, std::string_view)> sink);

// Logs a line through the sink. Control characters in it, which may be a peer's, are dots on standard error; a sink is given
// them as they are.
void log(LogLevel level, std::string_view line) noexcept;

// The same for what a peer can cause again and again: "WHAT: DETAIL", the detail cut to 300 bytes and without control characters. At most
// ten such lines of a level a second, all causes together; then one that says how many were left out. Any thread.
void log_limited(LogLevel level, const char* what, std::string_view detail) noexcept;

// Who sent a request, or is at the other end of a WebSocket, for the library's own lines about it: its id, of which 80 bytes are shown,
// made harmless; empty: nobody knows. Called on the worker's thread, just before such a line is written. It must not log.
template <typename Of>
using UserNamer = std::string_view (*)(const Of&) noexcept;
// Of the whole process; null: nobody is named. With auth_user() (auth_user.h) a program has both already. Any thread.
void name_users_in_log(UserNamer<Request> of_requests, UserNamer<WebSocket> of_sockets) noexcept;

}  // namespace martlet
