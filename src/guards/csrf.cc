// See martlet/csrf.h. In order: the terms, where a request comes from, its token, the guard.
#include <martlet/csrf.h>

#include <martlet/auth_user.h>
#include <martlet/form.h>
#include <martlet/session_cookie.h>

#include <algorithm>
#include <optional>

#include "base/constant_time.h"
#include "codec/origin_pattern.h"
#include "guards/csrf_token.h"
#include "guards/request_origin.h"

namespace martlet {

namespace guards {

namespace {

constexpr size_t kLeastSecret = 16;

struct CsrfTerms final : detail::Counted {
  explicit CsrfTerms(CsrfOptions&& said)
      : Counted([](Counted* self) noexcept { delete static_cast<CsrfTerms*>(self); }), options(std::move(said)), mistake(wrong_options()) {
    for (const std::string& secret : options.secrets) keys.push_back(codec::hmac_key(base::as_bytes(secret)));
    if (options.cookie.empty()) options.cookie = options.secure ? "__Host-csrf" : "csrf";
  }

  Error wrong_options() const noexcept {
    for (const std::string& origin : options.origins) {
      const bool has_host = origin != "*" && origin != "null" && !origin.ends_with("://");
      if (!has_host || codec::wrong_origin(origin)) return Error::of({"csrf: origins: \"", origin, "\" is no origin"});
    }
    for (const std::string& secret : options.secrets) {
      if (secret.size() < kLeastSecret) return "csrf: secrets: one has less than 16 bytes";
    }
    return has_tokens() && options.secrets.empty() ? Error("csrf: secrets: tokens need one") : Error();
  }
  bool has_tokens() const noexcept { return options.mode != CsrfMode::origin; }
  bool asks_origin() const noexcept { return options.mode != CsrfMode::double_submit; }

  CsrfOptions options;
  Error mistake;
  std::vector<codec::HmacKey> keys = {};
};

const CsrfTerms& terms_in(const detail::CountedPointer& terms) noexcept { return *static_cast<const CsrfTerms*>(terms.get()); }

bool is_safe(const Request& req) noexcept {
  const std::string_view method = req.method();
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

// Where it comes from ---------------------------------------------------------------------------------------------------

bool is_trusted(std::string_view origin, const CsrfTerms& terms) noexcept {
  return std::any_of(terms.options.origins.begin(), terms.options.origins.end(), [origin](const std::string& one) { return codec::is_origin(one, origin); });
}

bool is_from_here(const Request& req, const CsrfTerms& terms) noexcept {
  const auto origins = req.header_all("origin");
  const std::string_view origin = origins.empty() ? std::string_view() : origins[0];
  if (origins.size() > 1) return false;
  if (const auto site = req.header("sec-fetch-site")) return *site == "same-origin" || *site == "none" || is_trusted(origin, terms);
  if (!origins.empty()) return is_of_host(origin, req.host()) || is_trusted(origin, terms);
  const auto referer = req.header("referer");
  if (!referer) return !terms.options.require_origin;
  const std::string_view from = origin_of_url(*referer);
  return is_of_host(from, req.host()) || is_trusted(from, terms);
}

// Its token -------------------------------------------------------------------------------------------------------------

// What a request has of it: the terms of the last guard with tokens before the handler, and the token that was asked for.
struct CsrfState {
  detail::CountedPointer terms = {};
  std::string token = {};
  bool is_new = false;
};

std::string bound_to(Request& req, const CsrfTerms& terms) {
  std::string text;
  if (terms.options.bind) {
    // Who cannot say has none that anybody could guess.
    if (!terms.options.bind(req, text)) text.assign(1, '?');
    return text;
  }
  if (CookieSession* session = cookie_session(req)) return std::string(session->id());
  const AuthUser* user = auth_user(req);
  return user ? user->id : std::string();
}

std::optional<std::string_view> sent_token(const Request& req, const CsrfTerms& terms, bool looks_into_forms) noexcept {
  const auto in_field = req.header(terms.options.header);
  return in_field || !looks_into_forms ? in_field : req.form().get(terms.options.field);
}

bool has_token(Request& req, const CsrfTerms& terms, bool looks_into_forms) {
  const auto cookie = req.cookie(terms.options.cookie);
  const auto sent = sent_token(req, terms, looks_into_forms);
  if (!cookie || !sent || !base::equal_in_constant_time(*cookie, *sent)) return false;
  // No token can belong to a session that begins only now, and who is refused need not have one begun.
  const CookieSession* session = terms.options.bind ? nullptr : cookie_session(req);
  return !(session && session->is_new()) && is_csrf_token(*sent, bound_to(req, terms), terms.keys);
}

void send_new_cookie(const CsrfState& state, Response& res) noexcept {
  const CsrfOptions& options = terms_in(state.terms).options;
  if (state.is_new) res.cookie(options.cookie, state.token, {.same_site = SameSite::strict, .secure = options.secure});
}

void offer_tokens(Request& req, Response& res, const detail::CountedPointer& terms) {
  auto& state = req.data<CsrfState>();
  state.terms = terms;
  // It lies in the request, which is there until its answer has left.
  res.on_headers([&state](Response& answer) { send_new_cookie(state, answer); });
}

}  // namespace

}  // namespace guards

struct CsrfAccess {
  template <typename Guard>
  static Guard make(CsrfOptions&& options, bool looks_into_forms) {
    return Guard(detail::CountedPointer(new guards::CsrfTerms(std::move(options))), looks_into_forms);
  }
};

void Csrf::operator()(Request& req, Response& res, Next next) const {
  const guards::CsrfTerms& terms = guards::terms_in(terms_);
  if (terms.mistake) return next(HttpError{500});
  if (terms.has_tokens()) guards::offer_tokens(req, res, terms_);
  if (guards::is_safe(req) && !req.is_upgrade()) return next();
  // A handshake has no fields of its own, so it is asked where it comes from in any mode.
  const bool from_here = (!terms.asks_origin() && !req.is_upgrade()) || guards::is_from_here(req, terms);
  const bool has_token = !terms.has_tokens() || req.is_upgrade() || guards::has_token(req, terms, looks_into_forms_);
  from_here && has_token ? next() : res.fail(403, terms.options.reason);
}

void Csrf::operator()(WebSocket ws, Request& req, Next next) const {
  const guards::CsrfTerms& terms = guards::terms_in(terms_);
  if (terms.mistake) return ws.close(CloseCode::internal_error);
  guards::is_from_here(req, terms) ? next() : ws.close(CloseCode::policy_violation, terms.options.reason);
}

Error Csrf::mistake() const noexcept { return guards::terms_in(terms_).mistake; }

Csrf csrf(CsrfOptions options) { return CsrfAccess::make<Csrf>(std::move(options), false); }

CsrfForm csrf_form(CsrfOptions options) { return CsrfAccess::make<CsrfForm>(std::move(options), true); }

std::string_view csrf_token(Request& req) {
  auto* state = req.find_data<guards::CsrfState>();
  if (!state || !state->terms.get()) return {};
  const guards::CsrfTerms& terms = guards::terms_in(state->terms);
  const std::string bound = guards::bound_to(req, terms);
  // Whoever logs in has another session behind it: the token that was given out before may not be good any more.
  if (!state->token.empty() && guards::is_csrf_token(state->token, bound, terms.keys)) return state->token;
  const auto cookie = req.cookie(terms.options.cookie);
  state->is_new = !cookie || !guards::is_csrf_token(*cookie, bound, terms.keys);
  state->token = state->is_new ? guards::make_csrf_token(terms.keys[0], bound) : std::string(*cookie);
  return state->token;
}

}  // namespace martlet
