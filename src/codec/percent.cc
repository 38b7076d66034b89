// Percent-decoding in one pass from left to right, which never writes ahead of what it has read: so it may decode in
// place. Query strings are walked without decoding, as the caller may want one key of many.
#include "codec/percent.h"

#include <cstdint>
#include <cstring>

namespace martlet::codec {

namespace {

// The value of a hexadecimal digit, or -1.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = (c | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

bool contains(std::string_view text, char c) { return !text.empty() && std::memchr(text.data(), c, text.size()); }

}  // namespace

std::optional<size_t> decode_percent(std::string_view text, char* out, Plus plus) noexcept {
  size_t size = 0;
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus == Plus::is_space) {
      c = ' ';
    }
    out[size++] = c;
  }
  return size;
}

bool is_plain(std::string_view text, Plus plus) noexcept {
  return !contains(text, '%') && (plus == Plus::keep || !contains(text, '+'));
}

// "a=1&&b" has two pairs, a=1 and b with an empty value: empty ones are skipped, as in URLSearchParams.
bool QueryPairs::next(std::string_view& key, std::string_view& value) noexcept {
  while (!rest_.empty()) {
    const size_t end = rest_.find('&');
    const std::string_view pair = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    key = pair.substr(0, equals);
    value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    return true;
  }
  return false;
}

}  // namespace martlet::codec
