// App: the public face of a worker.
#include <martlet/app.h>

#include "app/app_access.h"
#include "base/check.h"
#include "net/worker_registry.h"
#include "realtime/realtime.h"
#include "sys/clock.h"
#include "sys/process.h"

namespace martlet {

struct App::Impl : realtime::RealtimeWorker {
  using RealtimeWorker::RealtimeWorker;
};

realtime::RealtimeWorker& AppAccess::worker(App& app) noexcept { return *app.impl_; }
const realtime::RealtimeWorker& AppAccess::worker(const App& app) noexcept { return *app.impl_; }

uint32_t AppAccess::first(const App& app) noexcept { return app.impl_->first; }
uint32_t App::first_worker() const noexcept { return impl_->first; }

App::App(AppOptions options) : impl_(new Impl(options)) {}
App::~App() { delete impl_; }

// Set-up --------------------------------------------------------------------------------------------------------------

void App::add_use(std::string_view prefix, Step step) { impl_->add_use(prefix, std::move(step), routing::UsePrefix::fixed); }

void App::add_route(std::string_view method, std::string_view path, const RouteOptions& options, Step* steps, size_t count) {
  impl_->add_route(method, path, options, steps, count);
}

void App::add_ws(std::string_view path, WsHandlers&& handlers) {
  auto entry = std::make_unique<realtime::WsRouteEntry>();
  entry->handlers = std::move(handlers);
  impl_->add_ws(path, std::move(entry));
}

void App::add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options) {
  auto entry = std::make_unique<realtime::WsRouteEntry>();
  entry->handlers.options = std::move(options);
  entry->on_open = std::move(on_open);
  impl_->add_ws(path, std::move(entry));
}

App& App::on_error(Function<void(const HandlerFailure&)> handler) {
  MARTLET_CHECK(!impl_->opened && "on_error() after listen()");
  impl_->on_error = std::move(handler);
  return *this;
}

Result<uint16_t> App::listen(uint16_t port) {
  ListenOptions options;
  options.port = port;
  return listen(options);
}

Result<uint16_t> App::listen(std::string_view host, uint16_t port) {
  ListenOptions options;
  options.host = host;
  options.port = port;
  return listen(options);
}

Result<uint16_t> App::listen(const ListenOptions& options) { return impl_->listen(options); }

uint16_t App::port() const noexcept { return impl_->port; }

// Running -------------------------------------------------------------------------------------------------------------

int App::run(RunOptions options) {
  realtime::RealtimeWorker& w = *impl_;
  MARTLET_CHECK(!w.in_turn && "run() inside a callback");
  if (Error error = w.open()) return report(error);
  sys::block_sigpipe();
  if (options.handle_signals) {
    for (const int number : {sys::terminate_signal, sys::interrupt_signal}) {
      if (Error error = w.reactor.watch_signal(number)) return report(error);
    }
  }
  while (!w.over) w.turn(-1);
  return 0;
}

bool App::poll_once(milliseconds timeout) {
  realtime::RealtimeWorker& w = *impl_;
  if (w.over || (!w.opened && w.open())) return false;
  constexpr int64_t kNsPerMs = 1'000'000;
  const int64_t longest = INT64_MAX / kNsPerMs;
  w.turn(timeout.count() < 0 ? -1 : (timeout.count() < longest ? int64_t{timeout.count()} : longest) * kNsPerMs);
  if (!w.over) w.reactor.rest();
  return !w.over;
}

int App::fd() const noexcept { return impl_->reactor.fd(); }

milliseconds App::next_timer() const noexcept {
  const int64_t ns = impl_->reactor.next_timer_ns();
  return milliseconds(ns < 0 ? -1 : (ns + 999'999) / 1'000'000);
}

namespace {

// Of the workers that belong together. Known before anything is posted to them: what it does may end this App.
struct Numbers {
  explicit Numbers(uint32_t number) noexcept : first(number), end(number + net::members_of(number)) {}
  uint32_t first;
  uint32_t end;
};

}  // namespace

void App::drain(DrainOptions options) {
  const Numbers all(impl_->first);
  const worker::DrainRequest request = worker::request_of(options);
  for (uint32_t worker = all.first; worker < all.end; worker++) {
    worker::order_drain(worker, request);
  }
}

void App::close() {
  const Numbers all(impl_->first);
  for (uint32_t worker = all.first; worker < all.end; worker++) {
    worker::order_end(worker);
  }
}

void App::post(Function<void()> fn) {
  realtime::post_to(impl_->number, [fn = std::move(fn)](realtime::RealtimeWorker& w) mutable {
    w.note_call(realtime::RealtimeWorker::kPost);
    if (!fn()) w.report_failure(realtime::RealtimeWorker::kPost);
  });
}

// Timers --------------------------------------------------------------------------------------------------------------

namespace {

struct TimerCall {
  TimerCall(realtime::RealtimeWorker* w, Function<void()> f) noexcept : worker(w), fn(std::move(f)) {}
  realtime::RealtimeWorker* worker;
  Function<void()> fn;
};

// A task without a context when memory is out.
net::TimerTask task_of(realtime::RealtimeWorker& w, Function<void()> fn) noexcept {
  return {[](void* context) {
            auto& call = *static_cast<TimerCall*>(context);
            call.worker->note_call(realtime::RealtimeWorker::kTimer);
            if (!call.fn()) call.worker->report_failure(realtime::RealtimeWorker::kTimer);
          },
          [](void* context) { base::destroy(static_cast<TimerCall*>(context)); },
          base::create<TimerCall>(&w, std::move(fn))};
}

uint64_t delay_of(milliseconds time) noexcept { return time.count() < 0 ? 0 : static_cast<uint64_t>(time.count()); }

TimerId public_id(net::UserTimers::Id id) noexcept { return {id.slot, id.generation}; }

}  // namespace

namespace {

// Before the first turn nobody else can know; from then on the App's thread is the one that gives it its turns.
void check_thread(const realtime::RealtimeWorker& w) noexcept {
  if (w.thread_mark && realtime::here(w.number) != &w) worker::wrong_thread("App: a call for its own thread");
}

}  // namespace

TimerId App::after(milliseconds delay, Function<void()> fn) {
  check_thread(*impl_);
  const net::TimerTask task = task_of(*impl_, std::move(fn));
  return task.context ? public_id(impl_->reactor.timers.after(sys::monotonic_ns(), delay_of(delay), task)) : TimerId();
}

TimerId App::every(milliseconds interval, Function<void()> fn) {
  check_thread(*impl_);
  const net::TimerTask task = task_of(*impl_, std::move(fn));
  return task.context ? public_id(impl_->reactor.timers.every(sys::monotonic_ns(), delay_of(interval), task)) : TimerId();
}

void App::cancel(TimerId timer) {
  check_thread(*impl_);
  impl_->reactor.timers.cancel({timer.index, timer.generation});
}

// Rooms ---------------------------------------------------------------------------------------------------------------

Room App::room(std::string_view name) const noexcept {
  if (!realtime::here(impl_->number)) return Room();
  const base::SlotId id = impl_->find_room_id(name);
  return MessageAccess::room(impl_->first, id.generation ? id : base::SlotId());
}

Audience App::to(std::string_view room) const noexcept { return MessageAccess::room_audience(impl_->first, room); }

Audience App::to(const Room& room) const noexcept {
  const base::SlotId id = MessageAccess::id(room);
  return MessageAccess::audience(id.generation ? MessageAccess::Kind::room : MessageAccess::Kind::none,
                                 MessageAccess::worker(room), id);
}

Audience App::to_route(std::string_view pattern) const noexcept {
  for (const auto& route : impl_->ws_routes) {
    if (route->pattern != pattern) continue;
    if (!realtime::here(impl_->number)) return MessageAccess::audience(MessageAccess::Kind::route, impl_->first, pattern);
    const base::SlotId id = impl_->id_of(*route);
    if (impl_->group && id.generation == 0) break;
    return MessageAccess::audience(MessageAccess::Kind::route, impl_->first, id);
  }
  return MessageAccess::audience(MessageAccess::Kind::none, impl_->first, base::SlotId{});
}

Audience App::everybody() const noexcept {
  return MessageAccess::audience(MessageAccess::Kind::all, impl_->first, base::SlotId{});
}

std::vector<RoomInfo> App::rooms() const {
  check_thread(*impl_);
  std::vector<RoomInfo> all;
  const auto add = [&all](std::string_view name, uint32_t members) {
    if (members) all.push_back({std::string(name), members});  // else the first one is on its way, or the last has just left
  };
  if (impl_->group) {
    impl_->group->directory.for_each_room(add);
  } else {
    impl_->rooms.for_each(add);
  }
  return all;
}

SendStatus App::send_to(std::string_view id, std::string_view text) const noexcept { return find(id).send(text); }
SendStatus App::send_to(std::string_view id, std::span<const std::byte> bytes) const noexcept {
  return find(id).send(bytes);
}

void App::close_all(CloseCode code, std::string_view reason) {
  const Numbers all(impl_->first);
  for (uint32_t worker = all.first; worker < all.end; worker++) {
    realtime::order_close_all(worker, code, reason);
  }
}

uint64_t App::connections() const noexcept {
  check_thread(*impl_);
  const realtime::RealtimeWorker& w = *impl_;
  if (!w.group) return w.stats.open_websockets;
  const worker::Directory::Found all = w.everybody_found();
  return all ? all.entry->members.load(std::memory_order_relaxed) : 0;
}

SendStatus App::broadcast(std::string_view text) const noexcept { return everybody().send(text); }

Stats App::stats() const noexcept {
  check_thread(*impl_);
  return impl_->sum_of_group();
}

}  // namespace martlet
