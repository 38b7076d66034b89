// Filters of a connection's messages (WebSocket::filter_messages): a part, so that nobody looks for any before there is one.
#include <martlet/websocket.h>

#include <utility>

#include "realtime/connection_slots.h"
#include "realtime/listeners.h"
#include "session/ws_session.h"
#include "worker/parts.h"

namespace martlet {

namespace realtime {

namespace {

struct Filters final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit Filters(worker::Worker& w) noexcept : Part(w) {}
};

void received(worker::Part& part, net::Connection& c, const session::MessageView& view) {
  session::WsExtras* extras = extras_of(c);
  if (!extras || !extras->listeners(Event::filter)) return;
  RealtimeWorker& w = realtime_of(part.worker);
  auto& route = static_cast<WsRouteEntry&>(*c.state<session::WsState>().route);
  const Message message = MessageAccess::message(view);
  bool passes = true;
  const bool good = run_listeners<const Message&, bool&>(route, c, *extras, Event::filter, message, passes);
  if (!good) session::handler_failed(w.sessions, c);
  if (!good || !passes) w.message_refused = true;
}

const worker::PartHooks Filters::kHooks{.received = received};

}  // namespace

}  // namespace realtime

ListenerId WebSocket::add_filter(Function<void(WebSocket, const Message&, bool&)> filter) const {
  realtime::command(*this, [](realtime::RealtimeWorker& w, net::Connection& c) {
    if (!w.parts.find_or_add<realtime::Filters>(w)) realtime::no_memory(w, c);  // routes tell it of messages from now on
  });
  return realtime::add(*this, realtime::Event::filter, std::move(filter));
}

}  // namespace martlet
