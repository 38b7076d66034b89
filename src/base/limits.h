// Numbers of the user's, as large as they like, in the units and the ranges that the library counts in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace martlet::base {

// Far above what there is memory for, and far enough from the end of the numbers that sums do not wrap.
constexpr size_t at_most_everything(size_t bytes) noexcept { return bytes < SIZE_MAX / 4 ? bytes : SIZE_MAX / 4; }

// Negative ones are 0; above 24 days it is 24 days.
constexpr uint32_t to_ms(std::chrono::milliseconds time) noexcept {
  const auto count = time.count();
  return count < 0 ? 0 : count > INT32_MAX ? uint32_t{INT32_MAX} : static_cast<uint32_t>(count);
}

}  // namespace martlet::base
