// Messages in pieces (WebSocket::on_fragment). In a file of its own: what it names is linked by who asks for it.
#include <martlet/websocket.h>

#include "realtime/connection_slots.h"
#include "realtime/listeners.h"
#include "session/ws_input.h"

namespace martlet {

namespace realtime {

namespace {

bool on_fragment(session::WsRoute& to, net::Connection& c, const session::FragmentView& view) {
  auto& route = static_cast<WsRouteEntry&>(to);
  session::WsExtras* extras = extras_of(c);
  if (!extras) return true;
  RealtimeWorker& w = *route.worker;
  w.note_call(route.pattern);
  if (view.is_first && w.observed() && !w.observe(c, {const_cast<uint8_t*>(view.data), view.size, nullptr, view.is_text})) {
    w.sessions.stats.messages_received += !view.is_last;  // else it has been counted
    session::close_websocket(w.sessions, c, proto::close_code::policy_violation, "Message refused", CloseCause::local_close);
    return true;
  }
  if (route.times.idle) note_data(w, route, c);
  const Fragment fragment = MessageAccess::fragment(view);
  return run_listeners<const Fragment&>(route, c, *extras, Event::fragment, fragment);
}

constexpr session::WsStreaming kStreaming{session::take_streamed, on_fragment};

}  // namespace

}  // namespace realtime

ListenerId WebSocket::on_fragment(Function<void(WebSocket, const Fragment&)> handler) const {
  const ListenerId id = realtime::add(*this, realtime::Event::fragment, std::move(handler));
  realtime::command(*this, [](realtime::RealtimeWorker& w, net::Connection& c) {
    const session::WsExtras* extras = realtime::extras_of(c);
    if (!extras || !extras->first[static_cast<size_t>(realtime::Event::fragment)]) return;
    w.sessions.streaming = &realtime::kStreaming;
    if (!session::stream_messages(w.sessions, c, true)) realtime::no_memory(w, c);
  });
  return id;
}

}  // namespace martlet
