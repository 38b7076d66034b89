// Time: the monotonic clock that everything is measured by, and the wall clock for dates only. Any thread.
#pragma once

#include <cstdint>

namespace martlet::sys {

uint64_t monotonic_ns() noexcept;
int64_t wall_seconds() noexcept;  // since 1970-01-01 UTC
uint64_t wall_ms() noexcept;      // the same in milliseconds; 0 before

}  // namespace martlet::sys
