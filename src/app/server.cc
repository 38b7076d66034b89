// Server: starting and ending workers. A worker's thread makes its App, lets the user's function set it up, opens it and
// reports; it serves when all have. See server_impl.h.
#include "app/server_impl.h"

#include <new>

#include "app/app_access.h"
#include "net/worker_registry.h"
#include "realtime/realtime.h"
#include "sys/inherit.h"
#include "sys/listeners.h"
#include "sys/log_line.h"
#include "sys/notify.h"
#include "sys/processors.h"
#include "sys/program.h"
#include "sys/socket.h"
#include "worker/life_lines.h"

namespace martlet {

namespace {

constexpr int kMostProcessors = 1024;

}  // namespace

Server::Server(ServerOptions options) : impl_(new Impl(std::move(options))) {}

Server::~Server() {
  close();
  impl_->join_all();
  impl_->let_claims_go();
  delete impl_;
}

Error Server::start_workers(Function<void(App&, Error&)> set_up) {
  MARTLET_CHECK(impl_->alive.load() == 0 && "Server::start() while it runs");
  impl_->join_all();
  impl_->let_claims_go();  // of a run that nobody waited for
  impl_->set_up = std::move(set_up);
  return impl_->start();
}

int Server::wait(RunOptions options) { return impl_->wait(options); }
uint16_t Server::port() const noexcept { return impl_->port; }
uint32_t Server::workers() const noexcept { return impl_->count; }

Server& Server::on_stall(Function<void(const Stall&)> handler) {
  impl_->on_stall = std::move(handler);
  return *this;
}

// Starting ------------------------------------------------------------------------------------------------------------

Error Server::Impl::start() {
  (void)sys::remember_program();  // restart() will say so
  processors.resize(kMostProcessors);
  processors.resize(static_cast<size_t>(sys::allowed_processors(processors.data(), kMostProcessors)));
  const auto usable = static_cast<uint32_t>(sys::usable_processors());
  const uint32_t wanted = options.workers == per_core ? usable : options.workers;
  const uint32_t workers = wanted < net::Lanes::kMostSeats ? wanted : net::Lanes::kMostSeats;
  Result<uint32_t> first = net::reserve_workers(workers);
  if (!first) return first.error();
  std::unique_ptr<worker::Group> made = worker::Group::make(workers, *first);
  if (!made) return Error("no memory for the workers");
  made->watched = options.watchdog.count() > 0;
  std::unique_ptr<sys::Waker> waker(new (std::nothrow) sys::Waker);
  if (!waker) return Error("no memory for the workers");
  if (Error error = waker->open()) return error;
  made->control = waker.get();
  std::unique_ptr<Member[]> had;
  {
    const std::lock_guard lock(mutex);
    group.swap(made);
    had = std::exchange(members, std::make_unique<Member[]>(workers));
    count = workers;
    control = std::move(waker);
    go = Go::not_yet;
    start_error = {};
    restart_wanted = close_wanted = drain_wanted = signalled = told_stopping = false;
  }
  // The last run's Apps and mail, without the lock: what goes with them is the user's, and may call us.
  had.reset();
  made.reset();
  successor.emplace();
  Error error = watch_restart();
  if (!error) error = make_listeners();
  const std::string where = error ? std::string() : sys::describe_listeners(options.host, sockets);  // while all are open
  if (!error) error = start_members();
  if (error) {
    signals.reset();
    end_all();
    close_listeners();
    return error;
  }
  sys::log_line(LogLevel::info, "listening on " + where);
  sys::report_ready();
  (void)sys::notify_service_manager(sys::kNotifyReady);
  return {};
}

Error Server::Impl::start_members() {
  for (uint32_t i = 0; i < count; i++) {
    members[i].server = this;
    members[i].seat = i;
    if (Error error = start_member(members[i])) return error;
  }
  {
    const std::lock_guard lock(mutex);
    go = Go::run;
    changed.notify_all();
  }
  if (drain_wanted) drain(wanted_drain);  // asked for while we started; from now on nobody writes these
  if (close_wanted) end_workers();
  return {};
}

// One after the other, so that the user's function need not be prepared for two at a time.
Error Server::Impl::start_member(Member& member) {
  const bool pinned = options.pin_workers || options.balance == Balance::by_processor;
  const int processor = pinned && !processors.empty() ? processors[member.seat % processors.size()]
                                                      : sys::Thread::kAnyProcessor;
  reported = false;
  alive.fetch_add(1);
  const auto run = [](void* context) {
    auto& self = *static_cast<Member*>(context);
    self.server->run_member(self);
  };
  if (Error error = member.thread.start(run, &member, options.stack_bytes, processor)) {
    alive.fetch_sub(1);
    return error;
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return reported; });
  return start_error;
}

void Server::Impl::report_start(Error error) noexcept {
  const std::lock_guard lock(mutex);
  start_error = error;
  reported = true;
  changed.notify_all();
}

bool Server::Impl::wait_for_go() noexcept {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return go != Go::not_yet; });
  return go == Go::run;
}

Error Server::Impl::set_up_member(Member& member, App& app) noexcept {
  realtime::RealtimeWorker& w = AppAccess::worker(app);
  if (!w.group) return Error("no memory or no descriptor for a worker");
  Error error;
  worker::place_.setting_up = true;
  const bool is_set_up = set_up(app, error);
  worker::place_.setting_up = false;
  if (!is_set_up) return Error("the function that sets a worker up threw");
  if (!error) error = w.may_listen(options.proxy_protocol);
  if (!error) error = w.open();
  w.reactor.adopts_proxied = options.proxy_protocol;
  while (!error && !member.listeners.empty()) {
    error = w.reactor.listen_on(member.listeners.back(), options.proxy_protocol);
    if (error) break;
    if (w.port == 0) w.port = port;
    member.listeners.pop_back();  // it is the reactor's
  }
  return error;
}

// The life of a worker's thread.
void Server::Impl::run_member(Member& member) noexcept {
  worker::place_ = {.group = group.get(), .seat = member.seat};
  member.app = std::make_unique<App>(options.app);
  realtime::RealtimeWorker& w = AppAccess::worker(*member.app);
  Error error = set_up_member(member, *member.app);
  report_start(error);
  const bool runs = !error && wait_for_go();
  if (runs) {
    w.face = member.app.get();
    while (!w.over) w.turn(-1);
  }
  {
    // Nobody looks at what it calls any more.
    const std::lock_guard lock(mutex);
    group->seats[member.seat].calling.store(nullptr, std::memory_order_relaxed);
  }
  if (error || !w.over) member.app.reset();
  worker::place_ = {};
  if (alive.fetch_sub(1) == 1 && runs) tell_end();
  control->wake();
}

// By the last worker: all have shown what they did.
void Server::Impl::tell_end() const noexcept {
  worker::log_end(stats(), group->cut_connections.load(std::memory_order_relaxed), group->drain_since_ns.load(std::memory_order_relaxed));
}

// Ending --------------------------------------------------------------------------------------------------------------

// Of a start that failed.
void Server::Impl::end_all() noexcept {
  {
    const std::lock_guard lock(mutex);
    go = Go::end;
    changed.notify_all();
  }
  join_all();
}

void Server::Impl::join_all() noexcept {
  for (uint32_t i = 0; i < count; i++) {
    if (members[i].thread.joinable()) members[i].thread.join();
  }
}

Server::Impl::Numbers Server::Impl::numbers() const noexcept {
  const std::lock_guard lock(mutex);
  return group ? Numbers{group->first, group->first + count} : Numbers();
}

void Server::Impl::end_workers() noexcept {
  const Numbers all = numbers();
  for (uint32_t number = all.first; number < all.end; number++) {
    worker::order_end(number);
  }
}

// While workers are being started not all of them can be told: they are when they run.
void Server::close() {
  std::unique_lock lock(impl_->mutex);
  if (!impl_->group) return;
  if (impl_->go == Impl::Go::not_yet) {
    impl_->close_wanted = true;
  } else {
    lock.unlock();
    impl_->end_workers();
  }
}

// Any thread ----------------------------------------------------------------------------------------------------------

Stats Server::stats() const noexcept { return impl_->stats(); }

Stats Server::Impl::stats() const noexcept {
  Stats sum;
  const std::lock_guard lock(mutex);
  if (!group) return sum;
  for (uint32_t i = 0; i < count; i++) group->add_stats(i, sum);
  sum.open_rooms = group->directory.rooms();
  if (const worker::QueueCounts* counts = group->queue_counts.load(std::memory_order_acquire)) counts->show(sum);
  return sum;
}

Stats Server::stats(uint32_t worker) const noexcept {
  Stats one;
  const std::lock_guard lock(impl_->mutex);
  if (impl_->group && worker < impl_->count) impl_->group->add_stats(worker, one);
  return one;
}

void Server::post(uint32_t worker, Function<void(App&)> fn) {
  const Impl::Numbers all = impl_->numbers();
  if (worker >= all.end - all.first) return;
  realtime::post_to(all.first + worker, [fn = std::move(fn)](realtime::RealtimeWorker& w) mutable {
    w.note_call(realtime::RealtimeWorker::kPost);
    if (!fn(*w.face)) w.report_failure(realtime::RealtimeWorker::kPost);
  });
}

}  // namespace martlet
