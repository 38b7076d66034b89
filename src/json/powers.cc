// The tables are made when this is compiled, step by step from 10^0 in both directions, with 256 bits that are rounded down.
// What is lost on the way is less than 2^10 of the last of them, so that the first 128 are right unless the other half
// is all ones or zeros but for its last bits; no power is like that (the test computes each in full).
//
// A far power is 10^q = 10^(83n) * 10^r, with r among the near ones. Let b and g be their 128 bits: each is too large by less
// than 1, the product by less than b + g. If it has 256 bits that is less than 2 of the 128th, else, as b + g < 3 * 2^127 when
// b * g < 2^255, less than 3; and less than 1 is what rounding up adds.
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

constexpr int kLeastFar = -4, kMostFar = 4;  // n
static_assert(kLeastPower - kLeastFar * kNearPowers >= kFirstNearPower && kMostPower - kMostFar * kNearPowers <= kLastExactPower);

// 10^(step * n) for each n from `least` on.
template <int kStep, size_t kCount>
constexpr std::array<Wide, kCount> make_powers(int least) {
  std::array<Wide, kCount> powers{};
  Mantissa m = kOne;
  for (int q = 0; q < (least + static_cast<int>(kCount)) * kStep; q++, times_five(m)) {
    if (q % kStep == 0) powers[static_cast<size_t>(q / kStep - least)] = rounded_up(m);
  }
  m = kOne;
  for (int q = -1; q >= least * kStep; q--) {
    by_five(m);
    if (q % kStep == 0) powers[static_cast<size_t>(q / kStep - least)] = rounded_up(m);
  }
  return powers;
}

constexpr std::array<Wide, kMostFar - kLeastFar + 1> kSteps = make_powers<kNearPowers, kMostFar - kLeastFar + 1>(kLeastFar);

}  // namespace

constinit const std::array<Wide, kNearPowers> kPowers = make_powers<1, kNearPowers>(kFirstNearPower);

[[gnu::noinline, gnu::cold]] Wide far_power_of_ten(int q) noexcept {
  const int n = (q - kFirstNearPower - kLeastFar * kNearPowers) / kNearPowers;  // from kLeastFar on
  const Wide b = kSteps[static_cast<size_t>(n)];
  const Wide g = kPowers[static_cast<size_t>(q - kFirstNearPower - (n + kLeastFar) * kNearPowers)];
  const Wide first = multiply(b.high, g.high), one = multiply(b.high, g.low), other = multiply(b.low, g.high);
  // The product's four words, the last of which does not count.
  uint64_t third = multiply(b.low, g.low).high + one.low;
  uint64_t carry = third < one.low;
  third += other.low;
  carry += third < other.low;
  uint64_t low = first.low + one.high;
  uint64_t high = first.high + (low < one.high);
  low += other.high;
  high += low < other.high;
  low += carry;
  high += low < carry;
  if (!(high >> 63)) {
    high = high << 1 | low >> 63;
    low = low << 1 | third >> 63;
  }
  return {high + (low == UINT64_MAX), low + 1};
}

}  // namespace martlet::json
