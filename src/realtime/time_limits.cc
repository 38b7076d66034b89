// See time_limits.h.
#include "realtime/time_limits.h"

#include <algorithm>

#include "base/limits.h"
#include "net/reactor.h"
#include "realtime/realtime.h"
#include "sys/clock.h"

namespace martlet::realtime {

// Cold: for size, as most programs have no such limits.
[[gnu::noinline, gnu::cold]] AgeLimit::AgeLimit(std::chrono::milliseconds limit) noexcept {
  const auto ms = limit.count();
  if (ms <= 0 || static_cast<uint64_t>(ms) >= net::WheelBuckets::kLongestMs) return;
  const uint32_t ticks = net::WheelBuckets::ticks_of_ms(static_cast<uint64_t>(ms));
  while (ticks >> shift_ >= kMostUnits) shift_++;
  const bool exact = (ticks >> shift_) << shift_ == ticks;
  most_ = static_cast<uint16_t>((ticks >> shift_) + (exact ? 1 : 2));
}

[[gnu::noinline, gnu::cold]] uint32_t AgeLimit::ms_left(uint32_t tick, uint16_t mark_then, uint32_t earlier) const noexcept {
  const uint32_t age = static_cast<uint16_t>(mark(tick) - mark_then) + earlier;
  if (age >= most_) return 0;
  const uint64_t left_ms = (uint64_t{most_ - age} << shift_) * net::WheelBuckets::kTickNs / 1'000'000 + 1;
  return left_ms < kFarMs ? static_cast<uint32_t>(left_ms) : kFarMs;
}

uint32_t AgeLimit::ticks_since(uint32_t tick, uint16_t mark_then) const noexcept {
  const auto units = static_cast<uint16_t>(mark(tick) - mark_then);
  return units ? uint32_t{units - 1u} << shift_ : 0;  // of the first and the last one a part may be missing
}

uint16_t AgeLimit::mark_of_age(uint32_t tick, uint32_t ticks) const noexcept {
  const uint32_t units = ticks >> shift_;
  return static_cast<uint16_t>(mark(tick) - (units < most_ ? units : most_));
}

uint16_t AgeLimit::mark_of_life(uint32_t tick, uint32_t ticks, uint32_t earlier) const noexcept {
  const bool over = (ticks >> shift_) + earlier >= most_;
  return static_cast<uint16_t>(over ? mark(tick) - (most_ - most_ / 10) : mark_of_age(tick, ticks));
}

namespace {

WsRouteEntry& entry_of(session::WsRoute& route) noexcept { return static_cast<WsRouteEntry&>(route); }

bool on_message(session::WsRoute& route, net::Connection& c, const session::MessageView& view) {
  WsRouteEntry& entry = entry_of(route);
  note_data(*entry.worker, entry, c);
  return entry.times.below->on_message(route, c, view);
}

// What was published before still goes to it.
[[gnu::noinline, gnu::cold]] uint32_t end(RealtimeWorker& w, net::Connection& c, CloseCode code, std::string_view why, CloseCause cause) noexcept {
  take_published(w, c);
  session::close_websocket(w.sessions, c, static_cast<uint16_t>(code), why, cause);
  return base::kNeverMs;
}

bool is_open(const net::Connection& c, const session::WsState& ws) noexcept {
  return !c.closing && c.protocol == &session::ws_protocol && !ws.failing && ws.ready == ReadyState::open;
}

// Milliseconds until it has been idle for too long; 0 when it has. A message that comes in pieces, over a slow network, is
// none as long as they come. While we do not read nothing can come.
[[gnu::noinline, gnu::cold]] uint32_t idle_left(const RealtimeWorker& w, const WsRouteEntry& route, net::Connection& c) noexcept {
  const auto& ws = c.state<session::WsState>();
  if (c.pause) note_data(w, route, c);
  const uint32_t left = route.times.idle.ms_left(w.reactor.now_tick(), ws.data_mark);
  const uint32_t* payload_ms = session::last_payload_ms(ws);
  return left || !payload_ms ? left : base::time_left(w.reactor.now_ms(), *payload_ms, route.times.idle.ms());
}

[[gnu::cold]] uint32_t look(session::WsRoute& to, net::Connection& c) noexcept {
  WsRouteEntry& route = entry_of(to);
  RealtimeWorker& w = *route.worker;
  const auto& ws = c.state<session::WsState>();
  const AgeLimit lifetime = route.times.lifetime;
  const uint32_t life_left = lifetime ? lifetime.ms_left(w.reactor.now_tick(), ws.opened_mark, lifetime.share(c.slot))
                                      : base::kNeverMs;
  if (life_left == 0) return end(w, c, CloseCode::going_away, "Connect again.", CloseCause::max_lifetime);
  if (!route.times.idle) return life_left;
  if (idle_left(w, route, c) == 0) w.reactor.hear(c);  // a loop that was kept busy may not have got to it
  if (!is_open(c, ws)) return base::kNeverMs;
  const uint32_t left = idle_left(w, route, c);
  if (left == 0) return end(w, c, CloseCode::normal, reason::kConnectionTimeout, CloseCause::idle_timeout);
  return left < life_left ? left : life_left;
}

}  // namespace

[[gnu::cold]] void take_time_limits(WsRouteEntry& route) noexcept {
  route.times.idle = AgeLimit(route.handlers.options.idle_timeout);
  route.times.lifetime = AgeLimit(route.handlers.options.max_lifetime);
  route.look = route.times.idle || route.times.lifetime ? look : nullptr;
}

const session::WsSink& stamping_sink(WsRouteEntry& route, const session::WsSink& below) noexcept {
  route.times.below = &below;
  route.times.stamping = below;
  route.times.stamping.on_message = on_message;
  return route.times.stamping;
}

void note_data(const RealtimeWorker& w, const WsRouteEntry& route, net::Connection& c) noexcept {
  c.state<session::WsState>().data_mark = route.times.idle.mark(w.reactor.now_tick());
}

void begin_times(RealtimeWorker& w, WsRouteEntry& route, net::Connection& c) noexcept {
  note_data(w, route, c);
  c.state<session::WsState>().opened_mark = route.times.lifetime.mark(w.reactor.now_tick());
  w.reactor.arm(c, route.look(route, c));
}

namespace {

// How long it has been open. The wall clock, which is all that is known where nobody has counted, fills in what the units of the
// former limit leave out, so that an age does not fall behind when limits change often.
uint32_t ticks_open(const session::WsState& ws, const AgeLimit& before, uint32_t tick) noexcept {
  const uint64_t now_ms = sys::wall_ms();
  const uint64_t ms = now_ms > ws.opened_wall_ms ? now_ms - ws.opened_wall_ms : 0;
  const uint32_t by_wall = net::WheelBuckets::ticks_of_ms(ms) - 1;
  if (!before) return by_wall;
  const uint32_t least = before.ticks_since(tick, ws.opened_mark);
  if (before.may_be_cut(tick, ws.opened_mark)) return std::max(by_wall, least);
  return std::clamp(by_wall, least, least + 2 * before.unit());
}

void take_new_marks(RealtimeWorker& w, WsRouteEntry& route, const AgeLimits& before, net::Connection& c) noexcept {
  auto& ws = c.state<session::WsState>();
  const uint32_t tick = w.reactor.now_tick();
  const AgeLimit idle = route.times.idle;
  const AgeLimit lifetime = route.times.lifetime;
  if (lifetime && lifetime != before.lifetime) {
    ws.opened_mark = lifetime.mark_of_life(tick, ticks_open(ws, before.lifetime, tick), lifetime.share(c.slot));
  }
  if (idle && idle != before.idle) {
    ws.data_mark = idle.mark_of_age(tick, before.idle ? before.idle.ticks_since(tick, ws.data_mark) : 0);
  }
}

}  // namespace

void take_new_times(RealtimeWorker& w, WsRouteEntry& route, const AgeLimits& before, net::Connection& c) noexcept {
  const auto& ws = c.state<session::WsState>();
  if (!is_open(c, ws)) return;
  take_new_marks(w, route, before, c);
  const AgeLimit lifetime = route.times.lifetime;
  if (lifetime) w.reactor.arm(c, lifetime.ms_left(w.reactor.now_tick(), ws.opened_mark, lifetime.share(c.slot)));
  if (!route.times.idle) return;
  const uint32_t left = idle_left(w, route, c);
  w.reactor.arm(c, left ? left : net::WheelBuckets::spread_ms(c.slot, route.times.idle.ms() / 10));
}

}  // namespace martlet::realtime
