// errors_and_closing.cc: one place for what handlers throw; and closing all connections, or those in a room.
#include "gallery.h"

#include <stdexcept>
#include <string>

using namespace martlet;
using namespace martlet::literals;

namespace {

// Of all WebSocket routes. What is sent here arrives before the Close (1011) that follows.
void on_failure(const HandlerFailure& failure) {
  WebSocket ws = failure.socket;
  ws.send({{"type", "error"}, {"message", failure.what}});
  Json params = Json::object();
  for (const NamedText& param : ws.request().params()) params[param.name] = param.value;
  const Json context = {{"route", failure.route}, {"params", params}, {"userId", ws.metadata()["userId"]}};
  log(LogLevel::error, "WebSocket error: " + std::string(failure.what));
  log(LogLevel::error, "Error context: " + context.dump());
}

}  // namespace

void gallery::errors_and_closing(App& app, Router& routes) {
  app.on_error(on_failure);

  routes.ws("/ws/rooms/:room", {.max_message_bytes = 4_KiB}, [&app](RouteServer& server) {
    return [&app, server](WebSocket ws, Request& req) {
      ws.metadata()["userId"] = req.query("userId").value_or("");
      ws.join(req.param("room"));
      ws.on_message([](WebSocket, const Message&) { throw std::runtime_error("only events are understood here"); });
      ws.on("close-all", [&app] { app.close_all(CloseCode::going_away, reason::kServerShutdown); });
      ws.on("close-room", [server](std::string room) {
        for (WebSocket client : server.clients()) {
          if (client.in_room(room)) client.close(CloseCode::normal, reason::kRoomClosed);
        }
      });
    };
  });
}
