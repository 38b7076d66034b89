// Audiences whose members are on several workers of a group: how they are found by what the directory knows of them, and
// what comes for them from other workers.
#include <utility>

#include "base/short_array.h"
#include "realtime/realtime.h"
#include "realtime/topic_seam.h"
#include "session/ws_session.h"

namespace martlet::realtime {

AudienceLog* RealtimeWorker::find_audience(worker::AudienceKind kind, base::SlotId id) noexcept {
  if (kind == worker::AudienceKind::all) return &everybody;
  const worker::DirectoryEntry* entry = group->directory.find(id);
  if (!entry) return nullptr;
  if (kind == worker::AudienceKind::room) {
    RoomRecord* room = rooms.find(*entry);
    return room ? &room->log : nullptr;
  }
  for (const auto& route : ws_routes) {
    if (route->shared == entry) return &route->log;
  }
  return nullptr;
}

base::SlotId RealtimeWorker::id_of(const WsRouteEntry& route) const noexcept {
  if (!group) return {route.number, 0};
  return route.shared ? route.shared->id() : group->directory.find(worker::AudienceKind::route, route.pattern).id;
}

worker::Directory::Found RealtimeWorker::everybody_found() const noexcept {
  if (all_shared) return {all_shared, all_shared->id()};
  return group->directory.find(worker::AudienceKind::all, {});
}

RealtimeWorker::Entered RealtimeWorker::enter_route(WsRouteEntry& route) noexcept {
  const uint32_t limit = route.handlers.options.max_connections;
  const uint32_t most = limit ? limit : UINT32_MAX;
  if (!group) {
    if (route.connections >= most) return Entered::full;
    return count_in(route), Entered::yes;
  }
  worker::Directory& directory = group->directory;
  if (!all_shared) all_shared = directory.enter(worker::AudienceKind::all, {}, seat);
  if (all_shared && !route.shared) route.shared = directory.enter(worker::AudienceKind::route, route.pattern, seat);
  if (!route.shared || !route.shared->add_member_below(most)) {
    const Entered answer = route.shared ? Entered::full : Entered::no_memory;
    let_go_of_entries(route);
    return answer;
  }
  all_shared->add_member();
  return count_in(route), Entered::yes;
}

void RealtimeWorker::count_in(WsRouteEntry& route) noexcept {
  route.connections++;
  stats.open_websockets++;
}

void RealtimeWorker::leave_route(WsRouteEntry& route) noexcept {
  route.connections--;
  stats.open_websockets--;
  if (!group) return;
  all_shared->remove_member();
  route.shared->remove_member();
  let_go_of_entries(route);
}

// Those that no connection of this worker needs.
void RealtimeWorker::let_go_of_entries(WsRouteEntry& route) noexcept {
  if (route.shared && route.connections == 0) group->directory.leave(*std::exchange(route.shared, nullptr), seat);
  if (all_shared && stats.open_websockets == 0) group->directory.leave(*std::exchange(all_shared, nullptr), seat);
}

// Puts the frames of an item into this worker's log, for its members of that audience.
void take_item(worker::Worker& worker, const worker::ParcelItem& item, std::span<const worker::ParcelExcept> except) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  if (item.among != worker::Among::further) w.to_several.published = false;
  const bool to_topic = item.kind == worker::AudienceKind::topics;
  AudienceLog* audience = to_topic ? nullptr : w.find_audience(item.kind, item.entry);
  if (to_topic ? !w.topics : !audience) return;  // the last member has left
  base::ShortArray<net::Connection*, MessageAccess::kFewExcepts> left_out(except.size());
  if (left_out.ok()) {
    for (const worker::ParcelExcept& one : except) {
      net::Connection* c = one.worker == w.number ? w.websocket(one.id) : nullptr;
      if (c) left_out.push(c);
    }
  }
  if (to_topic && left_out.ok()) return w.topics->take(w, item, left_out.span());
  RealtimeWorker::ToSeveral& several = w.to_several;
  const bool again = item.among == worker::Among::further && several.published;
  const bool good = left_out.ok() && (again ? publish_again(w, *audience, several.range, item.compress)
                                            : publish_frames(w, *audience, {item.block, item.data, item.size, item.messages},
                                                             item.compress, left_out.span(), several.range));
  if (good) {
    several.published = item.among != worker::Among::alone;
    w.list(*audience);
  } else {
    w.stats.messages_dropped += item.messages;
  }
}

// This worker's members of an audience missed messages: it did not turn for too long.
void lagged(worker::Worker& worker, worker::AudienceKind kind, base::SlotId entry, uint64_t messages) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  const auto treat = [&](net::Connection& c) {
    if (!c.closing && is_let_in(c)) session::treat_as_slow(w.sessions, c, messages);
  };
  if (kind == worker::AudienceKind::topics) {
    if (w.topics) w.topics->lagged(w, messages);
    return;
  }
  AudienceLog* audience = w.find_audience(kind, entry);
  if (!audience) return;
  if (audience->room) {
    for (const session::Membership* m = audience->room->first; m; m = m->room_next) {
      treat(*w.reactor.connections.live(m->connection_slot));
    }
    return;
  }
  w.for_each_websocket([&](net::Connection& c) {
    if (!audience->route || c.state<session::WsState>().route == audience->route) treat(c);
  });
}

}  // namespace martlet::realtime
