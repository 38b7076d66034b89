// Answers that the server waits for: in order and not, late, twice, from others, unknown; timeouts; the end of the connection; the limit on
// both sides; what throws; memory that is out.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Asks on opening, and writes down what became of it, on the server's thread.
struct Asked {
  std::vector<std::string> results;
  std::function<void(WebSocket, AckResult)> note() {
    return [this](WebSocket, AckResult r) { results.push_back(std::string(name_of(r.status())).append(" ").append(r.text())); };
  }
};

std::string question(int ack) { return R"({"event":"q","args":[1],"ack":)" + std::to_string(ack) + "}"; }
std::string answer(int ack, std::string_view args = "2") { return R"({"ack":)" + std::to_string(ack) + R"(,"args":[)" + std::string(args) + "]}"; }

}  // namespace

TEST_CASE("ws acks: answered in another order, twice, late, and by those who were not asked") {
  Asked asked;
  TestServer server([&](App& app) {
    app.ws("/asks", [&](WebSocket ws) {
      for (int i = 0; i < 3; i++) ws.emit_with_ack("q", 1).then(asked.note());
      ws.on_message([](WebSocket from, const Message& m) { from.send(m); });
    });
    app.ws("/other", [&](WebSocket ws) { ws.on_message([](WebSocket from, const Message& m) { from.send(m); }); ws.on("e", [](WebSocket) {}); });
  });
  WsClient client(server.port(), "/asks");
  for (int i = 0; i < 3; i++) CHECK(client.reads(question(1024 * i + i)));
  WsClient other(server.port(), "/other");
  CHECK(other.echoes(answer(0)));  // it was never asked: a text like any other
  REQUIRE(client.send_text(answer(2050, R"("c",[3])")));
  REQUIRE(client.send_text(answer(0, R"("a")")));
  REQUIRE(client.send_text(answer(0, R"("again")")));
  REQUIRE(client.send_text(answer(1, R"("none")")));
  REQUIRE(client.send_text(answer(1025)));
  REQUIRE(client.send_text(R"({"ack":9007199254740991,"args":[]})"));
  CHECK(client.echoes(R"({"ack":1,"args":[)"));  // no JSON
  CHECK(client.echoes(R"({"ack":1,"args":7})"));
  server.on_thread([&](App&) { CHECK(asked.results == std::vector<std::string>{R"(ok "c")", R"(ok "a")", "ok 2"}); return 0; });
}

TEST_CASE("ws acks: the arguments of an answer, by type") {
  std::atomic<bool> done = false;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.emit_with_ack("q", {{"a", 1}}).then([&](WebSocket, AckResult r) {
        CHECK(r.ok());
        CHECK(r.size() == 3);
        CHECK(*r.get<int>(0) == 7);
        CHECK(*r.get<std::string>(1) == "x");
        CHECK((*r.get(2))["k"].dump() == "[1]");
        CHECK(!r.get<int>(1));
        CHECK(!r.get(3));
        done = true;
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.reads(R"({"event":"q","args":[{"a":1}],"ack":0})"));
  REQUIRE(client.send_text(R"({"args":[7,"x",{"k":[1]}],"ack":0})"));
  CHECK(eventually([&] { return done.load(); }));
}

TEST_CASE("ws acks: timeouts, to the millisecond, and what comes after them") {
  Asked asked;
  SteppedServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.emit_with_ack("q", 1).timeout(100ms).then(asked.note());
      ws.emit_with_ack("q", 1).timeout(50ms).then(asked.note());
      ws.emit_with_ack("q", 1).then(asked.note());
    });
  });
  WsClient client = server.open_websocket("/");
  server.live(49ms);
  CHECK(asked.results.empty());
  server.live(1ms);
  CHECK(asked.results == std::vector<std::string>{"timed_out "});
  REQUIRE(client.send_text(answer(0) ));
  REQUIRE(server.turn_until([&] { return asked.results.size() == 2; }));
  CHECK(asked.results[1] == "ok 2");
  REQUIRE(client.send_text(answer(1025)));  // late
  server.live(1000ms);
  CHECK(asked.results.size() == 2);
  REQUIRE(client.send_text(answer(2050)));
  REQUIRE(server.turn_until([&] { return asked.results.size() == 3; }));
}

TEST_CASE("ws acks: when the connection ends, who waits is told, in order, after the close handlers; later ones at once") {
  std::vector<std::string> told;
  std::atomic<bool> done = false;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      for (int i = 0; i < 3; i++) {
        ws.emit_with_ack("q", i).timeout(1h).then([&, i](WebSocket, AckResult r) { told.push_back(std::to_string(i).append(name_of(r.status()))); });
      }
      ws.on_close([&](WebSocket from, const CloseInfo&) {
        told.push_back("close");
        bool returned = false;
        from.emit_with_ack("late").then([&, returned](WebSocket from_then, AckResult r) {
          told.push_back(std::string("late ").append(name_of(r.status())));
          from_then.emit_with_ack("later").then([&](WebSocket, AckResult) { done = true; });
          CHECK(!returned);
        });
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.open());
  CHECK(client.read_message().ok());
  CHECK(client.send_close(1000));
  CHECK(eventually([&] { return done.load(); }));
  CHECK(told == std::vector<std::string>{"close", "0closed", "1closed", "2closed", "late closed"});
}

TEST_CASE("ws acks: 1,024 outstanding, and one more; answers make room") {
  std::atomic<int> waiting = 0, refused = 0, ok = 0, closed = 0;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      const auto note = [&](WebSocket, AckResult r) { r.ok() ? ok++ : r.status() == AckStatus::refused ? refused++ : closed++; };
      for (int i = 0; i < 1025; i++) ws.emit_with_ack("q").then(note);
      waiting = 1;
      ws.on("more", [note](WebSocket from) { from.emit_with_ack("q").then(note); });
    }, {.max_unsent_bytes = 16_MiB});
  });
  WsClient client(server.port());
  for (int i = 0; i < 1024; i++) REQUIRE(client.read_message().ok());
  CHECK(eventually([&] { return refused == 1; }));
  REQUIRE(client.send_text(R"({"ack":0})"));
  REQUIRE(client.send_text(R"({"event":"more"})"));
  CHECK(client.reads(R"({"event":"q","args":[],"ack":1048576})"));
  CHECK(ok == 1);
  CHECK(refused == 1);
  REQUIRE(client.send_text(R"({"event":"more"})"));
  CHECK(eventually([&] { return refused == 2; }));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return closed == 1024; }));
}

TEST_CASE("ws acks: a million answers that nobody waits for") {
  std::atomic<uint64_t> messages = 0;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.emit_with_ack("q").then([](WebSocket, AckResult) {});
      ws.on_message([&](WebSocket from, const Message& m) { messages++; from.send(m); });
    });
  });
  WsClient client(server.port());
  REQUIRE(client.read_message().ok());
  std::string frames;
  for (int i = 1; i <= 1000; i++) frames += ws_frame(kText, R"({"ack":)" + std::to_string(i) + R"(,"args":[]})");
  for (int i = 0; i < 1000; i++) REQUIRE(client.send(frames));
  CHECK(client.echoes("x"));
  CHECK(messages == 1);
}

TEST_CASE("ws acks: one who waits and throws closes with 1011, at an answer and at a timeout") {
  std::atomic<int> failures = 0;
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& f) { failures += f.what == "oh"; });
    app.ws("/:timeout", [&](WebSocket ws, Request& req) {
      ws.emit_with_ack("q").timeout(milliseconds(req.param("timeout") == "0" ? 0 : 60'000)).then([](WebSocket, AckResult) { throw std::runtime_error("oh"); });
    });
  });
  for (const char* path : {"/60000", "/0"}) {
    WsClient client(server.port(), path);
    REQUIRE(client.read_message().ok());
    if (path[1] == '6') REQUIRE(client.send_text(R"({"ack":0})"));
    CHECK(client.read_close() == 1011);
  }
  CHECK(eventually([&] { return failures == 2; }));
}

TEST_CASE("ws acks: asked from another thread, and of a connection that is none") {
  std::atomic<int> told = 0;
  std::optional<WebSocket> socket;
  std::mutex lock;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) { const std::lock_guard hold(lock); socket = ws; });
  });
  WsClient client(server.port());
  REQUIRE(eventually([&] { const std::lock_guard hold(lock); return socket.has_value(); }));
  socket->emit_with_ack("q", 1).timeout(10s).then([&](WebSocket, AckResult r) { told += r.ok() && *r.get<int>() == 5; });
  CHECK(client.reads(question(0)));
  REQUIRE(client.send_text(answer(0, "5")));
  CHECK(eventually([&] { return told == 1; }));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return server.on_thread([](App& app) { return app.connections(); }) == 0; }));
  socket->emit_with_ack("q", 1).then([&](WebSocket, AckResult r) { told += r.status() == AckStatus::closed; });
  CHECK(eventually([&] { return told == 2; }));
  WebSocket().emit_with_ack("q").then([&](WebSocket, AckResult) { told++; });  // nobody is there to tell it
  WebSocket().on("x", [](WebSocket) {});
  WebSocket().off("x");
  CHECK(WebSocket().emit("x") == SendStatus::closed);
}

TEST_CASE("ws acks: a name that is too long is refused") {
  Asked asked;
  SteppedServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.emit_with_ack(std::string(129, 'n')).then(asked.note());
      CHECK(asked.results.empty());
    });
  });
  WsClient client = server.open_websocket("/");
  REQUIRE(server.turn_until([&] { return asked.results.size() == 1; }));
  CHECK(asked.results[0] == "refused ");
}
