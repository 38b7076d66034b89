// Percent-decoding in one pass from left to right, which never writes ahead of what it has read: so it may decode in
// place. Query strings are walked without decoding, as the caller may want one key of many.
#include "codec/percent.h"

#include <cstdint>
#include <cstring>

namespace martlet::codec {

namespace {

bool contains(std::string_view text, char c) { return !text.empty() && std::memchr(text.data(), c, text.size()); }

}  // namespace

std::optional<size_t> decode_percent(std::string_view text, char* out) noexcept {
  size_t size = 0;
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (c == '%') {
      const int byte = escaped_byte(text, i);
      if (byte < 0) return std::nullopt;
      c = static_cast<char>(byte);
      i += kEscapeBytes - 1;
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
