// See clock.h.
#include "sys/clock.h"

#include "sys/syscalls.h"

namespace martlet::sys {

uint64_t monotonic_ns() noexcept {
  timespec now;
  syscalls.clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

int64_t wall_seconds() noexcept {
  timespec now;
  syscalls.clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

uint64_t wall_ms() noexcept {
  timespec now;
  syscalls.clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec < 0 ? 0 : static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace martlet::sys
