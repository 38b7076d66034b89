// hello_ws.cc: the quick start: limits as options, a greeting with the socket's id in the log, an echo.
#include "gallery.h"

#include <string>

using namespace martlet;
using namespace martlet::literals;

void gallery::hello_ws(App&, Router& routes) {
  const WsOptions limits{.heartbeat_interval = 30s, .max_connections = 100, .max_message_bytes = 1_MiB};
  routes.ws("/chat", limits, [](WebSocket ws) {
    log(LogLevel::info, ws.id() + " connected");
    ws.send("🎉 Welcome to martlet WebSocket!");
    ws.on_message([](WebSocket from, const Message& message) {
      if (message.is_binary()) return;
      log(LogLevel::info, from.id() + " says " + std::string(message.text().substr(0, 100)));
      from.send("🔄 Echo: " + std::string(message.text()));
    });
    ws.on_close([](WebSocket gone, const CloseInfo& end) {
      log(LogLevel::info, gone.id() + " disconnected: " + std::to_string(static_cast<int>(end.code)));
    });
  });
}
