// basic_chat.cc: a greeting, and every message comes back.
#include "gallery.h"

#include <string>

using namespace martlet;

void gallery::basic_chat(App&, Router& routes) {
  routes.ws("/chat", [](WebSocket ws) {
    ws.send("Welcome to the chat!");
    ws.on_message([](WebSocket from, const Message& message) {
      if (message.is_text()) from.send("Echo: " + std::string(message.text()));
    });
    ws.on_close([](WebSocket gone, const CloseInfo&) { log(LogLevel::info, gone.id() + " has left the chat"); });
    ws.on_error([](WebSocket from, const ErrorInfo& error) { log(LogLevel::warn, from.id() + ": " + std::string(error.message)); });
  });
}
