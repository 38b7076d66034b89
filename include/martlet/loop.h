// martlet/loop.h: timers of the loop, and its time.
#pragma once

#include <martlet/config.h>

#include <chrono>
#include <cstdint>

namespace martlet {

// Names a timer made by App::after or App::every, to cancel it. A timer that has run is simply gone.
struct TimerId {
  uint32_t index = 0;
  uint32_t generation = 0;
  explicit operator bool() const noexcept { return generation != 0; }
  friend bool operator==(const TimerId&, const TimerId&) = default;
};

// When the present turn of this thread's loop began, as a monotonic time: it is known, so that nobody is asked, where reading the system's
// clock takes some 30 ns. On a thread without a loop, and outside of its turns, the system's clock, which counts from the same
// beginning. Any thread; times of different threads are off by as long as a turn takes.
std::chrono::nanoseconds turn_time() noexcept;

// A clock as options take it: turn_time, or a test's own. It is asked by any thread.
using MonotonicClock = std::chrono::nanoseconds (*)() noexcept;

}  // namespace martlet
