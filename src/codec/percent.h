// Percent-encoding (RFC 3986 §2.1) and the form of query strings (application/x-www-form-urlencoded).
// No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace martlet::codec {

inline constexpr size_t kEscapeBytes = 3;

// The byte that an escape at text[at] stands for, or -1 where none is. at <= text.size().
constexpr int escaped_byte(std::string_view text, size_t at = 0) noexcept {
  if (text.size() - at < kEscapeBytes || text[at] != '%') return -1;
  const int high = base::hex_digit_value(text[at + 1]);
  const int low = base::hex_digit_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// Writes the escape of a byte; its end.
inline char* put_escape(char* out, uint8_t byte) noexcept {
  constexpr char kDigits[] = "0123456789ABCDEF";
  *out++ = '%';
  *out++ = kDigits[byte >> 4];
  *out++ = kDigits[byte & 15];
  return out;
}

enum class Plus { keep, is_space };  // is_space: in query strings and forms

// Decodes into out, which has room for text.size() bytes and may be text's own memory (decoding in place). How many
// bytes, or nothing when a '%' is not followed by two hexadecimal digits.
std::optional<size_t> decode_percent(std::string_view text, char* out) noexcept;

// True when decoding would change nothing, so that the caller can use the text as it is.
bool is_plain(std::string_view text, Plus plus = Plus::keep) noexcept;

// Walks the pairs of a query string. next() is false at the end; key and value are still encoded.
class QueryPairs {
 public:
  explicit QueryPairs(std::string_view query) noexcept : rest_(query) {}
  bool next(std::string_view& key, std::string_view& value) noexcept;

 private:
  std::string_view rest_;
};

}  // namespace martlet::codec
