// A room whose members sit on different workers: http://localhost:3000/who says which worker answers, and /room is a
// WebSocket whose messages reach everybody, whatever worker they are on. SIGHUP restarts it without losing anybody.
#include <martlet/martlet.h>

#include <atomic>
#include <cstdio>
#include <string>
using namespace martlet;

int main() {
  Server server({.balance = Balance::even, .port = 3000, .restart_on = RestartOn::sighup, .workers = 4});
  std::atomic<int> started = 0;

  // Called once on each worker: what is made here is the worker's own, what is captured by reference is everybody's.
  auto set_up = [&started](App& app) {
    const std::string name = "worker " + std::to_string(started++);

    app.get("/who", [name](Request&, Response& res) { res.send(name); });
    app.get("/rooms", [&app](Request&, Response& res) {
      res.send(std::to_string(app.room("lobby").size()) + " in the lobby, " + std::to_string(app.connections()) + " in all");
    });

    app.ws("/room", {
        .close = [](WebSocket ws, const CloseInfo&) { ws.to("lobby").send("somebody left"); },
        .message = [name](WebSocket ws, const Message& msg) {
          ws.to("lobby").send(name + " says: " + std::string(msg.text()));  // the others, on all workers
        },
        .open = [name](WebSocket ws, Request&) {
          Room lobby = ws.join("lobby");
          ws.send("you are on " + name + ", with " + std::to_string(lobby.size() - 1) + " others");
        },
    });
  };

  if (Error error = server.start(set_up)) return report(error);
  std::printf("%u workers on http://localhost:%u\n", server.workers(), server.port());
  std::fflush(stdout);
  return server.wait();
}
