// See step_tasks.h. In order: what becomes of a step's task, what an exchange tells its tasks, how they begin, what they wait for.
#include "http/step_tasks.h"

#include <utility>

#include "net/reactor.h"
#include "session/answer_fields.h"
#include "session/http_session.h"
#include "session/origin.h"

namespace martlet {

using detail::Resumable;
using detail::TaskRoot;
using worker::Awaits;
using worker::Due;

namespace http {

namespace {

StepTask& step_of(TaskRoot& root) noexcept { return static_cast<StepTask&>(root); }
const StepTask& step_of(const TaskRoot& root) noexcept { return static_cast<const StepTask&>(root); }
StepTask& step_of(session::ExchangeTask& task) noexcept { return static_cast<StepTask&>(task); }

bool is_over(const session::Exchange& e) noexcept { return e.flags.responded || e.flags.upgraded; }

// What becomes of it ------------------------------------------------------------------------------------------------------

// Its connection ends in this turn, before the answer: it does not go on, and is destroyed when that is reaped.
bool is_lost(const TaskRoot& root) noexcept {
  const session::Exchange& e = step_of(root).exchange;
  return !is_over(e) && e.connection->closing;
}

const std::string& pattern_of(const TaskRoot& root) noexcept {
  return static_cast<const routing::Chain*>(step_of(root).exchange.route)->pattern;
}

routing::RoutedWorker& worker_of(const TaskRoot& root) noexcept { return static_cast<routing::RoutedWorker&>(root.part.worker); }

void ended(TaskRoot& root, bool good) noexcept {
  const StepTask& step = step_of(root);
  session::Exchange& e = step.exchange;
  if (!good || (step.is_handler && !e.flags.deferred)) routing::task_ended(worker_of(root), e, good);
}

void run_next(TaskRoot& root) noexcept {
  const session::Exchange& e = step_of(root).exchange;
  const Next next = *step_of(root).next_step;
  next();
  if (is_over(e) && (e.flags.settled || e.is_kept())) root.part.wake(root);  // it came too late for the chain
}

void refused(TaskRoot& root) noexcept {
  session::Exchange& e = step_of(root).exchange;
  const bool owes = !is_over(e);  // then the connection has it still
  root.part.destroy(root);
  if (owes) e.response.fail(503, "Too much is being worked on.");
}

// The exchange has one less; without any it is given back, unless the WebSocket that it has become wants it.
void forget(TaskRoot& root) noexcept {
  worker::Worker& w = root.part.worker;
  session::Exchange& e = step_of(root).exchange;
  session::ExchangeTask** link = &e.tasks;
  while (*link != &step_of(root)) link = &(*link)->next;
  *link = step_of(root).ExchangeTask::next;
  w.parts.find<StepTasks>()->roots.give_back(&step_of(root));
  if (e.tasks || !e.is_kept()) return;
  w.owed--;
  if (!e.keeper.generation) session::release_exchange(e);
}

constexpr detail::TaskOwner kStep{is_lost, pattern_of, ended, [](TaskRoot& root) noexcept { return &step_of(root).exchange.response; },
                                  refused, run_next, forget};

// What an exchange tells its tasks ----------------------------------------------------------------------------------------

// fn(task) for each, the newest first; it may end it.
template <typename F>
void for_each_task(session::Exchange& e, F fn) noexcept {
  session::ExchangeTask* next;
  for (session::ExchangeTask* task = e.tasks; task; task = next) {
    next = task->next;
    fn(step_of(*task));
  }
}

// Those that wait for it go on, and who waits for a body that nobody will take does not.
void answered(session::Exchange& e) noexcept {
  for_each_task(e, [](StepTask& task) {
    if (task.awaits == Awaits::body) return task.part.destroy(task);
    if (task.awaits == Awaits::answer && task.due != Due::next) task.part.wake(task);
  });
}

bool let_go(session::Exchange& e) noexcept {
  if (e.is_kept()) return true;
  worker::Worker& w = step_of(*e.tasks).part.worker;
  if (is_over(e)) {
    answered(e);
  } else {
    e.flags.responded = e.flags.settled = true;  // what they say when they are destroyed, now or later, is for nobody
    for_each_task(e, [](StepTask& task) { task.part.destroy(task); });
  }
  if (!e.tasks) return false;
  // Who the client was is known by the connection: what proxies say of it is found out while that is there.
  if (const session::OriginFinder* finder = e.sessions->origins) finder->find(finder->context, e);
  w.owed++;
  e.connection = &session::Exchange::nobody;
  return true;
}

void body_is_whole(session::Exchange& e) noexcept {
  for_each_task(e, [](StepTask& task) {
    if (task.awaits == Awaits::body) task.part.wake(task);
  });
}

constexpr session::ExchangeTask::Hooks kExchangeHooks{let_go, answered, body_is_whole};

// How they begin ----------------------------------------------------------------------------------------------------------

// Null when memory is out.
StepTask* hold(session::Exchange& e) noexcept {
  auto& w = *static_cast<routing::RoutedWorker*>(e.sessions->http.context);
  auto* tasks = w.parts.find_or_add<worker::Tasks>(w);
  auto* part = tasks ? w.parts.find_or_add<StepTasks>(w) : nullptr;
  return part && session::detach_exchange(e) ? part->roots.take(*tasks, e) : nullptr;
}

}  // namespace

const worker::PartHooks StepTasks::kHooks = {};

StepTask::StepTask(worker::Tasks& p, session::Exchange& e) noexcept
    : TaskRoot(p, kStep), ExchangeTask(kExchangeHooks), exchange(e), context{e.request, e.response} {
  if (e.is_kept() && !e.tasks) p.worker.owed++;  // by a WebSocket's steps: let_go() has been
  connection = e.is_kept() ? e.keeper : e.connection->id();
  ExchangeTask::next = e.tasks;
  e.tasks = this;
  e.flags.owns_more = true;
}

}  // namespace http

namespace detail {

TaskStart::TaskStart(Request& req, Response& res) noexcept : root_(http::hold(*session::Exchange::of(req))) {
  if (!root_ && !session::is_answered(*session::Exchange::of(req))) res.status(503).send("Out of memory.");
}

TaskStart::~TaskStart() {
  if (root_) root_->part.remove(*root_);
}

Context& TaskStart::context() const noexcept { return http::step_of(*root_).context; }

const Next& TaskStart::kept(const Next& next) const noexcept { return http::step_of(*root_).own_next.emplace(next); }

void TaskStart::run(Resumable& first, const TaskCalls& calls) noexcept {
  TaskRoot& root = *std::exchange(root_, nullptr);
  http::step_of(root).is_handler = calls.is_handler;
  worker::Tasks::begin(root, first, calls);
}

HeldRequest::HeldRequest(Request& req) noexcept : request_(&req), root_(http::hold(*session::Exchange::of(req))) {}

HeldRequest::~HeldRequest() {
  if (root_) root_->part.remove(*root_);
}

// What they wait for ------------------------------------------------------------------------------------------------------

void await_answer(Resumable& waiting, const Next& next) noexcept {
  TaskRoot& root = needed(waiting);
  root.waiting = &waiting;
  if (&root.owner != &http::kStep) {  // what comes after a WebSocket's step has no answer: it goes on behind what that begins
    next();
    return root.part.wake(root);
  }
  root.awaits = Awaits::answer;
  http::step_of(root).next_step.emplace(next);
  worker::note_due(root, Due::next);
}

// One that is passed over, or has been, will not be there.
bool body_is_coming(const Request& req) noexcept {
  const session::Exchange::Flags& flags = session::Exchange::of(req)->flags;
  return flags.body_coming || flags.settled;
}

void await_body(Resumable& waiting, const Request& req) noexcept {
  TaskRoot& root = needed(waiting);
  session::Exchange& e = *session::Exchange::of(req);
  if (&root.owner != &http::kStep || &http::step_of(root).exchange != &e) no_task("the body of another request is awaited");
  root.awaits = Awaits::body;
  root.waiting = &waiting;
  if (http::is_over(e) || e.flags.refused) return worker::note_due(root, Due::destroyed);  // it will not be whole
  if (!e.flags.in_handler) return session::want_body(e);
  e.flags.wants_body = true;
}

}  // namespace detail

}  // namespace martlet
