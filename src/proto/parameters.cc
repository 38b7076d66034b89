// See parameters.h.
#include "proto/parameters.h"

#include <algorithm>

#include "base/text.h"
#include "proto/http_chars.h"

namespace martlet::proto {

namespace {

// Whether the quote at `at` is one of a quoted pair: an odd number of backslashes stands before it. (Outside of quoted
// strings there are none in what is well-formed, and before the quote that opens one there is another character.)
bool is_escaped(std::string_view text, size_t at) noexcept {
  size_t backslashes = 0;
  while (backslashes < at && text[at - 1 - backslashes] == '\\') backslashes++;
  return backslashes % 2 == 1;
}

bool is_quoted_string(std::string_view text) noexcept {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  size_t at = 1;
  for (; at < text.size() - 1 && text[at] != '"'; at++) {
    if (text[at] == '\\') at++;
  }
  return at == text.size() - 1;
}

// The character of a value at `at`, which is moved on; of a quoted pair, what is meant.
char take_char(std::string_view value, size_t& at) noexcept {
  if (value[at] == '\\' && at + 1 < value.size()) at++;
  return base::ascii_lower(value[at++]);
}

}  // namespace

std::string_view take_piece(std::string_view& text, char separator) noexcept {
  bool quoted = false;
  size_t end = 0;
  for (; end < text.size(); end++) {
    if (text[end] == '"') quoted = !quoted;
    if (text[end] == separator && !quoted) break;
    if (text[end] == '\\' && quoted) end++;
  }
  const std::string_view piece = base::trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

std::string_view take_last_piece(std::string_view& text, char separator) noexcept {
  bool quoted = false;
  size_t begin = text.size();
  for (; begin > 0; begin--) {
    const char c = text[begin - 1];
    if (c == '"' && !is_escaped(text, begin - 1)) quoted = !quoted;
    if (c == separator && !quoted) break;
  }
  const std::string_view piece = base::trimmed(text.substr(begin));
  text = text.substr(0, begin > 0 ? begin - 1 : 0);
  return piece;
}

bool split_parameter(std::string_view text, Parameter& parameter) noexcept {
  const size_t equals = text.find('=');
  if (equals == text.npos) return false;
  parameter = {text.substr(0, equals), text.substr(equals + 1)};
  return is_token(parameter.name) && (is_token(parameter.value) || is_quoted_string(parameter.value));
}

std::string_view unquoted(std::string_view value) noexcept {
  return value.starts_with('"') ? value.substr(1, value.size() - 2) : value;
}

bool same_value(std::string_view a, std::string_view b) noexcept {
  a = unquoted(a);
  b = unquoted(b);
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (take_char(a, i) != take_char(b, j)) return false;
  }
  return i == a.size() && j == b.size();
}

}  // namespace martlet::proto
