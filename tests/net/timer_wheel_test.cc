// src/net/timer_wheel.h: time is a parameter. The wheel is compared with a multimap under random use.
#include "net/timer_wheel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

using namespace martlet::net;

namespace {

struct Nodes {
  std::vector<WheelNode>* all;
  WheelNode& operator()(uint32_t slot) const { return (*all)[slot]; }
};

struct Wheel : TimerWheel<Nodes> {
  explicit Wheel(std::vector<WheelNode>& nodes) : TimerWheel(Nodes{&nodes}) {}
};

std::vector<uint32_t> expired(Wheel& wheel, uint32_t now, uint32_t budget = UINT32_MAX) {
  std::vector<uint32_t> slots;
  wheel.expire(now, budget, [&](uint32_t slot) { slots.push_back(slot); });
  std::sort(slots.begin(), slots.end());
  return slots;
}

using Slots = std::vector<uint32_t>;

}  // namespace

TEST_CASE("timer_wheel: a deadline passes at its tick, not before and not twice") {
  for (uint32_t start : {0u, 5u, 1023u, 1024u, UINT32_MAX - 3, UINT32_MAX / 2}) {
    for (uint32_t delay : {1u, 2u, 63u, 64u, 1023u, 1024u, 1025u, 2048u, 5000u, 1u << 20}) {
      std::vector<WheelNode> nodes(1);
      Wheel wheel(nodes);
      wheel.start(start);
      wheel.schedule(0, start + delay);
      CHECK(wheel.size() == 1);
      CHECK(expired(wheel, start).empty());
      CHECK(expired(wheel, start + delay / 2).empty());
      CHECK(expired(wheel, start + delay - 1).empty());
      CHECK(nodes[0].linked());
      CHECK(expired(wheel, start + delay) == Slots{0});
      CHECK(!nodes[0].linked());
      CHECK(wheel.size() == 0);
      CHECK(expired(wheel, start + delay + 5000).empty());
    }
  }
}

TEST_CASE("timer_wheel: a deadline in the past passes at the next tick") {
  std::vector<WheelNode> nodes(2);
  Wheel wheel(nodes);
  wheel.start(100);
  wheel.schedule(0, 100);
  wheel.schedule(1, 7);
  CHECK(expired(wheel, 100).empty());
  CHECK(expired(wheel, 101) == Slots{0, 1});
}

TEST_CASE("timer_wheel: cancelling takes out the first, the middle and the last") {
  for (uint32_t victim : {0u, 1u, 2u}) {
    std::vector<WheelNode> nodes(3);
    Wheel wheel(nodes);
    for (uint32_t slot : {0u, 1u, 2u}) wheel.schedule(slot, 10);
    wheel.cancel(victim);
    wheel.cancel(victim);
    CHECK(wheel.size() == 2);
    Slots rest{0, 1, 2};
    rest.erase(rest.begin() + victim);
    CHECK(expired(wheel, 10) == rest);
  }
}

TEST_CASE("timer_wheel: deadlines move both ways") {
  std::vector<WheelNode> nodes(2);
  Wheel wheel(nodes);
  wheel.schedule(0, 10);
  wheel.schedule(0, 2000);  // later: one store
  wheel.schedule(1, 2000);
  wheel.schedule(1, 10);  // earlier
  CHECK(expired(wheel, 10) == Slots{1});
  CHECK(expired(wheel, 1999).empty());
  CHECK(expired(wheel, 2000) == Slots{0});
}

TEST_CASE("timer_wheel: a callback may arm itself, arm others and cancel others") {
  std::vector<WheelNode> nodes(4);
  Wheel wheel(nodes);
  for (uint32_t slot : {0u, 1u, 2u}) wheel.schedule(slot, 5);
  Slots order;
  CHECK(!wheel.expire(5, 100, [&](uint32_t slot) {
    order.push_back(slot);
    if (order.size() > 1) return;
    wheel.schedule(slot, 6);
    wheel.schedule(3, 7);
    for (uint32_t other : {0u, 1u, 2u}) {
      if (other != slot) wheel.cancel(other);
    }
  }));
  CHECK(order.size() == 1);
  CHECK(expired(wheel, 6) == order);
  CHECK(expired(wheel, 7) == Slots{3});
  CHECK(wheel.size() == 0);
}

TEST_CASE("timer_wheel: one call looks at no more nodes than the budget allows") {
  constexpr uint32_t kCount = 1000;
  std::vector<WheelNode> nodes(kCount);
  Wheel wheel(nodes);
  for (uint32_t slot = 0; slot < kCount; slot++) wheel.schedule(slot, 50 + slot % 3);
  size_t total = 0;
  int calls = 0;
  bool more = true;
  while (more) {
    size_t now = 0;
    more = wheel.expire(60, 64, [&](uint32_t) { now++; });
    CHECK(now <= 64);
    if (more) CHECK(wheel.ns_until_next(60 * Wheel::kTickNs) == 0);
    total += now;
    calls++;
  }
  CHECK(total == kCount);
  CHECK(calls == (kCount + 63) / 64);
}

TEST_CASE("timer_wheel: distant deadlines stay spread and cost one look per turn of the wheel") {
  constexpr uint32_t kCount = 4096;
  std::vector<WheelNode> nodes(kCount);
  Wheel wheel(nodes);
  for (uint32_t slot = 0; slot < kCount; slot++) wheel.schedule(slot, 100'000 + slot);
  for (uint32_t now = 1; now < 100'000; now++) {
    // Four nodes per bucket, and those that share the position's bucket when they are linked again.
    if (wheel.expire(now, 16, [](uint32_t) { FAIL("too early"); })) FAIL("a lump");
  }
  for (uint32_t now = 100'000; now < 100'000 + kCount; now++) CHECK(expired(wheel, now) == Slots{now - 100'000});
}

TEST_CASE("timer_wheel: heartbeats are spread evenly from slot to slot") {
  const uint32_t interval = Wheel::ticks_of_ms(30'000);
  for (uint32_t first : {0u, 777u, 1u << 20}) {
    std::map<uint32_t, int> per_tick;
    constexpr uint32_t kCount = 10'000;
    for (uint32_t slot = first; slot < first + kCount; slot++) {
      const uint32_t tick = Wheel::spread_tick(slot, 1000, interval);
      CHECK(tick > 1000);
      CHECK(tick <= 1000 + interval);
      CHECK(Wheel::spread_ms(slot, 30'000) == uint64_t{tick - 1000} * Wheel::kTickNs / 1'000'000);
      per_tick[tick]++;
    }
    int largest = 0;
    for (const auto& [tick, count] : per_tick) largest = std::max(largest, count);
    CHECK(per_tick.size() == interval);
    CHECK(largest <= static_cast<int>(kCount / interval) * 3 / 2);
  }
}

TEST_CASE("timer_wheel: how long to sleep") {
  std::vector<WheelNode> nodes(3);
  Wheel wheel(nodes);
  constexpr uint64_t kTick = Wheel::kTickNs;
  const uint64_t now = 500 * kTick + 12345;
  wheel.start(Wheel::tick_of(now));
  CHECK(wheel.ns_until_next(now) == -1);
  wheel.schedule(0, 501);
  CHECK(wheel.ns_until_next(now) == static_cast<int64_t>(kTick - 12345));
  CHECK(wheel.ns_until_next(501 * kTick) == 0);
  CHECK(wheel.ns_until_next(900 * kTick) == 0);
  wheel.cancel(0);
  for (uint32_t ahead = 1; ahead < Wheel::kBuckets; ahead++) {
    wheel.schedule(1, 500 + ahead);
    CHECK(wheel.ns_until_next(now) == static_cast<int64_t>(ahead * kTick - 12345));
    wheel.cancel(1);
  }
  wheel.schedule(2, 500 + 1'000'000);
  const int64_t wait = wheel.ns_until_next(now);
  CHECK(wait > 0);
  CHECK(wait <= static_cast<int64_t>(Wheel::kBuckets * kTick));
}

TEST_CASE("timer_wheel: units") {
  CHECK(Wheel::tick_of(0) == 0);
  CHECK(Wheel::tick_of(Wheel::kTickNs - 1) == 0);
  CHECK(Wheel::tick_of(Wheel::kTickNs) == 1);
  CHECK(Wheel::deadline_of(0) == 0);
  CHECK(Wheel::deadline_of(1) == 1);
  CHECK(Wheel::deadline_of(Wheel::kTickNs) == 1);
  CHECK(Wheel::ticks_of_ms(0) == 1);
  CHECK(Wheel::ticks_of_ms(1) == 1);
  CHECK(Wheel::ticks_of_ms(67) == 1);
  CHECK(Wheel::ticks_of_ms(68) == 2);
  CHECK(Wheel::ticks_of_ms(UINT64_MAX) < 1u << 30);
}

TEST_CASE("timer_wheel: random use agrees with a multimap") {
  std::mt19937 random(20251120);
  constexpr uint32_t kSlots = 300;
  for (uint32_t start : {0u, UINT32_MAX - 20'000}) {
    std::vector<WheelNode> nodes(kSlots);
    Wheel wheel(nodes);
    wheel.start(start);
    std::map<uint32_t, int64_t> deadlines;  // by slot, in ticks since start
    int64_t now = 0;
    for (int step = 0; step < 20'000; step++) {
      const uint32_t slot = random() % kSlots;
      const uint32_t what = random() % 10;
      if (what < 5) {
        const uint32_t range = random() % 20 == 0 ? 5000 : 900;
        const int64_t deadline = std::max<int64_t>(now + 1, now + random() % range);
        wheel.schedule(slot, start + static_cast<uint32_t>(deadline));
        deadlines[slot] = deadline;
      } else if (what < 7) {
        wheel.cancel(slot);
        deadlines.erase(slot);
      } else {
        now += random() % (random() % 50 == 0 ? 3000 : 4);
        const auto now_tick = start + static_cast<uint32_t>(now);
        const uint32_t budget = random() % 3 == 0 ? random() % 8 : UINT32_MAX;
        const bool more = wheel.expire(now_tick, budget, [&](uint32_t fired) {
          const auto found = deadlines.find(fired);
          REQUIRE(found != deadlines.end());
          REQUIRE(found->second <= now);
          deadlines.erase(found);
        });
        if (!more) {
          for (const auto& [waiting, deadline] : deadlines) REQUIRE(deadline > now);
        }
      }
      REQUIRE(wheel.size() == deadlines.size());
    }
  }
}
