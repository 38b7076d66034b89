// martlet/offload.h: work on other threads: co_await offload(fn). A part of task.h, which includes it.
#pragma once

#include <martlet/config.h>
#include <martlet/awaiting.h>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace martlet {

namespace detail {

class OffloadPool;

// A call on its way to a thread of the pool and back.
struct OffloadJob {
  OffloadJob* next = nullptr;
  void (*call)(OffloadJob& job) = nullptr;
  Resumable* waiting = nullptr;
  OffloadPool* pool = nullptr;  // while it is there
  int stage = 0;                // the pool's
};

// False: too many wait.
bool begin_offload(OffloadJob& job) noexcept;
// Whoever waits for it goes: takes it back, or waits until it has returned.
void end_offload(OffloadJob& job) noexcept;
// The task ends here, and its request is answered with 503.
void refuse_offload(TaskRoot* root) noexcept;

}  // namespace detail

}  // namespace martlet

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

namespace martlet {

namespace detail {

#if MARTLET_HAS_EXCEPTIONS
template <typename F>
MARTLET_THUNK void call_and_note(F&& fn, std::exception_ptr& thrown) noexcept {
  try {
    fn();
  } catch (...) {
    thrown = std::current_exception();
  }
}
#else
template <typename F>
MARTLET_THUNK void call_and_note(F&& fn, std::exception_ptr&) noexcept {
  fn();
}
#endif

struct Nothing {};

// kTries: who awaits it is told that it was refused.
template <typename F, bool kTries>
class [[nodiscard]] Offload : Waiting {
  using Result = std::decay_t<std::invoke_result_t<F&>>;
  static constexpr bool kIsVoid = std::is_void_v<Result>;
  using Value = std::conditional_t<kIsVoid, Nothing, Result>;
  using Answer = std::conditional_t<!kTries, Result, std::conditional_t<kIsVoid, bool, std::optional<Value>>>;

 public:
  MARTLET_THUNK explicit Offload(F fn) : job_(std::move(fn)) {}
  ~Offload() {
    if (job_.pool) end_offload(job_);
  }
  bool await_ready() const noexcept { return false; }
  template <typename P>
  void await_suspend(std::coroutine_handle<P> who) noexcept {
    job_.waiting = &waits(who);
    job_.call = call;
    if (begin_offload(job_)) return;
    kTries ? go_on(self_, resume_frame) : refuse_offload(self_.root);
  }
  MARTLET_THUNK Answer await_resume() {
    if (job_.thrown) std::rethrow_exception(job_.thrown);
    if constexpr (kTries && kIsVoid) {
      return job_.value.has_value();
    } else if constexpr (kTries) {
      return std::move(job_.value);
    } else if constexpr (!kIsVoid) {
      return std::move(*job_.value);
    }
  }

 private:
  struct Job : OffloadJob {
    explicit Job(F f) : fn(std::move(f)) {}
    F fn;
    std::optional<Value> value = {};
    std::exception_ptr thrown = nullptr;
  };
  MARTLET_THUNK static void call(OffloadJob& of) {
    Job& job = static_cast<Job&>(of);
    call_and_note(
        [&job] {
          if constexpr (kIsVoid) {
            job.fn();
            job.value.emplace();
          } else {
            job.value.emplace(job.fn());
          }
        },
        job.thrown);
  }

  Job job_;
};

}  // namespace detail

// auto rows = co_await offload(fn): fn runs on a thread of a small pool (AppOptions::offload_threads, started with the first
// call), for what blocks or takes long. What it returns or throws comes back on the worker's thread. When 1,024 calls wait
// already, the request fails with 503 and the task does not go on.
// fn may refer to what lies in the coroutine ([&]): a task whose client goes is destroyed only when fn has returned, if it
// has begun. So does App::close() wait for it, and the end of an App: fn should come to an end.
template <typename F>
[[nodiscard]] MARTLET_THUNK detail::Offload<std::decay_t<F>, false> offload(F&& fn) {
  return detail::Offload<std::decay_t<F>, false>(std::forward<F>(fn));
}
// The same for who wants to do something else when it is refused: a std::optional of the result, of nothing a bool.
template <typename F>
[[nodiscard]] MARTLET_THUNK detail::Offload<std::decay_t<F>, true> try_offload(F&& fn) {
  return detail::Offload<std::decay_t<F>, true>(std::forward<F>(fn));
}

}  // namespace martlet

#endif
