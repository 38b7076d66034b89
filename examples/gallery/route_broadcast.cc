// route_broadcast.cc: what is known of each client, kept by the route; to all, and to all but one.
#include "gallery.h"

#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <string>

using namespace martlet;

namespace {

struct Client {
  std::string id;
  std::string name;
};

// RFC 9562, version 4.
std::string random_uuid() {
  std::random_device random;
  std::uniform_int_distribution<size_t> digit(0, 15);
  std::string uuid = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
  for (char& c : uuid) {
    if (c == 'x') c = "0123456789abcdef"[digit(random)];
    if (c == 'y') c = "89ab"[digit(random) / 4];
  }
  return uuid;
}

}  // namespace

void gallery::route_broadcast(App&, Router& routes) {
  routes.ws("/api/websocket/broadcast", [](RouteServer& server) {
    auto clients = std::make_shared<std::map<WebSocket, Client>>();

    return [server, clients](WebSocket client) {
      const std::string id = random_uuid();
      clients->emplace(client, Client{id, "Anonymous"});
      client.on_message([server, id](WebSocket from, const Message& message) {
        if (message.is_binary()) return;
        const std::string text(message.text());
        server.broadcast("User " + id + ": " + text);
        server.everybody().except(from).send("From " + id + ": " + text);
      });
      client.on_close([clients](WebSocket gone, const CloseInfo&) {
        clients->erase(gone);
        log(LogLevel::info, std::to_string(clients->size()) + " clients are left");
      });
    };
  });
}
