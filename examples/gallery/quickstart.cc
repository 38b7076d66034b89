// quickstart.cc: options of a route, a greeting, an echo, and how a connection ended.
#include "gallery.h"

#include <string>

using namespace martlet;
using namespace martlet::literals;

void gallery::quickstart(App&, Router& routes) {
  routes.ws("/ws", {.heartbeat_interval = 30s, .max_connections = 1000}, [](WebSocket socket) {
    socket.send("Welcome to martlet WebSocket!");
    socket.on_message([](WebSocket from, const Message& message) {
      if (message.is_text()) from.send("Echo: " + std::string(message.text()));
    });
    socket.on_close([](WebSocket, const CloseInfo& end) {
      log(LogLevel::info, "Connection closed: " + std::to_string(static_cast<int>(end.code)) + " - " + std::string(end.reason));
    });
  });
}
