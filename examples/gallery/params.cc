// params.cc: what a path says: parameters, a query, and the fields of the request.
//
// Parameters are slugs here (letters, digits, '-' and '_'), as they stand in messages: "%FF" is no text that could be sent.
#include "gallery.h"

#include <string>

using namespace martlet;

void gallery::params(App&, Router& routes) {
  routes.ws("/rooms/:roomId<slug>", [](WebSocket socket, Request& req) {
    const std::string id(req.param("roomId"));
    const std::string user(req.query("userId").value_or("nobody"));
    const bool has_token = req.header("authorization").has_value();
    log(LogLevel::info, "Client joined room: " + id + ", as " + user + (has_token ? " with a token" : " without a token"));

    const std::string room(req.path());  // rooms are the whole App's: a path is nobody else's name
    socket.join(room);
    socket.send("Welcome to room " + id + "!");
    socket.on_message([room](WebSocket from, const Message& message) { from.to(room).send(message); });
  });

  routes.ws("/games/:gameId<slug>/players/:playerId<slug>", [](WebSocket socket, Request& req) {
    socket.send({{"type", "connected"}, {"gameId", req.param("gameId")}, {"playerId", req.param("playerId")}});
    // The socket keeps its request.
    socket.on_close([](WebSocket gone, const CloseInfo&) {
      const ConnectionRequest opened_by = gone.request();
      log(LogLevel::info, "Player " + std::string(opened_by.param("playerId")) + " has left game " + std::string(opened_by.param("gameId")));
    });
  });
}
