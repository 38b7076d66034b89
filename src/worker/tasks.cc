// See tasks.h. In order: the loop, the beginning and end of a task, sleeping.
#include "worker/tasks.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "net/reactor.h"
#include "worker/orders.h"

namespace martlet {

using detail::Resumable;
using detail::TaskRoot;

namespace worker {

namespace {

// The loop --------------------------------------------------------------------------------------------------------------

struct Runner {
  Worker* worker;
  void (*resume)(void*);
  TaskRoot* root = nullptr;  // whose coroutine runs
  Resumable* list = nullptr;
  TaskRoot* due = nullptr;

  void push(Resumable& r) noexcept {
    r.next = list;
    list = &r;
  }
  void push_due(TaskRoot& r) noexcept {
    r.next_due = due;
    due = &r;
  }
  void run() noexcept;
};
thread_local constinit Runner* runner = nullptr;

// The loop that is on the stack, unless it is another worker's: a callback may turn another App.
Runner* running(const Worker* w) noexcept { return runner && (!w || runner->worker == w) ? runner : nullptr; }

// The coroutine may be gone afterwards, and the root with it.
void look_at(TaskRoot& r) noexcept {
  switch (std::exchange(r.due, Due::nothing)) {
    case Due::nothing: return;
    case Due::next: return r.owner.next(r);
    case Due::destroyed: return r.part.destroy(r);
    case Due::refused: return r.owner.refused(r);
    case Due::ended: {
      const bool good = r.calls.finish(r.frame, r.owner.response(r));
      r.calls.destroy(std::exchange(r.frame, nullptr));
      r.owner.ended(r, good);
      return r.part.remove(r);
    }
  }
}

void Runner::run() noexcept {
  Runner* const outer = runner;
  runner = this;
  while (list || due) {
    if (TaskRoot* r = due) {
      due = r->next_due;
      look_at(*r);
      continue;
    }
    Resumable& r = *list;
    list = r.next;
    root = r.root;
    if (root && root->owner.is_lost(*root)) continue;
    if (root) root->part.worker.note_call(root->owner.pattern(*root));
    resume(r.frame);
    root = nullptr;
  }
  runner = outer;
}

}  // namespace

void note_due(TaskRoot& root, Due due) noexcept {
  root.due = due;
  if (Runner* active = running(&root.part.worker)) return active->push_due(root);
  Runner own{&root.part.worker, root.calls.resume};  // something of the program's own has resumed it
  own.push_due(root);
  own.run();
}

// Beginning and end -------------------------------------------------------------------------------------------------------

const PartHooks Tasks::kHooks = {.worker_ends = [](Part& self) { static_cast<Tasks&>(self).end_all(); }};

Tasks::Tasks(Worker& w) noexcept : Part(w) {
  wake_mail.run = [](net::Mail*, void* of) { static_cast<Worker*>(of)->parts.find<Tasks>()->run_woken(); };
  wake_mail.drop = [](net::Mail*) {};
}

void Tasks::begin(TaskRoot& root, Resumable& first, const detail::TaskCalls& calls) noexcept {
  root.frame = first.frame;
  root.calls = calls;
  root.part.all.push_back(&root);
  first.root = &root;
  detail::go_on(first, calls.resume);
}

void Tasks::wake(TaskRoot& root) noexcept {
  if (static_cast<WokenHook&>(root).linked()) return;
  woken.push_back(&root);
  if (!std::exchange(wake_posted, true)) post_mail(worker.number, &wake_mail);
}

void Tasks::run_woken() noexcept {
  wake_posted = false;
  while (WokenHook* hook = woken.pop_front()) {
    auto& root = static_cast<TaskRoot&>(*hook);
    root.awaits = Awaits::nothing;
    detail::go_on(*std::exchange(root.waiting, nullptr), root.calls.resume);
  }
}

void Tasks::destroy(TaskRoot& root) noexcept {
  if (root.job && !offloading->take_back(*root.job)) return void(root.destroyed_later = true);
  if (root.frame) root.calls.destroy(std::exchange(root.frame, nullptr));
  remove(root);
}

void Tasks::remove(TaskRoot& root) noexcept {
  if (static_cast<AllHook&>(root).linked()) base::IntrusiveList<AllHook>::unlink(&root);
  if (static_cast<WokenHook&>(root).linked()) base::IntrusiveList<WokenHook>::unlink(&root);
  root.owner.forget(root);
}

// The connections are gone. Destructors wait for what has been offloaded.
void Tasks::end_all() noexcept {
  while (AllHook* hook = all.front()) {
    auto& root = static_cast<TaskRoot&>(*hook);
    if (root.frame) root.calls.destroy(std::exchange(root.frame, nullptr));
    remove(root);
  }
  if (offloading) offloading->end(*this);
}

}  // namespace worker

namespace detail {

TaskRoot::TaskRoot(worker::Tasks& p, const TaskOwner& o) noexcept : part(p), owner(o) {}

TaskRoot& needed(const Resumable& waiting) noexcept {
  if (!waiting.root) no_task("sleep(), offload() and the like are awaited by the tasks of steps and of WebSockets only");
  return *waiting.root;
}

void go_on(Resumable& resumable, void (*resume)(void*)) noexcept {
  worker::Worker* w = resumable.root ? &resumable.root->part.worker : nullptr;
  if (worker::Runner* active = worker::running(w)) return active->push(resumable);
  worker::Runner own{w, resume};
  own.push(resumable);
  own.run();
}

void root_ended(TaskRoot& root) noexcept { worker::note_due(root, worker::Due::ended); }

TaskRoot* current_root() noexcept { return worker::runner ? worker::runner->root : nullptr; }

bool may_leave(TaskRoot& root) noexcept {
  if (root.waiting) return false;  // it is known to who wakes it
  return !root.job || root.part.offloading->take_back(*root.job);
}

uint32_t worker_number_of(const TaskRoot& root) noexcept { return root.part.worker.number; }

void no_task(const char* what) noexcept {
  std::fprintf(stderr, "martlet: %s\n", what);
  std::abort();
}

// Sleeping ----------------------------------------------------------------------------------------------------------------

TimerId begin_sleep(Resumable& sleeper, milliseconds time) noexcept {
  net::Reactor& reactor = needed(sleeper).part.worker.reactor;
  const auto wakes = [](void* context) {
    auto& r = *static_cast<Resumable*>(context);
    go_on(r, r.root->calls.resume);
  };
  const auto id = reactor.timers.after(reactor.now_ns(), time.count() < 0 ? 0 : static_cast<uint64_t>(time.count()), {wakes, nullptr, &sleeper});
  if (!id.generation) go_on(sleeper, sleeper.root->calls.resume);
  return {id.slot, id.generation};
}

void end_sleep(TaskRoot& root, TimerId timer) noexcept { root.part.worker.reactor.timers.cancel({timer.index, timer.generation}); }

}  // namespace detail

}  // namespace martlet
