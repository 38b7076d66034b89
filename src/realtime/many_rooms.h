// One message to the members of several rooms, each of them once: it lies in the log once, as a range of each room's, and who
// is in several of these has taken it with the first. The worker's thread.
#pragma once

#include <martlet/rooms.h>

#include <atomic>
#include <span>
#include <string_view>

#include "realtime/publish.h"

namespace martlet::realtime {

// `names` as MessageAccess::rooms_audience has packed them. Without `to_others` other workers have been told already. Null
// before there has been such an audience, so that who has none links nothing of it.
using PublishToRooms = SendStatus (*)(RealtimeWorker& w, std::string_view names, std::span<const WebSocket> except,
                                      const PublishedMessage& message, bool to_others);
extern std::atomic<PublishToRooms> publish_to_rooms;

}  // namespace martlet::realtime
