// martlet/auth.h: who somebody is: basic_auth() for names and passwords (RFC 7617), bearer_auth() for tokens (RFC 6750). For JWTs
// there is jwt_auth.h, for what a user may do roles.h.
//
//   app.use("/admin", basic_auth(fixed_users({{"ann", password}}), {.realm = "Administration"}));
//   app.use("/api", bearer_auth([](std::string_view token) -> std::optional<AuthUser> { return users.find(token); }));
//   app.ws_use(bearer_auth(find, {.error_first = true, .from = TokenFrom::header_or_query}));
//
// Each is one object for use() and routes, where it refuses with 401 and WWW-Authenticate (by Response::fail, so that error
// handlers and problem details do their part), and for ws_use(), where it closes with 1008 and a reason. A WebSocket's route that has
// it among its own steps asks behind the 101, too; before_upgrade() makes it ask before. use() asks of all requests below its
// prefix, upgrades included. Who is let in is auth_user(req) and, behind the 101, auth_user(ws).
//
// A guard asks for its own credentials, whoever other guards have let in. Where several kinds will do, each is `optional`, and
// require_user() stands behind them. Copies of a guard share what it has; it may stand in several workers.
//
// Options that cannot be meant (a realm that is none, no function to ask) are the Error of listen(); a guard that is called all the same
// lets nobody in: 500, or 1011.
//
// Passwords are for who checks them to hash (docs/security.md says with what). Neither texts of the log nor answers
// show credentials.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/user_finder.h>
#include <martlet/websocket_names.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

// Where a token may be. They are added up: TokenFrom::header | TokenFrom::cookie.
enum class TokenFrom : uint8_t {
  // Authorization: Bearer TOKEN.
  header = 1,
  // ?token=TOKEN, which lands in logs and histories; for browsers, whose WebSockets have no fields of their own, a subprotocol or
  // a cookie is better. Answers to such requests are Cache-Control: private, unless something else is set.
  query = 2,
  header_or_query = header | query,
  // A cookie, which browsers send by themselves, also where others make them: unsafe methods then want csrf() in front, and
  // WebSockets WsOptions::origins.
  cookie = 4,
  header_or_cookie = header | cookie,
  // Of WebSockets, the subprotocol: new WebSocket(url, ["bearer", token]), or ["bearer.TOKEN", "chat"]. The server
  // chooses "bearer" ("chat"), which the route's `protocols` must have; the token is none of them, and is not sent back.
  subprotocol = 8,
  any = header | query | cookie | subprotocol,
};
constexpr TokenFrom operator|(TokenFrom a, TokenFrom b) noexcept { return static_cast<TokenFrom>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b)); }
constexpr bool has(TokenFrom all, TokenFrom one) noexcept { return (static_cast<uint8_t>(all) & static_cast<uint8_t>(one)) != 0; }

// A guard as basic_auth(), bearer_auth() and jwt_auth() make it. Copying it is cheap.
class AuthGuard {
 public:
  void operator()(Request& req, Response& res, Next next) const;
  void operator()(WebSocket ws, Request& req, Next next) const;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  friend struct AuthAccess;
  explicit AuthGuard(detail::CountedPointer policy) noexcept : policy_(std::move(policy)) {}
  detail::CountedPointer policy_;
};

// What they say and do; the texts are the bodies of answers with a status, and the reasons of a Close.
struct MARTLET_LAYOUT BasicAuthOptions {
  // Of a WebSocket: {"type":"error","message":REASON} is sent before the Close.
  bool error_first = false;
  // Nobody can say who it is: 500, or 1011.
  std::string failed_reason = std::string(reason::kAuthenticationFailed);
  // A wrong name or password, which is not told apart: 401, or 1008.
  std::string invalid_reason = std::string(reason::kAuthenticationFailed);
  // WebSocket::metadata() has {"authenticated": true, "user": {"id": …, "username": …, "roles": […]}}, for people and info().
  bool metadata = false;
  // Who sends no credentials passes, as nobody. Wrong ones are refused all the same.
  bool optional = false;
  // What the credentials are for, as browsers show it: text without '"', '\' and control characters.
  std::string realm = "Restricted";
  // No credentials: 401, or 1008.
  std::string reason = std::string(reason::kAuthenticationRequired);
};

// Asks (name, password): see user_finder.h. Both are UTF-8 without control characters, the name has no ':'; either may be
// empty. What is more than 1,024 letters of base64, or not strictly base64, is refused like a wrong password, and `check`
// never sees it.
AuthGuard basic_auth(UserFinder<std::string_view, std::string_view> check, BasicAuthOptions options = {});

struct MARTLET_LAYOUT BearerAuthOptions {
  // The cookie's name, for TokenFrom::cookie.
  std::string cookie = "token";
  bool error_first = false;
  std::string failed_reason = std::string(reason::kAuthenticationFailed);
  // Where the token may be. Of two places that have one the request is refused (RFC 6750 §2), but that a cookie counts only
  // where nothing else is there.
  TokenFrom from = TokenFrom::header;
  // It is no token that `verify` knows (401, error="invalid_token"), or there are two, or a malformed one (400,
  // error="invalid_request"); 1008.
  std::string invalid_reason = std::string(reason::kInvalidToken);
  bool metadata = false;
  bool optional = false;
  // The parameter's name, for TokenFrom::query.
  std::string query = "token";
  std::string realm = "Restricted";
  std::string reason = std::string(reason::kAuthenticationRequired);
};

// Asks (token): see user_finder.h. It has the letters that RFC 6750 §2.1 allows, and at most 8,192 of them.
AuthGuard bearer_auth(UserFinder<std::string_view> verify, BearerAuthOptions options = {});

// Whether two secrets are the same: how long it takes tells nothing of where they differ, but how long they are. Any thread.
bool same_secret(std::string_view a, std::string_view b) noexcept;

// Checks for a few users or tokens that are known when the program starts, from its environment, say. Each is asked in the same
// time, whoever it is: digests are compared, all of them, in constant time. Copies share nothing; any thread.
// (What a secret is kept as.)
struct SecretDigest {
  unsigned char bytes[32];
};

class MARTLET_LAYOUT FixedUsers {
 public:
  struct User {
    std::string_view name, password;
  };
  explicit FixedUsers(std::initializer_list<User> users);
  bool operator()(std::string_view name, std::string_view password) const noexcept;

 private:
  std::vector<SecretDigest> digests_;
};
inline FixedUsers fixed_users(std::initializer_list<FixedUsers::User> users) { return FixedUsers(users); }

class MARTLET_LAYOUT FixedTokens {
 public:
  explicit FixedTokens(std::initializer_list<std::string_view> tokens);
  bool operator()(std::string_view token) const noexcept;

 private:
  std::vector<SecretDigest> digests_;
};
inline FixedTokens fixed_tokens(std::initializer_list<std::string_view> tokens) { return FixedTokens(tokens); }

// The HTTP half of a guard, for a WebSocket's own route: it answers with a status in place of the 101.
//   app.ws("/chat", before_upgrade(bearer_auth(verify)), handler);
template <typename Guard>
class BeforeUpgrade {
 public:
  explicit BeforeUpgrade(Guard guard) : guard_(std::move(guard)) {}
  void operator()(Request& req, Response& res, Next next) const { guard_(req, res, next); }
  Error mistake() const
    requires requires(const Guard& guard) { guard.mistake(); }
  {
    return guard_.mistake();
  }

 private:
  Guard guard_;
};
template <typename Guard>
MARTLET_THUNK BeforeUpgrade<std::decay_t<Guard>> before_upgrade(Guard&& guard) {
  return BeforeUpgrade<std::decay_t<Guard>>(std::forward<Guard>(guard));
}

}  // namespace martlet
