// src/cluster/restarts.h: back-off, its end, and crash loops, with a clock of the test's own.
#include "cluster/restarts.h"

#include <doctest/doctest.h>

#include <algorithm>

using martlet::SuperviseOptions;
using martlet::cluster::Restarts;
using std::chrono::milliseconds;

namespace {

constexpr uint64_t kMs = 1'000'000;

const SuperviseOptions kOptions{.backoff_first = milliseconds(100),
                                .backoff_longest = milliseconds(350),
                                .crash_limit = 5,
                                .crash_window = milliseconds(10'000)};

}  // namespace

TEST_CASE("restarts: each time twice as long, up to the longest, and the crash limit ends it") {
  Restarts restarts(kOptions);
  uint64_t now = 1'000'000 * kMs;
  for (const uint64_t expected : {100u, 200u, 350u, 350u}) {
    restarts.started(now);
    now += kMs;
    uint64_t again = 0;
    REQUIRE(restarts.ended(now, again));
    CHECK(again == now + expected * kMs);
    now = again;
  }
  restarts.started(now);
  uint64_t again = 0;
  CHECK_FALSE(restarts.ended(now + kMs, again));
}

TEST_CASE("restarts: ends count for the window only, and one that has run for a window begins anew") {
  Restarts restarts(kOptions);
  uint64_t now = 50'000 * kMs;
  for (int i = 0; i < 100; i++) {  // 3.4 s apart: never five within 10 s
    restarts.started(now);
    now += 3400 * kMs;
    uint64_t again = 0;
    REQUIRE(restarts.ended(now, again));
    CHECK(again == now + (i == 0 ? 100 : i == 1 ? 200 : 350) * kMs);
  }
  restarts.started(now);
  now += 10'000 * kMs;
  uint64_t again = 0;
  REQUIRE(restarts.ended(now, again));
  CHECK(again == now + 100 * kMs);
}

TEST_CASE("restarts: a limit of one gives up at once, and odd times are survived") {
  uint64_t again = 0;
  Restarts once({.crash_limit = 1});
  once.started(5);
  CHECK_FALSE(once.ended(6, again));
  Restarts odd({.backoff_first = milliseconds(-1), .backoff_longest = milliseconds::max(), .crash_window = milliseconds::max()});
  odd.started(5);
  CHECK(odd.ended(6, again));
  CHECK(again == 6);
}

TEST_CASE("restarts: by default nobody gives up, and the waits grow to half a minute") {
  Restarts restarts{SuperviseOptions()};
  uint64_t now = 1'000 * kMs;
  for (uint32_t i = 0; i < 1000; i++) {
    restarts.started(now);
    uint64_t again = 0;
    REQUIRE(restarts.ended(now + kMs, again));
    CHECK(restarts.ends_in_a_row() == i + 1);
    CHECK(again - now - kMs == std::min(uint64_t{100} << std::min(i, 20u), uint64_t{30'000}) * kMs);
    now = again;
  }
  restarts.started(now);
  uint64_t again = 0;
  REQUIRE(restarts.ended(now + 60'000 * kMs, again));  // it had settled
  CHECK(restarts.ends_in_a_row() == 1);
  CHECK(again == now + 60'100 * kMs);
}
