// The turn of the loop: see reactor.h for the numbered list that turn() follows.
#include "net/reactor.h"

#include <cstring>
#include <new>

#include "base/check.h"
#include "sys/clock.h"
#include "sys/heap.h"
#include "sys/listeners.h"
#include "sys/log_line.h"
#include "sys/socket.h"

namespace martlet::net {

namespace {

// Tokens of what is not a connection: generation 0, which no connection has.
constexpr uint32_t kWakerToken = UINT32_MAX;
constexpr uint32_t kSignalToken = UINT32_MAX - 1;

constexpr uint32_t kTimerBudget = 64;        // timeouts and user timers per turn, each kind
constexpr uint32_t kMailBudget = 256;        // messages per turn
constexpr uint32_t kMaxSurplus = 32;         // connections above the limit that are refused politely
constexpr int kQueueBatches = 1024;          // 65,536 connections, more than a kernel's queue holds
constexpr uint32_t kAcceptPauseMs = 50;      // after descriptors ran out
constexpr uint64_t kTrimNs = 1'000'000'000;  // how often idle memory is looked for

}  // namespace

// SlotList ------------------------------------------------------------------------------------------------------------

SlotList::~SlotList() { base::deallocate(slots_); }

bool SlotList::reserve(uint32_t slots) noexcept {
  // Twice: an entry of a connection that died may still stand when its slot is used again.
  const uint32_t wanted = slots * 2;
  if (wanted <= capacity_) return true;
  uint32_t capacity = capacity_ ? capacity_ : 128;
  while (capacity < wanted) capacity *= 2;
  auto* memory = static_cast<uint32_t*>(base::allocate(capacity * sizeof(uint32_t)));
  if (!memory) return false;
  for (uint32_t i = 0; i < size_; i++) memory[i] = slots_[i];
  base::deallocate(slots_);
  slots_ = memory;
  capacity_ = capacity;
  return true;
}

void SlotList::consume(uint32_t n) noexcept {
  for (uint32_t i = n; i < size_; i++) slots_[i - n] = slots_[i];
  size_ -= n;
}

// Opening -------------------------------------------------------------------------------------------------------------

Reactor::~Reactor() {
  for (Listener& listener : listeners_) sys::close_socket(listener.fd);
}

Error Reactor::open(const ReactorHooks& hooks, Inbox& inbox, uint32_t max_connections) noexcept {
  hooks_ = hooks;
  inbox_ = &inbox;
  max_connections_ = max_connections;
  now_ns_ = lost_ns_ = sys::monotonic_ns();
  late_after_ns_ = now_ns_ + kSlackNs;
  now_ms_ = 0;
  wheel_.start(WheelBuckets::tick_of(loop_ns()));
  buffers_.reset(new (std::nothrow) uint8_t[kReceiveHeadroom + kReceiveBytes + Cork::kBytes]);
  if (!buffers_) return Error("receive buffer: out of memory");
  receive_buffer = buffers_.get() + kReceiveHeadroom;
  cork.buffer = receive_buffer + kReceiveBytes;
  blocks.set_empty(sys::give_pages_back);
  if (Error error = poller_.open()) return error;
  const Error error = poller_.add(inbox.wake_fd(), base::SlotId{kWakerToken, 0}.packed(), sys::kReadable);
  if (error) poller_.close();
  return error;
}

Result<uint16_t> Reactor::listen(const ListenOptions& options) noexcept {
  sys::ListenAddress address;
  address.host = options.host;
  address.port = options.port;
  address.backlog = options.backlog;
  address.reuse_port = options.reuse_port;
  address.only_ipv6 = options.only_ipv6;
  address.unix_mode = options.unix_mode;
  Result<sys::HostSockets> made = sys::listen_on_host(address, 1);
  if (!made) return made.error();
  const size_t before = listeners_.size();
  Error error;
  for (const int fd : made->listeners) {
    if (!error) error = listen_on(fd, options.proxy_protocol);
    if (error) sys::close_socket(fd);
  }
  if (!error) {
    sys::log_line(LogLevel::info, "listening on " + sys::describe_listeners(address.host, made->listeners));
    return listeners_[before].port;
  }
  for (; listeners_.size() > before; listeners_.pop_back()) sys::close_socket(listeners_.back().fd);
  return error;
}

Error Reactor::listen_on(int fd, bool proxied) noexcept {
  const uint32_t index = static_cast<uint32_t>(listeners_.size());
  if (Error error = poller_.add(fd, base::SlotId{index, 0}.packed(), sys::kReadable)) return error;
  listeners_.push_back({fd, sys::local_port(fd), true, proxied});
  return {};
}

void Reactor::accept_waiting() noexcept {
  for (uint32_t i = 0; i < listeners_.size(); i++) {
    for (int batch = 0; batch < kQueueBatches && accepting_ && accept_from(i); batch++) {
    }
  }
}

void Reactor::stop_listening() noexcept {
  for (Listener& listener : listeners_) sys::close_socket(listener.fd);
  listeners_.clear();
}

void Reactor::end_all() noexcept {
  stop_listening();
  signals_.reset();
  for (uint32_t slot = 0; slot < connections.extent(); slot++) {
    if (Connection* c = connections.at(slot)) abort(*c);
  }
  reap();
}

Error Reactor::watch_signal(int number) noexcept {
  if (!signals_) {
    auto signals = std::make_unique<sys::SignalWatcher>();
    if (Error error = signals->open()) return error;
    if (Error error = poller_.add(signals->fd(), base::SlotId{kSignalToken, 0}.packed(), sys::kReadable)) return error;
    signals_ = std::move(signals);
  }
  return signals_->watch(number);
}

// The turn ------------------------------------------------------------------------------------------------------------

void Reactor::turn(int64_t timeout_ns) noexcept {
  // For this turn only: a frame that the program keeps may be released when this pool is gone.
  base::BlockPool* const outer = base::BlockPool::current();
  base::BlockPool::set_current(&blocks);
  const int64_t wait_ns = poll_timeout(timeout_ns);  // 8
  if (shared_.turn_since_ns) shared_.turn_since_ns->store(0, std::memory_order_relaxed);
  const int events = poller_.wait(wait_ns);  // 1
  inbox_->awake(false);
  read_clock();                                                 // 2
  resting_ = false;
  if (shared_.turn_since_ns) shared_.turn_since_ns->store(now_ns_, std::memory_order_relaxed);
  for (int i = 0; i < events; i++) dispatch(poller_.event(i));  // 3
  dispatch_ready();
  run_timers();                                               // 4
  mail_due_ = inbox_->deliver(hooks_.context, kMailBudget);   // 5
  turn_wanted_ = false;
  hooks_.before_flush(hooks_.context);
  flush_dirty();                                              // 6
  if (watcher.looks) [[unlikely]] watcher.flushed(watcher.context);
  reap();                                                     // 7
  // Who gives the loop a time to wait has it back now: what is done from here on is not this turn's work.
  if (timeout_ns > 0) look_at_clock();
  base::BlockPool::set_current(outer);
}

inline void Reactor::look_at_clock() noexcept {
  const uint64_t now_ns = sys::monotonic_ns();
  if (now_ns > late_after_ns_) [[unlikely]] stood_still(now_ns);
  now_ns_ = now_ns;
  late_after_ns_ = now_ns + kSlackNs;  // until it is known how long is slept
}

void Reactor::read_clock() noexcept {
  look_at_clock();
  now_ms_ = static_cast<uint32_t>(loop_ns() / 1'000'000);
}

// Gives everybody the time back. Of a sleep that ended late nothing counts, as the standstill may have begun with it;
// but when they all end late that is how things are here, and what was planned counts. So it does with who owns the
// loop: they come back at their own pace, and are late when something was due. (When they do all the waiting, the clock
// is not looked at before they go, and what their handlers took is part of it.)
[[gnu::noinline, gnu::cold]] void Reactor::stood_still(uint64_t now_ns) noexcept {
  if (late_after_ns_ > now_ns_ + kSlackNs) overslept_ = true;  // it was a sleep
  uint64_t counts_until_ns = overslept_before_ ? late_after_ns_ : now_ns_ + kSlackNs;
  if (resting_) {
    const int64_t due_ns = until_due_ns();
    counts_until_ns = due_ns < 0 ? now_ns : now_ns_ + static_cast<uint64_t>(due_ns) + kSlackNs;
  }
  if (now_ns > counts_until_ns) lost_ns_ += now_ns - counts_until_ns;
}

bool Reactor::must_not_sleep() const noexcept {
  return ready_.size() || dirty_.size() || closing_.size() || timers_due_ || mail_due_ || turn_wanted_;
}

int64_t Reactor::poll_timeout(int64_t timeout_ns) noexcept {
  if (timeout_ns == 0 || must_not_sleep()) return 0;
  look_at_clock();
  resting_ = false;
  overslept_before_ = overslept_;
  overslept_ = false;
  const int64_t timer_ns = until_due_ns();
  if (timer_ns >= 0 && (timeout_ns < 0 || timer_ns < timeout_ns)) timeout_ns = timer_ns;
  if (!inbox_->try_sleep()) timeout_ns = 0;
  if (timeout_ns > 0) late_after_ns_ += static_cast<uint64_t>(timeout_ns);
  if (timeout_ns < 0) late_after_ns_ = UINT64_MAX;  // nothing is due that could be missed
  return timeout_ns;
}

void Reactor::rest() noexcept {
  resting_ = true;
  const bool idle = inbox_->try_sleep();
  if (!idle || must_not_sleep()) inbox_->gate().notify();
}

int64_t Reactor::next_timer_ns() noexcept {
  refresh_clock();
  return until_due_ns();
}

int64_t Reactor::until_due_ns() const noexcept {
  int64_t next = timers.ns_until_next(now_ns_);
  const int64_t wheel = wheel_.ns_until_next(loop_ns());
  if (wheel >= 0 && (next < 0 || wheel < next)) next = wheel;
  if (look_again_ns_) {
    const int64_t left = look_again_ns_ > now_ns_ ? static_cast<int64_t>(look_again_ns_ - now_ns_) : 0;
    if (next < 0 || left < next) next = left;
  }
  if (holds_idle_memory()) [[unlikely]] {
    const int64_t left = next_trim_ns_ > now_ns_ ? static_cast<int64_t>(next_trim_ns_ - now_ns_) : 0;
    if (next < 0 || left < next) next = left;
  }
  if (!accepting_) {
    const int64_t again = static_cast<int64_t>(static_cast<int32_t>(accept_again_ms_ - now_ms_)) * 1'000'000;
    if (next < 0 || again < next) next = again > 0 ? again : 0;
  }
  return next;
}

void Reactor::dispatch(const sys::PollEvent& event) noexcept {
  const base::SlotId id = base::SlotId::unpack(event.token);
  if (id.generation != 0) [[likely]] {
    if (Connection* c = find(id)) dispatch_connection(*c, event);
  } else if (id.slot == kWakerToken) {
    inbox_->awake(true);
  } else if (id.slot == kSignalToken) {
    while (const int number = signals_ ? signals_->next() : 0) hooks_.on_signal(hooks_.context, number);
  } else {
    accept_from(id.slot);
  }
}

void Reactor::dispatch_connection(Connection& c, const sys::PollEvent& event) noexcept {
  if (event.hangup && c.pause) return broken(c, 0);  // it would be reported again and again
  // What came before the end is read first: a write would fail and forget it. The next turn sees the hang-up again.
  if (event.hangup) return read_from(c);
  if (event.writable && c.out) {
    c.out->blocked = false;
    flush_queue(*this, c);
    if (c.closing) return;
  }
  if (event.readable && !c.pause) read_from(c);
}

// One read and what comes of it. Afterwards nothing may point into the receive buffer.
inline void Reactor::read_from(Connection& c) noexcept {
  c.protocol->on_readable(*this, c);
  if constexpr (base::kDebug) {
    std::memset(receive_buffer - kReceiveHeadroom, base::kSpoiled, kReceiveHeadroom + received_);
    received_ = 0;
  }
}

void Reactor::hear(Connection& c) noexcept {
  if (!c.pause) read_from(c);
}

void Reactor::dispatch_ready() noexcept {
  const uint32_t count = ready_.size();
  for (uint32_t i = 0; i < count; i++) {
    Connection* c = connections.at(ready_[i]);
    if (!c || !c->in_ready) continue;
    c->in_ready = false;
    if (!c->closing) c->protocol->on_ready(*this, *c);
  }
  ready_.consume(count);
}

void Reactor::run_timers() noexcept {
  const uint32_t tick = WheelBuckets::tick_of(loop_ns());
  timers_due_ = wheel_.expire(tick, kTimerBudget, [this](uint32_t slot) {
    Connection& c = *connections.live(slot);
    if (!c.closing) c.protocol->on_deadline(*this, c);
  });
  if (timers.size()) timers_due_ |= timers.run(now_ns_, kTimerBudget);
  if (!accepting_ && static_cast<int32_t>(now_ms_ - accept_again_ms_) >= 0) resume_accepting();
  if (now_ns_ >= next_trim_ns_) give_idle_back();
}

// What was not used for a whole period goes, so that what is used again and again stays. The system gets it from the
// allocator when there is rest: in that period no block was made, nor freed because it was another worker's.
void Reactor::give_idle_back() noexcept {
  next_trim_ns_ = now_ns_ + kTrimNs;
  const bool rests = blocks.blocks_made() == blocks_made_ && blocks.given_back_bytes() == given_back_bytes_;
  blocks.trim(idle_bytes);
  if (rests && blocks.kept_bytes() <= idle_bytes && blocks.given_back_bytes() >= kWorthGivingBack) {
    blocks.forget_given_back();
    sys::give_heap_back();
  }
  blocks_made_ = blocks.blocks_made();
  given_back_bytes_ = blocks.given_back_bytes();
}

void Reactor::flush_dirty() noexcept {
  const uint32_t count = dirty_.size();
  for (uint32_t i = 0; i < count; i++) {
    Connection* c = connections.at(dirty_[i]);
    if (!c || !c->in_dirty) continue;
    c->in_dirty = false;
    if (c->closing) continue;
    if (c->out && !c->out->blocked) {
      flush_queue(*this, *c);
    } else if (!c->out) {  // nothing was queued, or it has left already
      c->finish ? abort(*c) : c->protocol->on_drained(*this, *c);
    }
  }
  dirty_.consume(count);
}

void Reactor::reap() noexcept {
  timers.reap();
  if (!closing_.size()) return;
  // A close handler may close others; they are appended and reaped in the same pass.
  for (uint32_t i = 0; i < closing_.size(); i++) {
    Connection& c = *connections.live(closing_[i]);
    c.protocol->on_reap(*this, c);
    if (c.goes_on && go_on(c)) continue;
    if (c.watched) watcher.gone(watcher.context, c);
    discard_output(*this, c);
    wheel_.cancel(c.slot);
    forget(c.surplus);
    c.reset ? sys::reset_socket(c.fd) : sys::close_socket(c.fd);
    connections.destroy(&c);
  }
  closing_.consume(closing_.size());
  if (!accepting_) resume_accepting();
}

// The session has been reaped, the connection lives. False: it cannot, and is still marked as closing; it has its place
// in the list of those already, and nobody is told of an end that no user's object hears of.
bool Reactor::go_on(Connection& c) noexcept {
  c.goes_on = false;
  c.pause &= kPauseEof;
  if (!tell_poller(c)) {
    c.protocol->on_reap(*this, c);
    return false;
  }
  c.closing = false;
  if (c.out && !c.out->blocked) mark_dirty(c);  // this turn's flush has passed it over
  return true;
}

// Connections ---------------------------------------------------------------------------------------------------------

void Reactor::abort(Connection& c, bool with_reset) noexcept {
  c.goes_on = false;
  if (c.closing) return;
  c.closing = true;
  if (unsent_bytes(*this, c)) c.finish = false;
  c.reset = with_reset;
  closing_.push(c.slot);
  rouse();
}

void Reactor::end_session(Connection& c) noexcept {
  if (c.closing) return;
  abort(c);
  c.goes_on = true;
}

void Reactor::finish(Connection& c) noexcept {
  c.finish = true;
  if (!c.out && cork.owner != &c) mark_dirty(c);
}

void Reactor::broken(Connection& c, int os_code) noexcept {
  if (c.closing) return;
  abort(c);
  c.protocol->on_broken(*this, c, os_code);
}

void Reactor::update_interest(Connection& c) noexcept {
  if (!c.closing && !tell_poller(c)) broken(c, 0);
}

inline bool Reactor::tell_poller(Connection& c) noexcept {
  const uint8_t wanted = static_cast<uint8_t>((c.pause ? 0 : sys::kReadable) |
                                              (c.out && c.out->blocked ? sys::kWritable : 0));
  if (wanted == c.interest) return true;
  if (poller_.modify(c.fd, c.id().packed(), wanted)) return false;
  c.interest = wanted;
  return true;
}

void Reactor::arm(Connection& c, uint32_t after_ms) noexcept {
  const uint32_t tick = WheelBuckets::deadline_of(loop_ns() + uint64_t{after_ms} * 1'000'000);
  if (c.wheel.linked() && !tick_is_after(c.wheel.deadline_tick, tick)) return;
  wheel_.schedule(c.slot, tick);
}

void Reactor::arm_spread(Connection& c, uint32_t interval_ms) noexcept {
  const uint32_t tick = WheelBuckets::tick_of(loop_ns());
  wheel_.schedule(c.slot, WheelBuckets::spread_tick(c.slot, tick, WheelBuckets::ticks_of_ms(interval_ms)));
}

// Accepting -----------------------------------------------------------------------------------------------------------

// True when more may be waiting.
bool Reactor::accept_from(uint32_t index) noexcept {
  for (int n = 0; n < kAcceptsPerTurn && index < listeners_.size(); n++) {
    const sys::AcceptResult result = sys::accept_one(listeners_[index].fd);
    switch (result.status) {
      case sys::AcceptStatus::ok:
        if (!hooks_.place || !hooks_.place(hooks_.context, result.fd)) take_connection(result.fd, listeners_[index].proxied);
        break;
      case sys::AcceptStatus::again: break;
      case sys::AcceptStatus::empty: return false;
      case sys::AcceptStatus::no_descriptors:
      case sys::AcceptStatus::no_memory:
      case sys::AcceptStatus::failed: return pause_accepting(), false;
    }
  }
  return true;
}

// Counts one more connection, unless the limit is reached.
bool Reactor::admit() noexcept {
  if (!shared_.group) return connections.size() - surplus_ < max_connections_;
  if (shared_.group->fetch_add(1, std::memory_order_relaxed) < max_connections_) return true;
  shared_.group->fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void Reactor::forget(bool surplus) noexcept {
  surplus_ -= surplus;
  if (shared_.group && !surplus) shared_.group->fetch_sub(1, std::memory_order_relaxed);
  if (shared_.seat && hooks_.place) shared_.seat->fetch_sub(1, std::memory_order_relaxed);
}

void Reactor::take_connection(int fd, bool proxied) noexcept {
  const uint32_t slots = connections.extent() + 1;
  const bool room = ready_.reserve(slots) && dirty_.reserve(slots) && closing_.reserve(slots);
  // A few more than the limit are taken in to be told so; above that even this is too much.
  const bool surplus = !admit();
  surplus_ += surplus;
  Connection* c = room && (!surplus || surplus_ <= kMaxSurplus) ? connections.create() : nullptr;
  if (!c) {
    forget(surplus);
    stats.refused++;
    hooks_.on_refuse(hooks_.context, fd);
    return sys::close_socket(fd);
  }
  c->fd = fd;
  c->last_seen_ms = now_ms_;
  c->interest = sys::kReadable;
  c->surplus = surplus, c->proxied = proxied;
  stats.accepted++, stats.refused += surplus;
  const bool polled = !poller_.add(fd, c->id().packed(), sys::kReadable);
  hooks_.on_accept(hooks_.context, *c, surplus);
  if (!polled) abort(*c);
}

// Descriptors or memory ran out. The kernel keeps the clients in its queue; we look again when a connection has ended
// or a moment has passed, and do not spin on a listener that stays readable.
void Reactor::pause_accepting() noexcept {
  stats.accept_pauses++;
  accepting_ = false;
  accept_again_ms_ = now_ms_ + kAcceptPauseMs;
  for (Listener& listener : listeners_) {
    if (listener.polled) poller_.remove(listener.fd);
    listener.polled = false;
  }
}

void Reactor::resume_accepting() noexcept {
  accepting_ = true;
  for (uint32_t i = 0; i < listeners_.size(); i++) {
    Listener& listener = listeners_[i];
    if (listener.polled) continue;
    listener.polled = !poller_.add(listener.fd, base::SlotId{i, 0}.packed(), sys::kReadable);
    if (!listener.polled) accepting_ = false;
  }
  if (!accepting_) accept_again_ms_ = now_ms_ + kAcceptPauseMs;
}

}  // namespace martlet::net
