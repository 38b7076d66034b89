// See limits.h.
#include <martlet/limits.h>

#include <algorithm>

#include "guards/mistake.h"
#include "guards/rate_table.h"

namespace martlet {

RateLimiter::RateLimiter(const RateLimiterOptions& options) : table_(new detail::RateTable(options)) {
  guards::abort_if(guards::mistake_in("RateLimiter", table_->wrong()));
}
RateLimiter::~RateLimiter() { delete table_; }

RateDecision RateLimiter::allow(std::string_view key, uint32_t cost) noexcept {
  return table_->decide(table_->hash(key), cost, true);
}
void RateLimiter::allow(std::span<const std::string_view> keys, std::span<RateDecision> decisions) noexcept {
  constexpr size_t kAtOnce = 16;  // a processor has some ten reads under way
  const uint64_t now = table_->now_ns();
  const size_t count = std::min(keys.size(), decisions.size());
  for (size_t from = 0; from < count; from += kAtOnce) {
    uint64_t hashes[kAtOnce];
    const size_t some = std::min(kAtOnce, count - from);
    for (size_t i = 0; i < some; i++) table_->expect(hashes[i] = table_->hash(keys[from + i]));
    for (size_t i = 0; i < some; i++) decisions[from + i] = table_->decide_at(now, hashes[i], 1, true);
  }
}
RateDecision RateLimiter::peek(std::string_view key, uint32_t cost) noexcept {
  return table_->decide(table_->hash(key), cost, false);
}
void RateLimiter::forget(std::string_view key) noexcept { table_->forget(table_->hash(key)); }

size_t RateLimiter::bytes() const noexcept { return table_->bytes(); }
uint64_t RateLimiter::shared() const noexcept { return table_->shared(); }

}  // namespace martlet
