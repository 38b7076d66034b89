// What the library's lines about a request and those about a WebSocket have in common: how much of what a client has sent is shown.
#pragma once

#include <cstddef>
#include <string_view>

#include "codec/log_text.h"

namespace martlet::worker {

// Of a line of LogText::kMost; the sentence comes last, and has the rest.
inline constexpr size_t kPatternBytes = 160;
inline constexpr size_t kParamsBytes = 240;
inline constexpr size_t kValueBytes = 80;

// Whether one more parameter has its place, of those that begin there; else "..." stands for the others.
inline bool has_room_for_param(codec::LogText& line, size_t begin) noexcept {
  if (line.text().size() - begin <= kParamsBytes - kValueBytes) return true;
  line.add(" ...");
  return false;
}

inline void add_user(codec::LogText& line, std::string_view user) noexcept {
  if (!user.empty()) line.add_field("user", user, kValueBytes);
}

}  // namespace martlet::worker
