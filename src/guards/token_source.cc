// See token_source.h.
#include "guards/token_source.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "guards/basic_credentials.h"

namespace martlet::guards {

namespace {

using State = SentToken::State;

constexpr std::string_view kBearer = "bearer";
constexpr std::string_view kBearerDot = "bearer.";

bool is_token_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~+/").find(c) != std::string_view::npos;
}

SentToken of_field(const Request& req) noexcept {
  const auto lines = req.header_all("authorization");
  if (lines.empty()) return {};
  const char* const begin = after_scheme(lines[0], kBearer);
  if (!begin) return {lines.size() > 1 ? State::malformed : State::missing};
  const std::string_view text(begin, static_cast<size_t>(lines[0].data() + lines[0].size() - begin));
  return {lines.size() == 1 && is_token_text(text) ? State::good : State::malformed, text};
}

SentToken of_value(const std::optional<std::string_view>& value) noexcept {
  if (!value || value->empty()) return {};
  return {is_token_text(*value) ? State::good : State::bad, *value};
}

SentToken of_query(const Request& req, const std::string& name) noexcept {
  SentToken sent = of_value(req.query(name));
  if (sent.state != State::missing && req.query_all(name).size() > 1) sent.state = State::malformed;
  sent.in_query = sent.state != State::missing;
  return sent;
}

// The one that is there; malformed, when both are.
SentToken either(const SentToken& a, const SentToken& b) noexcept {
  if (a.state == State::missing) return b;
  if (b.state == State::missing) return a;
  return {State::malformed};
}

}  // namespace

bool is_token_text(std::string_view text) noexcept {
  if (text.size() > kMostTokenLetters) return false;
  const size_t letters = text.substr(0, text.find('=')).size();
  if (letters == 0 || text.find_first_not_of('=', letters) != text.npos) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(letters), is_token_letter);
}

SentToken token_of_protocols(std::string_view offered) noexcept {
  SentToken found;
  bool is_next = false;
  while (!offered.empty()) {
    const size_t comma = offered.find(',');
    const std::string_view name = base::trimmed(offered.substr(0, comma));
    offered = comma == offered.npos ? std::string_view() : offered.substr(comma + 1);
    const bool has_dot = !is_next && name.size() > kBearerDot.size() && name.starts_with(kBearerDot);
    if (is_next || has_dot) found = either(found, of_value(has_dot ? name.substr(kBearerDot.size()) : name));
    is_next = !is_next && name == kBearer;
  }
  return found;
}

SentToken find_token(const Request& req, const TokenPlaces& places) noexcept {
  SentToken found;
  if (has(places.from, TokenFrom::header)) found = of_field(req);
  if (has(places.from, TokenFrom::query)) found = either(found, of_query(req, places.query));
  if (has(places.from, TokenFrom::subprotocol)) {
    found = either(found, token_of_protocols(req.header("sec-websocket-protocol").value_or(std::string_view())));
  }
  if (has(places.from, TokenFrom::cookie) && found.state == State::missing) found = of_value(req.cookie(places.cookie));
  return found;
}

}  // namespace martlet::guards
