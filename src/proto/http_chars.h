// The classes of single bytes that the HTTP grammars ask for, as one table, and the fixed-size loads that compare
// several bytes at once. The long runs of a head are not looked at here but by simd::Kernels::classify_head; this is
// for what is short: a host, a trailer, a protocol's name.
//
// Header-only, no state; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace martlet::proto {

namespace char_class {
inline constexpr uint8_t token = 1;        // tchar (RFC 9110 §5.6.2)
inline constexpr uint8_t field_value = 2;  // VCHAR, obs-text, SP, HTAB (RFC 9110 §5.5)
inline constexpr uint8_t host = 4;         // unreserved and sub-delims of a reg-name (RFC 3986 §3.2.2)
inline constexpr uint8_t digit = 8;
inline constexpr uint8_t hex = 16;
}  // namespace char_class

constexpr std::array<uint8_t, 256> make_char_classes() noexcept {
  std::array<uint8_t, 256> classes{};
  for (size_t c = 0; c < 256; c++) {
    const bool number = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool hex_letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (number || letter) classes[c] |= char_class::token | char_class::host;
    if (number) classes[c] |= char_class::digit;
    if (number || hex_letter) classes[c] |= char_class::hex;
    if ((c >= ' ' && c != 0x7F) || c == '\t') classes[c] |= char_class::field_value;
  }
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) classes[static_cast<uint8_t>(c)] |= char_class::token;
  for (char c : std::string_view("-._~!$&'()*+,;=")) classes[static_cast<uint8_t>(c)] |= char_class::host;
  return classes;
}

inline constexpr std::array<uint8_t, 256> kCharClasses = make_char_classes();

inline bool has_class(uint8_t c, uint8_t classes) noexcept { return (kCharClasses[c] & classes) != 0; }

// A token (RFC 9110 §5.6.2): at least one tchar and nothing else.
inline bool is_token(std::string_view text) noexcept {
  for (char c : text) {
    if (!has_class(static_cast<uint8_t>(c), char_class::token)) return false;
  }
  return !text.empty();
}

// Loads in memory order, and the same of constants: equal bytes are equal numbers on any machine.
template <typename Word>
Word load_raw(const uint8_t* p) noexcept {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

template <typename Word>
constexpr Word raw_word(std::string_view text) noexcept {
  std::array<char, sizeof(Word)> bytes{};
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = text[i];
  return std::bit_cast<Word>(bytes);
}

// Eight bytes with the first in the lowest place, so that carries and shifts run in the direction of the text.
inline uint64_t load_le64(const uint8_t* p) noexcept {
  const uint64_t word = load_raw<uint64_t>(p);
  return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
}

inline constexpr uint64_t kEveryByte = 0x0101010101010101;
inline constexpr uint64_t kLowerCase = 0x20 * kEveryByte;  // OR-ed to text: letters become lower case, '-' stays

}  // namespace martlet::proto
