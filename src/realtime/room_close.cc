// Room::close: all members, on all workers.
#include <martlet/rooms.h>

#include "base/kept_text.h"
#include "net/worker_registry.h"
#include "proto/ws_frame.h"
#include "realtime/realtime.h"

namespace martlet {

namespace {

using realtime::RealtimeWorker;

// Nobody leaves the room by this: that is for the connections' ends, in a later turn.
void close_members(RealtimeWorker& w, base::SlotId id, CloseCode code, std::string_view reason) noexcept {
  const realtime::RoomRecord* room = w.find_room(id);
  if (!room) return;
  for (const session::Membership* m = room->first; m; m = m->room_next) {
    w.handle(*w.reactor.connections.live(m->connection_slot)).close(code, reason);
  }
}

SendStatus order_close(uint32_t number, base::SlotId id, CloseCode code, std::string_view reason) noexcept {
  base::KeptText kept(reason);
  return realtime::post_to(number, [id, code, kept = std::move(kept)](RealtimeWorker& w) { close_members(w, id, code, kept.text()); });
}

}  // namespace

SendStatus Room::close(CloseCode code, std::string_view reason) const noexcept {
  const base::SlotId id{slot_, generation_};
  if (generation_ == 0) return SendStatus::closed;
  RealtimeWorker* own = realtime::here_among(worker_);
  SendStatus answer = own ? SendStatus::ok : SendStatus::closed;
  if (own && !ok()) return SendStatus::closed;
  for (uint32_t number = worker_; number < worker_ + net::members_of(worker_); number++) {
    if (own && own->number == number) continue;
    const SendStatus posted = order_close(number, id, code, reason.substr(0, proto::kMaxControlPayload));
    if (posted == SendStatus::dropped || answer == SendStatus::closed) answer = posted;
  }
  if (own) close_members(*own, id, code, reason);
  return answer;
}

}  // namespace martlet
