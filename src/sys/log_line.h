// What the library's own code logs through. Any thread.
#pragma once

#include <martlet/log.h>

#include <cstdint>
#include <string_view>

namespace martlet::sys {

inline constexpr uint32_t kLinesPerSecond = 10;

void log_line(LogLevel level, std::string_view line) noexcept;

// For what a peer or a handler can cause again and again: at most kLinesPerSecond, the detail cut to 300 bytes.
void log_limited(LogLevel level, const char* what, std::string_view detail) noexcept;

// Where lines go in place of the sink (Log::take_library_lines), without its lock. The target lasts as long as the program; null:
// the sink again. Any thread.
struct LogTarget {
  void (*write)(void* to, LogLevel level, std::string_view line);
  void* to;
};
void set_log_target(const LogTarget* target) noexcept;

}  // namespace martlet::sys
