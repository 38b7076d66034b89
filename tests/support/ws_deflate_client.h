// A WebSocket client of the tests that speaks permessage-deflate (RFC 7692), with a strict eye: compressed messages that
// refer to what the agreement forbids, or that come without one, are wrong. What it sends can be anything.
//
//   DeflateClient client(server.port(), "/", "permessage-deflate");
//   client.send_packed(kText, text);
//   CHECK(client.read().is(kText, text));
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/deflate.h"
#include "codec/inflate.h"
#include "support/ws_client.h"

namespace martlet::test {

inline std::string offer_field(std::string_view offer) {
  return offer.empty() ? std::string() : "Sec-WebSocket-Extensions: " + std::string(offer) + "\r\n";
}

inline constexpr uint8_t kRsv1 = 4;  // of FrameOptions::rsv

// Compresses messages, as they stand in a frame: without the four bytes of the flush.
class Packer {
 public:
  explicit Packer(int window_bits = 15, bool keep_context = false)
      : deflate_(codec::Deflate::make({codec::DeflateLevel::better, window_bits, keep_context})),
        scratch_(codec::DeflateScratch::make()) {}
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer() {
    codec::Deflate::destroy(deflate_);
    codec::DeflateScratch::destroy(scratch_);
  }
  std::string pack(std::string_view text) {
    std::string out(codec::Deflate::bound(text.size()), '\0');
    out.resize(deflate_->compress(base::as_bytes(text), reinterpret_cast<uint8_t*>(out.data()),
                                  codec::DeflateFlush::sync, *scratch_));
    out.resize(out.size() - 4);
    return out;
  }

 private:
  codec::Deflate* deflate_;
  codec::DeflateScratch* scratch_;
};

inline std::string packed(std::string_view text) { return Packer().pack(text); }
inline std::string packed_frame(uint8_t opcode, std::string_view text) {
  return ws_frame(opcode, packed(text), {.rsv = kRsv1});
}

// A compressed payload in frames of the given sizes, the rest in the last one.
inline std::string packed_fragments(uint8_t opcode, std::string_view payload, const std::vector<size_t>& sizes) {
  std::string frames;
  uint8_t rsv = kRsv1;
  for (const size_t size : sizes) {
    frames += ws_frame(opcode, payload.substr(0, size), {.fin = false, .rsv = rsv});
    payload.remove_prefix(std::min(size, payload.size()));
    opcode = kContinuation;
    rsv = 0;
  }
  return frames + ws_frame(opcode, payload, {.rsv = rsv});
}

// Inflates messages that come with these terms.
class Unpacker {
 public:
  explicit Unpacker(int window_bits = 15, bool keeps_context = false)
      : bits_(window_bits), keeps_(keeps_context), inflate_(std::make_unique<codec::Inflate>()) {}

  // False: it is not what the terms allow.
  bool unpack(std::string_view payload, std::string& text) {
    const std::string whole = std::string(payload) + std::string("\0\0\xff\xff", 4);
    std::string out = keeps_ ? window_ : std::string();
    const size_t before = out.size();
    size_t have = before;
    inflate_->reset(codec::DeflateFormat::raw, bits_);
    const auto* at = reinterpret_cast<const uint8_t*>(whole.data());
    const uint8_t* const end = at + whole.size();
    auto status = codec::InflateStatus::output_full;
    while (status == codec::InflateStatus::output_full) {
      out.resize(std::max<size_t>(out.size() * 2, 4096));
      auto* begin = reinterpret_cast<uint8_t*>(out.data());
      uint8_t* to = begin + have;
      status = inflate_->run(at, end, begin, to, begin + out.size());
      have = static_cast<size_t>(to - begin);
    }
    if (status != codec::InflateStatus::need_input || at != end || !inflate_->at_flush_point()) return false;
    out.resize(have);
    text = out.substr(before);
    const size_t most = size_t{1} << bits_;
    if (keeps_) window_ = out.size() > most ? out.substr(out.size() - most) : out;
    return true;
  }

 private:
  int bits_;
  bool keeps_;
  std::unique_ptr<codec::Inflate> inflate_;
  std::string window_;
};

// A message from the server.
struct WsMessage {
  uint8_t opcode = kNothing;
  std::string text = {};
  bool compressed = false;
  size_t payload_bytes = 0;  // as it was sent
  std::string wrong = {};

  bool ok() const { return opcode != kNothing && wrong.empty(); }
  bool is(uint8_t wanted, std::string_view what) const { return ok() && opcode == wanted && text == what; }
  uint16_t close_code() const {
    if (opcode != kClose) return 0;
    if (text.size() < 2) return 1005;
    return static_cast<uint16_t>(static_cast<uint8_t>(text[0]) << 8 | static_cast<uint8_t>(text[1]));
  }
};

class DeflateClient {
 public:
  explicit DeflateClient(uint16_t port, std::string_view target = "/", std::string_view offer = "permessage-deflate",
                         std::string_view fields = {}, const ConnectOptions& options = {})
      : DeflateClient(WsClient(port, target, offer_field(offer) + std::string(fields), options)) {}
  // Of a handshake that is over.
  explicit DeflateClient(WsClient&& shaken) : tcp(std::move(shaken.tcp)), handshake(std::move(shaken.handshake)) {
    answer = handshake.field("sec-websocket-extensions");
    agreed = answer.starts_with("permessage-deflate");
    client_bits = bits("client_max_window_bits=");
    const bool server_keeps = answer.find("server_no_context_takeover") == answer.npos;
    client_keeps = answer.find("client_no_context_takeover") == answer.npos;
    unpacker_ = std::make_unique<Unpacker>(bits("server_max_window_bits="), server_keeps);
  }
  DeflateClient(DeflateClient&&) noexcept = default;
  DeflateClient& operator=(DeflateClient&&) noexcept = default;

  bool open() const { return handshake.status == 101; }

  bool send(std::string_view bytes) { return tcp.send(bytes); }
  // Compressed as the agreement allows: with what went before, where it does.
  std::string pack(std::string_view text) {
    if (!packer_) packer_ = std::make_unique<Packer>(client_bits, client_keeps);
    return packer_->pack(text);
  }
  bool send_packed(uint8_t opcode, std::string_view text) {
    return send(ws_frame(opcode, pack(text), {.rsv = kRsv1}));
  }

  // The next message or control frame, inflated. The server does not fragment.
  WsMessage read(milliseconds patience = kPatience) {
    WsMessage message;
    const auto deadline = Clock::now() + patience;
    for (;;) {
      const size_t size = parse(message);
      if (!message.wrong.empty()) return message;
      if (size > 0) {
        at_ += size;
        return message;
      }
      tcp.in().erase(0, at_);
      at_ = 0;
      if (!tcp.read_more(deadline)) return message;
    }
  }
  bool reads(uint8_t opcode, std::string_view text) {
    const WsMessage message = read();
    return message.is(opcode, text);
  }
  bool echoes(std::string_view text) { return send_packed(kText, text) && reads(kText, text); }
  // Skips what comes until a Close; its code, or 0 when there was none.
  uint16_t read_close() {
    for (;;) {
      const WsMessage message = read();
      if (message.opcode == kClose) return message.close_code();
      if (!message.ok()) return 0;
    }
  }
  bool closes_nicely() {
    return send(ws_frame(kClose, close_payload(1000))) && read_close() == 1000 && tcp.read_to_end() &&
           tcp.in().size() == at_;
  }

  Client tcp;
  HttpResponse handshake;
  std::string answer;
  bool agreed = false;
  bool client_keeps = false;
  int client_bits = 15;

 private:
  int bits(std::string_view name) const {
    const size_t at = answer.find(name);
    return at == answer.npos ? 15 : std::atoi(answer.c_str() + at + name.size());
  }

  size_t parse(WsMessage& message) {
    const std::string_view in = std::string_view(tcp.in()).substr(at_);
    const auto byte = [in](size_t i) { return static_cast<uint8_t>(in[i]); };
    if (in.size() < 2) return 0;
    const uint8_t opcode = byte(0) & 0x0f;
    const bool data = opcode == kText || opcode == kBinary;
    const bool compressed = (byte(0) & 0x40) != 0;
    if (!data && (opcode < kClose || opcode > kPong)) return message.wrong = "an unknown opcode", 0;
    if ((byte(0) & 0xb0) != 0x80) return message.wrong = "no FIN, or a reserved bit", 0;
    if (compressed && (!data || !agreed)) return message.wrong = "RSV1 where it must not be", 0;
    if (byte(1) & 0x80) return message.wrong = "a masked frame", 0;
    const size_t length_bytes = byte(1) < 126 ? 0 : byte(1) == 126 ? 2 : 8;
    if (in.size() < 2 + length_bytes) return 0;
    uint64_t length = length_bytes ? 0 : byte(1);
    for (size_t i = 0; i < length_bytes; i++) length = length << 8 | byte(2 + i);
    if (length_bytes && length < (length_bytes == 2 ? 126u : 65536u)) return message.wrong = "a long length", 0;
    if (in.size() - 2 - length_bytes < length) return 0;
    const std::string_view payload = in.substr(2 + length_bytes, static_cast<size_t>(length));
    message.payload_bytes = payload.size();
    message.compressed = compressed;
    message.text = compressed ? std::string() : std::string(payload);
    if (compressed && !unpacker_->unpack(payload, message.text)) return message.wrong = "what cannot be inflated", 0;
    message.opcode = opcode;
    return 2 + length_bytes + payload.size();
  }

  size_t at_ = 0;  // how far tcp.in() has been taken
  std::unique_ptr<Unpacker> unpacker_;
  std::unique_ptr<Packer> packer_;
};

}  // namespace martlet::test
