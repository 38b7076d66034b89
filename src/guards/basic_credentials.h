// The credentials of the Basic scheme (RFC 7617 §2): "Basic " and base64 of NAME:PASSWORD. Judged strictly, as who sends
// something else than that has no password that anybody set: base64 with its padding and nothing beside it, valid UTF-8, no control
// characters, a ':' between the two. The first ':' ends the name, a password may have more.
//
// No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::guards {

inline constexpr size_t kMostBasicLetters = 1024;
inline constexpr size_t kBasicRoom = kMostBasicLetters / 4 * 3 + 3;

struct BasicCredentials {
  enum class State : uint8_t { other_scheme, malformed, good } state;
  std::string_view name = {}, password = {};  // in the room
};

// Of the value of an Authorization field. `room` has kBasicRoom bytes.
BasicCredentials parse_basic(std::string_view field, uint8_t* room) noexcept;

// What follows the scheme (any case) and the blanks behind it; null of another scheme. `lower` is the scheme in lower case.
const char* after_scheme(std::string_view field, std::string_view lower) noexcept;

}  // namespace martlet::guards
