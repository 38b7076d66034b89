// Events over a socket: listeners and their order, arguments by type and what is wrong with them, answers at once and later, what goes
// to on_message, rooms, the form with type and data; listeners that throw, close, leave, and take themselves off.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <optional>
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

namespace {

struct Post {
  std::string title;
  int likes = 0;
};
MARTLET_JSON(Post, title, likes)

std::string event(std::string_view name, std::string_view args, std::string_view rest = {}) {
  std::string text = R"({"event":")";
  return text.append(name).append(R"(","args":[)").append(args).append("]").append(rest).append("}");
}

// A route that sends back what on_message sees, with "plain " before it.
void add_route(App& app, std::function<void(WebSocket)> set_up, WsOptions options = {}) {
  app.ws("/", [set_up](WebSocket ws) {
    set_up(ws);
    ws.on_message([](WebSocket from, const Message& m) { from.send(std::string("plain ").append(m.text())); });
  }, std::move(options));
}

std::string error_event(std::string_view name, std::string_view message, std::string_view code = "bad_arguments") {
  std::string text = R"({"event":"error","args":[{"code":")";
  return text.append(code).append(R"(","message":")").append(message).append(R"(","event":")").append(name).append(R"("}]})");
}

}  // namespace

TEST_CASE("ws events: arguments by type") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) {
      ws.on("all", [](WebSocket from, bool b, int i, uint64_t n, double d, std::string s, std::string_view v, const Json& j, Post p, std::optional<int> o, std::vector<int> l) {
        from.emit("all", b, i, n, d, s, v, j, p, o, l);
      });
      ws.on("none", [](WebSocket from) { from.emit("none"); });
      ws.on("alone", [n = 0](std::string text) mutable { return text.append(std::to_string(++n)); });
      ws.on("views", [](WebSocket from, std::string_view a, std::string_view b, std::string_view c) { from.emit("views", a, b, c); });
      ws.on("optional", [](WebSocket from, int a, std::optional<int> b) { from.emit("optional", a, b.value_or(-1)); });
    });
  });
  WsClient client(server.port());
  const std::string all = event("all", R"(true,-7,18446744073709551615,1.5,"a\"b","é",{"x":[1]},{"title":"t","likes":3},null,[1,2])");
  CHECK(client.send_text(all));
  CHECK(client.reads(all));
  CHECK(client.echoes(event("none", "")));
  CHECK(client.send_text(event("none", "1,2,3")));
  CHECK(client.reads(event("none", "")));
  CHECK(client.send_text(event("alone", R"("x")", R"(,"ack":5)")));
  CHECK(client.reads(R"({"ack":5,"args":["x1"]})"));
  CHECK(client.echoes(event("views", R"("a\tb","plain","c\\d")")));
  CHECK(client.send_text(event("optional", "1")));
  CHECK(client.reads(event("optional", "1,-1")));
  CHECK(client.echoes(event("optional", "1,2")));
  CHECK(client.close_nicely());
}

TEST_CASE("ws events: arguments that are not what a listener takes") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) {
      ws.on("post", [](WebSocket from, int n, Post p) { from.emit("post", n, p.title); });
      ws.once("first", [](WebSocket from, int) { from.send("first"); });
      ws.on("any", [](WebSocket from, Json j) { from.emit("any", j); });
    });
  });
  WsClient client(server.port());
  const auto answers = [&](std::string_view text, std::string_view wanted) {
    CAPTURE(text);
    CHECK(client.send_text(text));
    CHECK(client.reads(wanted));
  };
  answers(event("post", R"("x",{})"), error_event("post", "/0: an integer is wanted"));
  answers(event("post", R"(1,{"likes":"no"})"), error_event("post", "/1/likes: an integer is wanted"));
  answers(event("post", "99999999999,{}"), error_event("post", "/0: the integer is too large"));
  answers(event("post", "1"), error_event("post", "/1: an argument is missing"));
  answers(event("post", ""), error_event("post", "/0: an argument is missing"));
  answers(R"({"event":"post"})", error_event("post", "/0: an argument is missing"));
  answers(event("post", R"(1,{"title":"t"},7,8)"), R"({"event":"post","args":[1,"t"]})");
  // It was glanced at, and is no JSON after all, or another event.
  answers(R"({"event":"post","args":[1,]})", R"(plain {"event":"post","args":[1,]})");
  answers(R"({"event":"post","args":[1],"x":[2]})", error_event("post", "/1: an argument is missing"));
  answers(R"({"event":"any","args":[1],"x":[2]})", R"({"event":"any","args":[1]})");
  answers(R"({"event":"post","args":[1],"event":"any","args":[2]})", R"({"event":"any","args":[2]})");
  answers(R"({"event":"post","args":[1],"event":"nobody","args":[2]})", R"(plain {"event":"post","args":[1],"event":"nobody","args":[2]})");
  // Arguments that it cannot take do not use up a listener for once.
  answers(event("first", "true"), error_event("first", "/0: an integer is wanted"));
  answers(event("first", "1"), "first");
  answers(event("first", "1"), "plain " + event("first", "1"));
}

TEST_CASE("ws events: 32 arguments, and 33") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) { ws.on("many", [](WebSocket from, int a) { from.emit("many", a); }); });
  });
  WsClient client(server.port());
  std::string args = "7";
  for (int i = 1; i < 32; i++) args += ",0";
  CHECK(client.send_text(event("many", args)));
  CHECK(client.reads(event("many", "7")));
  CHECK(client.send_text(event("many", args + ",0")));
  const WsFrame refused = client.read_message();
  CHECK(refused.payload == error_event("many", "an event has at most 32 arguments", "too_many_arguments"));
}

TEST_CASE("ws events: names of 128 bytes, and of 129") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) {
      CHECK(ws.on(std::string(128, 'n'), [](WebSocket from) { from.emit(std::string(128, 'm')); }));
      CHECK(!ws.on(std::string(129, 'n'), [](WebSocket) {}));
      CHECK(!ws.on("", [](WebSocket) {}));
      CHECK(ws.emit(std::string(129, 'm')) == SendStatus::dropped);
      CHECK(ws.emit("") == SendStatus::dropped);
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text(event(std::string(128, 'n'), "")));
  CHECK(client.reads(event(std::string(128, 'm'), "")));
  const std::string longer = event(std::string(129, 'n'), "");
  CHECK(client.send_text(longer));
  CHECK(client.reads("plain " + longer));
}

TEST_CASE("ws events: what is none goes to on_message") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) { ws.on("a", [](WebSocket from) { from.send("a"); }); });
  });
  WsClient client(server.port());
  std::string deep = R"({"event":"a","args":[)";
  deep.append(20'000, '[').append(20'000, ']').append("]}");
  for (const std::string& text : {std::string(), std::string("hello"), std::string("{"), std::string("{}"), event("b", ""), event("b", "nonsense"), std::string(R"({"type":"a"})"),
                                  std::string(R"({"event":"a","args":7})"), std::string(R"({"event":["a"]})"), std::string(R"({"ack":7,"args":[]})"), event("a", "", R"(,"ack":-1)"), deep}) {
    CAPTURE(text.substr(0, 60));
    CHECK(client.send_text(text));
    CHECK(client.reads("plain " + text));
  }
  CHECK(client.send_binary(event("a", "")));
  CHECK(client.reads("plain " + event("a", "")));
  CHECK(client.send_text(R"( {"args" : [], "x" : {"event":"b"}, "\u0065vent":"\u0061"})"));
  CHECK(client.reads("a"));
}

TEST_CASE("ws events: the route's listeners first, then the connection's, in order; off by id and by name") {
  TestServer server([](App& app) {
    WsHandlers handlers{.open = [](WebSocket ws, Request&) {
                          ws.on("a", [](WebSocket from) { from.send("own 1"); });
                          const ListenerId second = ws.on("a", [](WebSocket from) { from.send("own 2"); });
                          ws.once("a", [](WebSocket from) { from.send("once"); });
                          ws.on("off second", [second](WebSocket from) { from.off(second); from.off(second); from.off(ListenerId()); });
                        },
                        .message = [](WebSocket ws, const Message&) { ws.send("message"); },
                        .on = {{"a", [](WebSocket ws) { ws.send("route 1"); }}, {"a", [](WebSocket ws) { ws.send("route 2"); }}, {"off", [](WebSocket ws, std::string name) { ws.off(name); }}}};
    app.ws("/", std::move(handlers));
  });
  WsClient client(server.port());
  const auto reads_all = [&](std::initializer_list<std::string_view> wanted) {
    CHECK(client.send_text(event("a", "")));
    for (const std::string_view text : wanted) CHECK(client.reads(text));
    CHECK(client.send_text("x"));
    CHECK(client.reads("message"));
  };
  reads_all({"route 1", "route 2", "own 1", "own 2", "once"});
  reads_all({"route 1", "route 2", "own 1", "own 2"});
  CHECK(client.send_text(event("off second", "")));
  reads_all({"route 1", "route 2", "own 1"});
  CHECK(client.send_text(event("off", R"("a")")));
  reads_all({"route 1", "route 2"});
  CHECK(client.send_text(event("off", R"("nobody")")));
  reads_all({"route 1", "route 2"});
}

TEST_CASE("ws events: listeners that take themselves off, or others, or add some, while they run") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) {
      auto id = std::make_shared<ListenerId>();
      auto last = std::make_shared<ListenerId>();
      *id = ws.on("a", [id, last, kept = std::string(100, 'k')](WebSocket from) {
        from.off(*id);
        from.off(*last);
        from.on("a", [](WebSocket again) { again.send("new"); });
        from.send(kept.substr(0, 3));
      });
      ws.on("a", [](WebSocket from) { from.send("second"); });
      *last = ws.on("a", [](WebSocket from) { from.send("never"); });
      ws.on("all", [](WebSocket from) {
        from.off("all");
        for (int i = 0; i < 100; i++) from.on("all", [i](WebSocket again) { again.send(std::to_string(i)); });
        from.off("all");
        from.send("all off");
      });
      ws.on("all", [](WebSocket from) { from.send("never"); });
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text(event("a", "")));
  CHECK(client.reads("kkk"));
  CHECK(client.reads("second"));
  CHECK(client.send_text(event("a", "")));
  CHECK(client.reads("second"));
  CHECK(client.reads("new"));
  CHECK(client.send_text(event("all", "")));
  CHECK(client.reads("all off"));
  CHECK(client.send_text(event("all", "")));
  CHECK(client.reads("plain " + event("all", "")));
}

TEST_CASE("ws events: a listener that throws closes with 1011, and is told; one that closes or leaves may do so") {
  std::atomic<int> failures = 0;
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& f) { failures += f.what == "oh" && f.route == "/"; });
    add_route(app, [](WebSocket ws) {
      ws.join("room");
      ws.on("throw", [](WebSocket) { throw std::runtime_error("oh"); });
      ws.on("close", [](WebSocket from) { from.close(CloseCode(4001), "bye"); });
      ws.on("close", [](WebSocket from) { CHECK(from.emit("late") == SendStatus::closed); });
      ws.on("abort", [](WebSocket from) { from.abort(); });
      ws.on("abort", [](WebSocket from) { from.off("abort"); });
      ws.on("leave", [](WebSocket from) { from.leave("room"); from.send(from.in_room("room") ? "in" : "out"); });
    });
  });
  WsClient throws(server.port());
  CHECK(throws.send_text(event("throw", "")));
  CHECK(throws.read_close() == 1011);
  CHECK(eventually([&] { return failures == 1; }));
  WsClient closes(server.port());
  CHECK(closes.send_text(event("close", "")));
  CHECK(closes.read_close() == 4001);
  WsClient aborts(server.port());
  CHECK(aborts.send_text(event("abort", "")));
  CHECK(aborts.ended());
  WsClient leaves(server.port());
  CHECK(leaves.send_text(event("leave", "")));
  CHECK(leaves.reads("out"));
}

TEST_CASE("ws events: answers at once, later, from another thread, and when the connection has gone") {
  std::vector<EventReply> kept;
  std::mutex lock;
  TestServer server([&](App& app) {
    add_route(app, [&](WebSocket ws) {
      ws.on("now", [](WebSocket, int n, EventReply reply) { reply({{"n", n}, {"wanted", static_cast<bool>(reply)}}); });
      ws.on("late", [&](EventReply reply) {
        const std::lock_guard hold(lock);
        kept.push_back(reply);
      });
      ws.on("value", [](int n) { return n + 1; });
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text(event("now", "3", R"(,"ack":9007199254740991)")));
  CHECK(client.reads(R"({"ack":9007199254740991,"args":[{"n":3,"wanted":true}]})"));
  CHECK(client.send_text(event("now", "3")));  // nobody wants one: nothing is sent
  CHECK(client.send_text(event("value", "3", R"(,"ack":0)")));
  CHECK(client.reads(R"({"ack":0,"args":[4]})"));
  CHECK(client.send_text(event("late", "", R"(,"ack":2)")));
  REQUIRE(eventually([&] { const std::lock_guard hold(lock); return kept.size() == 1; }));
  CHECK(kept[0](1, "two") == SendStatus::posted);
  CHECK(client.reads(R"({"ack":2,"args":[1,"two"]})"));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return server.on_thread([](App& app) { return app.connections(); }) == 0; }));
  server.on_thread([&](App&) { CHECK(kept[0]() == SendStatus::closed); return 0; });
}

TEST_CASE("ws events: on_event_error in place of the answer, and a second mistake of one message is none") {
  std::vector<std::string> told;
  TestServer server([&](App& app) {
    app.on_event_error([&](WebSocket, const EventError& e) {
      told.push_back(std::string(e.event).append(" ").append(e.code).append(" ").append(e.message));
      e.reply({{"error", e.message}});
      if (told.size() == 3) throw std::runtime_error("oh");
    });
    add_route(app, [](WebSocket ws) {
      ws.on("a", [](WebSocket, int) {});
      ws.on("a", [](WebSocket, bool) {});
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text(event("a", R"("x")", R"(,"ack":1)")));
  CHECK(client.reads(R"({"ack":1,"args":[{"error":"/0: an integer is wanted"}]})"));
  CHECK(client.send_text(event("a", "1")));  // the second one cannot take it
  CHECK(client.send_text(event("a", "[]")));
  CHECK(client.read_close() == 1011);
  CHECK(told == std::vector<std::string>{"a bad_arguments /0: an integer is wanted", "a bad_arguments /0: true or false is wanted", "a bad_arguments /0: an integer is wanted"});
}

TEST_CASE("ws events: to rooms, routes and everybody, from the worker and from other threads") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) {
      ws.join("room");
      ws.on("to", [](WebSocket from, int n) { from.to("room").emit("others", n); from.join("room").emit("all", {{"n", n}}); });
    });
  });
  WsClient a(server.port());
  WsClient b(server.port());
  CHECK(a.send_text(event("to", "1")));
  CHECK(b.reads(event("others", "1")));
  CHECK(b.reads(event("all", R"({"n":1})")));
  CHECK(a.reads(event("all", R"({"n":1})")));
  CHECK(server.app().everybody().emit("tick", 7, "x") == SendStatus::posted);
  CHECK(server.app().to_route("/").emit("tick", nullptr) == SendStatus::posted);
  for (WsClient* client : {&a, &b}) {
    CHECK(client->reads(event("tick", R"(7,"x")")));
    CHECK(client->reads(event("tick", "null")));
  }
}

TEST_CASE("ws events: listeners and events from another thread, in order") {
  std::optional<WebSocket> socket;
  std::mutex lock;
  TestServer server([&](App& app) {
    add_route(app, [&](WebSocket ws) {
      const std::lock_guard hold(lock);
      socket = ws;
    });
  });
  WsClient client(server.port());
  REQUIRE(eventually([&] { const std::lock_guard hold(lock); return socket.has_value(); }));
  const ListenerId id = socket->on("a", [](WebSocket from) { from.send("first"); });
  CHECK(id);
  socket->once("a", [](WebSocket from) { from.send("once"); });
  CHECK(socket->emit("ready", 1) == SendStatus::posted);
  CHECK(client.reads(event("ready", "1")));
  CHECK(client.send_text(event("a", "")));
  CHECK(client.reads("first"));
  CHECK(client.reads("once"));
  socket->off(id);
  socket->on("b", [](WebSocket from) { from.send("b"); });
  socket->off("b");
  CHECK(socket->emit("ready") == SendStatus::posted);
  CHECK(client.reads(event("ready", "")));
  for (const char* name : {"a", "b"}) {
    CHECK(client.send_text(event(name, "")));
    CHECK(client.reads("plain " + event(name, "")));
  }
}

TEST_CASE("ws events: type and data") {
  TestServer server([](App& app) {
    add_route(app, [](WebSocket ws) {
      ws.join("room");
      ws.on("one", [](WebSocket from, Json j, EventReply reply) { from.emit("one", j); reply(j); });
      ws.on("two", [](WebSocket from, int a, std::string b, EventReply reply) { from.emit("two", a, b); reply(a, b); });
      ws.on("none", [](WebSocket from, EventReply reply) { from.emit("none"); reply(); });
      ws.on("room", [](WebSocket from) { from.join("room").emit("room", 1); from.emit_with_ack("q", 5).then([](WebSocket w, AckResult r) { w.emit("answered", *r.get(), r.size()); }); });
      ws.on("list", [](WebSocket from, std::vector<int> l) { from.emit("list", l); });
    }, {.envelope = Envelope::type_data});
  });
  WsClient client(server.port());
  CHECK(client.send_text(R"({"type":"one","data":{"a":1},"ack":3})"));
  CHECK(client.reads(R"({"type":"one","data":{"a":1}})"));
  CHECK(client.reads(R"({"ack":3,"data":{"a":1}})"));
  CHECK(client.send_text(R"({"type":"two","data":[1,"x"],"ack":3})"));
  CHECK(client.reads(R"({"type":"two","data":[1,"x"]})"));
  CHECK(client.reads(R"({"ack":3,"data":[1,"x"]})"));
  CHECK(client.send_text(R"({"type":"none","ack":3})"));
  CHECK(client.reads(R"({"type":"none"})"));
  CHECK(client.reads(R"({"ack":3})"));
  CHECK(client.echoes(R"({"type":"list","data":[1,2]})"));
  CHECK(client.send_text(R"({"type":"one"})"));
  CHECK(client.reads(R"({"type":"error","data":{"code":"bad_arguments","message":"/0: an argument is missing","event":"one"}})"));
  CHECK(client.send_text(R"({"type":"list","data":{}})"));
  CHECK(client.reads(R"({"type":"error","data":{"code":"bad_arguments","message":"an array is wanted","event":"list"}})"));
  CHECK(client.send_text(R"({"type":"room"})"));
  CHECK(client.reads(R"({"type":"room","data":1})"));
  CHECK(client.reads(R"({"type":"q","data":5,"ack":0})"));
  CHECK(client.send_text(R"({"ack":0,"data":[1,2]})"));
  CHECK(client.reads(R"({"type":"answered","data":[[1,2],1]})"));
  CHECK(server.app().everybody().emit("tick", 7) == SendStatus::posted);
  CHECK(client.reads(R"({"type":"tick","data":7})"));
  CHECK(client.echoes(R"(plain)") == false);
}

TEST_CASE("ws events: what listeners capture is released when the connection has gone") {
  auto captured = std::make_shared<int>(1);
  TestServer server([&](App& app) {
    add_route(app, [captured](WebSocket ws) {
      for (int i = 0; i < 50; i++) ws.on("event " + std::to_string(i), [captured](WebSocket) {});
      ws.once("event 1", [captured](WebSocket) {});
      ws.emit_with_ack("q").then([captured](WebSocket, AckResult) {});
    });
  });
  {
    WsClient client(server.port());
    CHECK(client.open());
    CHECK(eventually([&] { return captured.use_count() >= 54; }));
  }
  CHECK(eventually([&] { return captured.use_count() <= 3; }));
}
