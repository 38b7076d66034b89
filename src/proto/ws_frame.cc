// The cold half of ws_frame.h: Close payloads (RFC 6455 §5.5.1 and §7.4). The hot half, the header of each frame, is
// inline there. What a Close carries is checked like a text message: its code by the table of §7.4.2, its reason as
// UTF-8; what is sent is cut so that it is both.
#include "proto/ws_frame.h"

#include <cstring>

#include "codec/utf8.h"

namespace martlet::proto {

namespace {

bool refuse(WsError& error, uint16_t code, const char* cause) noexcept {
  error = {code, cause};
  return false;
}

}  // namespace

bool may_be_sent(uint16_t code) noexcept {
  // 1004 is reserved; 1005, 1006 and 1015 stand for what was never on the wire.
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

bool parse_close_payload(base::ByteSpan payload, ClosePayload& close, WsError& error) noexcept {
  close = ClosePayload{};
  if (payload.empty()) return true;
  if (payload.size() == 1) return refuse(error, close_code::protocol_error, "A Close of one byte.");
  const uint16_t code = base::load_be16(payload.data());
  if (!may_be_sent(code)) return refuse(error, close_code::protocol_error, "A close code that may not be sent.");
  const base::ByteSpan reason = payload.subspan(2);
  if (!codec::is_valid_utf8(reason)) {
    return refuse(error, close_code::invalid_payload, "A close reason that is not UTF-8.");
  }
  close = {code, reason};
  return true;
}

size_t encode_close_payload(uint8_t* out, uint16_t code, std::string_view reason) noexcept {
  base::store_be16(out, code);
  const std::string_view cut = codec::cut_utf8(reason, kMaxControlPayload - 2);
  if (!cut.empty()) std::memcpy(out + 2, cut.data(), cut.size());
  return 2 + cut.size();
}

}  // namespace martlet::proto
