// The handlers of a WebSocket: both forms of App::ws, their order, replacing them while they run, closing in each of
// them, failures, pings and pongs, post, and how long what they capture lives.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

TEST_CASE("ws handlers: the route's run first, then the connection's own") {
  WsEvents events;
  TestServer server([&](App& app) {
    WsHandlers handlers;
    handlers.message = [](WebSocket ws, const Message&) { ws.send("route"); };
    handlers.close = [&](WebSocket ws, const CloseInfo& why) { events.add_close(ws, why); };
    handlers.open = [&](WebSocket ws, Request&) {
      ws.on_message([](WebSocket own, const Message&) { own.send("own"); });
      ws.on_close([&](WebSocket own, const CloseInfo& why) { events.add_close(own, why); });
      ws.on_ping([](WebSocket own, std::string_view payload) { own.send("own ping " + std::string(payload)); });
    };
    handlers.ping = [](WebSocket ws, std::string_view payload) { ws.send("ping " + std::string(payload)); };
    app.ws("/", std::move(handlers));
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kText, "x") + ws_frame(kPing, "p")));
  CHECK(client.reads("route"));
  CHECK(client.reads("own"));
  CHECK(client.read_frame().is(kPong, "p"));
  CHECK(client.reads("ping p"));
  CHECK(client.reads("own ping p"));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return events.closes().size() == 2; }));
}

TEST_CASE("ws handlers: a route's function may take the WebSocket alone") {
  TestServer server([](App& app) {
    app.ws("/alone", [count = 0](WebSocket ws) mutable { ws.send("opened " + std::to_string(++count)); }, {.max_message_bytes = 2});
    Router router;
    app.mount("/mounted", std::move(router.ws("/", [](WebSocket ws) { ws.on_message([](WebSocket from, const Message& m) { from.send(m); }); })));
    app.ws("/throws", [](WebSocket) { throw std::runtime_error("oh"); });
  });
  for (const char* hello : {"opened 1", "opened 2"}) {
    WsClient client(server.port(), "/alone");
    CHECK(client.reads(hello));
    REQUIRE(client.send_text("too large"));
    CHECK(client.read_frame().close_code() == 1009);
  }
  WsClient mounted(server.port(), "/mounted");
  CHECK(mounted.echoes("x"));
  WsClient failed(server.port(), "/throws");
  CHECK(failed.read_frame().close_code() == 1011);
}

TEST_CASE("ws handlers: of one connection alone are not another's") {
  TestServer server([](App& app) {
    app.ws("/:name", [](WebSocket ws, Request& req) {
      ws.on_message([name = std::string(req.param("name"))](WebSocket from, const Message& msg) {
        from.send(name + " heard " + std::string(msg.text()));
      });
    });
  });
  WsClient a(server.port(), "/a");
  WsClient b(server.port(), "/b%20c");
  REQUIRE(a.send_text("1"));
  REQUIRE(b.send_text("2"));
  CHECK(a.reads("a heard 1"));
  CHECK(b.reads("b c heard 2"));
}

TEST_CASE("ws handlers: set_message replaces the one that runs, and what it captured lives until it returns") {
  auto old_capture = std::make_shared<std::string>("the first one");
  const std::weak_ptr<std::string> watch = old_capture;
  TestServer server([&](App& app) {
    app.ws("/", [kept = std::move(old_capture)](WebSocket ws, Request&) mutable {
      ws.on_message([kept = std::move(kept), round = 0](WebSocket from, const Message&) mutable {
        for (int i = 0; i < 3; i++) {
          from.set_message([i](WebSocket again, const Message& m) { again.send(std::to_string(i) + std::string(m.text())); });
        }
        round++;
        from.send(*kept + std::to_string(round));
      });
    });
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kText, "x") + ws_frame(kText, "y") + ws_frame(kText, "z")));
  CHECK(client.reads("the first one1"));
  CHECK(client.reads("2y"));
  CHECK(client.reads("2z"));
  wait_a_turn(server);
  CHECK(watch.expired());
}

TEST_CASE("ws handlers: an empty set_message takes the connection's own away") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      ws.on_message([](WebSocket from, const Message&) {
        from.send("once");
        from.set_message(nullptr);
      });
      ws.on_ping([](WebSocket from, std::string_view) { from.send("still here"); });
    });
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kText, "x") + ws_frame(kText, "y") + ws_frame(kPing, "")));
  CHECK(client.reads("once"));
  CHECK(client.read_frame().is(kPong, ""));
  CHECK(client.reads("still here"));
}

TEST_CASE("ws handlers: what they capture is released when the connection has gone") {
  auto captured = std::make_shared<int>(1);
  TestServer server([&](App& app) {
    app.ws("/", [captured](WebSocket ws, Request&) {
      ws.on_message([captured](WebSocket, const Message&) {});
      ws.on_close([captured, room_for_more = std::string(100, 'x')](WebSocket, const CloseInfo&) {});
      ws.on_drain([captured](WebSocket) {});
      ws.on_ping([captured](WebSocket, std::string_view) {});
      ws.on_pong([captured](WebSocket, std::string_view) {});
    });
  });
  {
    WsClient client(server.port());
    CHECK(client.open());
    CHECK(eventually([&] { return captured.use_count() == 7; }));
  }
  CHECK(eventually([&] { return captured.use_count() == 2; }));
}

TEST_CASE("ws handlers: pings are answered with their payload and told, pongs are told") {
  TestServer server([](App& app) {
    WsHandlers handlers;
    handlers.message = [](WebSocket ws, const Message& msg) { CHECK(ws.ping(msg.text()) == SendStatus::ok); };
    handlers.pong = [](WebSocket ws, std::string_view payload) { ws.send("pong " + std::string(payload)); };
    app.ws("/", std::move(handlers));
  });
  WsClient client(server.port());
  for (const std::string& payload : {std::string(), std::string("\0\xFF\x80", 3), std::string(125, 'p')}) {
    REQUIRE(client.send(ws_frame(kPing, payload)));
    CHECK(client.read_frame().is(kPong, payload));
  }
  REQUIRE(client.send_text("are you there?"));
  CHECK(client.read_frame().is(kPing, "are you there?"));
  REQUIRE(client.send(ws_frame(kPong, "are you there?")));
  CHECK(client.reads("pong are you there?"));
  REQUIRE(client.send_text(pattern(500)));
  CHECK(client.read_frame().is(kPing, pattern(500).substr(0, 125)));
}

TEST_CASE("ws handlers: messages say what they are") {
  TestServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& msg) {
      const bool same = msg.bytes().size() == msg.size() && msg.text().size() == msg.size() &&
                        static_cast<const void*>(msg.bytes().data()) == msg.text().data();
      ws.send((msg.is_text() ? "text " : "") + std::string(msg.is_binary() ? "binary " : "") +
              std::to_string(msg.size()) + (same ? "" : " differs"));
    }});
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kText, "abc") + ws_frame(kBinary, "") + ws_fragments(kBinary, pattern(70'000), {1, 30'000})));
  CHECK(client.reads("text 3"));
  CHECK(client.reads("binary 0"));
  CHECK(client.reads("binary 70000"));
}

namespace {

// A route whose handlers all throw, when they are told to.
struct Thrower {
  std::mutex mutex = {};
  std::vector<std::string> failures = {};
  WsEvents events = {};
  TestServer server{[this](App& app) { set_up(app); }};

  void set_up(App& app) {
    app.on_error([this](const HandlerFailure& failure) {
      const std::lock_guard lock(mutex);
      failures.push_back(std::string(failure.what) + " in " + std::string(failure.route) +
                         (failure.socket == WebSocket() ? " without a socket" : ""));
    });
    WsHandlers handlers;
    handlers.open = [](WebSocket, Request& req) {
      if (req.query("fail") == "open") throw std::runtime_error("open");
    };
    handlers.message = [](WebSocket ws, const Message& msg) {
      if (msg.text() == "message") throw std::runtime_error("message");
      if (msg.text() == "int") throw 42;
      if (msg.text() == "close first") ws.close(), throw std::runtime_error("after close");
      if (msg.text() == "post") ws.post([](WebSocket) { throw std::runtime_error("post"); });
      ws.send(msg);
    };
    handlers.ping = [](WebSocket, std::string_view payload) {
      if (payload == "ping") throw std::runtime_error("ping");
    };
    handlers.pong = [](WebSocket, std::string_view) { throw std::runtime_error("pong"); };
    handlers.close = [this](WebSocket ws, const CloseInfo& why) {
      events.add_close(ws, why);
      if (why.reason == "throw") throw std::runtime_error("close");
    };
    app.ws("/:x", std::move(handlers));
  }
  std::string only_failure() {
    eventually([this] {
      const std::lock_guard lock(mutex);
      return !failures.empty();
    });
    const std::lock_guard lock(mutex);
    const std::string text = failures.size() == 1 ? failures[0] : std::to_string(failures.size()) + " failures";
    failures.clear();
    return text;
  }
};

}  // namespace

TEST_CASE("ws handlers: one that throws closes with 1011 and is reported") {
  Thrower thrower;
  auto check_fails = [&](std::string_view target, const std::string& bytes, std::string_view what) {
    CAPTURE(what);
    thrower.events.clear();
    WsClient client(thrower.server.port(), target);
    REQUIRE(client.open());
    REQUIRE(client.send(bytes + ws_frame(kText, "behind")));
    CHECK(client.read_close() == 1011);
    CHECK(client.ended());
    client.tcp.close();
    CHECK(thrower.only_failure() == std::string(what) + " in /:x");
    CHECK(thrower.events.closed_with(CloseCause::handler_failure, CloseCode::internal_error));
  };
  check_fails("/a?fail=open", "", "open");
  check_fails("/a", ws_frame(kText, "message"), "message");
  check_fails("/a", ws_frame(kText, "int"), "unknown exception");
  check_fails("/a", ws_frame(kPing, "ping"), "ping");
  check_fails("/a", ws_frame(kPong, "pong"), "pong");
  check_fails("/a", ws_frame(kText, "message") + ws_frame(kText, "message"), "message");
  CHECK(thrower.server.stats().handler_failures == 6);
}

TEST_CASE("ws handlers: one that throws when the connection is closing already") {
  Thrower thrower;
  WsClient client(thrower.server.port(), "/a");
  REQUIRE(client.send_text("close first"));
  CHECK(client.read_close() == 1000);  // that was said before it failed
  CHECK(thrower.only_failure() == "after close in /:x");
  WsClient other(thrower.server.port(), "/a");
  REQUIRE(other.send_close(1000, "throw"));
  CHECK(other.read_close() == 1000);
  CHECK(thrower.only_failure() == "close in /:x");
  WsClient third(thrower.server.port(), "/a");
  REQUIRE(third.send_text("post"));
  CHECK(third.reads("post"));
  CHECK(thrower.only_failure().starts_with("post in "));
}

TEST_CASE("ws handlers: close() in each of them") {
  WsEvents events;
  TestServer server([&](App& app) {
    app.ws("/open", {.open = [](WebSocket ws, Request&) { ws.close(static_cast<CloseCode>(4100)); },
                     .close = [&](WebSocket ws, const CloseInfo& why) { events.add_close(ws, why); }});
    app.ws("/abort", {.open = [](WebSocket ws, Request&) { ws.abort(); },
                      .close = [&](WebSocket ws, const CloseInfo& why) { events.add_close(ws, why); }});
    WsHandlers handlers = events.handlers();
    handlers.message = [](WebSocket ws, const Message&) { ws.close(static_cast<CloseCode>(4101)); };
    handlers.ping = [](WebSocket ws, std::string_view) { ws.close(static_cast<CloseCode>(4102)); };
    handlers.pong = [](WebSocket ws, std::string_view) { ws.close(static_cast<CloseCode>(4103)); };
    app.ws("/", std::move(handlers));
  });
  auto closes_with = [&](std::string_view target, const std::string& bytes) {
    events.clear();
    WsClient client(server.port(), target);
    client.send(bytes);
    const uint16_t code = client.read_close();
    if (code) client.send_close(code);
    CHECK((client.tcp.read_to_end() && client.tcp.end() == Client::End::eof));
    CHECK(events.only_close().cause == CloseCause::local_close);
    return code;
  };
  CHECK(closes_with("/open", "") == 4100);
  CHECK(closes_with("/", ws_frame(kText, "x") + ws_frame(kText, "x")) == 4101);
  CHECK(closes_with("/", ws_frame(kPing, "x") + ws_frame(kText, "x")) == 4102);
  CHECK(closes_with("/", ws_frame(kPong, "x") + ws_frame(kText, "x")) == 4103);
  events.clear();
  WsClient aborted(server.port(), "/abort");
  CHECK(aborted.tcp.read_to_end());
  CHECK(events.closed_with(CloseCause::local_close, CloseCode::abnormal));
}

TEST_CASE("ws handlers: in the close handler the handle is closed, and its rooms still answer") {
  std::atomic<int> checked{0};
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      ws.join("room");
      ws.on_close([&](WebSocket gone, const CloseInfo&) {
        CHECK(gone.ready_state() == ReadyState::closed);
        CHECK_FALSE(gone.is_open());
        CHECK(gone.send("x") == SendStatus::closed);
        CHECK(gone.send(SharedFrame::text("x")) == SendStatus::closed);
        CHECK(gone.ping() == SendStatus::closed);
        CHECK(gone.in_room("room"));
        CHECK_FALSE(gone.join("other").ok());
        CHECK(gone.url() == "/");
        CHECK(gone.buffered_bytes() == 0);
        checked++;
      });
      ws.send("ready");
    });
  });
  WsClient client(server.port());
  CHECK(client.reads("ready"));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return checked == 1; }));
}

TEST_CASE("ws handlers: post runs later on the worker, and not at all when the connection has gone") {
  std::atomic<int> ran{0};
  std::atomic<int> ran_late{0};
  std::thread::id where;
  TestServer server([&](App& app) {
    where = std::this_thread::get_id();
    app.ws("/", {.message = [&](WebSocket ws, const Message&) {
      ws.post([&](WebSocket self) {
        ran++;
        CHECK(std::this_thread::get_id() == where);
        self.send("posted");
        self.abort();
        self.post([&](WebSocket) { ran_late++; });
      });
      CHECK(ran == 0);
      ws.send("returned");
    }});
  });
  WsClient client(server.port());
  REQUIRE(client.send_text("x"));
  CHECK(client.reads("returned"));
  CHECK(client.tcp.read_to_end());
  wait_a_turn(server);
  CHECK(ran.load() == 1);
  CHECK(ran_late.load() == 0);
}
