// See ws_extensions.h.
#include "proto/ws_extensions.h"

#include "proto/http_chars.h"

namespace martlet::proto {

namespace {

bool is_token_char(char c) noexcept { return has_class(static_cast<uint8_t>(c), char_class::token); }

bool well_formed_parameter(ExtensionScanner& scanner) noexcept {
  std::string_view name;
  size_t size;
  if (!scanner.take_token(name)) return false;
  return !scanner.take('=') || scanner.take_value(nullptr, 0, size);
}

bool well_formed_field(std::string_view field) noexcept {
  ExtensionScanner scanner(field);
  do {
    std::string_view name;
    if (scanner.at_end_of_element()) continue;
    if (!scanner.take_token(name)) return false;
    while (scanner.take(';')) {
      if (!well_formed_parameter(scanner)) return false;
    }
  } while (scanner.take(','));
  return scanner.at_end();
}

}  // namespace

bool ExtensionScanner::at_end_of_element() noexcept {
  skip_blanks();
  return at_end() || text_[at_] == ',';
}

bool ExtensionScanner::take(char c) noexcept {
  skip_blanks();
  if (at_end() || text_[at_] != c) return false;
  at_++;
  return true;
}

bool ExtensionScanner::take_token(std::string_view& token) noexcept {
  skip_blanks();
  const size_t begin = at_;
  while (!at_end() && is_token_char(text_[at_])) at_++;
  token = text_.substr(begin, at_ - begin);
  return !token.empty();
}

bool ExtensionScanner::take_value(char* value, size_t room, size_t& size) noexcept {
  size = 0;
  const auto put = [&](char c) {
    if (size < room) value[size] = c;
    size++;
  };
  if (!take('"')) {
    std::string_view token;
    if (!take_token(token)) return false;
    for (char c : token) put(c);
    return true;
  }
  for (; !at_end(); at_++) {
    char c = text_[at_];
    if (c == '"') return at_++, size > 0;
    if (c == '\\' && ++at_ < text_.size()) c = text_[at_];
    if (at_end() || !is_token_char(c)) return false;
    put(c);
  }
  return false;
}

void ExtensionScanner::skip_blanks() noexcept {
  while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t')) at_++;
}

bool well_formed_extensions(const RequestHead& head, const uint8_t* base) noexcept {
  if (head.count(FieldName::sec_websocket_extensions) == 0) return true;
  for (uint32_t i = 0; i < head.field_count; i++) {
    if (head.fields[i].name != FieldName::sec_websocket_extensions) continue;
    if (!well_formed_field(head.value(base, head.fields[i]))) return false;
  }
  return true;
}

}  // namespace martlet::proto
