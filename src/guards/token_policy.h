// What bearer_auth() and jwt_auth() have in common: the token is looked for, and what is none is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "guards/authentication.h"
#include "guards/token_source.h"

namespace martlet::guards {

struct TokenPolicy : AuthPolicy {
  template <typename Options>
  TokenPolicy(void (*end)(Counted*) noexcept, Ask a, const char* name, const Options& options, const std::string& not_found_reason)
      : AuthPolicy(end, a, name, options), places{options.from, options.cookie, options.query} {
    set_token_terms(*this, options, not_found_reason);
  }

  // The token; nothing when the call was refused.
  std::optional<std::string_view> token_of(AuthCall& call) const noexcept {
    const SentToken sent = find_token(*call.req, places);
    switch (sent.state) {
      case SentToken::State::missing: refuse_call(call, Refusal::missing); return std::nullopt;
      case SentToken::State::malformed: refuse_call(call, Refusal::malformed); return std::nullopt;
      case SentToken::State::bad: refuse_call(call, Refusal::invalid, "malformed"); return std::nullopt;
      case SentToken::State::good: break;
    }
    // RFC 6750 §2.3: the address is a secret then, and what it answers is for one.
    if (sent.in_query && call.res && !call.res->get("cache-control")) call.res->set("Cache-Control", "private");
    return sent.text;
  }

  TokenPlaces places;
};

}  // namespace martlet::guards
