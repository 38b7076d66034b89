// martlet/loop.h: timers of the loop.
#pragma once

#include <martlet/config.h>

#include <cstdint>

namespace martlet {

// Names a timer made by App::after or App::every, to cancel it. A timer that has run is simply gone.
struct TimerId {
  uint32_t index = 0;
  uint32_t generation = 0;
  explicit operator bool() const noexcept { return generation != 0; }
  friend bool operator==(const TimerId&, const TimerId&) = default;
};

}  // namespace martlet
