// WebSocket frame headers (RFC 6455 §5.2): read one, write one. Payloads are not touched here.
//
//    0               1               2               3
//   |F|R|R|R| opcode|M| Payload len | extended payload length …
//   |I|S|S|S|  (4)  |A|     (7)     |   (16 for 126, 64 for 127)
//   |N|V|V|V|       |S|             |  then 4 bytes of masking key when MASK is set
//
// No allocation; any thread.
#pragma once

#include <martlet/websocket_names.h>

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "proto/http_parser.h"

namespace martlet::proto {

// Who we are. A server receives masked frames and sends unmasked ones, a client the other way round (§5.1).
enum class Role : uint8_t { server, client };

using martlet::Opcode;

inline bool is_control(Opcode opcode) noexcept { return (static_cast<uint8_t>(opcode) & 8) != 0; }

// RFC 6455 §7.4.1. `none` stands for a close that has not happened or carries no code of ours.
namespace close_code {
inline constexpr uint16_t normal = 1000, going_away = 1001, protocol_error = 1002, unsupported = 1003, no_status = 1005,
                          abnormal = 1006, invalid_payload = 1007, policy_violation = 1008, too_big = 1009,
                          mandatory_extension = 1010, internal_error = 1011, service_restart = 1012, try_again = 1013;
}

struct WsError {
  uint16_t code = 0;       // the close code the peer gets; 0 when there is no error
  const char* cause = "";  // a static sentence, for the close reason and the log
};

struct FrameHeader {
  uint64_t length = 0;       // of the payload
  uint32_t masking_key = 0;  // in memory order; 0 when not masked
  uint8_t header_bytes = 0;
  Opcode opcode = Opcode::continuation;
  bool fin = false;
  bool rsv1 = false;
  bool masked = false;
};

inline constexpr size_t kMaxFrameHeader = 14;        // as received by a server
inline constexpr size_t kMaxServerFrameHeader = 10;  // as sent by a server
inline constexpr size_t kMaxControlPayload = 125;

// Reads a header. need_more when it is not whole. error (1002): reserved bits (rsv1 only unless `allow_rsv1`), an
// unknown opcode, a length not in its shortest form or with the top bit set, masking that the role forbids, a control
// frame that is fragmented or longer than 125.
inline ParseStatus parse_frame_header(base::ByteSpan bytes, Role role, bool allow_rsv1, FrameHeader& header,
                                      WsError& error) noexcept {
  const auto refuse = [&error](const char* cause) {
    error = {close_code::protocol_error, cause};
    return ParseStatus::error;
  };
  const uint8_t* p = bytes.data();
  // The common frame: short, whole text or binary from a client.
  if (role == Role::server && bytes.size() >= 6 && (p[0] == 0x81 || p[0] == 0x82) && p[1] >= 0x80 && p[1] < 0xfe) [[likely]] {
    header = {.length = p[1] & 0x7fu, .masking_key = base::load_raw32(p + 2), .header_bytes = 6,
              .opcode = static_cast<Opcode>(p[0] & 0x0f), .fin = true, .rsv1 = false, .masked = true};
    return ParseStatus::done;
  }
  if (bytes.size() < 2) return ParseStatus::need_more;
  const uint8_t first = p[0];
  const uint8_t short_length = p[1] & 0x7f;
  const bool masked = (p[1] & 0x80) != 0;
  // What two bytes tell is refused before the rest is waited for.
  if (first & (allow_rsv1 ? 0x30 : 0x70)) [[unlikely]] return refuse("A reserved bit is set.");
  if (masked != (role == Role::server)) [[unlikely]] {
    return refuse(masked ? "A masked frame from a server." : "An unmasked frame from a client.");
  }
  const uint8_t opcode = first & 0x0f;
  if (opcode > 2) [[unlikely]] {
    if (opcode < 8 || opcode > 10) return refuse("An unknown opcode.");
    if (!(first & 0x80)) return refuse("A fragmented control frame.");
    if (short_length > kMaxControlPayload) return refuse("A control frame of more than 125 bytes.");
    if (first & 0x40) return refuse("A compressed control frame.");
  }
  const size_t length_bytes = short_length < 126 ? 2 : short_length == 126 ? 4 : 10;
  const size_t header_bytes = length_bytes + (masked ? 4 : 0);
  if (bytes.size() < length_bytes) return ParseStatus::need_more;
  uint64_t length = short_length;
  if (short_length == 126) {
    length = base::load_be16(p + 2);
    if (length < 126) return refuse("A length that is not in its shortest form.");
  } else if (short_length == 127) {
    length = base::load_be64(p + 2);
    if (length < 65536) return refuse("A length that is not in its shortest form.");
    if (length >> 63) return refuse("A length with its top bit set.");
  }
  header.length = length;
  header.header_bytes = static_cast<uint8_t>(header_bytes);
  header.opcode = static_cast<Opcode>(opcode);
  header.fin = (first & 0x80) != 0;
  header.rsv1 = (first & 0x40) != 0;
  header.masked = masked;
  if (bytes.size() < header_bytes) return ParseStatus::need_more;
  header.masking_key = masked ? base::load_raw32(p + length_bytes) : 0;
  return ParseStatus::done;
}

// How many bytes an unmasked header for this payload takes: 2, 4 or 10.
constexpr size_t frame_header_size(uint64_t length) noexcept { return length < 126 ? 2 : length < 65536 ? 4 : 10; }

// The same of an unmasked frame that stands here.
inline size_t frame_header_size_of(const uint8_t* frame) noexcept { return frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10; }

// Writes an unmasked header of frame_header_size(length) bytes to out; answers how many.
inline size_t encode_frame_header(uint8_t* out, Opcode opcode, uint64_t length, bool fin = true,
                                  bool rsv1 = false) noexcept {
  out[0] = static_cast<uint8_t>((fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | static_cast<uint8_t>(opcode));
  if (length < 126) {
    out[1] = static_cast<uint8_t>(length);
    return 2;
  }
  if (length < 65536) {
    out[1] = 126;
    base::store_be16(out + 2, static_cast<uint16_t>(length));
    return 4;
  }
  out[1] = 127;
  base::store_be64(out + 2, length);
  return 10;
}

// The body of a Close frame (§5.5.1): a code and a UTF-8 reason, or nothing.
struct ClosePayload {
  uint16_t code = close_code::no_status;
  base::ByteSpan reason;  // a view into the payload
};

// False (with 1002 or 1007 in `error`): one byte only, a code that may not be sent, a reason that is not UTF-8.
bool parse_close_payload(base::ByteSpan payload, ClosePayload& close, WsError& error) noexcept;

// Whether this code may stand in a Close frame (§7.4): 1000–1003, 1007–1014, 3000–4999.
bool may_be_sent(uint16_t close_code) noexcept;

// Writes code and reason (cut to 123 bytes between characters); answers how many bytes, at most 125.
size_t encode_close_payload(uint8_t* out, uint16_t code, std::string_view reason) noexcept;

}  // namespace martlet::proto
