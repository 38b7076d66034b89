// See martlet/session_cookie.h. In order: the terms, a cookie that comes, one that goes, the guard.
#include <martlet/session_cookie.h>

#include <martlet/random.h>

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "codec/base64.h"
#include "guards/session_value.h"

namespace martlet {

namespace guards {

namespace {

using Clock = std::chrono::system_clock;

struct SessionTerms final : detail::Counted {
  explicit SessionTerms(SessionCookieOptions&& said)
      : Counted([](Counted* self) noexcept { delete static_cast<SessionTerms*>(self); }), options(std::move(said)), mistake(wrong_options()) {
    const bool is_host = options.secure && options.domain.empty() && options.path == "/";
    if (options.name.empty()) options.name = is_host ? "__Host-session" : "session";
  }

  Error wrong_options() const noexcept {
    if (options.keys.size() == 0) return "session_cookie: there are no keys";
    if (options.max_age.count() <= 0) return "session_cookie: max_age is not more than 0";
    return options.lifetime.count() < 0 ? Error("session_cookie: lifetime is negative") : Error();
  }
  int64_t now() const noexcept {
    const Clock::time_point time = options.clock ? options.clock() : Clock::now();
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  CookieOptions cookie() const noexcept {
    return {.domain = options.domain, .http_only = options.http_only, .path = options.path, .same_site = options.same_site, .secure = options.secure};
  }
  // When one that was born then ends, if it is not used from now on.
  int64_t end_of(int64_t born, int64_t now) const noexcept {
    const int64_t idle = now + options.max_age.count();
    return options.lifetime.count() > 0 ? std::min(idle, born + options.lifetime.count()) : idle;
  }

  SessionCookieOptions options;
  Error mistake;
};

const SessionTerms& terms_in(const detail::CountedPointer& terms) noexcept { return *static_cast<const SessionTerms*>(terms.get()); }

std::optional<Json> data_of(std::string_view letters) {
  uint8_t room[codec::base64_decoded_bound(kMostSessionLetters)];
  const std::optional<size_t> size = codec::decode_base64url(letters, room);
  if (!size) return std::nullopt;
  auto json = Json::parse(base::as_text({room, *size}));
  return json && json->is_object() ? std::optional(std::move(*json)) : std::nullopt;
}

}  // namespace

}  // namespace guards

using guards::SessionTerms;
using guards::SessionValue;

struct CookieSessionAccess {
  static SessionCookie guard(SessionTerms* terms) noexcept { return SessionCookie(detail::CountedPointer(terms)); }

  // Takes what the browser has sent, if it is ours, and has not ended.
  static void read(CookieSession& session, const Request& req, const SessionTerms& terms) {
    const auto text = req.signed_cookie(terms.options.name, terms.options.keys);
    const std::optional<SessionValue> value = text ? guards::parse_session_value(*text) : std::nullopt;
    const int64_t now = value ? terms.now() : 0;
    // Options may have become stricter since it was signed.
    if (!value || value->expires <= now || terms.end_of(value->born, now) <= now) return;
    std::optional<Json> data = guards::data_of(value->data);
    if (!data) return;
    session.data_ = std::move(*data);
    session.id_ = value->id;
    session.born_ = value->born;
    session.expires_ = value->expires;
    session.came_ = true;
  }

  // Just before the head of the answer leaves.
  static void write(CookieSession& session, Response& res, const SessionTerms& terms) {
    if (session.changed_ && session.data_.empty() && session.id_.empty()) {
      if (session.came_) res.clear_cookie(terms.options.name, terms.cookie()), keep_private(res);
      return;
    }
    const int64_t now = terms.now();
    const bool is_half_over = session.came_ && terms.options.rolling && session.expires_ - now < terms.options.max_age.count() / 2;
    if (!session.changed_ && !is_half_over) return;
    if (session.born_ == 0) session.born_ = now;
    const int64_t end = terms.end_of(session.born_, now);
    if (!session.changed_ && end <= session.expires_) return;
    CookieOptions options = terms.cookie();
    options.max_age = std::chrono::seconds(end - now);
    const std::string value = guards::encode_session_value({end, session.born_, session.id(), {}}, session.data_.dump());
    res.signed_cookie(terms.options.name, value, terms.options.keys, options);
    keep_private(res);
  }
  static void keep_private(Response& res) noexcept {
    if (!res.get("cache-control")) res.set("Cache-Control", "private");
  }
};

std::string_view CookieSession::id() {
  if (id_.empty()) {
    id_ = random_text();
    changed_ = true;
  }
  return id_;
}

void CookieSession::regenerate() {
  id_ = random_text();
  born_ = 0;
  changed_ = true;
}

void CookieSession::clear() {
  data_ = Json::object();
  id_.clear();
  born_ = 0;
  changed_ = true;
}

void SessionCookie::operator()(Request& req, Response& res, Next next) const {
  const SessionTerms& terms = guards::terms_in(terms_);
  if (terms.mistake) return next(HttpError{500});
  auto& session = req.data<CookieSession>();
  CookieSessionAccess::read(session, req, terms);
  res.vary("Cookie");
  // The session lies in the request, which is there until its answer has left.
  res.on_headers([&session, kept = terms_](Response& answer) { CookieSessionAccess::write(session, answer, guards::terms_in(kept)); });
  next();
}

void SessionCookie::operator()(WebSocket ws, Request& req, Next next) const {
  const SessionTerms& terms = guards::terms_in(terms_);
  if (terms.mistake) return ws.close(CloseCode::internal_error);
  auto& session = ws.data<CookieSession>();
  if (const CookieSession* before = cookie_session(req)) session = *before;
  else CookieSessionAccess::read(session, req, terms);
  next();
}

Error SessionCookie::mistake() const noexcept { return guards::terms_in(terms_).mistake; }

SessionCookie session_cookie(SessionCookieOptions options) { return CookieSessionAccess::guard(new SessionTerms(std::move(options))); }

CookieSession* cookie_session(Request& req) noexcept { return req.find_data<CookieSession>(); }

const CookieSession* cookie_session(const WebSocket& ws) noexcept { return ws.find_data<CookieSession>(); }

}  // namespace martlet
