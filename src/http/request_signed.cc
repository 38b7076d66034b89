// Signed cookies of a request.
#include <martlet/request.h>

#include "proto/cookie_signature.h"
#include "session/exchange.h"

namespace martlet {

std::optional<std::string_view> Request::signed_cookie(std::string_view name, const CookieKeys& keys) const noexcept {
  session::Exchange& e = *exchange_;
  const auto sent = proto::find_cookie(e.head, e.base, name);
  const auto verified = sent ? proto::verify_signed_cookie(name, *sent, keys) : std::nullopt;
  if (!verified) return std::nullopt;
  const std::string_view value = verified->value;
  char* room = value.find('%') == value.npos ? nullptr : e.text_room(value.size());
  return room ? proto::decode_cookie_value(value, room) : value;
}

}  // namespace martlet
