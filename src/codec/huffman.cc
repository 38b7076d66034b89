// See huffman.h. Symbols are sorted by how often they occur; the tree is built from two queues, the sorted symbols and the
// nodes made so far, which come out sorted by themselves. Only how many codes there are of each length is taken from it:
// when the tree is too deep, leaves are moved up and others down until the code is complete again.
#include "codec/huffman.h"

#include <algorithm>

namespace martlet::codec {

namespace {

constexpr unsigned kMostBits = 15;
constexpr unsigned kSymbolBits = 9;  // a key is the frequency, and the symbol below it

// Writes how many of the `count` sorted symbols have codes of each length.
void count_lengths(const uint32_t* keys, size_t count, unsigned most_bits, uint32_t (&of_length)[kMostBits + 1]) noexcept {
  uint32_t weights[kMostSymbols];  // of the inner nodes, in the order in which they are made
  uint16_t parents[2 * kMostSymbols];
  size_t leaf = 0;
  size_t node = 0;
  const auto take = [&](size_t made, size_t parent) {
    const bool from_leaves = leaf < count && (node == made || (keys[leaf] >> kSymbolBits) <= weights[node]);
    const uint32_t weight = from_leaves ? keys[leaf] >> kSymbolBits : weights[node];
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
  uint32_t excess = 0;  // of the sum of all codes' shares of the space, in units of the longest code
  for (size_t i = 0; i < count; i++) {
    const uint32_t depth = weights[parents[i] - count] + 1;
    of_length[depth < most_bits ? depth : most_bits]++;
  }
  uint32_t used = 0;
  for (unsigned bits = 1; bits <= most_bits; bits++) used += of_length[bits] << (most_bits - bits);
  excess = used - (uint32_t{1} << most_bits);
  // One of the longest codes that can grow gets a sibling, which is one of those that had been cut.
  for (; excess > 0; excess--) {
    unsigned bits = most_bits - 1;
    while (of_length[bits] == 0) bits--;
    of_length[bits]--;
    of_length[bits + 1] += 2;
    of_length[most_bits]--;
  }
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
  std::sort(keys, keys + used);
  uint32_t of_length[kMostBits + 1] = {};
  count_lengths(keys, used, most_bits, of_length);
  size_t symbol = 0;  // the rarest have the longest codes
  for (unsigned bits = most_bits; bits > 0; bits--) {
    for (uint32_t n = of_length[bits]; n > 0; n--) {
      lengths[keys[symbol++] & ((1u << kSymbolBits) - 1)] = static_cast<uint8_t>(bits);
    }
  }
  assign_codes(lengths, count, codes);
}

}  // namespace martlet::codec
