// Text into a JSON string: most of it is copied, sixteen bytes at a time, and what must be escaped is (RFC 8259 §7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace martlet::json {

inline constexpr size_t kEscapeBytes = 6;

// The high bit of some byte is set where one of the eight is '"', '\\' or below 0x20.
inline uint64_t special_bytes(uint64_t x) noexcept {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  const uint64_t quote = x ^ kOnes * '"';
  const uint64_t backslash = x ^ kOnes * '\\';
  return ((x - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes)) & ~x & kOnes * 0x80;
}

inline bool is_special(char c) noexcept { return static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\'; }

// Sixteen bytes at once: a vector where the machine has such, else words. For texts that are too short for a kernel.
using Sixteen [[gnu::vector_size(16)]] = uint8_t;

[[gnu::always_inline]] inline auto special_marks(const Sixteen& bytes) noexcept {
  return (bytes < 0x20) | (bytes == '"') | (bytes == '\\');
}

template <typename Marks>
[[gnu::always_inline]] inline bool any(const Marks& marks) noexcept {
  uint64_t words[2];
  std::memcpy(words, &marks, sizeof words);
  return (words[0] | words[1]) != 0;
}

// Copies up to fifteen bytes, unless one of them must be escaped: two words that may overlap, or three bytes.
[[gnu::always_inline]] inline bool copy_plain_short(char* to, const char* from, size_t size) noexcept {
  if (size >= 8) {
    Sixteen both;
    uint64_t words[2];
    std::memcpy(&words[0], from, 8);
    std::memcpy(&words[1], from + size - 8, 8);
    std::memcpy(&both, words, sizeof both);
    if (any(special_marks(both))) return false;
    std::memcpy(to, &words[0], 8);
    std::memcpy(to + size - 8, &words[1], 8);
  } else if (size >= 4) {
    uint32_t first, last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + size - 4, 4);
    if (special_bytes(first | uint64_t{last} << 32)) return false;
    std::memcpy(to, &first, 4);
    std::memcpy(to + size - 4, &last, 4);
  } else if (size > 0) {
    const char first = from[0], middle = from[size / 2], last = from[size - 1];
    constexpr uint64_t kBlanks = 0x2020202020000000u;
    if (special_bytes(kBlanks | static_cast<uint8_t>(first) | uint64_t{static_cast<uint8_t>(middle)} << 8 | uint64_t{static_cast<uint8_t>(last)} << 16)) return false;
    to[0] = first;
    to[size / 2] = middle;
    to[size - 1] = last;
  }
  return true;
}

// Copies bytes up to the first that must be escaped; how many. `to` has room for all of them.
size_t copy_plain(char* to, const char* from, size_t size) noexcept;

// The escape of a byte that must have one; its end.
char* put_escape(char* to, char c) noexcept;

}  // namespace martlet::json
