// See log_text.h.
#include "codec/log_text.h"

#include <algorithm>
#include <charconv>

namespace martlet::codec {

namespace {

constexpr std::string_view kCut = "...";
bool is_continuation(std::string_view text, size_t at) noexcept { return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80; }

}  // namespace

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

bool is_line_separator(std::string_view character) noexcept { return character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9"; }

size_t harmless_character(std::string_view text, size_t at) noexcept {
  const size_t size = character_at(text, at);
  if (size > 1) return is_line_separator(text.substr(at, size)) ? 0 : size;
  const char c = text[at];
  return size == 1 && c >= ' ' && c != 0x7f && c != '"' && c != '\\' ? 1 : 0;
}

void escape_byte(char byte, char* to) noexcept {
  constexpr char kHex[] = "0123456789abcdef";
  const auto b = static_cast<uint8_t>(byte);
  to[0] = '\\';
  to[1] = 'x';
  to[2] = kHex[b >> 4];
  to[3] = kHex[b & 15];
}

LogText& LogText::add(std::string_view words) noexcept {
  size_ += words.copy(text_ + size_, kMost - size_);
  return *this;
}

LogText& LogText::add(uint64_t number) noexcept {
  char figures[20];
  return add({figures, static_cast<size_t>(std::to_chars(figures, figures + sizeof figures, number).ptr - figures)});
}

// No part of a character is left behind, and "..." has its place.
void LogText::put(std::string_view text, size_t most, Quotes quotes) noexcept {
  size_t left = std::min(most, kMost - size_);
  const bool may_be_cut = left >= kCut.size();
  size_t good = size_;  // where "..." may stand
  for (size_t at = 0; at < text.size();) {
    size_t size = harmless_character(text, at);
    if (size == 0 && quotes == Quotes::kept && (text[at] == '"' || text[at] == '\\')) size = 1;
    const size_t takes = size ? size : kEscapedBytes;
    if (takes > left) {
      size_ = good;
      if (may_be_cut) add(kCut);
      return;
    }
    if (size) {
      text.copy(text_ + size_, size, at);
    } else {
      escape_byte(text[at], text_ + size_);
    }
    size_ += takes;
    left -= takes;
    if (left >= kCut.size()) good = size_;
    at += size ? size : 1;
  }
}

LogText& LogText::add_escaped(std::string_view text, size_t most) noexcept {
  put(text, most, Quotes::escaped);
  return *this;
}

LogText& LogText::add_field(std::string_view name, std::string_view text, size_t most) noexcept {
  add(" ").add_escaped(name, most).add("=\"");
  return add_escaped(text, most).add("\"");
}

LogText& LogText::add_sentence(std::string_view text) noexcept {
  put(text, kMost, Quotes::kept);
  return *this;
}

}  // namespace martlet::codec
