// The arithmetic of limits: what one key has used up, as 64 bits (0: nothing) and, of sliding_log, the times of each as well.
//
//   fixed_window    the window's end (40 bits, ms) | how many (24)
//   sliding_window  the window's number (24) | how many in the one before (20) | in this one (20)
//   sliding_log     the newest time (40, ms) | how many (12) | where in the log the oldest is (12)
//   the others      the time at which the bucket is full again (ns)
//
// Times are since the limiter was made. A clock that goes back is noticed by what is further ahead than it can be, which is then
// as far ahead as it can be. Whoever holds a state guards it; a policy does not change. Any thread.
#pragma once

#include <martlet/limits.h>

#include <cstddef>
#include <cstdint>

namespace martlet::guards {

struct RatePolicy {
  Limit algorithm = Limit::sliding_window;
  uint32_t max = 1;       // of the buckets their size
  uint64_t per_ms = 1;
  uint64_t interval_ns = 1;   // of the buckets: for one
  uint64_t tolerance_ns = 1;  // and for all that they hold

  // Becomes that of these options; else answers what is wrong with them. Null: nothing.
  const char* take(const RateLimiterOptions& options) noexcept;

  // Of sliding_log: how many times it has for each key.
  uint32_t log_size() const noexcept { return algorithm == Limit::sliding_log ? max : 0; }
  // `counts`: what is allowed changes the state.
  RateDecision decide(uint64_t& state, uint32_t* log, uint64_t now_ns, uint32_t cost, bool counts) const noexcept;
  // How much there is to lose: 0 when nothing counts any more.
  uint64_t weight(uint64_t state, uint64_t now_ns) const noexcept;
};

}  // namespace martlet::guards
