// src/base/limits.h: a user's number may be any.
#include "base/limits.h"

#include <doctest/doctest.h>

#include <limits>

using namespace martlet::base;
using std::chrono::milliseconds;

TEST_CASE("limits: a time of the user's is taken as it is, up to 49 days, and is none beyond") {
  constexpr int64_t k31 = int64_t{1} << 31, k32 = int64_t{1} << 32;
  CHECK(to_ms(milliseconds::min()) == 0);
  CHECK(to_ms(milliseconds(-1)) == 0);
  CHECK(to_ms(milliseconds(0)) == 0);
  CHECK(to_ms(milliseconds(1)) == 1);
  for (const int64_t count : {k31 - 1, k31, k31 + 1, int64_t{kLongestMs}}) CHECK(to_ms(milliseconds(count)) == count);
  for (const int64_t count : {int64_t{kLongestMs} + 1, k32 - 1, k32, k32 + 1, k32 + k31, INT64_MAX / 2, INT64_MAX}) {
    CHECK(to_ms(milliseconds(count)) == kNeverMs);
  }
}

TEST_CASE("limits: what is left of a timeout, wherever the clock wraps") {
  for (const uint32_t since : {0u, 1u, 1u << 31, UINT32_MAX - 5, UINT32_MAX}) {
    for (const uint32_t timeout : {1u, 1000u, 1u << 31, (1u << 31) + 1, kLongestMs}) {
      CHECK(time_left(since, since, timeout) == timeout);
      CHECK(time_left(since + timeout - 1, since, timeout) == 1);
      CHECK(time_left(since + timeout, since, timeout) == 0);
      CHECK(time_left(since + timeout + 3'000'000, since, timeout) == 0);  // looked at late
    }
    CHECK(time_left(since, since, 0) == 0);
    for (const uint32_t spent : {0u, 1u << 31, UINT32_MAX}) CHECK(time_left(since + spent, since, kNeverMs) == kNeverMs);
  }
}
