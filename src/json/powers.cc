// The table is made when this is compiled, step by step from 10^0 in both directions, with 256 bits that are rounded down.
// What is lost on the way is less than 2^10 of the last of them, so that the first 128 are right unless the other half
// is all ones or zeros but for its last bits; no power is like that (the test computes each in full).
#include "json/powers.h"

namespace martlet::json {

namespace {

// A fraction, most significant digit first; the top bit is set.
using Mantissa = std::array<uint32_t, 8>;

// The shift is from 1 to 31 bits; `below` are the bits that come in.
constexpr void shift_left(Mantissa& m, int bits, uint32_t below) {
  for (size_t i = 0; i + 1 < m.size(); i++) m[i] = m[i] << bits | m[i + 1] >> (32 - bits);
  m.back() = m.back() << bits | below >> (32 - bits);
}

constexpr void shift_right(Mantissa& m, int bits, uint32_t above) {
  for (size_t i = m.size() - 1; i > 0; i--) m[i] = m[i] >> bits | m[i - 1] << (32 - bits);
  m[0] = m[0] >> bits | above << (32 - bits);
}

constexpr int leading_zeros(uint32_t word) {
  int zeros = 0;
  for (; word < 0x80000000; word <<= 1) zeros++;
  return zeros;
}

constexpr void times_five(Mantissa& m) {
  uint64_t carry = 0;
  for (size_t i = m.size(); i-- > 0;) {
    carry += uint64_t{m[i]} * 5;
    m[i] = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  const auto above = static_cast<uint32_t>(carry);
  shift_right(m, 32 - leading_zeros(above), above);
}

constexpr void by_five(Mantissa& m) {
  uint64_t rest = 0;
  for (uint32_t& word : m) {
    rest = rest << 32 | word;
    word = static_cast<uint32_t>(rest / 5);
    rest %= 5;
  }
  shift_left(m, leading_zeros(m[0]), static_cast<uint32_t>((rest << 32) / 5));
}

constexpr Wide rounded_up(const Mantissa& m) {
  const Wide g{uint64_t{m[0]} << 32 | m[1], uint64_t{m[2]} << 32 | m[3]};
  const bool exact = (m[4] | m[5] | m[6] | m[7]) == 0;
  const uint64_t low = g.low + !exact;
  return {g.high + (low < g.low), low};
}

constexpr Mantissa kOne{0x80000000};

constexpr std::array<Wide, kMostPower - kLeastPower + 1> make_powers() {
  std::array<Wide, kMostPower - kLeastPower + 1> powers{};
  Mantissa m = kOne;
  for (size_t at = -kLeastPower; at < powers.size(); at++, times_five(m)) powers[at] = rounded_up(m);
  m = kOne;
  for (size_t at = -kLeastPower; at-- > 0;) {
    by_five(m);
    powers[at] = rounded_up(m);
  }
  return powers;
}

}  // namespace

constinit const std::array<Wide, kMostPower - kLeastPower + 1> kPowers = make_powers();

}  // namespace martlet::json
