// Timeouts of connections: a hashed timing wheel over slot numbers.
//
// A worker may have a hundred thousand connections, each with one deadline that moves all the time and hardly ever
// passes. So: scheduling and cancelling are O(1) and allocate nothing (the links are slot numbers inside the
// connection); a deadline that moves later, which is what activity does, is one store; and nothing ever walks all
// connections.
//
// Time is counted in ticks of 2^26 ns (67 ms; tick numbers may wrap). The wheel has kBuckets buckets, 69 s. A node is
// in a bucket that comes up no later than its deadline; when the bucket comes up and the deadline has not passed
// (it moved, or is more than a turn of the wheel away), the node is linked again. expire() visits at most `budget`
// nodes and then says that more remain, so a lump of deadlines delays a worker's turn by a bounded time only.
//
// Timeouts are never early, and late by a tick and the budget at most. The worker's thread.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace martlet::net {

// Part of each connection. Copying a linked node is a mistake.
struct WheelNode {
  static constexpr uint32_t kUnlinked = UINT32_MAX;

  uint32_t previous = kUnlinked;  // a slot, or WheelBuckets::kHeadBit | bucket for the first of its bucket
  uint32_t next = kUnlinked;      // a slot, or WheelBuckets::kEnd
  uint32_t deadline_tick = 0;

  bool linked() const noexcept { return previous != kUnlinked; }
};
static_assert(sizeof(WheelNode) == 12);

// Ticks wrap: "later" means within the half of the number circle ahead.
constexpr bool tick_is_after(uint32_t a, uint32_t b) noexcept { return static_cast<int32_t>(a - b) > 0; }

// The part that knows no node: buckets, the bitmap of those in use, and the position in time.
class WheelBuckets {
 public:
  static constexpr int kTickShift = 26;
  static constexpr uint64_t kTickNs = uint64_t{1} << kTickShift;
  static constexpr uint32_t kBuckets = 1024;
  static constexpr uint32_t kHeadBit = uint32_t{1} << 31;
  static constexpr uint32_t kEnd = UINT32_MAX - 1;
  static constexpr uint64_t kLongestMs = uint64_t{1} << 36;  // two years; much more would count as past

  // The tick that this moment lies in: what expire() wants.
  static constexpr uint32_t tick_of(uint64_t now_ns) noexcept { return static_cast<uint32_t>(now_ns >> kTickShift); }
  // The first tick that begins at this moment or later: what schedule() wants.
  static constexpr uint32_t deadline_of(uint64_t deadline_ns) noexcept { return tick_of(deadline_ns + kTickNs - 1); }
  // A timeout as a number of ticks, rounded up, at least 1. From any moment within tick t, tick t + 1 + that number is
  // not early.
  static constexpr uint32_t ticks_of_ms(uint64_t timeout_ms) noexcept {
    if (timeout_ms >= kLongestMs) timeout_ms = kLongestMs;
    const uint64_t ticks = (timeout_ms * 1'000'000 + kTickNs - 1) >> kTickShift;
    return ticks == 0 ? 1 : static_cast<uint32_t>(ticks);
  }
  // For the first heartbeat: a tick in (now, now + interval] that differs from slot to slot, such that any run of
  // slots (a thousand clients that reconnect at once) is spread evenly over the interval.
  static constexpr uint32_t spread_tick(uint32_t slot, uint32_t now_tick, uint32_t interval_ticks) noexcept {
    const uint32_t phase = slot * 2654435769u;  // 2^32 / golden ratio
    return now_tick + 1 + static_cast<uint32_t>(static_cast<uint64_t>(phase) * interval_ticks >> 32);
  }

  // The same in milliseconds from now.
  static constexpr uint32_t spread_ms(uint32_t slot, uint32_t interval_ms) noexcept {
    const uint64_t ms = uint64_t{spread_tick(slot, 0, ticks_of_ms(interval_ms))} * kTickNs / 1'000'000;
    return ms < UINT32_MAX ? static_cast<uint32_t>(ms) : UINT32_MAX;
  }

  WheelBuckets() noexcept;
  // Nodes linked.
  uint32_t size() const noexcept { return size_; }
  // Nanoseconds until expire() has something to look at: 0 now, -1 when the wheel is empty.
  int64_t ns_until_next(uint64_t now_ns) const noexcept;

 protected:
  static constexpr uint32_t kMask = kBuckets - 1;

  // The bucket for a deadline: the deadline's own if it comes up within this turn of the wheel, else one that keeps
  // distant deadlines as spread as they are. Never the bucket of the present position: it is being emptied.
  uint32_t bucket_for(uint32_t deadline_tick) const noexcept {
    const uint32_t ahead = tick_is_after(deadline_tick, position_) ? deadline_tick - position_ : 1;
    if (ahead < kBuckets) return (position_ + ahead) & kMask;
    return (ahead & kMask) ? deadline_tick & kMask : (position_ + kMask) & kMask;
  }
  void mark(uint32_t bucket) noexcept { occupied_[bucket / 64] |= uint64_t{1} << (bucket % 64); }
  void unmark(uint32_t bucket) noexcept { occupied_[bucket / 64] &= ~(uint64_t{1} << (bucket % 64)); }
  // Ticks from the position to the next occupied bucket, in 1 … kBuckets; kBuckets when there is none but the
  // position's own.
  uint32_t ticks_to_occupied() const noexcept;
  // Moves the position to the next occupied bucket, or to now_tick if that comes first.
  void advance(uint32_t now_tick) noexcept;

  uint32_t heads_[kBuckets];
  uint64_t occupied_[kBuckets / 64] = {};
  uint32_t position_ = 0;  // buckets of earlier ticks are empty; that of this tick has been looked at
  uint32_t size_ = 0;
};

// `Access` is called with a slot number and answers WheelNode&; the slots it is asked for are those scheduled.
// Slots are below 2^31.
template <typename Access>
class TimerWheel : public WheelBuckets {
 public:
  explicit TimerWheel(Access access = Access()) noexcept : access_(access) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Where time begins; before the first schedule().
  void start(uint32_t now_tick) noexcept {
    MARTLET_DCHECK(size_ == 0);
    position_ = now_tick;
  }

  // (Re)arms. A deadline that has passed counts as the next tick. Deadlines are less than 2^31 ticks away.
  void schedule(uint32_t slot, uint32_t deadline_tick) noexcept {
    WheelNode& node = access_(slot);
    // Moving later: the node is found too early in its old bucket, and linked again then.
    const bool stays = node.linked() && !tick_is_after(node.deadline_tick, deadline_tick);
    if (node.linked() && !stays) unlink(node);
    node.deadline_tick = deadline_tick;
    if (!stays) link(slot, node);
  }

  // Disarms; nothing when not armed. Must be called before a connection's slot is freed.
  void cancel(uint32_t slot) noexcept {
    WheelNode& node = access_(slot);
    if (node.linked()) unlink(node);
  }

  // Calls on_expired(slot) for the nodes whose deadline tick is now_tick or before; each is disarmed by then and may
  // be scheduled again, and any other may be scheduled or cancelled. Looks at no more than `budget` nodes; true when
  // it stopped because of that.
  template <typename Fn>
  bool expire(uint32_t now_tick, uint32_t budget, Fn&& on_expired) {
    for (;;) {
      const uint32_t slot = heads_[position_ & kMask];
      if (slot == kEnd) {
        if (!tick_is_after(now_tick, position_)) return false;
        advance(now_tick);
        continue;
      }
      if (budget == 0) return true;
      budget--;
      WheelNode& node = access_(slot);
      unlink(node);
      if (tick_is_after(node.deadline_tick, position_)) {
        link(slot, node);
      } else {
        on_expired(slot);
      }
    }
  }

 private:
  void link(uint32_t slot, WheelNode& node) noexcept {
    const uint32_t bucket = bucket_for(node.deadline_tick);
    const uint32_t first = heads_[bucket];
    node.previous = kHeadBit | bucket;
    node.next = first;
    if (first != kEnd) access_(first).previous = slot;
    heads_[bucket] = slot;
    mark(bucket);
    size_++;
  }

  void unlink(WheelNode& node) noexcept {
    if (node.next != kEnd) access_(node.next).previous = node.previous;
    if (!(node.previous & kHeadBit)) {
      access_(node.previous).next = node.next;
    } else {
      const uint32_t bucket = node.previous & kMask;
      heads_[bucket] = node.next;
      if (node.next == kEnd) unmark(bucket);
    }
    node.previous = node.next = WheelNode::kUnlinked;
    size_--;
  }

  [[no_unique_address]] Access access_;
};

}  // namespace martlet::net
