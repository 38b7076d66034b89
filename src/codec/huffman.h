// Huffman codes of bounded length (RFC 1951 §3.2.2): how long, and the bits as they are written, the first bit lowest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace martlet::codec {

inline constexpr size_t kMostSymbols = 288;

// Lengths of an optimal code for symbols that occur so often, none above `most_bits`; 0 for those that do not occur. At
// least two symbols get a code, so that the code is complete whatever occurs. `lengths` and `codes` have room for `count`,
// at most kMostSymbols, of which at most 1 << most_bits occur. No frequency reaches 1 << 23, their sum not 1 << 28.
void make_huffman_code(const uint32_t* frequencies, size_t count, unsigned most_bits, uint8_t* lengths,
                       uint16_t* codes) noexcept;

// The bits for given lengths.
void assign_codes(const uint8_t* lengths, size_t count, uint16_t* codes) noexcept;

}  // namespace martlet::codec
