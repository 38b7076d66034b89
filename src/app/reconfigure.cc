// App::reconfigure(). In a file of its own, so that it is linked by who calls it.
#include <martlet/app.h>

#include <optional>
#include <utility>

#include "app/app_access.h"
#include "net/worker_registry.h"

namespace martlet {

namespace {

Error reconfigure(const realtime::RealtimeWorker& w, std::optional<std::string_view> pattern, WsChanges&& changes) noexcept {
  if (Error error = realtime::judge_changes(w, pattern, changes)) return error;
  return realtime::order_changes(w.first, w.first + net::members_of(w.first), pattern, std::move(changes));
}

}  // namespace

Error App::reconfigure(WsChanges changes) { return martlet::reconfigure(AppAccess::worker(*this), {}, std::move(changes)); }

Error App::reconfigure(std::string_view pattern, WsChanges changes) {
  return martlet::reconfigure(AppAccess::worker(*this), pattern, std::move(changes));
}

}  // namespace martlet
