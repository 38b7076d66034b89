// Counting by key: each algorithm on both sides of its limit and against a plain model, clocks that jump, floods of keys.
#include <doctest/doctest.h>
#include <martlet/limits.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/sip_hash.h"
#include "support/aborts.h"

using namespace martlet;
using namespace std::chrono_literals;
using martlet::test::aborts;

namespace {

std::atomic<int64_t> now_ns{0};
std::chrono::nanoseconds test_clock() noexcept { return std::chrono::nanoseconds(now_ns.load()); }
void set_clock(std::chrono::nanoseconds at) { now_ns = at.count(); }
void pass(std::chrono::nanoseconds time) { now_ns += time.count(); }

RateLimiterOptions options(Limit algorithm, uint32_t max, milliseconds per, uint32_t burst = 0) {
  set_clock(1h);
  return {.algorithm = algorithm, .burst = burst, .clock = test_clock, .max = max, .max_keys = 1000, .per = per};
}

// How many of `tries` are allowed now.
int allowed(RateLimiter& limiter, std::string_view key, int tries) {
  int n = 0;
  for (int i = 0; i < tries; i++) n += limiter.allow(key).allowed;
  return n;
}

constexpr Limit kAll[] = {Limit::fixed_window, Limit::gcra, Limit::sliding_log, Limit::sliding_window, Limit::token_bucket};

}  // namespace

TEST_CASE("sip_hash: the published vectors of SipHash-2-4") {
  std::string text;
  const base::SipKey key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  CHECK(base::sip_hash<2, 4>(text, key) == 0x726fdb47dd0e0e31u);
  for (int i = 0; i < 15; i++) text.push_back(static_cast<char>(i));
  CHECK(base::sip_hash<2, 4>(text, key) == 0xa129ca6149be45e5u);
  CHECK(base::sip_hash<2, 4>(text.substr(0, 8), key) == 0x93f5f5799a932462u);
  CHECK(base::sip_hash(text, key) != base::sip_hash(text, {key.first, key.second + 1}));
}

TEST_CASE("rate limiter: fixed_window lets max through from the first on, then anew") {
  RateLimiter limiter(options(Limit::fixed_window, 100, 60s));
  for (uint32_t i = 1; i <= 100; i++) {
    const RateDecision d = limiter.allow("a");
    CHECK(d.allowed);
    CHECK(d.limit == 100);
    CHECK(d.remaining == 100 - i);
    CHECK(d.reset == 60s);
    CHECK(d.retry_after == 0ms);
  }
  pass(59'999ms);
  const RateDecision refused = limiter.allow("a");
  CHECK_FALSE(refused.allowed);
  CHECK(refused.remaining == 0);
  CHECK(refused.retry_after == 1ms);
  CHECK(limiter.allow("b").allowed);
  pass(1ms);
  CHECK(allowed(limiter, "a", 200) == 100);
}

TEST_CASE("rate limiter: sliding_log forgets each when it is older than per, and what was refused is not counted") {
  RateLimiter limiter(options(Limit::sliding_log, 5, 60s));
  for (int i = 0; i < 5; i++) {
    CHECK(limiter.allow("a").allowed);
    pass(10s);  // at 0, 10, 20, 30, 40
  }
  CHECK(limiter.allow("a").retry_after == 10s);
  for (int i = 0; i < 100; i++) CHECK_FALSE(limiter.allow("a").allowed);
  pass(9'999ms);
  CHECK(limiter.allow("a").retry_after == 1ms);
  pass(1ms);
  const RateDecision d = limiter.allow("a");
  CHECK(d.allowed);
  CHECK(d.remaining == 0);
  CHECK(d.reset == 10s);
  CHECK_FALSE(limiter.allow("a").allowed);
  pass(10s);
  CHECK(limiter.peek("a").remaining == 1);
  CHECK(allowed(limiter, "a", 3) == 1);
  pass(60s);
  CHECK(allowed(limiter, "a", 9) == 5);
}

TEST_CASE("rate limiter: token_bucket starts full, and fills one by one; gcra lets them come evenly spaced") {
  RateLimiter bucket(options(Limit::token_bucket, 10, 10s));
  CHECK(allowed(bucket, "a", 20) == 10);
  CHECK(bucket.allow("a").retry_after == 1s);
  pass(999ms);
  CHECK_FALSE(bucket.allow("a").allowed);
  pass(1ms);
  CHECK(allowed(bucket, "a", 20) == 1);
  pass(3500ms);
  CHECK(bucket.peek("a").remaining == 3);
  CHECK(bucket.peek("a").reset == 500ms);
  CHECK_FALSE(bucket.allow("a", 4).allowed);
  CHECK(bucket.allow("a", 3).allowed);
  pass(1h);
  CHECK(bucket.peek("a").remaining == 10);
  CHECK(bucket.peek("a").reset == 0ms);

  RateLimiter even(options(Limit::gcra, 10, 10s));
  CHECK(allowed(even, "a", 5) == 1);
  pass(1s);
  CHECK(allowed(even, "a", 5) == 1);
  RateLimiter burst(options(Limit::gcra, 10, 10s, 3));
  CHECK(allowed(burst, "a", 5) == 3);
  pass(1s);
  CHECK(allowed(burst, "a", 5) == 1);
}

TEST_CASE("rate limiter: sliding_window counts the window before by its part") {
  RateLimiter limiter(options(Limit::sliding_window, 100, 60s));
  CHECK(allowed(limiter, "a", 150) == 100);
  pass(60s);
  CHECK(limiter.peek("a").retry_after == 1ms);  // 100 of the window before weigh 100 at its end, and 99.998 a millisecond later
  pass(30s);
  CHECK(limiter.peek("a").remaining == 50);
  CHECK(allowed(limiter, "a", 100) == 50);
  const RateDecision d = limiter.allow("a");
  pass(d.retry_after - 1ms);
  CHECK_FALSE(limiter.allow("a").allowed);
  pass(1ms);
  CHECK(allowed(limiter, "a", 2) == 1);
  pass(2min);
  CHECK(allowed(limiter, "a", 150) == 100);
}

TEST_CASE("rate limiter: what is told is so: retry_after, reset and remaining, for every algorithm and cost") {
  std::mt19937 random(1);
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    RateLimiter limiter(options(algorithm, 20, 10s, algorithm == Limit::gcra ? 7 : 0));
    for (int i = 0; i < 3000; i++) {
      pass(milliseconds(random() % 1500));
      const uint32_t cost = 1 + random() % 4;
      const RateDecision before = limiter.peek("key", cost);
      const RateDecision d = limiter.allow("key", cost);
      REQUIRE(before.allowed == d.allowed);
      REQUIRE(before.retry_after == d.retry_after);
      if (d.allowed) {
        REQUIRE(d.retry_after == 0ms);
        if (algorithm != Limit::sliding_window) REQUIRE(before.remaining - cost == d.remaining);
      } else {
        REQUIRE(d.remaining < cost);
        REQUIRE(d.retry_after >= (cost == 1 ? std::min(d.reset, d.retry_after) : 0ms));
        const int64_t at = now_ns;
        pass(d.retry_after - 1ms);
        REQUIRE_FALSE(limiter.peek("key", cost).allowed);
        pass(1ms);
        REQUIRE(limiter.peek("key", cost).allowed);
        now_ns = at;
      }
      if (d.reset > 0ms) {
        const int64_t at = now_ns;
        const uint32_t left = limiter.peek("key").remaining;
        pass(d.reset - 1ms);
        REQUIRE(limiter.peek("key").remaining == left);
        pass(1ms);
        REQUIRE(limiter.peek("key").remaining > left);
        now_ns = at;
      }
    }
  }
}

TEST_CASE("rate limiter: never more than the limit within any time of per, but twice of a fixed window and as the bucket says") {
  std::mt19937 random(2);
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    RateLimiter limiter(options(algorithm, 20, 1s));
    std::deque<int64_t> times;
    size_t most = 0;
    for (int i = 0; i < 20'000; i++) {
      pass(std::chrono::microseconds(random() % 8 == 0 ? random() % 400'000 : random() % 10'000));
      if (!limiter.allow("key").allowed) continue;
      times.push_back(now_ns / 1'000'000);
      while (now_ns / 1'000'000 - times.front() >= 1000) times.pop_front();
      most = std::max(most, times.size());
    }
    const bool by_window = algorithm == Limit::fixed_window || algorithm == Limit::token_bucket;
    CHECK(most <= (by_window ? 40u : algorithm == Limit::sliding_window ? 40u : 20u));
    if (algorithm != Limit::gcra) CHECK(most >= 20u);
  }
}

TEST_CASE("rate limiter: a clock that goes back makes nobody wait longer than per; one that jumps ahead gives all anew") {
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    RateLimiter limiter(options(algorithm, 10, 10s, 10));
    set_clock(100h);
    CHECK(allowed(limiter, "a", 20) == 10);
    set_clock(99h);  // in the past, but after the limiter was made
    CHECK_FALSE(limiter.allow("a").allowed);
    pass(20s);
    CHECK(allowed(limiter, "a", 20) >= 9);
    set_clock(0h);  // and before it
    limiter.allow("a");
    set_clock(1h);
    limiter.allow("a");
    pass(20s);
    CHECK(allowed(limiter, "a", 20) >= 9);
    set_clock(24h * 365 * 9);
    CHECK(allowed(limiter, "a", 20) == 10);
    CHECK(allowed(limiter, "b", 20) == 10);
  }
}

TEST_CASE("rate limiter: months without a call, past 2³² milliseconds") {
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    RateLimiter limiter(options(algorithm, 10, 10s, 10));
    for (const auto gap : {std::chrono::hours(24) * 49, std::chrono::hours(24) * 50, std::chrono::hours(24) * 366}) {
      pass(gap);
      CHECK(allowed(limiter, "a", 20) == 10);
      pass(milliseconds(4'294'967'296) + 1s);
      CHECK(allowed(limiter, "a", 20) == 10);
    }
  }
}

TEST_CASE("rate limiter: the largest limits, and a cost above them") {
  RateLimiter fixed(options(Limit::fixed_window, 16'777'215, 24h));
  CHECK(fixed.allow("a", 16'777'214).allowed);
  CHECK(allowed(fixed, "a", 3) == 1);
  RateLimiter sliding(options(Limit::sliding_window, 1'048'575, 24h * 366 * 10));
  CHECK(sliding.allow("a", 1'048'574).allowed);
  CHECK(allowed(sliding, "a", 3) == 1);
  RateLimiter log(options(Limit::sliding_log, 1024, 24h * 24));
  CHECK(allowed(log, "a", 2000) == 1024);
  RateLimiter bucket(options(Limit::token_bucket, 1'000'000, 1ms));
  CHECK(bucket.allow("a", 1'000'000).allowed);
  CHECK_FALSE(bucket.allow("a").allowed);
  pass(1ns);
  CHECK(bucket.allow("a").allowed);
  for (const Limit algorithm : kAll) {
    RateLimiter limiter(options(algorithm, 10, 10s, 10));
    for (const uint32_t cost : {11u, 4'294'967'295u}) {
      const RateDecision d = limiter.allow("a", cost);
      CHECK_FALSE(d.allowed);
      CHECK(d.retry_after > 0ms);
      CHECK(d.remaining == 10);
    }
    CHECK(limiter.allow("a", 10).allowed);
    CHECK_FALSE(limiter.allow("a", 4'294'967'295u).allowed);
  }
}

TEST_CASE("rate limiter: keys are hashed: of a megabyte, empty, with a NUL; forget() forgets one") {
  RateLimiter limiter(options(Limit::fixed_window, 2, 60s));
  std::string large(size_t{1} << 20, 'x');
  CHECK(allowed(limiter, large, 3) == 2);
  large.back() = 'y';
  CHECK(allowed(limiter, large, 3) == 2);
  CHECK(allowed(limiter, "", 3) == 2);
  CHECK(allowed(limiter, std::string("\0", 1), 3) == 2);
  CHECK(allowed(limiter, std::string("\0\0", 2), 3) == 2);
  limiter.forget("");
  limiter.forget("who?");
  CHECK(allowed(limiter, "", 3) == 2);
  CHECK(allowed(limiter, large, 3) == 0);
}

TEST_CASE("rate limiter: a million addresses push out nobody who is over the limit, and the table stays as large as it is") {
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    RateLimiterOptions o = options(algorithm, 10, 60s, 10);
    o.max_keys = 10'000;
    RateLimiter limiter(o);
    const size_t bytes = limiter.bytes();
    std::vector<std::string> attackers;
    for (int i = 0; i < 100; i++) attackers.push_back("attacker " + std::to_string(i));
    for (const std::string& attacker : attackers) CHECK(allowed(limiter, attacker, 20) == 10);
    for (uint32_t i = 0; i < 1'000'000; i++) {
      limiter.allow(std::string_view(reinterpret_cast<const char*>(&i), sizeof i));
      if (i % 10'000 == 0) CHECK_FALSE(limiter.allow(attackers[i / 10'000]).allowed);
    }
    for (const std::string& attacker : attackers) CHECK_FALSE(limiter.allow(attacker).allowed);
    CHECK(limiter.bytes() == bytes);
    CHECK(limiter.shared() > 0);
    pass(10min);
    CHECK(allowed(limiter, attackers[0], 20) == 10);
  }
}

TEST_CASE("rate limiter: who alternates between more keys than there is room for gets rid of no count") {
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    RateLimiterOptions o = options(algorithm, 10, 60s, 10);
    o.max_keys = 1;  // one set of ten
    RateLimiter limiter(o);
    int through = 0;
    for (int round = 0; round < 100; round++) {
      for (int i = 0; i < 50; i++) through += limiter.allow(std::to_string(i)).allowed;
    }
    CHECK(through <= 10 * 10 + 40);  // as many as ten keys may, not fifty
  }
}

TEST_CASE("rate limiter: of max_keys at the same time few share a place") {
  RateLimiterOptions o = options(Limit::fixed_window, 2, 60s);
  o.max_keys = 100'000;
  RateLimiter limiter(o);
  for (uint32_t i = 0; i < o.max_keys; i++) limiter.allow(std::to_string(i));
  CHECK(limiter.shared() < o.max_keys / 50);
  CHECK(static_cast<double>(limiter.bytes()) / o.max_keys < 21.5);
}

TEST_CASE("rate limiter: threads that count the same keys let no more through than one would") {
  RateLimiterOptions o = options(Limit::token_bucket, 1000, 24h * 365);
  for (const Limit algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    o.algorithm = algorithm;
    o.burst = 1000;
    RateLimiter limiter(o.algorithm == Limit::sliding_log ? options(algorithm, 1000, 24h * 20) : o);
    std::atomic<int> through = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++) {
      threads.emplace_back([&] {
        for (int i = 0; i < 4000; i++) through += limiter.allow(std::to_string(i % 5)).allowed;
      });
    }
    for (std::thread& t : threads) t.join();
    CHECK(through == 5 * 1000);
  }
}

TEST_CASE("rate limiter: mistakes in options abort") {
  const auto wrong = [](RateLimiterOptions o) { return [o] { RateLimiter limiter(o); }; };
  CHECK(aborts(wrong({.max = 0})));
  CHECK(aborts(wrong({.per = 0ms})));
  CHECK(aborts(wrong({.max_keys = 0})));
  CHECK(aborts(wrong({.algorithm = Limit::sliding_log, .max = 1025})));
  CHECK(aborts(wrong({.algorithm = Limit::sliding_log, .per = 24h * 25})));
  CHECK(aborts(wrong({.max = 1'048'576})));
  CHECK(aborts(wrong({.algorithm = Limit::fixed_window, .max = 16'777'216})));
  CHECK(aborts(wrong({.algorithm = Limit::token_bucket, .max = 1'000'001, .per = 1ms})));
}
