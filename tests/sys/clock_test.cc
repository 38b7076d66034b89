// src/sys/clock.h: the clocks against the C library's.
#include "sys/clock.h"

#include <doctest/doctest.h>

#include <ctime>

using namespace martlet::sys;

TEST_CASE("clock: monotonic time does not go back, wall time is about now") {
  uint64_t last = monotonic_ns();
  CHECK(last > 0);
  for (int i = 0; i < 1000; i++) {
    const uint64_t now = monotonic_ns();
    CHECK(now >= last);
    last = now;
  }
  const int64_t difference = wall_seconds() - static_cast<int64_t>(std::time(nullptr));
  CHECK(difference >= -2);
  CHECK(difference <= 2);
}
