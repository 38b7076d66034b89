// Texts of a request that are percent-encoded, decoded when they are asked for. The worker's thread.
#pragma once

#include <optional>
#include <string_view>

#include "codec/percent.h"
#include "proto/form.h"
#include "session/exchange.h"

namespace martlet::http {

// Of a path. As it is when there is nothing to decode or memory is out; escapes that are none have been refused with it.
inline std::string_view decoded(session::Exchange& e, std::string_view text) noexcept {
  if (codec::is_plain(text)) return text;
  char* room = e.text_room(text.size());
  const auto size = room ? codec::decode_percent(text, room) : std::nullopt;
  return size ? std::string_view(room, *size) : text;
}

// A name or a value of a query or a form. Nothing when memory is out.
inline std::optional<std::string_view> decoded_form(session::Exchange& e, std::string_view text) noexcept {
  if (codec::is_plain(text, codec::Plus::is_space)) return text;
  char* room = e.text_room(text.size());
  if (!room) return std::nullopt;
  return std::string_view(room, proto::decode_form_text(text, room));
}

}  // namespace martlet::http
