// Counts by key, in a table of fixed size that all threads may use: limits.h tells what it promises. A key is its 64-bit hash: one
// half chooses a set, the other is the tag in it. A set is two cache lines, side by side, with a lock of its own, so that
// workers meet only where they count the same key, or one in a hundred thousand others.
//
//   set   lock (4) | - (4) | ten tags (40) | ten states (80)         128 bytes; a tag of 0: nobody
//   logs  of sliding_log, ten for each set, in memory of their own
#pragma once

#include <martlet/limits.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/sip_hash.h"
#include "guards/rate_policy.h"

namespace martlet::detail {

class RateTable {
 public:
  explicit RateTable(const RateLimiterOptions& options);
  RateTable(const RateTable&) = delete;
  RateTable& operator=(const RateTable&) = delete;
  ~RateTable();

  // What is wrong with the options, or that memory is out: then it must not be asked. Null: nothing.
  const char* wrong() const noexcept { return wrong_; }
  // Keys of different kinds do not meet.
  uint64_t hash(std::string_view key, uint64_t kind = 0) const noexcept {
    return base::sip_hash(key, {key_.first ^ kind, key_.second});
  }
  // The set is on its way from memory from here on.
  void expect(uint64_t hash) const noexcept;
  RateDecision decide(uint64_t hash, uint32_t cost, bool counts) noexcept {
    expect(hash);
    return decide_at(now_ns(), hash, cost, counts);
  }
  RateDecision decide_at(uint64_t now_ns, uint64_t hash, uint32_t cost, bool counts) noexcept;
  void forget(uint64_t hash) noexcept;

  const guards::RatePolicy& policy() const noexcept { return policy_; }
  const base::SipKey& secret() const noexcept { return key_; }
  uint64_t now_ns() const noexcept;
  size_t bytes() const noexcept;
  uint64_t shared() const noexcept { return shared_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kWays = 10;
  struct Set;
  class Held;

  bool allocate() noexcept;
  Set& set_of(uint64_t hash) const noexcept;
  uint32_t* log_of(const Set& set, uint32_t place) const noexcept;
  uint32_t find_or_place(Set& set, uint32_t tag, uint64_t now_ns) noexcept;
  uint32_t least_place(Set& set, uint64_t now_ns) noexcept;

  guards::RatePolicy policy_;
  const char* wrong_;
  const MonotonicClock clock_;
  const base::SipKey key_;
  const uint64_t sets_;
  void* memory_ = nullptr;
  Set* first_ = nullptr;
  uint32_t* logs_ = nullptr;
  int64_t born_ns_;
  std::atomic<uint64_t> shared_{0};
};

}  // namespace martlet::detail

namespace martlet::guards {

// What a guard's options have of a limiter's.
template <typename Options>
RateLimiterOptions rate_options(Limit algorithm, const Options& o) noexcept {
  return {.algorithm = algorithm, .burst = o.burst, .clock = o.clock, .max = o.max, .max_keys = o.max_keys, .per = o.per};
}

}  // namespace martlet::guards
