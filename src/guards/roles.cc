// See martlet/roles.h.
#include <martlet/roles.h>

#include <algorithm>
#include <vector>

#include "guards/auth_record.h"
#include "guards/close_with_error.h"

namespace martlet {

namespace guards {

namespace {

enum class Wanted : uint8_t { anybody, one_role, all_permissions };

struct RoleTerms final : detail::Counted {
  RoleTerms(Wanted kind, std::vector<std::string>&& list, RoleOptions&& said)
      : Counted([](Counted* self) noexcept { delete static_cast<RoleTerms*>(self); }), wanted(kind), names(std::move(list)), options(std::move(said)) {
    if (wanted == Wanted::one_role && names.empty()) mistake = "require_role: there are no roles";
    if (wanted == Wanted::all_permissions && names.empty()) mistake = "require_permission: there are no permissions";
    if (options.denied_reason.empty()) options.denied_reason = denied_text();
    scope = options.challenge + ", error=\"insufficient_scope\"" + scope_text();
  }

  std::string listed(std::string_view between) const {
    std::string text;
    for (const std::string& name : names) text.append(text.empty() ? "" : between).append(name);
    return text;
  }
  std::string denied_text() const {
    return std::string("🚫 Access denied. Required ") + (wanted == Wanted::one_role ? "roles: " : "permissions: ") + listed(", ");
  }
  // RFC 6749 §3.3: what has other letters is no scope, and is not told.
  std::string scope_text() const {
    const auto is_scope = [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '\\'; };
    const bool fits = std::all_of(names.begin(), names.end(), [&](const std::string& name) { return !name.empty() && std::all_of(name.begin(), name.end(), is_scope); });
    return wanted == Wanted::all_permissions && fits ? ", scope=\"" + listed(" ") + "\"" : std::string();
  }
  bool let_in(const AuthUser& user) const noexcept {
    const auto has_it = [&](const std::string& name) { return wanted == Wanted::one_role ? has_role(user, name) : can(user, name); };
    return wanted == Wanted::one_role ? std::any_of(names.begin(), names.end(), has_it) : std::all_of(names.begin(), names.end(), has_it);
  }

  Wanted wanted;
  std::vector<std::string> names;
  RoleOptions options;
  std::string scope;  // the challenge for who has a token, but not for this
  Error mistake = {};
};

template <typename List>
detail::CountedPointer terms_of(Wanted wanted, const List& names, RoleOptions&& options) {
  return detail::CountedPointer(new RoleTerms(wanted, {names.begin(), names.end()}, std::move(options)));
}

const RoleTerms& terms_in(const detail::CountedPointer& terms) noexcept { return *static_cast<const RoleTerms*>(terms.get()); }

}  // namespace

}  // namespace guards

struct RoleAccess {
  static RoleGuard guard(detail::CountedPointer&& terms) noexcept { return RoleGuard(std::move(terms)); }
};

void RoleGuard::operator()(Request& req, Response& res, Next next) const {
  const guards::RoleTerms& terms = guards::terms_in(terms_);
  if (terms.mistake) return next(HttpError{500});
  const guards::AuthRecord* who = guards::found_record(req);
  if (who && terms.let_in(who->user)) return next();
  if (who && who->by_token) res.set("WWW-Authenticate", terms.scope);
  if (!who && !res.get("www-authenticate")) res.set("WWW-Authenticate", terms.options.challenge);
  res.fail(who ? 403 : 401, who ? terms.options.denied_reason : terms.options.reason);
}

void RoleGuard::operator()(WebSocket ws, Request& req, Next next) const {
  const guards::RoleTerms& terms = guards::terms_in(terms_);
  if (terms.mistake) return ws.close(CloseCode::internal_error);
  if (!auth_user(ws)) keep_auth_user(ws, req);
  const AuthUser* user = auth_user(ws);
  if (user && terms.let_in(*user)) return next();
  guards::close_with_error(ws, CloseCode::policy_violation, user ? terms.options.denied_reason : terms.options.reason, terms.options.error_first);
}

Error RoleGuard::mistake() const noexcept { return guards::terms_in(terms_).mistake; }

RoleGuard require_role(std::initializer_list<std::string_view> roles, RoleOptions options) {
  return RoleAccess::guard(guards::terms_of(guards::Wanted::one_role, roles, std::move(options)));
}

RoleGuard require_role(std::span<const std::string> roles, RoleOptions options) {
  return RoleAccess::guard(guards::terms_of(guards::Wanted::one_role, roles, std::move(options)));
}

RoleGuard require_permission(std::initializer_list<std::string_view> permissions, RoleOptions options) {
  return RoleAccess::guard(guards::terms_of(guards::Wanted::all_permissions, permissions, std::move(options)));
}

RoleGuard require_permission(std::span<const std::string> permissions, RoleOptions options) {
  return RoleAccess::guard(guards::terms_of(guards::Wanted::all_permissions, permissions, std::move(options)));
}

RoleGuard require_user(RoleOptions options) {
  return RoleAccess::guard(guards::terms_of(guards::Wanted::anybody, std::initializer_list<std::string_view>(), std::move(options)));
}

}  // namespace martlet
