// martlet/awaiting.h: what coroutines and what they wait for have in common, and the library's side of a task: a part of task.h, which
// is what programs include.
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/loop.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
#include <coroutine>
#endif

namespace martlet {

struct Context;  // router.h

namespace detail {

struct TaskRoot;  // the library's side of a task that a step has started

// A coroutine that is to go on, and of which root it is. It lies in a coroutine's frame.
struct Resumable {
  Resumable* next = nullptr;
  void* frame = nullptr;
  TaskRoot* root = nullptr;
};

// What the library does with the coroutine of a step.
struct TaskCalls {
  void (*resume)(void* frame);
  void (*destroy)(void* frame);
  bool (*finish)(void* frame, Response* res);  // takes the result; false: it has thrown
  bool is_handler;
};

// The beginning of a task: its exchange is detached and holds it. Where there is no memory for that, it is answered.
class TaskStart {
 public:
  TaskStart(Request& req, Response& res) noexcept;
  TaskStart(const TaskStart&) = delete;
  TaskStart& operator=(const TaskStart&) = delete;
  ~TaskStart();
  explicit operator bool() const noexcept { return root_ != nullptr; }
  Context& context() const noexcept;  // lasts as long as the task
  const Next& kept(const Next& next) const noexcept;  // so does this copy
  void run(Resumable& first, const TaskCalls& calls) noexcept;

 private:
  TaskRoot* root_;
};

// The same for a connection: its task ends with it. `bytes` of what the peer has sent are kept for it, and count against
// AppOptions::receive_budget_bytes. Where that is spent, or memory is out, the connection is closed.
class SocketTaskStart {
 public:
  SocketTaskStart(const WebSocket& ws, size_t bytes) noexcept;
  SocketTaskStart(const SocketTaskStart&) = delete;
  SocketTaskStart& operator=(const SocketTaskStart&) = delete;
  ~SocketTaskStart();
  explicit operator bool() const noexcept { return root_ != nullptr; }
  void run(Resumable& first, const TaskCalls& calls) noexcept;

 private:
  TaskRoot* root_;
};
void no_memory_for(const WebSocket& ws) noexcept;
// Its peer is to speak before it goes on: reading is not to wait for it.
void awaits_peer(TaskRoot& root, bool awaits) noexcept;
uint32_t worker_number_of(const TaskRoot& root) noexcept;
// Now when this is its thread, else by mail.
void resume_on_worker(uint32_t worker, Function<void()> fn) noexcept;

// The loop that resumes coroutines, one after the other, so that none does it inside another one.
void go_on(Resumable& resumable, void (*resume)(void*)) noexcept;
void root_ended(TaskRoot& root) noexcept;
TaskRoot* current_root() noexcept;
// What waits deepest in this task may be destroyed: it sleeps, or has offloaded what no thread has begun with, which is taken back.
bool may_leave(TaskRoot& root) noexcept;
[[noreturn]] void no_task(const char* what) noexcept;

// What tasks wait for.
TimerId begin_sleep(Resumable& sleeper, milliseconds time) noexcept;
void end_sleep(TaskRoot& root, TimerId timer) noexcept;
void await_answer(Resumable& waiting, const Next& next) noexcept;
bool body_is_coming(const Request& req) noexcept;
void await_body(Resumable& waiting, const Request& req) noexcept;

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

inline void resume_frame(void* frame) { std::coroutine_handle<>::from_address(frame).resume(); }
inline void destroy_frame(void* frame) { std::coroutine_handle<>::from_address(frame).destroy(); }

struct TaskPromiseBase {
  TaskPromiseBase() noexcept = default;
  TaskPromiseBase(const TaskPromiseBase&) = delete;
  TaskPromiseBase& operator=(const TaskPromiseBase&) = delete;

  // Ended: whoever awaits it goes on, or what started it is told.
  struct Ended {
    bool await_ready() const noexcept { return false; }
    template <typename P>
    void await_suspend(std::coroutine_handle<P> ended) const noexcept {
      TaskPromiseBase& promise = ended.promise();
      promise.awaiting ? go_on(*promise.awaiting, resume_frame) : root_ended(*promise.self.root);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Ended final_suspend() const noexcept { return {}; }
  MARTLET_THUNK void unhandled_exception() noexcept { thrown = std::current_exception(); }
  MARTLET_THUNK void rethrow() const {
    if (thrown) std::rethrow_exception(thrown);
  }

  Resumable self = {};
  Resumable* awaiting = nullptr;
  std::exception_ptr thrown = nullptr;
};

template <typename P>
TaskRoot* root_of(std::coroutine_handle<P> coroutine) noexcept {
  if constexpr (std::is_base_of_v<TaskPromiseBase, P>) {
    return coroutine.promise().self.root;
  } else {
    return current_root();  // a coroutine of the program's own that a task awaits
  }
}

// Something that a task waits for. It stays where it is, in the frame of who waits.
class Waiting {
 public:
  Waiting() noexcept = default;
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 protected:
  template <typename P>
  Resumable& waits(std::coroutine_handle<P> coroutine) noexcept {
    self_.frame = coroutine.address();
    self_.root = root_of(coroutine);
    return self_;
  }
  Resumable self_ = {};
};

#endif

}  // namespace detail

}  // namespace martlet
