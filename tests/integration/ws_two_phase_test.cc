// Routes in two phases, what connections leave to be done at their end, and routes by the names of files.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/failing_alloc.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

// As if these stood in files of their own.
#line 1 "/home/me/shop/app/api/room/[roomId]/route.cc"
MARTLET_SOCKET(RouteServer& server) {
  return [server](WebSocket ws, Request& req) { ws.send(std::string(server.pattern()).append(" ").append(req.param("roomId"))); };
}
MARTLET_GET(req, res) { res.send(std::string("room ").append(req.param("roomId"))); }
MARTLET_DELETE(req, res) { throw std::runtime_error("not this one"); }
#line 27 "tests/integration/ws_two_phase_test.cc"

namespace {

namespace rest {
#line 1 "shop/app/(files)/docs/[...rest]/route.test.cc"
MARTLET_GET(req, res) { res.send(std::string("rest ").append(req.param("rest"))); }
MARTLET_POST(req, res) { res.send(req.body()); }
#line 35 "tests/integration/ws_two_phase_test.cc"
}  // namespace rest

namespace index {
#line 1 "shop/app/route.cc"
MARTLET_GET(req, res) { res.send("index"); }
#line 41 "tests/integration/ws_two_phase_test.cc"
}  // namespace index

}  // namespace

TEST_CASE("two phases: the first runs once, before the first client, and knows the clients of its route") {
  std::atomic<int> set_ups = 0, gone = 0;
  TestServer server([&](App& app) {
    app.ws("/chat/:room", [&](RouteServer& route) {
      set_ups++;
      CHECK(route.pattern() == "/chat/:room");
      CHECK(route.clients().empty());
      return [&gone, route](WebSocket ws, Request& req) {
        route.everybody().except(ws).send(std::string("came to ").append(req.param("room")));
        CHECK(route.clients().front() == ws);
        CHECK(route.stats().connections == route.clients().size());
        ws.send(std::to_string(route.stats().here));
        return [&gone, route] {
          gone++;
          route.broadcast("went");
        };
      };
    });
    app.ws("/other", [](WebSocket) {});
    CHECK(set_ups == 0);
  });
  CHECK(set_ups == 1);
  WsClient other(server.port(), "/other");
  WsClient first(server.port(), "/chat/a");
  CHECK(first.reads("1"));
  {
    WsClient second(server.port(), "/chat/b");
    CHECK(second.reads("2"));
    CHECK(first.reads("came to b"));
    CHECK(second.close_nicely());
  }
  CHECK(first.reads("went"));
  CHECK(gone == 1);
  CHECK(other.close_nicely());
  CHECK(set_ups == 1);
}

TEST_CASE("two phases: a set-up that throws is the Error of listen, as is one in a mounted Router") {
  App app;
  app.ws("/", [](RouteServer&) -> ConnectionHandler { throw std::runtime_error("no database"); });
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(!port);
  CHECK(std::string(port.error().what()).find("route \"/\": its set-up has thrown: no database") != std::string::npos);
  CHECK(!app.listen("127.0.0.1", 0));  // again: it is tried once more, and no route without a handler is served

  App second;
  Router router;
  std::string pattern;
  router.ws("/live", [&pattern](RouteServer& route) {
    pattern = route.pattern();
    return [](WebSocket ws) { ws.send("here"); };
  });
  second.mount("/api", std::move(router));
  CHECK(second.inject_ws({.path = "/api/live"}).next_message() == "here");
  CHECK(pattern == "/api/live");
}

TEST_CASE("two phases: every worker of a Server has its set-up; broadcast and stats mean all of them") {
  std::atomic<int> set_ups = 0;
  MultiServer server(3, [&](App& app, uint32_t) {
    app.ws("/", [&](RouteServer& route) {
      set_ups++;
      return [route](WebSocket ws) {
        ws.on_message([route](WebSocket from, const Message& m) {
          if (m.text() == "count") from.send(std::to_string(route.stats().connections));
          else route.broadcast(m);
        });
      };
    });
  });
  CHECK(set_ups == 3);
  std::vector<WsClient> clients;
  for (int i = 0; i < 12; i++) {
    clients.emplace_back(server.port(), "/");
    REQUIRE(clients.back().open());
  }
  CHECK(eventually([&] { return clients[0].send_text("count") && clients[0].read_message().payload == "12"; }));
  CHECK(clients[0].send_text("to all"));
  for (WsClient& client : clients) CHECK(client.reads("to all"));
}

TEST_CASE("clean-up: once per connection, however it ends, after its close handlers and before it leaves its rooms") {
  std::atomic<int> opened = 0, cleaned = 0, closed = 0, in_room = 0;
  {
    TestServer server([&](App& app) {
      app.ws("/:how", [&](WebSocket ws, Request& req) {
        opened++;
        ws.join("room");
        const std::string how(req.param("how"));
        ws.on_close([&](WebSocket, const CloseInfo&) { closed++; });
        ws.on_message([](WebSocket, const Message&) { throw std::runtime_error("a handler"); });
        if (how == "aborted") ws.abort();
        if (how == "closed") ws.close();
        return [&cleaned, &in_room, ws] {
          cleaned++;
          in_room += ws.rooms().size() == 1;
          throw std::runtime_error("a clean-up");  // is told to on_error, and harms nobody
        };
      });
    });
    WsClient nicely(server.port(), "/nicely");
    CHECK(nicely.close_nicely());
    { WsClient cut(server.port(), "/cut"); }
    WsClient thrown(server.port(), "/thrown");
    CHECK(thrown.send_text("x"));
    CHECK(thrown.read_close() == 1011);
    WsClient closed_at_once(server.port(), "/closed");
    CHECK(closed_at_once.read_close() == 1000);
    CHECK(closed_at_once.send_close(1000));
    CHECK(closed_at_once.ended());
    WsClient aborted(server.port(), "/aborted");
    CHECK(aborted.tcp.read_to_end());
    CHECK(eventually([&] { return cleaned == 5; }));
    CHECK(in_room >= 4);
    WsClient left(server.port(), "/left");
    CHECK(left.open());
    CHECK(cleaned == 5);
  }
  CHECK(opened == 6);
  CHECK(cleaned == 6);
  CHECK(closed == 6);
}

TEST_CASE("clean-up: a handler that throws leaves none, an empty one is none, and a drain runs them") {
  std::atomic<int> cleaned = 0;
  TestServer server([&](App& app) {
    app.ws("/throws", [&](WebSocket) -> Cleanup { throw std::runtime_error("at once"); });
    app.ws("/none", [&](WebSocket) -> Cleanup { return nullptr; });
    app.ws("/some", [&](WebSocket) -> Cleanup { return [&] { cleaned++; }; });
  });
  WsClient throws(server.port(), "/throws");
  CHECK(throws.read_close() == 1011);
  WsClient none(server.port(), "/none");
  CHECK(none.close_nicely());
  WsClient some(server.port(), "/some");
  REQUIRE(some.open());
  server.turn();
  CHECK(cleaned == 0);
  server.app().drain();
  CHECK(some.read_close() == 1001);
  CHECK(some.send_close(1001));
  CHECK(server.wait_until_over() == 0);
  CHECK(cleaned == 1);
}

TEST_CASE("clean-up: where memory is out, what was opened is still cleaned up, once") {
  const LogLevel before = log_level();
  set_log_level(LogLevel::off);
  for (size_t allowed = 0; allowed < 60; allowed++) {
    CAPTURE(allowed);
    int opened = 0, cleaned = 0;
    {
      App app;
      app.ws("/", [&](WebSocket) {
        opened++;
        return [&] { cleaned++; };
      });
      REQUIRE(app.inject({.path = "/nothing"}).status == 404);
      FailingAlloc memory(allowed);
      InjectedWebSocket socket = app.inject_ws({});
      CHECK(cleaned <= opened);
      FailingAlloc::left = SIZE_MAX;
      socket.close();
    }
    CHECK(cleaned == opened);
  }
  set_log_level(before);
}

TEST_CASE("file routes: their paths are where their files stand") {
  App app;
  app.file_routes("shop/app/");
  CHECK(app.routes().size() == 6);
  CHECK(app.inject({.path = "/api/room/7"}).body == "room 7");
  CHECK(app.inject({.path = "/"}).body == "index");
  CHECK(app.inject({.path = "/docs/a/b"}).body == "rest a/b");
  CHECK(app.inject({.path = "/docs/"}).body == "rest ");
  CHECK(app.inject({.method = "POST", .path = "/docs/x", .body = "posted"}).body == "posted");
  CHECK(app.inject({.method = "DELETE", .path = "/api/room/7"}).status == 500);
  CHECK(app.inject_ws({.path = "/api/room/%41"}).next_message() == "/api/room/[roomId] A");

  // Below another folder: what stands elsewhere is a mistake.
  App half;
  half.file_routes("api");
  const auto port = half.listen("127.0.0.1", 0);
  REQUIRE(!port);
  CHECK(std::string(port.error().what()).find("is not below the folder") != std::string::npos);

  App none;
  none.file_routes("op/app");
  CHECK(!none.listen("127.0.0.1", 0));
}

TEST_CASE("file routes: two for one path, and a file that is not called route, are the Error of listen") {
  // They stay announced for the rest of the program, as any would: nothing behind this asks for file routes.
  static const detail::FileRoute twice("else/where/shop/app/route.cc", "GET", [] { return Step([](Request&, Response& res) { res.send("second"); }); });
  App app;
  app.file_routes("shop/app");
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(!port);
  CHECK(std::string(port.error().what()).find("\"/\"") != std::string::npos);

  static const detail::FileRoute other_name("shop/app/users.cc", "GET", [] { return Step([](Request&, Response&) {}); });
  App second;
  second.file_routes("shop/app");
  const auto again = second.listen("127.0.0.1", 0);
  REQUIRE(!again);
  CHECK(std::string(again.error().what()).find("is called route") != std::string::npos);
}
