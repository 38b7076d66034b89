// One escape of percent-encoding (RFC 3986 §2.1), for grammars that keep what is no escape as it is, or have rules of
// their own. What is decoded as a whole or refused goes through codec/percent.h.
//
// Header-only, no state; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace martlet::proto {

inline constexpr size_t kEscapeBytes = 3;

// The value of a hexadecimal digit, or -1.
constexpr int hex_digit_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = (c | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

// The byte that an escape at text[at] stands for, or -1 where none is. at < text.size().
constexpr int escaped_byte(std::string_view text, size_t at) noexcept {
  if (text[at] != '%' || text.size() - at < kEscapeBytes) return -1;
  const int high = hex_digit_value(text[at + 1]);
  const int low = hex_digit_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

}  // namespace martlet::proto
