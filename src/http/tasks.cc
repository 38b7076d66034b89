// See tasks.h. In order: the loop, the beginning and end of a task, what an exchange tells its tasks, what they wait for.
#include "http/tasks.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/limits.h"
#include "net/reactor.h"
#include "session/answer_fields.h"
#include "session/http_session.h"
#include "session/origin.h"
#include "worker/orders.h"

namespace martlet {

using detail::Resumable;
using detail::TaskRoot;

namespace http {

namespace {

// The loop --------------------------------------------------------------------------------------------------------------

const std::string& pattern_of(const TaskRoot& root) noexcept {
  return static_cast<const routing::Chain*>(root.exchange.route)->pattern;
}

bool is_over(const session::Exchange& e) noexcept { return e.flags.responded || e.flags.upgraded; }

// Its connection ends in this turn, before the answer: it does not go on, and is destroyed when that is reaped.
bool is_lost(const TaskRoot& root) noexcept { return !is_over(root.exchange) && root.exchange.connection->closing; }

struct Runner {
  worker::Worker* worker;
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
  void look_at(TaskRoot& r) noexcept;
};
thread_local constinit Runner* runner = nullptr;

// The loop that is on the stack, unless it is another worker's: a callback may turn another App.
Runner* running(const worker::Worker* w) noexcept { return runner && (!w || runner->worker == w) ? runner : nullptr; }

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
    if (root && is_lost(*root)) continue;
    if (root) root->part.worker.note_call(pattern_of(*root));
    resume(r.frame);
    root = nullptr;
  }
  runner = outer;
}

// What a coroutine wants done that has suspended. The coroutine may be gone afterwards, and the root with it.
void Runner::look_at(TaskRoot& r) noexcept {
  Tasks& part = r.part;
  session::Exchange& e = r.exchange;
  switch (std::exchange(r.due, Due::nothing)) {
    case Due::nothing: return;
    case Due::next: {
      const Next next = *r.next_step;
      next();
      if (is_over(e) && (e.flags.settled || e.is_kept())) part.wake(r);  // it came too late for the chain
      return;
    }
    case Due::destroyed: return part.destroy(r);
    case Due::refused: return part.offloading->refuse(r);
    case Due::ended: {
      const bool good = r.calls.finish(r.frame, e.response);
      r.calls.destroy(std::exchange(r.frame, nullptr));
      if (!good || (r.is_handler && !e.flags.deferred)) routing::task_ended(part.routed(), e, good);
      return part.remove(r);
    }
  }
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

const worker::PartHooks Tasks::kHooks = {.worker_ends = [](worker::Part& self) { static_cast<Tasks&>(self).end_all(); }};

Tasks::Tasks(worker::Worker& w) noexcept : Part(w) {
  wake_mail.run = [](net::Mail*, void* of) { static_cast<worker::Worker*>(of)->parts.find<Tasks>()->run_woken(); };
  wake_mail.drop = [](net::Mail*) {};
}

void Tasks::wake(TaskRoot& root) noexcept {
  if (static_cast<WokenHook&>(root).linked()) return;
  woken.push_back(&root);
  if (!std::exchange(wake_posted, true)) worker::post_mail(worker.number, &wake_mail);
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
  session::Exchange& e = root.exchange;
  session::ExchangeTask** link = &e.tasks;
  while (*link != &root) link = &(*link)->next;
  *link = static_cast<session::ExchangeTask&>(root).next;
  base::IntrusiveList<AllHook>::unlink(&root);
  if (static_cast<WokenHook&>(root).linked()) base::IntrusiveList<WokenHook>::unlink(&root);
  roots.give_back(&root);
  if (e.tasks || !e.is_kept()) return;
  worker.owed--;
  session::release_exchange(e);
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

namespace {

// What an exchange tells its tasks ----------------------------------------------------------------------------------------

TaskRoot& root_of(session::ExchangeTask& task) noexcept { return static_cast<TaskRoot&>(task); }

// fn(root) for each, the newest first; it may end it.
template <typename F>
void for_each_task(session::Exchange& e, F fn) noexcept {
  session::ExchangeTask* next;
  for (session::ExchangeTask* task = e.tasks; task; task = next) {
    next = task->next;
    fn(root_of(*task));
  }
}

// Those that wait for it go on, and who waits for a body that nobody will take does not.
void answered(session::Exchange& e) noexcept {
  for_each_task(e, [](TaskRoot& root) {
    if (root.awaits == Awaits::body) return root.part.destroy(root);
    if (root.awaits == Awaits::answer && root.due != Due::next) root.part.wake(root);
  });
}

bool let_go(session::Exchange& e) noexcept {
  if (e.is_kept()) return true;
  worker::Worker& w = root_of(*e.tasks).part.worker;
  if (is_over(e)) {
    answered(e);
  } else {
    e.flags.responded = e.flags.settled = true;  // what they say when they are destroyed, now or later, is for nobody
    for_each_task(e, [](TaskRoot& root) { root.part.destroy(root); });
  }
  if (!e.tasks) return false;
  // Who the client was is known by the connection: what proxies say of it is found out while that is there.
  if (const session::OriginFinder* finder = e.sessions->origins) finder->find(finder->context, e);
  w.owed++;
  e.connection = &session::Exchange::nobody;
  return true;
}

void body_is_whole(session::Exchange& e) noexcept {
  for_each_task(e, [](TaskRoot& root) {
    if (root.awaits == Awaits::body) root.part.wake(root);
  });
}

constexpr session::ExchangeTask::Hooks kExchangeHooks{let_go, answered, body_is_whole};

}  // namespace

}  // namespace http

namespace detail {

TaskRoot::TaskRoot(http::Tasks& p, session::Exchange& e) noexcept
    : ExchangeTask(http::kExchangeHooks), part(p), exchange(e), context{e.request, e.response} {
  ExchangeTask::next = e.tasks;
  e.tasks = this;
  e.flags.owns_more = true;
  connection = e.connection->id();
  part.all.push_back(this);
}

TaskStart::TaskStart(Request& req, Response& res) noexcept : root_(nullptr) {
  session::Exchange& e = *session::Exchange::of(req);
  auto& w = *static_cast<routing::RoutedWorker*>(e.sessions->http.context);
  auto* part = w.parts.find_or_add<http::Tasks>(w);
  if (part && session::detach_exchange(e)) root_ = part->roots.take(*part, e);
  if (!root_ && !session::is_answered(e)) res.status(503).send("Out of memory.");
}

TaskStart::~TaskStart() {
  if (root_) root_->part.remove(*root_);
}

Context& TaskStart::context() const noexcept { return root_->context; }

void TaskStart::run(Resumable& first, const TaskCalls& calls) noexcept {
  TaskRoot& root = *std::exchange(root_, nullptr);
  root.frame = first.frame;
  root.calls = calls;
  root.is_handler = calls.is_handler;
  first.root = &root;
  go_on(first, calls.resume);
}

void go_on(Resumable& resumable, void (*resume)(void*)) noexcept {
  worker::Worker* w = resumable.root ? &resumable.root->part.worker : nullptr;
  if (http::Runner* active = http::running(w)) return active->push(resumable);
  http::Runner own{w, resume};
  own.push(resumable);
  own.run();
}

void root_ended(TaskRoot& root) noexcept { http::note_due(root, http::Due::ended); }

TaskRoot* current_root() noexcept { return http::runner ? http::runner->root : nullptr; }

void no_task(const char* what) noexcept {
  std::fprintf(stderr, "martlet: %s\n", what);
  std::abort();
}

// What they wait for ------------------------------------------------------------------------------------------------------

namespace {

TaskRoot& needed(const Resumable& waiting) noexcept {
  if (!waiting.root) no_task("sleep(), offload() and the like are awaited by the tasks of steps only");
  return *waiting.root;
}

}  // namespace

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

void await_answer(Resumable& waiting, const Next& next) noexcept {
  TaskRoot& root = needed(waiting);
  root.awaits = http::Awaits::answer;
  root.waiting = &waiting;
  root.next_step.emplace(next);
  http::note_due(root, http::Due::next);
}

// One that is passed over, or has been, will not be there.
bool body_is_coming(const Request& req) noexcept {
  const session::Exchange::Flags& flags = session::Exchange::of(req)->flags;
  return flags.body_coming || flags.settled;
}

void await_body(Resumable& waiting, const Request& req) noexcept {
  TaskRoot& root = needed(waiting);
  session::Exchange& e = root.exchange;
  if (&e != session::Exchange::of(req)) no_task("the body of another request is awaited");
  root.awaits = http::Awaits::body;
  root.waiting = &waiting;
  if (http::is_over(e) || e.flags.refused) return http::note_due(root, http::Due::destroyed);  // it will not be whole
  if (!e.flags.in_handler) return session::want_body(e);
  e.flags.wants_body = true;
}

}  // namespace detail

}  // namespace martlet
