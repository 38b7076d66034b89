// What the option WsHandlers::on does, by pointer: who has the option does not link it.
#pragma once

#include <martlet/websocket.h>

#include "realtime/access.h"

namespace martlet {

struct EventListeners::Parts {
  void (*destroy)(List* list) noexcept;
  // On to the route. False when memory is out.
  bool (*install)(List& list, realtime::RealtimeWorker& w, realtime::WsRouteEntry& route) noexcept;
};

}  // namespace martlet
