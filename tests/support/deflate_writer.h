// DEFLATE streams written by hand, bit by bit, good ones and bad ones, with what a decoder makes of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace martlet::test {

// A code by its code lengths (RFC 1951 §3.2.2).
class PrefixCode {
 public:
  explicit PrefixCode(std::vector<uint8_t> lengths) : lengths(std::move(lengths)), codes(this->lengths.size()) {
    uint32_t code = 0;
    for (unsigned bits = 1; bits <= 15; bits++, code <<= 1) {
      for (size_t s = 0; s < codes.size(); s++) {
        if (this->lengths[s] == bits) codes[s] = code++;
      }
    }
  }
  std::vector<uint8_t> lengths;
  std::vector<uint32_t> codes;
};

inline PrefixCode fixed_litlen() {
  std::vector<uint8_t> lengths(288, 8);
  for (size_t s = 144; s < 280; s++) lengths[s] = s < 256 ? 9 : 7;
  return PrefixCode(lengths);
}
inline PrefixCode fixed_distances() { return PrefixCode(std::vector<uint8_t>(32, 5)); }

// The lengths of a random complete code for these symbols of `count`; no code is longer than `longest`. The larger `lean`
// the more unequal they are.
inline std::vector<uint8_t> random_lengths(std::mt19937& random, const std::vector<size_t>& symbols, size_t count,
                                           unsigned longest = 15, unsigned lean = 2) {
  std::vector<uint8_t> leaves{0};
  while (leaves.size() < symbols.size()) {
    size_t best = leaves.size();
    for (unsigned n = 0; n < lean || best == leaves.size(); n++) {
      const size_t at = random() % leaves.size();
      if (leaves[at] < longest && (best == leaves.size() || leaves[at] > leaves[best])) best = at;
    }
    leaves.push_back(++leaves[best]);
  }
  std::shuffle(leaves.begin(), leaves.end(), random);
  std::vector<uint8_t> lengths(count);
  for (size_t i = 0; i < symbols.size(); i++) lengths[symbols[i]] = std::max<uint8_t>(leaves[i], 1);
  return lengths;
}

inline unsigned length_symbol(unsigned length, unsigned& extra, unsigned& value) {
  unsigned smallest = 3;
  for (unsigned s = 257; s < 285; s++) {
    extra = s < 265 ? 0 : (s - 261) / 4;
    value = length - smallest;
    if (length < 258 && value < 1u << extra) return s;
    smallest += 1u << extra;
  }
  extra = value = 0;
  return 285;
}

inline unsigned distance_symbol(unsigned distance, unsigned& extra, unsigned& value) {
  unsigned smallest = 1;
  for (unsigned s = 0;; s++) {
    extra = s < 2 ? 0 : (s - 2) / 2;
    value = distance - smallest;
    if (value < 1u << extra) return s;
    smallest += 1u << extra;
  }
}

class DeflateWriter {
 public:
  std::vector<uint8_t> bytes;
  std::string output;  // what the stream so far decodes to

  base::ByteSpan span() const { return bytes; }

  // The lowest bit first.
  DeflateWriter& bits(uint32_t value, unsigned count) {
    for (unsigned i = 0; i < count; i++, used_ = (used_ + 1) & 7) {
      if (used_ == 0) bytes.push_back(0);
      bytes.back() = static_cast<uint8_t>(bytes.back() | (value >> i & 1) << used_);
    }
    return *this;
  }
  // The highest bit first, as codes are.
  DeflateWriter& symbol(const PrefixCode& code, size_t s) {
    for (unsigned i = code.lengths[s]; i > 0; i--) bits(code.codes[s] >> (i - 1), 1);
    return *this;
  }
  DeflateWriter& align() {
    used_ = 0;
    return *this;
  }
  DeflateWriter& byte(uint8_t value) {
    align();
    bytes.push_back(value);
    return *this;
  }
  DeflateWriter& text(std::string_view text) {
    for (const char c : text) byte(static_cast<uint8_t>(c));
    return *this;
  }
  DeflateWriter& head(bool final, unsigned type) { return bits(final, 1).bits(type, 2); }

  DeflateWriter& stored(std::string_view content, bool final = false) {
    const auto size = static_cast<uint32_t>(content.size());
    head(final, 0).align().bits(size, 16).bits(size ^ 0xFFFF, 16).text(content);
    output += content;
    return *this;
  }

  // Begins a block of type 1.
  DeflateWriter& fixed(bool final = false) {
    litlen_ = fixed_litlen();
    distances_ = fixed_distances();
    return head(final, 1);
  }

  // Begins a block of type 2. Every code length is written out, with four bits each.
  DeflateWriter& dynamic(const std::vector<uint8_t>& litlen, const std::vector<uint8_t>& distances, bool final = false) {
    head(final, 2).counts(litlen.size(), distances.size(), 19);
    const PrefixCode lengths = plain_lengths_code();
    for (const uint8_t length : litlen) symbol(lengths, length);
    for (const uint8_t length : distances) symbol(lengths, length);
    litlen_ = PrefixCode(litlen);
    distances_ = PrefixCode(distances);
    return *this;
  }
  DeflateWriter& counts(size_t litlen, size_t distances, size_t lengths) {
    return bits(static_cast<uint32_t>(litlen - 257), 5)
        .bits(static_cast<uint32_t>(distances - 1), 5)
        .bits(static_cast<uint32_t>(lengths - 4), 4);
  }
  // The sixteen lengths have four bits each; repeats have none. Writes their lengths, in the order of the format.
  PrefixCode plain_lengths_code() {
    PrefixCode code(std::vector<uint8_t>(16, 4));
    for (size_t i = 0; i < 19; i++) bits(i < 3 ? 0 : 4, 3);
    return code;
  }

  DeflateWriter& literal(uint8_t byte) {
    output += static_cast<char>(byte);
    return symbol(litlen_, byte);
  }
  DeflateWriter& match(unsigned length, unsigned distance) {
    for (unsigned i = 0; i < length; i++) output += output[output.size() - distance];
    return bad_match(length, distance);
  }
  // One that refers to what is not there.
  DeflateWriter& bad_match(unsigned length, unsigned distance) {
    unsigned extra, value;
    symbol(litlen_, length_symbol(length, extra, value)).bits(value, extra);
    return symbol(distances_, distance_symbol(distance, extra, value)).bits(value, extra);
  }
  DeflateWriter& litlen_symbol(size_t s) { return symbol(litlen_, s); }
  DeflateWriter& distance_code(size_t s) { return symbol(distances_, s); }
  DeflateWriter& end() { return symbol(litlen_, 256); }

 private:
  unsigned used_ = 0;  // bits of the last byte, 0 when it is whole
  PrefixCode litlen_{{}};
  PrefixCode distances_{{}};
};

}  // namespace martlet::test
