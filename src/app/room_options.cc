// App::rooms_options and App::on_join: for who wants them.
#include <martlet/app.h>

#include <algorithm>

#include "app/app_access.h"
#include "base/check.h"
#include "base/limits.h"
#include "realtime/join_hook.h"
#include "realtime/room_limits.h"
#include "realtime/room_records.h"

namespace martlet {

App& App::rooms_options(const RoomsOptions& options) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "rooms_options() after listen()");
  constexpr uint32_t kLongestName = 0x7fff'ffff;
  w.joins.most_name_bytes = std::min(options.max_name_bytes, kLongestName);
  w.joins.most_rooms = options.max_rooms ? options.max_rooms : UINT32_MAX;
  if (w.group) w.group->directory.limit_rooms(w.joins.most_rooms);
  bool good = true;
  if (options.max_rooms_per_socket || w.joins.may_have_more) {  // a second call replaces the first
    good = realtime::limit_rooms_of_socket(w, options.max_rooms_per_socket ? options.max_rooms_per_socket : UINT32_MAX);
  }
  if (options.history || options.keep_empty.count() > 0 || w.joins.record) {
    good = good && realtime::begin_records(w, {options.history, uint64_t{base::to_ms(options.keep_empty)} * 1'000'000});
  }
  MARTLET_CHECK(good && "rooms_options(): out of memory");
  return *this;
}

App& App::on_join(Function<void(WebSocket, std::string_view, Admit)> decide) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "on_join() after listen()");
  const bool good = realtime::hook_joins(w, std::move(decide));
  MARTLET_CHECK(good && "on_join(): out of memory");
  return *this;
}

}  // namespace martlet
