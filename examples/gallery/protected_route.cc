// protected_route.cc: a step of one route, behind the 101: it refuses with a close code, or lets the client through.
#include "gallery.h"

using namespace martlet;

namespace {

void authenticate(WebSocket ws, Request& req, Next next) {
  if (req.query("token").value_or("").empty()) return ws.close(CloseCode::policy_violation, reason::kUnauthorized);
  ws.metadata()["authenticated"] = true;
  next();
}

}  // namespace

void gallery::protected_route(App&, Router& routes) {
  routes.ws("/ws/protected", authenticate, [](WebSocket ws) {
    ws.send("Welcome to protected endpoint");
    log(LogLevel::info, "Protected: " + ws.metadata().dump());
  });
}
