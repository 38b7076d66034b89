// The prefix codes of DEFLATE as tables to decode with (RFC 1951 §3.2).
//
// The next bits of the stream index a table; the entry there says what they mean and how many of them are used. Codes
// that are longer than the index lead to a subtable. An entry, for a code of `code` bits:
//
//   bit    31   30  29–25       24–16        15 14 13 12   11–8    7 6   5–0
//   literal 1    0  0           the byte      0  0  0  0   code     0    code
//   length  0    0  extra mask  smallest      0  0  0  0   code     0    code + extra bits
//   distance 0   smallest (30–16)             0  0  0  0   code     0    code + extra bits
//   subtable 0   where it begins              1  1  0  0   its index bits  bits of the first index
//   end     0    0  0           0             1  0  1  0   code     0    code
//   no such symbol                            1  0  0  0   code     0    code
//   beyond the window                         1  0  0  1   code     0    code
//
// A subtable's entries count the bits of the first index too, so nothing has to be used up in between.
#pragma once

#include <cstddef>
#include <cstdint>

namespace martlet::codec {

using CodeEntry = uint32_t;

inline constexpr CodeEntry kLiteralEntry = 1u << 31;
inline constexpr CodeEntry kSpecialEntry = 1u << 15;
inline constexpr CodeEntry kSubtableEntry = 1u << 14;
inline constexpr CodeEntry kEndEntry = 1u << 13;
inline constexpr CodeEntry kBeyondEntry = 1u << 12;

inline constexpr unsigned kMaxCodeBits = 15;
inline constexpr unsigned kMaxLitlenIndex = 11;
inline constexpr unsigned kMaxDistanceIndex = 8;
inline constexpr unsigned kMaxLengthsIndex = 7;  // no code length's code is longer
inline constexpr size_t kLitlenSymbols = 288;
inline constexpr size_t kDistanceSymbols = 32;
inline constexpr size_t kLengthsSymbols = 19;

// What an entry uses up in all, and of that the code.
inline unsigned used_bits(CodeEntry entry) noexcept { return entry & 63; }
inline unsigned code_bits(CodeEntry entry) noexcept { return entry >> 8 & 15; }
inline unsigned symbol_of(CodeEntry entry) noexcept { return entry >> 16; }

// The value of an entry for a length or a distance; `bits` begin with the code. Bits 12 and 13 of the entry are 0, and so
// the shift by the code's bits needs no mask but the one that the hardware has.
inline uint32_t length_of(CodeEntry entry, uint64_t bits) noexcept {
  return (entry >> 16 & 511) + (static_cast<uint32_t>(bits >> (entry >> 8 & 63)) & entry >> 25);
}
inline uint32_t distance_of(CodeEntry entry, uint64_t bits) noexcept {
  return (entry >> 16) + static_cast<uint32_t>((bits & ((uint64_t{1} << used_bits(entry)) - 1)) >> (entry >> 8 & 63));
}

// The entry in the subtable that `entry` leads to.
inline CodeEntry in_subtable(const CodeEntry* table, CodeEntry entry, uint64_t bits) noexcept {
  return table[(entry >> 16) + (bits >> used_bits(entry) & ((1u << code_bits(entry)) - 1))];
}

// The two codes that a block is written with.
struct InflateCodes {
  const CodeEntry* litlen;
  const CodeEntry* distances;
  unsigned litlen_bits;  // index bits
  unsigned distance_bits;

  CodeEntry find_litlen(uint64_t bits) const noexcept { return find(litlen, litlen_bits, bits); }
  CodeEntry find_distance(uint64_t bits) const noexcept { return find(distances, distance_bits, bits); }

 private:
  static CodeEntry find(const CodeEntry* table, unsigned index_bits, uint64_t bits) noexcept {
    const CodeEntry entry = table[bits & ((1u << index_bits) - 1)];
    return entry & kSubtableEntry ? in_subtable(table, entry, bits) : entry;
  }
};

// The codes of block type 1; no distance is above 1 << window_bits.
InflateCodes fixed_codes(unsigned window_bits) noexcept;

enum class CodeFault : uint8_t { none, over_subscribed, incomplete };

// Each fills a table for the code with these code lengths and sets how many bits index it, as few as do. `lengths` must
// have zeros behind the last symbol, up to a multiple of eight. A code of literals or distances may be incomplete when
// it has one symbol, of one bit, and one of distances may be empty; the code of the code lengths may not.
CodeFault build_litlen_code(const uint8_t* lengths, size_t symbols, CodeEntry* table, uint8_t& index_bits) noexcept;
CodeFault build_distance_code(const uint8_t* lengths, size_t symbols, unsigned window_bits, CodeEntry* table,
                              uint8_t& index_bits) noexcept;
CodeFault build_lengths_code(const uint8_t* lengths, CodeEntry* table, uint8_t& index_bits) noexcept;

}  // namespace martlet::codec
