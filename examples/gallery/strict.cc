// strict.cc: who may open a WebSocket, as options: from where, with what, how many, and how large a message may be.
#include "gallery.h"

using namespace martlet;
using namespace martlet::literals;

void gallery::strict(App&, Router& routes) {
  const WsOptions options{
      .max_connections = 1000,
      .max_message_bytes = 64_KiB,
      .origins = {"https://yourdomain.com", "https://*.yourdomain.com"},
      .require_origin = true,
      .verify = [](Request& req) { return req.header("user-agent").has_value(); },
  };
  routes.ws("/ws", options, [](WebSocket socket) {
    socket.on_message([](WebSocket from, const Message& message) { from.send(message); });
  });
}
