// The part of timer_wheel.h that knows no node: finding the next occupied bucket in a bitmap of 1,024 bits, which is
// at most seventeen words to look at. The worker's thread.
#include "net/timer_wheel.h"

#include <bit>

namespace martlet::net {

WheelBuckets::WheelBuckets() noexcept {
  for (uint32_t& head : heads_) head = kEnd;
}

uint32_t WheelBuckets::ticks_to_occupied() const noexcept {
  constexpr uint32_t kWords = kBuckets / 64;
  const uint32_t from = (position_ + 1) & kMask;
  for (uint32_t i = 0; i <= kWords; i++) {
    const uint32_t word = (from / 64 + i) % kWords;
    uint64_t bits = occupied_[word];
    // The word that the search starts in is looked at twice: its upper part first, its lower part last.
    if (i == 0) bits &= ~uint64_t{0} << (from % 64);
    if (i == kWords) bits &= ~(~uint64_t{0} << (from % 64));
    if (bits == 0) continue;
    const uint32_t bucket = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
    return ((bucket - from) & kMask) + 1;
  }
  return kBuckets;
}

void WheelBuckets::advance(uint32_t now_tick) noexcept {
  const uint32_t ahead = ticks_to_occupied();
  // With nothing in the wheel, "no later than now" is the only bound.
  position_ = size_ > 0 && ahead < now_tick - position_ ? position_ + ahead : now_tick;
}

int64_t WheelBuckets::ns_until_next(uint64_t now_ns) const noexcept {
  if (size_ == 0) return -1;
  if (heads_[position_ & kMask] != kEnd) return 0;  // the budget ran out there
  const auto ticks = static_cast<int32_t>(position_ + ticks_to_occupied() - tick_of(now_ns));
  if (ticks <= 0) return 0;
  return (int64_t{ticks} << kTickShift) - static_cast<int64_t>(now_ns & (kTickNs - 1));
}

}  // namespace martlet::net
