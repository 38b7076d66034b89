// From bytes to lines and fields, in one optimistic pass.
//
// The vector kernel marks what may not stand in a field value (control characters) and what may not stand in a name.
// In a good head the only control characters are its line ends, so the places where a run of them begins are listed as
// the ends of the lines without looking at a byte, and the first non-token of a line is its colon. Whatever breaks
// this picture (a lone CR or LF, NUL, white space before the colon, a folded line) shows as a run that is not CR LF,
// or as a name that does not end in a colon, and is 400.
//
// How much is classified at first is guessed from the head before, so that a short head in a long pipeline costs
// little. When the bytes end before the head does, later calls look for its end only, from where they stopped; then
// the head is parsed once more from its start. A byte is classified twice and searched once, however it drips in.
//
// Invariants: a line is touched when its end, and two bytes after that end, are known to be there. Offsets count from
// bytes[0]. One parser per worker.
#include "proto/http_parser.h"

#include <algorithm>

#include "proto/http_names.h"
#include "proto/http_rules.h"

namespace martlet::proto {

namespace {

constexpr size_t kMaxEmptyLines = 4;  // CRLFs tolerated before a request (RFC 9112 §2.2)
constexpr size_t kMaxMethod = 32;     // longer methods are nobody's
constexpr size_t kNextStep = 4;       // blocks that are classified when the guess was too short
constexpr size_t kVersionBytes = 8;   // "HTTP/1.1"

constexpr uint16_t kCrLf = raw_word<uint16_t>("\r\n");
constexpr uint32_t kCrLfCrLf = raw_word<uint32_t>("\r\n\r\n");
constexpr uint16_t kColonSpace = raw_word<uint16_t>(": ");
constexpr uint64_t kHttp11 = raw_word<uint64_t>("HTTP/1.1");
constexpr uint64_t kHttp10 = raw_word<uint64_t>("HTTP/1.0");

constexpr std::string_view kMethodNames[] = {"GET",    "HEAD",    "POST",    "PUT",   "PATCH",
                                             "DELETE", "OPTIONS", "CONNECT", "TRACE", ""};

// A method and the space behind it, as one word.
struct MethodWord {
  uint64_t word, mask;
};

constexpr std::array<MethodWord, 9> make_method_words() noexcept {
  std::array<MethodWord, 9> words{};
  for (size_t m = 0; m < words.size(); m++) {
    std::array<char, 8> text{};
    std::array<char, 8> mask{};
    for (size_t i = 0; i <= kMethodNames[m].size(); i++) {
      text[i] = i < kMethodNames[m].size() ? kMethodNames[m][i] : ' ';
      mask[i] = static_cast<char>(0xFF);
    }
    words[m] = {raw_word<uint64_t>({text.data(), 8}), raw_word<uint64_t>({mask.data(), 8})};
  }
  return words;
}

constexpr std::array<MethodWord, 9> kMethodWords = make_method_words();

// Undefined at zero, which lets it be one instruction on every machine.
size_t lowest_bit(uint64_t bits) noexcept { return static_cast<size_t>(__builtin_ctzll(bits)); }

bool is_blank(uint8_t c) noexcept { return c == ' ' || c == '\t'; }

[[gnu::cold]] ParseStatus fail(HttpError& error, uint16_t status, const char* cause) noexcept {
  refuse(error, status, cause);
  return ParseStatus::error;
}

// Why the run of control characters that begins with `c` does not end a line.
[[gnu::cold]] ParseStatus fail_line_end(uint8_t c, HttpError& error) noexcept {
  if (c == '\r') return fail(error, 400, "A CR without LF in the head.");
  if (c == '\n') return fail(error, 400, "An LF without CR in the head.");
  return fail(error, 400, "A control character in the head.");
}

// Why no name and colon stand at the start of a line; `stop` is the first byte there that is not of a name.
[[gnu::cold]] ParseStatus fail_field_name(size_t name_length, uint8_t stop, HttpError& error) noexcept {
  if (name_length == 0 && is_blank(stop)) return fail(error, 400, "A folded line, or white space before a field name.");
  if (name_length == 0 && stop == ':') return fail(error, 400, "An empty field name.");
  if (name_length == 0 && (stop < ' ' || stop == 0x7F)) return fail_line_end(stop, error);
  if (is_blank(stop)) return fail(error, 400, "White space before the colon of a field.");
  if (stop == '\r') return fail(error, 400, "A field without a colon.");
  return fail(error, 400, "A character that may not stand in a field name.");
}

// A request line, long enough for a version, that ends neither in HTTP/1.1 nor in HTTP/1.0. Later minor versions are read
// as the highest that we know of the same major version (RFC 9110 §6.2).
[[gnu::cold]] bool judge_version(std::string_view line, HttpError& error) noexcept {
  const std::string_view version = line.substr(line.size() - kVersionBytes - 1);
  const auto is_digit = [&](size_t i) { return has_class(static_cast<uint8_t>(version[i]), char_class::digit); };
  if (version.starts_with(" HTTP/") && is_digit(6) && version[7] == '.' && is_digit(8)) {
    return version[6] == '1' || refuse(error, 505, "A major version of HTTP other than 1.");
  }
  return refuse(error, 400, "A malformed request line.");
}

// The method at p, of which at least eight bytes are there.
Method method_of(const uint8_t* p) noexcept {
  const uint64_t word = load_raw<uint64_t>(p);
  for (size_t m = 0; m < kMethodWords.size(); m++) {
    if ((word & kMethodWords[m].mask) == kMethodWords[m].word) return static_cast<Method>(m);
  }
  return Method::other;
}

// Looks over target[0, length): false when it has a space, a tab, a '#' or a byte above 0x7F. `question` becomes the
// place of the first '?', or length; `unusual` tells whether there may be a '%', a '.' or a '\'. Reads up to seven bytes
// more, which the version behind the target provides.
//
// Subtracting n from each byte sets its top bit when the byte is less than n, and then borrows from the next: what is
// marked first is right, what is marked above it need not be.
bool scan_target(const uint8_t* target, size_t length, size_t& question, bool& unusual) noexcept {
  constexpr uint64_t kTopBits = 0x80 * kEveryByte;
  const auto marks = [](uint64_t word, char c) { return (word ^ static_cast<uint8_t>(c) * kEveryByte) - kEveryByte; };
  question = length;
  uint64_t marked = 0;
  for (size_t at = 0; at < length; at += 8) {
    uint64_t word = load_le64(target + at);
    const size_t left = length - at;
    if (left < 8) word = (word & ((uint64_t{1} << left * 8) - 1)) | ('a' * kEveryByte) << left * 8;
    const uint64_t not_ascii = word & kTopBits;
    const uint64_t ascii = not_ascii ^ kTopBits;
    const uint64_t up_to_space = (word - 0x21 * kEveryByte) & ascii;
    const uint64_t number_sign = marks(word, '#') & ascii;
    const uint64_t question_mark = marks(word, '?') & ascii;
    marked |= marks(word, '%') | marks(word, '.') | marks(word, '\\');
    if (not_ascii | up_to_space | number_sign) return false;
    if (question_mark && question == length) question = at + lowest_bit(question_mark) / 8;
  }
  unusual = (marked & kTopBits) != 0;
  return true;
}

// The 57 bits (at least) from bit `at` on.
uint64_t bits_from(const uint64_t* bits, size_t at) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    return load_raw<uint64_t>(reinterpret_cast<const uint8_t*>(bits) + at / 8) >> at % 8;
  } else {
    const size_t shift = at % 64;
    return bits[at / 64] >> shift | bits[at / 64 + 1] << 1 << (63 - shift);
  }
}

// How many token characters there are from `at` on. Something that is none follows them.
size_t token_length(const uint64_t* not_token, size_t at) noexcept {
  uint64_t bits = bits_from(not_token, at);
  size_t length = 0;
  for (; bits == 0; bits = bits_from(not_token, at + length)) length += 57;
  return length + lowest_bit(bits);
}

// Whether the head ends at or after `from`, or has a bare LF there, which the parser will refuse.
[[gnu::cold]] bool may_end(const uint8_t* base, size_t size, size_t start, size_t from) noexcept {
  while (from < size) {
    const void* found = std::memchr(base + from, '\n', size - from);
    if (!found) return false;
    const size_t at = static_cast<size_t>(static_cast<const uint8_t*>(found) - base);
    if (at == start || base[at - 1] != '\r') return true;
    if (at >= start + 3 && base[at - 2] == '\n') return true;
    from = at + 1;
  }
  return false;
}

// Passes over the CRLFs that some clients send after a body. need_more while nothing else has come.
[[gnu::cold]] ParseStatus skip_empty_lines(base::ByteSpan bytes, size_t& start, HttpError& error) noexcept {
  for (; start < bytes.size() && bytes[start] == '\r'; start += 2) {
    if (start == 2 * kMaxEmptyLines) return fail(error, 400, "Too many empty lines before a request.");
    if (start + 1 == bytes.size()) return ParseStatus::need_more;
    if (bytes[start + 1] != '\n') return fail_line_end('\r', error);
  }
  return start == bytes.size() ? ParseStatus::need_more : ParseStatus::done;
}

// Whether a line that has not ended may still become a good one; what is clearly none is refused without waiting for
// more of it. It has a run of control characters only where it ends.
[[gnu::cold]] bool may_become_line(base::ByteSpan line, bool is_field, HttpError& error) noexcept {
  size_t length = 0;
  while (length < line.size() && length <= kMaxMethod && has_class(line[length], char_class::token)) length++;
  if (!is_field && length > kMaxMethod) return refuse(error, 501, "The method is too long.");
  if (!is_field && length < line.size() && (length == 0 || line[length] != ' ')) {
    return refuse(error, 400, "A malformed method.");
  }
  while (length < line.size() && has_class(line[length], char_class::field_value)) length++;
  if (length == line.size() || (line[length] == '\r' && (length + 1 == line.size() || line[length + 1] == '\n'))) {
    return true;
  }
  return fail_line_end(line[length], error) == ParseStatus::done;
}

// The request line base[start, end), whose first method_length characters are of a token (RFC 9112 §3).
bool parse_request_line(const uint8_t* base, size_t start, size_t method_length, size_t end, RequestHead& head,
                        HttpError& error) noexcept {
  const size_t target = start + method_length + 1;
  if (method_length > kMaxMethod) return refuse(error, 501, "The method is too long.");
  if (method_length == 0 || base[target - 1] != ' ') return refuse(error, 400, "A malformed method.");
  if (load_raw<uint16_t>(base + end) != kCrLf) return fail_line_end(base[end], error) == ParseStatus::done;
  const std::string_view line = base::as_text({base + start, end - start});
  if (end < target + 2 + kVersionBytes) return refuse(error, 400, "A malformed request line.");
  const uint64_t version = load_raw<uint64_t>(base + end - kVersionBytes);
  const size_t target_end = end - kVersionBytes - 1;
  if (((version != kHttp11 && version != kHttp10) || base[target_end] != ' ') && !judge_version(line, error)) return false;
  size_t question;
  if (!scan_target(base + target, target_end - target, question, head.may_be_unusual)) {
    return refuse(error, 400, "A character that may not stand in a request target.");
  }
  const size_t query = target + question + (target + question != target_end);
  head.minor_version = version != kHttp10;
  head.method = method_of(base + start);
  head.method_at = static_cast<uint16_t>(start);
  head.method_length = static_cast<uint16_t>(method_length);
  head.target_at = head.path_at = static_cast<uint16_t>(target);
  head.target_length = static_cast<uint16_t>(target_end - target);
  head.path_length = static_cast<uint16_t>(question);
  head.query_at = static_cast<uint16_t>(query);
  head.query_length = static_cast<uint16_t>(target_end - query);
  head.authority_length = 0;
  return (base[target] == '/' && head.method != Method::connect) || split_target(base, head, error);
}

// The field lines from `line` on whose ends are at [end_at, stop) (RFC 9112 §5). need_more: there are more of them.
ParseStatus parse_fields(const uint8_t* base, const uint64_t* not_token, size_t line, const uint16_t* end_at,
                         const uint16_t* stop, RequestHead& head, HttpError& error) noexcept {
  size_t count = head.field_count;
  for (; end_at != stop; end_at++) {
    const size_t end = *end_at;
    const size_t name_length = token_length(not_token, line);
    const size_t colon = line + name_length;
    if (name_length == 0) return fail_field_name(0, base[line], error);
    Field& field = head.fields[count];
    field.name_at = static_cast<uint16_t>(line);
    field.name_length = static_cast<uint16_t>(name_length);
    size_t value = colon + 2;
    size_t value_end = end;
    // As everybody writes it: one space before the value, none after it.
    if (load_raw<uint16_t>(base + colon) != kColonSpace || base[value] <= ' ' || base[end - 1] <= ' ') [[unlikely]] {
      if (base[colon] != ':') return fail_field_name(name_length, base[colon], error);
      for (value--; is_blank(base[value]);) value++;
      while (value_end > value && is_blank(base[value_end - 1])) value_end--;
    }
    if (load_raw<uint16_t>(base + end) != kCrLf) return fail_line_end(base[end], error);
    const FieldName name = probe_field_name(base, line, name_length);
    field.value_at = static_cast<uint16_t>(value);
    field.value_length = static_cast<uint16_t>(value_end - value);
    field.name = name;
    head.last_of[static_cast<size_t>(name)] = static_cast<uint8_t>(count);
    head.count_of[static_cast<size_t>(name)]++;
    count++;
    line = end + 2;
    if (load_raw<uint32_t>(base + end) == kCrLfCrLf) {
      head.field_count = static_cast<uint8_t>(count);
      head.head_bytes = static_cast<uint32_t>(line + 2);
      return ParseStatus::done;
    }
  }
  head.field_count = static_cast<uint8_t>(count);
  return ParseStatus::need_more;
}

}  // namespace

std::string_view method_name(Method method) noexcept { return kMethodNames[static_cast<size_t>(method)]; }

// How far one attempt at a head has come.
struct HttpParser::Walk {
  const uint8_t* base;
  size_t size;
  size_t line;  // where the next line begins
  size_t max_fields;
  size_t classified = 0;    // bytes
  uint64_t in_control = 0;  // 1 when the last of them is a control character
  bool in_fields = false;   // the request line is behind us
};

// Classifies the next blocks and lists where runs of control characters begin in them; how many.
inline size_t HttpParser::list_line_ends(Walk& walk) noexcept {
  size_t at = walk.classified;
  const size_t stop = std::min(at + (at == 0 ? step_ : kNextStep) * kBlock, walk.size);
  simd::kernels->classify_head(walk.base + at, stop - at, classes_);
  if (at == 0) classes_[0].not_value &= ~uint64_t{0} << walk.line;  // the empty lines before the request
  uint64_t in_control = walk.in_control;
  size_t count = 0;
  for (const simd::HeadBits* block = classes_; at < stop; at += kBlock, block++) {
    const uint64_t control = block->not_value;
    uint64_t ends = control & ~(control * 2 + in_control);
    in_control = control >> 63;
    not_token_[at / kBlock] = block->not_token;
    // Most blocks have one or two ends: these are written without asking, as the answer could not be predicted.
    for (int slot = 0; slot < 2; slot++) {
      line_ends_[count] = static_cast<uint16_t>(at + lowest_bit(ends | uint64_t{1} << 63));
      count += ends != 0;
      ends &= ends - 1;
    }
    for (; ends; ends &= ends - 1) line_ends_[count++] = static_cast<uint16_t>(at + lowest_bit(ends));
  }
  // A line counts when two bytes stand behind its end; bits past the last byte are set and end nothing.
  while (count > 0 && line_ends_[count - 1] + size_t{4} > walk.size) [[unlikely]] count--;
  walk.classified = stop;
  walk.in_control = in_control;
  return count;
}

inline ParseStatus HttpParser::parse_lines(Walk& walk, RequestHead& head, HttpError& error) noexcept {
  while (walk.classified < walk.size) {
    const uint16_t* const ends_stop = line_ends_ + list_line_ends(walk);
    const uint16_t* end_at = line_ends_;
    if (end_at == ends_stop) continue;
    if (!walk.in_fields) {
      const size_t method_length = token_length(not_token_, walk.line);
      if (!parse_request_line(walk.base, walk.line, method_length, *end_at, head, error)) return ParseStatus::error;
      walk.in_fields = true;
      walk.line = *end_at++ + size_t{2};
      if (load_raw<uint16_t>(walk.base + walk.line) == kCrLf) {
        head.head_bytes = static_cast<uint32_t>(walk.line + 2);
        return ParseStatus::done;
      }
    }
    const size_t lines = std::min(static_cast<size_t>(ends_stop - end_at), walk.max_fields - head.field_count);
    const ParseStatus status = parse_fields(walk.base, not_token_, walk.line, end_at, end_at + lines, head, error);
    if (status != ParseStatus::need_more) return status;
    if (end_at + lines != ends_stop) return fail(error, 431, "The head has more fields than this server takes.");
    walk.line = ends_stop[-1] + size_t{2};
  }
  return ParseStatus::need_more;
}

ParseStatus HttpParser::parse_request_head(base::ByteSpan bytes, const HeadLimits& limits, uint32_t& scanned,
                                           RequestHead& head, HttpError& error) noexcept {
  const size_t limit = std::min<size_t>(limits.head_bytes, kMaxHead);
  const size_t size = std::min(bytes.size(), limit);
  size_t start = 0;
  if (size > 0 && bytes[0] == '\r') [[unlikely]] {
    const ParseStatus status = skip_empty_lines(bytes.first(size), start, error);
    if (status != ParseStatus::done) return status;
  }
  if (scanned != 0 && size < limit && !may_end(bytes.data(), size, start, std::max<size_t>(scanned, start))) {
    scanned = static_cast<uint32_t>(size);
    return ParseStatus::need_more;
  }
  head.field_count = 0;
  std::memset(head.count_of, 0, sizeof head.count_of);
  Walk walk{.base = bytes.data(),
            .size = size,
            .line = start,
            .max_fields = std::min(limits.fields, RequestHead::kMaxFields)};
  const ParseStatus status = parse_lines(walk, head, error);
  if (status == ParseStatus::done) {
    step_ = std::min((head.head_bytes + kBlock - 1) / kBlock, kMaxStep);
    return settle_head(bytes.data(), head, error) ? ParseStatus::done : ParseStatus::error;
  }
  if (status == ParseStatus::error) return status;
  // A line end in the last three bytes was not judged yet.
  scanned = static_cast<uint32_t>(size > 3 ? size - 3 : size > 0);
  const base::ByteSpan rest = bytes.first(size).subspan(walk.line);
  if (!may_become_line(rest, walk.in_fields, error)) return ParseStatus::error;
  if (size < limit) return ParseStatus::need_more;
  if (walk.in_fields) return fail(error, 431, "The head is longer than this server takes.");
  return fail(error, 414, "The request target is longer than this server takes.");
}

}  // namespace martlet::proto
