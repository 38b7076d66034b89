// Texts of a request that are percent-encoded, decoded when they are asked for. The worker's thread.
#pragma once

#include <string_view>

#include "codec/percent.h"
#include "session/exchange.h"

namespace martlet::http {

// The text decoded, or as it is when there is nothing to decode, its encoding is broken, or memory is out.
inline std::string_view decoded(session::Exchange& e, std::string_view text, codec::Plus plus) noexcept {
  if (codec::is_plain(text, plus)) return text;
  char* room = e.text_room(text.size());
  if (!room) return text;
  const auto size = codec::decode_percent(text, room, plus);
  return size ? std::string_view(room, *size) : text;
}

}  // namespace martlet::http
