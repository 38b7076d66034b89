// What both ends of the compressor know of RFC 1951 §3.2.5: the codes of lengths and distances.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace martlet::codec {

inline constexpr uint32_t kMostMatch = 258;
inline constexpr uint32_t kEndOfBlock = 256;
inline constexpr size_t kLiteralCodes = 286;  // literals, the end of the block, lengths
inline constexpr size_t kDistanceCodes = 30;

inline constexpr uint16_t kLengthBase[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                             31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
inline constexpr uint8_t kLengthExtra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

constexpr std::array<uint8_t, kMostMatch + 1> make_length_codes() noexcept {
  std::array<uint8_t, kMostMatch + 1> codes{};
  for (uint32_t code = 0; code < 29; code++) {
    const uint32_t end = code == 28 ? kMostMatch + 1 : kLengthBase[code + 1];
    for (uint32_t length = kLengthBase[code]; length < end; length++) codes[length] = static_cast<uint8_t>(code);
  }
  return codes;
}
// The number of the code of a length, from 0; as a symbol it stands behind the end of the block.
inline constexpr std::array<uint8_t, kMostMatch + 1> kLengthCode = make_length_codes();

// Distances 1, 2, 3, 4 have a code each; from there on two codes share a power of two.
inline uint32_t distance_code(uint32_t distance) noexcept {
  const uint32_t d = distance - 1;
  if (d < 4) return d;
  const uint32_t top = 31 - static_cast<uint32_t>(std::countl_zero(d));
  return 2 * top + (d >> (top - 1) & 1);
}
inline uint32_t distance_extra(uint32_t code) noexcept { return code < 4 ? 0 : code / 2 - 1; }

}  // namespace martlet::codec
