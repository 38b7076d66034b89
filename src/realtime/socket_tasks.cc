// See socket_tasks.h. In order: how many a connection may have, what becomes of one, how they begin, waiting for an answer.
#include "realtime/socket_tasks.h"

#include <algorithm>
#include <utility>

#include "realtime/connection_slots.h"
#include "realtime/events.h"
#include "realtime/listeners.h"
#include "realtime/time_limits.h"
#include "session/ws_session.h"

namespace martlet {

using detail::TaskRoot;

namespace realtime {

namespace {

SocketTask& socket_of(TaskRoot& root) noexcept { return static_cast<SocketTask&>(root); }
const SocketTask& socket_of(const TaskRoot& root) noexcept { return static_cast<const SocketTask&>(root); }
RealtimeWorker& worker_of(const TaskRoot& root) noexcept { return realtime_of(root.part.worker); }
net::Connection* connection_of(const SocketTask& task) noexcept {
  return task.is_free ? nullptr : worker_of(task).websocket(MessageAccess::id(task.ws));
}

// How many ----------------------------------------------------------------------------------------------------------------

// A peer whose messages take long is read no further when so many are at work: that bounds what it can make us hold. Once a
// Close was said, nobody is told of what it sends: it is read for its answer.
void begin_working(SocketTask& task, net::Connection& c, TasksOfSocket& own) noexcept {
  if (std::exchange(task.works, true)) return;
  if (++own.working != kMaxSocketTasks || c.state<session::WsState>().ready != ReadyState::open) return;
  worker_of(task).reactor.pause(c, net::kPauseTasks);
}

void stop_working(SocketTask& task, net::Connection& c, TasksOfSocket& own) noexcept {
  if (!std::exchange(task.works, false)) return;
  RealtimeWorker& w = worker_of(task);
  if (--own.working != kMaxSocketTasks / 2 || !(c.pause & net::kPauseTasks)) return;
  note_data(w, route_of(c), c);  // its silence was ours
  session::resume_websocket(w.sessions, c, net::kPauseTasks);
}

// What becomes of it ------------------------------------------------------------------------------------------------------

bool is_lost(const TaskRoot& root) noexcept {
  const net::Connection* c = connection_of(socket_of(root));
  return c && c->closing;
}

const std::string& pattern_of(const TaskRoot& root) noexcept {
  const WsRouteEntry* route = socket_of(root).route;
  return route ? route->pattern : RealtimeWorker::kPost;
}

void ended(TaskRoot& root, bool good) noexcept {
  if (good) return;
  RealtimeWorker& w = worker_of(root);
  w.report_failure(pattern_of(root), socket_of(root).ws, RealtimeWorker::Then::closes);
  if (net::Connection* c = connection_of(socket_of(root))) session::handler_failed(w.sessions, *c);
}

void refused(TaskRoot& root) noexcept {
  const WebSocket ws = socket_of(root).ws;
  root.part.destroy(root);
  ws.close(CloseCode::try_again, "Too much is being worked on");
}

void run_next(TaskRoot&) noexcept {}  // never due: see await_answer()

void be_free(SocketTask& task) noexcept {
  task.is_free = true;
  task.part.worker.owed++;
}

void forget(TaskRoot& root) noexcept {
  SocketTask& task = socket_of(root);
  RealtimeWorker& w = worker_of(root);
  if (task.is_free) {
    w.owed--;
  } else {
    net::Connection& c = *connection_of(task);
    base::IntrusiveList<SocketHook>::unlink(&task);
    stop_working(task, c, *find_slot<TasksOfSocket>(c));
  }
  w.sessions.receiving_bytes -= task.bytes;
  w.parts.find<SocketTasks>()->roots.give_back(&task);
}

constexpr detail::TaskOwner kSocket{is_lost, pattern_of, ended, [](TaskRoot&) noexcept -> Response* { return nullptr; }, refused, run_next, forget};

void connection_ended(worker::Part&, net::Connection& c, const CloseInfo&) {
  auto* own = find_slot<TasksOfSocket>(c);
  while (SocketHook* hook = own ? own->list.pop_front() : nullptr) {
    auto& task = static_cast<SocketTask&>(*hook);
    be_free(task);
    task.part.destroy(task);
  }
}

// How they begin ----------------------------------------------------------------------------------------------------------

// False when memory is out.
bool take_up(net::Connection& c, SocketTask& task) noexcept {
  auto* own = slot_for<TasksOfSocket>(c);
  if (!own) return false;
  own->list.push_back(&task);
  begin_working(task, c, *own);
  return true;
}

// Null when memory is out, or the budget.
SocketTask* make(RealtimeWorker& w, const WebSocket& ws, net::Connection* c, size_t bytes) noexcept {
  if (bytes > w.sessions.limits.receive_budget_bytes - std::min(w.sessions.limits.receive_budget_bytes, w.sessions.receiving_bytes)) return nullptr;
  auto* tasks = w.parts.find_or_add<worker::Tasks>(w);
  auto* part = tasks ? w.parts.find_or_add<SocketTasks>(w) : nullptr;
  SocketTask* task = part ? part->roots.take(*tasks, ws, c ? &route_of(*c) : nullptr) : nullptr;
  if (!task) return nullptr;
  w.sessions.receiving_bytes += task->bytes = bytes;
  const bool has_ended = !c || c->state<session::WsState>().ready == ReadyState::closed;
  if (!has_ended && take_up(*c, *task)) return task;
  be_free(*task);
  if (has_ended) return task;
  task->part.remove(*task);
  return nullptr;
}

}  // namespace

const worker::PartHooks SocketTasks::kHooks = {.closed = connection_ended};

SocketTask::SocketTask(worker::Tasks& p, const WebSocket& of, WsRouteEntry* r) noexcept : TaskRoot(p, kSocket), ws(of), route(r) {}

}  // namespace realtime

namespace detail {

SocketTaskStart::SocketTaskStart(const WebSocket& ws, size_t bytes) noexcept : root_(nullptr) {
  realtime::RealtimeWorker* w = realtime::here(MessageAccess::worker(ws));
  if (!w) return;
  net::Connection* c = w->websocket(MessageAccess::id(ws));
  root_ = realtime::make(*w, ws, c, bytes);
  if (!root_ && c) realtime::no_memory(*w, *c);
}

SocketTaskStart::~SocketTaskStart() {
  if (root_) root_->part.remove(*root_);
}

void SocketTaskStart::run(Resumable& first, const TaskCalls& calls) noexcept {
  worker::Tasks::begin(*std::exchange(root_, nullptr), first, calls);
}

void no_memory_for(const WebSocket& ws) noexcept {
  realtime::RealtimeWorker* w = realtime::here(MessageAccess::worker(ws));
  net::Connection* c = w ? w->websocket(MessageAccess::id(ws)) : nullptr;
  if (c) realtime::no_memory(*w, *c);
}

// Waiting for an answer ---------------------------------------------------------------------------------------------------

// While it waits for a peer, its own or another one, it is not at work: else two could wait for what is not read of each other.
void awaits_peer(TaskRoot& root, bool awaits) noexcept {
  if (&root.owner != &realtime::kSocket) return;
  realtime::SocketTask& task = realtime::socket_of(root);
  net::Connection* c = realtime::connection_of(task);
  auto* own = c ? realtime::find_slot<realtime::TasksOfSocket>(*c) : nullptr;
  if (own) awaits ? realtime::stop_working(task, *c, *own) : realtime::begin_working(task, *c, *own);
}

void resume_on_worker(uint32_t worker, Function<void()> fn) noexcept {
  if (realtime::here(worker)) return void(fn());
  realtime::post_to(worker, [fn = std::move(fn)](realtime::RealtimeWorker&) mutable { fn(); });
}

}  // namespace detail

KeptMessage::KeptMessage(const Message& message) noexcept : KeptMessage(message.share()) {}
KeptMessage::KeptMessage(SharedFrame&& frame) noexcept
    : frame_(std::move(frame)),
      message_(const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(frame_.payload().data())), frame_.payload().size(), frame_.is_text(),
               MessageAccess::block(frame_)) {}

KeptFragment::KeptFragment(const Fragment& fragment) noexcept
    : KeptFragment(SharedFrame::binary(fragment.bytes()), fragment.is_text(), fragment.is_first(), fragment.is_last()) {}
KeptFragment::KeptFragment(SharedFrame&& frame, bool is_text, bool is_first, bool is_last) noexcept
    : frame_(std::move(frame)),
      fragment_(reinterpret_cast<const uint8_t*>(frame_.payload().data()), frame_.payload().size(), is_text, is_first, is_last) {}

}  // namespace martlet
