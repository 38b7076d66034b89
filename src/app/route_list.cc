// App::routes(), not_found() and constraint(): what few ask for.
#include <martlet/app.h>

#include "app/app_access.h"
#include "base/check.h"

namespace martlet {

void App::add_constraint(std::string_view name, Predicate predicate) { AppAccess::worker(*this).add_constraint(name, std::move(predicate)); }

void App::set_not_found(Step handler) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "not_found() after listen()");
  w.steps.push_back(std::move(handler));
  w.not_found = &w.steps.back();
}

std::vector<RouteInfo> App::routes() const {
  const realtime::RealtimeWorker& w = AppAccess::worker(const_cast<App&>(*this));
  std::vector<RouteInfo> all;
  for (const auto& chain : w.chains) {
    all.push_back({std::string(chain->method), chain->pattern, static_cast<uint32_t>(chain->entries.size()), false});
  }
  for (const auto& chain : w.ws_chains) {
    all.push_back({"GET", chain->pattern, static_cast<uint32_t>(chain->entries.size()), true});
  }
  return all;
}

}  // namespace martlet
