// Messages that are told in pieces, as they come: nothing is kept of them, so they may be larger than memory. In a file
// of its own, so that a program that wants none is linked without it; ws_input.cc gets here by Sessions::streaming.
#include "session/ws_input.h"

namespace martlet::session {

// One piece: what is there of the frame. Text is checked before it is told, but for a character that goes on.
bool take_streamed(Sessions& s, net::Connection& c, WsInput& in, uint8_t*& at, uint8_t* end) noexcept {
  const uint64_t left = in.frame.length - in.frame_taken;
  const size_t here = left < static_cast<size_t>(end - at) ? static_cast<size_t>(left) : static_cast<size_t>(end - at);
  proto::WsError error;
  if (!in.message.take_payload(at, here, in.frame, in.frame_taken, error)) return input_failed(s, c, error), false;
  FragmentView piece{at, here, in.message.is_text(), !in.begun, false};
  in.frame_taken += here;
  if (here) in.payload_ms = s.reactor.now_ms();
  at += here;
  in.in_frame = in.frame_taken < in.frame.length;
  if (!in.in_frame) {
    piece.is_last = in.message.end_frame(in.frame, error);
    if (!piece.is_last && error.code) return input_failed(s, c, error), false;
  }
  if (!here && !piece.is_last) return true;
  in.begun = !piece.is_last;
  if (piece.is_last) {
    in.message.reset();
    in.streamed = false;
  }
  WsState& ws = c.state<WsState>();
  if (ws.ready != ReadyState::open) return true;
  s.stats.messages_received += piece.is_last;
  if (!s.streaming->on_fragment(*ws.route, c, piece)) handler_failed(s, c);
  return !c.closing;
}

}  // namespace martlet::session
