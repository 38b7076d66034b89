// The processors we may use: how many, and which. Any thread; answers are of the moment and of the calling thread,
// whose affinity mask a new thread inherits. Asked at start, not on a hot path.
#pragma once

#include <pthread.h>

namespace martlet::sys {

// How many workers are sensible: the processors of the affinity mask, at most as many as the quota of the cgroups pays
// for (rounded up), at least 1.
int usable_processors() noexcept;

// Writes the numbers of the processors in the affinity mask, ascending, at most `max` of them; answers how many it
// wrote. Where there are no masks, 0 to n - 1.
int allowed_processors(int* out, int max) noexcept;

// The quota of our cgroup and of every cgroup above it that can be seen, the smallest, in processors rounded up; 0 when
// there is none. `root` stands before every path that is read ("" on a running system, a made-up tree in tests).
int cgroup_processors(const char* root) noexcept;

// Makes this processor the only one of the thread. False when it cannot be had, or where that cannot be asked for.
bool pin_thread(pthread_t thread, int processor) noexcept;

}  // namespace martlet::sys
