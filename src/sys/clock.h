// Time: the monotonic clock that everything is measured by, and the wall clock for dates only. Any thread.
#pragma once

#include <cstdint>

namespace martlet::sys {

uint64_t monotonic_ns() noexcept;
int64_t wall_seconds() noexcept;  // since 1970-01-01 UTC
uint64_t wall_ms() noexcept;      // the same in milliseconds; 0 before

inline constexpr int kHttpDateSize = 29;
// "Thu, 20 Nov 2025 09:00:00 GMT" (RFC 9110 §5.6.7): kHttpDateSize characters to out.
void format_http_date(int64_t wall_seconds, char* out) noexcept;

}  // namespace martlet::sys
