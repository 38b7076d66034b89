// See ws_session.h: the sending side, closing, and the protocol's entry points. Receiving is in ws_input.cc, deadlines
// in ws_life.cc.
#include "session/ws_session.h"

#include <cstring>
#include <new>

#include "base/limits.h"
#include "codec/utf8.h"
#include "net/output.h"
#include "net/reactor.h"
#include "session/discard.h"
#include "session/http_session.h"
#include "session/ws_input.h"
#include "sys/clock.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

constexpr uint32_t kSlowWordsMs = 2000;   // for a slow consumer's last words to leave
constexpr size_t kSlowBytes = net::Reactor::kPauseReadingBytes;  // queued: "backpressure"

// Decides why the connection ends; the first word counts.
void set_cause(WsState& ws, CloseCause cause, uint16_t code) noexcept {
  if (ws.caused) return;
  ws.caused = true;
  ws.cause = cause;
  ws.close_code = code;
}

SendStatus sent(Sessions& s, net::Connection& c, uint32_t messages) noexcept {
  s.stats.messages_sent += messages;
  if (!c.out || c.out->bytes < kSlowBytes) [[likely]] return SendStatus::ok;
  c.state<WsState>().want_drain = true;
  return SendStatus::backpressure;
}

SendStatus dropped(Sessions& s, net::Connection& c, uint32_t messages) noexcept {
  s.stats.messages_dropped += messages;
  if (c.followed) s.reactor.follower.lost(s.reactor.follower.context, c);
  c.state<WsState>().want_drain = true;
  return SendStatus::dropped;
}

}  // namespace

void close_slow(Sessions& s, net::Connection& c) noexcept {
  s.stats.messages_dropped += net::drop_frames(s.reactor, c, SIZE_MAX);
  s.stats.slow_consumers++;
  fail_websocket(s, c, proto::close_code::policy_violation, "The connection reads too slowly.",
                 CloseCause::slow_consumer);
}

namespace {

// The unsent limit is reached. True: there is room again.
bool make_room(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  const WsLimits& limits = ws.route->limits;
  net::offer_output(s.reactor, c);
  if (c.closing) return false;
  if (net::unsent_bytes(s.reactor, c) < limits.unsent_bytes) return true;
  switch (limits.slow_consumer) {
    case SlowConsumerPolicy::drop_newest: return false;
    case SlowConsumerPolicy::drop_oldest: {
      const size_t over = net::unsent_bytes(s.reactor, c) - static_cast<size_t>(limits.unsent_bytes) + 1;
      s.stats.messages_dropped += net::drop_frames(s.reactor, c, over);
      if (c.followed) s.reactor.follower.lost(s.reactor.follower.context, c);
      ws.want_drain = true;
      return net::unsent_bytes(s.reactor, c) < limits.unsent_bytes;
    }
    case SlowConsumerPolicy::close: break;
  }
  close_slow(s, c);
  return false;
}

// Of may_send(): a message is being written in pieces, and this one waits for its end.
constexpr SendStatus kWaits = SendStatus::posted;

// Whether a data message may be appended at once.
inline bool has_room(Sessions& s, net::Connection& c) noexcept {
  const WsState& ws = c.state<WsState>();
  return ws.takes_messages() && !c.closing && net::unsent_bytes(s.reactor, c) < ws.route->limits.unsent_bytes;
}

// The same, after what can be done for it.
inline SendStatus may_send(Sessions& s, net::Connection& c, uint32_t messages) noexcept {
  const WsState& ws = c.state<WsState>();
  if (has_room(s, c)) [[likely]] return SendStatus::ok;
  if (!ws.takes_messages() || c.closing) return ws.ready == ReadyState::open && !c.closing ? kWaits : SendStatus::closed;
  if (make_room(s, c)) return SendStatus::ok;
  return c.closing ? SendStatus::closed : dropped(s, c, messages);  // closing: its write found the connection broken
}

inline bool append_frame(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload, size_t size) noexcept {
  const size_t header = proto::frame_header_size(size);
  uint8_t* room = net::append_room(s.reactor, c, header + size);
  if (!room) return false;
  proto::encode_frame_header(room, opcode, size);
  if (size) std::memcpy(room + header, payload, size);
  return true;
}

// Where there is no memory for it the connection ends: nobody would answer a Close that was never sent.
void send_close(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason) noexcept {
  uint8_t payload[proto::kMaxControlPayload];
  const bool empty = code == proto::close_code::no_status;
  const size_t size = empty ? 0 : proto::encode_close_payload(payload, code, reason);
  const bool kept = append_frame(s, c, proto::Opcode::close, payload, size);
  WsState& ws = c.state<WsState>();
  ws.close_sent = true;
  ws.ready = ReadyState::closing;
  ws.since_ms = s.reactor.now_ms();
  if (!kept) s.reactor.broken(c, net::kNoMemory);
}

}  // namespace

namespace {

// Pings and pongs never take the place of messages, and the limit is not for them: there are no more pongs than pings in
// what is read, and reading stops when output waits. Pings that would wait behind that much are left out.
SendStatus send_control(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload,
                        size_t size) noexcept {
  WsState& ws = c.state<WsState>();
  if (ws.ready != ReadyState::open || c.closing) return SendStatus::closed;
  const uint64_t most = ws.route->limits.unsent_bytes + kSlowBytes;  // no overflow: the application bounds its limits
  const bool waits = opcode == proto::Opcode::ping && net::unsent_bytes(s.reactor, c) >= most;
  if (waits || !append_frame(s, c, opcode, payload, size)) return SendStatus::dropped;
  if (opcode == proto::Opcode::ping && !ws.ping_waits) {
    ws.ping_waits = 1;
    ws.pinged_ms = s.reactor.now_ms();
  }
  return sent(s, c, 0);
}

}  // namespace

namespace {

// Whether it may be compressed: the peer takes that, and this message is to be.
inline bool compresses(const WsState& ws, size_t size, Compress compress) noexcept {
  if (!ws.deflated || compress == Compress::no) [[likely]] return false;
  return compress == Compress::yes || size >= ws.route->limits.compress_from;
}

// A data message, compressed; it may be sent. False: nothing was done, it is better sent plain.
[[gnu::noinline]] bool send_packed(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload,
                                   size_t size, Compress compress, SendStatus& status) noexcept {
  const Packed packed = s.compression->pack(c, opcode, static_cast<const uint8_t*>(payload), size, compress);
  if (!packed.data) return false;
  const bool in_place = packed.size >= kBorrowBytes && packed.size >= packed.block->capacity / 2;
  const bool good = in_place ? net::append_block(s.reactor, c, packed.block, packed.data, packed.size)
                             : net::append_copy(s.reactor, c, packed.data, packed.size);
  s.compression->release(packed);
  if (!good) s.compression->forget_context(c);
  status = good ? sent(s, c, 1) : dropped(s, c, 1);
  return true;
}

}  // namespace

namespace {

[[gnu::noinline]] SendStatus keep_message(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload, size_t size) noexcept {
  return s.writing->keep_message(c, opcode, payload, size) ? SendStatus::ok : dropped(s, c, 1);
}

}  // namespace

SendStatus send_frame(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload, size_t size,
                      Compress compress) noexcept {
  if (proto::is_control(opcode)) return send_control(s, c, opcode, payload, size);
  SendStatus status = may_send(s, c, 1);
  if (status != SendStatus::ok) [[unlikely]] return status == kWaits ? keep_message(s, c, opcode, payload, size) : status;
  if (compresses(c.state<WsState>(), size, compress) && send_packed(s, c, opcode, payload, size, compress, status)) {
    return status;
  }
  return append_frame(s, c, opcode, payload, size) ? sent(s, c, 1) : dropped(s, c, 1);
}

namespace {

// Appends a large message where it lies.
[[gnu::noinline]] bool send_in_place(Sessions& s, net::Connection& c, proto::Opcode opcode,
                                     const MessageView& message) noexcept {
  // Our header is shorter than the one that the message came with, or stands in the block's headroom.
  const size_t header = proto::frame_header_size(message.size);
  uint8_t* frame = message.data - header;
  // Whoever queued or shared the block before has written the header, and another thread may be reading it by now.
  const bool written = message.block && message.block->references.load(std::memory_order_relaxed) > 1;
  if (!written) proto::encode_frame_header(frame, opcode, message.size);
  const size_t size = header + message.size;
  return message.block ? net::append_block(s.reactor, c, message.block, frame, size)
                       : net::append_borrowed(s.reactor, c, frame, size);
}

}  // namespace

SendStatus send_message(Sessions& s, net::Connection& c, const MessageView& message, Compress compress) noexcept {
  const proto::Opcode opcode = message.is_text ? proto::Opcode::text : proto::Opcode::binary;
  SendStatus status = may_send(s, c, 1);
  if (status != SendStatus::ok) [[unlikely]] {
    return status == kWaits ? keep_message(s, c, opcode, message.data, message.size) : status;
  }
  if (compresses(c.state<WsState>(), message.size, compress) &&
      send_packed(s, c, opcode, message.data, message.size, compress, status)) {
    return status;
  }
  const bool borrow = !message.block && s.reactor.cork.owner == &c;
  if (message.size < kBorrowBytes || (!message.block && !borrow)) [[likely]] {
    return append_frame(s, c, opcode, message.data, message.size) ? sent(s, c, 1) : dropped(s, c, 1);
  }
  return send_in_place(s, c, opcode, message) ? sent(s, c, 1) : dropped(s, c, 1);
}

namespace {

inline SendStatus append_frames(Sessions& s, net::Connection& c, base::Block* block, uint8_t* data, size_t size, uint32_t messages) noexcept {
  return net::append_block(s.reactor, c, block, data, size) ? sent(s, c, messages) : dropped(s, c, messages);
}

// Where there was no room at the first look.
[[gnu::noinline]] SendStatus send_late(Sessions& s, net::Connection& c, base::Block* block, uint8_t* data, size_t size, uint32_t messages) noexcept {
  const SendStatus may = may_send(s, c, messages);
  if (may == SendStatus::ok) return append_frames(s, c, block, data, size, messages);
  if (may != kWaits) return may;
  return s.writing->keep(c, data, size, messages) ? SendStatus::ok : dropped(s, c, messages);
}

}  // namespace

SendStatus send_frames(Sessions& s, net::Connection& c, base::Block* block, uint8_t* data, size_t size,
                       uint32_t messages) noexcept {
  if (has_room(s, c)) [[likely]] return append_frames(s, c, block, data, size, messages);
  return send_late(s, c, block, data, size, messages);
}

SendStatus send_shared(Sessions& s, net::Connection& c, base::Block* block, uint8_t* frame, size_t size,
                       Compress compress) noexcept {
  const size_t header = proto::frame_header_size_of(frame);
  if (compresses(c.state<WsState>(), size - header, compress)) {
    const auto opcode = static_cast<proto::Opcode>(frame[0] & 0x0f);
    const Packed packed = s.compression->pack_shared(s.compression->class_of(c), opcode, block, frame + header,
                                                     size - header, compress, c.state<WsState>().route->trial);
    if (packed.data) {
      s.compression->forget_context(c);
      return send_frames(s, c, packed.block, packed.data, packed.size, 1);
    }
  }
  return send_frames(s, c, block, frame, size, 1);
}

// Closing -------------------------------------------------------------------------------------------------------------

void close_websocket(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason,
                     CloseCause cause) noexcept {
  WsState& ws = c.state<WsState>();
  if (ws.ready != ReadyState::open || c.closing) return;
  set_cause(ws, cause, code);
  send_close(s, c, code, reason);
  if (c.closing) return;
  resume_websocket(s, c, net::kPauseApplication);
  keep_close_reason(s, c, codec::cut_utf8(reason, proto::kMaxControlPayload - 2));
  s.reactor.arm(c, s.limits.close_ms);
}

void abort_websocket(Sessions& s, net::Connection& c, CloseCause cause) noexcept {
  set_cause(c.state<WsState>(), cause, proto::close_code::abnormal);
  s.reactor.abort(c);
}

void fail_websocket(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason,
                    CloseCause cause) noexcept {
  WsState& ws = c.state<WsState>();
  if (ws.failing || c.closing) return;
  set_cause(ws, cause, code);
  if (!ws.close_sent) {
    send_close(s, c, code, reason);
    if (c.closing) return;
    keep_close_reason(s, c, reason);
  }
  ws.failing = true;
  s.reactor.mark_ready(c);  // the session ends with its dispatch, which may be this one
}

namespace {

void tell_error(net::Connection& c, CloseCause cause, uint16_t code, std::string_view message) noexcept {
  WsState& ws = c.state<WsState>();
  if (ws.error_told) return;
  ws.error_told = true;
  if (ws.route->sink->on_error) ws.route->sink->on_error(*ws.route, c, {cause, static_cast<CloseCode>(code), message});
}

// What on_error is told of an end that was not found in the connection's own dispatch; empty: it is no error.
std::string_view error_text(CloseCause cause) noexcept {
  switch (cause) {
    case CloseCause::peer_reset: return "The connection broke.";
    case CloseCause::slow_consumer: return "The peer reads too slowly.";
    case CloseCause::heartbeat_timeout: return "The peer gave no sign of life.";
    case CloseCause::write_timeout: return "A write made no progress.";
    case CloseCause::out_of_memory: return "Memory was out.";
    case CloseCause::message_too_big: return "The message is larger than this server takes.";
    case CloseCause::metadata_too_big: return "The connection's metadata is too large.";
    default: return {};
  }
}

}  // namespace

void fail_in_dispatch(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason,
                      CloseCause cause) noexcept {
  const WsState& ws = c.state<WsState>();
  if (ws.failing || c.closing) return;
  // Once a Close has been said, what fails is the farewell: that is nobody's error.
  const bool handler = cause == CloseCause::handler_failure;
  if (ws.ready == ReadyState::open) tell_error(c, cause, code, handler ? std::string_view() : reason);
  fail_websocket(s, c, code, reason, cause);
}

void handler_failed(Sessions& s, net::Connection& c) noexcept {
  fail_in_dispatch(s, c, proto::close_code::internal_error, "Internal server error", CloseCause::handler_failure);
}

void treat_as_slow(Sessions& s, net::Connection& c, uint64_t missed) noexcept {
  WsState& ws = c.state<WsState>();
  s.stats.messages_dropped += missed;
  if (ws.route->limits.slow_consumer == SlowConsumerPolicy::close && ws.ready == ReadyState::open) close_slow(s, c);
}

void end_of_stream(Sessions& s, net::Connection& c) noexcept {
  WsState& ws = c.state<WsState>();
  set_cause(ws, CloseCause::peer_eof, proto::close_code::abnormal);
  s.reactor.abort(c);
}

// Starting ------------------------------------------------------------------------------------------------------------

void start_websocket(Sessions& s, net::Connection& c, WsRoute& route) noexcept {
  const HttpState http = c.state<HttpState>();
  net::mark_opaque(s.reactor, c);
  c.protocol = &ws_protocol;
  WsState& ws = *new (c.session) WsState{};
  ws.route = &route;
  ws.opened_wall_ms = sys::wall_ms() & WsState::kWallMs;
  if (http.held) ws.input = s.inputs.take();
  if (ws.input) {
    ws.input->held = http.held;
    ws.input->held_begin = http.held_begin;
    ws.input->held_end = http.held_end;
  } else if (http.held) {
    http.held->release();
    abort_websocket(s, c, CloseCause::out_of_memory);
  }
  // An end of the stream that came during the decision is read again, behind what is held.
  s.reactor.resume(c, net::kPauseInput | net::kPauseEof);
  if (route.limits.heartbeat_interval_ms) {
    s.reactor.arm_spread(c, route.limits.heartbeat_interval_ms);
  }
  if (route.limits.heartbeat_timeout_ms) s.reactor.arm(c, route.limits.heartbeat_timeout_ms);
}

void feed_websocket(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept {
  WsInput* in = c.state<WsState>().input;
  if (in && in->held) {
    in->held_begin = in->held_end - static_cast<size_t>(end - at);
    return take_held(s, c);
  }
  // The bytes are the worker's own receive buffer: const only on HTTP's side.
  if (at < end) take_frames(s, c, const_cast<uint8_t*>(at), const_cast<uint8_t*>(end));
}

void end_websocket_dispatch(Sessions& s, net::Connection& c) noexcept {
  net::close_cork(s.reactor, c);
  if (c.closing) return;
  const WsState& ws = c.state<WsState>();
  if (ws.failing) [[unlikely]] return s.reactor.end_session(c);  // nothing more is said or listened to
  if (ws.want_drain && !c.out) [[unlikely]] ws_protocol.on_drained(s.reactor, c);
}

// Entry points --------------------------------------------------------------------------------------------------------

namespace {

void on_readable(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  WsState& ws = c.state<WsState>();
  if (ws.failing) [[unlikely]] return;
  net::open_cork(reactor, c);
  if (ws.input) [[unlikely]] {
    read_on(s, c);
  } else {
    const sys::IoResult io = sys::receive(c.fd, reactor.receive_buffer, net::Reactor::kReceiveBytes);
    if (io.status == sys::IoStatus::ok && io.bytes) [[likely]] {
      c.last_seen_ms = reactor.now_ms();
      reactor.note_received(io.bytes);
      take_frames(s, c, reactor.receive_buffer, reactor.receive_buffer + io.bytes);
    } else if (io.status == sys::IoStatus::ok) {
      end_of_stream(s, c);
    } else if (io.status == sys::IoStatus::failed) {
      reactor.broken(c, io.os_code);
    }
  }
  end_websocket_dispatch(s, c);
}

void on_ready(net::Reactor& reactor, net::Connection& c) {
  WsState& ws = c.state<WsState>();
  if (ws.failing) return reactor.end_session(c);
  if (!ws.input || !ws.input->held || c.pause & net::kPauseApplication) return;
  if (c.out) return reactor.pause(c, net::kPauseInput);  // on_drained goes on
  c.last_seen_ms = reactor.now_ms();  // what it says next waits behind what is held
  net::open_cork(reactor, c);
  take_held(sessions_of(reactor), c);
  end_websocket_dispatch(sessions_of(reactor), c);
}

void on_drained(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  WsState& ws = c.state<WsState>();
  if (ws.failing) return;
  reactor.resume(c, net::kPauseInput);
  if (ws.input && ws.input->held) reactor.mark_ready(c);
  if (!ws.want_drain || ws.ready != ReadyState::open) return;
  ws.want_drain = false;
  if (ws.route->sink->on_drain && !ws.route->sink->on_drain(*ws.route, c)) handler_failed(s, c);
}

void on_broken(net::Reactor&, net::Connection& c, int os_code) {
  const CloseCause cause = os_code == net::kNoMemory ? CloseCause::out_of_memory : CloseCause::peer_reset;
  set_cause(c.state<WsState>(), cause, proto::close_code::abnormal);
}

void on_reap(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  WsState& ws = c.state<WsState>();
  ws.ready = ReadyState::closed;
  if (const std::string_view text = error_text(ws.cause); ws.caused && !text.empty()) {
    tell_error(c, ws.cause, ws.close_code, text);
  }
  CloseInfo close;
  close.cause = ws.cause;
  close.code = static_cast<CloseCode>(ws.caused ? ws.close_code : proto::close_code::abnormal);
  if (ws.input && ws.input->reason_bytes) close.reason = {ws.input->reason, ws.input->reason_bytes};
  ws.route->sink->on_close(*ws.route, c, close);
  release_input(s, c);
  if (ws.deflate) s.compression->give_back(ws.deflate);
  if (c.goes_on) start_discarding(s, c, close.cause == CloseCause::slow_consumer ? kSlowWordsMs : s.limits.discard_ms);
}

}  // namespace

const net::Protocol ws_protocol{on_readable, on_ready, on_drained, look_at_times, on_broken, on_reap, true};

}  // namespace martlet::session
