// Integers leave eight digits at a time in one word, made without a branch; the zeros in front are shifted out. What is below
// 100, which many are, and the first digits of others, comes from a table.
//
// Doubles: Schubfach (Raffaello Giulietti, The Schubfach way to render doubles, 2020). The numbers that read back as the
// double c * 2^q are those in an interval around it. k is the largest power of ten with which at least one multiple of 10^k
// is inside; of the multiples of 10^(k+1) at most one is, and it is taken before those of 10^k, of which there are up to
// four neighbours. Products with the table of powers are wrong by less than what could matter if their last bit collects
// what is lost (rounding to odd). That takes three; most doubles are told by one that is not rounded.
#include <array>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "json/nearest.h"
#include "json/number.h"
#include "json/powers.h"

namespace martlet::json {

namespace {

constexpr uint64_t kZeros = 0x3030303030303030;
constexpr uint64_t kTenTo8 = kSmallPowers[8];
constexpr uint64_t kTenTo16 = kSmallPowers[16];

// The eight digits of what is below 10^8, the first one in the lowest byte, as numbers. Fours, then pairs, then each.
inline uint64_t split_eight(uint64_t value) noexcept {
  const uint64_t first = (value * 109951163) >> 40;  // value / 10^4
  const uint64_t fours = first | (value - first * 10000) << 32;
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007F0000007F;
  const uint64_t pairs = (fours << 16) - hundreds * ((100 << 16) - 1);  // hundreds | (fours - hundreds * 100) << 16
  const uint64_t tens = ((pairs * 103) >> 10) & 0x000F000F000F000F;
  return (pairs << 8) - tens * ((10 << 8) - 1);
}

// 00 to 99, and a byte that may be read.
constexpr auto kPairs = [] {
  std::array<char, 201> pairs{};
  for (size_t n = 0; n < 100; n++) pairs[2 * n] = static_cast<char>('0' + n / 10), pairs[2 * n + 1] = static_cast<char>('0' + n % 10);
  return pairs;
}();

inline uint8_t* put_eight(uint8_t* out, uint64_t value) noexcept {
  base::store_le64(out, split_eight(value) | kZeros);
  return out + 8;
}

// Below 10^8, without zeros in front.
inline uint8_t* put_first(uint8_t* out, uint64_t value) noexcept {
  if (value < 100) {
    const bool one = value < 10;
    std::memcpy(out, &kPairs[2 * value + one], 2);
    return out + 2 - one;
  }
  const uint64_t digits = split_eight(value);
  const int zeros = std::countr_zero(digits | uint64_t{1} << 56) >> 3;
  base::store_le64(out, (digits | kZeros) >> (8 * zeros));
  return out + 8 - zeros;
}

inline uint8_t* put_text(uint8_t* out, const char* text, size_t size) noexcept {
  std::memcpy(out, text, size);
  return out + size;
}

// digits * 10^exponent; of what is not a denormal there are 16 or 17 digits.
struct Decimal {
  uint64_t digits;
  int exponent;
};

// g * factor / 2^128, the last bit set when anything is lost. `factor` is less than 2^59: what g is too large adds less than 1
// to the lower word, as far as it is made.
inline uint64_t scale_to_odd(const Wide& g, uint64_t factor) noexcept {
  const Wide upper = multiply(g.high, factor);
  const uint64_t low = upper.low + multiply(g.low, factor).high;
  return (upper.high + (low < upper.low)) | (low > 1);
}

// The shortest of what is between `least` and `most` (in quarters of 10^k, as `value` is), and the closest to `value`. Which
// it is is as good as random: everything is computed, and nothing is a branch.
inline Decimal shortest_between(uint64_t least, uint64_t value, uint64_t most, int k) noexcept {
  const uint64_t floor = value / 4;
  const uint64_t tens = floor / 10;
  const bool tens_above = 40 * tens + 40 <= most;
  const bool tens_inside = (floor >= 10) & ((least <= 40 * tens) != tens_above);
  const bool above = 4 * floor + 4 <= most;
  const bool inside = (least <= 4 * floor) != above;
  const bool closer = (value & 3) + (floor & 1) > 2;  // ties go to the even one
  const uint64_t units = floor + (inside ? above : closer);
  return {tens_inside ? 10 * (tens + tens_above) : units, k};
}

// The double is stored * 2^-1074 or (2^52 + stored) * 2^(exponent - 1075). Any double.
[[gnu::noinline, gnu::cold]] Decimal shortest_of_any(uint64_t stored, int exponent) noexcept {
  const uint64_t c = exponent == 0 ? stored : stored | kHiddenBit;
  const int q = (exponent == 0 ? 1 : exponent) - kExponentBias - kMantissaBits;
  const bool odd = c & 1;                               // ties go to the even one, so that the ends belong to it
  const bool closer_below = stored == 0 && exponent > 1;  // a power of two: the doubles below it are denser
  // floor(log10(2^q)), or of 3/4 of it
  const int k = closer_below ? (q * 1262611 - 524031) >> 22 : log10_of_two(q);
  const int shift = q + log2_of_ten(-k) + 1;
  const Wide g = power_of_ten(-k);
  const uint64_t least = scale_to_odd(g, (4 * c - 2 + closer_below) << shift);
  const uint64_t value = scale_to_odd(g, 4 * c << shift);
  const uint64_t most = scale_to_odd(g, (4 * c + 2) << shift);
  return shortest_between(least + odd, value, most - odd, k);
}

// Most doubles need one product. Let v be c * 2^q / 10^k and h half of 2^q / 10^k, so that the interval is (v - h, v + h) and
// 1/2 <= h < 5. A multiple of 10 is inside if it is less than h away from v, and at most one is; else the nearest natural
// number is, as it is at most 1/2 away.
//   v    is a natural number `whole`, of 16 or 17 digits, and `part` / 2^64. What g is too large adds less than 1 to the part,
//        and what is cut off is less than 1: the truth lies in (part - 1, part + 1).
//   over, under   how far it is to the multiples of 10 below and above, in 2^-60: off by less than 1
//   half          h in 2^-60, from the upper word of g alone: off by less than 1
// So two of these that are apart by 2 are in the same order as their truths, and that is asked for. It also keeps ties
// out, for which the ends of the interval and the even of two neighbours would count.
inline Decimal shortest(uint64_t stored, int exponent) noexcept {
  constexpr uint64_t kOne = uint64_t{1} << 60, kMiddle = uint64_t{1} << 63;
  const int q = exponent - kExponentBias - kMantissaBits;
  const int k = log10_of_two(q);
  if (exponent == 0 || stored == 0 || !is_near_power(-k)) [[unlikely]] return shortest_of_any(stored, exponent);
  const int shift = q + log2_of_ten(-k) + 1;  // from 1 to 4
  const Wide& g = near_power_of_ten(-k);
  const uint64_t c = (stored | kHiddenBit) << shift;
  const Wide upper = multiply(g.high, c);
  const uint64_t part = upper.low + multiply(g.low, c).high;
  const uint64_t whole = upper.high + (part < upper.low);
  const uint64_t half = g.high >> (5 - shift);
  const uint64_t tens = whole / 10 * 10;
  const uint64_t over = (whole - tens) * kOne + (part >> 4);
  const uint64_t under = 10 * kOne - over;
  const auto near = [](uint64_t a, uint64_t b) { return int{a - b + 1 <= 2}; };
  if (near(over, half) | near(under, half) | near(part, kMiddle)) [[unlikely]] return shortest_of_any(stored, exponent);
  const uint64_t nearest = whole + (part >> 63);
  return {over < half ? tens : under < half ? tens + 10 : nearest, k};
}

// 17 digits, with zeros behind: one, and two words of eight, of which the lowest byte comes first. As numbers, in registers:
// reading again at another place what was just written would wait for the memory.
struct Digits {
  uint64_t lead, first, second;
  int count;  // without the zeros behind
  int point;  // the value is 0.digits * 10^point
};

inline Digits spread(const Decimal& decimal) noexcept {
  uint64_t all = decimal.digits;
  const bool is_short = all < kTenTo16;
  all = is_short ? all * 10 : all;
  int point = 17 + decimal.exponent - is_short;
  for (; all < kTenTo16; point--) all *= 10;  // a denormal
  const uint64_t upper = all / kTenTo8;
  const uint64_t lead = upper / kTenTo8;
  const uint64_t first = split_eight(upper - lead * kTenTo8);
  const uint64_t rest = all - upper * kTenTo8;
  const uint64_t second = rest == 0 ? 0 : split_eight(rest);  // of prices and the like there are few digits
  const int zeros = second != 0 ? std::countl_zero(second) : 64 + std::countl_zero(first);
  return {lead, first, second, 17 - zeros / 8, point};
}

inline void put_all(uint8_t* out, const Digits& digits) noexcept {
  *out = static_cast<uint8_t>('0' + digits.lead);
  base::store_le64(out + 1, digits.first | kZeros);
  base::store_le64(out + 9, digits.second | kZeros);
}

// `word` with a point before its byte `at`, less its last byte.
inline uint64_t insert_point(uint64_t word, int at) noexcept {
  const uint64_t before = (uint64_t{1} << (8 * at)) - 1;
  return (word & before) | uint64_t{'.'} << (8 * at) | (word & ~before) << 8;
}

// With a point behind the first `point` digits, from 1 to 16.
inline uint8_t* put_with_point(uint8_t* out, const Digits& digits, int point) noexcept {
  const uint64_t first = digits.first | kZeros, second = digits.second | kZeros;
  const int at = point - 1;
  *out = static_cast<uint8_t>('0' + digits.lead);
  base::store_le64(out + 1, at < 8 ? insert_point(first, at) : first);
  base::store_le64(out + 9, at < 8 ? second << 8 | first >> 56 : insert_point(second, at - 8));
  out[17] = static_cast<uint8_t>(second >> 56);
  return out + digits.count + 1;
}

inline uint8_t* put_scientific(uint8_t* out, const Digits& digits) noexcept {
  uint8_t* at = put_with_point(out, digits, 1);
  if (digits.count == 1) at = out + 1;
  *at++ = 'e';
  const int exponent = digits.point - 1;
  *at = '-';
  return put_first(at + (exponent < 0), static_cast<uint64_t>(exponent < 0 ? -exponent : exponent));
}

inline uint8_t* put_digits(uint8_t* out, const Digits& digits) noexcept {
  constexpr int kMostPoint = 21, kLeastPoint = -5;
  const int point = digits.point;
  if (point > kMostPoint || point < kLeastPoint) [[unlikely]] return put_scientific(out, digits);
  if (point <= 0) {
    put_text(out, "0.000000", 8);
    out += 2 - point;
    put_all(out, digits);
    return out + digits.count;
  }
  if (point < digits.count) [[likely]] return put_with_point(out, digits, point);
  put_all(out, digits);
  std::memset(out + 17, '0', kMostPoint - 17);
  return put_text(out + point, ".0", 2);
}

}  // namespace

uint8_t* write_natural(uint8_t* out, uint64_t value) noexcept {
  if (value < kTenTo8) return put_first(out, value);
  const uint64_t upper = value / kTenTo8;
  out = upper < kTenTo8 ? put_first(out, upper) : write_natural(out, upper);
  return put_eight(out, value - upper * kTenTo8);
}

uint8_t* write_integer(uint8_t* out, int64_t value) noexcept {
  const uint64_t bits = static_cast<uint64_t>(value);
  *out = '-';
  return write_natural(out + (value < 0), value < 0 ? 0 - bits : bits);
}

uint8_t* write_real(uint8_t* out, double value) noexcept {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  const uint64_t stored = bits & (kHiddenBit - 1);
  const int exponent = static_cast<int>(bits >> kMantissaBits & 0x7FF);
  if (exponent == 0x7FF) return put_text(out, "null", 4);
  *out = '-';
  out += bits >> 63;
  if (bits << 1 == 0) return put_text(out, "0.0", 3);
  // Whole numbers below 2^53 have no bits behind the point.
  const int behind = kExponentBias + kMantissaBits - exponent;
  if (static_cast<unsigned>(behind) <= kMantissaBits && (stored & ((uint64_t{1} << behind) - 1)) == 0) {
    return put_text(write_natural(out, (stored | kHiddenBit) >> behind), ".0", 2);
  }
  return put_digits(out, spread(shortest(stored, exponent)));
}

}  // namespace martlet::json
