// App::ws_use, and WebSocket routes with steps of their own: who does without them is linked without them.
#include <martlet/app.h>

#include <utility>

#include "app/app_access.h"
#include "realtime/ws_steps.h"

namespace martlet {

void AppAccess::add_ws(realtime::RealtimeWorker& w, std::string_view path, std::unique_ptr<realtime::WsRouteEntry> entry, detail::WsRouteSteps&& steps) {
  const detail::SocketStepParts* parts = steps.behind.empty() ? nullptr : SocketStepAccess::parts(steps.behind[0]);
  realtime::WsRouteEntry& route = *entry;
  if (!w.add_ws(path, std::move(entry), steps.before)) return;
  if (parts) parts->add_own(route, std::move(steps.behind));
}

void App::add_ws(std::string_view path, WsHandlers&& handlers, detail::WsRouteSteps&& steps) {
  auto entry = std::make_unique<realtime::WsRouteEntry>();
  entry->handlers = std::move(handlers);
  AppAccess::add_ws(AppAccess::worker(*this), path, std::move(entry), std::move(steps));
}

void App::add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options, detail::WsRouteSteps&& steps) {
  auto entry = std::make_unique<realtime::WsRouteEntry>();
  entry->handlers.options = std::move(options);
  entry->on_open = std::move(on_open);
  AppAccess::add_ws(AppAccess::worker(*this), path, std::move(entry), std::move(steps));
}

void App::add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options, detail::WsRouteSteps&& steps) {
  AppAccess::add_ws(AppAccess::worker(*this), path, realtime::two_phase_route(std::move(set_up), std::move(options)), std::move(steps));
}

void App::add_ws_use(std::string_view prefix, WsStep step) {
  SocketStepAccess::parts(step)->add_use(AppAccess::worker(*this), prefix, std::move(step), routing::UsePrefix::fixed);
}

}  // namespace martlet
