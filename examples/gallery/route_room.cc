// route_room.cc: a part of the path as a parameter: told to all clients of the route, or to those of the same room alone.
//
// Room ids are slugs (letters, digits, '-' and '_'), as they stand in messages: "%FF" is no text that could be sent.
#include "gallery.h"

#include <string>

using namespace martlet;

void gallery::route_room(App&, Router& routes) {
  // Whatever room a client is in, all clients of the route hear of it.
  routes.ws("/api/websocket/room/[roomId<slug>]", [](RouteServer& server) {
    return [server](WebSocket client, Request& req) {
      const std::string room(req.param("roomId"));
      log(LogLevel::info, "Client connected to room: " + room);
      client.on_message([server, room](WebSocket, const Message& message) {
        if (message.is_text()) server.broadcast("Room " + room + ": " + std::string(message.text()));
      });
      return [room] { log(LogLevel::info, "Client disconnected from room: " + room); };
    };
  });

  // Only its members do.
  routes.ws("/api/websocket/members/[roomId<slug>]", [](WebSocket client, Request& req) {
    const std::string room(req.param("roomId"));
    const Room members = client.join(req.path());  // rooms are the whole App's: a path is nobody else's name
    client.on_message([members, room](WebSocket, const Message& message) {
      if (message.is_text()) members.send("Room " + room + ": " + std::string(message.text()));
    });
  });
}
