// Steps behind the 101: ws_use() and those of a route. Their order, whatever the order of registration; how they refuse; what
// waits while they decide; and who is not the route's before they have let it through.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/aborts.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

void echo(WebSocket ws, const Message& msg) { ws.send(msg); }

// A step that says its name and goes on.
auto says(std::string name) {
  return [name = std::move(name)](WebSocket ws, Request&, Next next) {
    ws.send(name);
    next();
  };
}

// Keeps a step's next() until the test calls it, on a thread that is not the App's.
struct Gate {
  std::mutex mutex = {};
  std::vector<Next> waiting = {};

  auto step() {
    return [this](WebSocket, Request&, Next next) {
      const std::lock_guard lock(mutex);
      waiting.push_back(next);
    };
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return waiting.size();
  }
  Next take() {
    REQUIRE(eventually([&] { return size() > 0; }));
    const std::lock_guard lock(mutex);
    const Next first = waiting.front();
    waiting.erase(waiting.begin());
    return first;
  }
};

std::string texts_until(WsClient& client, std::string_view last) {
  std::string all;
  for (;;) {
    const WsFrame frame = client.read_message();
    if (frame.opcode != kText) return all + "!";
    all += frame.payload + " ";
    if (frame.payload == last) return all;
  }
}

}  // namespace

TEST_CASE("ws use: global, prefix, route, whatever the order of registration; HTTP's steps before all of them") {
  TestServer server([](App& app) {
    app.use([](Request&, Response& res, Next next) {
      res.set("X-Http", "1");
      next();
    });
    app.ws("/admin/:name", says("route 1"), [](Request&, Response& res, Next next) {
      res.set("X-Own", "2");
      next();
    }, says("route 2"), [](WebSocket ws, Request& req) { ws.send("open " + std::string(req.param("name"))); });
    app.ws_use("/admin/*", says("prefix 1"));
    app.ws_use(says("global 1"));
    app.ws_use("/admin/top", says("deep"));
    app.ws_use("/admin", says("prefix 2")).ws_use(says("global 2"));
    app.ws("/plain", {.open = [](WebSocket ws, Request&) { ws.send("open"); }});
    app.ws("/handlers", {.max_message_bytes = 1_KiB}, says("route"), [](WebSocket ws) { ws.send("open"); });
    app.ws("/set", says("route"), WsHandlers{.open = [](WebSocket ws, Request&) { ws.send("open"); }, .message = echo});
    app.ws("/*", [](WebSocket ws) { ws.send("open"); });
    app.get("/admin/page", [](Request&, Response& res) { res.send("page"); });
  });
  WsClient admin(server.port(), "/admin/ann");
  REQUIRE(admin.open());
  CHECK(admin.handshake.field("x-http") == "1");
  CHECK(admin.handshake.field("x-own") == "2");
  CHECK(texts_until(admin, "open ann") == "global 1 global 2 prefix 1 prefix 2 route 1 route 2 open ann ");
  const auto told = [&](std::string_view target) {
    WsClient client(server.port(), target);
    REQUIRE(client.open());
    return texts_until(client, "open");
  };
  CHECK(told("/plain") == "global 1 global 2 open ");
  CHECK(told("/handlers") == "global 1 global 2 route open ");
  CHECK(told("/set") == "global 1 global 2 route open ");
  // A wildcard's path lies below a prefix or not.
  CHECK(told("/adminx/top") == "global 1 global 2 open ");
  CHECK(told("/admin/top/x") == "global 1 global 2 prefix 1 deep prefix 2 open ");
  CHECK(told("/admin//%74op/x") == "global 1 global 2 prefix 1 deep prefix 2 open ");
  WsClient top(server.port(), "/admin/top");
  CHECK(texts_until(top, "open top") == "global 1 global 2 prefix 1 deep prefix 2 route 1 route 2 open top ");
}

TEST_CASE("ws use: before a route in two phases, whose clean-up runs for those that were let in") {
  std::atomic<int> ended{0};
  TestServer server([&](App& app) {
    app.ws("/two", {.max_connections = 5}, [](WebSocket ws, Request& req, Next next) {
      req.query("out") ? ws.close(CloseCode::policy_violation) : next();
    }, [&](RouteServer& route) {
      return [&, route](WebSocket ws, Request&) -> Cleanup {
        ws.send(std::to_string(route.clients().size()) + std::string(route.pattern()));
        return [&] { ended++; };
      };
    });
  });
  WsClient in(server.port(), "/two");
  REQUIRE(in.open());
  CHECK(in.reads("1/two"));
  WsClient out(server.port(), "/two?out");
  CHECK(out.read_close() == 1008);
  CHECK(out.send_close(1008));
  CHECK(out.ended());
  CHECK(in.close_nicely());
  CHECK(server.wait_for_connections(0));
  CHECK(ended == 1);
}

TEST_CASE("ws use: in Routers, for what lies below where they are mounted") {
  TestServer server([](App& app) {
    Router inner;
    inner.ws("/in", says("own"), [](WebSocket ws) { ws.send("open"); });
    inner.ws_use(says("inner"));
    Router outer;
    outer.mount("/inner", std::move(inner));
    outer.ws("/out", [](WebSocket ws) { ws.send("open"); });
    outer.ws_use(says("outer"));
    app.ws("/free", [](WebSocket ws) { ws.send("open"); });
    app.mount("/outer", std::move(outer));
    app.group("/teams/:team", [](Router& r) {
      r.ws("/members", [](WebSocket ws) { ws.send("open"); });
      r.ws_use(says("team"));
    });
    app.ws("/teams/:team/others", [](WebSocket ws) { ws.send("open"); });
    app.ws_use(says("global"));
  });
  const auto told = [&](std::string_view target) {
    WsClient client(server.port(), target);
    REQUIRE(client.open());
    return texts_until(client, "open");
  };
  CHECK(told("/free") == "global open ");
  CHECK(told("/outer/out") == "global outer open ");
  CHECK(told("/outer/inner/in") == "global inner outer own open ");
  CHECK(told("/teams/a/members") == "global team open ");
  CHECK(told("/teams/a/others") == "global team open ");
}

TEST_CASE("ws use: a prefix that is none is the error of listen()") {
  for (const char* prefix : {"admin", "/a/:b", "/a/%2e%2e"}) {
    CAPTURE(prefix);
    App app;
    app.ws("/", {.message = echo});
    app.ws_use(prefix, says("x"));
    CHECK_FALSE(app.listen("127.0.0.1", 0).ok());
  }
}

TEST_CASE("ws use: a step refuses with a close code, and what it has said before arrives") {
  std::atomic<int> opened{0}, closed{0}, own_closed{0}, failures{0};
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& failure) { failures += failure.what == "broken" && failure.socket != WebSocket(); });
    app.ws_use([&](WebSocket ws, Request& req, Next next) {
      const std::string how(req.query("how").value_or(""));
      ws.on_close([&](WebSocket, const CloseInfo&) { own_closed++; });
      if (how == "refuse") {
        ws.send(R"({"error":"who are you?"})");
        ws.close(CloseCode::policy_violation, reason::kAuthenticationRequired);
        next();  // closing has the last word
      } else if (how == "large") {
        ws.send(std::string(300'000, 'x'));
        ws.close(static_cast<CloseCode>(4001), "no");
      } else if (how == "error") {
        next(HttpError{403, "not you"});
      } else if (how == "server") {
        next(HttpError{500, "sorry"});
      } else if (how == "abort") {
        ws.abort();
      } else if (how == "throw") {
        next();
        throw std::runtime_error("broken");
      } else {
        next();
      }
    });
    app.ws("/", {.open = [&](WebSocket, Request&) { opened++; }, .message = echo, .close = [&](WebSocket, const CloseInfo&) { closed++; }});
  });
  const auto refused = [&](const std::string& how, uint16_t code, std::string_view reason, std::string_view first = {}) {
    CAPTURE(how);
    WsClient client(server.port(), "/?how=" + how);
    REQUIRE(client.open());
    CHECK(client.send_text("not heard"));
    if (!first.empty()) CHECK(client.reads(first));
    const WsFrame close = client.read_frame();
    CHECK(close.opcode == kClose);
    CHECK(close.close_code() == code);
    CHECK(close.close_reason() == reason);
    CHECK(client.send_close(code));
    CHECK(client.ended());
  };
  refused("refuse", 1008, "Authentication required", R"({"error":"who are you?"})");
  refused("large", 4001, "no", std::string(300'000, 'x'));
  refused("error", 1008, "not you");
  refused("server", 1011, "sorry");
  refused("throw", 1011, "Internal server error");
  CHECK(failures == 1);
  {
    WsClient client(server.port(), "/?how=abort");
    CHECK(client.tcp.read_to_end());
  }
  CHECK(server.wait_for_connections(0));
  CHECK(opened == 0);
  CHECK(closed == 0);
  CHECK(own_closed == 6);
  CHECK(server.stats().open_websockets == 0);
  WsClient good(server.port());
  REQUIRE(good.open());
  CHECK(good.echoes("hello"));
  CHECK(good.close_nicely());
  CHECK(server.wait_for_connections(0));
  CHECK(opened == 1);
  CHECK(closed == 1);
  CHECK(own_closed == 7);
}

TEST_CASE("ws use: what a step leaves and listens to is there in the next ones and in the handler") {
  struct User {
    std::string name;
  };
  TestServer server([](App& app) {
    app.ws_use([](WebSocket ws, Request& req, Next next) {
      ws.data<User>().name = req.query("name").value_or("");
      ws.metadata()["connectedAt"] = 7;
      req.data<int>() = 41;
      ws.on_message([](WebSocket to, const Message&) { to.send("step heard"); });
      next();
    });
    app.ws("/:room", [](WebSocket, Request& req, Next next) {
      req.data<int>()++;
      next();
    }, [](WebSocket ws, Request& req) {
      ws.send(ws.data<User>().name + " " + ws.metadata().dump() + " " + std::to_string(req.data<int>()) + " " + std::string(req.param("room")) + " " +
              req.ip());
      ws.on_message([](WebSocket to, const Message&) { to.send("handler heard"); });
    });
  });
  WsClient client(server.port(), "/den?name=ann");
  REQUIRE(client.open());
  CHECK(client.reads(R"(ann {"connectedAt":7} 42 den 127.0.0.1)"));
  CHECK(client.send_text("x"));
  CHECK(client.reads("step heard"));
  CHECK(client.reads("handler heard"));
}

TEST_CASE("ws use: decided later, from another thread: messages wait, the request stays, and nothing is published to it") {
  Gate first, second;
  TestServer server([&](App& app) {
    app.use([](Request& req, Response&, Next next) {
      req.data<std::string>() = "kept";
      next();
    });
    app.ws("/:room", first.step(), [](WebSocket ws, Request&, Next next) {
      ws.join("lobby");
      ws.send("between");
      next();
    }, second.step(), [](WebSocket ws, Request& req) {
      ws.send(std::string(req.param("room")) + " " + std::string(req.query("q").value_or("")) + " " + req.data<std::string>() + " " + req.ip() + " " +
              std::string(req.header("x-long").value_or("")).substr(0, 3));
      ws.on_message(echo);
    });
  });
  const std::string fields = "X-Long: " + pattern(3000) + "\r\n";
  Client tcp(server.port());
  REQUIRE(tcp.send(ws_request("/den?q=1", fields) + ws_frame(kText, "early") + ws_frame(kText, "ea", {.fin = false})));
  WsClient client(std::move(tcp));
  REQUIRE(client.read_handshake());  // it is open, and may be written to
  CHECK(server.stats().open_websockets == 1);
  const Next one = first.take();
  CHECK(client.send(ws_frame(kContinuation, "rly too") + ws_frame(kBinary, pattern(300'000))));
  // What is published is not for it, in a room neither; what is sent to it is.
  const auto publish = [&] {
    server.on_thread([](App& app) {
      app.everybody().send("everybody");
      app.to_route("/:room").send("route");
      app.to("lobby").send("room");
    });
  };
  publish();
  one();
  CHECK(client.reads("between"));
  const Next two = second.take();
  publish();
  Thread other([&] { two(); });
  other.join();
  CHECK(client.reads("den 1 kept 127.0.0.1 " + pattern(3)));
  CHECK(client.reads("early"));
  CHECK(client.reads("early too"));
  CHECK(client.reads(pattern(300'000), kBinary));
  publish();
  CHECK(texts_until(client, "room") == "everybody route room ");
  // Late calls of both are nobody's.
  one();
  two();
  CHECK(client.echoes("still here"));
  CHECK(client.close_nicely());
}

TEST_CASE("ws use: next() twice, and that of an HTTP step, let nobody through" * doctest::skip(kDebugBuild)) {
  Gate gate;
  std::mutex mutex;
  std::optional<Next> of_http;
  std::atomic<int> opened{0};
  TestServer server([&](App& app) {
    app.use([&](Request&, Response&, Next next) {
      const std::lock_guard lock(mutex);
      of_http = next;
      next();
    });
    app.ws_use([](WebSocket, Request&, Next next) {
      next();
      next();
    });
    app.ws_use(gate.step());
    app.ws("/", [&](WebSocket) { opened++; });
  });
  WsClient client(server.port());
  REQUIRE(client.open());
  const Next waiting = gate.take();
  {
    const std::lock_guard lock(mutex);
    (*of_http)();
  }
  server.turn();
  CHECK(opened == 0);
  CHECK(server.stats().late_nexts == 2);
  waiting();
  waiting();
  server.turn();
  CHECK(opened == 1);
  CHECK(client.close_nicely());
}

TEST_CASE("ws use: steps that never decide: closed when the time of a handshake is over") {
  int opened = 0, closed = 0;
  std::optional<Next> late;
  AppOptions options;
  options.handshake_timeout = 2s;
  SteppedServer server(
      [&](App& app) {
        app.ws("/", [&](WebSocket, Request&, Next next) { late = next; },
               WsHandlers{.open = [&](WebSocket, Request&) { opened++; }, .close = [&](WebSocket, const CloseInfo&) { closed++; }});
      },
      options);
  WsClient client = server.open_websocket("/");
  server.live(1900ms);
  SteppedServer::read_what_is_there(client.tcp);
  CHECK(server.app().stats().open_websockets == 1);
  server.live(200ms);
  CHECK(server.turn_until([&] {
    SteppedServer::read_what_is_there(client.tcp);
    return client.tcp.in().size() > 20;
  }));
  const WsFrame close = client.read_frame(milliseconds(0));
  CHECK(close.close_code() == 1008);
  CHECK(close.close_reason() == "The handshake took too long");
  (*late)();
  server.turn();
  CHECK(client.send_close(1008));
  CHECK(server.turn_until([&] { return server.app().stats().open_connections == 0; }));
  (*late)();
  server.turn();
  CHECK(opened == 0);
  CHECK(closed == 0);
}

TEST_CASE("ws use: in time, the time of a handshake is over for it") {
  std::optional<Next> next;
  AppOptions options;
  options.handshake_timeout = 2s;
  SteppedServer server([&](App& app) { app.ws("/", [&](WebSocket, Request&, Next n) { next = n; }, [](WebSocket) {}); }, options);
  const WsClient client = server.open_websocket("/");
  server.live(1900ms);
  (*next)();
  server.live(5s);
  CHECK(server.app().stats().open_websockets == 1);
}

TEST_CASE("ws use: what happens while a step decides: the client goes, the server drains, the server ends") {
  enum class What { reset, drain, end, closed_from_outside };
  for (const What what : {What::reset, What::drain, What::end, What::closed_from_outside}) {
    CAPTURE(static_cast<int>(what));
    Gate gate;
    std::atomic<int> opened{0}, closed{0};
    std::optional<Next> next;
    std::optional<WsClient> client;
    {
      TestServer server([&](App& app) {
        app.ws("/:x", gate.step(), WsHandlers{.open = [&](WebSocket, Request&) { opened++; }, .message = echo, .close = [&](WebSocket, const CloseInfo&) { closed++; }});
      }, {.check_descriptors = false});
      client.emplace(server.port(), "/x");
      REQUIRE(client->open());
      CHECK(client->send_text("early"));
      next = gate.take();
      if (what == What::reset) {
        client->tcp.reset();
        CHECK(server.wait_for_connections(0));
      } else if (what == What::drain) {
        server.app().drain();
        CHECK(client->read_close() == 1001);
        CHECK(client->send_close(1001));
        CHECK(server.wait_until_over() == 0);
      } else if (what == What::closed_from_outside) {
        server.on_thread([](App& app) { app.close_all(CloseCode::going_away, "all"); });
        CHECK(client->read_close() == 1001);
        CHECK(client->send_close(1001));
        CHECK(client->ended());
        CHECK(server.wait_for_connections(0));
      }
      if (what != What::drain) (*next)();
    }
    (*next)();
    CHECK(closed == opened);
    if (what != What::end) CHECK(opened == 0);
  }
}

TEST_CASE("ws use: one that waits counts for max_connections, on its own and beside others") {
  Gate gate;
  TestServer server([&](App& app) {
    app.ws("/", {.max_connections = 2}, [&](WebSocket ws, Request& req, Next next) {
      if (req.query("wait")) return gate.step()(ws, req, next);
      next();
    }, [](WebSocket ws) { ws.on_message(echo); });
  });
  WsClient waiting(server.port(), "/?wait");
  REQUIRE(waiting.open());
  {
    WsClient open(server.port());
    CHECK(open.echoes("x"));
    CHECK(WsClient(server.port()).handshake.status == 503);
    CHECK(open.close_nicely());
  }
  CHECK(server.wait_for_stats([](const Stats& s) { return s.open_websockets == 1; }));
  gate.take()();
  CHECK(waiting.echoes("in"));
  WsClient other(server.port());
  CHECK(other.echoes("x"));
  CHECK(WsClient(server.port()).handshake.status == 503);
}

TEST_CASE("ws use: on all workers of a Server, with connections that wait and go") {
  Gate gate;
  MultiServer server(2, [&](App& app, uint32_t worker) {
    app.ws_use([&, worker](WebSocket ws, Request& req, Next next) {
      MultiServer::tell(ws, worker);
      if (req.query("wait")) return gate.step()(ws, req, next);
      next();
    });
    app.ws("/w", {.max_connections = 8}, [](WebSocket ws) { ws.on_message([](WebSocket from, const Message& msg) { from.broadcast(msg); }); });
  });
  WsClient one = server.client_of(0, "/w");
  WsClient two = server.client_of(1, "/w");
  CHECK(eventually([&] { return server.stats().open_websockets == 2; }));
  WsClient waiting(server.port(), "/w?wait");
  REQUIRE(waiting.open());
  CHECK(waiting.read_message().payload.starts_with("worker "));
  const Next next = gate.take();
  CHECK(one.send_text("before"));
  CHECK(two.reads("before"));
  one.tcp.reset();  // the last open one of its worker, perhaps beside the one that waits
  CHECK(eventually([&] { return server.stats().open_websockets == 2; }));
  next();
  CHECK(waiting.send_text("in"));
  CHECK(two.reads("in"));
  CHECK(two.send_text("after"));
  CHECK(waiting.reads("after"));
  WsClient gone(server.port(), "/w?wait");
  REQUIRE(gone.open());
  gate.take();
  gone.tcp.reset();
  CHECK(eventually([&] { return server.stats().open_websockets == 2; }));
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
TEST_CASE("ws use: beside a coroutine in front that waits for the answer, the request lasts as long as both") {
  Gate gate;
  std::atomic<int> ended{0};
  std::mutex mutex;
  std::string seen;
  TestServer server([&](App& app) {
    app.use([&](Request& req, Response&, Next next) -> Task<> {
      co_await next;
      co_await sleep(20ms);
      const std::lock_guard lock(mutex);
      seen = req.path();
      ended++;
    });
    app.ws("/:name", gate.step(), [](WebSocket ws, Request& req) { ws.send(req.param("name")); });
  });
  for (const bool task_first : {true, false}) {
    const int before = ended;
    WsClient client(server.port(), "/ann");
    REQUIRE(client.open());
    const Next next = gate.take();
    if (task_first) CHECK(eventually([&] { return ended == before + 1; }));
    next();
    CHECK(client.reads("ann"));
    CHECK(eventually([&] { return ended == before + 1; }));
    CHECK(client.close_nicely());
  }
  const std::lock_guard lock(mutex);
  CHECK(seen == "/ann");
}
#endif
