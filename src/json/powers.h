// Powers of ten as 128 bits and an exponent of two, one table for reading and for writing; and those that fit 64 bits.
//
//   10^q = (g - e) * 2^(floor(log2(10^q)) - 127)    with 2^127 <= g < 2^128 and 0 <= e < 1
//
// g is rounded up. e is 0 from 10^0 to 10^55, whose odd part fits, and nowhere else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "json/wide.h"

namespace martlet::json {

// Below, 10^q times any 64-bit integer is less than half of the smallest double. 308 is the last one that reading needs, as
// 10^309 is no double any more; writing needs the reciprocals of the small ones up to the last.
inline constexpr int kLeastPower = -342;
inline constexpr int kMostPower = 324;
inline constexpr int kMostReadPower = 308;
inline constexpr int kLastExactPower = 55;

extern const std::array<Wide, kMostPower - kLeastPower + 1> kPowers;

inline const Wide& power_of_ten(int q) noexcept {
  return kPowers[static_cast<size_t>(q - kLeastPower)];
}

// floor(log2(10^q)) and floor(log10(2^e)), for what doubles need (the test tries all).
constexpr int log2_of_ten(int q) noexcept {
  return q * 217706 >> 16;
}
constexpr int log10_of_two(int e) noexcept {
  return e * 1262611 >> 22;
}

inline constexpr std::array<uint64_t, 20> kSmallPowers = [] {
  std::array<uint64_t, 20> powers{1};
  for (size_t n = 1; n < powers.size(); n++) powers[n] = powers[n - 1] * 10;
  return powers;
}();

}  // namespace martlet::json
