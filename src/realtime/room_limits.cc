// See room_limits.h. Each connection counts its rooms in a slot, as to walk them would make a join cost what there are.
#include "realtime/room_limits.h"

#include "realtime/connection_slots.h"

namespace martlet::realtime {

namespace {

struct RoomCount {
  static constexpr worker::PartKey kKey{};
  uint32_t rooms = 0;
};

struct RoomLimits final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  uint32_t most = UINT32_MAX;
};

void joined(worker::Part&, net::Connection& c, std::string_view) {
  if (RoomCount* count = find_slot<RoomCount>(c)) count->rooms++;
}

void left(worker::Part&, net::Connection& c, std::string_view) {
  if (RoomCount* count = find_slot<RoomCount>(c)) count->rooms--;
}

const worker::PartHooks RoomLimits::kHooks{.joined = joined, .left = left};

JoinRefusal may_have_more(RealtimeWorker& w, net::Connection& c) noexcept {
  const RoomCount* count = slot_for<RoomCount>(c);
  if (!count) return JoinRefusal::out_of_memory;
  return count->rooms < w.parts.find<RoomLimits>()->most ? JoinRefusal::none : JoinRefusal::too_many_rooms_of_socket;
}

}  // namespace

bool limit_rooms_of_socket(RealtimeWorker& w, uint32_t most) noexcept {
  auto* limits = w.parts.find_or_add<RoomLimits>(w);
  if (!limits) return false;
  limits->most = most;
  w.joins.may_have_more = may_have_more;
  return true;
}

}  // namespace martlet::realtime
