// basic_auth(): names and passwords (RFC 7617).
#include <martlet/auth.h>

#include <optional>

#include "guards/authentication.h"
#include "guards/basic_credentials.h"

namespace martlet {

namespace guards {

namespace {

struct BasicPolicy final : AuthPolicy {
  BasicPolicy(UserFinder<std::string_view, std::string_view>&& finder, const BasicAuthOptions& options)
      : AuthPolicy([](detail::Counted* self) noexcept { delete static_cast<BasicPolicy*>(self); }, &ask, "basic_auth", options),
        check(std::move(finder)) {
    const std::string says = challenge("Basic", options.realm, R"(, charset="UTF-8")");
    if (!check) note_mistake("there is no function that checks passwords");
    terms[0] = {401, options.reason, says};
    for (size_t i = 1; i < kRefusals - 1; i++) terms[i] = {401, options.invalid_reason, says};
    terms[kRefusals - 1] = {500, options.failed_reason};
  }

  static void ask(const AuthPolicy& policy, AuthCall& call) {
    const auto lines = call.req->header_all("authorization");
    if (lines.size() > 1) return refuse_call(call, Refusal::malformed);
    uint8_t room[kBasicRoom];
    const BasicCredentials sent = parse_basic(lines.empty() ? std::string_view() : lines[0], room);
    if (sent.state == BasicCredentials::State::other_scheme) return refuse_call(call, Refusal::missing);
    if (sent.state == BasicCredentials::State::malformed) return refuse_call(call, Refusal::malformed);
    call.user.id = call.user.username = sent.name;
    ask_finder(static_cast<const BasicPolicy&>(policy).check, call, sent.name, sent.password);
  }

  UserFinder<std::string_view, std::string_view> check;
};

}  // namespace

}  // namespace guards

AuthGuard basic_auth(UserFinder<std::string_view, std::string_view> check, BasicAuthOptions options) {
  return AuthAccess::guard(new guards::BasicPolicy(std::move(check), options));
}

}  // namespace martlet
