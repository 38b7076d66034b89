// Which listener of a SO_REUSEPORT group gets a connection: the one whose worker runs on the processor that took the
// packet. Linux only; elsewhere the answer is an Error.
#pragma once

#include <martlet/error.h>

namespace martlet::sys {

inline constexpr int kMaxSteered = 1024;

// Attaches a program to the whole group that `listener` belongs to: a connection whose SYN is handled on processor
// processors[i] goes to socket i of the group, one from any other processor p to socket p % count. Socket i is the one
// that came i-th to the group by listen(); when one is closed, the last takes its number, so steer again then.
// `count` is the number of sockets in the group, up to kMaxSteered, each processor at most once (EINVAL otherwise: of
// several sockets for one processor, only the first would ever get anything). After an error the kernel spreads
// connections as before. Any thread.
Error steer_by_processor(int listener, const int* processors, int count) noexcept;

}  // namespace martlet::sys
