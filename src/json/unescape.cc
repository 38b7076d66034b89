// See unescape.h.
#include "json/unescape.h"

namespace martlet::json {

namespace {

constexpr const char* kNoMemory = "memory is out";

// The value of a hexadecimal digit, 16 for others.
uint32_t digit(uint8_t c) noexcept {
  if (c >= '0' && c <= '9') return c - uint32_t{'0'};
  const uint32_t letter = c | 0x20u;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : 16;
}

// The four digits at `place`; false with `place` at the first that is none.
bool four_digits(const Scanner& scanner, size_t& place, uint32_t& value) noexcept {
  value = 0;
  for (int i = 0; i < 4; i++, place++) {
    const uint32_t d = digit(scanner.byte(place));
    if (d == 16) return false;
    value = value << 4 | d;
  }
  return true;
}

size_t encode_utf8(uint8_t* to, uint32_t c) noexcept {
  if (c < 0x80) return to[0] = static_cast<uint8_t>(c), 1;
  const size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  to[0] = static_cast<uint8_t>((0xFFu << (7 - more) & 0xFF) | c >> (6 * more));
  for (size_t i = 1; i <= more; i++) to[i] = static_cast<uint8_t>(0x80 | (c >> (6 * (more - i)) & 0x3F));
  return more + 1;
}

uint8_t simple_escape(uint8_t c) noexcept {
  switch (c) {
    case '"': case '\\': case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

// Whether the text ends within what may become the second half of a pair.
bool is_cut_half(const Scanner& scanner, size_t place) noexcept {
  constexpr size_t kHalf = 6;
  size_t at = place;
  for (; at < scanner.limit() && at < place + kHalf; at++) {
    const uint8_t c = scanner.byte(at);
    const size_t i = at - place;
    if (i == 0 ? c != '\\' : i == 1 ? c != 'u' : i == 2 ? digit(c) != 13 : i == 3 ? digit(c) < 12 || digit(c) == 16 : digit(c) == 16) return false;
  }
  return at == scanner.limit() && scanner.good();
}

bool is_high_surrogate(uint32_t c) noexcept { return c >= 0xD800 && c < 0xDC00; }
bool is_low_surrogate(uint32_t c) noexcept { return c >= 0xDC00 && c < 0xE000; }

}  // namespace

// The escape whose backslash is at `place`; `next` is then behind it.
StringFault Unescaped::escape(Scanner& scanner, size_t place, size_t& next) noexcept {
  const size_t letter = place + 1;
  uint8_t* to = buffer_.reserve(4);
  if (!to) return {place, kNoMemory};
  if (const uint8_t c = simple_escape(scanner.byte(letter))) {
    *to = c;
    buffer_.commit(1);
    next = letter + 1;
    return {};
  }
  if (letter >= scanner.limit()) return {scanner.limit(), scanner.fault_at_end()};
  if (scanner.byte(letter) != 'u') return {letter, "there is no such escape"};
  uint32_t c = 0;
  next = letter + 1;
  if (!four_digits(scanner, next, c)) return {next, next < scanner.limit() ? "four hexadecimal digits are wanted here" : scanner.fault_at_end()};
  if (is_low_surrogate(c)) return {place, "the second half of a surrogate pair stands alone"};
  if (is_high_surrogate(c)) {
    uint32_t low = 0;
    size_t digits = next + 2;
    const bool pair = scanner.byte(next) == '\\' && scanner.byte(next + 1) == 'u' && four_digits(scanner, digits, low) && is_low_surrogate(low);
    if (!pair && is_cut_half(scanner, next)) return {scanner.limit(), scanner.fault_at_end()};
    if (!pair) return {place, "the first half of a surrogate pair stands alone"};
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    next = digits;
    scanner.next();  // the backslash of the second half
  }
  buffer_.commit(encode_utf8(to, c));
  return {};
}

StringFault Unescaped::read(Scanner& scanner, size_t begin, size_t stop) noexcept {
  buffer_.clear();
  for (;; stop = scanner.next()) {
    if (!buffer_.append(scanner.text() + begin, stop - begin)) return {stop, kNoMemory};
    if (stop >= scanner.limit()) return {scanner.limit(), scanner.fault_at_end()};
    const uint8_t c = scanner.byte(stop);
    if (c == '"') return {};
    if (c != '\\') return {stop, "a control character must be escaped in a string"};
    if (const StringFault fault = escape(scanner, stop, begin); fault.what) return fault;
  }
}

}  // namespace martlet::json
