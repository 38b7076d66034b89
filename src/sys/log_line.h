// What the library's own code logs through. Any thread.
#pragma once

#include <martlet/log.h>

#include <cstdint>
#include <string_view>

namespace martlet::sys {

inline constexpr uint32_t kLinesPerSecond = 10;

void log_line(LogLevel level, std::string_view line) noexcept;

// For what a peer or a handler can cause again and again: at most kLinesPerSecond of a level, the detail cut to 300 bytes.
void log_limited(LogLevel level, const char* what, std::string_view detail) noexcept;

// Whether such a line of this level may be written now: it then goes to log_line(). For who makes his lines himself, so that one that
// nobody will see costs nothing. (codec/log_text.h makes texts of peers harmless.)
bool may_log(LogLevel level) noexcept;

// MARTLET_DEBUG is "true" or "1" in the environment.
bool debug_is_asked_for() noexcept;

// Whose request or connection it is (name_users_in_log); empty: nobody knows. On the worker's thread.
std::string_view user_of(const Request& request) noexcept;
std::string_view user_of(const WebSocket& socket) noexcept;

// Where lines go in place of the sink (Log::take_library_lines), without its lock. The target lasts as long as the program; null:
// the sink again. Any thread.
struct LogTarget {
  void (*write)(void* to, LogLevel level, std::string_view line);
  void* to;
};
void set_log_target(const LogTarget* target) noexcept;

}  // namespace martlet::sys
