// What a connection knows of itself and its peer, the request that it keeps, its timers, and stopping to read.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

// The request --------------------------------------------------------------------------------------------------------

TEST_CASE("ws request: path, parameters, query and named fields last as long as the connection") {
  WebSocket late;
  SteppedServer server([&](App& app) {
    app.ws("/room/:name/:id", {.open = [&](WebSocket ws, Request&) { late = ws; },
                               .options = {.keep_headers = {"X-Team", "Cookie", "X-Absent"}}});
  });
  Client client = server.connect();
  REQUIRE(client.send(ws_request("/room/a%20b/7?q=x+y%21&q=2&n=12&%71=no",
                                 "Origin: https://a.example\r\nUser-Agent: bird/1\r\nx-team: red\r\nX-Team: blue\r\nX-Other: no\r\n")));
  REQUIRE(server.turn_until([&] { return server.app().stats().open_websockets == 1; }));
  for (int turn = 0; turn < 3; turn++) server.turn();
  const ConnectionRequest request = late.request();
  CHECK(request);
  CHECK(request.url() == "/room/a%20b/7?q=x+y%21&q=2&n=12&%71=no");
  CHECK(late.url() == request.url());
  CHECK(request.path() == "/room/a%20b/7");
  CHECK(request.query_string() == "q=x+y%21&q=2&n=12&%71=no");
  CHECK(request.param("name") == "a b");
  CHECK(request.param<int>("id") == 7);
  CHECK_FALSE(request.param<int>("name"));
  CHECK(request.param("none").empty());
  REQUIRE(request.params().size() == 2);
  CHECK(request.params()[1].name == "id");
  CHECK(request.query("q") == "x y!");
  CHECK(request.query<int>("n") == 12);
  CHECK_FALSE(request.query<int>("q"));
  CHECK_FALSE(request.query("none"));
  CHECK(request.origin() == "https://a.example");
  CHECK(request.user_agent() == "bird/1");
  CHECK(request.header("x-TEAM") == "red, blue");
  CHECK_FALSE(request.header("cookie"));
  CHECK_FALSE(request.header("x-other"));
  REQUIRE(request.headers().size() == 1);
  CHECK(request.headers()[0].name == "X-Team");
  CHECK(late.protocol().empty());

  late.abort();
  server.turn();
  CHECK_FALSE(request);
  CHECK(request.path().empty());
  CHECK(request.params().empty());
  CHECK_FALSE(request.header("x-team"));
  CHECK_FALSE(request.query("q"));
}

TEST_CASE("ws request: a path that is judged otherwise than it was sent is kept as it was judged") {
  TestServer server([](App& app) {
    app.ws("/a/:rest", [](WebSocket ws) {
      ws.on_message([](WebSocket from, const Message&) {
        from.send(std::string(from.request().path()) + " of " + std::string(from.request().url()));
      });
    });
  });
  WsClient client(server.port(), "/a/%7euser?x");
  REQUIRE(client.send_text("?"));
  CHECK(client.reads("/a/~user of /a/%7euser?x"));
}

TEST_CASE("ws request: where it is not kept everything is empty; 64 fields may be named, and no more") {
  TestServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message&) {
      ws.send(ws.request() || !ws.request().path().empty() || ws.request().query("q") ? "kept" : "none");
    }});
    app.ws("/many", {.options = {.keep_headers = std::vector<std::string>(64, "X")}});
  });
  WsClient client(server.port(), "/?q=1");
  REQUIRE(client.send_text("?"));
  CHECK(client.reads("none"));
  App app;
  app.ws("/many", {.options = {.keep_headers = std::vector<std::string>(65, "X")}});
  CHECK_FALSE(app.listen("127.0.0.1", 0).ok());
}

TEST_CASE("ws request: the chosen subprotocol is known, with and without a kept request") {
  TestServer server([](App& app) {
    auto tell = [](WebSocket ws, const Message&) { ws.send("<" + std::string(ws.protocol()) + ">"); };
    app.ws("/plain", {.message = tell, .options = {.protocols = {"chat", "feed"}}});
    app.ws("/kept", {.message = tell, .options = {.keep_request = true, .protocols = {"chat"}}});
  });
  auto told = [&](std::string_view target, std::string_view offer) {
    WsClient client(server.port(), target, offer.empty() ? "" : "Sec-WebSocket-Protocol: " + std::string(offer) + "\r\n");
    CHECK(client.send_text("?"));
    return client.read_frame().payload;
  };
  CHECK(told("/plain", "feed") == "<feed>");
  CHECK(told("/plain", "other") == "<>");
  CHECK(told("/plain", "") == "<>");
  CHECK(told("/kept", "x, chat") == "<chat>");
}

// Signs of life ------------------------------------------------------------------------------------------------------

TEST_CASE("ws life: since when it is connected, how long pings take, and whether it is alive") {
  WebSocket ws;
  SteppedServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket opened, Request&) { ws = opened; },
                 .options = {.heartbeat_interval = 10s, .heartbeat_timeout = 60s}});
  });
  WsClient client = server.open_websocket("/");
  const auto opened = ws.connected_at();
  CHECK(opened.time_since_epoch() >= 1s);
  CHECK_FALSE(ws.latency());
  CHECK(ws.is_alive());

  // A pong that nobody asked for measures nothing.
  REQUIRE(client.send(ws_frame(kPong, "")));
  server.turn_until([&] { return false; }, 20ms);
  CHECK_FALSE(ws.latency());

  CHECK(ws.ping("a") == SendStatus::ok);
  CHECK(ws.ping("b") == SendStatus::ok);
  server.live(150ms);
  REQUIRE(client.send(ws_frame(kPong, "a")));
  REQUIRE(server.turn_until([&] { return ws.latency().has_value(); }));
  CHECK(*ws.latency() == 150ms);
  CHECK(ws.connected_at() == opened);

  server.live(15s - 50ms);
  CHECK(ws.is_alive());
  server.live(200ms);
  CHECK_FALSE(ws.is_alive());
  CHECK(ws.is_open());
  REQUIRE(client.send(ws_frame(kText, "x")));
  REQUIRE(server.turn_until([&] { return ws.is_alive(); }));

  CHECK(ws.pong("hello") == SendStatus::ok);
  server.turn();
  for (WsFrame frame = client.read_frame();; frame = client.read_frame()) {
    REQUIRE(frame.ok());
    if (frame.opcode == kPong) {
      CHECK(frame.payload == "hello");
      break;
    }
  }
  ws.abort();
  server.turn();
  CHECK_FALSE(ws.is_alive());
  CHECK_FALSE(ws.latency());
  CHECK(ws.connected_at() == std::chrono::system_clock::time_point());
  CHECK(ws.pong() == SendStatus::closed);
}

TEST_CASE("ws life: open, closing and closed, each in its time") {
  std::vector<ReadyState> seen;
  WebSocket ws;
  SteppedServer server([&](App& app) {
    app.ws("/", [&](WebSocket opened) {
      ws = opened;
      seen.push_back(ws.ready_state());
      ws.on_message([&](WebSocket from, const Message&) {
        seen.push_back(from.ready_state());
        from.close();
        seen.push_back(from.ready_state());
        CHECK_FALSE(from.is_open());
      });
      ws.on_close([&](WebSocket gone, const CloseInfo&) { seen.push_back(gone.ready_state()); });
    });
  });
  CHECK(ws.ready_state() == ReadyState::closed);  // of none
  {
    WsClient client = server.open_websocket("/");
    CHECK(ws.is_open());
    REQUIRE(client.send_text("go"));
    REQUIRE(server.turn_until([&] { return seen.size() == 3; }));
    CHECK(ws.ready_state() == ReadyState::closing);
    REQUIRE(client.send_close(1000));
    REQUIRE(server.turn_until([&] { return seen.size() == 4; }));
  }
  CHECK(ws.ready_state() == ReadyState::closed);
  CHECK(seen == std::vector{ReadyState::open, ReadyState::open, ReadyState::closing, ReadyState::closed});
}

TEST_CASE("ws life: who is alive and who is not is counted among the clients of a route") {
  std::optional<RouteServer> route;
  SteppedServer server([&](App& app) {
    app.ws("/", {.heartbeat_interval = 10s, .heartbeat_timeout = 60s}, [&](RouteServer& here) {
      route = here;
      return [](WebSocket) {};
    });
  });
  const auto alive = [&] {
    const std::vector<WebSocket> clients = route->clients();
    CHECK(clients.size() == 3);
    return std::count_if(clients.begin(), clients.end(), [](WebSocket ws) { return ws.is_alive(); });
  };
  WsClient speaks = server.open_websocket("/");
  WsClient first = server.open_websocket("/"), second = server.open_websocket("/");
  CHECK(alive() == 3);
  server.live(16s);
  CHECK(alive() == 0);
  REQUIRE(speaks.send(ws_frame(kPong, "")));
  REQUIRE(server.turn_until([&] { return alive() > 0; }));
  CHECK(alive() == 1);
}

TEST_CASE("ws life: a ping has a payload or none") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws) {
      CHECK(ws.ping() == SendStatus::ok);
      CHECK(ws.ping("data") == SendStatus::ok);
      ws.on_pong([](WebSocket from, std::string_view payload) { from.send(payload); });
    });
  });
  WsClient client(server.port());
  CHECK(client.read_frame().is(kPing, ""));
  CHECK(client.read_frame().is(kPing, "data"));
  REQUIRE(client.send(ws_frame(kPong, "") + ws_frame(kPong, "data")));
  CHECK(client.reads(""));
  CHECK(client.reads("data"));
}

// Timers --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws timers: run as often as they should, may be cancelled, and end with the connection") {
  WebSocket ws;
  auto captured = std::make_shared<int>(0);
  int ticks = 0, late = 0;
  SteppedServer server([&](App& app) { app.ws("/", [&](WebSocket opened) { ws = opened; }); });
  {
    WsClient client = server.open_websocket("/");
    CHECK(ws.every(100ms, [&ticks, captured] { ticks++; }));
    const TimerId never = ws.after(100ms, [&](WebSocket) { late++; });
    CHECK(ws.after(150ms, [&](WebSocket self) { CHECK(self == ws); }));
    CHECK(ws.after(60s, [&late, captured] { late++; }));
    ws.cancel(never);
    ws.cancel(never);
    ws.cancel(TimerId{12345, 6});
    TimerId of_app = server.app().after(200ms, [&ticks] { ticks += 100; });
    ws.cancel(of_app);  // is none of this connection's
    server.live(1s);
    CHECK(ticks == 110);
    ws.after(0ms, [] { throw 1; });
    server.live(50ms);
    CHECK(ws.is_open());  // as a failure of a timer of the App's is
    CHECK(captured.use_count() == 3);
    ws.abort();
    server.turn();
  }
  CHECK(captured.use_count() == 1);
  server.live(120s);
  CHECK(ticks == 110);
  CHECK(late == 0);
  CHECK_FALSE(ws.after(1ms, [] {}));
  CHECK_FALSE(WebSocket().every(1ms, [] {}));
}

TEST_CASE("ws timers: one that ends its own connection, and thousands of them") {
  int runs = 0;
  WebSocket ws;
  SteppedServer server([&](App& app) {
    app.ws("/", [&](WebSocket opened) {
      ws = opened;
      for (int i = 0; i < 5000; i++) {
        opened.every(10ms, [&, i] {
          if (++runs == 7) ws.abort();
          if (i % 3 == 0) ws.after(1s, [&] { runs += 1'000'000; });
        });
      }
    });
  });
  WsClient client = server.open_websocket("/");
  server.live(200ms);
  CHECK(runs == 7);
  server.live(2s);
  CHECK(runs == 7);
}

TEST_CASE("ws timers: from another thread, and while closing") {
  WsEvents events;
  Thread other;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      other = Thread([ws] { CHECK_FALSE(ws.after(1ms, [ws] { ws.send("posted"); })); });
    });
  });
  WsClient client(server.port());
  CHECK(client.reads("posted"));
}

// Reading --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws pause: what is there waits, whole or in parts, and comes when reading goes on") {
  std::vector<std::string> heard;
  WebSocket ws;
  SteppedServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket opened, Request&) { ws = opened; },
                 .message = [&](WebSocket from, const Message& m) {
                   heard.emplace_back(m.text());
                   if (m.text() == "stop") from.pause();
                 }});
  });
  WsClient client = server.open_websocket("/");
  REQUIRE(client.send(ws_frame(kText, "a") + ws_frame(kText, "stop") + ws_frame(kText, "b") + ws_frame(kText, "c").substr(0, 5)));
  REQUIRE(server.turn_until([&] { return heard.size() == 2; }));
  REQUIRE(client.send(ws_frame(kText, "c").substr(5) + ws_frame(kText, "d")));
  server.turn_until([&] { return heard.size() > 2; }, 50ms);
  CHECK(heard.size() == 2);
  ws.resume();
  REQUIRE(server.turn_until([&] { return heard.size() == 5; }));
  CHECK(heard == std::vector<std::string>{"a", "stop", "b", "c", "d"});
  ws.resume();  // does nothing

  // From outside of its dispatch, several times; sending goes on meanwhile.
  ws.pause();
  ws.pause();
  REQUIRE(client.send(ws_frame(kText, "e")));
  CHECK(ws.send("out") == SendStatus::ok);
  server.turn_until([&] { return heard.size() > 5; }, 50ms);
  CHECK(heard.size() == 5);
  CHECK(client.reads("out"));
  ws.resume();
  REQUIRE(server.turn_until([&] { return heard.size() == 6; }));
}

TEST_CASE("ws pause: silence does not count, close() goes on reading, and a peer that ends is noticed then") {
  WsEvents events;
  WebSocket ws;
  SteppedServer server([&](App& app) {
    WsHandlers handlers = events.handlers({.heartbeat_interval = 1s, .heartbeat_timeout = 2s});
    handlers.open = [&](WebSocket opened, Request&) { ws = opened; };
    app.ws("/", std::move(handlers));
  });
  {
    WsClient client = server.open_websocket("/");
    ws.pause();
    server.live(10s);
    CHECK(ws.is_open());
    CHECK(ws.is_alive());
    REQUIRE(client.send(ws_frame(kText, "unheard") + ws_frame(kClose, close_payload(1000))));
    ws.close();
    REQUIRE(server.turn_until([&] { return events.closes().size() == 1; }));
    CHECK(events.closes()[0].cause == CloseCause::local_close);
  }
  {
    WsClient client = server.open_websocket("/");
    ws.pause();
  }
  ws.resume();
  REQUIRE(server.turn_until([&] { return events.closes().size() == 2; }));
}

TEST_CASE("ws pause: in the open handler, before frames that came with the handshake") {
  std::vector<std::string> heard;
  WebSocket ws;
  SteppedServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket opened, Request&) { (ws = opened).pause(); },
                 .message = [&](WebSocket, const Message& m) { heard.emplace_back(m.text()); }});
  });
  Client client = server.connect();
  REQUIRE(client.send(ws_request("/") + ws_frame(kText, "early")));
  REQUIRE(server.turn_until([&] { return server.app().stats().open_websockets == 1; }));
  for (int i = 0; i < 5; i++) server.turn();
  CHECK(heard.empty());
  ws.resume();
  REQUIRE(server.turn_until([&] { return heard.size() == 1; }));
}

// Corking --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws cork: what is sent in it leaves at once and together, in order with what others send") {
  WebSocket ws;
  int writes = 0;
  SteppedServer server([&](App& app) { app.ws("/", [&](WebSocket opened) { (ws = opened).join("den"); }); });
  WsClient client = server.open_websocket("/");
  static int* counted = &writes;
  counted = &writes;
  static auto real_send = sys::syscalls.sendmsg;
  sys::syscalls.sendmsg = [](int fd, const msghdr* message, int flags) {
    ++*counted;
    return real_send(fd, message, flags);
  };
  server.app().post([&] {
    server.app().room("den").send("first");
    ws.cork([&] {
      for (int i = 0; i < 3; i++) ws.send("x" + std::to_string(i));
      ws.cork([&] { ws.send("inner"); });
    });
    ws.send("after");
  });
  server.turn();
  for (const char* text : {"first", "x0", "x1", "x2", "inner", "after"}) CHECK(client.reads(text));
  CHECK(writes <= 2);
}

TEST_CASE("ws cork: a function that throws, aborts or closes; of a connection that is gone; from another thread") {
  WsEvents events;
  WebSocket ws;
  int ran = 0;
  SteppedServer server([&](App& app) {
    WsHandlers handlers = events.handlers();
    handlers.open = [&](WebSocket opened, Request&) { ws = opened; };
    app.ws("/", std::move(handlers));
  });
  {
    WsClient client = server.open_websocket("/");
    server.app().post([&] {
      ws.cork([&] {
        ws.send("kept");
        throw 1;
      });
    });
    server.turn();
    CHECK(client.reads("kept"));
    CHECK(server.app().stats().handler_failures == 1);
    server.app().post([&] {
      ws.cork([&] {
        ws.send("last");
        ws.close();
      });
    });
    server.turn();
    CHECK(client.reads("last"));
    CHECK(client.read_frame().close_code() == 1000);
  }
  {
    WsClient client = server.open_websocket("/");
    server.app().post([&] {
      ws.cork([&] {
        ws.send("lost");
        ws.abort();
        ws.send("lost, too");
      });
    });
    server.turn_until([&] { return !ws.is_open(); });
  }
  ws.cork([&] { ran++; });
  CHECK(ran == 1);
  Thread([&] { WebSocket().cork([&] { ran++; }); }).join();
  CHECK(ran == 1);
}
