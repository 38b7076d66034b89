// martlet/jwt_auth.h: who somebody is by a JSON Web Token: jwt_auth().
//
//   app.use("/api", jwt_auth({.secret = secret}));                                                    // Authorization: Bearer
//   app.ws_use(jwt_auth({.from = TokenFrom::header_or_query, .secret = secret}));                     // …, or ?token=
//   app.ws_use(jwt_auth({.error_first = true, .lookup = find_user, .metadata = true, .reason = "Unauthorized", .secret = secret}));
//   app.use(jwt_auth({.keys = *jwt::Keys::jwks(text), .verify = {.audience = {"api"}, .issuer = "https://id.example"}}));
//
// What all such guards do is told in auth.h; what a token must be in jwt.h. Without `lookup` the user is who the claims say: `id`
// is "sub", "userId" or "id" (text or an integer), `username` is "username", "preferred_username", "name" or "email",
// the first of them that is there; `roles` is "roles" (a list) or "role"; `permissions` is "permissions" (a list), or "scope"
// (RFC 8693: a text with blanks between). `claims` are all of them.
#pragma once

#include <martlet/config.h>
#include <martlet/auth.h>
#include <martlet/jwt.h>
#include <martlet/user_finder.h>
#include <martlet/websocket_names.h>

#include <string>

namespace martlet {

// What is not told here is as in BearerAuthOptions.
struct MARTLET_LAYOUT JwtAuthOptions {
  std::string cookie = "token";
  bool error_first = false;
  std::string failed_reason = std::string(reason::kAuthenticationFailed);
  TokenFrom from = TokenFrom::header;
  // The token is not good (jwt.h): 401, error="invalid_token", and in error_description why ("expired"); or malformed: 400,
  // error="invalid_request"; 1008.
  std::string invalid_reason = std::string(reason::kInvalidToken);
  // What tokens are checked with, where it is not a secret, or several.
  jwt::Keys keys = {};
  // Asks (claims) of a token that is good who that is: see user_finder.h.
  UserFinder<const Json&> lookup = {};
  bool metadata = false;
  // `lookup` has found nobody: 401, or 1008.
  std::string not_found_reason = std::string(reason::kUserNotFound);
  bool optional = false;
  std::string query = "token";
  std::string realm = "Restricted";
  std::string reason = std::string(reason::kAuthenticationRequired);
  // For HS256.
  std::string secret = {};
  // See jwt::SecretOptions.
  bool short_secret = false;
  // What the claims must be.
  jwt::VerifyOptions verify = {};
};

// A mistake is the Error of listen(): neither a secret nor a key, or both, a secret that is too short, a realm that is none.
AuthGuard jwt_auth(JwtAuthOptions options);

}  // namespace martlet
