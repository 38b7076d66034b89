// topics.cc: publish and subscribe with MQTT's filters, for clients that say what they want to hear, over all workers.
//
//   topics [PORT [WORKERS]]      on ws://127.0.0.1:3000/; 0: any port
//   {"event":"subscribe","args":["news/+/sport"],"ack":1}        answered {"ack":1,"args":["ok"]}
//   {"event":"publish","args":["news/uk/sport","2:1"]}           subscribers hear {"event":"message","args":["news/uk/sport","2:1"]}
#include <martlet/martlet.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace martlet;

namespace {

const char* name_of(SubscribeStatus status) {
  switch (status) {
    case SubscribeStatus::ok: return "ok";
    case SubscribeStatus::bad_filter: return "that is no filter";
    case SubscribeStatus::too_long:
    case SubscribeStatus::too_deep: return "that filter is too long";
    case SubscribeStatus::too_many: return "you have subscribed to enough";
    default: return "not now";
  }
}

void serve(App& app) {
  app.topics_options({.max_filters_per_socket = 100, .max_levels = 16, .max_name_bytes = 256});
  app.ws("/", [&app](WebSocket ws) {
    ws.on("subscribe", [](WebSocket from, std::string filter) { return name_of(from.subscribe(filter)); });
    ws.on("unsubscribe", [](WebSocket from, std::string filter) {
      from.unsubscribe(filter);
      return "ok";
    });
    ws.on("publish", [&app](std::string topic, std::string text) {
      return app.publish_event(topic, "message", topic, text) == SendStatus::ok ? "ok" : "nobody hears it";
    });
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 3000);
  Server server({.host = "127.0.0.1", .port = port, .workers = static_cast<uint32_t>(argc > 2 ? std::atoi(argv[2]) : 1)});
  if (Error error = server.start(serve)) return report(error);
  std::printf("listening on http://127.0.0.1:%u\n", server.port()), std::fflush(stdout);
  return server.wait();
}
