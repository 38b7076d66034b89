// Who decides about joins (App::on_join): a part. The worker's thread.
#pragma once

#include <martlet/rooms.h>

#include "realtime/realtime.h"

namespace martlet::realtime {

// False when memory is out.
bool hook_joins(RealtimeWorker& w, Function<void(WebSocket, std::string_view, Admit)> fn) noexcept;

}  // namespace martlet::realtime
