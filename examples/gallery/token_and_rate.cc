// token_and_rate.cc: two steps behind the 101: who the client is, by the token in its URL, and how often an address may come. The
// first one stands before the second, so that who is nobody does not count.
//
// Tokens are looked up in a list here; those of an identity provider are for jwt_auth().
#include "gallery.h"

#include <array>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

struct User {
  std::string id;
  std::string name;
};

struct Token {
  std::string_view token, id, name;
};
constexpr std::array<Token, 2> kTokens{{{"token-of-ann", "7", "Ann"}, {"token-of-bob", "8", "Bob"}}};

const Token* find(std::string_view token) {
  for (const Token& known : kTokens) {
    if (known.token == token) return &known;
  }
  return nullptr;
}

void authenticate(WebSocket ws, Request& req, Next next) {
  const std::string_view token = req.query("token").value_or("");
  if (token.empty()) return ws.close(CloseCode::policy_violation, reason::kAuthenticationRequired);
  const Token* known = find(token);
  if (!known) return ws.close(CloseCode::policy_violation, reason::kInvalidToken);
  ws.data<User>() = {std::string(known->id), std::string(known->name)};
  next();
}

}  // namespace

void gallery::token_and_rate(App&, Router& routes) {
  routes.ws_use(authenticate);
  routes.ws_use(connection_limit({.max = 5, .per = 60s}));
  routes.ws("/members", [](WebSocket ws) {
    const User& user = ws.data<User>();
    ws.send({{"type", "welcome"}, {"user", {{"id", user.id}, {"name", user.name}}}});
  });
}
