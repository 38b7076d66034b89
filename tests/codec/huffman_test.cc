// codec/huffman: codes that are complete, within their limit, in the order of RFC 1951, and as short as a package-merge
// makes them.
#include "codec/huffman.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

using martlet::codec::assign_codes;
using martlet::codec::kMostSymbols;
using martlet::codec::make_huffman_code;

namespace {

using Frequencies = std::vector<uint32_t>;

struct Made {
  std::vector<uint8_t> lengths;
  std::vector<uint16_t> codes;
};

// One element behind each array is not touched.
Made make(const Frequencies& frequencies, unsigned most_bits) {
  const size_t count = frequencies.size();
  Made made{std::vector<uint8_t>(count + 1, 77), std::vector<uint16_t>(count + 1, 0x7777)};
  make_huffman_code(frequencies.data(), count, most_bits, made.lengths.data(), made.codes.data());
  CHECK(made.lengths.back() == 77);
  CHECK(made.codes.back() == 0x7777);
  made.lengths.pop_back();
  made.codes.pop_back();
  return made;
}

uint64_t cost_of(const Frequencies& frequencies, const std::vector<uint8_t>& lengths) {
  uint64_t bits = 0;
  for (size_t i = 0; i < frequencies.size(); i++) bits += uint64_t{frequencies[i]} * lengths[i];
  return bits;
}

// The least that a code with this limit costs (Larmore and Hirschberg 1990): the sum of the 2n - 2 cheapest coins.
uint64_t least_cost(const Frequencies& frequencies, unsigned most_bits) {
  std::vector<uint64_t> coins;
  for (const uint32_t frequency : frequencies) {
    if (frequency) coins.push_back(frequency);
  }
  if (coins.size() < 2) return coins.empty() ? 0 : coins[0];
  std::sort(coins.begin(), coins.end());
  std::vector<uint64_t> packages = coins;
  for (unsigned bits = 1; bits < most_bits; bits++) {
    std::vector<uint64_t> merged = coins;
    for (size_t i = 0; i + 1 < packages.size(); i += 2) merged.push_back(packages[i] + packages[i + 1]);
    std::sort(merged.begin(), merged.end());
    packages = std::move(merged);
  }
  return std::accumulate(packages.begin(), packages.begin() + static_cast<ptrdiff_t>(2 * coins.size() - 2), uint64_t{0});
}

size_t used_symbols(const Frequencies& frequencies) {
  return static_cast<size_t>(std::count_if(frequencies.begin(), frequencies.end(), [](uint32_t f) { return f > 0; }));
}

void check_complete(const Frequencies& frequencies, unsigned most_bits, const Made& made) {
  uint64_t share = 0;
  size_t coded = 0;
  for (size_t i = 0; i < frequencies.size(); i++) {
    if (made.lengths[i] > most_bits) FAIL("longer than the limit");
    if (frequencies[i] && !made.lengths[i]) FAIL("a symbol without a code");
    if (!made.lengths[i]) continue;
    share += uint64_t{1} << (most_bits - made.lengths[i]);
    coded++;
  }
  CHECK(share == uint64_t{1} << most_bits);
  CHECK(coded == std::max<size_t>(2, used_symbols(frequencies)));
}

// Among codes of one length the symbols ascend, and longer codes stand behind shorter ones (§3.2.2).
void check_order(const std::vector<uint8_t>& lengths, const std::vector<uint16_t>& codes) {
  uint32_t code = 0;
  for (unsigned bits = 1; bits <= 15; bits++, code <<= 1) {
    for (size_t i = 0; i < lengths.size(); i++) {
      if (lengths[i] != bits) continue;
      uint32_t turned = 0;
      for (unsigned b = 0; b < bits; b++) turned |= (code >> b & 1u) << (bits - 1 - b);
      if (codes[i] != turned) FAIL("another code");
      code++;
    }
  }
}

Made check(const Frequencies& frequencies, unsigned most_bits) {
  Made made = make(frequencies, most_bits);
  check_complete(frequencies, most_bits, made);
  check_order(made.lengths, made.codes);
  CHECK(cost_of(frequencies, made.lengths) == least_cost(frequencies, most_bits));
  return made;
}

Frequencies random_frequencies(std::mt19937& random, size_t count) {
  Frequencies frequencies(count);
  const uint32_t kind = random() % 5, scale = 1 + random() % 17;
  for (uint32_t& frequency : frequencies) {
    if (kind == 0) frequency = random() % 3;
    if (kind == 1) frequency = random() % 5 == 0 ? random() % 1000 : 0;
    if (kind == 2) frequency = uint32_t{1} << random() % scale;
    if (kind == 3) frequency = 1 + random() % 10;
    if (kind == 4) frequency = random() % (uint32_t{1} << scale);
  }
  return frequencies;
}

}  // namespace

TEST_CASE("huffman: no symbol and one: two codes of one bit") {
  CHECK((check({0, 0, 0}, 15).lengths == std::vector<uint8_t>{1, 1, 0}));
  CHECK((check({0, 0, 9}, 15).lengths == std::vector<uint8_t>{1, 0, 1}));
  CHECK((check({7, 0, 0}, 15).lengths == std::vector<uint8_t>{1, 1, 0}));
  CHECK((check({0, 7}, 15).lengths == std::vector<uint8_t>{1, 1}));
  for (const size_t count : {19, 30, 286}) {
    for (size_t symbol = 0; symbol < count; symbol++) {
      Frequencies frequencies(count);
      frequencies[symbol] = 1 + static_cast<uint32_t>(symbol);
      check(frequencies, 7);
    }
  }
}

TEST_CASE("huffman: the example of RFC 1951 3.2.2") {
  const std::vector<uint8_t> lengths{3, 3, 3, 3, 3, 2, 4, 4};
  std::vector<uint16_t> codes(8);
  assign_codes(lengths.data(), 8, codes.data());
  CHECK((codes == std::vector<uint16_t>{0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111}));
}

TEST_CASE("huffman: all alike") {
  for (const size_t count : {2, 3, 4, 5, 19, 30, 127, 128, 129, 255, 256, 286, 288}) {
    check(Frequencies(count, 1), count <= 128 ? 7 : 15);
    check(Frequencies(count, 1000), 15);
  }
}

TEST_CASE("huffman: random frequencies, with no limit that matters") {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; round++) {
    const Frequencies frequencies = random_frequencies(random, 2 + random() % 13);
    check(frequencies, 15);  // fourteen symbols cannot need more
  }
}

TEST_CASE("huffman: random frequencies and limits") {
  std::mt19937 random(2);
  for (int round = 0; round < 3000; round++) {
    const size_t count = round % 3 == 0 ? 19 : round % 3 == 1 ? 30 : 2 + random() % (kMostSymbols - 1);
    const Frequencies frequencies = random_frequencies(random, count);
    unsigned least = 1;
    while (size_t{1} << least < used_symbols(frequencies)) least++;
    check(frequencies, round % 2 ? 15 : std::min(15u, least + static_cast<unsigned>(random() % 4)));
  }
}

TEST_CASE("huffman: Fibonacci's numbers, which make the deepest trees, under every limit") {
  for (size_t count = 2; count <= 32; count++) {
    Frequencies frequencies{1, 1};
    while (frequencies.size() < count) frequencies.push_back(*frequencies.rbegin() + *(frequencies.rbegin() + 1));
    Frequencies backwards(frequencies.rbegin(), frequencies.rend());
    unsigned least = 1;
    while (size_t{1} << least < count) least++;
    for (unsigned most_bits = least; most_bits <= 15; most_bits++) {
      CAPTURE(count);
      CAPTURE(most_bits);
      check(frequencies, most_bits);
      check(backwards, most_bits);
    }
  }
}

TEST_CASE("huffman: frequencies of a whole block") {
  Frequencies frequencies(kMostSymbols, 1);
  frequencies[97] = 262'140;
  check(frequencies, 15);
  check(frequencies, 9);
  std::mt19937 random(3);
  for (uint32_t& frequency : frequencies) frequency = random() % 65'536;
  check(frequencies, 15);
}
