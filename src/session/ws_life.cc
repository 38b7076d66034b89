// What time does to a WebSocket: heartbeats, and the deadlines of closing and writing; and what the application may ask of
// its peer: whether it shows life, how fast it answers, and to wait. See ws_session.h.
#include "base/limits.h"
#include "net/output.h"
#include "net/reactor.h"
#include "session/ws_input.h"
#include "session/ws_session.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

// Nothing can be heard of it: we do not read; or what we have asked has not left yet, for the progress of the output is
// watched then.
bool cannot_answer(const net::Connection& c) noexcept { return c.pause || c.out; }

// The peer has been asked since it was last heard of.
bool is_asked(const net::Connection& c, const WsState& ws, uint32_t now_ms) noexcept {
  return ws.ping_waits && now_ms - ws.pinged_ms <= now_ms - c.last_seen_ms;
}

// How long until it is given up; 0 when it is to be. Where there are heartbeats its silence is that after a ping, which it
// has half of the timeout to answer, however late the ping was. Where memory was out for pings all the while, twice the
// timeout is enough.
uint32_t silence_left(const net::Connection& c, const WsState& ws, uint32_t now_ms) noexcept {
  const WsLimits& limits = ws.route->limits;
  const uint32_t timeout_ms = limits.heartbeat_timeout_ms;
  if (!timeout_ms) return base::kNeverMs;
  const uint32_t left = base::time_left(now_ms, c.last_seen_ms, timeout_ms);
  if (!limits.heartbeat_interval_ms) return left;
  const uint32_t twice_ms = timeout_ms < base::kLongestMs / 2 ? timeout_ms * 2 : base::kNeverMs;
  const uint32_t to_answer = is_asked(c, ws, now_ms) ? base::time_left(now_ms, ws.pinged_ms, timeout_ms / 2)
                                                     : base::time_left(now_ms, c.last_seen_ms, twice_ms);
  return left > to_answer ? left : to_answer;
}

// The peer has sent something since our Close, lately. Where reading was off one more read tells; what it reads is for nobody.
bool still_sends(Sessions& s, net::Connection& c) noexcept {
  const uint32_t lately_ms = s.limits.close_ms < s.limits.discard_idle_ms ? s.limits.close_ms : s.limits.discard_idle_ms;
  if (!c.pause) return base::time_left(s.reactor.now_ms(), c.last_seen_ms, lately_ms) > 0;
  const sys::IoResult io = sys::receive(c.fd, s.reactor.receive_buffer, net::Reactor::kReceiveBytes);
  return io.status == sys::IoStatus::ok && io.bytes > 0;
}

// Closing: how long until the connection is ended; 0 when it has been. Of who still sends only the session is: a reset
// would take from it the Close that it has not read yet.
uint32_t check_closing(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  const uint32_t left = base::time_left(s.reactor.now_ms(), ws.since_ms, s.limits.close_ms);
  if (left == 0) {
    if (ws.cause == CloseCause::local_close) ws.cause = CloseCause::close_timeout;
    still_sends(s, c) ? s.reactor.end_session(c) : s.reactor.abort(c);
  }
  return left;
}

// Asks the silent, and where latency is measured everybody. What a ping of before its last sign of life is still owed does
// not count as asking.
bool ping_if_due(Sessions& s, net::Connection& c, uint32_t quiet_ms) noexcept {
  WsState& ws = c.state<WsState>();
  const WsLimits& limits = ws.route->limits;
  const uint32_t now = s.reactor.now_ms();
  const uint32_t timeout_ms = limits.heartbeat_timeout_ms;
  const bool asked = is_asked(c, ws, now);
  const bool overdue = timeout_ms && !asked && base::time_left(now, c.last_seen_ms, timeout_ms) == 0;
  const bool silent = overdue || base::time_left(now, c.last_seen_ms, quiet_ms) == 0;
  if (!silent && !limits.measure_latency) return false;
  if (silent && !asked) ws.ping_waits = 0;
  send_frame(s, c, proto::Opcode::ping, nullptr, 0);
  return true;
}

// Open: pings the silent; how long until the next look; 0 when the connection was ended.
//
// The first look at a connection comes at a moment of its own within the interval, and the next ones half an interval
// apart, so that clients that came together are not pinged together. Who was silent for half an interval by then is
// pinged: no later than after a whole one.
uint32_t check_heartbeat(Sessions& s, net::Connection& c) noexcept {
  const WsState& ws = c.state<WsState>();
  const WsLimits& limits = ws.route->limits;
  const uint32_t interval_ms = limits.heartbeat_interval_ms;
  if (!interval_ms && !limits.heartbeat_timeout_ms) return base::kNeverMs;
  const uint32_t half = (interval_ms ? interval_ms : limits.heartbeat_timeout_ms) / 2 + 1;
  if (cannot_answer(c)) {
    c.last_seen_ms = s.reactor.now_ms();
    return half;
  }
  if (silence_left(c, ws, s.reactor.now_ms()) == 0) return abort_websocket(s, c, CloseCause::heartbeat_timeout), 0;
  const uint32_t look_in = !interval_ms ? base::kNeverMs : ping_if_due(s, c, half) ? interval_ms : half;
  const uint32_t left = silence_left(c, ws, s.reactor.now_ms());
  return look_in < left ? look_in : left;
}

// Whether the peer is about to be given up for what it has not said.
bool is_overdue(const Sessions& s, const net::Connection& c, const WsState& ws) noexcept {
  const uint32_t now = s.reactor.now_ms();
  if (ws.ready != ReadyState::open) return base::time_left(now, ws.since_ms, s.limits.close_ms) == 0;
  return !cannot_answer(c) && silence_left(c, ws, now) == 0;
}

// How long until the next look at one that has neither ended nor failed.
uint32_t look(Sessions& s, net::Connection& c) noexcept {
  const WsState& ws = c.state<WsState>();
  if (ws.ready != ReadyState::open) return check_closing(s, c);
  const uint32_t left = check_heartbeat(s, c);
  if (!ws.route->look || c.closing) return left;
  const uint32_t others = ws.route->look(*ws.route, c);
  return others < left ? others : left;
}

}  // namespace

void look_at_times(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  const WsState& ws = c.state<WsState>();
  if (ws.failing) return;
  const uint32_t write_left = net::write_time_left(reactor, c);
  if (write_left == 0) return abort_websocket(s, c, CloseCause::write_timeout);
  if (!c.closing && is_overdue(s, c, ws)) reactor.hear(c);
  if (c.closing || c.protocol != &ws_protocol || ws.failing) return;
  const uint32_t left = look(s, c);
  if (c.closing) return;
  const uint32_t next = left < write_left ? left : write_left;
  if (next != base::kNeverMs) reactor.arm(c, next);
}

const uint32_t* last_payload_ms(const WsState& ws) noexcept {
  const bool receiving = ws.input && (ws.input->in_frame || ws.input->message.in_message());
  return receiving ? &ws.input->payload_ms : nullptr;
}

void resume_websocket(Sessions& s, net::Connection& c, uint8_t reasons) noexcept {
  if (!(c.pause & reasons) || c.closing) return;
  s.reactor.resume(c, reasons);
  c.last_seen_ms = s.reactor.now_ms();
  const WsState& ws = c.state<WsState>();
  if (ws.input && ws.input->held) s.reactor.mark_ready(c);
}

bool shows_life(const Sessions& s, net::Connection& c) noexcept {
  const WsState& ws = c.state<WsState>();
  if (ws.ready != ReadyState::open) return false;
  const uint32_t interval_ms = ws.route->limits.heartbeat_interval_ms;
  const uint64_t most_ms = uint64_t{interval_ms} + interval_ms / 2;
  return !interval_ms || c.pause || most_ms > UINT32_MAX ||
         base::time_left(s.reactor.now_ms(), c.last_seen_ms, static_cast<uint32_t>(most_ms)) > 0;
}

namespace {

// Who has spoken lately is looked at, and asked, as if it had just come. Who has not is not put off, so that limits that change
// all the time still find out who is gone; and what it was silent before anybody asked is cut to what it takes to be asked.
void begin_asking(Sessions& s, net::Connection& c) noexcept {
  const WsState& ws = c.state<WsState>();
  const uint32_t interval_ms = ws.route->limits.heartbeat_interval_ms;
  const uint32_t now = s.reactor.now_ms();
  const uint32_t quiet_ms = interval_ms / 2 + 1;
  if (now - c.last_seen_ms < quiet_ms) return s.reactor.arm_spread(c, interval_ms);
  if (!is_asked(c, ws, now)) c.last_seen_ms = now - quiet_ms;
  s.reactor.arm(c, net::WheelBuckets::spread_ms(c.slot, interval_ms));
}

}  // namespace

void take_new_heartbeats(Sessions& s, net::Connection& c) noexcept {
  const WsState& ws = c.state<WsState>();
  const WsLimits& limits = ws.route->limits;
  if (ws.ready != ReadyState::open || ws.failing || c.closing) return;
  if (limits.heartbeat_interval_ms) begin_asking(s, c);
  const uint32_t now = s.reactor.now_ms();
  const uint32_t left = silence_left(c, ws, now);
  if (left != base::kNeverMs) s.reactor.arm(c, left ? left : net::WheelBuckets::spread_ms(c.slot, limits.heartbeat_timeout_ms / 10));
  if (c.out && c.out->blocked) s.reactor.arm(c, base::time_left(now, c.out->progress_ms, s.reactor.write_timeout_ms));
}

void take_new_message_limit(Sessions& s, net::Connection& c) noexcept {
  const WsInput* in = c.state<WsState>().input;
  if (c.closing || !in || !in->message.in_message() || in->streamed) return;
  const uint64_t limit = c.state<WsState>().route->limits.message.message_bytes;
  const uint64_t on_wire = in->message.compressed() ? proto::most_compressed(limit) : limit;
  if (in->message.announced_bytes() <= on_wire && in->have <= limit) return;
  fail_websocket(s, c, proto::close_code::too_big, "The message is larger than this server takes.", CloseCause::message_too_big);
}

void note_pong(Sessions& s, WsState& ws) noexcept {
  if (!ws.ping_waits) return;
  const uint32_t took_ms = s.reactor.now_ms() - ws.pinged_ms;
  s.stats.pings_answered++;
  s.stats.ping_answer_ms += took_ms;
  ws.ping_waits = 0;
  ws.latency_ms = static_cast<uint16_t>(took_ms < WsState::kNoLatency ? took_ms : WsState::kNoLatency - 1);
}

}  // namespace martlet::session
