// What a Server does while it waits for its workers: signals, the watchdog, the service manager, a successor.
#include <cstdio>

#include "app/server_impl.h"
#include "realtime/realtime.h"
#include "sys/children.h"
#include "sys/clock.h"
#include "sys/log_line.h"
#include "sys/notify.h"

namespace martlet {

namespace {

constexpr uint64_t kControl = 0;
constexpr uint64_t kSignals = 1;
constexpr uint64_t kSuccessor = 2;
constexpr uint64_t kNsPerMs = 1'000'000;

uint64_t ns_of(milliseconds time) noexcept {
  constexpr int64_t kLongest = int64_t{1} << 42;  // 139 years: no overflow of nanoseconds
  const int64_t ms = time.count();
  return ms <= 0 ? 0 : static_cast<uint64_t>(ms < kLongest ? ms : kLongest) * kNsPerMs;
}

}  // namespace

int Server::Impl::wait(const RunOptions& run_options) {
  if (!group || go == Go::end) return 1;
  const Error error = watch_signals(run_options);
  if (error) drain({.deadline = milliseconds(0)});
  feed_every_ns = sys::service_watchdog_us() * 1000 / 2;
  stalled_since.assign(count, 0);
  while (!error && alive.load() > 0) {
    const int events = poller.wait(next_look_ns());
    for (int i = 0; i < events; i++) {
      const uint64_t token = poller.event(i).token;
      if (token == kControl) control->drain();
      if (token == kSignals) while (const int number = signals->next()) on_signal(number);
    }
    look_at_workers();
    begin_restart();
    look_at_successor();
    tell_stopping();
  }
  give_up_successor();
  join_all();
  let_claims_go();
  poller.close();
  signals.reset();
  return error ? report(error) : 0;
}

// A process of supervise() cannot have a successor: that one would supervise processes of its own.
Error Server::Impl::may_restart() const noexcept {
  return sys::is_supervised() ? Error("a process of supervise() cannot restart by itself") : Error();
}

// From the start on, not only in wait(): whoever is told that we serve may ask for a restart at once, and the signal would
// end us.
Error Server::Impl::watch_restart() {
  signals = std::make_unique<sys::SignalWatcher>();
  if (Error error = signals->open()) return error;
  if (options.restart_on == RestartOn::never) return {};
  if (Error error = may_restart()) return error;
  const int number = options.restart_on == RestartOn::sighup ? sys::hangup_signal : sys::user2_signal;
  if (Error error = signals->watch(number)) return error;
  if (signals->ignored(number)) {
    sys::log_line(LogLevel::warn, "the signal of restart_on was ignored when the program was started, and still is (nohup?)");
  }
  return {};
}

Error Server::Impl::watch_signals(const RunOptions& run_options) {
  sys::block_sigpipe();
  if (Error error = poller.open()) return error;
  if (Error error = poller.add(control->fd(), kControl, sys::kReadable)) return error;
  if (!signals) {
    if (Error error = watch_restart()) return error;
  }
  if (Error error = poller.add(signals->fd(), kSignals, sys::kReadable)) return error;
  if (!run_options.handle_signals) return {};
  for (const int number : {sys::terminate_signal, sys::interrupt_signal}) {
    if (Error error = signals->watch(number)) return error;
  }
  return {};
}

void Server::Impl::on_signal(int number) noexcept {
  if (number != sys::terminate_signal && number != sys::interrupt_signal) {
    const std::lock_guard lock(mutex);
    restart_wanted = true;
    restart_drain = {.deadline = options.app.drain_deadline};
    return;
  }
  if (!signalled) {
    signalled = true;
    give_up_successor();  // it would serve on
    return drain({.deadline = options.app.drain_deadline});
  }
  end_workers();  // asked a second time
}

void Server::Impl::drain(const DrainOptions& drain_options) {
  const Numbers all = numbers();
  const worker::DrainRequest request = worker::request_of(drain_options);
  for (uint32_t number = all.first; number < all.end; number++) {
    worker::order_drain(number, request);
  }
}

void Server::drain(DrainOptions options) {
  std::unique_lock lock(impl_->mutex);
  if (!impl_->group) return;
  if (impl_->go == Impl::Go::not_yet) {
    impl_->drain_wanted = true;
    impl_->wanted_drain = std::move(options);
  } else {
    lock.unlock();
    impl_->drain(options);
  }
}

DrainProgress Server::progress() const noexcept {
  DrainProgress progress;
  const Stats now = stats();
  progress.connections = now.open_connections;
  progress.websockets = now.open_websockets;
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->group) return progress;
  progress.over = impl_->alive.load() == 0;
  progress.draining = impl_->group->draining.load(std::memory_order_relaxed);
  const uint64_t cut = impl_->group->cut_at_ns.load(std::memory_order_relaxed);
  const uint64_t ns = sys::monotonic_ns();
  if (progress.draining && cut > ns) progress.time_left = milliseconds((cut - ns) / kNsPerMs);
  return progress;
}

// The watchdog --------------------------------------------------------------------------------------------------------

int64_t Server::Impl::next_look_ns() const noexcept {
  uint64_t next = UINT64_MAX;
  if (options.watchdog.count() > 0) next = ns_of(options.watchdog) / 4 + 1;
  const uint64_t now = sys::monotonic_ns();
  const auto at = [&next, now](uint64_t due) {
    const uint64_t left = due > now ? due - now : 0;
    if (left < next) next = left;
  };
  // Not a whole interval from now: something may just have woken us before it was due.
  if (feed_every_ns) at(now < fed_at_ns + feed_every_ns ? fed_at_ns + feed_every_ns : now + feed_every_ns);
  if (successor->state() == sys::Successor::State::waiting) at(successor_until_ns);
  return next == UINT64_MAX ? -1 : static_cast<int64_t>(next);
}

// The text may go with its worker, but not while the mutex is held.
size_t Server::Impl::copy_of_calling(const worker::Seat& seat, char* to, size_t most) const noexcept {
  const std::lock_guard lock(mutex);
  const std::string* calling = seat.calling.load(std::memory_order_relaxed);
  return calling ? calling->copy(to, most) : 0;
}

void Server::Impl::look_at_workers() noexcept {
  const uint64_t now = sys::monotonic_ns();
  bool stalled = false;
  for (uint32_t i = 0; options.watchdog.count() > 0 && i < count; i++) {
    worker::Seat& seat = group->seats[i];
    const uint64_t since = seat.turn_since_ns.load(std::memory_order_relaxed);
    if (since == 0 || now < since + ns_of(options.watchdog)) continue;
    stalled = true;
    if (stalled_since[i] == since) continue;
    stalled_since[i] = since;
    char route[200];
    const size_t route_bytes = copy_of_calling(seat, route, sizeof route);
    const Stall stall{i, milliseconds((now - since) / kNsPerMs), {route, route_bytes}};
    char line[320];
    std::snprintf(line, sizeof line, "worker %u has not turned for %lld ms; it is in: %.*s", i,
                  static_cast<long long>(stall.since.count()), static_cast<int>(route_bytes), route);
    sys::log_line(LogLevel::error, line);
    if (on_stall) on_stall(stall);
  }
  if (feed_every_ns == 0 || stalled || now < fed_at_ns + feed_every_ns) return;
  fed_at_ns = now;
  (void)sys::notify_service_manager(sys::kNotifyWatchdog);
}

// A drain that no successor follows.
void Server::Impl::tell_stopping() noexcept {
  if (group->draining.load(std::memory_order_relaxed)) let_claims_go();
  if (told_stopping || successor->state() == sys::Successor::State::ready) return;
  if (!group->draining.load(std::memory_order_relaxed)) return;
  told_stopping = true;
  (void)sys::notify_service_manager(sys::kNotifyStopping);
}

// Restart -------------------------------------------------------------------------------------------------------------

void Server::restart(DrainOptions options) {
  const std::lock_guard lock(impl_->mutex);
  impl_->restart_wanted = true;
  impl_->restart_drain = std::move(options);
  if (impl_->control) impl_->control->wake();
}

void Server::Impl::begin_restart() noexcept {
  {
    const std::lock_guard lock(mutex);
    if (!restart_wanted || successor->state() == sys::Successor::State::waiting) return;
    restart_wanted = false;
  }
  // Asked again, or told to end as well: what drains us may be on its way still.
  if (signalled || successor->state() == sys::Successor::State::ready) return;
  Error error = may_restart();
  if (!error) {
    const std::lock_guard listening(group->listeners);
    if (group->draining.load(std::memory_order_relaxed)) return;
    (void)sys::notify_reloading();
    std::vector<int> handed = sockets;
    handed.insert(handed.end(), claims.begin(), claims.end());
    error = successor->start(handed.data(), static_cast<int>(handed.size()));
  }
  if (!error) error = poller.add(successor->ready_fd(), kSuccessor, sys::kReadable);
  successor_until_ns = sys::monotonic_ns() + ns_of(options.restart_timeout);
  if (!error) return;
  successor->kill();
  sys::log_limited(LogLevel::error, "restart failed", error.message());
  (void)sys::notify_service_manager(sys::kNotifyReady);
}

// One that does not serve yet: it takes too long, or this Server was told to end.
void Server::Impl::give_up_successor() noexcept {
  if (successor->state() != sys::Successor::State::waiting) return;
  poller.remove(successor->ready_fd());
  successor->kill();
}

void Server::Impl::look_at_successor() noexcept {
  using State = sys::Successor::State;
  if (successor->state() != State::waiting) return;
  const bool late = successor->read() == State::waiting && sys::monotonic_ns() >= successor_until_ns;
  if (late || group->draining.load(std::memory_order_relaxed)) give_up_successor();
  if (successor->state() == State::ready) {
    (void)sys::notify_main_pid(successor->pid());
    (void)sys::notify_service_manager(sys::kNotifyReady);
    sys::log_line(LogLevel::info, "the successor serves");
    std::unique_lock lock(mutex);
    const DrainOptions how = restart_drain;
    lock.unlock();
    drain(how);
  } else if (successor->state() == State::failed) {
    sys::log_limited(LogLevel::error, "restart failed", successor->error().message());
    (void)sys::notify_service_manager(sys::kNotifyReady);
  }
}

}  // namespace martlet
