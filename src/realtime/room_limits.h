// How many rooms one connection may be in: a part, for who sets such a limit. The worker's thread.
#pragma once

#include "realtime/realtime.h"

namespace martlet::realtime {

// False when memory is out.
bool limit_rooms_of_socket(RealtimeWorker& w, uint32_t most) noexcept;

}  // namespace martlet::realtime
