// See limits.h.
#include <martlet/limits.h>

#include "guards/rate_table.h"

namespace martlet {

RateLimiter::RateLimiter(const RateLimiterOptions& o)
    : table_(new detail::RateTable(guards::RatePolicy::of("RateLimiter", o.algorithm, o.max, o.burst, o.per), o.max_keys, o.clock)) {}
RateLimiter::~RateLimiter() { delete table_; }

RateDecision RateLimiter::allow(std::string_view key, uint32_t cost) noexcept {
  return table_->decide(table_->hash(key), cost, true);
}
RateDecision RateLimiter::peek(std::string_view key, uint32_t cost) noexcept {
  return table_->decide(table_->hash(key), cost, false);
}
void RateLimiter::forget(std::string_view key) noexcept { table_->forget(table_->hash(key)); }

size_t RateLimiter::bytes() const noexcept { return table_->bytes(); }
uint64_t RateLimiter::shared() const noexcept { return table_->shared(); }

}  // namespace martlet
