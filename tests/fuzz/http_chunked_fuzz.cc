// The chunked coding: pieces decode to what the whole decodes to, every event takes a byte, and limits hold. An own,
// plain reading of RFC 9112 §7.1, line by line, must come to the same body.
#include <optional>

#include "fuzz/fuzz.h"
#include "proto/http_chunked.h"

using namespace martlet;
using Event = proto::ChunkedDecoder::Event;

namespace {

struct Decoded {
  std::string body;
  Event last = Event::need_more;
  size_t consumed = 0;
  uint16_t status = 0;
};

Decoded decode(base::ByteSpan bytes, const std::vector<size_t>& cuts, const proto::ChunkedDecoder::Limits& limits) {
  Decoded decoded;
  proto::ChunkedDecoder decoder(limits);
  for (const size_t cut : cuts) {
    const fuzz::Exact piece(bytes.subspan(decoded.consumed, cut - decoded.consumed));
    size_t at = 0;
    for (;;) {
      const auto step = decoder.next(piece.span().subspan(at));
      at += step.consumed;
      FUZZ_CHECK(at <= piece.size());
      FUZZ_CHECK(step.event == Event::need_more || step.consumed > 0);
      decoded.last = step.event;
      if (step.event == Event::data) {
        FUZZ_CHECK(!step.data.empty() && step.data.data() >= piece.data());
        FUZZ_CHECK(step.data.data() + step.data.size() <= piece.data() + piece.size());
        decoded.body += base::as_text(step.data);
        continue;
      }
      break;
    }
    decoded.consumed += at;
    if (decoded.last == Event::error) decoded.status = decoder.error().status;
    if (decoded.last != Event::need_more) return decoded;
    FUZZ_CHECK(decoded.consumed == cut);
  }
  return decoded;
}

// The plain reader ----------------------------------------------------------------------------------------------------

bool token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

bool text_char(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7F); }

// Takes what the grammar names from the front of a line.
struct Line {
  std::string_view rest;

  bool literal(char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
  }
  void blanks() { rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size())); }
  bool token() {
    const auto end = std::find_if_not(rest.begin(), rest.end(), token_char);
    const bool some = end != rest.begin();
    rest.remove_prefix(static_cast<size_t>(end - rest.begin()));
    return some;
  }
  bool quoted() {
    if (!literal('"')) return false;
    while (!rest.empty() && rest[0] != '"') {
      if (literal('\\') && rest.empty()) return false;
      if (!text_char(rest[0])) return false;
      rest.remove_prefix(1);
    }
    return literal('"');
  }
  bool extensions() {
    while (!rest.empty()) {
      blanks();
      if (!literal(';')) return false;
      blanks();
      if (!token()) return false;
      const std::string_view behind_name = rest;
      blanks();
      if (!literal('=')) {
        rest = behind_name;
        continue;
      }
      blanks();
      if (!token() && !quoted()) return false;
    }
    return true;
  }
  // A number of any length whose value has 64 bits.
  std::optional<uint64_t> size() {
    uint64_t value = 0;
    bool some = false;
    for (; !rest.empty() && std::isxdigit(static_cast<unsigned char>(rest[0])); rest.remove_prefix(1)) {
      if (value >> 60) return {};
      value = value << 4 | std::strtoull(std::string(rest.substr(0, 1)).c_str(), nullptr, 16);
      some = true;
    }
    return some ? std::optional(value) : std::nullopt;
  }
  bool trailer() {
    return token() && literal(':') && std::all_of(rest.begin(), rest.end(), text_char);
  }
};

// The body and the bytes it took; nothing when it is unfinished or refused.
std::optional<std::pair<std::string, size_t>> plain(std::string_view bytes, const proto::ChunkedDecoder::Limits& limits) {
  std::string body;
  uint64_t overhead = 0, trailers = 0;
  size_t at = 0;
  // CR LF ends a line wherever it stands: neither of them may be within one.
  const auto line = [&]() -> std::optional<Line> {
    const size_t end = bytes.find("\r\n", at);
    if (end == bytes.npos) return {};
    const Line found{bytes.substr(at, end - at)};
    at = end + 2;
    return found;
  };
  for (;;) {
    auto head = line();
    if (!head) return {};
    const size_t begin = head->rest.size();
    const auto size = head->size();
    if (!size) return {};
    const size_t digits = begin - head->rest.size();
    overhead += head->rest.size() + (digits > 16 ? digits - 16 : 0);
    if (overhead > limits.extension_bytes || !head->extensions()) return {};
    if (*size > limits.body_bytes - body.size()) return {};
    if (*size == 0) break;
    if (*size > bytes.size() - at || bytes.substr(at + *size, 2) != "\r\n") return {};
    body += bytes.substr(at, *size);
    at += *size + 2;
  }
  for (;;) {
    auto trailer = line();
    if (!trailer) return {};
    if (trailer->rest.empty()) return std::pair(body, at);
    if ((trailers += trailer->rest.size() + 2) > limits.trailer_bytes || !trailer->trailer()) return {};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  proto::ChunkedDecoder::Limits limits;
  const uint8_t mode = input.control();
  if (mode & 1) limits = {.extension_bytes = 16, .trailer_bytes = 32};
  if (mode & 2) limits.body_bytes = 10;
  const std::vector<size_t> cuts = input.cuts();
  const base::ByteSpan bytes = input.rest();
  const Decoded whole = decode(bytes, {bytes.size()}, limits);
  const Decoded pieces = decode(bytes, cuts, limits);
  FUZZ_CHECK(whole.last == pieces.last && whole.status == pieces.status);
  FUZZ_CHECK(whole.body == pieces.body);
  if (whole.last == Event::done) FUZZ_CHECK(whole.consumed == pieces.consumed);
  FUZZ_CHECK(whole.body.size() <= bytes.size() && whole.body.size() <= limits.body_bytes);
  const auto wanted = plain(base::as_text(bytes), limits);
  FUZZ_CHECK(wanted.has_value() == (whole.last == Event::done));
  if (wanted) FUZZ_CHECK(wanted->first == whole.body && wanted->second == whole.consumed);
  return 0;
}
