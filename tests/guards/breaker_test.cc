// The circuit breaker and plain functions: each state, both sides of each limit, what threads do to it.
#include <doctest/doctest.h>
#include <martlet/breaker.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/aborts.h"

using namespace martlet;
using namespace std::chrono_literals;

namespace {

std::atomic<int64_t> now_ns{0};
std::chrono::nanoseconds test_clock() noexcept { return std::chrono::nanoseconds(now_ns.load()); }
void pass(std::chrono::nanoseconds time) { now_ns += time.count(); }

Error failing() { return Error("down"); }
Error working() { return {}; }
int answer() { return 42; }

CallOutcome fail(CircuitBreaker& b) { return b.call(failing).outcome(); }
CallOutcome work(CircuitBreaker& b) { return b.call(working).outcome(); }

}  // namespace

TEST_CASE("breaker: the fifth failure in a row opens it; after reset one call is tried, which closes it or opens it anew") {
  CircuitBreaker breaker({.clock = test_clock, .failures = 5, .reset = 30s});
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 4; i++) CHECK(fail(breaker) == CallOutcome::failed);
    CHECK(breaker.state() == BreakerState::closed);
    CHECK(work(breaker) == CallOutcome::ok);  // a success begins the row anew
  }
  for (int i = 0; i < 5; i++) CHECK(fail(breaker) == CallOutcome::failed);
  CHECK(breaker.state() == BreakerState::open);
  int calls = 0;
  const auto counted = [&] { calls++; return 7; };
  CHECK(breaker.call(counted).outcome() == CallOutcome::refused);
  CHECK(breaker.stats().retry_after == 30s);
  pass(30s - 1ns);
  CHECK(breaker.stats().retry_after == 1ms);
  CHECK_FALSE(breaker.call(counted));
  CHECK(calls == 0);
  pass(1ns);
  CHECK(fail(breaker) == CallOutcome::failed);  // the trial
  CHECK(breaker.state() == BreakerState::open);
  pass(30s - 1ns);
  CHECK_FALSE(breaker.call(counted));
  pass(1ns);
  const Called<int> trial = breaker.call(counted);
  CHECK(trial);
  CHECK(*trial == 7);
  CHECK(breaker.state() == BreakerState::closed);
  for (int i = 0; i < 4; i++) fail(breaker);
  CHECK(breaker.state() == BreakerState::closed);
  const BreakerStats stats = breaker.stats();
  CHECK(stats.calls == 26);
  CHECK(stats.successes == 4);
  CHECK(stats.failures == 22);
  CHECK(stats.refused == 3);
  CHECK(stats.opened == 2);
  CHECK(stats.in_a_row == 4);
}

TEST_CASE("breaker: of half_open so many trials are made at a time, and as many must succeed") {
  CircuitBreaker breaker({.clock = test_clock, .failures = 1, .reset = 1s, .trials = 3});
  fail(breaker);
  pass(1s);
  BreakerCall a = breaker.begin(), b = breaker.begin(), c = breaker.begin(), d = breaker.begin();
  CHECK(a);
  CHECK(c);
  CHECK_FALSE(d);
  a.succeeded();
  { const BreakerCall dropped = std::move(b); }  // nobody knows how it went: another may try
  CHECK(breaker.state() == BreakerState::half_open);
  BreakerCall e = breaker.begin();
  CHECK(e);
  CHECK_FALSE(breaker.begin());
  c.succeeded();
  e.succeeded();
  e.failed();  // it has been said
  CHECK(breaker.state() == BreakerState::closed);
  fail(breaker);
  pass(1s);
  BreakerCall f = breaker.begin(), g = breaker.begin();
  f.failed();
  CHECK(breaker.state() == BreakerState::open);
  g.succeeded();  // too late to matter
  CHECK(breaker.state() == BreakerState::open);
}

TEST_CASE("breaker: a call of before it opened decides nothing later") {
  CircuitBreaker breaker({.clock = test_clock, .failures = 2, .reset = 1s});
  BreakerCall slow = breaker.begin(), slower = breaker.begin();
  fail(breaker);
  fail(breaker);
  pass(1s);
  BreakerCall trial = breaker.begin();
  slow.succeeded();
  slower.failed();
  CHECK(breaker.state() == BreakerState::half_open);
  trial.succeeded();
  CHECK(breaker.state() == BreakerState::closed);
}

TEST_CASE("breaker: by the rate of a window, once there were enough calls") {
  CircuitBreaker breaker({.clock = test_clock, .failure_rate = 0.5, .failures = 0, .min_calls = 10, .reset = 1s, .window = 10s});
  for (int i = 0; i < 4; i++) fail(breaker);
  for (int i = 0; i < 5; i++) work(breaker);
  CHECK(breaker.state() == BreakerState::closed);
  CHECK(fail(breaker) == CallOutcome::failed);  // the tenth: 5 of 10
  CHECK(breaker.state() == BreakerState::open);
  breaker.close();
  for (int i = 0; i < 9; i++) fail(breaker);
  CHECK(breaker.state() == BreakerState::closed);
  pass(10s);  // they are out of the window
  CHECK(breaker.stats().window_calls == 0);
  for (int i = 0; i < 9; i++) fail(breaker);
  CHECK(breaker.state() == BreakerState::closed);
  CHECK(breaker.stats().window_failures == 9);
  fail(breaker);
  CHECK(breaker.state() == BreakerState::open);
}

TEST_CASE("breaker: what is thrown counts and comes out; with a fallback it does not") {
  CircuitBreaker breaker({.clock = test_clock, .failures = 2, .reset = 1s});
  const auto throws = []() -> int { throw std::runtime_error("down"); };
  CHECK_THROWS_AS(breaker.call(throws), std::runtime_error);
  CHECK(breaker.call(throws, [] { return -1; }) == -1);
  CHECK(breaker.state() == BreakerState::open);
  CHECK(breaker.call(answer, [](CallOutcome why) { return why == CallOutcome::refused ? -2 : -3; }) == -2);
  pass(1s);
  CHECK(breaker.call(answer, [] { return -1; }) == 42);
  CHECK(breaker.state() == BreakerState::closed);
  bool fell_back = false;
  breaker.call([] { throw 1; }, [&] { fell_back = true; });
  CHECK(fell_back);
  CHECK(breaker.call(answer).value_or(1) == 42);
}

TEST_CASE("breaker: an Error and a Result without a value are failures, and are there to be read") {
  CircuitBreaker breaker({.clock = test_clock, .failures = 2});
  Called<Error> error = breaker.call(failing);
  CHECK_FALSE(error);
  CHECK(error.has_value());
  CHECK(error->what() == "down");
  auto result = breaker.call([]() -> Result<std::string> { return Error("no text"); });
  CHECK(result.outcome() == CallOutcome::failed);
  CHECK(result->error().what() == "no text");
  CHECK(breaker.state() == BreakerState::open);
  auto refused = breaker.call([]() -> Result<std::string> { return std::string("text"); });
  CHECK_FALSE(refused.has_value());
  breaker.close();
  auto good = breaker.call([]() -> Result<std::string> { return std::string("text"); });
  CHECK(good);
  CHECK(**good == "text");
  const Called<void> nothing = breaker.call([] {});
  CHECK(nothing);
}

TEST_CASE("breaker: open() and close() by order; a clock that goes back makes nobody wait longer than reset") {
  CircuitBreaker breaker({.clock = test_clock, .reset = 10s});
  pass(1h);
  breaker.open();
  CHECK(work(breaker) == CallOutcome::refused);
  now_ns -= std::chrono::nanoseconds(1h).count();
  CHECK(work(breaker) == CallOutcome::refused);
  CHECK(breaker.stats().retry_after <= 10s);
  pass(10s);
  CHECK(work(breaker) == CallOutcome::ok);
  breaker.open();
  breaker.close();
  CHECK(work(breaker) == CallOutcome::ok);
}

TEST_CASE("breaker: on_change hears of each change, in order, and may use the breaker") {
  std::vector<std::pair<BreakerState, BreakerState>> changes;
  CircuitBreaker* self = nullptr;
  CircuitBreaker breaker({.clock = test_clock,
                          .failures = 1,
                          .on_change =
                              [&](BreakerState from, BreakerState to) {
                                changes.emplace_back(from, to);
                                CHECK(self->stats().calls > 0);
                                if (changes.size() == 1) self->close();  // within: it is told next
                              },
                          .reset = 1s});
  self = &breaker;
  fail(breaker);
  using S = BreakerState;
  REQUIRE(changes.size() == 2);
  CHECK(changes[1] == std::pair(S::open, S::closed));
  fail(breaker);
  pass(1s);
  work(breaker);
  REQUIRE(changes.size() == 5);
  CHECK(changes[3] == std::pair(S::open, S::half_open));
  CHECK(changes[4] == std::pair(S::half_open, S::closed));
}

TEST_CASE("breaker: threads: every call is counted once, and a trial is one call") {
  std::atomic<int> told = 0;
  CircuitBreaker breaker({.failures = 3, .on_change = [&](BreakerState, BreakerState) { told++; }, .reset = 1ms});
  std::atomic<uint64_t> made = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3000; i++) {
        const CallOutcome outcome = (i + t) % 7 < 4 ? fail(breaker) : work(breaker);
        (outcome == CallOutcome::refused ? refused : made)++;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  const BreakerStats stats = breaker.stats();
  CHECK(stats.calls == made);
  CHECK(stats.refused == refused);
  CHECK(stats.successes + stats.failures == stats.calls);
  CHECK(made + refused == 9000);
  CHECK(told > 0);
}

TEST_CASE("breaker: mistakes in options abort") {
  using test::aborts;
  CHECK(aborts([] { CircuitBreaker b({.failures = 0}); }));
  CHECK(aborts([] { CircuitBreaker b({.failure_rate = 1.5}); }));
  CHECK(aborts([] { CircuitBreaker b({.trials = 0}); }));
  CHECK(aborts([] { CircuitBreaker b({.window = 0ms}); }));
}
