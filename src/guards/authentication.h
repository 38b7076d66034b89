// What all guards that ask who somebody is have in common: what they say to whom they refuse, and how a question is asked and
// answered, for requests and for WebSockets alike. What differs (where the credentials are, what they look like) is in
// basic_auth.cc, bearer_auth.cc, jwt_auth.cc.
//
// Everything runs on the worker's thread but FoundUser's answers, which may come from any.
#pragma once

#include <martlet/auth.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/user_finder.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

namespace guards {

// Why somebody is refused.
enum class Refusal : uint8_t {
  missing,    // no credentials
  malformed,  // what is sent is none (RFC 6750: invalid_request)
  invalid,    // they are wrong
  not_found,  // they are right, but of nobody
  failed,     // nobody can say
};
inline constexpr size_t kRefusals = 5;

struct RefusalTerms {
  int status;
  std::string reason;
  std::string challenge = {};  // WWW-Authenticate; empty: none
};

}  // namespace guards

namespace detail {

// Made once, at set-up, and shared by all who are asked by this guard. The guards have more to it.
struct AuthPolicy : Counted {
  // Looks for the credentials and answers, or refuses by the call's `refusal`.
  using Ask = void (*)(const AuthPolicy& policy, AuthCall& call);

  template <typename Options>
  AuthPolicy(void (*end)(Counted*) noexcept, Ask a, const char* name, const Options& options)
      : Counted(end), ask(a), guard(name), error_first(options.error_first), metadata(options.metadata), optional(options.optional) {
    note_mistake(wrong_realm(options.realm));
  }

  static const char* wrong_realm(std::string_view realm) noexcept;
  // What is wrong with the options; null: nothing. The first one is told.
  void note_mistake(const char* wrong) noexcept;
  const guards::RefusalTerms& terms_of(guards::Refusal refusal) const noexcept { return terms[static_cast<size_t>(refusal)]; }

  Ask ask;
  const char* guard;  // its name
  bool error_first;
  bool metadata;
  bool optional;
  bool by_token = false;
  guards::RefusalTerms terms[guards::kRefusals] = {};
  Error mistake = {};
};

}  // namespace detail

struct AuthAccess {
  static AuthGuard guard(detail::AuthPolicy* policy) noexcept { return AuthGuard(detail::CountedPointer(policy)); }
  static FoundUser found(detail::Counted* asked) noexcept { return FoundUser(detail::CountedPointer(asked)); }
  static detail::Counted* asked(const FoundUser& found) noexcept { return found.asked_.get(); }
};

namespace guards {

using detail::AuthCall;
using detail::AuthPolicy;

// `Bearer realm="x"`, with what comes behind it.
std::string challenge(std::string_view scheme, std::string_view realm, std::string_view more = {});

// The words of RFC 6750 §3 for the options of a guard that asks for tokens.
template <typename Options>
void set_token_terms(AuthPolicy& policy, const Options& options, const std::string& not_found_reason) {
  const auto says = [&options](std::string_view more) { return challenge("Bearer", options.realm, more); };
  policy.by_token = true;
  policy.terms[0] = {401, options.reason, says({})};
  policy.terms[1] = {400, options.invalid_reason, says(R"(, error="invalid_request", error_description="one well-formed token is wanted")")};
  policy.terms[2] = {401, options.invalid_reason, says(R"(, error="invalid_token")")};
  policy.terms[3] = {401, not_found_reason, says(R"(, error="invalid_token", error_description="no such user")")};
  policy.terms[4] = {500, options.failed_reason};
}

void refuse_call(AuthCall& call, Refusal refusal, std::string_view why = {}) noexcept;
// The program's function has thrown.
void note_thrown(AuthCall& call) noexcept;

// Asks the program's function.
template <typename... Args>
void ask_finder(const UserFinder<Args...>& finder, AuthCall& call, std::type_identity_t<Args>... args) {
  if (!finder(static_cast<Args>(args)..., call)) note_thrown(call);
}

}  // namespace guards

}  // namespace martlet
