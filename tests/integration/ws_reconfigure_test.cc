// App::reconfigure and Server::reconfigure: which routes, which workers, from which thread; what is let in; and what is an Error,
// which changes nothing. Times: ws_reconfigure_times_test.cc; messages that are half here: ws_reconfigure_limits_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/multi_server.h"
#include "support/stepped_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

void echo(WebSocket ws, const Message& msg) { ws.send(msg); }

int status_from(App& app, std::string_view path, std::string_view origin) {
  if (origin.empty()) return app.inject_ws({.path = path}).answer().status;
  return app.inject_ws({.path = path, .fields = {{"Origin", origin}}}).answer().status;
}

// Whether the App takes a message of this size on that route.
bool takes(App& app, std::string_view path, size_t size) {
  InjectedWebSocket ws = app.inject_ws({.path = path});
  REQUIRE(ws.is_open());
  ws.send(pattern(size));
  return ws.next_message().has_value();
}

// An App that is served by this thread, with routes that echo.
struct Lone {
  App app;
  explicit Lone(std::vector<std::string> paths = {"/"}, const WsOptions& options = {}) {
    for (const std::string& path : paths) app.ws(path, {.message = echo, .options = options});
    REQUIRE(app.listen("127.0.0.1", 0).ok());
  }
  void change(WsChanges changes) {
    REQUIRE_FALSE(app.reconfigure(std::move(changes)));
    app.poll_once(0ms);
  }
};

// Three workers, with two routes that tell their worker and echo.
struct Three {
  MultiServer server;
  explicit Three(const WsOptions& options = {})
      : server(3, [options](App& app, uint32_t worker) {
          for (const char* path : {"/w", "/other"}) {
            app.ws(path, {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); }, .message = echo, .options = options});
          }
        }) {}
  // What this thread has asked for before is done everywhere.
  void settle() {
    for (uint32_t worker = 0; worker < 3; worker++) server.on_worker(worker, [](App&) {});
  }
  std::vector<WsClient> on_each(std::string_view path) {
    std::vector<WsClient> clients;
    for (uint32_t worker = 0; worker < 3; worker++) clients.push_back(server.client_of(worker, path));
    return clients;
  }
};

bool is_refused(WsClient& client, size_t size) { return client.send_text(pattern(size)) && client.read_close() == 1009; }

}  // namespace

// Who is let in -------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: origins, their function and whether there must be one, of handshakes to come") {
  Lone lone({"/"}, {.origins = {"https://a.example"}});
  InjectedWebSocket before = lone.app.inject_ws({.path = "/", .fields = {{"Origin", "https://a.example"}}});
  REQUIRE(before.is_open());
  lone.change({.origins = {"https://b.example", "https://*.b.example"}});
  CHECK(status_from(lone.app, "/", "https://a.example") == 403);
  CHECK(status_from(lone.app, "/", "https://b.example") == 101);
  CHECK(status_from(lone.app, "/", "https://x.b.example") == 101);
  CHECK(status_from(lone.app, "/", "") == 101);
  lone.change({.require_origin = true});
  CHECK(status_from(lone.app, "/", "") == 403);
  CHECK(status_from(lone.app, "/", "https://b.example") == 101);
  lone.change({.allow_origin = [](std::string_view origin) { return origin == "https://c.example"; }, .require_origin = false});
  CHECK(status_from(lone.app, "/", "https://b.example") == 101);
  CHECK(status_from(lone.app, "/", "https://c.example") == 101);
  CHECK(status_from(lone.app, "/", "https://d.example") == 403);
  lone.change({.origins = std::vector<std::string>()});
  CHECK(status_from(lone.app, "/", "https://b.example") == 403);
  lone.change({.allow_origin = Decision<bool(std::string_view)>()});
  CHECK(status_from(lone.app, "/", "https://d.example") == 101);
  before.send("still here");
  CHECK(before.next_message() == "still here");
}

TEST_CASE("ws reconfigure: what was said before goes with the route, and what it has captured") {
  auto captured = std::make_shared<int>(7);
  {
    Lone lone({"/a", "/b"});
    lone.change({.allow_origin = [captured](std::string_view) { return *captured == 7; }, .origins = {"https://a.example"}});
    CHECK(status_from(lone.app, "/a", "https://x.example") == 101);
    lone.change({.origins = {"https://b.example"}});
    REQUIRE_FALSE(lone.app.reconfigure("/a", {.allow_origin = [](std::string_view) { return false; }}));
    lone.app.poll_once(0ms);
    CHECK(status_from(lone.app, "/a", "https://x.example") == 403);
    CHECK(status_from(lone.app, "/b", "https://x.example") == 101);
    CHECK(captured.use_count() == 2);
    REQUIRE_FALSE(lone.app.reconfigure({.allow_origin = [captured](std::string_view) { return false; }}));
  }
  CHECK(captured.use_count() == 1);
}

TEST_CASE("ws reconfigure: max_connections closes nobody, and lets nobody in until there are fewer") {
  Lone lone({"/", "/verified"});
  std::vector<InjectedWebSocket> open;
  for (int i = 0; i < 3; i++) open.push_back(lone.app.inject_ws({.path = "/"}));
  lone.change({.max_connections = 2});
  for (InjectedWebSocket& ws : open) CHECK(ws.is_open());
  CHECK(status_from(lone.app, "/", "") == 503);
  open.pop_back();
  lone.app.poll_once(0ms);
  CHECK(status_from(lone.app, "/", "") == 503);
  open.pop_back();
  lone.app.poll_once(0ms);
  open.push_back(lone.app.inject_ws({.path = "/"}));
  CHECK(open.back().is_open());
  CHECK(status_from(lone.app, "/", "") == 503);
  lone.change({.max_connections = 3});
  CHECK(status_from(lone.app, "/", "") == 101);
  lone.change({.max_connections = 0});
  for (int i = 0; i < 10; i++) open.push_back(lone.app.inject_ws({.path = "/"}));
  CHECK(open.back().is_open());
}

// Which routes --------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: all routes, or one by its pattern; what is not said stays as it is") {
  App app;
  app.configure({.max_message_bytes = 50});
  app.ws("/a", {.message = echo, .options = {.origins = {"https://a.example"}}});
  app.ws("/b/:id", {.message = echo});
  Router router;
  router.ws("/c", [](WebSocket ws) { ws.on_message(echo); });
  app.mount("/api", std::move(router));
  CHECK(takes(app, "/a", 50));
  REQUIRE_FALSE(app.reconfigure("/b/:id", {.max_message_bytes = 70}));
  REQUIRE_FALSE(app.reconfigure("/api/c", {.max_message_bytes = 90}));
  app.poll_once(0ms);
  CHECK_FALSE(takes(app, "/a", 51));
  CHECK(takes(app, "/b/1", 70));
  CHECK_FALSE(takes(app, "/b/1", 71));
  CHECK(takes(app, "/api/c", 90));
  REQUIRE_FALSE(app.reconfigure({.max_message_bytes = 10}));
  REQUIRE_FALSE(app.reconfigure({.max_message_bytes = 20}));  // the last word counts
  REQUIRE_FALSE(app.reconfigure({}));
  app.poll_once(0ms);
  for (const char* path : {"/a", "/b/1", "/api/c"}) {
    CHECK(takes(app, path, 20));
    CHECK_FALSE(takes(app, path, 21));
  }
  CHECK(status_from(app, "/a", "https://b.example") == 403);
}

TEST_CASE("ws reconfigure: in a callback it is done after it") {
  App app;
  app.ws("/", {.message = [&](WebSocket ws, const Message& msg) {
                 CHECK_FALSE(app.reconfigure({.max_message_bytes = 5}));
                 ws.send(msg);
               },
               .options = {.allow_origin = [&](std::string_view origin) {
                 const bool good = origin == "https://a.example";
                 CHECK_FALSE(app.reconfigure({.allow_origin = [](std::string_view) { return false; }}));
                 return good;
               }}});
  CHECK(takes(app, "/", 6));
  CHECK_FALSE(takes(app, "/", 6));
  CHECK(status_from(app, "/", "https://a.example") == 101);
  app.poll_once(0ms);
  CHECK(status_from(app, "/", "https://a.example") == 403);
}

TEST_CASE("ws reconfigure: who waits behind a step of ws_use is told as well") {
  std::vector<Next> waiting;
  SteppedServer server([&](App& app) {
    app.ws_use([&](WebSocket, Request&, Next next) { waiting.push_back(next); });
    app.ws("/", {.message = echo});
  });
  Client client = server.connect();
  REQUIRE(client.send(ws_request("/")));
  REQUIRE(server.turn_until([&] { return waiting.size() == 1; }));
  REQUIRE_FALSE(server.app().reconfigure({.idle_timeout = 5s, .max_lifetime = 100s, .max_message_bytes = 3}));
  server.turn();
  waiting[0]();
  WsClient ws(std::move(client));
  REQUIRE(server.turn_until([&] { SteppedServer::read_what_is_there(ws.tcp); return !ws.tcp.in().empty(); }));
  REQUIRE(ws.read_handshake());
  REQUIRE(ws.send_text("abc"));
  REQUIRE(server.turn_until([&] { SteppedServer::read_what_is_there(ws.tcp); return !ws.tcp.in().empty(); }));
  CHECK(ws.reads("abc"));
  server.live(6s);
  SteppedServer::read_what_is_there(ws.tcp);
  CHECK(ws.read_close() == 1000);
}

// Errors --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: what is an Error has changed nothing") {
  Lone lone({"/a", "/b"}, {.max_message_bytes = 50, .origins = {"https://a.example"}});
  App& app = lone.app;
  const auto unchanged = [&] {
    app.poll_once(0ms);
    return takes(app, "/a", 50) && !takes(app, "/b", 51) && status_from(app, "/a", "https://b.example") == 403;
  };
  CHECK(app.reconfigure("/c", {.max_message_bytes = 10}).message() == "no WebSocket route: /c");
  CHECK(app.reconfigure("", {.max_message_bytes = 10}));
  CHECK(app.reconfigure("/a/", {.max_message_bytes = 10}));
  for (const char* wrong : {"b.example", "https://b.example/path", "https://*b.example", "*.b.example", ""}) {
    CAPTURE(wrong);
    CHECK(app.reconfigure({.max_message_bytes = 10, .origins = {"https://b.example", wrong}}));
    CHECK(app.reconfigure("/a", {.max_message_bytes = 10, .origins = {"https://b.example", wrong}}));
  }
  CHECK(unchanged());
  for (const size_t allowed : {size_t{0}, size_t{1}}) {
    FailingAlloc memory(allowed);
    CHECK(app.reconfigure("/a", {.max_message_bytes = 10}).message() == "out of memory");
    if (allowed == 0) CHECK(app.reconfigure({.max_message_bytes = 10}).message() == "out of memory");
    CHECK(FailingAlloc::held == 0);
  }
  CHECK(unchanged());
}

TEST_CASE("ws reconfigure: messages that lean on others are not dropped: drop_oldest is refused where a context is kept") {
  App app;
  app.ws("/kept", {.message = echo, .options = {.compression = Deflate{.mode = CompressionMode::dedicated}}});
  app.ws("/plain", {.message = echo, .options = {.compression = true}});
  REQUIRE(app.listen("127.0.0.1", 0).ok());
  CHECK(app.reconfigure({.max_message_bytes = 10, .slow_consumer = SlowConsumerPolicy::drop_oldest}));
  CHECK(app.reconfigure("/kept", {.slow_consumer = SlowConsumerPolicy::drop_oldest}));
  CHECK_FALSE(app.reconfigure("/kept", {.slow_consumer = SlowConsumerPolicy::drop_newest}));
  CHECK_FALSE(app.reconfigure("/plain", {.slow_consumer = SlowConsumerPolicy::drop_oldest}));
  app.poll_once(0ms);
  CHECK(takes(app, "/plain", 11));
}

TEST_CASE("ws reconfigure: before listen() and when all is over it is an Error") {
  App app;
  app.ws("/", {.message = echo});
  CHECK(app.reconfigure({.max_message_bytes = 10}).message() == "reconfigure() before listen()");
  REQUIRE(app.listen("127.0.0.1", 0).ok());
  CHECK(takes(app, "/", 11));
  CHECK_FALSE(app.reconfigure({.max_message_bytes = 10}));
  app.close();
  app.poll_once(0ms);
  CHECK(app.reconfigure({.max_message_bytes = 10}).message() == "reconfigure() when all is over");
}

TEST_CASE("ws reconfigure: a Server before its start, in its set-up, at its end, and started again") {
  Server server({.host = "127.0.0.1", .workers = 2});
  CHECK(server.reconfigure({.max_message_bytes = 10}));
  for (int start = 0; start < 2; start++) {
    REQUIRE_FALSE(server.start([&](App& app) {
      app.ws("/", {.message = echo});
      CHECK(app.reconfigure({.max_message_bytes = 10}));
      CHECK(server.reconfigure({.max_message_bytes = 10}));
    }));
    WsClient client(server.port(), "/");
    CHECK(client.echoes(pattern(11)));  // what was said to the Server before is not the new Apps'
    CHECK_FALSE(server.reconfigure({.max_message_bytes = 10}));
    server.close();
    CHECK(server.wait({.handle_signals = false}) == 0);
    CHECK(server.reconfigure({.max_message_bytes = 10}).message() == "reconfigure() when all is over");
  }
}

// All workers ---------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: all workers of a Server, for who is connected and who comes, from any thread") {
  Three three({.max_message_bytes = 1000});
  std::vector<WsClient> clients = three.on_each("/w");
  std::vector<WsClient> others = three.on_each("/other");
  REQUIRE_FALSE(three.server.server().reconfigure({.max_message_bytes = 2000}));
  three.settle();
  for (WsClient& client : clients) CHECK(client.echoes(pattern(2000)));
  for (WsClient& client : others) CHECK(client.echoes(pattern(2000)));
  // A worker's own App means all of them, too.
  three.server.on_worker(1, [](App& app) { CHECK_FALSE(app.reconfigure("/w", {.max_message_bytes = 500})); });
  for (WsClient& client : clients) {
    // Between workers it is on its way.
    CHECK(eventually([&] { return client.send_text(pattern(501)) && client.read_message().opcode == kClose; }));
  }
  for (WsClient& client : three.on_each("/w")) CHECK(client.echoes(pattern(500)));
  for (WsClient& client : others) CHECK(client.echoes(pattern(2000)));
  std::thread elsewhere([&] { CHECK_FALSE(three.server.server().reconfigure("/other", {.max_message_bytes = 100})); });
  elsewhere.join();
  for (WsClient& client : others) CHECK(eventually([&] { return client.send_text(pattern(101)) && client.read_message().opcode == kClose; }));
}

TEST_CASE("ws reconfigure: what is an Error has changed nothing on any worker") {
  FailingAlloc memory;
  Three three({.max_message_bytes = 1000, .origins = {"https://a.example"}});
  std::vector<WsClient> clients = three.on_each("/w");
  Server& server = three.server.server();
  CHECK(server.reconfigure("/none", {.max_message_bytes = 10}));
  CHECK(server.reconfigure({.max_message_bytes = 10, .origins = {"https://b.example", "no origin"}}));
  three.server.on_worker(2, [](App& app) { CHECK(app.reconfigure({.max_message_bytes = 10, .origins = {"no origin"}})); });
  FailingAlloc::none_here = true;
  CHECK(server.reconfigure({.max_message_bytes = 10}).message() == "out of memory");
  FailingAlloc::none_here = false;
  three.settle();
  for (WsClient& client : clients) {
    CHECK(client.echoes(pattern(1000)));
    CHECK(is_refused(client, 1001));
  }
}

TEST_CASE("ws reconfigure: max_connections and origins are those of the Server together") {
  Three three;
  std::vector<WsClient> clients = three.on_each("/w");
  REQUIRE_FALSE(three.server.server().reconfigure("/w", {.max_connections = 3, .origins = {"https://a.example"}}));
  three.settle();
  const auto status = [&](std::string_view fields) { return WsClient(three.server.port(), "/w", fields).handshake.status; };
  for (int i = 0; i < 10; i++) {
    CHECK(status({}) == 503);
    CHECK(status("Origin: https://b.example\r\n") == 403);
  }
  for (WsClient& client : clients) CHECK(client.echoes("still here"));
  REQUIRE_FALSE(three.server.server().reconfigure("/w", {.max_connections = 0}));
  three.settle();
  for (int i = 0; i < 10; i++) CHECK(status("Origin: https://a.example\r\n") == 101);
}

TEST_CASE("ws reconfigure: heartbeats begin on all workers") {
  Three three({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms});
  std::vector<WsClient> clients = three.on_each("/w");
  REQUIRE_FALSE(three.server.server().reconfigure({.heartbeat_interval = 100ms, .heartbeat_timeout = 500ms}));
  for (WsClient& client : clients) CHECK(client.read_frame().opcode == kPing);
  for (WsClient& client : clients) {  // they never answer
    while (client.read_frame().opcode == kPing) {}
    CHECK(client.tcp.read_to_end());
  }
}

TEST_CASE("ws reconfigure: limits change on two threads while a hundred clients talk") {
  Three three;
  std::atomic<bool> over{false};
  std::atomic<int> refused{0};
  const auto change = [&](size_t seed) {
    for (size_t i = 0; !over; i++) {
      const size_t n = i + seed;
      const Error error = three.server.server().reconfigure(
          {.allow_origin = [n](std::string_view) { return n < SIZE_MAX; },
           .heartbeat_interval = milliseconds(n % 3 * 1000),
           .heartbeat_timeout = milliseconds(n % 5 * 20'000),
           .idle_timeout = milliseconds(n % 2 * 60'000),
           .max_connections = static_cast<uint32_t>(1000 + n % 2),
           .max_lifetime = milliseconds(n % 4 * 600'000),
           .max_message_bytes = 10'000 + n % 100,
           .max_metadata_bytes = 1000 + n % 2,
           .max_unsent_bytes = 1_MiB + n % 2,
           .measure_latency = n % 2 == 0,
           .origins = {"https://a.example", "https://*.b.example"},
           .slow_consumer = n % 2 ? SlowConsumerPolicy::drop_newest : SlowConsumerPolicy::close});
      refused += bool(error);
      refused += !three.server.server().reconfigure({.origins = {"no origin"}});
      std::this_thread::yield();
    }
  };
  std::thread changers[] = {std::thread(change, 0), std::thread(change, 1)};
  std::vector<std::thread> talkers;
  for (int t = 0; t < 4; t++) {
    talkers.emplace_back([&, t] {
      std::vector<WsClient> clients;
      for (int i = 0; i < 25; i++) {
        clients.emplace_back(three.server.port(), i % 2 ? "/w" : "/other", "Origin: https://x.b.example\r\n");
        CHECK(clients.back().open());
        CHECK(clients.back().read_message().payload.starts_with("worker "));
      }
      for (int round = 0; round < 5; round++) {
        for (WsClient& client : clients) CHECK(client.echoes(pattern(5'000 + static_cast<size_t>(t * 100 + round))));
      }
      for (WsClient& client : clients) CHECK(client.close_nicely());
    });
  }
  for (std::thread& talker : talkers) talker.join();
  over = true;
  for (std::thread& changer : changers) changer.join();
  CHECK(refused == 0);
  three.settle();
  for (const size_t size : {10'020u, 10'040u, 10'060u, 10'080u}) {  // whichever came last, it is the same on all workers
    int too_large = 0;
    std::vector<WsClient> clients = three.on_each("/w");
    for (WsClient& client : clients) {
      REQUIRE(client.send_text(pattern(size)));
      too_large += client.read_message().opcode == kClose;
    }
    CHECK((too_large == 0 || too_large == 3));
  }
}
