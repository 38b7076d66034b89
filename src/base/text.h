// Text of the wire as nearly all its grammars see it: ASCII, names in any case of letters, blanks around what counts,
// hexadecimal digits. No state; any thread.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/bytes.h"

namespace martlet::base {

// In any case of letters. Where one of the two is known to be in lower case equals_lower() does less.
inline bool same_text(std::string_view a, std::string_view b) noexcept {
  const auto same = [](char x, char y) { return ascii_lower(x) == ascii_lower(y); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

// Without the blanks and tabs at both ends.
inline std::string_view trimmed(std::string_view text) noexcept {
  const size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_digit_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = (c | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

}  // namespace martlet::base
