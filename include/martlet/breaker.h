// martlet/breaker.h: CircuitBreaker, for calls to what may be down: after some failures it is not called for a while, so that requests
// do not wait for it, and it is left in peace to come back.
//
//   Common<CircuitBreaker> breaker(BreakerOptions{.failures = 5, .reset = 30s});       // one for all workers (common.h)
//   app.get("/rates", [breaker](Request&, Response& res) -> Task<> {
//     const auto rates = co_await breaker->call([] { return fetch_rates(); });         // Task<Json> fetch_rates()
//     if (!rates) return_last_known(res, rates.outcome());
//     else res.json(*rates);
//   });
//
//   closed     calls are made. `failures` failures one after the other, or a rate of them, open it
//   open       calls are refused at once, for `reset`
//   half_open  the next `trials` calls are made, others refused: when they succeed it closes, when one fails it opens anew
//
// A call fails when it throws, when it returns an Error or a Result without a value, or when it is a task that takes longer than
// `timeout`. What else is a failure (a status of 500) is said by hand: see begin().
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/loop.h>
#include <martlet/options.h>
#include <martlet/task.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace martlet {

enum class BreakerState : uint8_t { closed, open, half_open };

// How a call went.
enum class CallOutcome : uint8_t {
  ok,
  failed,     // it was made, and has failed
  timed_out,  // it took longer than `timeout`
  refused,    // it was not made
};

struct BreakerOptions {
  // Null: std::chrono::steady_clock.
  MonotonicClock clock = nullptr;
  // How many of the window's calls may fail, 0 to 1, once there were `min_calls` of them; it opens at that rate. 0: the rate does not
  // matter.
  double failure_rate = 0;
  // So many failures one after the other open it. 0: only the rate does.
  uint32_t failures = 5;
  uint32_t min_calls = 20;
  // Runs after each change, on the thread whose call has made it, before that call answers; one after the other, in the order of
  // the changes, with no lock held. What it throws is lost.
  Function<void(BreakerState from, BreakerState to)> on_change = {};
  // How long it stays open.
  milliseconds reset = std::chrono::seconds(30);
  // Of calls that are tasks. 0: none.
  milliseconds timeout = milliseconds(0);
  // How many calls are made in half_open, at the same time or one by one; as many must succeed for it to close. Not 0.
  uint32_t trials = 1;
  // What `failure_rate` is about: the last ten parts of it, the present one included.
  milliseconds window = std::chrono::seconds(10);
};

struct BreakerStats {
  BreakerState state = BreakerState::closed;
  uint64_t calls = 0;      // that were made
  uint64_t successes = 0;
  uint64_t failures = 0;   // those that timed out included
  uint64_t timeouts = 0;
  uint64_t refused = 0;
  uint64_t opened = 0;     // how often it opened
  uint32_t in_a_row = 0;   // failures since the last success
  uint32_t window_calls = 0, window_failures = 0;
  milliseconds retry_after{0};  // of an open one: until the next call is tried
};

class CircuitBreaker;

// A call that a breaker has let through: say how it went, once. When nothing is said it does not count, but one that is destroyed
// by an exception has failed.
class BreakerCall {
 public:
  BreakerCall(BreakerCall&& other) noexcept;
  BreakerCall(const BreakerCall&) = delete;
  BreakerCall& operator=(BreakerCall&& other) = delete;
  BreakerCall& operator=(const BreakerCall&) = delete;
  ~BreakerCall();
  // False: it was refused, and is not to be made.
  explicit operator bool() const noexcept { return breaker_ != nullptr; }
  void succeeded() noexcept { end(CallOutcome::ok); }
  void failed() noexcept { end(CallOutcome::failed); }
  void timed_out() noexcept { end(CallOutcome::timed_out); }

 private:
  friend class CircuitBreaker;
  BreakerCall(CircuitBreaker* breaker, uint32_t epoch) noexcept;
  void end(CallOutcome outcome) noexcept;

  CircuitBreaker* breaker_;
  uint32_t epoch_;
  int exceptions_;
};

// The answer of a call: what it returned, if it did. Of one that failed by an Error or a Result that is there, too.
template <typename T>
class Called {
 public:
  explicit Called(CallOutcome outcome) noexcept : outcome_(outcome) {}
  Called(CallOutcome outcome, T value) : outcome_(outcome), value_(std::move(value)) {}
  explicit operator bool() const noexcept { return outcome_ == CallOutcome::ok; }
  CallOutcome outcome() const noexcept { return outcome_; }
  bool has_value() const noexcept { return value_.has_value(); }
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }
  T value_or(T other) && { return outcome_ == CallOutcome::ok ? *std::move(value_) : std::move(other); }

 private:
  CallOutcome outcome_;
  std::optional<T> value_ = {};
};
template <>
class Called<void> {
 public:
  explicit Called(CallOutcome outcome) noexcept : outcome_(outcome) {}
  explicit operator bool() const noexcept { return outcome_ == CallOutcome::ok; }
  CallOutcome outcome() const noexcept { return outcome_; }

 private:
  CallOutcome outcome_;
};

namespace detail {

struct BreakerCore;

template <typename T>
inline constexpr bool is_result_type = false;
template <typename T>
inline constexpr bool is_result_type<Result<T>> = true;
template <typename T>
bool has_failed(const T& value) noexcept {
  if constexpr (std::is_same_v<T, Error>) {
    return static_cast<bool>(value);
  } else if constexpr (is_result_type<T>) {
    return !value;
  } else {
    return false;
  }
}

}  // namespace detail

// Any thread, all calls, for a mutex of its own that is held for some ten nanoseconds. It has to outlive its calls: a Common that
// handlers keep does.
class CircuitBreaker {
 public:
  // Aborts with a message when the options cannot be meant: no App knows it, whose listen() could answer an Error.
  explicit CircuitBreaker(BreakerOptions options = {});
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;
  ~CircuitBreaker();

  // Calls fn() unless it is open. What fn throws counts, and comes out of here. Of an fn that returns a Task<T> (a coroutine, task.h)
  // the answer is a Task of the answer, to be awaited: co_await breaker.call(fn).
  //
  // A task that times out is destroyed where it waits, as that of a client that has gone, and the answer comes at once. But what it
  // offloads is not interrupted once a thread has begun with it: then the failure counts when the time is up (others are refused),
  // and the answer comes when that has returned. The same holds for one that awaits the rest of a chain or a body.
  template <typename F>
  MARTLET_THUNK auto call(F&& fn) {
    using R = std::invoke_result_t<std::decay_t<F>&>;
    if constexpr (detail::is_task<R>) {
      return run_task(std::decay_t<F>(std::forward<F>(fn)));
    } else {
      return run<R>(fn);
    }
  }
  // The same with something else to return where it is refused, fails, throws, or times out: fallback(), or fallback(CallOutcome), which
  // returns what fn returns; of tasks that, or a Task of it.
  template <typename F, typename G>
  MARTLET_THUNK auto call(F&& fn, G&& fallback) {
    using R = std::invoke_result_t<std::decay_t<F>&>;
    if constexpr (detail::is_task<R>) {
      return run_task_or(std::decay_t<F>(std::forward<F>(fn)), std::decay_t<G>(std::forward<G>(fallback)));
    } else {
      return run_or<R>(fn, fallback);
    }
  }

  // By hand: BreakerCall c = breaker.begin(); if (!c) …; c.succeeded();
  BreakerCall begin() noexcept;

  // open until a call finds that `reset` is over.
  BreakerState state() const noexcept;
  BreakerStats stats() const noexcept;
  // By order: opens it for `reset`; closes it, as if nothing had failed.
  void open() noexcept;
  void close() noexcept;

 private:
  friend class BreakerCall;
  void end(uint32_t epoch, CallOutcome outcome, bool counts) noexcept;
  milliseconds timeout() const noexcept;

  template <typename R>
  static Called<R> end_call(BreakerCall& call, R&& value) {
    const bool failed = detail::has_failed(value);
    failed ? call.failed() : call.succeeded();
    return Called<R>(failed ? CallOutcome::failed : CallOutcome::ok, std::forward<R>(value));
  }
  template <typename R, typename F>
  MARTLET_THUNK Called<R> run(F& fn) {
    BreakerCall call = begin();
    if (!call) return Called<R>(CallOutcome::refused);
    if constexpr (std::is_void_v<R>) {
      fn();
      call.succeeded();
      return Called<R>(CallOutcome::ok);
    } else {
      return end_call<R>(call, fn());
    }
  }
  template <typename G>
  MARTLET_THUNK static auto call_fallback(G& fallback, CallOutcome outcome) {
    if constexpr (std::is_invocable_v<G&, CallOutcome>) {
      return fallback(outcome);
    } else {
      return fallback();
    }
  }
  template <typename R, typename F, typename G>
  MARTLET_THUNK R run_or(F& fn, G& fallback) {
    std::optional<Called<R>> called;
    Function<void()> calling([this, &fn, &called] { called.emplace(run<R>(fn)); });  // it catches what is thrown
    const bool returned = calling();
    if constexpr (std::is_void_v<R>) {
      if (!returned || !*called) call_fallback(fallback, returned ? called->outcome() : CallOutcome::failed);
    } else {
      if (returned && *called) return **std::move(called);
      return call_fallback(fallback, returned ? called->outcome() : CallOutcome::failed);
    }
  }

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
  template <typename T>
  static Called<T> end_task(BreakerCall& call, typename Task<T>::Awaiter& ended) {
    if constexpr (std::is_void_v<T>) {
      ended.await_resume();
      call.succeeded();
      return Called<T>(CallOutcome::ok);
    } else {
      return end_call<T>(call, ended.await_resume());
    }
  }
  template <typename T>
  static T value_type_of(const Task<T>&);
  template <typename F>
  using TaskValue = decltype(value_type_of(std::declval<std::invoke_result_t<F&>>()));

  // The function, with all that it has captured, lies in this coroutine.
  template <typename F, typename T = TaskValue<F>>
  MARTLET_THUNK Task<Called<T>> run_task(F fn) {
    BreakerCall call = begin();
    if (!call) co_return Called<T>(CallOutcome::refused);
    Task<T> task = fn();
    detail::TimedWait<T> wait(task, timeout());
    if (!co_await wait) {
      call.timed_out();
      if (!wait.may_leave()) co_await wait.until_ended();
      co_return Called<T>(CallOutcome::timed_out);
    }
    co_return end_task<T>(call, wait.ended());
  }
  template <typename F, typename G, typename T = TaskValue<F>>
  MARTLET_THUNK Task<T> run_task_or(F fn, G fallback) {
    CallOutcome outcome = CallOutcome::failed;
    Task<Called<T>> task = run_task(std::move(fn));
    detail::TimedWait<Called<T>> wait(task, milliseconds(0));
    co_await wait;
    std::optional<Called<T>> called;
    Function<void()> taking([&called, &wait] { called.emplace(wait.ended().await_resume()); });  // it catches what is thrown
    if (taking()) outcome = called->outcome();
    if constexpr (!std::is_void_v<T>) {
      if (outcome == CallOutcome::ok) co_return **std::move(called);
    } else {
      if (outcome == CallOutcome::ok) co_return;
    }
    if constexpr (detail::is_task<decltype(call_fallback(fallback, outcome))>) {
      co_return co_await call_fallback(fallback, outcome);
    } else {
      co_return call_fallback(fallback, outcome);
    }
  }
#endif

  detail::BreakerCore* core_;
};

}  // namespace martlet
