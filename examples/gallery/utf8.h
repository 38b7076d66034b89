// utf8.h: what a percent-encoded part of an address holds may be any bytes. In a message to others it has to be text: their ends
// close a connection on which something else comes (RFC 6455 §8.1).
#pragma once

#include <martlet/martlet.h>

#include <string>
#include <string_view>

namespace gallery {

// JSON is UTF-8, so the text is when it survives being written and read.
inline bool is_utf8(std::string_view text) { return martlet::Json::parse(martlet::Json(text).dump()).ok(); }
inline std::string utf8_or(std::string_view text, std::string_view otherwise) { return std::string(is_utf8(text) ? text : otherwise); }

}  // namespace gallery
