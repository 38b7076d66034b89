// Server::on_stall: who is told of a worker that does not turn, of what, and how often.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/gate.h"
#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Seen {
  uint32_t worker;
  milliseconds since;
  std::string route;
};

}  // namespace

TEST_CASE("server_watchdog: it names the worker and what it is in, once per stall") {
  std::atomic<Gate*> gate = nullptr;
  std::mutex mutex;
  std::vector<Seen> seen;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return seen.size();
  };
  Server server({.host = "127.0.0.1", .watchdog = 100ms, .workers = 2});
  server.on_stall([&](const Stall& stall) {
    const std::lock_guard lock(mutex);
    seen.push_back({stall.worker, stall.since, std::string(stall.route)});
  });
  set_log_level(LogLevel::off);
  const auto block = [&gate] { gate.load()->wait(); };
  REQUIRE(!server.start([&, next = 0u](App& app) mutable {
    const uint32_t worker = next++;
    app.get("/stall/:who", [&](Request&, Response& res) {
      block();
      res.send("over");
    });
    app.use("/later", [&](Request&, Response&, Next go) { app.after(1ms, [go]() mutable { go(); }); });
    app.get("/later", [&](Request&, Response& res) {
      block();
      res.send("over");
    });
    app.ws("/ws/:who", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                        .message = [&](WebSocket ws, const Message& m) {
                          if (m.text() == "post") return ws.post([&](WebSocket) { block(); });
                          if (m.text() == "timer") return (void)app.after(1ms, block);
                          if (m.text() == "quick") return (void)ws.send("quick");
                          block();
                        }});
  }));
  std::thread waiter([&] { CHECK(server.wait({.handle_signals = false}) == 0); });
  const auto connect = [&](uint32_t worker) {
    for (;;) {
      WsClient client(server.port(), "/ws/x");
      if (client.reads("worker " + std::to_string(worker))) return client;
    }
  };
  WsClient on_0 = connect(0), on_1 = connect(1);
  const auto stall_by = [&](auto&& cause, std::string_view route, int worker) {
    Gate here;
    gate = &here;
    const size_t before = count();
    cause();
    REQUIRE(here.wait_for_one());
    CHECK(eventually([&] { return count() == before + 1; }));
    // It is told once, though it lasts; the other worker goes on and is not named.
    if (worker == 1) CHECK(on_0.echoes("quick"));
    std::this_thread::sleep_for(250ms);  // time in which a second report would come
    CHECK(count() == before + 1);
    const std::lock_guard lock(mutex);
    CHECK(seen.back().route == route);
    if (worker >= 0) CHECK(seen.back().worker == static_cast<uint32_t>(worker));
    CHECK(seen.back().since >= 100ms);
    CHECK(seen.back().since < kPatience);
    here.open();
  };
  stall_by([&] { on_1.send_text("message"); }, "/ws/:who", 1);
  stall_by([&] { on_1.send_text("message"); }, "/ws/:who", 1);  // again: another stall
  stall_by([&] { on_1.send_text("timer"); }, "timer", 1);
  stall_by([&] { on_1.send_text("post"); }, "post", 1);
  stall_by([&] { server.post(0, [&](App&) { block(); }); }, "post", 0);
  Client http(server.port());
  stall_by([&] { http.send("GET /stall/me HTTP/1.1\r\nHost: x\r\n\r\n"); }, "/stall/:who", -1);
  CHECK(http.read_response().body == "over");
  stall_by([&] { http.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"); }, "/later", -1);
  CHECK(http.read_response().body == "over");
  CHECK(on_0.echoes("quick"));
  CHECK(on_1.echoes("quick"));
  // Idle workers do not stall.
  const size_t before = count();
  std::this_thread::sleep_for(300ms);
  CHECK(count() == before);
  server.close();
  waiter.join();
  set_log_level(LogLevel::warn);
}
