// The text of a session's cookie, which Response::signed_cookie signs:
//
//   1.EXPIRES.BORN.ID.DATA       seconds since 1970, in decimal; 22 letters of base64url; base64url of the JSON
//
// None of its letters is percent-encoded in a cookie. Judged strictly although it is signed: keys may have other uses, and older
// versions other texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::guards {

inline constexpr size_t kSessionIdLetters = 22;
// What a cookie could hold at most: 4,096 bytes in base64url.
inline constexpr size_t kMostSessionLetters = 4096;

struct SessionValue {
  int64_t expires;
  int64_t born;
  std::string_view id;
  std::string_view data;  // still base64url
};

std::optional<SessionValue> parse_session_value(std::string_view text) noexcept;
// `json` is not encoded yet; `data` of the value is not looked at.
std::string encode_session_value(const SessionValue& value, std::string_view json);

}  // namespace martlet::guards
