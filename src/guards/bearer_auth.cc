// bearer_auth(): tokens that the program knows (RFC 6750).
#include <martlet/auth.h>

#include "guards/token_policy.h"

namespace martlet {

namespace guards {

namespace {

struct BearerPolicy final : TokenPolicy {
  BearerPolicy(UserFinder<std::string_view>&& finder, const BearerAuthOptions& options)
      : TokenPolicy([](detail::Counted* self) noexcept { delete static_cast<BearerPolicy*>(self); }, &ask, "bearer_auth",
                   options, options.invalid_reason),
        verify(std::move(finder)) {
    if (!verify) note_mistake("there is no function that knows tokens");
    terms[static_cast<size_t>(Refusal::not_found)] = terms_of(Refusal::invalid);
  }

  static void ask(const AuthPolicy& policy, AuthCall& call) {
    const auto& self = static_cast<const BearerPolicy&>(policy);
    if (const auto token = self.token_of(call)) ask_finder(self.verify, call, *token);
  }

  UserFinder<std::string_view> verify;
};

}  // namespace

}  // namespace guards

AuthGuard bearer_auth(UserFinder<std::string_view> verify, BearerAuthOptions options) {
  return AuthAccess::guard(new guards::BearerPolicy(std::move(verify), options));
}

}  // namespace martlet
