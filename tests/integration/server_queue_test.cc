// A worker that does not turn, in a handler that takes its time: what the others have for it waits, in order; messages up
// to a bound, commands without; nothing is lost without being counted.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr size_t kMessage = 1_MiB;

// A message of kMessage bytes that begins with its number.
std::string numbered(int i) {
  std::string text = std::to_string(i) + " ";
  text.resize(kMessage, 'x');
  return text;
}

// Two workers; "stall" on a WebSocket of worker 1 holds it until released.
struct Stalled {
  std::mutex mutex;
  std::vector<WebSocket> sockets;  // by worker
  std::vector<Response> responses;
  std::promise<void> release;
  std::promise<void> holds;
  MultiServer server;
  WsClient here;   // on worker 0
  WsClient there;  // on worker 1
  WsClient stopper;
  bool released = false;

  explicit Stalled(SlowConsumerPolicy policy)
      : sockets(2),
        server(2, [this, policy](App& app, uint32_t worker) { set_up(app, worker, policy); }),
        here(server.client_of(0, "/w")),
        there(server.client_of(1, "/w")),
        stopper(server.client_of(1, "/stop")) {
    for (WsClient* client : {&here, &there}) {
      REQUIRE(client->send_text("join"));
      REQUIRE(client->reads("joined"));
    }
  }
  ~Stalled() { go_on(); }

  void set_up(App& app, uint32_t worker, SlowConsumerPolicy policy) {
    app.get("/defer", [this](Request&, Response& res) {
      const std::lock_guard lock(mutex);
      responses.push_back(res.defer());
    });
    app.ws("/w", {
        .open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
        .message = [this, worker](WebSocket ws, const Message& m) {
          if (m.text().starts_with("join ")) {
            ws.join(m.text().substr(5));
            return (void)ws.send("joined");
          }
          {
            const std::lock_guard lock(mutex);
            sockets[worker] = ws;
          }
          ws.join("hall");
          ws.send("joined");
        },
        .options = {.max_unsent_bytes = 1024_MiB, .slow_consumer = policy},
    });
    app.ws("/stop", {
        .open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
        .message = [this](WebSocket, const Message&) { holds.set_value(), release.get_future().wait(); },
    });
  }
  void stall() {
    REQUIRE(stopper.send_text("stop"));
    holds.get_future().wait();
  }
  void go_on() {
    if (!released) server.on_worker(0, [](App&) {});  // the turn that published last is over
    if (!released) release.set_value();
    released = true;
  }
};

}  // namespace

TEST_CASE("server_queue: a publish that a worker has no room for makes its receivers slow ones, which are closed") {
  Stalled s(SlowConsumerPolicy::close);
  s.stall();
  const int kCount = 100;
  for (int i = 0; i < kCount; i++) {
    s.server.on_worker(0, [i](App& app) { CHECK(app.to("hall").send(numbered(i)) == SendStatus::ok); });
    CHECK((s.here.read_message().payload == numbered(i)));  // nobody else waits
  }
  s.go_on();
  int heard = 0;
  WsFrame frame;
  for (frame = s.there.read_frame(); frame.opcode == kText; frame = s.there.read_frame()) {
    REQUIRE((frame.payload == numbered(heard)));
    heard++;
  }
  CHECK(heard < kCount);
  CHECK(frame.close_code() == 1008);
  const uint64_t room = 64;  // for messages of this size
  CHECK(eventually([&] { return s.server.stats().mail_refused >= kCount - room; }));
  CHECK(s.server.stats().mail_refused <= static_cast<uint64_t>(kCount - heard));
  CHECK(eventually([&] { return s.server.stats().slow_consumers == 1; }));
}

TEST_CASE("server_queue: where the policy drops, the receiver goes on, and what it missed is counted") {
  Stalled s(SlowConsumerPolicy::drop_newest);
  s.stall();
  for (int i = 0; i < 100; i++) s.server.on_worker(0, [i](App& app) { app.to("hall").send(numbered(i)); });
  s.go_on();
  uint64_t missed = 0;
  CHECK(eventually([&] { return (missed = s.server.stats().messages_dropped) > 0; }));
  for (uint64_t i = 0; i < 100 - missed; i++) REQUIRE((s.there.read_message().payload == numbered(static_cast<int>(i))));
  s.server.on_worker(0, [](App& app) { app.to("hall").send("the end"); });
  CHECK(s.there.reads("the end"));
  CHECK(s.server.stats().mail_refused >= missed);
}

TEST_CASE("server_queue: direct messages that there is no room for are refused at once, on a worker and off one") {
  for (const bool outside : {false, true}) {
    Stalled s(SlowConsumerPolicy::close);
    s.stall();
    const WebSocket there = s.sockets[1];
    const auto flood = [there] {
      int taken = 0;
      while (there.send(numbered(taken)) == SendStatus::posted && taken < 1000) taken++;
      return taken;
    };
    const int taken = outside ? flood() : s.server.on_worker(0, [&](App&) { return flood(); });
    CHECK(taken >= 60);
    CHECK(taken <= 64);
    s.go_on();
    for (int i = 0; i < taken; i++) REQUIRE((s.there.read_message().payload == numbered(i)));
    there.send("again");
    CHECK(s.there.reads("again"));
    CHECK(eventually([&] { return s.server.stats().mail_refused == 1; }));
  }
}

TEST_CASE("server_queue: commands are never refused, and keep their order with messages, however many wait") {
  Stalled s(SlowConsumerPolicy::close);
  std::vector<Client> waiting;
  while (s.responses.size() < 10) {  // of either worker
    waiting.emplace_back(s.server.port());
    REQUIRE(waiting.back().send("GET /defer HTTP/1.1\r\nHost: t\r\n\r\n"));
    const size_t count = waiting.size();
    REQUIRE(eventually([&] {
      const std::lock_guard lock(s.mutex);
      return s.responses.size() == count;
    }));
  }
  s.stall();
  const WebSocket there = s.sockets[1];
  constexpr int kRounds = 2000;  // many times what a ring holds
  s.server.on_worker(0, [&](App& app) {
    for (int i = 0; i < kRounds; i++) {
      there.leave("hall");
      app.to("hall").send("missed");
      there.send(std::to_string(i));
      there.join("hall");
      app.to("hall").send("heard " + std::to_string(i));
    }
    for (Response& response : s.responses) response.send("at last");
    there.close(CloseCode::normal, "done");
  });
  s.go_on();
  for (int i = 0; i < kRounds; i++) {
    REQUIRE(s.there.reads(std::to_string(i)));
    REQUIRE(s.there.reads("heard " + std::to_string(i)));
  }
  CHECK(s.there.read_close() == 1000);
  for (Client& client : waiting) CHECK(client.read_response().body == "at last");
  CHECK(s.server.stats().mail_refused == 0);
}
