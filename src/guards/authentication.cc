// See authentication.h. In order: what a policy says, how somebody is let in or refused, the questions that are answered later, and
// the guard itself.
#include "guards/authentication.h"

#include <martlet/auth_user.h>
#include <martlet/json.h>
#include <martlet/log.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

#include "guards/auth_record.h"
#include "guards/close_with_error.h"
#include "guards/mistake.h"

namespace martlet {

namespace guards {

namespace {

constexpr size_t kMostRealm = 128;
constexpr size_t kMostChallenge = 512;

}  // namespace

std::string challenge(std::string_view scheme, std::string_view realm, std::string_view more) {
  std::string text(scheme);
  return text.append(" realm=\"").append(realm).append("\"").append(more);
}

void refuse_call(AuthCall& call, Refusal refusal, std::string_view why) noexcept {
  call.outcome = AuthCall::Outcome::refused;
  call.refusal = static_cast<uint8_t>(refusal);
  call.why = why;
}

void note_thrown(AuthCall& call) noexcept {
  log_limited(LogLevel::error, "who asks for a user has thrown", detail::last_failure());
  if (call.outcome != AuthCall::Outcome::later) call.outcome = AuthCall::Outcome::failed;
}

namespace {

// Letting in and refusing -------------------------------------------------------------------------------------------------

void set_challenge(const Response& res, const RefusalTerms& terms, std::string_view why) noexcept {
  if (terms.challenge.empty()) return;
  if (why.empty()) return void(res.set("WWW-Authenticate", terms.challenge));
  char text[kMostChallenge];
  size_t size = 0;
  for (const std::string_view piece : {std::string_view(terms.challenge), std::string_view(", error_description=\""), why, std::string_view("\"")}) {
    if (size + piece.size() > sizeof text) return void(res.set("WWW-Authenticate", terms.challenge));
    std::memcpy(text + size, piece.data(), piece.size());
    size += piece.size();
  }
  res.set("WWW-Authenticate", {text, size});
}

void refuse(const Response& res, const AuthPolicy& policy, Refusal refusal, std::string_view why = {}) noexcept {
  const RefusalTerms& terms = policy.terms_of(refusal);
  set_challenge(res, terms, why);
  res.fail(terms.status, terms.reason);
}

void refuse(const WebSocket& ws, const AuthPolicy& policy, Refusal refusal, std::string_view = {}) noexcept {
  const RefusalTerms& terms = policy.terms_of(refusal);
  close_with_error(ws, refusal == Refusal::failed ? CloseCode::internal_error : CloseCode::policy_violation, terms.reason, policy.error_first);
}

Json shown(const AuthUser& user) noexcept {
  Json roles = Json::array();
  for (const std::string& role : user.roles) roles.push_back(role);
  return {{"id", user.id}, {"username", user.username}, {"roles", std::move(roles)}};
}

void show_in_metadata(const WebSocket& ws, const AuthUser& user) noexcept {
  Json& metadata = ws.metadata();
  metadata["authenticated"] = true;
  metadata["user"] = shown(user);
}

// Questions that are answered later ---------------------------------------------------------------------------------------

// What a FoundUser stands for. The connection is named, not owned: whoever answers may do so when it has gone.
struct Asked final : detail::Counted {
  Asked(const AuthCall& call, detail::CountedPointer&& policy_of_guard, detail::CountedPointer&& of_record) noexcept
      : Counted(&ended), policy(std::move(policy_of_guard)), record(std::move(of_record)), next(*call.next), worker(std::this_thread::get_id()) {
    if (call.ws) ws = *call.ws;
    else res.emplace(*call.res);
  }

  const AuthPolicy& terms() const noexcept { return *static_cast<const AuthPolicy*>(policy.get()); }
  bool take() noexcept { return !answered.exchange(true, std::memory_order_acq_rel); }

  void refuse(Refusal refusal) noexcept { res ? guards::refuse(*res, terms(), refusal) : guards::refuse(ws, terms(), refusal); }
  void let_in() {
    record_in(record)->is_found.store(true, std::memory_order_release);
    if (res || !terms().metadata) return next();
    if (worker == std::this_thread::get_id()) return finish(ws, *record_in(record), next);
    ws.post([kept = record, next = next](WebSocket socket) { finish(socket, *record_in(kept), next); });
  }

  // No FoundUser is left.
  static void ended(Counted* self) noexcept {
    auto* asked = static_cast<Asked*>(self);
    if (asked->take()) asked->refuse(Refusal::failed);
    delete asked;
  }
  static void finish(const WebSocket& socket, const AuthRecord& who, const Next& next) noexcept {
    show_in_metadata(socket, who.user);
    next();
  }

  detail::CountedPointer policy;
  detail::CountedPointer record;
  std::optional<Response> res = {};  // of a request; else it is a WebSocket
  WebSocket ws = {};
  Next next;
  std::thread::id worker;
  std::atomic<bool> answered{false};
};

// For the first one who answers.
Asked* asked_once(detail::Counted* counted) noexcept {
  auto* asked = static_cast<Asked*>(counted);
  return asked && asked->take() ? asked : nullptr;
}

// The user of the call is the request's and the WebSocket's; nobody knows yet whether it is who it says.
detail::CountedPointer attach(AuthCall& call) {
  const detail::CountedPointer record(new AuthRecord(std::move(call.user)));
  record_in(record)->by_token = call.policy.by_token;
  call.req->data<AttachedUser>().record = record;
  if (call.ws) call.ws->data<AttachedUser>().record = record;
  return record;
}

void let_in(AuthCall& call) {
  const detail::CountedPointer record = attach(call);
  record_in(record)->is_found.store(true, std::memory_order_release);
  if (call.ws && call.policy.metadata) show_in_metadata(*call.ws, record_in(record)->user);
  (*call.next)();
}

void refuse(const AuthCall& call, Refusal refusal) noexcept {
  if (refusal == Refusal::missing && call.policy.optional) return (*call.next)();
  call.ws ? refuse(*call.ws, call.policy, refusal, call.why) : refuse(*call.res, call.policy, refusal, call.why);
}

void ask(AuthCall& call) {
  if (!call.policy.mistake) call.policy.ask(call.policy, call);  // else nobody can say
  switch (call.outcome) {
    case AuthCall::Outcome::found: return let_in(call);
    case AuthCall::Outcome::none: return refuse(call, Refusal::not_found);
    case AuthCall::Outcome::refused: return refuse(call, static_cast<Refusal>(call.refusal));
    case AuthCall::Outcome::failed: return refuse(call, Refusal::failed);
    case AuthCall::Outcome::later: return;
  }
}

}  // namespace

}  // namespace guards

namespace detail {

// It stands between quotes (RFC 9110 §5.6.4).
const char* AuthPolicy::wrong_realm(std::string_view realm) noexcept {
  for (const char c : realm) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '"' || c == '\\') return "realm has quotes, backslashes or control characters";
  }
  return realm.size() > guards::kMostRealm ? "realm has more than 128 bytes" : nullptr;
}

void AuthPolicy::note_mistake(const char* wrong) noexcept {
  if (!mistake) mistake = guards::mistake_in(guard, wrong);
}

void AuthCall::answer(std::optional<AuthUser>&& found) noexcept {
  outcome = found ? Outcome::found : Outcome::none;
  if (!found) return;
  if (claims && found->claims.is_null()) found->claims = std::move(*claims);
  user = *std::move(found);
}

FoundUser AuthCall::later() {
  outcome = Outcome::later;
  if (claims) user.claims = *claims;  // the function that is being called looks at them, and may be answered for meanwhile
  CountedPointer record = guards::attach(*this);
  // The policy is counted: one more owner.
  auto* counted = const_cast<AuthPolicy*>(&policy);
  counted->references.fetch_add(1, std::memory_order_relaxed);
  return AuthAccess::found(new guards::Asked(*this, CountedPointer(counted), std::move(record)));
}

void forget(const FoundUser& found) noexcept { (void)guards::asked_once(AuthAccess::asked(found)); }

}  // namespace detail

void FoundUser::user(AuthUser who) const {
  guards::Asked* const asked = guards::asked_once(asked_.get());
  if (!asked) return;
  AuthUser& named = guards::record_in(asked->record)->user;
  if (who.claims.is_null()) who.claims = std::move(named.claims);
  named = std::move(who);
  asked->let_in();
}

void FoundUser::user() const {
  if (guards::Asked* const asked = guards::asked_once(asked_.get())) asked->let_in();
}

void FoundUser::none() const noexcept {
  if (guards::Asked* const asked = guards::asked_once(asked_.get())) asked->refuse(guards::Refusal::not_found);
}

void FoundUser::error() const noexcept {
  if (guards::Asked* const asked = guards::asked_once(asked_.get())) asked->refuse(guards::Refusal::failed);
}

Error AuthGuard::mistake() const noexcept { return static_cast<const detail::AuthPolicy*>(policy_.get())->mistake; }

void AuthGuard::operator()(Request& req, Response& res, Next next) const {
  detail::AuthCall call{*static_cast<const detail::AuthPolicy*>(policy_.get()), &req, &res, nullptr, &next, {}};
  guards::ask(call);
}

void AuthGuard::operator()(WebSocket ws, Request& req, Next next) const {
  detail::AuthCall call{*static_cast<const detail::AuthPolicy*>(policy_.get()), &req, nullptr, &ws, &next, {}};
  guards::ask(call);
}

}  // namespace martlet
