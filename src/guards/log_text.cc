// See log_text.h.
#include "guards/log_text.h"

#include <cstddef>
#include <cstdint>

#include "codec/log_text.h"

namespace martlet::guards {

namespace {

constexpr char kHex[] = "0123456789abcdef";

}  // namespace

void append_escaped(std::string& line, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = codec::harmless_character(text, at);
    char escaped[codec::kEscapedBytes];
    if (!size) codec::escape_byte(text[at], escaped);
    line.append(size ? text.substr(at, size) : std::string_view(escaped, sizeof escaped));
    at += size ? size : 1;
  }
}

void append_json(std::string& line, std::string_view text) {
  line.push_back('"');
  for (size_t at = 0; at < text.size();) {
    const size_t size = codec::character_at(text, at);
    const std::string_view character = text.substr(at, size ? size : 1);
    const auto c = static_cast<uint8_t>(character[0]);
    if (size == 0 || codec::is_line_separator(character)) {
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
    const size_t size = codec::character_at(text, at);
    at += size ? size : 1;
  }
  return text.substr(0, at);
}

}  // namespace martlet::guards
