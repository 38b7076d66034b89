// rooms_and_metadata.cc: rooms, whom a message can go to, and what a connection keeps. The page, or a client, asks for each by an
// event: {"event": "announce", "args": ["general"]}; with "ack": 1 in it, it gets an answer to those that have one.
#include "clock.h"
#include "gallery.h"

#include <cstddef>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 10;  // of one client

// Joining and leaving, as everybody who comes does it.
void visit_rooms(WebSocket ws) {
  ws.join("general");
  if (ws.in_room("general")) log(LogLevel::info, "User is in general room");
  ws.leave("general");
  ws.join("room1");
  ws.join("room2");
  log(LogLevel::info, "User rooms: " + Json(ws.rooms()).dump());
}

bool join(WebSocket from, std::string room) {
  if (from.rooms().size() < kMaxRooms) from.join(room);
  return from.in_room(room);
}

bool leave(WebSocket from, std::string room) {
  from.leave(room);
  return from.in_room(room);
}

Json members(const RouteServer& server, const std::string& room) {
  Json ids = Json::array();
  for (WebSocket client : server.clients()) {
    if (client.in_room(room)) ids.push_back(client.id());
  }
  return ids;
}

}  // namespace

void gallery::rooms_and_metadata(App& app, Router& routes) {
  routes.ws("/ws/chat", {.max_message_bytes = 4_KiB}, [&app](RouteServer& server) {
    return [&app, server](WebSocket ws) {
      visit_rooms(ws);
      ws.on("join", join);
      ws.on("leave", leave);
      // To a room; to a room without the sender; to everybody; without some; to all of this route.
      ws.on("announce", [&app](std::string room) {
        app.to(room).send({{"type", "announcement"}, {"message", "Server maintenance in 5 minutes"}});
      });
      ws.on("say", [&app](WebSocket from, std::string room, Json data) { app.to(room).except(from.id()).send(data); });
      ws.on("system", [&app] { app.everybody().send({{"type", "system"}, {"message", "Server announcement"}}); });
      ws.on("tell-others", [&app](Json data, std::vector<std::string> ids) { app.everybody().except(ids).send(data); });
      ws.on("route", [server] { server.broadcast({{"type", "route-message"}, {"data", "Hello chat users"}}); });
      ws.on("room", [&app, server](std::string room) {
        return Json{{"name", room}, {"size", app.room(room).size()}, {"connections", members(server, room)}};
      });
    };
  });

  routes.ws("/ws/game", {.max_message_bytes = 4_KiB}, [](WebSocket ws, Request& req) {
    ws.metadata() = {
        {"userId", req.query("userId").value_or("")},
        {"username", req.query("username").value_or("")},
        {"joinedAt", gallery::iso_now()},
        {"score", 0},
    };
    log(LogLevel::info, ws.info().to_json().dump());
    ws.on_message([](WebSocket from, const Message& message) {
      const std::string username(from.metadata()["username"].text_or(""));
      if (message.is_text()) log(LogLevel::info, username + ": " + std::string(message.text()));
    });
  });
}
