// jwt_auth(): tokens that say by themselves whose they are (RFC 7519), and who that is by their claims.
#include <martlet/jwt_auth.h>

#include <initializer_list>

#include "guards/token_policy.h"

namespace martlet {

namespace guards {

namespace {

// A claim that names somebody: a text, or an integer as text. Empty when it is neither.
std::string name_in(const Json& claim) {
  if (!claim.is_integer()) return std::string(claim.text_or(""));
  return claim.dump();
}

std::string first_of(const Json& claims, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::string text = name_in(claims[name]); !text.empty()) return text;
  }
  return {};
}

// A list of texts, or texts with blanks between.
void add_texts(const Json& from, std::vector<std::string>& to) {
  for (const Json& item : from.items()) {
    if (item.is_string()) to.emplace_back(item.text_or(""));
  }
  std::string_view rest = from.text_or("");
  while (!rest.empty()) {
    const size_t end = rest.find(' ');
    if (end != 0) to.emplace_back(rest.substr(0, end));
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
}

AuthUser user_of(const Json& claims) {
  AuthUser user;
  user.id = first_of(claims, {"sub", "userId", "id"});
  user.username = first_of(claims, {"username", "preferred_username", "name", "email"});
  if (claims["roles"].is_array()) add_texts(claims["roles"], user.roles);
  if (claims["role"].is_string()) user.roles.emplace_back(claims["role"].text_or(""));
  if (claims["permissions"].is_array()) add_texts(claims["permissions"], user.permissions);
  if (claims["scope"].is_string()) add_texts(claims["scope"], user.permissions);
  return user;
}

// What is wrong is noted.
jwt::Keys keys_of(const JwtAuthOptions& options, AuthPolicy& policy) {
  if (options.secret.empty() && options.keys.size() == 0) policy.note_mistake("there are neither a secret nor keys");
  if (options.secret.empty()) return options.keys;
  if (options.keys.size() > 0) policy.note_mistake("there are both a secret and keys");
  const Result<jwt::Key> key = jwt::Key::secret(options.secret, {.short_secret = options.short_secret});
  if (key) return *key;
  policy.note_mistake(key.error().what().data());
  return {};
}

struct JwtPolicy final : TokenPolicy {
  explicit JwtPolicy(const JwtAuthOptions& options)
      : TokenPolicy([](detail::Counted* self) noexcept { delete static_cast<JwtPolicy*>(self); }, &ask, "jwt_auth", options, options.not_found_reason),
        verifier(keys_of(options, *this), options.verify), lookup(options.lookup) {}

  static void ask(const AuthPolicy& policy, AuthCall& call) {
    const auto& self = static_cast<const JwtPolicy&>(policy);
    const auto token = self.token_of(call);
    if (!token) return;
    jwt::Verified claims = self.verifier.verify(*token);
    if (!claims) return refuse_call(call, claims.error() == jwt::Error::no_memory ? Refusal::failed : Refusal::invalid, jwt::name_of(claims.error()));
    call.user = user_of(*claims);
    call.claims = &*claims;
    if (self.lookup) return ask_finder<const Json&>(self.lookup, call, *claims), forget_claims(call);
    call.user.claims = *std::move(claims);
    call.answer(true);
  }

  // With a function that answers true they are the user's as well.
  static void forget_claims(AuthCall& call) noexcept {
    if (call.outcome == AuthCall::Outcome::found && call.user.claims.is_null()) call.user.claims = std::move(*call.claims);
    call.claims = nullptr;
  }

  jwt::Verifier verifier;
  UserFinder<const Json&> lookup;
};

}  // namespace

}  // namespace guards

AuthGuard jwt_auth(JwtAuthOptions options) { return AuthAccess::guard(new guards::JwtPolicy(options)); }

}  // namespace martlet
