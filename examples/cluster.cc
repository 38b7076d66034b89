// Several processes on one port, started anew when they die: http://localhost:3000/ says which one answers. Kill one with
// kill -9: only its own connections end.
#include <martlet/martlet.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>
using namespace martlet;

namespace {

int serve(uint32_t index, uint16_t port) {
  const std::string name = "process " + std::to_string(index) + ", pid " + std::to_string(::getpid());
  App app;
  app.get("/", [name](Request&, Response& res) { res.send(name); });
  app.ws("/echo", {
      .open = [name](WebSocket ws, Request&) { ws.send(name); },
      .message = [](WebSocket ws, const Message& msg) { ws.send(msg); },
  });
  if (auto bound = app.listen({.host = "127.0.0.1", .port = port, .reuse_port = true}); !bound) return report(bound.error());
  std::printf("%s: listening on http://127.0.0.1:%u\n", name.c_str(), unsigned{port});
  std::fflush(stdout);  // not when it ends: kill -9 would keep it to itself
  return app.run();
}

}  // namespace

int main(int argc, char** argv) {
  unsigned long port = 3000, processes = 4;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) port = std::strtoul(argv[i + 1], nullptr, 10);
    else if (std::strcmp(argv[i], "--processes") == 0) processes = std::strtoul(argv[i + 1], nullptr, 10);
  }
  // Ours as long as we live; port 0: one that is free. All processes must agree on it before they start.
  auto held = HeldPort::take("127.0.0.1", static_cast<uint16_t>(port));
  if (!held) return report(held.error());
  return supervise(static_cast<uint32_t>(processes), [number = held->port()](uint32_t index) { return serve(index, number); });
}
