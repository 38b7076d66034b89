// How long a connection may live, and how long it may go without a message: the limits of a route that has some
// (WsOptions::max_lifetime, idle_timeout). They are looked at when a connection's deadline passes, so that messages cost one
// store where there is an idle_timeout, and nothing elsewhere. The worker's thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "net/timer_wheel.h"
#include "session/ws_session.h"

namespace martlet::realtime {

struct WsRouteEntry;
struct RealtimeWorker;

// A limit of an age, of which a connection keeps sixteen bits: its beginning, in units of a power of two of the wheel's
// ticks (67 ms) such that the limit is at most 2^14 of them, a fourth of the circle. So an age is late by two units at most,
// that is a four-thousandth of the limit or two ticks, and never early.
class AgeLimit {
 public:
  constexpr AgeLimit() noexcept = default;
  // 0 and less, and what is longer than the wheel counts (two years), is no limit.
  explicit AgeLimit(std::chrono::milliseconds limit) noexcept;
  constexpr explicit operator bool() const noexcept { return most_ != 0; }

  constexpr bool operator==(const AgeLimit&) const noexcept = default;

  constexpr uint16_t mark(uint32_t tick) const noexcept { return static_cast<uint16_t>(tick >> shift_); }
  // Milliseconds until what began at `mark` has this age, less `earlier` units; 0 when it has. Of one that is far away
  // a part of them.
  uint32_t ms_left(uint32_t tick, uint16_t mark_then, uint32_t earlier = 0) const noexcept;
  // The same of what has just begun.
  uint32_t ms() const noexcept { return ms_left(0, 0); }
  // Whether mark_of_life() may have cut the age of what has this mark.
  constexpr bool may_be_cut(uint32_t tick, uint16_t mark_then) const noexcept {
    return static_cast<uint16_t>(mark(tick) - mark_then) + 2 >= most_ - most_ / 10;
  }
  // For a limit that takes another one's place. The ticks that have passed since `mark` at least, and less than two units more;
  // and a mark of what has so many behind it.
  constexpr uint32_t unit() const noexcept { return uint32_t{1} << shift_; }
  uint32_t ticks_since(uint32_t tick, uint16_t mark_then) const noexcept;
  uint16_t mark_of_age(uint32_t tick, uint32_t ticks) const noexcept;
  // The same, but an age that would be over, with `earlier`, is cut to one that has a tenth to go.
  uint16_t mark_of_life(uint32_t tick, uint32_t ticks, uint32_t earlier) const noexcept;
  // Units, below a tenth of the limit, that differ from slot to slot, evenly over any run of slots.
  constexpr uint32_t share(uint32_t slot) const noexcept {
    const uint32_t phase = slot * 2654435769u;  // 2^32 / golden ratio
    return static_cast<uint32_t>(uint64_t{phase} * (most_ / 10) >> 32);
  }

 private:
  static constexpr uint32_t kMostUnits = uint32_t{1} << 14;
  static constexpr uint32_t kFarMs = uint32_t{1} << 31;
  uint16_t most_ = 0;
  uint8_t shift_ = 0;  // at most 16, so that ticks and marks go round together
};

struct TimeLimits {
  AgeLimit idle;
  AgeLimit lifetime;
  const session::WsSink* below = nullptr;  // the route's without `stamping`
  session::WsSink stamping;                // notes when messages come
};

// The sink of a route that has an idle_timeout, above the one that it would have without.
const session::WsSink& stamping_sink(WsRouteEntry& route, const session::WsSink& below) noexcept;
// What the route's options say; before the first connection.
void take_time_limits(WsRouteEntry& route) noexcept;
// A connection of a route with such limits begins.
void begin_times(RealtimeWorker& w, WsRouteEntry& route, net::Connection& c) noexcept;
// The same of one that is open when its route's limits have changed; what it had before tells how old it is.
struct AgeLimits {
  AgeLimit idle;
  AgeLimit lifetime;
};
void take_new_times(RealtimeWorker& w, WsRouteEntry& route, const AgeLimits& before, net::Connection& c) noexcept;
// It may be heard of again: what went before is nobody's silence.
void note_data(const RealtimeWorker& w, const WsRouteEntry& route, net::Connection& c) noexcept;

}  // namespace martlet::realtime
