// Server::reconfigure(). In a file of its own, so that it is linked by who calls it.
#include <optional>
#include <utility>

#include "app/app_access.h"
#include "app/server_impl.h"

namespace martlet {

// The routes are looked at under the mutex, as start() puts other Apps in the place of these; what is posted is posted without.
Error Server::Impl::reconfigure(std::optional<std::string_view> pattern, WsChanges&& changes) noexcept {
  Numbers all;
  {
    const std::lock_guard lock(mutex);
    if (go != Go::run) return "reconfigure() before start()";
    if (Error error = realtime::judge_changes(AppAccess::worker(*members[0].app), pattern, changes)) return error;
    all = {group->first, group->first + count};
  }
  return realtime::order_changes(all.first, all.end, pattern, std::move(changes));
}

Error Server::reconfigure(WsChanges changes) { return impl_->reconfigure({}, std::move(changes)); }

Error Server::reconfigure(std::string_view pattern, WsChanges changes) { return impl_->reconfigure(pattern, std::move(changes)); }

}  // namespace martlet
