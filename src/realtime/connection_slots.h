// The lazy block of a WebSocket connection, and the typed slots in it (worker/slots.h). The worker's thread.
#pragma once

#include <utility>

#include "base/alloc.h"
#include "realtime/extras.h"
#include "session/ws_session.h"

namespace martlet::realtime {

// Null when nothing has needed it.
inline session::WsExtras* extras_of(net::Connection& c) noexcept { return c.state<session::WsState>().extras; }

// Made where it is missing. Null when memory is out, and in the connection's last moments: what it had is being destroyed,
// and what a destructor asks for would stay.
inline session::WsExtras* extras_for(net::Connection& c) noexcept {
  auto& ws = c.state<session::WsState>();
  if (!ws.extras && ws.ready != ReadyState::closed) ws.extras = base::create<session::WsExtras>();
  return ws.extras;
}

// Null when it is not there.
template <typename T>
T* find_slot(net::Connection& c) noexcept {
  const session::WsExtras* extras = extras_of(c);
  return extras ? extras->slots.find<T>() : nullptr;
}

// Null as extras_for() is, and when memory is out.
template <typename T>
T* slot_for(net::Connection& c) noexcept {
  session::WsExtras* extras = extras_for(c);
  return extras ? extras->slots.find_or_add<T>() : nullptr;
}

}  // namespace martlet::realtime
