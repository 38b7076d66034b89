// See log_text.h.
#include "guards/log_text.h"

#include <cstddef>
#include <cstdint>

namespace martlet::guards {

namespace {

constexpr char kHex[] = "0123456789abcdef";

bool is_continuation(std::string_view text, size_t at) noexcept { return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80; }

// How many bytes the character at `at` has (RFC 3629 §4); 0: it is none, or one of the controls C1 (U+0080 to U+009F).
size_t character_at(std::string_view text, size_t at) noexcept {
  const auto first = static_cast<uint8_t>(text[at]);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (size_t i = 1; i < size; i++) {
    if (!is_continuation(text, at + i)) return 0;
  }
  const auto second = static_cast<uint8_t>(text[at + 1]);
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                     (first == 0xF4 && second > 0x8F) || (first == 0xC2 && second < 0xA0);
  return wrong ? 0 : size;
}

// U+2028 and U+2029, which some readers of lines take for their ends.
bool is_separator(std::string_view character) noexcept { return character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9"; }

void append_byte(std::string& line, char byte) {
  const auto b = static_cast<uint8_t>(byte);
  const char text[] = {'\\', 'x', kHex[b >> 4], kHex[b & 15]};
  line.append(text, sizeof text);
}

}  // namespace

void append_escaped(std::string& line, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = character_at(text, at);
    const std::string_view character = text.substr(at, size ? size : 1);
    const char c = character[0];
    const bool harmless = size > 1 ? !is_separator(character) : size == 1 && c >= ' ' && c != 0x7f && c != '"' && c != '\\';
    if (harmless) line.append(character);
    else for (const char byte : character) append_byte(line, byte);
    at += character.size();
  }
}

void append_json(std::string& line, std::string_view text) {
  line.push_back('"');
  for (size_t at = 0; at < text.size();) {
    const size_t size = character_at(text, at);
    const std::string_view character = text.substr(at, size ? size : 1);
    const auto c = static_cast<uint8_t>(character[0]);
    if (size == 0 || is_separator(character)) {
      line.append("\xEF\xBF\xBD");
    } else if (c == '"' || c == '\\') {
      line.append({'\\', static_cast<char>(c)});
    } else if (c < 0x20 || c == 0x7f) {
      line.append("\\u00").append({kHex[c >> 4], kHex[c & 15]});
    } else {
      line.append(character);
    }
    at += character.size();
  }
  line.push_back('"');
}

std::string_view first_characters(std::string_view text, size_t most) noexcept {
  size_t at = 0;
  for (size_t n = 0; n < most && at < text.size(); n++) {
    const size_t size = character_at(text, at);
    at += size ? size : 1;
  }
  return text.substr(0, at);
}

}  // namespace martlet::guards
