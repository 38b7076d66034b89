// See restarts.h.
#include "cluster/restarts.h"

#include <algorithm>

namespace martlet::cluster {

namespace {

uint64_t ns_of(std::chrono::milliseconds time) noexcept {
  constexpr int64_t kLongest = int64_t{1} << 40;
  return static_cast<uint64_t>(std::clamp<int64_t>(time.count(), 0, kLongest)) * 1'000'000;
}

}  // namespace

bool Restarts::ended(uint64_t now_ns, uint64_t& again_ns) {
  const uint64_t window = ns_of(options_.crash_window);
  const bool settled = now_ns - started_ns_ >= window;
  in_a_row_ = settled ? 1 : in_a_row_ + (in_a_row_ < UINT32_MAX);
  if (options_.crash_limit) {
    std::erase_if(ends_, [&](uint64_t end) { return now_ns - end >= window; });
    ends_.push_back(now_ns);
    if (ends_.size() >= options_.crash_limit) return false;
  }
  backoff_ns_ = settled || backoff_ns_ == 0 ? ns_of(options_.backoff_first) : backoff_ns_ * 2;
  backoff_ns_ = std::min(backoff_ns_, ns_of(options_.backoff_longest));
  again_ns = now_ns + backoff_ns_;
  return true;
}

}  // namespace martlet::cluster
