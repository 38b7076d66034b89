// The tasks of a worker's steps: coroutines of task.h that hold an exchange until they end. A part, so that programs
// without coroutines have none of it. The coroutines are known by their frames only: nothing here is a coroutine itself.
//
// A task is resumed by a loop that is on the stack once (Runner, in tasks.cc): whatever is to go on meanwhile waits in its
// list, so that no coroutine is resumed inside another one, and a chain of them needs no stack. A task whose request was
// answered goes on by mail, as no call of the API runs the program's code before it returns.
//
// A task ends in one of three ways: it returns; its exchange goes without an answer, and it is destroyed where it waits; or
// its worker ends. The second waits for a call that the task has offloaded, as that may use what lies in the frame.
// The worker's thread, but for what offload.h says.
#pragma once

#include <martlet/task.h>

#include <optional>

#include "base/intrusive_list.h"
#include "base/node_pool.h"
#include "net/mailbox.h"
#include "routing/routes.h"
#include "session/exchange.h"
#include "worker/parts.h"

namespace martlet {

namespace http {

struct Tasks;

enum class Awaits : uint8_t { nothing, answer, body };
// What the loop is to do with a task that has suspended.
enum class Due : uint8_t { nothing, next, ended, destroyed, refused };

struct AllHook : base::ListHook {};
struct WokenHook : base::ListHook {};

}  // namespace http

namespace detail {

struct TaskRoot final : session::ExchangeTask, http::AllHook, http::WokenHook {
  TaskRoot(http::Tasks& p, session::Exchange& e) noexcept;

  http::Tasks& part;
  session::Exchange& exchange;
  Context context;
  TaskCalls calls{};
  void* frame = nullptr;  // null until it runs, and when it is destroyed
  http::Awaits awaits = http::Awaits::nothing;
  http::Due due = http::Due::nothing;
  bool destroyed_later = false;  // when what it has offloaded is back
  Resumable* waiting = nullptr;  // with `awaits`
  std::optional<Next> next_step;  // with Due::next
  TaskRoot* next_due = nullptr;
  OffloadJob* job = nullptr;
};

}  // namespace detail

namespace http {

struct Tasks final : worker::Part {
  explicit Tasks(worker::Worker& w) noexcept;
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  routing::RoutedWorker& routed() const noexcept { return static_cast<routing::RoutedWorker&>(worker); }
  // It goes on in this turn or the next one.
  void wake(detail::TaskRoot& root) noexcept;
  void run_woken() noexcept;
  // Ends it where it waits: at once, or when what it has offloaded is back.
  void destroy(detail::TaskRoot& root) noexcept;
  // It has ended: the exchange has one less.
  void remove(detail::TaskRoot& root) noexcept;
  void end_all() noexcept;

  base::NodePool<detail::TaskRoot> roots;
  base::IntrusiveList<AllHook> all;
  base::IntrusiveList<WokenHook> woken;
  net::Mail wake_mail;
  bool wake_posted = false;

  // Of offload.cc, once there was something to offload. The list and the flag are under the pool's mutex.
  struct Offloading {
    bool (*take_back)(detail::OffloadJob& job) noexcept;  // one that has not begun
    void (*refuse)(detail::TaskRoot& root) noexcept;
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

}  // namespace http
}  // namespace martlet
