// martlet/task.h: coroutines as handlers and middleware. It is there for compilers that have coroutines (g++ 11, clang 14
// with the library of g++ 11 or later, clang 16); for others there is nothing to be used here, and all else works without it.
//
//   app.get("/slow", [](Request& req, Response& res) -> Task<> {
//     co_await sleep(50ms);
//     auto rows = co_await offload([] { return query_database(); });
//     res.json(rows);
//   });
//   app.use([](Request& req, Response&, Next next) -> Task<> {
//     const auto began = now();
//     co_await next;                       // goes on when the rest of the chain has answered
//     note(req.path(), now() - began);
//   });
//
// A handler or a middleware of any of its forms (router.h) may be one; what a handler's Task<T> returns is its answer. A task
// runs on the worker's thread and nowhere else. Its Request and Response, and all views taken from them, stay good until
// it has ended, also when the request is answered before; head and body are copied aside for it before it is called. The
// request is held as after res.defer(): AppOptions::handler_timeout holds, and a client that resets its connection ends
// it. Error handlers are no coroutines.
//
// When the connection ends before the answer, the task does not go on: its frame is destroyed where it waits, on the
// worker's thread, and destructors run. (Nothing is thrown, so that this works without exceptions, too.) Response::on_aborted
// is called before. Once the request was answered nothing ends a task but its own end and that of the App: a drain waits
// for all tasks up to its deadline, then they are destroyed in the same way.
//
// Handlers of WebSockets may be coroutines, too: those of a connection, of messages and of events (events.h), timers, and steps
// behind the 101.
//   ws.on_message([](WebSocket ws, const Message& message) -> Task<> {
//     const std::string answer = co_await offload([&] { return look_up(message.text()); });
//     ws.send(answer);
//   });
// What such a task was called with lasts as long as it does: messages, texts and the request are kept for it. It belongs to its
// connection: when that has ended, and the close handlers have run, it is destroyed where it waits; one that is begun by a close
// handler or later goes on to its end. What it throws closes the connection with 1011. The next message does not wait for it; of a
// connection that has kMaxSocketTasks at work nothing more is read until half of them have ended (those that wait for the answer
// to an event do not count). What is kept of messages counts against AppOptions::receive_budget_bytes; when that is spent, or
// offload() is refused, the connection is closed with 1013.
//
// What a task throws is a failure of its step, as in any other handler. After the answer it is logged only.
//
// A task costs the frame that the compiler allocates for it, and no other allocation once the worker is warm. Awaiting does
// not use up the stack: neither a long loop of awaits that do not wait, nor many steps that await `next`.
#pragma once

#include <martlet/config.h>
#include <martlet/awaiting.h>
#include <martlet/function.h>
#include <martlet/kept_arguments.h>
#include <martlet/loop.h>
#include <martlet/middleware.h>
#include <martlet/offload.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/route_server.h>
#include <martlet/router.h>
#include <martlet/websocket.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// How many tasks of a WebSocket may be at work while it is read.
inline constexpr uint32_t kMaxSocketTasks = 256;

}  // namespace martlet

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

namespace martlet {

template <typename T = void>
class Task;

namespace detail {

template <typename F, typename... Args>
MARTLET_THUNK void start_socket_task(const Shared<F>& fn, WebSocket ws, Args... args);

template <typename T>
struct TaskPromise : TaskPromiseBase {
  static_assert(std::is_object_v<T>, "a Task returns a value, or nothing");
  Task<T> get_return_object() noexcept;
  template <typename U>
    requires std::is_constructible_v<T, U>
  MARTLET_THUNK void return_value(U&& given) {
    value.emplace(std::forward<U>(given));
  }
  MARTLET_THUNK T take() {
    rethrow();
    return std::move(*value);
  }
  std::optional<T> value = {};
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  MARTLET_THUNK void take() const { rethrow(); }
};

}  // namespace detail

// A coroutine that begins when it is awaited, once, and whose frame goes with this object: a step's task, or a part of one
// (auto n = co_await count(db)). Movable.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using is_martlet_task = void;  // router.h looks for it

  Task() noexcept = default;
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  explicit operator bool() const noexcept { return static_cast<bool>(coroutine_); }

  class Awaiter : detail::Waiting {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}
    bool await_ready() const noexcept { return false; }
    template <typename P>
    void await_suspend(std::coroutine_handle<P> who) noexcept {
      if (!coroutine_ || coroutine_.promise().awaiting) detail::no_task("a Task is awaited that is empty, or was awaited before");
      promise_type& promise = coroutine_.promise();
      promise.awaiting = &waits(who);
      promise.self.frame = coroutine_.address();
      promise.self.root = self_.root;
      detail::go_on(promise.self, detail::resume_frame);
    }
    MARTLET_THUNK T await_resume() { return coroutine_.promise().take(); }
    bool has_ended() const noexcept { return coroutine_.done(); }

   private:
    std::coroutine_handle<promise_type> coroutine_;
  };
  Awaiter operator co_await() const noexcept { return Awaiter(coroutine_); }

  // For router.h: what `make(context)` makes is the task of a step, or `make(context, next)`.
  template <bool kIsHandler, typename Make, typename... IsNext>
  MARTLET_THUNK static void start(Request& req, Response& res, Make&& make, const IsNext&... next) {
    detail::TaskStart start(req, res);
    if (start) make(start.context(), start.kept(next)...).template begin<kIsHandler>(start);
  }
  // For function.h and events.h: the same of a handler of a WebSocket, for which so many bytes are kept.
  template <typename Make>
  MARTLET_THUNK static void start(const WebSocket& ws, size_t bytes, Make&& make) {
    detail::SocketTaskStart start(ws, bytes);
    if (start) make().template begin<false>(start);
  }
  // For function.h: what is called in place of a function that makes such tasks.
  template <typename First = void, typename... Rest, typename F>
  static auto of_socket(F&& fn) {
    static_assert(std::is_same_v<First, WebSocket>, "a coroutine belongs to a WebSocket here: its function takes it first");
    static_assert(std::is_void_v<T> || std::is_invocable_v<T>, "nobody takes what this coroutine returns: it is a Task<>");
    using Stored = std::decay_t<F>;
    return [fn = detail::Shared<Stored>::make(std::forward<F>(fn))](WebSocket ws, Rest... rest) {
      detail::start_socket_task<Stored, Rest...>(fn, ws, std::forward<Rest>(rest)...);
    };
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}

  template <bool kIsHandler, typename Start>
  void begin(Start& start) noexcept {
    if (!coroutine_) detail::no_task("a step or a handler has returned an empty Task");
    promise_type& promise = coroutine_.promise();
    promise.self.frame = std::exchange(coroutine_, {}).address();
    start.run(promise.self, {detail::resume_frame, detail::destroy_frame, finish<kIsHandler>, kIsHandler});
  }

  template <bool kIsHandler>
  MARTLET_THUNK static bool finish(void* frame, Response* res) {
    promise_type& promise = std::coroutine_handle<promise_type>::from_address(frame).promise();
    Function<void()> taking([&promise, res] {
      if constexpr (kIsHandler && !std::is_void_v<T>) {
        detail::answer(*res, promise.take());
      } else {
        (void)res;
        promise.take();
      }
    });
    return taking();
  }

  std::coroutine_handle<promise_type> coroutine_ = {};
};

namespace detail {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

// Handlers of WebSockets --------------------------------------------------------------------------------------------------

// The coroutine around a handler's: it has what that one was called with, and the function itself, which may be taken out
// meanwhile. A connection's handler may return what is to be done at its end.
template <typename F, typename... Kept>
Task<> call_and_keep(Shared<F> fn, WebSocket ws, Kept... kept) {
  using Left = decltype((*fn)(ws, kept.get()...).operator co_await().await_resume());
  if constexpr (std::is_invocable_v<Left>) {
    Cleanup left(co_await (*fn)(ws, kept.get()...));
    keep_cleanup(ws, std::move(left));
  } else {
    co_await (*fn)(ws, kept.get()...);
  }
}

template <typename F, typename... Args>
MARTLET_THUNK void start_socket_task(const Shared<F>& fn, WebSocket ws, Args... args) {
  const auto start = [&fn, &ws](auto... kept) {
    if (!(static_cast<bool>(kept) && ...)) return no_memory_for(ws);
    Task<>::start(ws, (size_t{0} + ... + bytes_of(kept)), [&] { return call_and_keep(fn, ws, std::move(kept)...); });
  };
  start(KeptArgument<Args>(std::forward<Args>(args))...);
}

// Sleeping --------------------------------------------------------------------------------------------------------------

class [[nodiscard]] Sleep : Waiting {
 public:
  explicit Sleep(milliseconds time) noexcept : time_(time) {}
  ~Sleep() {
    if (timer_) end_sleep(*self_.root, timer_);
  }
  bool await_ready() const noexcept { return false; }
  template <typename P>
  void await_suspend(std::coroutine_handle<P> who) noexcept {
    timer_ = begin_sleep(waits(who), time_);
  }
  void await_resume() noexcept { timer_ = {}; }

 private:
  milliseconds time_;
  TimerId timer_ = {};
};

// Waiting for a task, but not for ever: co_await wait is whether it has ended, which it is given this time for (0: any). For
// breaker.h. The task is the caller's, and must outlive this; one that has not ended may be destroyed once may_leave() says so.
template <typename T>
class TimedWait : Waiting {
 public:
  TimedWait(Task<T>& task, milliseconds time) noexcept : task_(&task), ended_(task.operator co_await()), time_(time) {}
  ~TimedWait() {
    if (timer_) end_sleep(*self_.root, timer_);
  }
  bool await_ready() const noexcept { return false; }
  // The timer first: where there is no memory for it, who waits goes on behind the task's first part.
  template <typename P>
  void await_suspend(std::coroutine_handle<P> who) noexcept {
    if (time_.count() > 0) timer_ = begin_sleep(waits(who), time_);
    ended_.await_suspend(who);
  }
  bool await_resume() noexcept {
    if (timer_ && ended_.has_ended()) end_sleep(*self_.root, timer_);
    timer_ = {};
    return ended_.has_ended();
  }
  // Takes it out of where it waits, and destroys it, if that can be done.
  bool may_leave() noexcept {
    if (!detail::may_leave(*self_.root)) return false;
    *task_ = Task<T>();
    return true;
  }
  struct UntilEnded {
    const TimedWait& wait;
    bool await_ready() const noexcept { return wait.ended_.has_ended(); }
    void await_suspend(std::coroutine_handle<>) const noexcept {}  // the task knows who waits for it
    void await_resume() const noexcept {}
  };
  UntilEnded until_ended() const noexcept { return {*this}; }
  typename Task<T>::Awaiter& ended() noexcept { return ended_; }

 private:
  Task<T>* task_;
  typename Task<T>::Awaiter ended_;
  milliseconds time_;
  TimerId timer_ = {};
};

// Waiting for the answer, or for the body ---------------------------------------------------------------------------------

class [[nodiscard]] RestOfChain : Waiting {
 public:
  explicit RestOfChain(const Next& next) noexcept : next_(next) {}
  bool await_ready() const noexcept { return false; }
  template <typename P>
  void await_suspend(std::coroutine_handle<P> who) noexcept {
    await_answer(waits(who), next_);
  }
  void await_resume() const noexcept {}

 private:
  Next next_;
};

class [[nodiscard]] BodyOf : Waiting {
 public:
  explicit BodyOf(const Request& req) noexcept : req_(&req) {}
  bool await_ready() const noexcept { return !body_is_coming(*req_); }
  template <typename P>
  void await_suspend(std::coroutine_handle<P> who) noexcept {
    await_body(waits(who), *req_);
  }
  std::string_view await_resume() const noexcept { return req_->body(); }

 private:
  const Request* req_;
};

}  // namespace detail

// co_await sleep(50ms): the worker goes on meanwhile. To the millisecond; when memory for the timer is out, it does not wait.
[[nodiscard]] inline detail::Sleep sleep(milliseconds time) noexcept { return detail::Sleep(time); }

// co_await next: lets the request through, and goes on when it has been answered (or has become a WebSocket), by whomever and
// however late. Of several steps that wait so, the last one goes on first. Too late to change the answer. When
// the client goes before, the step does not go on. A step behind the 101 goes on behind the connection's handler, or the next
// step, which may wait.
[[nodiscard]] inline detail::RestOfChain operator co_await(const Next& next) noexcept { return detail::RestOfChain(next); }

// std::string_view body = co_await req.whole_body(): in a middleware, which runs when the head is there. A handler's body is
// there anyway. Of a body that is refused (413, 408) the task does not go on: it is destroyed, as the request is answered.
[[nodiscard]] inline detail::BodyOf operator co_await(const WholeBody& body) noexcept { return detail::BodyOf(body.request()); }

}  // namespace martlet

#endif
