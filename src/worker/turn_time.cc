// The time of the present turn (loop.h).
#include <martlet/loop.h>

#include "sys/clock.h"
#include "worker/worker.h"

namespace martlet {

std::chrono::nanoseconds turn_time() noexcept {
  const worker::Worker* w = worker::current_worker_;
  return std::chrono::nanoseconds(w ? w->reactor.now_ns() : sys::monotonic_ns());
}

}  // namespace martlet
