// Adding a listener to a connection, for those who have an event of their own to add to the list. Any thread.
#pragma once

#include <cstdint>
#include <utility>

#include "realtime/commands.h"
#include "realtime/connection_slots.h"
#include "realtime/realtime.h"

namespace martlet::realtime {

void append(session::WsExtras& extras, Event event, ListenerBase& made) noexcept;
void no_memory(RealtimeWorker& w, net::Connection& c) noexcept;

struct How {
  bool once = false;
  bool alone = false;  // in place of those that are there
};

template <typename Signature>
ListenerId add(const WebSocket& ws, Event event, Function<Signature> handler, How how = {}) {
  if (!handler && !how.alone) return {};
  const uint64_t id = handler ? next_listener() : 0;
  command(ws, [event, how, id, handler = std::move(handler)](RealtimeWorker& w, net::Connection& c) mutable {
    if (c.state<session::WsState>().ready == ReadyState::closed) return;
    session::WsExtras* extras = extras_for(c);
    auto* made = id && extras ? base::create<Listener<Signature>>(std::move(handler)) : nullptr;
    if (!extras || (id && !made)) return no_memory(w, c);
    if (how.alone) take_out_all(w, extras->listeners(event));
    if (!made) return;
    made->id = id;
    made->once = how.once;
    append(*extras, event, *made);
  });
  return {id};
}

// One of these goes out of its list before it is called, as it may add itself again.
inline void take_out_once(RealtimeWorker& w, session::WsExtras& extras, Event event, const ListenerBase* listener) noexcept {
  ListenerBase** link = &extras.listeners(event);
  while (*link != listener) link = &(*link)->following;
  take_out(w, *link);
}

// When one has thrown: what is told of an end changes nothing about it.
inline RealtimeWorker::Then after_failure(Event event) noexcept {
  return event == Event::error || event == Event::close ? RealtimeWorker::Then::goes_on : RealtimeWorker::Then::closes;
}

// Runs those of the connection's own that were there when it began, whatever they do to the list. False when one threw.
template <typename... Args>
bool run_listeners(WsRouteEntry& route, net::Connection& c, session::WsExtras& extras, Event event, Args... args) noexcept {
  RealtimeWorker& w = *route.worker;
  const WebSocket ws = w.handle(c);
  const uint64_t last = extras.last_number;
  bool good = true;
  for (ListenerBase* listener = extras.listeners(event); listener && listener->number <= last; listener = listener->following) {
    if (listener->gone) continue;
    if (listener->once) take_out_once(w, extras, event, listener);
    if (static_cast<Listener<void(WebSocket, Args...)>*>(listener)->function(ws, args...)) continue;
    w.report_failure(route.pattern, ws, after_failure(event));
    good = false;
  }
  return good;
}

}  // namespace martlet::realtime
