// The powers of ten against integers of any size, each of them, and the logarithms that go with it.
#include "json/powers.h"

#include <doctest/doctest.h>

#include <random>

#include "json/wide.h"
#include "support/big_number.h"

using namespace martlet::json;
using martlet::test::BigNumber;

namespace {

BigNumber big(const Wide& wide) {
  BigNumber number(wide.high);
  number.times_power(2, 32).add(static_cast<uint32_t>(wide.low >> 32));
  return number.times_power(2, 32).add(static_cast<uint32_t>(wide.low));
}

// g - most < 5^q * 2^shift <= g, where the power has 128 bits before its point.
bool is_too_large_by_less(const Wide& g, int q, uint64_t most) {
  BigNumber left = big(g), below = big({g.high - (g.low < most), g.low - most}), right(1);
  if (q >= 0) {
    right.times_power(5, q);
    const int shift = 128 - right.bits();
    right.times_power(2, shift);
    left.times_power(2, -shift);
    below.times_power(2, -shift);
  } else {
    left.times_power(5, -q);
    below.times_power(5, -q);
    right.times_power(2, 127 + BigNumber(1).times_power(5, -q).bits());
  }
  return below.compare(right) < 0 && right.compare(left) <= 0;
}

}  // namespace

TEST_CASE("powers: near ones are rounded up, far ones too large by less than 4") {
  for (int q = kLeastPower; q <= kMostPower; q++) {
    CAPTURE(q);
    const Wide g = power_of_ten(q);
    CHECK((g.high >> 63) == 1);
    CHECK(is_too_large_by_less(g, q, is_near_power(q) ? 1 : 4));
    const bool exact = q >= 0 && BigNumber(1).times_power(5, q).bits() <= 128;
    CHECK(exact == (q >= 0 && q <= kLastExactPower));
  }
}

TEST_CASE("powers: near ones are from -27 to 55") {
  CHECK_FALSE(is_near_power(-28));
  CHECK(is_near_power(-27));
  CHECK(is_near_power(55));
  CHECK_FALSE(is_near_power(56));
}

TEST_CASE("powers: logarithms of powers of ten and of two") {
  for (int q = kLeastPower; q <= kMostPower; q++) {
    CAPTURE(q);
    const int bits = BigNumber(1).times_power(10, q < 0 ? -q : q).bits();
    CHECK(log2_of_ten(q) == (q < 0 ? -bits : bits - 1));
  }
  for (int e = -1074; e <= 1023; e++) {
    CAPTURE(e);
    // 10^k <= 2^e < 10^(k + 1), and where both are below 1 the other way round
    const int digits = static_cast<int>(BigNumber(1).times_power(2, e < 0 ? -e : e).text().size());
    CHECK(log10_of_two(e) == (e < 0 ? -digits : digits - 1));
  }
}

TEST_CASE("powers: those of 64 bits") {
  uint64_t power = 1;
  for (const uint64_t small : kSmallPowers) {
    CHECK(small == power);
    power *= 10;
  }
}

TEST_CASE("wide: products in halves and in one piece") {
  std::mt19937_64 random(1);
  const uint64_t ends[] = {0, 1, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFF00000000, UINT64_MAX};
  const auto check = [](uint64_t a, uint64_t b) {
    const Wide whole = multiply(a, b), halves = multiply_halves(a, b);
    return whole.high == halves.high && whole.low == halves.low && halves.low == a * b;
  };
  for (const uint64_t a : ends) {
    for (const uint64_t b : ends) CHECK(check(a, b));
  }
  bool same = true;
  for (int i = 0; i < 100000; i++) same &= check(random(), random() >> random() % 64);
  CHECK(same);
  const Wide square = multiply_halves(UINT64_MAX, UINT64_MAX);
  CHECK(square.high == UINT64_MAX - 1);
  CHECK(square.low == 1);
}
