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

}  // namespace martlet::sys
