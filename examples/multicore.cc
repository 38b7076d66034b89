// A room whose members sit on different workers: http://localhost:3000/who says which worker answers, and /room is a
// WebSocket whose messages reach everybody, whatever worker they are on. SIGHUP restarts it without losing anybody.
// `multicore 4000` listens on another port.
#include <martlet/martlet.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
using namespace martlet;

int main(int argc, char** argv) {
  const auto port = static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 3000);
  Server server({.balance = Balance::even, .host = "127.0.0.1", .port = port, .restart_on = RestartOn::sighup, .workers = 4});
  std::atomic<int> started = 0;

  // Called once on each worker: what is made here is the worker's own, what is captured by reference is everybody's.
  auto set_up = [&started](App& app) {
    const std::string name = "worker " + std::to_string(started++);

    app.get("/who", [name](Request&, Response& res) { res.send(name); });
    app.get("/rooms", [&app](Request&, Response& res) {
      res.send(std::to_string(app.room("lobby").size()) + " in the lobby, " + std::to_string(app.connections()) + " in all");
    });

    app.ws("/room", {
        .open = [name, &app](WebSocket ws, Request&) {
          const size_t others = app.room("lobby").size();
          ws.join("lobby");
          ws.send("you are on " + name + ", with " + std::to_string(others) + " others");
        },
        .message = [name](WebSocket ws, const Message& msg) {
          ws.to("lobby").send(name + " says: " + std::string(msg.text()));  // the others, on all workers
        },
        .close = [](WebSocket ws, const CloseInfo&) { ws.to("lobby").send("somebody left"); },
    });
  };

  if (Error error = server.start(set_up)) return report(error);
  std::printf("%u workers, listening on http://127.0.0.1:%u\n", server.workers(), server.port());
  std::fflush(stdout);
  return server.wait();
}
