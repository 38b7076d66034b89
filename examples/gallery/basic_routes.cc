// basic_routes.cc: an echo, an answer, and a parameter that is kept for as long as its connection lives.
#include "gallery.h"

#include <string>

using namespace martlet;
using namespace martlet::literals;

void gallery::basic_routes(App&, Router& routes) {
  routes.ws("/ws/echo", [](WebSocket ws) {
    ws.on_message([](WebSocket from, const Message& message) {
      message.is_text() ? from.send("Echo: " + std::string(message.text())) : from.send(message);
    });
  });

  routes.ws("/ws/chat", {.max_message_bytes = 4_KiB}, [](WebSocket ws) {
    log(LogLevel::info, "New WebSocket connection");
    ws.on_message([](WebSocket from, const Message& message) {
      if (message.is_text()) log(LogLevel::info, "Received: " + std::string(message.text()));
      from.send("Message received");
    });
    ws.on_close([](WebSocket, const CloseInfo&) { log(LogLevel::info, "Connection closed"); });
  });

  routes.ws("/ws/user/:userId", [](WebSocket ws, Request& req) {
    const std::string user(req.param("userId"));
    log(LogLevel::info, "User " + user + " connected");
    ws.metadata()["userId"] = user;
    ws.on_close([](WebSocket gone, const CloseInfo&) {
      log(LogLevel::info, "User " + std::string(gone.metadata()["userId"].text_or("")) + " disconnected");
    });
  });
}
