// Powers of ten as 128 bits and an exponent of two, for reading and for writing; and those that fit 64 bits.
//
//   10^q = (g - e) * 2^(floor(log2(10^q)) - 127)    with 2^127 <= g < 2^128 and e >= 0
//
// Those from 10^-27 to 10^55, of what numbers mostly are, lie in a table, and g is rounded up: e < 1. It is 0 from 10^0 on,
// as the odd part fits up to there. The others, the far ones, are one product away from these, with e < 4: all of them
// would be a table of 10 kB, which is a quarter of all JSON in a small program.
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

inline constexpr int kFirstNearPower = -27;
inline constexpr int kNearPowers = kLastExactPower - kFirstNearPower + 1;
extern const std::array<Wide, kNearPowers> kPowers;

constexpr bool is_near_power(int64_t q) noexcept {
  return static_cast<uint64_t>(q - kFirstNearPower) < kNearPowers;
}
inline const Wide& near_power_of_ten(int q) noexcept {
  return kPowers[static_cast<size_t>(q - kFirstNearPower)];
}
Wide far_power_of_ten(int q) noexcept;

inline Wide power_of_ten(int q) noexcept {
  if (!is_near_power(q)) [[unlikely]] return far_power_of_ten(q);
  return near_power_of_ten(q);
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
