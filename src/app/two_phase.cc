// App::ws() with a set-up of its own. In a file of its own, so that it is linked by who has such a route.
#include <martlet/app.h>

#include "app/app_access.h"

namespace martlet {

void App::add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options) {
  AppAccess::worker(*this).add_ws(path, realtime::two_phase_route(std::move(set_up), std::move(options)));
}

}  // namespace martlet
