// Percent-encoding (RFC 3986 §2.1) and the form of query strings (application/x-www-form-urlencoded).
// No allocation; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace martlet::codec {

enum class Plus { keep, is_space };  // is_space: in query strings and forms

// Decodes into out, which has room for text.size() bytes and may be text's own memory (decoding in place). How many
// bytes, or nothing when a '%' is not followed by two hexadecimal digits.
std::optional<size_t> decode_percent(std::string_view text, char* out, Plus plus = Plus::keep) noexcept;

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
