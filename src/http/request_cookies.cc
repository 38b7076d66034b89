// The cookies of a request. Signed ones are in request_signed.cc, as they bring SHA-256 with them.
#include <martlet/request.h>

#include "proto/cookie.h"
#include "session/exchange.h"

namespace martlet {

namespace {

// As it came when memory is out, as it is when its encoding is none.
std::string_view decoded(session::Exchange& e, std::string_view value) noexcept {
  if (value.find('%') == value.npos) return value;
  char* room = e.text_room(value.size());
  return room ? proto::decode_cookie_value(value, room) : value;
}

}  // namespace

std::optional<std::string_view> Request::cookie(std::string_view name) const noexcept {
  const auto value = proto::find_cookie(exchange_->head, exchange_->base, name);
  if (!value) return std::nullopt;
  return decoded(*exchange_, *value);
}

std::span<const NamedText> Request::cookies() const noexcept {
  session::Exchange& e = *exchange_;
  std::string_view name, value;
  size_t count = 0;
  for (proto::HeadCookies all(e.head, e.base); all.next(name, value);) count++;
  auto* const texts = count ? e.room_for<NamedText>(count) : nullptr;
  if (!texts) return {};
  size_t filled = 0;
  for (proto::HeadCookies all(e.head, e.base); all.next(name, value) && filled < count;) {
    new (&texts[filled++]) NamedText{name, decoded(e, value)};
  }
  return {texts, filled};
}

}  // namespace martlet
