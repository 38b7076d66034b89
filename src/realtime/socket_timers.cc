// Timers of one connection (WebSocket::after, every): timers of the loop that the connection's lazy block knows, so that
// they end with it.
#include <martlet/websocket.h>

#include "realtime/commands.h"
#include "realtime/realtime.h"
#include "sys/clock.h"

namespace martlet {

namespace realtime {

namespace {

struct SocketTimers;

// What the loop's timer carries. It goes when the loop drops it, which is later than its connection's end.
struct SocketTimer {
  SocketTimer(RealtimeWorker& w, const WebSocket& ws, Function<void(WebSocket)>&& f) noexcept
      : worker(w), socket(ws), fn(std::move(f)) {}
  RealtimeWorker& worker;
  WebSocket socket;
  Function<void(WebSocket)> fn;
  SocketTimers* owner = nullptr;  // null: the connection is over
  SocketTimer* previous = nullptr;
  SocketTimer* next = nullptr;
  net::UserTimers::Id id = {};
};

// The slot.
struct SocketTimers {
  static constexpr worker::PartKey kKey{};
  SocketTimers() noexcept = default;
  SocketTimers(const SocketTimers&) = delete;
  SocketTimers& operator=(const SocketTimers&) = delete;
  ~SocketTimers() {
    for (SocketTimer* timer = first; timer; timer = timer->next) {
      timer->owner = nullptr;
      timer->worker.reactor.timers.cancel(timer->id);
      timer->fn = nullptr;  // what it captured goes now: none of them is running
    }
  }

  void link(SocketTimer& timer) noexcept {
    timer.owner = this;
    timer.next = first;
    if (first) first->previous = &timer;
    first = &timer;
  }
  void unlink(SocketTimer& timer) noexcept {
    (timer.previous ? timer.previous->next : first) = timer.next;
    if (timer.next) timer.next->previous = timer.previous;
  }

  SocketTimer* first = nullptr;
};

void run(void* context) {
  auto& timer = *static_cast<SocketTimer*>(context);
  const net::Connection* c = timer.worker.websocket(MessageAccess::id(timer.socket));
  if (!c || c->closing) return;
  timer.worker.note_call(RealtimeWorker::kTimer);
  if (!timer.fn(timer.socket)) timer.worker.report_failure(RealtimeWorker::kTimer, timer.socket);
}

void drop(void* context) {
  auto* timer = static_cast<SocketTimer*>(context);
  if (timer->owner) timer->owner->unlink(*timer);
  base::destroy(timer);
}

enum class Repeat : uint8_t { once, always };

TimerId add(RealtimeWorker& w, net::Connection& c, milliseconds time, Repeat repeat, Function<void(WebSocket)>&& fn) noexcept {
  auto& state = c.state<session::WsState>();
  if (c.closing || state.ready == ReadyState::closed) return {};
  if (!state.extras) state.extras = base::create<session::WsExtras>();
  auto* timers = state.extras ? state.extras->slots.find_or_add<SocketTimers>() : nullptr;
  auto* timer = timers ? base::create<SocketTimer>(w, w.handle(c), std::move(fn)) : nullptr;
  if (!timer) return {};
  timers->link(*timer);
  const uint64_t ms = time.count() < 0 ? 0 : static_cast<uint64_t>(time.count());
  const net::TimerTask task{run, drop, timer};
  const auto id = repeat == Repeat::once ? w.reactor.timers.after(sys::monotonic_ns(), ms, task)
                                         : w.reactor.timers.every(sys::monotonic_ns(), ms, task);
  if (!id.generation) return {};  // memory was out, and the task is dropped
  timer->id = id;
  return {id.slot, id.generation};
}

TimerId add_from_anywhere(const WebSocket& ws, milliseconds time, Repeat repeat, Function<void(WebSocket)>&& fn) {
  if (RealtimeWorker* w = here(MessageAccess::worker(ws))) {
    net::Connection* c = w->websocket(MessageAccess::id(ws));
    return c ? add(*w, *c, time, repeat, std::move(fn)) : TimerId();
  }
  command(ws, [time, repeat, fn = std::move(fn)](RealtimeWorker& w, net::Connection& c) mutable {
    add(w, c, time, repeat, std::move(fn));
  });
  return {};
}

}  // namespace

}  // namespace realtime

TimerId WebSocket::after(milliseconds delay, Function<void(WebSocket)> fn) const {
  return realtime::add_from_anywhere(*this, delay, realtime::Repeat::once, std::move(fn));
}

TimerId WebSocket::every(milliseconds interval, Function<void(WebSocket)> fn) const {
  return realtime::add_from_anywhere(*this, interval, realtime::Repeat::always, std::move(fn));
}

void WebSocket::cancel(TimerId timer) const noexcept {
  realtime::command(*this, [timer](realtime::RealtimeWorker& w, net::Connection& c) {
    const session::WsExtras* extras = c.state<session::WsState>().extras;
    const auto* timers = extras ? extras->slots.find<realtime::SocketTimers>() : nullptr;
    const net::UserTimers::Id id{timer.index, timer.generation};
    for (const realtime::SocketTimer* own = timers ? timers->first : nullptr; own; own = own->next) {
      if (own->id == id) return static_cast<void>(w.reactor.timers.cancel(id));
    }
  });
}

}  // namespace martlet
