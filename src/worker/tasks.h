// The tasks of a worker: coroutines of task.h, begun by a step of a request (http/step_tasks.h) or by a handler of a
// WebSocket (realtime/socket_tasks.h), each for its owner. A part, so that programs without coroutines have none of it.
// The coroutines are known by their frames only: nothing here is a coroutine itself.
//
// A task is resumed by a loop that is on the stack once (Runner, in tasks.cc): whatever is to go on meanwhile waits in its
// list, so that no coroutine is resumed inside another one, and a chain of them needs no stack. Whom an owner wakes goes on
// by mail, as no call of the API runs the program's code before it returns.
//
// A task ends in one of three ways: it returns; its owner goes, and it is destroyed where it waits; or its worker ends. The
// second waits for a call that the task has offloaded, as that may use what lies in the frame.
// The worker's thread, but for what offload.h says.
#pragma once

#include <martlet/task.h>

#include <string>

#include "base/intrusive_list.h"
#include "net/mailbox.h"
#include "worker/parts.h"
#include "worker/worker.h"

namespace martlet {

namespace worker {

struct Tasks;

// What a step waits for that its exchange knows of.
enum class Awaits : uint8_t { nothing, answer, body };
// What the loop is to do with a task that has suspended.
enum class Due : uint8_t { nothing, next, ended, destroyed, refused };

struct AllHook : base::ListHook {};
struct WokenHook : base::ListHook {};

}  // namespace worker

namespace detail {

// What those do with a task who know whose it is.
struct TaskOwner {
  // It does not go on, as its owner is about to end and to destroy it.
  bool (*is_lost)(const TaskRoot& root) noexcept;
  // What a watchdog is told of it.
  const std::string& (*pattern)(const TaskRoot& root) noexcept;
  // Has returned, or thrown (`good` is false), and its frame is gone.
  void (*ended)(TaskRoot& root, bool good) noexcept;
  // Where finish() puts the result.
  Response* (*response)(TaskRoot& root) noexcept;
  // What it was to offload was too much.
  void (*refused)(TaskRoot& root) noexcept;
  // co_await next.
  void (*next)(TaskRoot& root) noexcept;
  // It is over: its owner forgets it, and its memory is given back.
  void (*forget)(TaskRoot& root) noexcept;
};

struct TaskRoot : worker::AllHook, worker::WokenHook {
  TaskRoot(worker::Tasks& p, const TaskOwner& o) noexcept;

  worker::Tasks& part;
  const TaskOwner& owner;
  TaskCalls calls{};
  void* frame = nullptr;  // null until it runs, and when it is destroyed
  worker::Awaits awaits = worker::Awaits::nothing;
  worker::Due due = worker::Due::nothing;
  bool destroyed_later = false;   // when what it has offloaded is back
  Resumable* waiting = nullptr;   // what goes on when it is woken
  TaskRoot* next_due = nullptr;
  OffloadJob* job = nullptr;
};

// The root of what waits; the program is wrong where there is none.
TaskRoot& needed(const Resumable& waiting) noexcept;

}  // namespace detail

namespace worker {

struct Tasks final : Part {
  explicit Tasks(Worker& w) noexcept;
  static constexpr PartKey kKey{};
  static const PartHooks kHooks;

  // Its first coroutine begins.
  static void begin(detail::TaskRoot& root, detail::Resumable& first, const detail::TaskCalls& calls) noexcept;
  // It goes on in this turn or the next one.
  void wake(detail::TaskRoot& root) noexcept;
  void run_woken() noexcept;
  // Ends it where it waits: at once, or when what it has offloaded is back.
  void destroy(detail::TaskRoot& root) noexcept;
  // It has ended.
  void remove(detail::TaskRoot& root) noexcept;
  void end_all() noexcept;

  base::IntrusiveList<AllHook> all;  // that have run; another one is removed by who holds it, which may be a frame of one of these
  base::IntrusiveList<WokenHook> woken;
  net::Mail wake_mail;
  bool wake_posted = false;

  // Of offload.cc, once there was something to offload. The list and the flag are under the pool's mutex.
  struct Offloading {
    bool (*take_back)(detail::OffloadJob& job) noexcept;  // one that has not begun
    void (*end)(Tasks& part) noexcept;
  };
  const Offloading* offloading = nullptr;
  detail::OffloadPool* pool = nullptr;
  detail::OffloadJob* returned = nullptr;
  detail::OffloadJob* returned_last = nullptr;
  net::Mail returned_mail;
  bool returned_posted = false;
};

// The loop is to do this with a task that has suspended.
void note_due(detail::TaskRoot& root, Due due) noexcept;

}  // namespace worker
}  // namespace martlet
