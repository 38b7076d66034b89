// The option WsHandlers::on. Only its constructor with listeners names what events take (event_listeners_made.cc), so that
// without one it is not linked.
#include <martlet/websocket.h>

#include <utility>

#include "realtime/event_parts.h"
#include "realtime/realtime.h"

namespace martlet {

void EventListeners::forget() noexcept { parts_->destroy(list_); }

EventListeners::EventListeners(EventListeners&& other) noexcept
    : list_(std::exchange(other.list_, nullptr)), parts_(std::exchange(other.parts_, nullptr)) {}

EventListeners& EventListeners::operator=(EventListeners&& other) noexcept {
  std::swap(list_, other.list_);
  std::swap(parts_, other.parts_);
  return *this;
}

bool MessageAccess::install(EventListeners& listeners, realtime::RealtimeWorker& w, realtime::WsRouteEntry& route) noexcept {
  return !listeners.list_ || listeners.parts_->install(*listeners.list_, w, route);
}

namespace realtime {

bool install_listeners(RealtimeWorker& w, WsRouteEntry& route) noexcept { return MessageAccess::install(route.handlers.on, w, route); }

}  // namespace realtime
}  // namespace martlet
