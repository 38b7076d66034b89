// See breaker.h. Each change of the state begins an epoch: calls that began in an earlier one are counted, but decide nothing.
#include <martlet/breaker.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <mutex>
#include <utility>

#include "guards/mistake.h"

namespace martlet {

namespace {

constexpr size_t kSlices = 10;
constexpr size_t kMostChanges = 8;  // that wait to be told; more are told as one

struct Change {
  BreakerState from, to;
};

struct Slice {
  int64_t number = -1;
  uint32_t calls = 0, failures = 0;
};

}  // namespace

// All is under the mutex, but for the options, and for on_change, which only who has set `telling` calls.
struct detail::BreakerCore {
  explicit BreakerCore(BreakerOptions&& o) : options(std::move(o)) {}

  int64_t now() const noexcept {
    const MonotonicClock clock = options.clock;
    return (clock ? clock() : std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch())).count();
  }
  static int64_t ns(milliseconds time) noexcept { return std::chrono::nanoseconds(time).count(); }

  void change(BreakerState to) noexcept;
  bool may_call() noexcept;
  void note(bool failed) noexcept;
  Slice sum() const noexcept;
  bool is_too_much() const noexcept;
  void end_trial(bool failed) noexcept;
  void tell() noexcept;
  milliseconds until_tried() const noexcept;

  BreakerOptions options;
  std::mutex mutex;
  BreakerState state = BreakerState::closed;
  uint32_t epoch = 0;
  int64_t opened_at = 0;
  uint32_t in_a_row = 0;
  uint32_t trials = 0, good_trials = 0;
  Slice slices[kSlices];
  BreakerStats counts;
  Change changes[kMostChanges];
  size_t change_count = 0;
  bool telling = false;
};

using detail::BreakerCore;

void BreakerCore::change(BreakerState to) noexcept {
  epoch++;
  if (options.on_change) {
    if (change_count < kMostChanges) changes[change_count++] = {state, to};
    else changes[kMostChanges - 1].to = to;
  }
  state = to;
  trials = good_trials = in_a_row = 0;
  std::fill(std::begin(slices), std::end(slices), Slice());
  if (to != BreakerState::open) return;
  opened_at = now();
  counts.opened++;
}

milliseconds BreakerCore::until_tried() const noexcept {
  const int64_t left = std::min(opened_at + ns(options.reset) - now(), ns(options.reset));  // the clock may have gone back
  return std::chrono::ceil<milliseconds>(std::chrono::nanoseconds(std::max<int64_t>(left, 0)));
}

bool BreakerCore::may_call() noexcept {
  if (state == BreakerState::open) {
    const int64_t at = now();
    opened_at = std::min(opened_at, at);
    if (at - opened_at < ns(options.reset)) return false;
    change(BreakerState::half_open);
  }
  if (state == BreakerState::closed) return true;
  if (trials == options.trials) return false;
  return trials++, true;
}

void BreakerCore::note(bool failed) noexcept {
  in_a_row = failed ? in_a_row + 1 : 0;
  if (options.failure_rate <= 0) return;
  const int64_t number = now() / std::max<int64_t>(ns(options.window) / int64_t{kSlices}, 1);
  Slice& slice = slices[static_cast<size_t>(number) % kSlices];
  if (slice.number != number) slice = {number};
  slice.calls++;
  slice.failures += failed;
}

Slice BreakerCore::sum() const noexcept {
  Slice all;
  const int64_t number = now() / std::max<int64_t>(ns(options.window) / int64_t{kSlices}, 1);
  for (const Slice& slice : slices) {
    if (slice.number < 0 || slice.number <= number - int64_t{kSlices} || slice.number > number) continue;
    all.calls += slice.calls;
    all.failures += slice.failures;
  }
  return all;
}

bool BreakerCore::is_too_much() const noexcept {
  if (options.failures && in_a_row >= options.failures) return true;
  if (options.failure_rate <= 0) return false;
  const Slice all = sum();
  return all.calls >= options.min_calls && all.failures >= options.failure_rate * all.calls;
}

void BreakerCore::end_trial(bool failed) noexcept {
  if (failed) return change(BreakerState::open);
  if (++good_trials == options.trials) change(BreakerState::closed);
}

// One thread at a time tells, and goes on for what others change meanwhile, on_change itself too.
void BreakerCore::tell() noexcept {
  std::unique_lock lock(mutex);
  if (telling) return;
  telling = true;
  while (change_count > 0) {
    const Change first = changes[0];
    std::copy(changes + 1, changes + change_count, changes);
    change_count--;
    lock.unlock();
    options.on_change(first.from, first.to);
    lock.lock();
  }
  telling = false;
}

// BreakerCall ---------------------------------------------------------------------------------------------------------

BreakerCall::BreakerCall(CircuitBreaker* breaker, uint32_t epoch) noexcept
    : breaker_(breaker), epoch_(epoch), exceptions_(std::uncaught_exceptions()) {}

BreakerCall::BreakerCall(BreakerCall&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)), epoch_(other.epoch_), exceptions_(other.exceptions_) {}

BreakerCall::~BreakerCall() {
  if (breaker_) breaker_->end(epoch_, CallOutcome::failed, std::uncaught_exceptions() > exceptions_);
}

void BreakerCall::end(CallOutcome outcome) noexcept {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) breaker->end(epoch_, outcome, true);
}

// CircuitBreaker ------------------------------------------------------------------------------------------------------

namespace {

const char* wrong(const BreakerOptions& o) noexcept {
  if (o.failures == 0 && !(o.failure_rate > 0)) return "neither failures nor failure_rate open it";
  if (!(o.failure_rate >= 0 && o.failure_rate <= 1)) return "failure_rate is not from 0 to 1";
  if (o.trials == 0) return "trials is 0";
  return o.window.count() > 0 ? nullptr : "window is not more than 0";
}

}  // namespace

CircuitBreaker::CircuitBreaker(BreakerOptions options) {
  guards::abort_if(guards::mistake_in("CircuitBreaker", wrong(options)));
  core_ = new BreakerCore(std::move(options));
}
CircuitBreaker::~CircuitBreaker() { delete core_; }

milliseconds CircuitBreaker::timeout() const noexcept { return core_->options.timeout; }

BreakerCall CircuitBreaker::begin() noexcept {
  std::unique_lock lock(core_->mutex);
  const bool may_call = core_->may_call();
  (may_call ? core_->counts.calls : core_->counts.refused)++;
  const bool told = core_->change_count == 0;
  BreakerCall call(may_call ? this : nullptr, core_->epoch);
  lock.unlock();
  if (!told) core_->tell();
  return call;
}

void CircuitBreaker::end(uint32_t epoch, CallOutcome outcome, bool counts) noexcept {
  std::unique_lock lock(core_->mutex);
  BreakerCore& core = *core_;
  const bool is_of_now = epoch == core.epoch;
  if (!counts) {  // nobody knows: another one may try
    if (is_of_now && core.state == BreakerState::half_open) core.trials--;
    return;
  }
  const bool failed = outcome != CallOutcome::ok;
  (failed ? core.counts.failures : core.counts.successes)++;
  core.counts.timeouts += outcome == CallOutcome::timed_out;
  if (is_of_now && core.state == BreakerState::half_open) {
    core.end_trial(failed);
  } else if (is_of_now) {
    core.note(failed);
    if (failed && core.is_too_much()) core.change(BreakerState::open);
  }
  const bool told = core.change_count == 0;
  lock.unlock();
  if (!told) core.tell();
}

BreakerState CircuitBreaker::state() const noexcept {
  const std::lock_guard lock(core_->mutex);
  return core_->state;
}

BreakerStats CircuitBreaker::stats() const noexcept {
  const std::lock_guard lock(core_->mutex);
  BreakerStats stats = core_->counts;
  stats.state = core_->state;
  stats.in_a_row = core_->in_a_row;
  const Slice window = core_->sum();
  stats.window_calls = window.calls;
  stats.window_failures = window.failures;
  if (stats.state == BreakerState::open) stats.retry_after = core_->until_tried();
  return stats;
}

void CircuitBreaker::open() noexcept {
  {
    const std::lock_guard lock(core_->mutex);
    core_->change(BreakerState::open);
  }
  core_->tell();
}

void CircuitBreaker::close() noexcept {
  {
    const std::lock_guard lock(core_->mutex);
    if (core_->state != BreakerState::closed) core_->change(BreakerState::closed);
    core_->in_a_row = 0;
  }
  core_->tell();
}

}  // namespace martlet
