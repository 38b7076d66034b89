// route_secure.cc: who may come in, and what becomes of a client whose handler throws.
#include "gallery.h"

#include <string>
#include <string_view>

using namespace martlet;

namespace {

constexpr std::string_view kAuthorization = "Bearer let-me-in";

// A step behind the handshake: it calls next(), or closes.
void authenticate(WebSocket client, Request& req, Next next) {
  if (req.header("authorization") == kAuthorization) return next();
  client.close(CloseCode::policy_violation, reason::kAuthenticationRequired);
}

}  // namespace

void gallery::route_secure(App&, Router& routes) {
  routes.ws("/api/websocket/secure", authenticate, [](WebSocket client) {
    log(LogLevel::info, "Authenticated client connected");
    client.on_message([](WebSocket from, const Message& message) { from.send(message); });
  });

  // Adds up numbers. std::stod throws when it is given something else: that is logged, and the client's connection closed
  // with 1011, "Internal server error".
  routes.ws("/api/websocket/sum", [](WebSocket client, Request& req) {
    double sum = std::stod(std::string(req.query("start").value_or("0")));
    client.on_message([sum](WebSocket from, const Message& message) mutable {
      sum += std::stod(std::string(message.text()));
      from.send(std::to_string(sum));
    });
  });
}
