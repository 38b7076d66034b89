// The server that tests, load generators and people point at: a few HTTP routes, /echo and /broadcast as WebSockets.
//
//   echo [--host 127.0.0.1] [--port 9001] [--workers 1 (0: one per core)] [--balance kernel|even|by_processor]
//        [--restart] [--max-message BYTES] [--heartbeat SECONDS] [--compress] [--dedicated] [--threshold BYTES] [--quiet]
//
// Prints "listening on http://HOST:PORT" when ready; port 0 takes any free one. SIGTERM and SIGINT drain it; with
// --restart SIGHUP restarts it without losing a connection. --compress compresses messages of 1 KiB and more, or of
// --threshold bytes, each by itself; with --dedicated they refer to earlier ones.
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
  uint32_t workers = 1;
  Balance balance = Balance::kernel;
  bool restart = false;
  size_t max_message = 64_MiB;
  long heartbeat_seconds = 30;
  bool compress = false;
  Deflate deflate;
  bool quiet = false;
};

[[noreturn]] void usage() {
  std::fputs("usage: echo [--host ADDRESS] [--port PORT] [--workers N] [--balance kernel|even|by_processor] [--restart] "
             "[--max-message BYTES] [--heartbeat SECONDS] [--compress] [--dedicated] [--threshold BYTES] [--quiet]\n", stderr);
  std::exit(2);
}

unsigned long long number(const char* text, unsigned long long most) {
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || value > most) usage();
  return value;
}

Balance balance(const std::string& name) {
  if (name == "even") return Balance::even;
  if (name == "by_processor") return Balance::by_processor;
  return name == "kernel" ? Balance::kernel : (usage(), Balance::kernel);
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
    else if (name == "--workers") options.workers = static_cast<uint32_t>(number(value(), 256));
    else if (name == "--balance") options.balance = balance(value());
    else if (name == "--restart") options.restart = true;
    else if (name == "--compress") options.compress = true;
    else if (name == "--dedicated") options.deflate.mode = CompressionMode::dedicated;
    else if (name == "--threshold") options.deflate.threshold = static_cast<size_t>(number(value(), 1ull << 31));
    else usage();
  }
  return options;
}

// What every worker serves.
void routes(App& app, const Options& options) {
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
      .compression = options.compress ? Compression(options.deflate) : Compression(false),
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
}

void tell(const Options& options, uint16_t port) {
  if (options.quiet) return;
  const bool ipv6 = options.host.find(':') != std::string::npos;
  std::printf(ipv6 ? "listening on http://[%s]:%u\n" : "listening on http://%s:%u\n", options.host.c_str(), port);
  std::fflush(stdout);
}

// One worker needs no thread of its own: the kernel is a little faster for a process that has only one.
int run_one(const Options& options) {
  App app;
  routes(app, options);
  if (auto port = app.listen(options.host, options.port); !port) return report(port.error());
  tell(options, app.port());
  return app.run();
}

int run_many(const Options& options) {
  Server server({
      .balance = options.balance,
      .host = options.host,
      .port = options.port,
      .restart_on = options.restart ? RestartOn::sighup : RestartOn::never,
      .workers = options.workers,
  });
  if (Error error = server.start([&](App& app) { routes(app, options); })) return report(error);
  tell(options, server.port());
  return server.wait();
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  return options.workers == 1 && !options.restart ? run_one(options) : run_many(options);
}
