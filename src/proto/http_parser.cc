// From bytes to lines and fields, in one optimistic pass.
//
// The vector kernel marks, for 64 bytes at a time, what may not stand in a field value (control characters) and what
// may not stand in a name. In a good head the control characters are the line ends and nothing else, so the places
// where a run of them begins are the ends of the lines, found without looking at a byte; and the first non-token after
// the start of a line is its colon. Whatever breaks this picture (a lone CR or LF, NUL, white space before the colon, a
// folded line) shows as a run that is not CR LF or a name that does not end in a colon, and is 400.
//
// How much is classified at first is guessed from the head before, so a short head in a long pipeline costs little.
// When the bytes end before the head does, later calls look for its end only, from where they stopped; then the head
// is parsed once more from the start. A byte is classified at most twice and searched once, however it drips in.
//
// Invariants: window positions are counted from bytes[0]; a line is touched only when its end, and two bytes after
// that end, are known to be there. One parser per worker.
#include "proto/http_parser.h"

#include <algorithm>

#include "proto/http_names.h"
#include "proto/http_rules.h"

namespace martlet::proto {

namespace {

constexpr size_t kMaxEmptyLines = 4;   // CRLFs tolerated before a request (RFC 9112 §2.2)
constexpr size_t kMaxMethod = 32;      // longer methods are nobody's
constexpr size_t kNextStep = 4;        // blocks, when the guess was too short
constexpr size_t kVersionBytes = 8;    // "HTTP/1.1"

constexpr uint16_t kCrLf = raw_word<uint16_t>("\r\n");
constexpr uint32_t kCrLfCrLf = raw_word<uint32_t>("\r\n\r\n");
constexpr uint64_t kHttp11 = raw_word<uint64_t>("HTTP/1.1");
constexpr uint64_t kHttp10 = raw_word<uint64_t>("HTTP/1.0");

constexpr std::string_view kMethodNames[] = {"GET",     "HEAD",    "POST",  "PUT", "PATCH", "DELETE",
                                             "OPTIONS", "CONNECT", "TRACE", ""};

// Undefined at zero, which lets it be one instruction everywhere.
size_t lowest_bit(uint64_t bits) noexcept { return static_cast<size_t>(__builtin_ctzll(bits)); }

bool is_blank(uint8_t c) noexcept { return c == ' ' || c == '\t'; }

[[gnu::cold]] ParseStatus fail(HttpError& error, uint16_t status, const char* cause) noexcept {
  refuse(error, status, cause);
  return ParseStatus::error;
}

Method method_of(std::string_view name) noexcept {
  if (name == "GET") return Method::get;
  for (size_t m = 1; m < static_cast<size_t>(Method::other); m++) {
    if (name == kMethodNames[m]) return static_cast<Method>(m);
  }
  return Method::other;
}

// Why the run of control characters at `at` does not end a line.
[[gnu::cold]] ParseStatus fail_line_end(uint8_t c, HttpError& error) noexcept {
  if (c == '\r') return fail(error, 400, "CR without LF in the head");
  if (c == '\n') return fail(error, 400, "LF without CR in the head");
  return fail(error, 400, "control character in the head");
}

// Why the line at `line` has no name before a colon; `stop` is its first byte that is not of a name.
[[gnu::cold]] ParseStatus fail_field_name(const uint8_t* line, size_t name_length, HttpError& error) noexcept {
  const uint8_t stop = line[name_length];
  if (name_length == 0 && is_blank(stop)) return fail(error, 400, "folded line or white space before a field name");
  if (name_length == 0 && stop == ':') return fail(error, 400, "empty field name");
  if (name_length == 0 && (stop == '\r' || stop == '\n')) return fail_line_end(stop, error);
  if (is_blank(stop)) return fail(error, 400, "white space before the colon of a field");
  if (stop == '\r') return fail(error, 400, "field without a colon");
  return fail(error, 400, "character that may not stand in a field name");
}

// The last eight bytes of the request line are neither HTTP/1.1 nor HTTP/1.0.
[[gnu::cold]] ParseStatus fail_version(std::string_view line, HttpError& error) noexcept {
  const std::string_view version = line.size() > kVersionBytes ? line.substr(line.size() - kVersionBytes - 1) : "";
  const auto digit = [&](size_t i) { return has_class(static_cast<uint8_t>(version[i]), char_class::digit); };
  if (version.starts_with(" HTTP/") && digit(6) && version[7] == '.' && digit(8)) {
    return fail(error, 505, "HTTP version other than 1.0 and 1.1");
  }
  return fail(error, 400, "malformed request line");
}

// Looks over target[0, length): false when it has a space, a tab, a '#' or a byte above 0x7F. `question` becomes the
// place of the first '?', or length. Reads up to seven bytes more, which the version behind the target provides.
// A subtraction borrows from a byte's top bit when the byte is too small; what is marked above such a byte is not to
// be trusted, what is marked first is.
bool scan_target(const uint8_t* target, size_t length, size_t& question) noexcept {
  constexpr uint64_t kTopBits = 0x80 * kEveryByte;
  question = length;
  for (size_t at = 0; at < length; at += 8) {
    const uint64_t word = load_le64(target + at);
    const uint64_t not_ascii = word & kTopBits;
    const uint64_t ascii = not_ascii ^ kTopBits;
    const uint64_t up_to_space = (word - 0x21 * kEveryByte) & ascii;
    const uint64_t number_sign = ((word ^ '#' * kEveryByte) - kEveryByte) & ascii;
    const uint64_t question_mark = ((word ^ '?' * kEveryByte) - kEveryByte) & ascii;
    const uint64_t inside = length - at >= 8 ? ~uint64_t{0} : ~(~uint64_t{0} << (length - at) * 8);
    if ((not_ascii | up_to_space | number_sign) & inside) return false;
    if ((question_mark & inside) && question == length) question = at + lowest_bit(question_mark) / 8;
  }
  return true;
}

}  // namespace

std::string_view method_name(Method method) noexcept { return kMethodNames[static_cast<size_t>(method)]; }

namespace {

// Whether the head ends at or after `from`, or a bare LF stands there, which the parser will refuse.
bool has_end(const uint8_t* base, size_t size, size_t line, size_t from) noexcept {
  while (from < size) {
    const void* found = std::memchr(base + from, '\n', size - from);
    if (!found) return false;
    const size_t at = static_cast<size_t>(static_cast<const uint8_t*>(found) - base);
    if (at == line || base[at - 1] != '\r') return true;
    if (at >= line + 3 && base[at - 2] == '\n') return true;
    from = at + 1;
  }
  return false;
}

// Passes over the CRLFs that some clients send after a body. need_more while nothing else has come.
[[gnu::cold]] ParseStatus skip_empty_lines(base::ByteSpan bytes, size_t& line, HttpError& error) noexcept {
  size_t at = 0;
  for (; at < bytes.size() && bytes[at] == '\r'; at += 2) {
    if (at == 2 * kMaxEmptyLines) return fail(error, 400, "too many empty lines before a request");
    if (at + 1 == bytes.size()) return ParseStatus::need_more;
    if (bytes[at + 1] != '\n') return fail_line_end('\r', error);
  }
  line = at;
  return at == bytes.size() ? ParseStatus::need_more : ParseStatus::done;
}

// The bytes ended before the head did. What is clearly no request is refused without waiting for more of it.
[[gnu::cold]] ParseStatus judge_rest(base::ByteSpan rest, bool in_fields, bool at_limit, HttpError& error) noexcept {
  if (!in_fields && !rest.empty()) {
    size_t length = 0;
    while (length < rest.size() && has_class(rest[length], char_class::token)) length++;
    if (length < rest.size() && (length == 0 || rest[length] != ' ')) return fail(error, 400, "malformed method");
    if (length > kMaxMethod) return fail(error, 501, "method too long");
  }
  if (!at_limit) return ParseStatus::need_more;
  if (!in_fields) return fail(error, 414, "request target over the limit");
  return fail(error, 431, "request head over the limit");
}

}  // namespace



struct HttpParser::Cursor {
  const uint8_t* base;
  size_t size;
  size_t line;
  size_t known = 0;      // how many bytes are classified
  uint32_t max_fields;
  bool in_fields = false;
};

namespace {

struct Line {
  size_t name_end;
  size_t end;
};

inline Line find_line(const simd::HeadBits* bits, size_t line) noexcept {
  const simd::HeadBits* b = bits + line / 64;
  const size_t shift = line % 64;
  uint64_t control = b[0].not_value >> shift | b[1].not_value * 2 << (~shift % 64);
  uint64_t not_token = b[0].not_token >> shift | b[1].not_token * 2 << (~shift % 64);
  size_t name_end = line, end = line;
  while (control == 0) {
    if (not_token == 0) name_end += 64;
    end += 64;
    b++;
    control = b[0].not_value >> shift | b[1].not_value * 2 << (~shift % 64);
    if (not_token == 0) not_token = b[0].not_token >> shift | b[1].not_token * 2 << (~shift % 64);
  }
  return {name_end + lowest_bit(not_token), end + lowest_bit(control)};
}

}  // namespace

void HttpParser::classify_more(Cursor& cursor) noexcept {
  const size_t blocks = cursor.known == 0 ? expected_blocks_ : kNextStep;
  const size_t from = cursor.known;
  cursor.known = std::min(from + blocks * 64, cursor.size);
  simd::kernels->classify_head(cursor.base + from, cursor.known - from, bits_ + from / 64);
  bits_[(cursor.known + 63) / 64] = {~uint64_t{0}, ~uint64_t{0}};
}

inline bool HttpParser::parse_request_line(Cursor& cursor, RequestHead& head, HttpError& error) noexcept {
  const uint8_t* base = cursor.base;
  const size_t start = cursor.line;
  Line line = find_line(bits_, start);
  while (line.end + 4 > cursor.known) {
    if (cursor.known == cursor.size) return false;
    classify_more(cursor);
    line = find_line(bits_, start);
  }
  cursor.in_fields = true;
  const size_t end = line.end;
  if (load_raw<uint16_t>(base + end) != kCrLf) return fail_line_end(base[end], error), true;
  const size_t method_length = line.name_end - start;
  if (method_length == 0 || base[line.name_end] != ' ') return fail(error, 400, "malformed method"), true;
  if (method_length > kMaxMethod) return fail(error, 501, "method too long"), true;
  const size_t target = line.name_end + 1;
  if (end < target + 2 + kVersionBytes) return fail_version(base::as_text({base + start, end - start}), error), true;
  const uint64_t version = load_raw<uint64_t>(base + end - kVersionBytes);
  if ((version != kHttp11 && version != kHttp10) || base[end - kVersionBytes - 1] != ' ') {
    return fail_version(base::as_text({base + start, end - start}), error), true;
  }
  const size_t target_length = end - kVersionBytes - 1 - target;
  size_t question;
  if (!scan_target(base + target, target_length, question)) {
    return fail(error, 400, "character that may not stand in a request target"), true;
  }
  head.minor_version = version == kHttp11;
  head.method = method_of({reinterpret_cast<const char*>(base) + start, method_length});
  head.method_at = static_cast<uint16_t>(start);
  head.method_length = static_cast<uint16_t>(method_length);
  head.target_at = head.path_at = static_cast<uint16_t>(target);
  head.target_length = static_cast<uint16_t>(target_length);
  head.path_length = static_cast<uint16_t>(question);
  head.query_at = static_cast<uint16_t>(target + question + (question != target_length));
  head.authority_length = 0;
  head.query_length = static_cast<uint16_t>(target + target_length - head.query_at);
  if (base[target] != '/' || head.method == Method::connect) {
    if (!split_target(base, head, error)) return true;
  }
  cursor.line = end + 2;
  return true;
}

inline ParseStatus HttpParser::parse_lines(Cursor& cursor, RequestHead& head, HttpError& error) noexcept {
  const uint8_t* base = cursor.base;
  if (!parse_request_line(cursor, head, error)) return ParseStatus::need_more;
  if (error.status) return ParseStatus::error;
  size_t line = cursor.line;
  size_t count = 0;
  if (load_raw<uint16_t>(base + line) != kCrLf) for (;;) {
    const auto [colon, end] = find_line(bits_, line);
    if (end + 4 > cursor.known) [[unlikely]] {
      if (cursor.known == cursor.size) return ParseStatus::need_more;
      classify_more(cursor);
      continue;
    }
    const size_t name_length = colon - line;
    const uint32_t line_end = load_raw<uint32_t>(base + end);
    if ((line_end & 0xffff) != kCrLf) return fail_line_end(base[end], error);
    if (name_length == 0) return fail_field_name(base + line, name_length, error);
    size_t value = colon + 2;
    size_t value_end = end;
    if (load_raw<uint16_t>(base + colon) != raw_word<uint16_t>(": ") || base[value] <= ' ' || base[end - 1] <= ' ') [[unlikely]] {
      if (base[colon] != ':') return fail_field_name(base + line, name_length, error);
      value--;
      while (is_blank(base[value])) value++;
      while (value_end > value && is_blank(base[value_end - 1])) value_end--;
    }
    if (count == cursor.max_fields) return fail(error, 431, "more fields than the limit allows");
    const FieldName name = field_name_at(base, line, name_length);
    Field& field = head.fields[count];
    const uint64_t packed = line | name_length << 16 | value << 32 | (value_end - value) << 48;
    std::memcpy(&field, &packed, 8);
    field.name = name;
    head.last_of[static_cast<size_t>(name)] = static_cast<uint8_t>(count);
    head.count_of[static_cast<size_t>(name)]++;
    count++;
    line = end + 2;
    if (line_end == kCrLfCrLf) break;
  }
  head.field_count = static_cast<uint8_t>(count);
  head.head_bytes = static_cast<uint32_t>(line + 2);
  expected_blocks_ = (line + 2 + 63) / 64;
  return settle_head(base, known_host_, head, error) ? ParseStatus::done : ParseStatus::error;
}

ParseStatus HttpParser::parse_request_head(base::ByteSpan bytes, const HeadLimits& limits, uint32_t& scanned,
                                           RequestHead& head, HttpError& error) noexcept {
  const size_t limit = std::min<size_t>(limits.head_bytes, 65535);
  const size_t size = std::min(bytes.size(), limit);
  size_t start = 0;
  if (size > 0 && bytes[0] == '\r') [[unlikely]] {
    const ParseStatus status = skip_empty_lines(bytes.first(size), start, error);
    if (status != ParseStatus::done) return status;
  }
  if (scanned != 0) [[unlikely]] {
    if (size != limit && !has_end(bytes.data(), size, start, std::max<size_t>(scanned, start))) {
    scanned = static_cast<uint32_t>(size);
    return ParseStatus::need_more;
  }
  }
  std::memset(head.count_of, 0, sizeof head.count_of);
  error.status = 0;
  Cursor cursor{.base = bytes.data(), .size = size, .line = start, .max_fields = std::min(limits.fields, RequestHead::kMaxFields)};
  if (size == 0) return ParseStatus::need_more;
  classify_more(cursor);
  if (start) bits_[0].not_value &= ~uint64_t{0} << start;  // empty lines before the request
  const ParseStatus status = parse_lines(cursor, head, error);
  if (status != ParseStatus::need_more) return status;
  scanned = static_cast<uint32_t>(size);
  return judge_rest(bytes.first(size).subspan(start), cursor.in_fields, size == limit, error);
}

}  // namespace martlet::proto
