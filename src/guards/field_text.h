// Grammars of what the guards reflect from requests, or take from options, into fields of answers. No state; any thread.
#pragma once

#include <string_view>

namespace martlet::guards {

// A token (RFC 9110 §5.6.2): the name of a field or a method. Not empty.
inline bool is_token(std::string_view text) noexcept {
  for (const char c : text) {
    const bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (!is_alnum && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

// "null", or scheme "://" host [":" port] (RFC 6454 §6.1) of visible ASCII without path, query, user or list; at most 512 bytes.
inline bool is_serialized_origin(std::string_view origin) noexcept {
  if (origin == "null") return true;
  const size_t at = origin.find("://");
  if (at == origin.npos || at == 0 || origin.size() > 512 || at + 3 == origin.size()) return false;
  for (const char c : origin.substr(0, at)) {
    const bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (!is_alnum && c != '+' && c != '-' && c != '.') return false;
  }
  for (const char c : origin.substr(at + 3)) {
    if (c <= ' ' || c > '~' || std::string_view("/\\?#@,;\"<>").find(c) != std::string_view::npos) return false;
  }
  return true;
}

}  // namespace martlet::guards
