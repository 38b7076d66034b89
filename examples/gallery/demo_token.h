// demo_token.h: the secret of the tokens, and where somebody who tries an application gets one. A program of its own has a POST for
// that, which asks for a password; here whoever asks is believed.
#pragma once

#include <martlet/martlet.h>

#include <chrono>
#include <cstdlib>
#include <string>

namespace gallery {

// JWT_SECRET of the environment, of at least 32 bytes; else one of this run, so that tokens of another are worth nothing.
inline const std::string& token_secret() {
  static const std::string secret = [] {
    const char* said = std::getenv("JWT_SECRET");
    return said ? std::string(said) : martlet::random_text(32);
  }();
  return secret;
}

inline std::string token_of(const martlet::Json& claims) {
  const martlet::Result<std::string> token = martlet::jwt::sign(claims, token_secret(), std::chrono::hours(1));
  return token ? *token : std::string();
}

// For people, whose claims have an id and an email: all that others see of them.
inline void add_tokens(martlet::Router& routes) {
  routes.get("/token/:email", [](martlet::Request& req) {
    const std::string email(req.param("email"));
    return martlet::Reply(200, token_of({{"id", email.substr(0, email.find('@'))}, {"email", email}}));
  });
}
inline martlet::Json shown(const martlet::AuthUser& user) { return {{"id", user.claims["id"]}, {"email", user.claims["email"]}}; }

}  // namespace gallery
