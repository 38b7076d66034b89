// Ages in sixteen bits: never early, late by two units at most, wherever the clock stands.
#include <doctest/doctest.h>

#include "realtime/time_limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

using namespace martlet::realtime;
using std::chrono::milliseconds;

namespace {

constexpr uint64_t kTickNs = martlet::net::WheelBuckets::kTickNs;

uint32_t tick_at(uint64_t ms) { return martlet::net::WheelBuckets::tick_of(ms * 1'000'000); }

}  // namespace

TEST_CASE("time limits: 0, what is less, and what is longer than the wheel counts are none") {
  for (const int64_t ms : {int64_t{0}, int64_t{-1}, INT64_MIN, int64_t{1} << 36, INT64_MAX}) {
    CHECK_FALSE(AgeLimit(milliseconds(ms)));
  }
  CHECK(AgeLimit(milliseconds(1)));
  CHECK(AgeLimit(milliseconds((int64_t{1} << 36) - 1)));
}

TEST_CASE("time limits: an age has its time, and not much more") {
  for (uint64_t limit = 1; limit < uint64_t{1} << 36; limit = limit * 7 / 3 + 1) {
    const AgeLimit age{milliseconds(limit)};
    const uint64_t late = limit / 4000 + 3 * kTickNs / 1'000'000;
    for (const uint64_t begin : {uint64_t{0}, uint64_t{12'345}, (uint64_t{1} << 32) - limit % 1000, uint64_t{1} << 33}) {
      CAPTURE(limit);
      CAPTURE(begin);
      const uint16_t mark = age.mark(tick_at(begin));
      CHECK(age.ms_left(tick_at(begin), mark) > 0);
      CHECK(age.ms_left(tick_at(begin + limit - 1), mark) > 0);
      CHECK(age.ms_left(tick_at(begin + limit + late), mark) == 0);
      const uint32_t left = age.ms_left(tick_at(begin + limit / 2), mark);
      CHECK((left >= limit / 2 || left == uint32_t{1} << 31));
      CHECK(left <= limit - limit / 2 + late);
    }
  }
}

TEST_CASE("time limits: shares are below a tenth, and even over any run of slots") {
  const AgeLimit age{milliseconds(1'000'000)};
  const uint32_t whole = age.ms_left(0, 0);
  for (const uint32_t first : {0u, 1'000u, 4'000'000u}) {
    int tenths[10] = {};
    for (uint32_t slot = first; slot < first + 1000; slot++) {
      const uint32_t less = whole - age.ms_left(0, 0, age.share(slot));
      REQUIRE(less < 100'000);
      tenths[less / 10'000]++;
    }
    for (const int count : tenths) CHECK((count > 80 && count < 120));
  }
}

TEST_CASE("time limits: what began under one limit is as old under another: never older, nor much younger") {
  for (uint64_t from = 1; from < uint64_t{1} << 36; from = from * 11 / 3 + 1) {
    for (uint64_t to = 1; to < uint64_t{1} << 36; to = to * 13 / 3 + 1) {
      const AgeLimit was{milliseconds(from)};
      const AgeLimit is{milliseconds(to)};
      for (const uint64_t begin : {uint64_t{54'321}, (uint64_t{1} << 32) - from % 1000, uint64_t{1} << 33}) {
        CAPTURE(from);
        CAPTURE(to);
        CAPTURE(begin);
        const uint64_t late = (2 * from + 3 * to) / (1 << 13) + 6 * kTickNs / 1'000'000;  // of 2^13 units at least
        if (late > 2 * to + 1000) continue;  // so much later its marks would have gone round
        const uint64_t change = begin + from / 2;
        const uint16_t mark = is.mark_of_age(tick_at(change), was.ticks_since(tick_at(change), was.mark(tick_at(begin))));
        if (begin + to > change) CHECK(is.ms_left(tick_at(begin + to - 1), mark) > 0);
        CHECK(is.ms_left(tick_at(std::max(begin + to, change) + late), mark) == 0);
        const uint32_t share = is.share(static_cast<uint32_t>(from));
        const uint16_t life = is.mark_of_life(tick_at(change), was.ticks_since(tick_at(change), was.mark(tick_at(begin))), share);
        CHECK(is.ms_left(tick_at(std::max(begin + to, change + to / 10) + late), life, share) == 0);
        if (to > 1000) CHECK(is.ms_left(tick_at(change), life, share) > 0);
      }
    }
  }
}
