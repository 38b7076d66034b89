// See ws_input.h. The common case, a whole unfragmented message in the receive buffer, is the first branch of
// take_frames(); all else is further down.
#include "session/ws_input.h"

#include <cstring>

#include "net/output.h"
#include "net/reactor.h"
#include "simd/kernels.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

constexpr int kFrameBudget = 1024;                       // per dispatch
constexpr size_t kInflatedUnit = 1024;                   // so many bytes of a decoder cost as much as a frame
constexpr size_t kWireCost = 32;                         // as many as one that writes nothing can make it work for
constexpr size_t kWholeBytes = size_t{32} << 10;         // on the wire: more of a message is inflated in pieces
constexpr size_t kPieceBytes = size_t{4} << 10;          // of these
constexpr int kStop = -1;
constexpr uint64_t kPauseBytes = uint64_t{512} << 10;    // output from here on leaves before more is taken

WsInput* need_input(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  if (!ws.input) ws.input = s.inputs.take();
  return ws.input;
}

void fail(Sessions& s, net::Connection& c, const proto::WsError& error) noexcept {
  const CloseCause cause = error.code == proto::close_code::invalid_payload ? CloseCause::invalid_payload
                           : error.code == proto::close_code::too_big       ? CloseCause::message_too_big
                           : error.code == proto::close_code::policy_violation ? CloseCause::too_many_fragments
                                                                               : CloseCause::protocol_error;
  fail_in_dispatch(s, c, error.code, error.cause, cause);
}

void out_of_memory(Sessions& s, net::Connection& c) noexcept {
  fail_in_dispatch(s, c, proto::close_code::try_again, "Too much is being received at the moment.",
                   CloseCause::out_of_memory);
}

// A compressed message could not be read.
void inflating_failed(Sessions& s, net::Connection& c, const proto::WsError& error) noexcept {
  if (error.code == proto::close_code::try_again) return out_of_memory(s, c);
  fail(s, c, error);
}

void release_message(Sessions& s, WsInput& in) noexcept {
  if (in.block) in.block->release();
  if (in.inflater) s.compression->give_back(in.inflater);
  in.inflater = nullptr;
  in.block = nullptr;
  in.have = 0;
  s.receiving_bytes -= in.charged;
  in.charged = 0;
  in.in_frame = false;
  in.streamed = false;
  in.begun = false;
  in.message.reset();
}

void packed_failed(Sessions& s, net::Connection& c, WsInput& in, const proto::WsError& error) noexcept {
  release_message(s, in);  // what it held is for others now
  inflating_failed(s, c, error);
}

void release_if_idle(Sessions& s, WsState& ws) noexcept {
  if (!ws.input || !ws.input->idle()) return;
  s.inputs.give_back(ws.input);
  ws.input = nullptr;
}

// Room in the block for the message as announced so far. The limit has been checked.
bool reserve_block(Sessions& s, WsInput& in, bool last_frame) noexcept {
  const size_t wanted = static_cast<size_t>(in.message.announced_bytes());
  if (!s.may_arrive(wanted)) return false;
  if (in.block && in.block->capacity >= wanted) return true;
  size_t capacity = wanted;
  if (!last_frame && in.block && in.block->capacity * 2 > capacity) capacity = in.block->capacity * 2;
  base::Block* block = s.reactor.blocks.acquire(capacity);
  if (!block) return false;
  if (in.block) {
    std::memcpy(block->data(), in.block->data(), in.have);
    in.block->release();
  }
  in.block = block;
  return true;
}

// The open frame's payload bytes at the end of the block have come: `size` more of them. False: failed.
bool took_payload(Sessions& s, net::Connection& c, WsInput& in, size_t size) noexcept {
  proto::WsError error;
  if (!s.charge(in.charged, in.have + size, static_cast<size_t>(in.message.announced_bytes()))) {
    release_message(s, in);  // what it held is for others now
    return out_of_memory(s, c), false;
  }
  if (!in.message.take_payload(in.block->data() + in.have, size, in.frame, in.frame_taken, error)) {
    return fail(s, c, error), false;
  }
  in.have += size;
  in.frame_taken += size;
  in.payload_ms = s.reactor.now_ms();
  return true;
}

// Once we have said Close what comes is for nobody: it is not worth the work.
bool inflates(net::Connection& c, const WsInput& in) noexcept {
  return in.message.compressed() && c.state<WsState>().ready == ReadyState::open;
}

// The open frame is whole. False: failed, or the connection takes no more.
bool end_frame(Sessions& s, net::Connection& c, WsInput& in) noexcept {
  proto::WsError error;
  in.in_frame = false;
  if (!in.message.end_frame(in.frame, error)) {
    if (error.code) fail(s, c, error);
    return error.code == 0;
  }
  if (inflates(c, in) && !s.compression->finish(c, in, error)) return packed_failed(s, c, in, error), false;
  base::Block* block = in.block;
  const MessageView message{block ? block->data() : in.stash, in.have, block, in.message.is_text()};
  in.block = nullptr;
  release_message(s, in);
  deliver(s, c, message);
  if (block) block->release();
  return !c.closing;
}

// What is taken for it from the budget of a dispatch: a message that inflates to much counts like many, and so does one
// that makes the decoder work for little.
int cost_of(size_t wire, size_t inflated) noexcept {
  const size_t frames = (inflated + kWireCost * wire) / kInflatedUnit;
  return frames < kFrameBudget ? static_cast<int>(frames) : kFrameBudget;
}

// Payload of an open compressed frame, as much as is there and the budget of a dispatch is good for. Answers as
// take_other() does.
int take_packed(Sessions& s, net::Connection& c, WsInput& in, uint8_t*& at, uint8_t* end) noexcept {
  int cost = 0;
  do {
    proto::WsError error;
    const uint64_t left = in.frame.length - in.frame_taken;
    size_t here = static_cast<size_t>(end - at) < kPieceBytes ? static_cast<size_t>(end - at) : kPieceBytes;
    if (left < here) here = static_cast<size_t>(left);
    in.message.take_payload(at, here, in.frame, in.frame_taken, error);  // unmasks: text is checked behind the decoder
    in.frame_taken += here;
    in.payload_ms = s.reactor.now_ms();
    if (inflates(c, in)) {
      const size_t before = in.have;
      if (!s.compression->take_piece(c, in, at, here, error)) return packed_failed(s, c, in, error), kStop;
      cost += cost_of(here, in.have - before);
    }
    at += here;
  } while (at < end && in.frame_taken < in.frame.length && cost < kFrameBudget);
  return in.frame_taken < in.frame.length || end_frame(s, c, in) ? cost : kStop;
}

// A compressed message in one frame that lies here whole. Answers as take_other() does.
int take_packed_whole(Sessions& s, net::Connection& c, const proto::FrameHeader& header, uint8_t*& at) noexcept {
  uint8_t* payload = at + header.header_bytes;
  const size_t size = static_cast<size_t>(header.length);
  at = payload + size;
  if (c.state<WsState>().ready != ReadyState::open) return 0;  // see inflates()
  simd::kernels->unmask(payload, size, header.masking_key);
  size_t produced;
  proto::WsError error;
  if (!s.compression->take_whole(c, payload, size, header.opcode == proto::Opcode::text, produced, error)) {
    return inflating_failed(s, c, error), kStop;
  }
  return c.closing ? kStop : cost_of(size, produced);
}

// A data frame that is fragmented, continues a message, or is not whole yet. Answers as take_other() does.
int take_data(Sessions& s, net::Connection& c, const proto::FrameHeader& header, uint8_t*& at, uint8_t* end) noexcept {
  WsInput* in = need_input(s, c);
  if (!in) return out_of_memory(s, c), kStop;
  proto::WsError error;
  proto::MessageLimits limits = c.state<WsState>().route->limits.message;
  if (in->streaming && !header.rsv1 && !in->message.in_message()) in->streamed = true;
  if (in->streamed) limits.message_bytes = UINT64_MAX;  // nothing is kept of it
  if (!in->message.begin_frame(header, limits, error)) return fail(s, c, error), kStop;
  const bool packed = in->message.compressed();
  if (!packed && !in->streamed && header.length && !reserve_block(s, *in, header.fin)) return out_of_memory(s, c), kStop;
  in->frame = header;
  in->frame_taken = 0;
  in->in_frame = true;
  if (header.length) in->payload_ms = s.reactor.now_ms();
  uint8_t* payload = at + header.header_bytes;
  if (packed) return at = payload, take_packed(s, c, *in, at, end);
  if (in->streamed) return at = payload, s.streaming->take(s, c, *in, at, end) ? 0 : kStop;
  const size_t left = static_cast<size_t>(end - payload);
  const size_t here = header.length < left ? static_cast<size_t>(header.length) : left;
  if (here) {
    std::memcpy(in->block->data() + in->have, payload, here);
    if (!took_payload(s, c, *in, here)) return kStop;
  }
  at = payload + here;
  return in->frame_taken < header.length || end_frame(s, c, *in) ? 0 : kStop;
}

// Keeps a few raw bytes: a header, or a control frame, that is not whole.
bool stash(Sessions& s, net::Connection& c, uint8_t*& at, uint8_t* end) noexcept {
  WsInput* in = need_input(s, c);
  if (!in) return out_of_memory(s, c), false;
  in->stashed = static_cast<uint8_t>(end - at);
  std::memcpy(in->stash, at, in->stashed);
  at = end;
  return false;
}

void take_close(Sessions& s, net::Connection& c, base::ByteSpan payload) noexcept {
  WsState& ws = c.state<WsState>();
  proto::ClosePayload close;
  proto::WsError error;
  if (!proto::parse_close_payload(payload, close, error)) return fail(s, c, error);
  if (!ws.close_sent) {
    keep_close_reason(s, c, base::as_text(close.reason));
    close_websocket(s, c, close.code, {}, CloseCause::peer_close);
  }
  s.reactor.finish(c);  // both sides have said Close (RFC 6455 §7.1.1: the server ends the TCP connection)
}

// A control frame. False: stop here.
bool take_control(Sessions& s, net::Connection& c, const proto::FrameHeader& header, uint8_t*& at,
                  uint8_t* end) noexcept {
  uint8_t* payload = at + header.header_bytes;
  if (static_cast<size_t>(end - payload) < header.length) return stash(s, c, at, end);
  const size_t size = static_cast<size_t>(header.length);
  simd::kernels->unmask(payload, size, header.masking_key);
  at = payload + size;
  WsState& ws = c.state<WsState>();
  if (header.opcode == proto::Opcode::close) return take_close(s, c, {payload, size}), false;
  if (ws.ready != ReadyState::open) return true;
  const std::string_view text(reinterpret_cast<char*>(payload), size);
  bool handled;
  if (header.opcode == proto::Opcode::ping) {
    send_frame(s, c, proto::Opcode::pong, payload, size);
    handled = !ws.route->sink->on_ping || ws.route->sink->on_ping(*ws.route, c, text);
  } else {
    note_pong(s, ws);
    handled = !ws.route->sink->on_pong || ws.route->sink->on_pong(*ws.route, c, text);
  }
  if (!handled) handler_failed(s, c);
  return !c.closing && !c.finish;
}

// Keeps whole frames for a later dispatch.
void hold(Sessions& s, net::Connection& c, uint8_t* at, uint8_t* end) noexcept {
  WsInput* in = need_input(s, c);
  if (!in) return out_of_memory(s, c);
  if (in->held) {  // that is where they lie
    in->held_begin = in->held_end - static_cast<size_t>(end - at);
  } else {
    const size_t size = static_cast<size_t>(end - at);
    in->held = s.reactor.blocks.acquire(size);
    if (!in->held) return out_of_memory(s, c);
    std::memcpy(in->held->data(), at, size);
    in->held_begin = 0;
    in->held_end = size;
  }
  s.reactor.mark_ready(c);
}

// Goes on with a frame that is open and not collected, where there is one. False: stop here.
bool go_on_by_pieces(Sessions& s, net::Connection& c, uint8_t*& at, uint8_t* end) noexcept {
  const WsState& ws = c.state<WsState>();
  WsInput& in = *ws.input;
  if (!in.by_pieces()) return true;
  if (!c.pause) {
    const bool good = in.streamed ? s.streaming->take(s, c, in, at, end) : take_packed(s, c, in, at, end) != kStop;
    if (!good || ws.failing || c.closing || c.finish) return false;
  }
  if (!in.in_frame || at == end) return true;
  return hold(s, c, at, end), false;
}

// A frame that is not the common case. Answers what it takes from the budget above a frame's share, or kStop.
[[gnu::noinline]] int take_other(Sessions& s, net::Connection& c, const proto::FrameHeader& header, uint8_t*& at, uint8_t* end) noexcept {
  if (proto::is_control(header.opcode)) return take_control(s, c, header, at, end) ? 0 : kStop;
  const WsState& ws = c.state<WsState>();
  const bool whole = header.fin && header.length <= static_cast<size_t>(end - at) - header.header_bytes &&
                     header.opcode != proto::Opcode::continuation && (!ws.input || !ws.input->message.in_message());
  if (whole && header.rsv1 && header.length <= kWholeBytes &&
      header.length <= proto::most_compressed(ws.route->limits.message.message_bytes)) {
    return take_packed_whole(s, c, header, at);
  }
  return take_data(s, c, header, at, end);
}

}  // namespace

bool stream_messages(Sessions& s, net::Connection& c, bool on) noexcept {
  WsInput* in = on ? need_input(s, c) : c.state<WsState>().input;
  if (in) in->streaming = on;
  return in || !on;
}

void input_failed(Sessions& s, net::Connection& c, const proto::WsError& error) noexcept { fail(s, c, error); }

void deliver(Sessions& s, net::Connection& c, const MessageView& message) noexcept {
  WsState& ws = c.state<WsState>();
  if (ws.ready != ReadyState::open) return;  // we have said Close: what still comes is not for the application
  s.stats.messages_received++;
  if (!ws.route->sink->on_message(*ws.route, c, message)) [[unlikely]] handler_failed(s, c);
}

void take_frames(Sessions& s, net::Connection& c, uint8_t* at, uint8_t* end) noexcept {
  WsState& ws = c.state<WsState>();
  const uint64_t limit = ws.route->limits.message.message_bytes;
  // With that much to say, it is said before more is listened to; so one packet cannot ask for more than the limit.
  const uint64_t unsent_limit = ws.route->limits.unsent_bytes;
  const uint64_t most_unsent = unsent_limit < kPauseBytes ? unsent_limit : kPauseBytes;
  int budget = kFrameBudget;
  while (at < end) {
    if (budget-- <= 0 || net::unsent_bytes(s.reactor, c) >= most_unsent || c.pause) [[unlikely]] {
      return hold(s, c, at, end);
    }
    proto::FrameHeader header;
    proto::WsError error;
    const auto status = proto::parse_frame_header({at, end}, proto::Role::server, ws.deflated, header, error);
    if (status == proto::ParseStatus::need_more) {
      stash(s, c, at, end);
      break;
    }
    if (status == proto::ParseStatus::error) return fail(s, c, error);
    uint8_t* payload = at + header.header_bytes;
    const bool text = header.opcode == proto::Opcode::text;
    if (header.fin && !header.rsv1 && (text || header.opcode == proto::Opcode::binary) && header.length <= limit &&
        header.length <= static_cast<size_t>(end - payload) &&
        (!ws.input || ws.input->takes_whole())) [[likely]] {
      const size_t size = static_cast<size_t>(header.length);
      simd::Utf8State utf8;
      if (!text) {
        simd::kernels->unmask(payload, size, header.masking_key);
      } else if (!simd::kernels->unmask_validate(&utf8, payload, size, header.masking_key) || !utf8.at_boundary()) {
        return fail(s, c, {proto::close_code::invalid_payload, "Text that is not UTF-8."});
      }
      at = payload + size;
      deliver(s, c, {payload, size, nullptr, text});
    } else {
      const int cost = take_other(s, c, header, at, end);
      if (cost == kStop) break;
      budget -= cost;
    }
    if (c.closing | ws.failing | c.finish) [[unlikely]] return;
  }
  if (!c.closing) release_if_idle(s, ws);
}

void take_held(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  base::Block* block = ws.input->held;
  block->retain();  // output may borrow from it until the cork is closed
  uint8_t* at = block->data() + ws.input->held_begin;
  ws.input->held_begin = ws.input->held_end;  // hold() moves it back when something is left again
  uint8_t* const end = block->data() + ws.input->held_end;
  if (go_on_by_pieces(s, c, at, end)) take_frames(s, c, at, end);
  net::close_cork(s.reactor, c);
  if (ws.input && ws.input->held == block && ws.input->held_begin == ws.input->held_end) {
    ws.input->held = nullptr;
    block->release();
    release_if_idle(s, ws);
  }
  block->release();
}

void keep_close_reason(Sessions& s, net::Connection& c, std::string_view reason) noexcept {
  if (reason.empty() || reason.size() > proto::kMaxControlPayload) return;
  WsInput* in = need_input(s, c);
  if (!in || in->reason_bytes) return;
  std::memcpy(in->reason, reason.data(), reason.size());
  in->reason_bytes = static_cast<uint8_t>(reason.size());
}

void read_on(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  WsInput& in = *ws.input;
  if (in.held) return;  // it is on the ready list; reading goes on after that
  uint8_t* buffer = s.reactor.receive_buffer;
  const bool by_pieces = in.by_pieces();
  const size_t missing = in.in_frame && !by_pieces ? static_cast<size_t>(in.frame.length - in.frame_taken) : 0;
  sys::IoResult io;
  if (missing) {
    const sys::IoPiece pieces[2] = {{in.block->data() + in.have, missing}, {buffer, net::Reactor::kReceiveBytes}};
    io = sys::receive_pieces(c.fd, pieces, 2);
  } else {
    io = sys::receive(c.fd, buffer, net::Reactor::kReceiveBytes);
  }
  if (io.status == sys::IoStatus::would_block) return;
  if (io.status == sys::IoStatus::failed) return s.reactor.broken(c, io.os_code);
  if (io.bytes == 0) return end_of_stream(s, c);
  c.last_seen_ms = s.reactor.now_ms();
  size_t rest = io.bytes;
  if (missing) {
    const size_t here = rest < missing ? rest : missing;
    rest -= here;
    if (!took_payload(s, c, in, here)) return;
    if (in.frame_taken < in.frame.length) return;
    if (!end_frame(s, c, in) || ws.failing || c.closing || c.finish) return;
  }
  s.reactor.note_received(rest);
  uint8_t* at = buffer - in.stashed;
  uint8_t* const end = buffer + rest;
  if (in.stashed) std::memcpy(at, in.stash, in.stashed);
  in.stashed = 0;
  if (by_pieces && !go_on_by_pieces(s, c, at, end)) return;
  release_if_idle(s, ws);
  if (at < end) take_frames(s, c, at, end);
}

void release_input(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  if (!ws.input) return;
  release_message(s, *ws.input);
  if (ws.input->held) ws.input->held->release();
  s.inputs.give_back(ws.input);
  ws.input = nullptr;
}

}  // namespace martlet::session
