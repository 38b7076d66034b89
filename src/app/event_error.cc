// App::on_event_error, apart: what it names is not in a program without events.
#include <martlet/app.h>

#include "app/app_access.h"
#include "base/check.h"
#include "realtime/events.h"

namespace martlet {

App& App::on_event_error(Function<void(WebSocket, const EventError&)> handler) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "on_event_error() after listen()");
  auto* events = w.parts.find_or_add<realtime::Events>(w);
  if (events) {
    events->on_error = std::move(handler);
  } else if (!w.mistake) {
    w.mistake = Error("out of memory");
  }
  return *this;
}

}  // namespace martlet
