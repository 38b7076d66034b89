// The tokens of a double submit: RANDOM.SIGNATURE, 22 and 43 letters of base64url, where SIGNATURE is the HMAC-SHA-256 of whom
// it belongs to and of RANDOM, with the length of the first before both, so that no two pairs are signed alike.
//
// Any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "codec/hmac.h"

namespace martlet::guards {

std::string make_csrf_token(const codec::HmacKey& key, std::string_view bound_to);
// Whether one of the keys has signed it, for this one. Compared in constant time.
bool is_csrf_token(std::string_view token, std::string_view bound_to, std::span<const codec::HmacKey> keys) noexcept;

}  // namespace martlet::guards
