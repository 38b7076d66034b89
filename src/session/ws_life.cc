// What the application may ask of a WebSocket's peer: whether it shows life, how fast it answers, and to wait. See
// ws_session.h.
#include "base/limits.h"
#include "net/reactor.h"
#include "session/ws_input.h"
#include "session/ws_session.h"

namespace martlet::session {

void resume_websocket(Sessions& s, net::Connection& c) noexcept {
  if (!(c.pause & net::kPauseUser) || c.closing) return;
  s.reactor.resume(c, net::kPauseUser);
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

void note_pong(const Sessions& s, WsState& ws) noexcept {
  if (!ws.ping_waits) return;
  const uint32_t took_ms = s.reactor.now_ms() - ws.pinged_ms;
  ws.ping_waits = 0;
  ws.latency_ms = static_cast<uint16_t>(took_ms < WsState::kNoLatency ? took_ms : WsState::kNoLatency - 1);
}

}  // namespace martlet::session
