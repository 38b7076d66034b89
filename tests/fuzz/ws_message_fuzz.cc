// Frames and messages: the input is what a client sends. Read in pieces by the library's parser and rule book, and
// once by a plain reading of RFC 6455 §5, it must give the same messages and the same end.
#include "codec/utf8.h"
#include "fuzz/fuzz.h"
#include "proto/ws_message.h"

using namespace martlet;
using proto::Opcode;

namespace {

struct Heard {
  std::vector<std::string> events;  // messages and control frames, a letter for the kind in front
  uint16_t end = 0;                 // the close code of the error, 0 when there was none
};

// The library's reading, as a session does it: a header when it is whole, then payload as it comes.
class Reader {
 public:
  Reader(proto::Role role, const proto::MessageLimits& limits) : role_(role), limits_(limits) {}

  void feed(base::ByteSpan bytes) {
    waiting_.append(base::as_text(bytes));
    while (heard.end == 0 && step()) {
    }
  }
  Heard heard;

 private:
  bool step() {
    if (in_frame_) return payload();
    const fuzz::Exact bytes(base::as_bytes(waiting_));
    proto::WsError error;
    const auto status = proto::parse_frame_header(bytes.span(), role_, false, header_, error);
    if (status == proto::ParseStatus::need_more) return false;
    if (status == proto::ParseStatus::error) return fail(error);
    if (proto::is_control(header_.opcode)) return control();
    waiting_.erase(0, header_.header_bytes);
    if (!message_.begin_frame(header_, limits_, error)) return fail(error);
    in_frame_ = true;
    taken_ = 0;
    return true;
  }

  bool payload() {
    proto::WsError error;
    const size_t here = std::min<size_t>(waiting_.size(), static_cast<size_t>(header_.length - taken_));
    if (here) {
      const fuzz::Exact piece(base::as_bytes(std::string_view(waiting_).substr(0, here)));
      waiting_.erase(0, here);
      if (!message_.take_payload(piece.data(), here, header_, taken_, error)) return fail(error);
      text_ += base::as_text(piece.span());
      taken_ += here;
    }
    if (taken_ < header_.length) return false;
    in_frame_ = false;
    if (message_.end_frame(header_, error)) {
      heard.events.push_back((message_.is_text() ? "t" : "b") + text_);
      text_.clear();
      message_.reset();
    } else if (error.code) {
      return fail(error);
    }
    return true;
  }

  bool control() {
    const size_t whole = header_.header_bytes + static_cast<size_t>(header_.length);
    if (waiting_.size() < whole) return false;
    const fuzz::Exact piece(base::as_bytes(std::string_view(waiting_).substr(header_.header_bytes, whole - header_.header_bytes)));
    waiting_.erase(0, whole);
    if (header_.masked) simd::kernels->unmask(piece.data(), piece.size(), header_.masking_key);
    heard.events.push_back(std::string(1, static_cast<char>('0' + static_cast<int>(header_.opcode) % 8)) +
                           std::string(base::as_text(piece.span())));
    if (header_.opcode != Opcode::close) return true;
    proto::ClosePayload close;
    proto::WsError error;
    if (!proto::parse_close_payload(piece.span(), close, error)) return fail(error);
    heard.end = 1;
    return false;
  }

  bool fail(const proto::WsError& error) {
    FUZZ_CHECK(error.code >= 1000 && *error.cause);
    heard.end = error.code;
    return false;
  }

  proto::Role role_;
  proto::MessageLimits limits_;
  proto::MessageState message_;
  proto::FrameHeader header_;
  std::string waiting_, text_;
  uint64_t taken_ = 0;
  bool in_frame_ = false;
};

bool valid_prefix(const std::string& text) {  // of UTF-8: some continuation makes it whole
  for (const char* end : {"", "\x80", "\x80\x80", "\x80\x80\x80", "\xBF", "\xBF\xBF", "\xBF\xBF\xBF", "\xA0\x80", "\x90\x80\x80"}) {
    if (codec::is_valid_utf8(base::as_bytes(text + end))) return true;
  }
  return false;
}

// The plain reading of everything that came.
Heard read_plainly(base::ByteSpan bytes, bool server, const proto::MessageLimits& limits) {
  Heard heard;
  std::string text;
  int kind = 0;
  uint32_t fragments = 0;
  uint64_t announced = 0;
  const auto at_end = [&](uint16_t code) { return heard.end = code, heard; };
  for (size_t at = 0;;) {
    const auto byte = [&](size_t i) { return bytes[at + i]; };
    if (bytes.size() - at < 2) return heard;
    const int opcode = byte(0) & 15;
    const bool fin = byte(0) >> 7;
    const bool masked = byte(1) >> 7;
    uint64_t length = byte(1) & 127;
    if ((byte(0) & 0x70) || masked != server || (opcode > 2 && (opcode < 8 || opcode > 10))) return at_end(1002);
    if (opcode > 7 && (!fin || length > 125)) return at_end(1002);
    size_t header = 2;
    if (length > 125) {
      const size_t more = length == 126 ? 2 : 8;
      if (bytes.size() - at < 2 + more) return heard;
      length = 0;
      for (size_t i = 0; i < more; i++) length = length << 8 | byte(2 + i);
      if (length < (more == 2 ? 126u : 65536u) || length >> 63) return at_end(1002);
      header += more;
    }
    if (masked && bytes.size() - at < header + 4) return heard;
    const size_t key = at + header;
    if (masked) header += 4;
    if (opcode < 8) {
      if ((opcode == 0) != (kind != 0)) return at_end(1002);
      if (opcode) kind = opcode;
      if (length > limits.message_bytes - announced) return at_end(1009);
      announced += length;
      if (!fin && ++fragments > limits.fragments + announced / 16) return at_end(1008);
    }
    at += header;
    const size_t here = static_cast<size_t>(std::min<uint64_t>(length, bytes.size() - at));
    std::string payload;
    for (size_t i = 0; i < here; i++) payload.push_back(static_cast<char>(bytes[at + i] ^ (masked ? bytes[key + i % 4] : 0)));
    if (opcode < 8) {
      text += payload;
      if (kind == 1 && !valid_prefix(text)) return at_end(1007);
    }
    if (here < length) return heard;
    at += here;
    if (opcode >= 8) {
      heard.events.push_back(std::string(1, static_cast<char>('0' + opcode % 8)) + payload);
      if (opcode > 8) continue;
      if (payload.empty()) return at_end(1);
      const unsigned code = payload.size() < 2 ? 0 : static_cast<uint8_t>(payload[0]) * 256u + static_cast<uint8_t>(payload[1]);
      const bool may = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                       (code >= 3000 && code <= 4999);
      if (!may) return at_end(1002);
      return at_end(codec::is_valid_utf8(base::as_bytes(payload).subspan(2)) ? 1 : 1007);
    }
    if (!fin) continue;
    if (kind == 1 && !codec::is_valid_utf8(base::as_bytes(text))) return at_end(1007);
    heard.events.push_back((kind == 1 ? "t" : "b") + text);
    text.clear();
    kind = 0;
    fragments = 0;
    announced = 0;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t mode = input.control();
  const bool server = !(mode & 1);
  proto::MessageLimits limits{.message_bytes = mode & 2 ? 200u : 100'000u, .fragments = mode & 4 ? 3u : 1000u};
  const std::vector<size_t> cuts = input.cuts();
  const base::ByteSpan bytes = input.rest();
  Reader reader(server ? proto::Role::server : proto::Role::client, limits);
  size_t at = 0;
  for (const size_t cut : cuts) {
    reader.feed(bytes.subspan(at, cut - at));
    at = cut;
    if (reader.heard.end) break;
  }
  const Heard plain = read_plainly(bytes, server, limits);
  FUZZ_CHECK(reader.heard.end == plain.end);
  FUZZ_CHECK(reader.heard.events == plain.events);
  return 0;
}
