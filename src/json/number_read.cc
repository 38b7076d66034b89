// Digits are taken eight at a time from one word, the last few of a run as well, so that neither the length of a run nor
// its digits are branches to mispredict. They are summed up in 64 bits without looking whether that overflows; the number
// of digits tells afterwards: up to 19 fit. What has more is read again (number_slow.cc).
#include <bit>

#include "base/bytes.h"
#include "json/nearest.h"
#include "json/number.h"
#include "json/number_slow.h"
#include "json/powers.h"

namespace martlet::json {

namespace {

constexpr ptrdiff_t kMostDigits = 19;
constexpr uint64_t kEach = 0x0101010101010101;

inline bool is_digit(uint8_t byte) noexcept {
  return static_cast<uint8_t>(byte - '0') <= 9;
}

// Of eight digits as numbers, the first one in the lowest byte: pairs, then fours, then all.
inline uint64_t join_eight(uint64_t digits) noexcept {
  digits = digits * 10 + (digits >> 8);
  const uint64_t pairs = 0x000000FF000000FF;
  return ((digits & pairs) * (100 + (1000000ull << 32)) + ((digits >> 16) & pairs) * (1 + (10000ull << 32))) >> 32;
}

struct Digits {
  const uint8_t* end;
  uint64_t value;  // modulo 2^64
};

inline Digits read_last_digits(const uint8_t* at, const uint8_t* end, uint64_t value) noexcept {
  for (; at != end && is_digit(*at); at++) value = value * 10 + *at - '0';
  return {at, value};
}

// Goes on with `value`.
inline Digits read_digits(const uint8_t* at, const uint8_t* end, uint64_t value) noexcept {
  while (end - at >= 8) {
    const uint64_t digits = base::load_le64(at) ^ kEach * '0';
    // The top bit of each byte that is above 9. A carry goes up, behind the first such byte, where it does no harm.
    const uint64_t others = ((digits + kEach * (127 - 9)) | digits) & kEach * 0x80;
    if (others != 0) {
      const int count = std::countr_zero(others) >> 3;
      const uint64_t moved = digits << (8 * (7 - count)) << 8;  // zeros in front instead
      return {at + count, value * kSmallPowers[static_cast<size_t>(count)] + join_eight(moved)};
    }
    value = value * 100000000 + join_eight(digits);
    at += 8;
  }
  return read_last_digits(at, end, value);
}

// The same for what is mostly short: the guess of how many there are lets what follows begin before they are read.
inline Digits read_short_digits(const uint8_t* at, const uint8_t* end) noexcept {
  uint64_t value = 0;
  for (int n = 0; n < 4; n++, at++) {
    if (at == end || !is_digit(*at)) return {at, value};
    value = value * 10 + *at - '0';
  }
  return read_digits(at, end, value);
}

inline Number bad_at(const uint8_t* at) noexcept {
  return {at, NumberKind::bad, {0}};
}

inline Number real_of(const uint8_t* end, uint64_t bits, bool negative) noexcept {
  Number number{end, bits < kInfinityBits ? NumberKind::real : NumberKind::too_large, {0}};
  number.real = std::bit_cast<double>(bits | (negative ? kSignBit : 0));
  return number;
}

// The exponent behind its 'e'. Far beyond any that has a meaning, it stays where it is.
struct Exponent {
  const uint8_t* end;
  int64_t value;
  bool bad;
};

Exponent read_exponent(const uint8_t* at, const uint8_t* end) noexcept {
  constexpr int64_t kFar = 100000000000000000;
  const bool negative = at != end && *at == '-';
  if (negative || (at != end && *at == '+')) at++;
  if (at == end || !is_digit(*at)) return {at, 0, true};
  int64_t value = 0;
  for (; at != end && is_digit(*at); at++) {
    if (value < kFar) value = value * 10 + *at - '0';
  }
  return {at, negative ? -value : value, false};
}

// The number between its sign and its exponent.
struct Parts {
  const uint8_t* at;
  const uint8_t* end;
  uint64_t value;   // of all its digits, modulo 2^64
  ptrdiff_t count;  // of digits
};

inline uint64_t nearest(Parts parts, int64_t exponent) noexcept {
  if (parts.count > kMostDigits) [[unlikely]] return nearest_of_text({parts.at, parts.end, exponent});
  if (parts.value == 0 || exponent < kLeastPower) [[unlikely]] return 0;
  if (exponent > kMostReadPower) [[unlikely]] return kInfinityBits;
  const ScaledDecimal scaled = scale(parts.value, static_cast<int>(exponent));
  if (scaled.uncertain) [[unlikely]] return nearest_of_text({parts.at, parts.end, exponent});
  return round_scaled(scaled.product.high, scaled.binary_point, scaled.may_tie);
}

// Of up to 18 digits but 0, all fit; the others are here.
[[gnu::noinline, gnu::cold]] Number read_large_integer(Parts parts, bool negative) noexcept {
  constexpr uint64_t kMost = INT64_MAX;
  constexpr uint64_t kTenTo19 = kSmallPowers[kMostDigits];
  // Of 20 digits, those that fit start with 1, and those that start with 1 and do not fit are small modulo 2^64.
  const bool fits = parts.count <= kMostDigits || (parts.count == kMostDigits + 1 && *parts.at == '1' && parts.value >= kTenTo19);
  const uint64_t value = parts.value;
  if (fits && value <= kMost + negative && !(negative && value == 0)) {
    return {parts.end, NumberKind::integer, {static_cast<int64_t>(negative ? 0 - value : value)}};
  }
  if (fits && !negative) {
    Number number{parts.end, NumberKind::natural, {0}};
    number.natural = value;
    return number;
  }
  return real_of(parts.end, nearest(parts, 0), negative);
}

inline Number integer_of(Parts parts, bool negative) noexcept {
  if (parts.count >= kMostDigits || (parts.value == 0 && negative)) [[unlikely]] return read_large_integer(parts, negative);
  const auto value = static_cast<int64_t>(parts.value);
  return {parts.end, NumberKind::integer, {negative ? -value : value}};
}

[[gnu::noinline]] Number read_with_exponent(Parts parts, const uint8_t* end, int64_t exponent, bool negative) noexcept {
  const Exponent written = read_exponent(parts.end + 1, end);
  if (written.bad) return bad_at(written.end);
  return real_of(written.end, nearest(parts, exponent + written.value), negative);
}

inline bool is_exponent(const uint8_t* at, const uint8_t* end) noexcept {
  return at != end && (*at | 0x20) == 'e';
}

}  // namespace

Number read_number(const uint8_t* at, const uint8_t* end) noexcept {
  bool negative = false;
  if (at != end && *at == '-') {
    negative = true;
    at++;
  }
  const Digits whole = read_short_digits(at, end);
  const ptrdiff_t count = whole.end - at;
  if (count == 0) [[unlikely]] return bad_at(at);
  if (*at == '0' && count > 1) [[unlikely]] return bad_at(at + 1);
  if (whole.end == end || *whole.end != '.') {
    const Parts parts{at, whole.end, whole.value, count};
    if (is_exponent(whole.end, end)) [[unlikely]] return read_with_exponent(parts, end, 0, negative);
    return integer_of(parts, negative);
  }
  const uint8_t* fraction = whole.end + 1;
  const Digits all = read_digits(fraction, end, whole.value);
  const ptrdiff_t behind = all.end - fraction;
  if (behind == 0) [[unlikely]] return bad_at(fraction);
  const Parts parts{at, all.end, all.value, count + behind};
  if (is_exponent(all.end, end)) [[unlikely]] return read_with_exponent(parts, end, -behind, negative);
  return real_of(all.end, nearest(parts, -behind), negative);
}

}  // namespace martlet::json
