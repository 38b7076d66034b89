// What the client of a request would like to have, and what it has sent.
#include <martlet/request.h>

#include "proto/accept.h"
#include "proto/field_views.h"
#include "session/exchange.h"

namespace martlet {

namespace {

using Offers = std::initializer_list<std::string_view>;

std::optional<std::string_view> chosen(const Offers& offers, std::optional<size_t> index) noexcept {
  if (!index) return std::nullopt;
  return offers.begin()[*index];
}

template <typename Choose>
std::optional<std::string_view> choose(const session::Exchange& e, std::string_view field, const Offers& offers, Choose by) noexcept {
  if (offers.size() == 0) return std::nullopt;
  const auto lines = proto::FieldViews::first(e.head, e.base, field);
  return chosen(offers, by(lines.lines(), {offers.begin(), offers.size()}));
}

}  // namespace

std::optional<std::string_view> Request::accepts(Offers types) const noexcept {
  return choose(*exchange_, "accept", types, proto::accept_media_type);
}

std::optional<std::string_view> Request::accepts_languages(Offers languages) const noexcept {
  return choose(*exchange_, "accept-language", languages, proto::accept_language);
}

std::optional<std::string_view> Request::accepts_encodings(Offers encodings) const noexcept {
  return choose(*exchange_, "accept-encoding", encodings, proto::accept_encoding);
}

std::optional<std::string_view> Request::accepts_charsets(Offers charsets) const noexcept {
  return choose(*exchange_, "accept-charset", charsets, proto::accept_charset);
}

std::optional<std::string_view> Request::is(Offers types) const noexcept {
  const proto::RequestHead& head = exchange_->head;
  if (head.framing == proto::BodyFraming::none) return std::nullopt;
  const std::string_view type = exchange_->field(head.find(proto::FieldName::content_type));
  return chosen(types, proto::is_media_type(type, {types.begin(), types.size()}));
}

bool Request::is(std::string_view type) const noexcept { return is({type}).has_value(); }

}  // namespace martlet
