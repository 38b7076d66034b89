// data_stream.cc: figures, once a second, for as long as the client is there: a socket's timers end with it.
#include "clock.h"
#include "gallery.h"
#include "random_id.h"

#include <random>
#include <string>

using namespace martlet;
using namespace martlet::literals;

void gallery::data_stream(App&, Router& routes) {
  routes.ws("/stream/data", [](RouteServer& server) {
    return [server](WebSocket socket) {
      const std::string id = gallery::new_id("stream");
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
