// data_stream.cc: figures, once a second, for as long as the client is there: a socket's timers end with it.
#include "clock.h"
#include "gallery.h"

#include <cstddef>
#include <random>
#include <string>

using namespace martlet;
using namespace martlet::literals;

namespace {

// "stream_1772366400123_k3j9x0a1b".
std::string new_stream_id() {
  std::random_device random;
  std::uniform_int_distribution<size_t> digit(0, 35);
  std::string id = "stream_" + std::to_string(gallery::now_ms()) + "_";
  for (int i = 0; i < 9; i++) id += "0123456789abcdefghijklmnopqrstuvwxyz"[digit(random)];
  return id;
}

}  // namespace

void gallery::data_stream(App&, Router& routes) {
  routes.ws("/stream/data", [](RouteServer& server) {
    return [server](WebSocket socket) {
      const std::string id = new_stream_id();
      socket.send({{"type", "stream-started"}, {"streamId", id}, {"message", "Data stream initiated"}});

      socket.every(1s, [server, id, random = std::minstd_rand(std::random_device()())](WebSocket to) mutable {
        std::uniform_real_distribution<double> percent(0, 100);
        Json metrics = {{"cpu", percent(random)}, {"memory", percent(random)}, {"connections", server.stats().connections}};
        to.send({{"type", "data-point"}, {"streamId", id}, {"timestamp", gallery::iso_now()}, {"value", percent(random)}, {"metrics", metrics}});
      });
      socket.on_close([id](WebSocket, const CloseInfo&) { log(LogLevel::info, "Data stream " + id + " ended"); });
    };
  });
}
