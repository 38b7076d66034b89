// debug.cc: routes for finding out why nothing arrives.
#include "gallery.h"

#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr std::string_view kNotEnabled = "WebSocket not enabled. Call app.enableWebSocket() first.";

// For the log and for people: of bytes only how many there are.
std::string shown(const Message& message) {
  return message.is_text() ? std::string(message.text()) : std::to_string(message.size()) + " bytes";
}

}  // namespace

void gallery::debug(App& app, Router& routes) {
  routes.ws("/debug", {.max_message_bytes = 4_KiB}, [](WebSocket ws) {
    ws.on_message([](WebSocket from, const Message& message) {
      const std::string data = shown(message);
      const Json received = {{"socketId", from.id()}, {"data", data}, {"length", message.size()}, {"type", message.is_text() ? "text" : "binary"}};
      log(LogLevel::info, "📨 Message received: " + received.dump());
      from.send("Received: " + data);
    });
  });

  routes.ws("/room-debug", {.max_message_bytes = 4_KiB}, [](WebSocket ws) {
    ws.join("test-room");
    ws.on_message([](WebSocket from, const Message& message) {
      log(LogLevel::info, "📊 Room info: " + Json{{"socketRooms", from.rooms()}, {"messageData", shown(message)}}.dump());
      from.to("test-room").send("Broadcast test");
    });
  });

  // A route that is turned off (or, by App::configure, all of them) is not there: its clients hear 404. The counter tells why, and
  // so does this path to those who ask by HTTP.
  routes.ws("/disabled", {.enabled = false}, [](WebSocket ws) { ws.send("never"); });
  routes.get("/disabled", [&app](Request&) {
    if (app.stats().websocket_routes_off > 0) log(LogLevel::error, kNotEnabled);
    return fail(404, kNotEnabled);
  });
}
