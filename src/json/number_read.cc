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
constexpr uint64_t kFirstFour = 0xFFFFFFFF;

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

inline Digits read_one_by_one(const uint8_t* at, const uint8_t* end, uint64_t value) noexcept {
  for (; at != end && is_digit(*at); at++) value = value * 10 + *at - '0';
  return {at, value};
}

// Goes on with `value`. Where a byte of kGuessed is no digit, what is left of the run is read one by one.
template <uint64_t kGuessed>
inline Digits read_digits(const uint8_t* at, const uint8_t* end, uint64_t value) noexcept {
  while (end - at >= 8) {
    const uint64_t digits = base::load_le64(at) ^ kEach * '0';
    // The top bit of each byte that is above 9. A carry goes up, behind the first such byte, where it does no harm.
    const uint64_t others = ((digits + kEach * (127 - 9)) | digits) & kEach * 0x80;
    if (others != 0) {
      if ((others & kGuessed) != 0) break;
      const int count = std::countr_zero(others) >> 3;
      const uint64_t moved = digits << (8 * (7 - count)) << 8;  // zeros in front instead
      return {at + count, value * kSmallPowers[static_cast<size_t>(count)] + join_eight(moved)};
    }
    value = value * 100000000 + join_eight(digits);
    at += 8;
  }
  return read_one_by_one(at, end, value);
}

// What is mostly short, or as long as the last time, is faster when the processor guesses where it ends, and goes on behind
// it before the digits are read.
inline Digits read_whole_digits(const uint8_t* at, const uint8_t* end) noexcept {
  uint64_t value = 0;
  for (int n = 0; n < 4; n++, at++) {
    if (at == end || !is_digit(*at)) return {at, value};
    value = value * 10 + *at - '0';
  }
  return read_digits<0>(at, end, value);
}

inline Number bad_at(const uint8_t* at) noexcept {
  return {at, NumberKind::bad, {0}};
}

// The exponent behind its 'e'. Far beyond any that has a meaning, it stays where it is.
struct Exponent {
  const uint8_t* end;
  int64_t value;
  bool bad;
};

[[gnu::noinline, gnu::cold]] int64_t long_exponent(const uint8_t* at, const uint8_t* end) noexcept {
  constexpr int64_t kFar = 100000000000000000;
  int64_t value = 0;
  for (; at != end && value < kFar; at++) value = value * 10 + *at - '0';
  return value;
}

inline Exponent read_exponent(const uint8_t* at, const uint8_t* end) noexcept {
  if (at == end) return {at, 0, true};
  const bool negative = *at == '-';
  at += static_cast<int>(negative) | static_cast<int>(*at == '+');
  const Digits digits = read_one_by_one(at, end, 0);
  if (digits.end == at) return {at, 0, true};
  const int64_t value = digits.end - at < kMostDigits ? static_cast<int64_t>(digits.value) : long_exponent(at, digits.end);
  return {digits.end, negative ? -value : value, false};
}

// The number between its sign and its exponent: its digits as one value modulo 2^64, and how many they are.
struct Parts {
  const uint8_t* at;
  const uint8_t* end;
  uint64_t value;
  ptrdiff_t count;
};

// With a far power of ten.
[[gnu::noinline, gnu::cold]] uint64_t nearest_of_far(const uint8_t* at, const uint8_t* end, uint64_t value, int64_t exponent) noexcept {
  if (exponent < kLeastPower) return 0;
  if (exponent > kMostReadPower) return kInfinityBits;
  const ScaledDecimal scaled = scale(value, static_cast<int>(exponent));
  if (scaled.uncertain) return nearest_of_text({at, end, exponent});
  return round_scaled(scaled.product.high, scaled.binary_point, scaled.may_tie);
}

// With its pieces in registers, as not every compiler makes it part of its callers.
inline uint64_t nearest(const uint8_t* at, const uint8_t* end, uint64_t value, ptrdiff_t count, int64_t exponent) noexcept {
  if (count > kMostDigits) [[unlikely]] return nearest_of_text({at, end, exponent});
  if (value == 0) [[unlikely]] return 0;
  if (!is_near_power(exponent)) [[unlikely]] return nearest_of_far(at, end, value, exponent);
  const int q = static_cast<int>(exponent);
  const ScaledDecimal scaled = scale_by(near_power_of_ten(q), value, q);
  return round_scaled(scaled.product.high, scaled.binary_point, scaled.may_tie);
}

inline Number real_of(const Parts& parts, int64_t exponent, const uint8_t* end, bool negative) noexcept {
  const uint64_t bits = nearest(parts.at, parts.end, parts.value, parts.count, exponent);
  Number number{end, bits < kInfinityBits ? NumberKind::real : NumberKind::too_large, {0}};
  number.real = std::bit_cast<double>(bits | uint64_t{negative} << 63);
  return number;
}

// Of up to 18 digits but 0, all fit; the others are here.
[[gnu::noinline]] Number read_large_integer(const Parts& parts, bool negative) noexcept {
  constexpr uint64_t kMost = INT64_MAX;
  constexpr uint64_t kTenTo19 = kSmallPowers[kMostDigits];
  // Of 20 digits, those that fit start with 1, and those that start with 1 and do not fit are small modulo 2^64.
  const bool fits = parts.count <= kMostDigits || (parts.count == kMostDigits + 1 && *parts.at == '1' && parts.value >= kTenTo19);
  const uint64_t value = parts.value;
  if (fits && value <= kMost + negative && !(negative && value == 0)) {
    return {parts.end, NumberKind::integer, {static_cast<int64_t>(negative ? 0 - value : value)}};
  }
  if (!fits || negative) return real_of(parts, 0, parts.end, negative);
  Number number{parts.end, NumberKind::natural, {0}};
  number.natural = value;
  return number;
}

inline Number integer_of(const Parts& parts, bool negative) noexcept {
  if (parts.count >= kMostDigits || (parts.value == 0 && negative)) [[unlikely]] return read_large_integer(parts, negative);
  const auto value = static_cast<int64_t>(parts.value);
  return {parts.end, NumberKind::integer, {negative ? -value : value}};
}

[[gnu::noinline]] Number read_with_exponent(const Parts& parts, const uint8_t* end, int64_t exponent, bool negative) noexcept {
  const Exponent written = read_exponent(parts.end + 1, end);
  if (written.bad) return bad_at(written.end);
  return real_of(parts, exponent + written.value, written.end, negative);
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
  const Digits whole = read_whole_digits(at, end);
  const ptrdiff_t count = whole.end - at;
  if (count == 0) [[unlikely]] return bad_at(at);
  if (*at == '0' && count > 1) [[unlikely]] return bad_at(at + 1);
  if (whole.end == end || *whole.end != '.') {
    const Parts parts{at, whole.end, whole.value, count};
    if (is_exponent(whole.end, end)) [[unlikely]] return read_with_exponent(parts, end, 0, negative);
    return integer_of(parts, negative);
  }
  const uint8_t* fraction = whole.end + 1;
  const Digits all = read_digits<kFirstFour>(fraction, end, whole.value);
  const ptrdiff_t behind = all.end - fraction;
  if (behind == 0) [[unlikely]] return bad_at(fraction);
  const Parts parts{at, all.end, all.value, count + behind};
  if (is_exponent(all.end, end)) [[unlikely]] return read_with_exponent(parts, end, -behind, negative);
  return real_of(parts, -behind, all.end, negative);
}

}  // namespace martlet::json
