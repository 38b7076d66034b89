// See basic_credentials.h.
#include "guards/basic_credentials.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "codec/base64.h"
#include "codec/utf8.h"

namespace martlet::guards {

const char* after_scheme(std::string_view field, std::string_view lower) noexcept {
  const bool is_it = field.size() >= lower.size() && base::equals_lower(field.substr(0, lower.size()), lower);
  if (!is_it || (field.size() > lower.size() && field[lower.size()] != ' ')) return nullptr;
  const size_t at = field.find_first_not_of(' ', lower.size());
  return field.data() + (at == field.npos ? field.size() : at);
}

BasicCredentials parse_basic(std::string_view field, uint8_t* room) noexcept {
  using State = BasicCredentials::State;
  const char* const begin = after_scheme(field, "basic");
  if (!begin) return {State::other_scheme};
  const std::string_view letters(begin, static_cast<size_t>(field.data() + field.size() - begin));
  if (letters.empty() || letters.size() > kMostBasicLetters) return {State::malformed};
  const std::optional<size_t> size = codec::decode_base64(letters, room);
  if (!size) return {State::malformed};
  const base::ByteSpan bytes(room, *size);
  const bool has_controls = std::any_of(bytes.begin(), bytes.end(), [](uint8_t c) { return c < 0x20 || c == 0x7F; });
  const std::string_view text = base::as_text(bytes);
  const size_t colon = text.find(':');
  if (has_controls || colon == text.npos || !codec::is_valid_utf8(bytes)) return {State::malformed};
  return {State::good, text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace martlet::guards
