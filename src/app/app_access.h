// What the Server may look at in an App.
#pragma once

#include <martlet/app.h>

#include <memory>
#include <string_view>

#include "realtime/realtime.h"

namespace martlet {

struct AppAccess {
  static realtime::RealtimeWorker& worker(App& app) noexcept;
  static const realtime::RealtimeWorker& worker(const App& app) noexcept;
  // Of its worker; any thread.
  static uint32_t first(const App& app) noexcept;
  // A WebSocket's route with steps of its own (ws_use.cc).
  static void add_ws(realtime::RealtimeWorker& w, std::string_view path, std::unique_ptr<realtime::WsRouteEntry> entry,
                     detail::WsRouteSteps&& steps);
};

}  // namespace martlet
