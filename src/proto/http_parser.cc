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

// What a word of the target holds, as the top bits of bytes: exact up to and including the first that is set.
uint64_t zero_bytes(uint64_t word) noexcept { return (word - kEveryByte) & ~word & (0x80 * kEveryByte); }
uint64_t bytes_equal_to(uint64_t word, uint8_t c) noexcept { return zero_bytes(word ^ (c * kEveryByte)); }

uint64_t bytes_bad_in_target(uint64_t word) noexcept {
  const uint64_t up_to_space = (word - 0x21 * kEveryByte) & ~word & (0x80 * kEveryByte);
  return up_to_space | bytes_equal_to(word, '#') | (word & (0x80 * kEveryByte));
}

// Looks over target[0, length): false when it has a space, a tab, a '#' or a byte above 0x7F. `question` becomes the
// place of the first '?', or length. Reads up to seven bytes more, which the version behind the target provides.
bool scan_target(const uint8_t* target, size_t length, size_t& question) noexcept {
  question = length;
  for (size_t at = 0; at < length; at += 8) {
    const uint64_t word = load_le64(target + at);
    const uint64_t inside = length - at >= 8 ? ~uint64_t{0} : ~(~uint64_t{0} << (length - at) * 8);
    if (bytes_bad_in_target(word) & inside) return false;
    const uint64_t found = bytes_equal_to(word, '?') & inside;
    if (found && question == length) question = at + lowest_bit(found) / 8;
  }
  return true;
}

}  // namespace

std::string_view method_name(Method method) noexcept { return kMethodNames[static_cast<size_t>(method)]; }

// One attempt at a head.
struct HttpParser::Walk {
  const uint8_t* base;
  size_t size;
  size_t line;                    // where the current line begins
  uint32_t max_fields;
  bool in_fields = false;         // the request line is behind us
  bool at_limit = false;          // more bytes would be over the limit
  uint64_t control_carry = 0;     // the block before ended in a control character,
  uint64_t name_carry = 0;        // in a name,
  uint64_t line_carry = 0;        // with a line end whose next line begins here, at these bits
  size_t mark_count = 0;
};

// Classifies the next blocks and lists the marks of their lines.
inline __attribute__((always_inline)) void HttpParser::find_marks(Walk& walk, size_t first_block,
                                                                  size_t blocks) noexcept {
  const size_t from = first_block * kBlockBytes;
  const size_t bytes = std::min(blocks * kBlockBytes, walk.size - from);
  simd::kernels->classify_head(walk.base + from, bytes, bits_);
  if (from == 0 && walk.line != 0) bits_[0].not_value &= ~uint64_t{0} << walk.line;  // empty lines before the request
  uint16_t* out = marks_ + walk.mark_count;
  const simd::HeadBits* bits = bits_;
  for (size_t at = from; at < from + bytes; at += kBlockBytes, bits++) {
    const uint64_t control = bits->not_value;
    const uint64_t not_token = bits->not_token;
    const uint64_t line_ends = control & ~(control << 1 | walk.control_carry);
    walk.control_carry = control >> 63;
    const uint64_t line_starts = line_ends << 2 | walk.line_carry;
    walk.line_carry = line_ends >> 62;
    uint64_t reached;
    const bool carry1 = __builtin_add_overflow(~not_token, line_starts, &reached);
    const bool carry2 = __builtin_add_overflow(reached, walk.name_carry, &reached);
    walk.name_carry = carry1 | carry2;
    const uint64_t name_ends = reached & not_token;
    uint64_t marks = line_ends | name_ends;
    uint64_t both = line_ends & name_ends;
    if (both) [[unlikely]] {
      for (; marks; marks &= marks - 1) {
        const uint64_t lowest = marks & (~marks + 1);
        *out++ = static_cast<uint16_t>(at + lowest_bit(marks));
        if (both & lowest) *out++ = static_cast<uint16_t>(at + lowest_bit(marks));
      }
      continue;
    }
    for (int i = 0; i < SLOTS; i++) {
      *out = static_cast<uint16_t>(at + lowest_bit(marks | uint64_t{1} << 63));
      out += marks != 0;
      marks &= marks - 1;
    }
    for (; marks; marks &= marks - 1) *out++ = static_cast<uint16_t>(at + lowest_bit(marks));
  }
  while (out != marks_ && out[-1] + size_t{4} > walk.size) out--;
  walk.mark_count = static_cast<size_t>(out - marks_);
}

namespace {

ParseStatus parse_request_line(const uint8_t* base, size_t start, size_t method_end, size_t end, RequestHead& head,
                               HttpError& error) noexcept {
  if (load_raw<uint16_t>(base + end) != kCrLf) return fail_line_end(base[end], error);
  const size_t method_length = method_end - start;
  if (method_length == 0 || base[method_end] != ' ') return fail(error, 400, "malformed method");
  if (method_length > kMaxMethod) return fail(error, 501, "method too long");
  const size_t target = method_end + 1;
  if (end < target + 2 + kVersionBytes) return fail_version(base::as_text({base + start, end - start}), error);
  const uint64_t version = load_raw<uint64_t>(base + end - kVersionBytes);
  if ((version != kHttp11 && version != kHttp10) || base[end - kVersionBytes - 1] != ' ') {
    return fail_version(base::as_text({base + start, end - start}), error);
  }
  const size_t target_length = end - kVersionBytes - 1 - target;
  size_t question;
  if (!scan_target(base + target, target_length, question)) {
    return fail(error, 400, "character that may not stand in a request target");
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
    if (!split_target(base, head, error)) return ParseStatus::error;
  }
  if (load_raw<uint32_t>(base + end) != kCrLfCrLf) return ParseStatus::need_more;
  head.head_bytes = static_cast<uint32_t>(end + 4);
  return ParseStatus::done;
}

// Reads the lines whose ends are known. need_more: the head goes on behind them.
inline __attribute__((always_inline)) ParseStatus parse_fields(const uint8_t* base, const uint16_t* marks, const uint16_t* marks_end, size_t& line_io, uint32_t max_fields, RequestHead& head, HttpError& error) noexcept {
  size_t line = line_io;
  uint32_t count = head.field_count;
  uint32_t present = head.names_present;
  uint32_t repeated = head.names_repeated;
  ParseStatus status = ParseStatus::need_more;
  for (; marks != marks_end; marks += 2) {
    const size_t colon = marks[0];
    const size_t end = marks[1];
    const uint32_t line_end = load_raw<uint32_t>(base + end);
    if (load_raw<uint16_t>(base + end) != kCrLf) return fail_line_end(base[end], error);
    const size_t name_length = colon - line;
    if (name_length == 0 || base[colon] != ':') return fail_field_name(base + line, name_length, error);
    if (count == max_fields) return fail(error, 431, "more fields than the limit allows");

    size_t value = colon + 1 + (base[colon + 1] == ' ');
    size_t value_end = end;
    if (base[value] <= ' ' || base[end - 1] <= ' ') [[unlikely]] {  // an empty value, or more white space than one SP
      while (is_blank(base[value])) value++;
      while (value_end > value && is_blank(base[value_end - 1])) value_end--;
    }
    const FieldName name = field_name_at(base, line, name_length);
    head.fields[count] = {static_cast<uint16_t>(line), static_cast<uint16_t>(name_length),
                          static_cast<uint16_t>(value), static_cast<uint16_t>(value_end - value), name};
    const uint32_t bit = 1u << static_cast<uint32_t>(name);
    repeated |= present & bit;
    present |= bit;
    head.first_of[static_cast<size_t>(name)] = static_cast<uint8_t>(count);
    count++;
    line = end + 2;
    if (line_end == kCrLfCrLf) {
      head.head_bytes = static_cast<uint32_t>(end + 4);
      status = ParseStatus::done;
      break;
    }
  }
  line_io = line;
  head.field_count = static_cast<uint8_t>(count);
  head.names_present = present;
  head.names_repeated = repeated;
  return status;
}

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

ParseStatus HttpParser::parse_lines(Walk walk, RequestHead& head, HttpError& error) noexcept {
  head.field_count = 0;
  head.names_present = 0;
  head.names_repeated = 0;
  walk.line_carry = uint64_t{1} << walk.line;
  size_t step = expected_blocks_;
  for (size_t block = 0; block * kBlockBytes < walk.size; block += step, step = kNextStep) {
    find_marks(walk, block, step);
    const uint16_t* marks = marks_;
    const uint16_t* marks_end = marks + walk.mark_count / 2 * 2;
    if (marks == marks_end) continue;
    ParseStatus status = ParseStatus::need_more;
    if (!walk.in_fields) {
      status = parse_request_line(walk.base, walk.line, marks[0], marks[1], head, error);
      walk.line = marks[1] + size_t{2};
      walk.in_fields = true;
      marks += 2;
    }
    if (status == ParseStatus::need_more) status = parse_fields(walk.base, marks, marks_end, walk.line, walk.max_fields, head, error);
    if (status == ParseStatus::error) return status;
    if (status == ParseStatus::done) {
      expected_blocks_ = std::min((head.head_bytes + kBlockBytes - 1) / kBlockBytes, kMaxStep);
      return settle_head(walk.base, head, error) ? ParseStatus::done : ParseStatus::error;
    }
    marks_[0] = *marks_end;
    walk.mark_count &= 1;
  }
  return judge_rest({walk.base + walk.line, walk.size - walk.line}, walk.in_fields, walk.at_limit, error);
}

ParseStatus HttpParser::parse_request_head(base::ByteSpan bytes, const HeadLimits& limits, uint32_t& scanned,
                                           RequestHead& head, HttpError& error) noexcept {
  const size_t limit = std::min<size_t>(limits.head_bytes, 65535);
  Walk walk{.base = bytes.data(),
            .size = std::min(bytes.size(), limit),
            .line = 0,
            .max_fields = std::min(limits.fields, RequestHead::kMaxFields)};
  walk.at_limit = walk.size == limit;
  if (walk.size > 0 && bytes[0] == '\r') [[unlikely]] {
    const ParseStatus status = skip_empty_lines(bytes.first(walk.size), walk.line, error);
    if (status != ParseStatus::done) return status;
  }
  if (scanned != 0 && !walk.at_limit && !has_end(walk.base, walk.size, walk.line, std::max<size_t>(scanned, walk.line))) {
    scanned = static_cast<uint32_t>(walk.size);
    return ParseStatus::need_more;
  }
  const ParseStatus status = parse_lines(walk, head, error);
  if (status == ParseStatus::need_more) scanned = static_cast<uint32_t>(walk.size);
  return status;
}

}  // namespace martlet::proto
