// ws_test.cc: as little as can be tested: a welcome, an echo. With `--port 0` it takes a port that is free.
#include "gallery.h"

#include <string>

using namespace martlet;

void gallery::ws_test(App&, Router& routes) {
  routes.ws("/test", [](WebSocket socket) {
    socket.send("welcome");
    socket.on_message([](WebSocket from, const Message& message) {
      if (message.is_text()) from.send("echo: " + std::string(message.text()));
    });
  });

  routes.ws("/test/quiet", [](WebSocket socket) {
    socket.on_message([](WebSocket from, const Message& message) {
      if (message.is_text()) from.send("Echo: " + std::string(message.text()));
    });
  });
}
