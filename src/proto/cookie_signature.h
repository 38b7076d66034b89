// Signed cookies: NAME=VALUE.SIGNATURE, where SIGNATURE is the HMAC-SHA-256 of "NAME=VALUE" as base64url without padding, 43
// characters. What is signed are the bytes of the field, the value encoded: a signature is judged before anything is
// decoded, and a signed cookie has one spelling only. The '=' can be in no name, so that no two cookies are signed alike.
//
// Apart from cookie.h, as programs without signed cookies are linked without SHA-256. No allocation; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "proto/cookie.h"

namespace martlet::proto {

// encode_set_cookie(), signed with the first key.
SetCookie encode_signed_cookie(std::string_view name, std::string_view value, const CookieKeys& keys,
                               const CookieOptions& options, SetCookieRoom room) noexcept;

struct SignedValue {
  std::string_view value;  // without the signature, still encoded
  size_t key;              // whose it is; 0 is the one that signs now
};

// What find_cookie() has found, if one of the keys has signed it. Keys are tried in their order, each compared with in
// constant time.
std::optional<SignedValue> verify_signed_cookie(std::string_view name, std::string_view value,
                                                const CookieKeys& keys) noexcept;

}  // namespace martlet::proto
