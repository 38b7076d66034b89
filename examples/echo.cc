// The server that tests, load generators and people point at: a few HTTP routes, /echo and /broadcast as WebSockets.
//
//   echo [--host 127.0.0.1] [--port 9001] [--workers 1] [--max-message BYTES] [--compress] [--quiet]
//
// Prints "listening on http://HOST:PORT" when ready; port 0 takes any free one. SIGTERM and SIGINT drain it.
#include <martlet/martlet.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace martlet;
using namespace martlet::literals;

namespace {

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 9001;
  size_t max_message = 64_MiB;
  long heartbeat_seconds = 30;
  bool quiet = false;
};

[[noreturn]] void usage() {
  std::fputs("usage: echo [--host ADDRESS] [--port PORT] [--workers 1] [--max-message BYTES] [--heartbeat SECONDS] "
             "[--compress] [--quiet]\n", stderr);
  std::exit(2);
}

unsigned long long number(const char* text, unsigned long long most) {
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || value > most) usage();
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    auto value = [&] { return i + 1 < argc ? argv[++i] : (usage(), argv[0]); };
    if (name == "--host") options.host = value();
    else if (name == "--port") options.port = static_cast<uint16_t>(number(value(), 65535));
    else if (name == "--max-message") options.max_message = static_cast<size_t>(number(value(), 1ull << 31));
    else if (name == "--heartbeat") options.heartbeat_seconds = static_cast<long>(number(value(), 86400));
    else if (name == "--quiet") options.quiet = true;
    else if (name == "--workers") {
      if (number(value(), 1024) != 1) std::fputs("echo: one worker is what this version has\n", stderr);
    } else if (name == "--compress") std::fputs("echo: this version does not compress\n", stderr);
    else usage();
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  App app;
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/hello", [](Request&, Response& res) { res.send("Hello"); });
  app.get("/hello/:name", [](Request& req, Response& res) {
    res.send("Hello " + std::string(req.param("name")));
  });
  app.post("/echo", [](Request& req, Response& res) {
    if (auto type = req.header("content-type")) res.type(*type);
    res.send(req.body());
  });

  const WsOptions ws{
      .heartbeat_interval = std::chrono::seconds(options.heartbeat_seconds),
      .heartbeat_timeout = std::chrono::seconds(2 * options.heartbeat_seconds),
      .max_message_bytes = options.max_message,
      .max_unsent_bytes = 64_MiB,
  };
  app.ws("/echo", {
      .message = [](WebSocket from, const Message& msg) { from.send(msg); },
      .options = ws,
  });
  app.ws("/broadcast", {
      .message = [&app](WebSocket, const Message& msg) { app.to_route("/broadcast").send(msg); },
      .options = ws,
  });

  if (auto port = app.listen(options.host, options.port); !port) return report(port.error());
  if (!options.quiet) {
    const bool ipv6 = options.host.find(':') != std::string::npos;
    std::printf(ipv6 ? "listening on http://[%s]:%u\n" : "listening on http://%s:%u\n", options.host.c_str(), app.port());
    std::fflush(stdout);
  }
  return app.run();
}
