// Cookies of an answer. They are encoded on the thread of the call; signed ones are in response_signed.cc.
#include <martlet/response.h>

#include "http/set_cookie.h"

namespace martlet {

const Response& Response::cookie(std::string_view name, std::string_view value, const CookieOptions& options) const noexcept {
  char room[proto::kSetCookieBytes];
  return http::set_cookie(*this, name, proto::encode_set_cookie(name, value, options, room));
}

const Response& Response::clear_cookie(std::string_view name, const CookieOptions& options) const noexcept {
  char room[proto::kSetCookieBytes];
  return http::set_cookie(*this, name, proto::encode_cleared_cookie(name, options, room));
}

namespace http {

// A refused one is logged with its reason, and counted like any field that is refused: an empty name is none.
const Response& set_cookie(const Response& res, std::string_view name, const proto::SetCookie& cookie) noexcept {
  if (cookie.error == proto::CookieError::none) return res.append("Set-Cookie", cookie.text);
  sys::log_limited(LogLevel::warn, proto::describe(cookie.error), name.substr(0, 64));
  return res.append({}, {});
}

}  // namespace http

}  // namespace martlet
