// The first 19 digits that count, w, tell the double or two neighbours of which it is one: the number lies between w and
// w + 1 times its power of ten. Of the two, the exact comparison of all digits with the point half way between them decides.
// No such point has more than 768 digits, so that of those that come later only whether one is not 0 counts: the rest of a
// megabyte is looked at, but not computed with.
#include "json/number_slow.h"

#include "json/nearest.h"

namespace martlet::json {

namespace {

constexpr int kGroup = 19;  // digits that fit 64 bits

// The digits one after the other, without the point and the zeros in front.
class DigitReader {
 public:
  explicit DigitReader(const DecimalText& text) : at_(text.at), end_(text.end) {
    while (at_ != end_ && (*at_ == '0' || *at_ == '.')) at_++;
  }

  struct Group {
    uint64_t value;
    int digits;
  };
  Group next() noexcept {
    Group group{0, 0};
    for (; at_ != end_ && group.digits < kGroup; at_++) {
      if (*at_ == '.') continue;
      group.value = group.value * 10 + *at_ - '0';
      group.digits++;
    }
    return group;
  }
  // How many there are still.
  int64_t left() const noexcept {
    int64_t points = 0;
    for (const uint8_t* at = at_; at != end_; at++) points += *at == '.';
    return end_ - at_ - points;
  }
  bool only_zeros_left() const noexcept {
    uint8_t others = 0;  // without a way out, which would keep the compiler from taking many at a time
    for (const uint8_t* at = at_; at != end_; at++) others |= *at != '0' && *at != '.';
    return others == 0;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

// A natural number below 2^(64 * kWords). Two are compared that are nearly equal, after what both have of factors of two is
// left out: either is a text of 41 groups and a digit (less than 2^2592), or 54 bits times at most 5^1075 (2^2550, as the
// smallest halfway point is 2^-1075), or as large as the other.
class BigNatural {
 public:
  explicit BigNatural(uint64_t value) : size_(1) { words_[0] = value; }

  void multiply_add(uint64_t factor, uint64_t carry) noexcept {
    for (int i = 0; i < size_; i++) {
      const Wide product = multiply(words_[i], factor);
      words_[i] = product.low + carry;
      carry = product.high + (words_[i] < product.low);
    }
    if (carry != 0) push(carry);
  }
  void times_power_of_five(int64_t exponent) noexcept {
    constexpr int kStep = 27;  // the last power in 64 bits
    for (; exponent > 0; exponent -= kStep) multiply_add(power_of_five(exponent < kStep ? static_cast<int>(exponent) : kStep), 0);
  }
  void times_power_of_two(int64_t exponent) noexcept {
    multiply_add(uint64_t{1} << (exponent & 63), 0);
    const int words = static_cast<int>(exponent >> 6);
    if (words == 0) return;
    const int size = size_;
    for (int i = 0; i < words; i++) push(0);
    for (int i = size; i-- > 0;) words_[i + words] = words_[i];
    for (int i = 0; i < words; i++) words_[i] = 0;
  }
  // Less than 0, 0, more than 0. Neither has zeros in front.
  int compare(const BigNatural& other) const noexcept {
    if (size_ != other.size_) return size_ < other.size_ ? -1 : 1;
    for (int i = size_; i-- > 0;) {
      if (words_[i] != other.words_[i]) return words_[i] < other.words_[i] ? -1 : 1;
    }
    return 0;
  }

 private:
  static constexpr int kWords = 44;

  static uint64_t power_of_five(int exponent) noexcept {
    uint64_t power = 1;
    for (; exponent > 0; exponent--) power *= 5;
    return power;
  }
  void push(uint64_t word) noexcept {
    if (size_ < kWords) words_[size_++] = word;
  }

  int size_;
  uint64_t words_[kWords];
};

struct Decimal {
  BigNatural digits;
  int64_t exponent;  // of the last of them
};

Decimal digits_that_count(const DecimalText& text) noexcept {
  constexpr int64_t kDigits = 768;
  DigitReader reader(text);
  Decimal decimal{BigNatural(0), text.exponent};
  for (int64_t digits = 0; digits <= kDigits;) {
    const DigitReader::Group group = reader.next();
    decimal.digits.multiply_add(kSmallPowers[static_cast<size_t>(group.digits)], group.value);
    digits += group.digits;
    if (group.digits < kGroup) break;
  }
  decimal.exponent += reader.left();
  if (!reader.only_zeros_left()) {
    decimal.digits.multiply_add(10, 1);  // whatever follows, it is more than nothing and less than a unit
    decimal.exponent--;
  }
  return decimal;
}

// Whether the number is above the point half way between the double with these bits and the next one: less than 0, 0, more.
int compare_with_halfway(const DecimalText& text, uint64_t bits) noexcept {
  const uint64_t stored = bits & (kHiddenBit - 1);
  const int exponent = static_cast<int>(bits >> kMantissaBits);
  BigNatural halfway(exponent == 0 ? 2 * stored + 1 : 2 * (stored | kHiddenBit) + 1);
  Decimal decimal = digits_that_count(text);
  const int64_t twos = (exponent == 0 ? 1 : exponent) - kExponentBias - kMantissaBits - 1;
  if (decimal.exponent >= 0) {
    decimal.digits.times_power_of_five(decimal.exponent);
  } else {
    halfway.times_power_of_five(-decimal.exponent);
  }
  if (decimal.exponent >= twos) {
    decimal.digits.times_power_of_two(decimal.exponent - twos);
  } else {
    halfway.times_power_of_two(twos - decimal.exponent);
  }
  return decimal.digits.compare(halfway);
}

}  // namespace

uint64_t nearest_of_text(const DecimalText& text) noexcept {
  DigitReader reader(text);
  const DigitReader::Group first = reader.next();
  const int64_t left = reader.left();
  const int64_t power = text.exponent + left;
  if (first.value == 0 || power < kLeastPower) return 0;
  if (power > kMostReadPower) return kInfinityBits;
  const int q = static_cast<int>(power);
  // Both ends as far out as nearest.h says the truth may be.
  const ScaledDecimal least = scale(first.value, q);
  const ScaledDecimal most = scale(first.value + (left > 0), q);
  const uint64_t below = round_scaled(least.product.high - least.uncertain, least.binary_point, least.may_tie);
  const uint64_t above = round_scaled(most.product.high, most.binary_point, most.may_tie);
  if (below == above) return below;
  const int order = compare_with_halfway(text, below);
  return below + (order > 0 || (order == 0 && (below & 1)));
}

}  // namespace martlet::json
