// Messages out of frames (RFC 6455 §5.4): which frame may come now, when a limit is passed, whether text is UTF-8.
// Where payload bytes are kept is the session's business; this is the rule book it asks for every header and for
// every piece of payload. Limits are answered from the header, before anything is allocated. No allocation.
#pragma once

#include <cstdint>

#include "proto/ws_frame.h"
#include "simd/kernels.h"

namespace martlet::proto {

struct MessageLimits {
  uint64_t message_bytes = uint64_t{1} << 20;  // 1009 above it
  uint32_t fragments = 65536;                  // frames of a message that goes on and that nothing pays for; 1008 above it
};

// So many bytes of a message pay for a frame of it. What they pay for is bounded by message_bytes; what is not are frames
// that carry next to nothing, of which there could be any number.
inline constexpr uint64_t kPayingBytes = 16;

// What a compressed message of at most `message_bytes` may have on the wire: data that does not shrink grows a little, by
// how much is the sender's affair.
constexpr uint64_t most_compressed(uint64_t message_bytes) noexcept { return message_bytes + message_bytes / 8 + 64; }

class MessageState {
 public:
  // A data or control header has been read. False: the connection fails with `error`. For a data frame this opens or
  // continues the message and counts its length against the limit (1009; of a compressed one most_compressed()).
  bool begin_frame(const FrameHeader& header, const MessageLimits& limits, WsError& error) noexcept;

  // A piece of payload of the current data frame: unmasks it in place and, in text, checks it (1007 at the first bad
  // byte). `offset` is where the piece stands in its frame's payload.
  bool take_payload(uint8_t* data, size_t size, const FrameHeader& header, uint64_t offset, WsError& error) noexcept;

  // The current data frame is whole. True when it ended the message; false with error.code 0 when more frames follow,
  // false with 1007 when a text message ends inside a character.
  bool end_frame(const FrameHeader& header, WsError& error) noexcept;

  bool in_message() const noexcept { return opcode_ != Opcode::continuation; }
  bool is_text() const noexcept { return opcode_ == Opcode::text; }
  bool compressed() const noexcept { return compressed_; }
  // Bytes of the message by the headers seen so far.
  uint64_t announced_bytes() const noexcept { return announced_bytes_; }
  // Ready for the next message; end_frame() does not forget by itself, so that is_text() can be asked.
  void reset() noexcept { *this = MessageState{}; }

 private:
  uint64_t announced_bytes_ = 0;
  uint32_t fragments_ = 0;
  simd::Utf8State utf8_;
  Opcode opcode_ = Opcode::continuation;  // of the message; continuation: none is open
  bool compressed_ = false;               // its text is checked after inflating, not here
};

}  // namespace martlet::proto
