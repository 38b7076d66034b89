// A WebSocket client of the tests over support/client.h: it masks, splits and breaks frames as a test asks, and reads
// what the server sends with a strict eye: an answer that RFC 6455 forbids a server comes out as a frame that is not ok().
// Nothing of the library is used here, so that a mistake cannot cancel itself out. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/client.h"

namespace martlet::test {

enum : uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10, kNothing = 0xff };

// The handshake of RFC 6455 §1.3, whose answer is known.
inline constexpr std::string_view kSampleKey = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view kSampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

inline std::string ws_request(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + std::string(kSampleKey) + "\r\n" + std::string(fields) +
         "\r\n";
}

// How a client's frame may be wrong, or merely unusual.
struct FrameOptions {
  bool fin = true;
  uint8_t rsv = 0;             // 4: RSV1, 2: RSV2, 1: RSV3
  bool masked = true;
  uint32_t key = 0x9A3C'55E7;  // in memory order
  int length_bytes = -1;       // 0, 2 or 8 whatever the size; -1: the shortest form
  int64_t announced = -1;      // a length that is not the payload's
};

inline std::string ws_frame(uint8_t opcode, std::string_view payload, const FrameOptions& o = {}) {
  const uint64_t size = o.announced >= 0 ? static_cast<uint64_t>(o.announced) : payload.size();
  const int length_bytes = o.length_bytes >= 0 ? o.length_bytes : size < 126 ? 0 : size < 65536 ? 2 : 8;
  std::string frame;
  frame.reserve(payload.size() + 14);
  frame.push_back(static_cast<char>((o.fin ? 0x80 : 0) | o.rsv << 4 | opcode));
  const uint8_t mask_bit = o.masked ? 0x80 : 0;
  frame.push_back(static_cast<char>(mask_bit | (length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127)));
  for (int i = length_bytes - 1; i >= 0; i--) frame.push_back(static_cast<char>(size >> (8 * i)));
  if (!o.masked) return frame.append(payload);
  char key[4];
  std::memcpy(key, &o.key, 4);
  frame.append(key, 4);
  const size_t start = frame.size();
  frame.append(payload);
  char* bytes = frame.data() + start;
  size_t left = payload.size();
  for (uint32_t word; left >= sizeof(word); bytes += sizeof(word), left -= sizeof(word)) {
    std::memcpy(&word, bytes, sizeof(word));
    word ^= o.key;
    std::memcpy(bytes, &word, sizeof(word));
  }
  for (size_t i = 0; i < left; i++) bytes[i] = static_cast<char>(bytes[i] ^ key[i]);
  return frame;
}

// The payload of a Close frame.
inline std::string close_payload(uint16_t code, std::string_view reason = {}) {
  std::string payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code));
  return payload.append(reason);
}

// A message in frames of the given sizes, the rest in the last one.
inline std::string ws_fragments(uint8_t opcode, std::string_view payload, const std::vector<size_t>& sizes) {
  std::string frames;
  for (const size_t size : sizes) {
    frames += ws_frame(opcode, payload.substr(0, size), {.fin = false});
    payload.remove_prefix(std::min(size, payload.size()));
    opcode = kContinuation;
  }
  return frames + ws_frame(opcode, payload);
}

inline void fill_pattern(char* bytes, size_t size, uint32_t seed) {
  uint32_t x = seed * 2654435761u + 1;
  for (size_t i = 0; i < size; i++) {
    x = x * 1664525u + 1013904223u;
    bytes[i] = static_cast<char>('!' + (x >> 24) % 94);
  }
}

// Bytes that differ from place to place, so that a shifted or mixed up message is noticed. What most tests ask for is made
// once: under a sanitizer the making was half of the time of the fault tests.
inline std::string pattern(size_t size, uint32_t seed = 1) {
  static const auto ready = [] {
    std::array<char, 100'000> bytes{};
    fill_pattern(bytes.data(), bytes.size(), 1);
    return bytes;
  }();
  if (seed == 1 && size <= ready.size()) return std::string(ready.data(), size);
  std::string bytes(size, '\0');
  fill_pattern(bytes.data(), size, seed);
  return bytes;
}

// A frame from the server. opcode kNothing: none came, and `wrong` says why where it is the server's mistake.
struct WsFrame {
  uint8_t opcode = kNothing;
  bool fin = true;
  std::string payload = {};
  std::string wrong = {};

  bool ok() const { return opcode != kNothing; }
  bool is(uint8_t wanted, std::string_view text) const { return opcode == wanted && fin && payload == text; }
  // Of a Close: 1005 when it carries none.
  uint16_t close_code() const {
    if (payload.size() < 2) return 1005;
    return static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]));
  }
  std::string_view close_reason() const {
    return payload.size() < 2 ? std::string_view() : std::string_view(payload).substr(2);
  }
};

class WsClient {
 public:
  // Connects and shakes hands; see open().
  explicit WsClient(uint16_t port, std::string_view target = "/", std::string_view fields = {},
                    const ConnectOptions& options = {})
      : tcp(port, options) {
    if (!tcp.send(ws_request(target, fields))) return;
    handshake = tcp.read_response();
  }
  // Over a connection on which the handshake has been sent already; see read_handshake().
  explicit WsClient(Client&& sent) : tcp(std::move(sent)) {}
  WsClient(WsClient&&) noexcept = default;
  WsClient& operator=(WsClient&&) noexcept = default;

  bool read_handshake() {
    handshake = tcp.read_response();
    return open();
  }
  bool open() const { return handshake.status == 101 && handshake.field("sec-websocket-accept") == kSampleAccept; }

  bool send(std::string_view bytes) { return tcp.send(bytes); }
  bool send_text(std::string_view text) { return send(ws_frame(kText, text)); }
  bool send_binary(std::string_view bytes) { return send(ws_frame(kBinary, bytes)); }
  bool send_close(uint16_t code, std::string_view reason = {}) {
    return send(ws_frame(kClose, close_payload(code, reason)));
  }

  // The next frame, or kNothing when the connection ended or the time is over.
  WsFrame read_frame(milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    for (;;) {
      WsFrame frame;
      const size_t size = parse(frame);
      if (size > 0 || !frame.wrong.empty()) return at_ += size, frame;
      compact();
      if (!tcp.read_more(deadline)) return frame;
    }
  }
  // The next data message, put together; heartbeats in between are left out, a Close is given as it is.
  WsFrame read_message(milliseconds patience = kPatience) {
    WsFrame message;
    for (;;) {
      WsFrame frame = read_frame(patience);
      if (!frame.ok() || frame.opcode == kClose) return frame;
      if (frame.opcode == kPing || frame.opcode == kPong) continue;
      if ((frame.opcode == kContinuation) != message.ok()) return WsFrame{.wrong = "a continuation out of place"};
      if (!message.ok()) message.opcode = frame.opcode;
      message.payload += frame.payload;
      if (frame.fin) return message;
    }
  }
  // True when the next message is this text.
  bool reads(std::string_view text, uint8_t opcode = kText) { return read_message().is(opcode, text); }
  // Sends a text and waits for it to come back: what was sent before has been handled then.
  bool echoes(std::string_view text) { return send_text(text) && reads(text); }
  // Skips what comes until a Close; its code, or 0 when there was none.
  uint16_t read_close() {
    for (;;) {
      const WsFrame frame = read_frame();
      if (frame.opcode == kClose) return frame.close_code();
      if (!frame.ok()) return 0;
    }
  }
  // No byte beyond what was read, and the end of the TCP connection.
  bool ended() { return tcp.read_to_end() && tcp.in().size() == at_; }
  // Closes as a good client does; true when the server answered in kind and ended the connection.
  bool close_nicely() { return send_close(1000) && read_close() == 1000 && ended(); }

  Client tcp;
  HttpResponse handshake;

 private:
  void compact() {
    tcp.in().erase(0, at_);
    at_ = 0;
  }

  // The bytes of the frame that lies at the front; 0 when it is not whole, or is wrong.
  size_t parse(WsFrame& frame) {
    const std::string_view in = std::string_view(tcp.in()).substr(at_);
    const auto byte = [in](size_t i) { return static_cast<uint8_t>(in[i]); };
    if (in.size() < 2) return 0;
    const uint8_t opcode = byte(0) & 0x0f;
    const uint8_t short_length = byte(1) & 0x7f;
    if (byte(0) & 0x70) return frame.wrong = "a reserved bit", 0;
    if (byte(1) & 0x80) return frame.wrong = "a masked frame", 0;
    if (opcode > kBinary && (opcode < kClose || opcode > kPong)) return frame.wrong = "an unknown opcode", 0;
    if (opcode >= kClose && (short_length > 125 || !(byte(0) & 0x80))) return frame.wrong = "a bad control frame", 0;
    const size_t length_bytes = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
    if (in.size() < 2 + length_bytes) return 0;
    uint64_t length = length_bytes ? 0 : short_length;
    for (size_t i = 0; i < length_bytes; i++) length = length << 8 | byte(2 + i);
    if (length_bytes && length < (length_bytes == 2 ? 126u : 65536u)) return frame.wrong = "a long length", 0;
    const size_t begin = 2 + length_bytes;
    if (in.size() - begin < length) return 0;
    frame.opcode = opcode;
    frame.fin = (byte(0) & 0x80) != 0;
    frame.payload = in.substr(begin, static_cast<size_t>(length));
    return begin + static_cast<size_t>(length);
  }

  size_t at_ = 0;  // how far tcp.in() has been taken
};

}  // namespace martlet::test
