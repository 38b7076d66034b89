// Natural numbers of any size, as plainly as can be: what exact conversions are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace martlet::test {

class BigNumber {
 public:
  explicit BigNumber(uint64_t value) {
    for (; value != 0; value >>= 32) words_.push_back(static_cast<uint32_t>(value));
  }

  BigNumber& times(uint32_t factor) {
    uint64_t carry = 0;
    for (uint32_t& word : words_) {
      carry += uint64_t{word} * factor;
      word = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) words_.push_back(static_cast<uint32_t>(carry));
    return *this;
  }
  BigNumber& times_power(uint32_t base, int exponent) {
    for (; exponent > 0; exponent--) times(base);
    return *this;
  }
  BigNumber& add(uint32_t more) {
    for (uint32_t& word : words_) {
      word += more;
      more = word < more;
      if (more == 0) return *this;
    }
    if (more != 0) words_.push_back(more);
    return *this;
  }
  // Answers the rest.
  uint32_t divide(uint32_t by) {
    uint64_t rest = 0;
    for (size_t i = words_.size(); i-- > 0;) {
      rest = rest << 32 | words_[i];
      words_[i] = static_cast<uint32_t>(rest / by);
      rest %= by;
    }
    while (!words_.empty() && words_.back() == 0) words_.pop_back();
    return static_cast<uint32_t>(rest);
  }
  int bits() const {
    if (words_.empty()) return 0;
    int bits = 32 * static_cast<int>(words_.size() - 1);
    for (uint32_t word = words_.back(); word != 0; word >>= 1) bits++;
    return bits;
  }
  // Less than 0, 0, more than 0.
  int compare(const BigNumber& other) const {
    if (words_.size() != other.words_.size()) return words_.size() < other.words_.size() ? -1 : 1;
    for (size_t i = words_.size(); i-- > 0;) {
      if (words_[i] != other.words_[i]) return words_[i] < other.words_[i] ? -1 : 1;
    }
    return 0;
  }
  std::string text() const {
    if (words_.empty()) return "0";
    BigNumber rest = *this;
    std::string reversed;
    while (!rest.words_.empty()) reversed += static_cast<char>('0' + rest.divide(10));
    return {reversed.rbegin(), reversed.rend()};
  }

 private:
  std::vector<uint32_t> words_;  // the lowest first, none of zeros at the end
};

}  // namespace martlet::test
