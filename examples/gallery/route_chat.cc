// route_chat.cc: a route in two phases: what is done once, before the first client, and what is done for each of them.
#include "gallery.h"

#include <string>

using namespace martlet;

void gallery::route_chat(App&, Router& routes) {
  routes.ws("/api/websocket/chat", [](RouteServer& server) {
    log(LogLevel::info, "WebSocket server initialized for chat route");

    return [server](WebSocket client) {
      log(LogLevel::info, "Client connected to chat");
      client.on_message([server](WebSocket from, const Message& message) {
        if (message.is_binary()) return;  // which need not be text
        const std::string text(message.text());
        from.send("Echo: " + text);
        server.broadcast("Broadcast: " + text);
      });
      client.on_close([](WebSocket, const CloseInfo&) { log(LogLevel::info, "Client disconnected from chat"); });

      return [] { log(LogLevel::info, "Cleaning up chat connection"); };
    };
  });
}
