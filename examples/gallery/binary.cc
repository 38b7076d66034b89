// binary.cc: bytes and text on one route: bytes come back reversed.
#include "gallery.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

using namespace martlet;

namespace {

std::vector<std::byte> reversed(std::span<const std::byte> bytes) { return {bytes.rbegin(), bytes.rend()}; }

}  // namespace

void gallery::binary(App&, Router& routes) {
  routes.ws("/binary", [](WebSocket socket) {
    socket.on_message([](WebSocket from, const Message& message) {
      if (message.is_binary()) {
        from.send(reversed(message.bytes()));
      } else {
        from.send("Text received: " + std::string(message.text()));
      }
    });
  });
}
