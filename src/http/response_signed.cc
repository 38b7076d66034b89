// Signed cookies of an answer.
#include <martlet/response.h>

#include "http/set_cookie.h"
#include "proto/cookie_signature.h"

namespace martlet {

const Response& Response::signed_cookie(std::string_view name, std::string_view value, const CookieKeys& keys,
                                        const CookieOptions& options) const noexcept {
  char room[proto::kSetCookieBytes];
  return http::set_cookie(*this, name, proto::encode_signed_cookie(name, value, keys, options, room));
}

}  // namespace martlet
