// See rate_policy.h. In order: fixed_window, sliding_window, sliding_log, the buckets; what is common to them.
#include "guards/rate_policy.h"

#include <algorithm>

namespace martlet::guards {

namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

uint64_t part(uint64_t state, unsigned from, unsigned bits) noexcept { return state >> from & ((uint64_t{1} << bits) - 1); }

milliseconds ms(uint64_t value) noexcept { return milliseconds(static_cast<int64_t>(value)); }
milliseconds ms_of_ns(uint64_t value) noexcept { return ms((value + kNsPerMs - 1) / kNsPerMs); }

// fixed_window --------------------------------------------------------------------------------------------------------

RateDecision in_fixed_window(const RatePolicy& p, uint64_t& state, uint64_t now, uint32_t cost, bool counts) noexcept {
  uint64_t end = state >> 24;
  uint64_t used = part(state, 0, 24);
  if (now >= end) used = 0;
  if (used == 0 || end - now > p.per_ms) end = now + p.per_ms;
  const bool allowed = used + cost <= p.max;
  if (allowed && counts) used += cost;
  if (counts) state = used ? end << 24 | used : 0;
  return {allowed, p.max, static_cast<uint32_t>(p.max - used), ms(used ? end - now : 0), ms(allowed ? 0 : end - now)};
}

// sliding_window ------------------------------------------------------------------------------------------------------

struct Windows {
  uint64_t number;        // of this one
  uint64_t before, here;  // how many
  uint64_t elapsed;       // of this one, in ms
};

// One that is a window behind, as workers' clocks may be for a moment, counts at the beginning of the window that the state is in; one
// that has gone back further, in its own.
Windows windows_of(const RatePolicy& p, uint64_t state, uint64_t now) noexcept {
  const uint64_t number = now / p.per_ms & 0xff'ffff;
  const uint64_t passed = (number - (state >> 40)) & 0xff'ffff;
  const uint64_t before = part(state, 20, 20), here = part(state, 0, 20), elapsed = now % p.per_ms;
  if (passed == 0 || (passed >= 0xff'f000 && passed < 0xff'ffff)) return {number, before, here, elapsed};
  if (passed == 1) return {number, here, 0, elapsed};
  if (passed == 0xff'ffff) return {state >> 40, before, here, 0};
  return {number, 0, 0, elapsed};
}

uint64_t estimate(const RatePolicy& p, const Windows& w) noexcept { return w.before * (p.per_ms - w.elapsed) / p.per_ms + w.here; }

// How far into a window the part of `before` that counts is no more than `most`.
uint64_t until_faded(const RatePolicy& p, uint64_t before, uint64_t most) noexcept {
  return before <= most ? 0 : p.per_ms - ((most + 1) * p.per_ms - 1) / before;
}

// Until the estimate is no more than `most`, if nothing comes.
uint64_t time_until(const RatePolicy& p, const Windows& w, uint64_t most) noexcept {
  if (w.here > most) return p.per_ms - w.elapsed + until_faded(p, w.here, most);
  return std::max(until_faded(p, w.before, most - w.here), w.elapsed) - w.elapsed;
}

RateDecision in_sliding_window(const RatePolicy& p, uint64_t& state, uint64_t now, uint32_t cost, bool counts) noexcept {
  Windows w = windows_of(p, state, now);
  uint64_t used = estimate(p, w);
  const bool allowed = used + cost <= p.max;
  const uint64_t wait = allowed ? 0 : cost > p.max ? p.per_ms : time_until(p, w, p.max - cost);
  if (allowed && counts) w.here += cost, used += cost;
  if (counts) state = w.number << 40 | w.before << 20 | w.here;
  const uint64_t left = used > p.max ? 0 : p.max - used;  // a clock that went back has the windows weigh more
  return {allowed, p.max, static_cast<uint32_t>(left), ms(used ? time_until(p, w, used - 1) : 0), ms(wait)};
}

// sliding_log ---------------------------------------------------------------------------------------------------------

struct Log {
  uint64_t newest;
  uint32_t count, oldest;
  uint32_t* times;

  uint32_t at(const RatePolicy& p, uint32_t number) const noexcept { return (oldest + number) % p.max; }
  // How old that one is. All lie within `per`, which 32 bits hold.
  uint64_t age(const RatePolicy& p, uint32_t number, uint64_t now) const noexcept {
    return static_cast<uint32_t>(now) - times[at(p, number)];
  }
  uint64_t state() const noexcept { return newest << 24 | uint64_t{count} << 12 | oldest; }
};

// A clock that is a little behind the newest stands still until it is not; all have come now when it is far behind.
void drop_old(const RatePolicy& p, Log& log, uint64_t& now) noexcept {
  if (log.count == 0) return;
  if (now >= log.newest + p.per_ms) return void(log.count = 0);
  if (now + p.per_ms < log.newest) {
    for (uint32_t i = 0; i < log.count; i++) log.times[log.at(p, i)] = static_cast<uint32_t>(now);
    log.newest = now;
  }
  now = std::max(now, log.newest);
  while (log.count && log.age(p, 0, now) >= p.per_ms) {
    log.oldest = log.at(p, 1);
    log.count--;
  }
}

RateDecision in_sliding_log(const RatePolicy& p, uint64_t& state, uint32_t* times, uint64_t now, uint32_t cost, bool counts) noexcept {
  Log log{state >> 24, static_cast<uint32_t>(part(state, 12, 12)), static_cast<uint32_t>(part(state, 0, 12)), times};
  drop_old(p, log, now);
  const bool allowed = uint64_t{log.count} + cost <= p.max;
  uint64_t wait = 0;
  if (!allowed) {
    wait = cost > p.max ? p.per_ms : p.per_ms - log.age(p, log.count + cost - p.max - 1, now);
  } else if (counts) {
    for (uint32_t i = 0; i < cost; i++) log.times[log.at(p, log.count++)] = static_cast<uint32_t>(now);
    if (cost) log.newest = now;
  }
  // What was dropped is dropped for those that only look as well: it does not come back.
  state = log.count ? log.state() : 0;
  return {allowed, p.max, p.max - log.count, ms(log.count ? p.per_ms - log.age(p, 0, now) : 0), ms(wait)};
}

// The buckets ---------------------------------------------------------------------------------------------------------

RateDecision in_bucket(const RatePolicy& p, uint64_t& state, uint64_t now, uint32_t cost, bool counts) noexcept {
  const uint64_t missing = state > now ? state - now : 0;  // as the time until it is there again
  uint64_t ahead = std::min(missing, p.tolerance_ns);
  const uint64_t wanted = cost > p.max ? p.tolerance_ns : cost * p.interval_ns;
  const bool allowed = cost <= p.max && ahead + wanted <= p.tolerance_ns;
  const uint64_t wait = allowed ? 0 : cost > p.max ? p.tolerance_ns : ahead + wanted - p.tolerance_ns;
  if (allowed && counts) ahead += wanted;
  if (counts && (allowed || ahead < missing)) state = now + ahead;
  const uint64_t used = (ahead + p.interval_ns - 1) / p.interval_ns;
  const uint64_t more = used ? ahead - (used - 1) * p.interval_ns : 0;
  return {allowed, p.max, static_cast<uint32_t>(p.max - used), ms_of_ns(more), ms_of_ns(wait)};
}

}  // namespace

// What is common to them ----------------------------------------------------------------------------------------------

namespace {

const char* wrong_bounds(const RateLimiterOptions& o) noexcept {
  using std::chrono::hours;
  if (o.max == 0) return "max is 0";
  if (o.per.count() <= 0 || o.per > hours(24 * 366 * 10)) return "per is not from 1 ms to ten years";
  switch (o.algorithm) {
    case Limit::fixed_window: return o.max < 1u << 24 ? nullptr : "a fixed_window has a max up to 16,777,215";
    case Limit::sliding_window: return o.max < 1u << 20 ? nullptr : "a sliding_window has a max up to 1,048,575";
    case Limit::sliding_log:
      if (o.max > 1024) return "a sliding_log has a max up to 1,024";
      return o.per <= hours(24 * 24) ? nullptr : "a sliding_log has a per up to 24 days";
    default: return o.max <= static_cast<uint64_t>(o.per.count()) * kNsPerMs ? nullptr : "max in per is more than one in a nanosecond";
  }
}

}  // namespace

const char* RatePolicy::take(const RateLimiterOptions& o) noexcept {
  if (const char* wrong = wrong_bounds(o)) return wrong;
  algorithm = o.algorithm;
  max = o.max;
  per_ms = static_cast<uint64_t>(o.per.count());
  if (algorithm != Limit::token_bucket && algorithm != Limit::gcra) return nullptr;
  interval_ns = (per_ms * kNsPerMs + max - 1) / max;
  max = o.burst ? o.burst : algorithm == Limit::gcra ? 1 : max;
  if (max > uint64_t{100} * 366 * 24 * 3600 * 1000 * kNsPerMs / interval_ns) return "burst takes more than a century";
  tolerance_ns = interval_ns * max;
  return nullptr;
}

RateDecision RatePolicy::decide(uint64_t& state, uint32_t* log, uint64_t now_ns, uint32_t cost, bool counts) const noexcept {
  switch (algorithm) {
    case Limit::fixed_window: return in_fixed_window(*this, state, now_ns / kNsPerMs, cost, counts);
    case Limit::sliding_window: return in_sliding_window(*this, state, now_ns / kNsPerMs, cost, counts);
    case Limit::sliding_log: return in_sliding_log(*this, state, log, now_ns / kNsPerMs, cost, counts);
    default: return in_bucket(*this, state, now_ns, cost, counts);
  }
}

// Of the buckets the one that is full again last; of the others the one with the highest count. So what is given up first is over
// soon, or little.
uint64_t RatePolicy::weight(uint64_t state, uint64_t now_ns) const noexcept {
  const uint64_t now = now_ns / kNsPerMs;
  switch (algorithm) {
    case Limit::fixed_window: return state >> 24 > now ? part(state, 0, 24) : 0;
    case Limit::sliding_window: return estimate(*this, windows_of(*this, state, now));
    case Limit::sliding_log: return (state >> 24) + per_ms > now ? part(state, 12, 12) : 0;
    default: return state > now_ns ? state - now_ns : 0;
  }
}

}  // namespace martlet::guards
