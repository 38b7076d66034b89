// See huffman.h. Symbols are sorted by how often they occur; the tree is built from two queues, the sorted symbols and the
// nodes made so far, which come out sorted by themselves. Only how many codes there are of each length is taken from it.
// A tree that is too deep, which is rare, is thrown away, and the lengths found by package-merge (Larmore and Hirschberg
// 1990), which takes as many passes as the limit has bits.
#include "codec/huffman.h"

namespace martlet::codec {

namespace {

constexpr unsigned kMostBits = 15;
constexpr unsigned kSymbolBits = 9;  // a key is the frequency, and the symbol below it

// Shell's: for a few hundred keys as fast as any, and small.
void sort(uint32_t* keys, size_t count) noexcept {
  constexpr size_t kGaps[] = {132, 57, 23, 10, 4, 1};
  for (const size_t gap : kGaps) {
    for (size_t i = gap; i < count; i++) {
      const uint32_t key = keys[i];
      size_t at = i;
      for (; at >= gap && keys[at - gap] > key; at -= gap) keys[at] = keys[at - gap];
      keys[at] = key;
    }
  }
}

uint32_t weight_of(uint32_t key) noexcept { return key >> kSymbolBits; }

// Writes how many of the `count` sorted symbols have codes of each length.
//
// Each symbol is a coin for each bit that its code may have, as heavy as it is frequent. From the last bit to the first,
// coins and the packages of the bit behind, in order of their weight, are packed in pairs. The 2 * count - 2 lightest of
// the first bit, unpacked, have as many coins of a symbol as its code has bits.
void limit_lengths(const uint32_t* keys, size_t count, unsigned most_bits, uint32_t (&of_length)[kMostBits + 1]) noexcept {
  uint8_t is_coin[kMostBits][2 * kMostSymbols / 8] = {};  // a bit for each of those of a pass, in their order
  uint32_t packages[2][kMostSymbols];
  size_t made = 0;
  for (unsigned bit = most_bits; bit-- > 0;) {
    const uint32_t* const behind = packages[bit & 1];
    uint32_t* const here = packages[~bit & 1];
    const size_t all = count + made;
    size_t coin = 0;
    size_t package = 0;
    uint32_t other = 0;
    for (size_t i = 0; i < all; i++) {
      const bool take_coin = coin < count && (package == made || weight_of(keys[coin]) <= behind[package]);
      if (take_coin) is_coin[bit][i / 8] = static_cast<uint8_t>(is_coin[bit][i / 8] | 1u << i % 8);
      const uint32_t weight = take_coin ? weight_of(keys[coin++]) : behind[package++];
      if (i % 2) here[i / 2] = other + weight;
      other = weight;
    }
    made = all / 2;
  }
  uint32_t at_least = 0;  // codes that have a bit more
  size_t unpacked = 2 * count - 2;
  for (unsigned bit = 0; bit < most_bits; bit++) {
    uint32_t coins = 0;
    for (size_t i = 0; i < unpacked; i++) coins += is_coin[bit][i / 8] >> i % 8 & 1u;
    if (bit > 0) of_length[bit] = at_least - coins;
    at_least = coins;
    unpacked = 2 * (unpacked - coins);
  }
  of_length[most_bits] = at_least;
}

// The same without a limit; answers whether it was kept.
bool count_lengths(const uint32_t* keys, size_t count, unsigned most_bits, uint32_t (&of_length)[kMostBits + 1]) noexcept {
  uint32_t weights[kMostSymbols];  // of the inner nodes, in the order in which they are made
  uint16_t parents[2 * kMostSymbols];
  size_t leaf = 0;
  size_t node = 0;
  const auto take = [&](size_t made, size_t parent) {
    const bool from_leaves = leaf < count && (node == made || weight_of(keys[leaf]) <= weights[node]);
    const uint32_t weight = from_leaves ? weight_of(keys[leaf]) : weights[node];
    parents[from_leaves ? leaf++ : count + node++] = static_cast<uint16_t>(parent);
    return weight;
  };
  for (size_t made = 0; made + 1 < count; made++) {
    const uint32_t first = take(made, count + made);
    weights[made] = first + take(made, count + made);
  }
  // From the root down; the depth of an inner node takes the place of its weight.
  const size_t root = count - 2;
  weights[root] = 0;
  for (size_t i = root; i-- > 0;) weights[i] = weights[parents[count + i] - count] + 1;
  if (weights[parents[0] - count] + 1 > most_bits) return false;  // the rarest symbol is the deepest
  for (size_t i = 0; i < count; i++) of_length[weights[parents[i] - count] + 1]++;
  return true;
}

uint16_t reversed(uint32_t code, unsigned bits) noexcept {
  code = (code & 0x5555) << 1 | (code >> 1 & 0x5555);
  code = (code & 0x3333) << 2 | (code >> 2 & 0x3333);
  code = (code & 0x0f0f) << 4 | (code >> 4 & 0x0f0f);
  code = (code & 0x00ff) << 8 | (code >> 8 & 0x00ff);
  return static_cast<uint16_t>(code >> (16 - bits));
}

}  // namespace

void assign_codes(const uint8_t* lengths, size_t count, uint16_t* codes) noexcept {
  uint32_t of_length[kMostBits + 1] = {};
  for (size_t i = 0; i < count; i++) of_length[lengths[i]]++;
  uint32_t next[kMostBits + 1] = {};
  of_length[0] = 0;
  for (unsigned bits = 1; bits <= kMostBits; bits++) next[bits] = (next[bits - 1] + of_length[bits - 1]) << 1;
  for (size_t i = 0; i < count; i++) {
    if (lengths[i]) codes[i] = reversed(next[lengths[i]]++, lengths[i]);
  }
}

void make_huffman_code(const uint32_t* frequencies, size_t count, unsigned most_bits, uint8_t* lengths,
                       uint16_t* codes) noexcept {
  uint32_t keys[kMostSymbols];
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    lengths[i] = 0;
    if (frequencies[i]) keys[used++] = frequencies[i] << kSymbolBits | static_cast<uint32_t>(i);
  }
  for (uint32_t i = 0; used < 2; i++) {
    if (frequencies[i] == 0) keys[used++] = i;
  }
  sort(keys, used);
  uint32_t of_length[kMostBits + 1] = {};
  if (!count_lengths(keys, used, most_bits, of_length)) limit_lengths(keys, used, most_bits, of_length);
  size_t symbol = 0;  // the rarest have the longest codes
  for (unsigned bits = most_bits; bits > 0; bits--) {
    for (uint32_t n = of_length[bits]; n > 0; n--) {
      lengths[keys[symbol++] & ((1u << kSymbolBits) - 1)] = static_cast<uint8_t>(bits);
    }
  }
  assign_codes(lengths, count, codes);
}

}  // namespace martlet::codec
