// The rule book of ws_message.h (RFC 6455 §5.4, §5.6, §8.1): each rule is asked for once, at the earliest byte that
// can break it, so that a message that will be refused is neither stored nor unmasked further. Only the state of the
// current message is kept; after a refusal it is of no more use.
#include "proto/ws_message.h"

namespace martlet::proto {

namespace {

bool refuse(WsError& error, uint16_t code, const char* cause) noexcept {
  error = {code, cause};
  return false;
}

}  // namespace

bool MessageState::begin_frame(const FrameHeader& header, const MessageLimits& limits, WsError& error) noexcept {
  if (is_control(header.opcode)) return true;
  if (header.opcode == Opcode::continuation) {
    if (!in_message()) return refuse(error, close_code::protocol_error, "A continuation without a message.");
    if (header.rsv1) return refuse(error, close_code::protocol_error, "A reserved bit in a continuation.");
  } else {
    if (in_message()) return refuse(error, close_code::protocol_error, "A new message inside an unfinished one.");
    opcode_ = header.opcode;
    compressed_ = header.rsv1;
  }
  // No overflow: announced_bytes_ is at most this here.
  const uint64_t most = compressed_ ? most_compressed(limits.message_bytes) : limits.message_bytes;
  if (header.length > most - announced_bytes_) {
    return refuse(error, close_code::too_big, "The message is larger than this server takes.");
  }
  announced_bytes_ += header.length;
  // The last frame is none of these: it comes once.
  if (!header.fin && ++fragments_ > limits.fragments + announced_bytes_ / kPayingBytes) {
    return refuse(error, close_code::policy_violation, "The message has too many fragments that carry little.");
  }
  return true;
}

bool MessageState::take_payload(uint8_t* data, size_t size, const FrameHeader& header, uint64_t offset,
                                WsError& error) noexcept {
  const uint32_t key = simd::rotate_key(header.masking_key, static_cast<size_t>(offset & 3));
  const bool check = is_text() && !compressed_;
  if (!check) {
    if (header.masked) simd::kernels->unmask(data, size, key);
    return true;
  }
  const bool good = header.masked ? simd::kernels->unmask_validate(&utf8_, data, size, key)
                                  : simd::kernels->validate_utf8(&utf8_, data, size);
  return good || refuse(error, close_code::invalid_payload, "Text that is not UTF-8.");
}

bool MessageState::end_frame(const FrameHeader& header, WsError& error) noexcept {
  error.code = 0;
  if (!header.fin) return false;
  if (is_text() && !compressed_ && !utf8_.at_boundary()) {
    return refuse(error, close_code::invalid_payload, "Text that ends inside a character.");
  }
  return true;
}

}  // namespace martlet::proto
