// The receiving side of a WebSocket that is in the middle of something: part of a message, of a header, or whole
// frames that were out of budget. Taken from a pool when needed and given back as soon as nothing is open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/block.h"
#include "proto/ws_frame.h"
#include "proto/ws_message.h"
#include "session/ws_session.h"

namespace martlet::session {

struct WsInput {
  // A header and a control payload: what is kept raw until it is whole.
  static constexpr size_t kStashBytes = proto::kMaxFrameHeader + proto::kMaxControlPayload;

  proto::MessageState message;
  WsInflater* inflater = nullptr;  // of a compressed message that is not whole
  base::Block* block = nullptr;  // the message so far, inflated
  size_t have = 0;
  size_t charged = 0;            // of the receive budget
  proto::FrameHeader frame;      // the data frame that is open
  uint64_t frame_taken = 0;      // payload bytes of it so far
  uint32_t payload_ms = 0;       // when some came last, or its frame began
  bool in_frame = false;
  bool streaming = false;        // the application wants messages in pieces, as they come
  bool streamed = false;         // the message that is open is told so
  bool begun = false;            // and a piece of it has been
  base::Block* held = nullptr;   // frames for a later dispatch: [held_begin, held_end)
  size_t held_begin = 0;
  size_t held_end = 0;
  uint8_t stashed = 0;
  uint8_t reason_bytes = 0;      // of the Close that ended the connection, for the close handler
  uint8_t stash[kStashBytes];
  char reason[proto::kMaxControlPayload];

  bool idle() const noexcept { return takes_whole() && !stashed && !held && !reason_bytes; }
  // A message that lies in the receive buffer may be told from there.
  bool takes_whole() const noexcept { return !message.in_message() && !streaming; }
  // What comes next of the open frame is not collected as it is.
  bool by_pieces() const noexcept { return in_frame && (message.compressed() || streamed); }
};

// Works through frames in [at, end), which the connection's dispatch may write to; the cork is open. What is left
// over is kept.
void take_frames(Sessions& s, net::Connection& c, uint8_t* at, uint8_t* end) noexcept;

// One read of a connection that has a WsInput.
void read_on(Sessions& s, net::Connection& c) noexcept;

// Goes on with held frames.
void take_held(Sessions& s, net::Connection& c) noexcept;

// Keeps the reason of a Close until the connection is reaped.
void keep_close_reason(Sessions& s, net::Connection& c, std::string_view reason) noexcept;

// Gives all of it back.
void release_input(Sessions& s, net::Connection& c) noexcept;

// A piece of a message that is not collected; `data` is null-terminated by nobody.
struct FragmentView {
  const uint8_t* data;
  size_t size;
  bool is_text, is_first, is_last;
};

// What tells messages in pieces (ws_stream.cc); it is there, and linked, when somebody has asked for that.
struct WsStreaming {
  // Payload of the open frame, as much as is there. False: stop here.
  bool (*take)(Sessions& s, net::Connection& c, WsInput& in, uint8_t*& at, uint8_t* end) noexcept;
  // The application's; a false answer means that its handler failed.
  bool (*on_fragment)(WsRoute& route, net::Connection& c, const FragmentView& fragment);
};
bool take_streamed(Sessions& s, net::Connection& c, WsInput& in, uint8_t*& at, uint8_t* end) noexcept;

// From the next message on they are told in pieces, or whole. False: memory is out.
bool stream_messages(Sessions& s, net::Connection& c, bool on) noexcept;

// The peer broke a rule.
void input_failed(Sessions& s, net::Connection& c, const proto::WsError& error) noexcept;

// Handed to the application; a failure of its handler closes the connection.
void deliver(Sessions& s, net::Connection& c, const MessageView& message) noexcept;

}  // namespace martlet::session
