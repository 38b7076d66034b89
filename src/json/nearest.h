// The double nearest to w * 10^q by one product with the table of powers, as found by Eisel and Lemire (Number parsing at a
// gigabyte per second, 2021), ordered so that the product is never below the truth.
//
// Let w be shifted to the top of its word, and U be the upper 128 bits of its product with g of powers.h. As g is too large
// by less than e, the truth lies in (U - e, U + 1), and its upper word is that of U, unless the lower word of U is less than
// e and the truth below U. Two things are to be known of the truth: its upper word, and whether it is a tie.
//   q in [0, 55]     g is exact: so is U.
//   q in [-27, -1]   e = 1. 5^-q divides w or leaves a rest. If so, the truth is U, and the lower word 0. If not, it is at
//                    least 2^63 / 5^27 > 1 away from all multiples of 2^63: the lower word is not 0, and the upper word right.
//   the far ones     e = 4. The upper word is right if the lower one is not less. Otherwise it is U or U - 1, and the caller
//                    tries both.
// A tie has 54 bits behind the first of which nothing follows, so 5^q or 5^-q divides one of the sides: q is in [-27, 23].
#pragma once

#include <bit>
#include <cstdint>

#include "json/powers.h"
#include "json/wide.h"

namespace martlet::json {

inline constexpr int kMantissaBits = 52;  // those that are stored
inline constexpr int kExponentBias = 1023;
inline constexpr uint64_t kHiddenBit = uint64_t{1} << kMantissaBits;
inline constexpr uint64_t kInfinityBits = uint64_t{0x7FF} << kMantissaBits;
inline constexpr uint64_t kSignBit = uint64_t{1} << 63;

struct ScaledDecimal {
  Wide product;      // U
  int binary_point;  // the value is product.high * 2^(binary_point - 63), as far as that word goes
  bool may_tie;
  bool uncertain;
};

// w is not 0, g is 10^q.
inline ScaledDecimal scale_by(const Wide& g, uint64_t w, int q) noexcept {
  const int zeros = std::countl_zero(w);
  const Wide upper = multiply(w << zeros, g.high);
  const Wide lower = multiply(w << zeros, g.low);
  const uint64_t low = upper.low + lower.high;
  const Wide product{upper.high + (low < upper.low), low};
  const bool sure = is_near_power(q);
  return {product, log2_of_ten(q) + 64 - zeros, low == 0 && sure, low < 4 && !sure};
}

// q from kLeastPower to kMostReadPower.
inline ScaledDecimal scale(uint64_t w, int q) noexcept {
  return scale_by(power_of_ten(q), w, q);
}

// The bits of the nearest double, or more than those of infinity where there is none.
inline uint64_t round_scaled(uint64_t high, int binary_point, bool may_tie) noexcept {
  const int top = static_cast<int>(high >> 63);  // else the bit below is the first one
  int exponent = binary_point - 1 + top + kExponentBias;
  int shift = 9 + top;  // leaves 53 bits and the one that decides
  if (exponent <= 0) [[unlikely]] {
    shift += 1 - exponent;  // a denormal has fewer
    exponent = 1;
    if (shift > 63) return 0;
  }
  uint64_t bits = high >> shift;
  if (may_tie && bits << shift == high && (bits & 3) == 1) bits--;
  return (static_cast<uint64_t>(exponent - 1) << kMantissaBits) + ((bits + 1) >> 1);
}

}  // namespace martlet::json
