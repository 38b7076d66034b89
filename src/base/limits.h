// Numbers of the user's, as large as they like, in the units and the ranges that the library counts in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace martlet::base {

// Far above what there is memory for, and far enough from the end of the numbers that sums do not wrap.
constexpr size_t at_most_everything(size_t bytes) noexcept { return bytes < SIZE_MAX / 4 ? bytes : SIZE_MAX / 4; }

// A timeout that never passes.
inline constexpr uint32_t kNeverMs = UINT32_MAX;
// The longest one that does. Clocks of milliseconds wrap after 49 days, and one that is looked at an hour late must
// still be found to have passed.
inline constexpr uint32_t kLongestMs = kNeverMs - 3'600'000;

// Negative ones are 0; above 49 days it is never.
constexpr uint32_t to_ms(std::chrono::milliseconds time) noexcept {
  const auto count = time.count();
  return count < 0 ? 0 : count > int64_t{kLongestMs} ? kNeverMs : static_cast<uint32_t>(count);
}

// How long a timeout that began at since_ms has still to go: 0 when it has passed.
constexpr uint32_t time_left(uint32_t now_ms, uint32_t since_ms, uint32_t timeout_ms) noexcept {
  if (timeout_ms == kNeverMs) return kNeverMs;
  const uint32_t spent = now_ms - since_ms;
  return spent >= timeout_ms ? 0 : timeout_ms - spent;
}

}  // namespace martlet::base
