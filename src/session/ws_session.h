// A WebSocket on a connection (RFC 6455): frames in, messages out to the application; and the sending side with its
// limits. Receiving follows DESIGN's way of the bytes: messages are handled where they lie in the receive buffer;
// what is not whole goes to a block of its announced size and is read straight into it. An idle connection owns none
// of that: all its state is WsState, inside the connection.
// The worker's thread.
#pragma once

#include <martlet/options.h>
#include <martlet/websocket.h>

#include <cstdint>
#include <string_view>

#include "base/block.h"
#include "codec/deflate.h"
#include "net/connection.h"
#include "proto/ws_frame.h"
#include "proto/ws_message.h"
#include "session/sessions.h"
#include "session/ws_compression.h"

namespace martlet::session {

// From here on a message is queued where it lies; below it copying costs less than one more piece of a gathered write.
inline constexpr size_t kBorrowBytes = 4096;

// A whole message as the application gets it.
struct MessageView {
  uint8_t* data;
  size_t size;
  base::Block* block;  // null: in memory that lasts for this dispatch, behind its frame header
  bool is_text;
};

// A message whose header takes two bytes.
inline constexpr size_t kShortMessage = 125;

struct WsLimits {
  proto::MessageLimits message;
  uint64_t unsent_bytes = uint64_t{1} << 20;
  uint32_t heartbeat_interval_ms = 30'000;  // 0: off
  uint32_t heartbeat_timeout_ms = 60'000;   // 0: never
  SlowConsumerPolicy slow_consumer = SlowConsumerPolicy::close;
  bool measure_latency = false;             // pings who speaks, too
  size_t compress_from = SIZE_MAX;          // bytes of a message that is compressed where nothing else is said
  size_t short_bytes = kShortMessage;       // of a message that send_short() takes: less than compress_from
};

struct WsRoute;

// What a route wants of permessage-deflate.
struct DeflateRoute {
  bool on = false;
  bool dedicated = false;
  codec::DeflateLevel level = codec::DeflateLevel::fast;
  uint8_t server_max_window_bits = 15;
  uint8_t client_max_window_bits = 15;
};

// The application's side. A false answer means that the handler failed: the connection closes with 1011.
struct WsSink {
  bool (*on_message)(WsRoute&, net::Connection&, const MessageView&) = nullptr;
  bool (*on_ping)(WsRoute&, net::Connection&, std::string_view payload) = nullptr;
  bool (*on_pong)(WsRoute&, net::Connection&, std::string_view payload) = nullptr;
  bool (*on_drain)(WsRoute&, net::Connection&) = nullptr;
  // At most once, before on_close. An empty message: the text of the handler's exception. Its answer changes nothing.
  bool (*on_error)(WsRoute&, net::Connection&, const ErrorInfo&) = nullptr;
  // Once, when the connection is reaped.
  void (*on_close)(WsRoute&, net::Connection&, const CloseInfo&) = nullptr;
};

// What the connections of a route share. The application derives its own.
struct WsRoute {
  WsLimits limits;
  const WsSink* sink = nullptr;
  DeflateRoute deflate;
  CompressionTrial trial;  // of frames that are sent to many, one by one
  // Of a route that limits how long its connections are open or idle: looks at one, which it may close or end, and answers
  // after how many milliseconds it has to look again. Null for the others.
  uint32_t (*look)(WsRoute&, net::Connection&) noexcept = nullptr;
};

struct WsExtras;
struct Membership;

struct WsState {
  static constexpr uint32_t kNone = UINT32_MAX;

  WsRoute* route = nullptr;
  WsInput* input = nullptr;        // null unless something is not whole
  WsExtras* extras = nullptr;      // the application's; null unless used
  Membership* rooms = nullptr;     // the application's
  WsDeflate* deflate = nullptr;    // compression of its own; null unless it has some
  uint64_t published = 0;          // the application's: how far this connection has taken what was published
  uint32_t route_previous = kNone; // the application's list of the route's connections
  uint32_t route_next = kNone;
  union {
    CompressionTrial trial = {};   // of what this connection alone is sent, while it is open
    uint32_t since_ms;             // when closing began
  };
  uint16_t close_code = 0;         // of the first Close, either way; 0: none yet
  CloseCause cause = CloseCause::peer_eof;
  ReadyState ready : 2 = ReadyState::open;
  uint8_t writing : 1 = 0;      // a message of ours is under way in pieces: others wait for its end
  bool caused : 1 = false;      // `cause` is decided
  bool close_sent : 1 = false;
  bool failing : 1 = false;     // we closed for an error: input is thrown away, the TCP connection ends soon
  bool want_drain : 1 = false;  // a send answered backpressure or dropped
  bool deflated : 1 = false;    // permessage-deflate was agreed upon

  // Whether a message may be appended to what has been sent: one comparison, as neither is a bool.
  bool takes_messages() const noexcept { return ready == ReadyState::open && writing == 0; }

  static constexpr uint64_t kNoLatency = 0xffff;
  static constexpr uint64_t kWallMs = (uint64_t{1} << 46) - 1;
  uint64_t opened_wall_ms : 46 = 0;        // since 1970
  uint64_t error_told : 1 = 0;             // on_error has run
  uint64_t ping_waits : 1 = 0;             // for its pong
  uint64_t latency_ms : 16 = kNoLatency;
  uint32_t pinged_ms = 0;                  // when the oldest ping that waits was sent
  uint16_t opened_mark = 0;                // the application's, for WsRoute::look: when it was opened,
  uint16_t data_mark = 0;                  // and when its last message came
};
static_assert(sizeof(WsState) <= net::Connection::kSessionBytes);

extern const net::Protocol ws_protocol;

// Turns the connection of an accepted handshake into a WebSocket; the 101 is with its output already. Input that HTTP
// held behind the handshake is held here from now on.
void start_websocket(Sessions& s, net::Connection& c, WsRoute& route) noexcept;
// Frames that came in the handshake's own dispatch: in the receive buffer, or at the end of what is held.
void feed_websocket(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept;

// Sending. None of these calls the application.
SendStatus send_frame(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload, size_t size,
                      Compress compress = Compress::no) noexcept;
// The common send: a short message to the connection that is being dispatched, with nothing waiting. False: not that
// case, and nothing was done.
inline bool send_short(Sessions& s, net::Connection& c, proto::Opcode opcode, const uint8_t* data,
                       size_t size) noexcept {
  net::Cork& cork = s.reactor.cork;
  const WsState& ws = c.state<WsState>();
  const WsLimits& limits = ws.route->limits;
  if (size > limits.short_bytes || cork.owner != &c || c.out || c.closing || !ws.takes_messages()) return false;
  if (cork.bytes() >= limits.unsent_bytes || net::Cork::kBytes - cork.size < kShortMessage + 2) return false;
  uint8_t* to = cork.buffer + cork.size;
  to[0] = static_cast<uint8_t>(0x80 | static_cast<uint8_t>(opcode));
  to[1] = static_cast<uint8_t>(size);
  base::copy_short(to + 2, data, size);
  cork.size += size + 2;
  s.stats.messages_sent++;
  return true;
}

// A received message as it came; nothing is copied when it is large and `c` is the connection being dispatched.
SendStatus send_message(Sessions& s, net::Connection& c, const MessageView& message, Compress compress) noexcept;
// A plain frame in a block: compressed once for all receivers of a class.
SendStatus send_shared(Sessions& s, net::Connection& c, base::Block* block, uint8_t* frame, size_t size,
                       Compress compress) noexcept;
// Whole frames in a block, `messages` of them, as they are.
SendStatus send_frames(Sessions& s, net::Connection& c, base::Block* block, uint8_t* data, size_t size,
                       uint32_t messages) noexcept;

// Starts the close handshake.
void close_websocket(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason, CloseCause cause) noexcept;
// Ends the TCP connection without one.
void abort_websocket(Sessions& s, net::Connection& c, CloseCause cause) noexcept;
// Closes for an error of the peer or of the application: Close, then the sending side is shut and input discarded. The
// application hears of it when the connection is reaped.
void fail_websocket(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason, CloseCause cause) noexcept;

// The same in the connection's own dispatch: the application hears of it first, and may send a last word.
void fail_in_dispatch(Sessions& s, net::Connection& c, uint16_t code, std::string_view reason, CloseCause cause) noexcept;

// What waits for the end of a message that is written in pieces. Reached when there has been one only.
struct WsWriting {
  // Keeps whole frames, uncompressed or as they are; false when there is no room or no memory.
  bool (*keep)(net::Connection& c, const uint8_t* frames, size_t size, uint32_t messages) noexcept;
  bool (*keep_message)(net::Connection& c, proto::Opcode opcode, const void* payload, size_t size) noexcept;
};
// A frame of a message in pieces. dropped: there is no room now, and on_drain will tell when there is, or memory is out.
SendStatus send_fragment(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload, size_t size, bool last) noexcept;
// Frames that have waited.
SendStatus send_kept(Sessions& s, net::Connection& c, const uint8_t* frames, size_t size, uint32_t messages) noexcept;

// The application wants to hear more: these reasons not to read (of net::kPauseApplication) are none any more.
void resume_websocket(Sessions& s, net::Connection& c, uint8_t reasons) noexcept;
// Its deadline (net::Protocol::on_deadline): ends who has had their time, pings the silent.
void look_at_times(net::Reactor& reactor, net::Connection& c);
// When payload came last of a message that is not whole yet, in milliseconds of the loop; null when there is none. Pings between
// its pieces are none of it.
const uint32_t* last_payload_ms(const WsState& ws) noexcept;
// Whether it is open and not silent for too long.
bool shows_life(const Sessions& s, net::Connection& c) noexcept;
// Its route's limits are others than before; not in its own dispatch. It is asked whether it lives, and given up, by the new
// ones: at a moment of its own, and not for a silence that nobody has asked about.
void take_new_heartbeats(Sessions& s, net::Connection& c) noexcept;
// Ends who is sending a message that is too large by now.
void take_new_message_limit(Sessions& s, net::Connection& c) noexcept;
// A ping has been answered.
void note_pong(Sessions& s, WsState& ws) noexcept;

// Drops what has not left, and closes it for that (1008).
void close_slow(Sessions& s, net::Connection& c) noexcept;
// It missed messages that never came here: by the route's policy it is closed as a slow consumer, or they are counted.
void treat_as_slow(Sessions& s, net::Connection& c, uint64_t missed) noexcept;

// Ends the dispatch of a connection that is a WebSocket by now.
void end_websocket_dispatch(Sessions& s, net::Connection& c) noexcept;
// A handler threw: reported by the application already; closes with 1011.
void handler_failed(Sessions& s, net::Connection& c) noexcept;
// The peer has ended its direction.
void end_of_stream(Sessions& s, net::Connection& c) noexcept;

}  // namespace martlet::session
