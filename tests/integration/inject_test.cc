// App::inject and App::inject_ws: whole exchanges without a network, through the code that serves one.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/multi_server.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void add_routes(App& app) {
  app.use([](Request&, Response& res, Next next) { res.set("X-Step", "seen"), next(); });
  app.get("/hello/:name", [](Request& req, Response& res) { res.send(std::string(req.param("name")) + std::string(req.query("q").value_or(""))); });
  app.post("/posts", [](Request& req, Response& res) {
    const auto post = req.json();
    if (!post) return res.status(400).send("no JSON");
    res.status(201).set("Location", "/posts/7").append("Vary", "A").append("Vary", "B").json({{"type", std::string(req.header("content-type").value_or("none"))}, {"post", *post}});
  });
  app.all("/echo", [](Request& req, Response& res) { res.send(req.body()); });
  app.get("/host", [](Request& req, Response& res) { res.send(req.header("host").value_or("none")); });
  app.get("/empty", [](Request&, Response& res) { res.status(204).end(); });
  app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
  app.ws("/echo", {.message = [](WebSocket ws, const Message& m) { m.is_text() ? ws.send(m.text()) : ws.send(m.bytes()); }});
}

std::string text(size_t size) {
  std::string all;
  for (size_t n = 0; n < size; n++) all.push_back(static_cast<char>('a' + n % 23));
  return all;
}

}  // namespace

TEST_CASE("inject: a request has its whole answer, before anybody listens and after it") {
  App app;
  add_routes(app);
  for (int round = 0; round < 2; round++) {
    const Reply hello = app.inject({.path = "/hello/Ann%20E?q=!"});
    CHECK(hello.status == 200);
    CHECK(hello.body == "Ann E!");
    CHECK(hello.type == "text/plain; charset=utf-8");
    CHECK(hello.field("x-step") == "seen");
    CHECK(hello.field("content-length") == "6");
    CHECK(!hello.field("date").empty());
    CHECK(!hello.failed);
    const Reply made = app.inject({.method = "POST", .path = "/posts", .body = R"({"title":"x"})"});
    CHECK(made.status == 201);
    CHECK(made.body == R"({"type":"application/json","post":{"title":"x"}})");
    CHECK(made.type == "application/json");
    CHECK(made.field("location") == "/posts/7");
    int lines = 0;
    for (const auto& [name, value] : made.fields) lines += name == "Vary";
    CHECK(lines == 2);
    CHECK(app.inject({.method = "POST", .path = "/posts", .body = "[1", .fields = {{"content-type", "x/y"}}}).status == 400);
    CHECK(app.inject().status == 404);
    CHECK(app.inject({.method = "DELETE", .path = "/posts"}).field("allow") == "OPTIONS, POST");
    CHECK(app.inject({.path = "/host"}).body == "localhost");
    CHECK(app.inject({.path = "/host", .fields = {{"Host", "a.example"}}}).body == "a.example");
    CHECK(app.inject({.path = "/empty"}).status == 204);
    CHECK(app.inject({.path = "/throws"}).status == 500);
    const Reply head = app.inject({.method = "HEAD", .path = "/hello/x"});
    CHECK(head.field("content-length") == "1");
    CHECK(head.body.empty());
    CHECK(app.stats().open_connections == 0);
    if (round == 0) REQUIRE(app.listen("127.0.0.1", 0).ok());
  }
}

TEST_CASE("inject: bodies that no socket takes at once, their limits, and 100 Continue") {
  App app({.max_body_bytes = 4 << 20});
  add_routes(app);
  const std::string large = text(4 << 20);
  CHECK(app.inject({.method = "PUT", .path = "/echo", .body = large}).body == large);
  CHECK(app.inject({.method = "PUT", .path = "/echo", .body = large, .fields = {{"Expect", "100-continue"}}}).body == large);
  CHECK(app.inject({.method = "PUT", .path = "/echo", .body = large + "x"}).status == 413);
  const Reply chunked = app.inject({.method = "PUT", .path = "/echo", .body = "3\r\nabc\r\n0\r\n\r\n", .fields = {{"Transfer-Encoding", "chunked"}}});
  CHECK(chunked.body == "abc");
  CHECK(app.inject({.method = "BAD METHOD"}).status == 400);
  CHECK(app.inject({.path = "/hello/x", .fields = {{"Connection", "close"}}}).body == "x");
  CHECK(app.stats().open_connections == 0);
}

TEST_CASE("inject: late answers and timers take their time, and a deadline ends the wait") {
  App app;
  bool aborted = false;
  std::thread helper;
  std::vector<Response> kept;
  app.get("/timer", [&](Request&, Response& res) { app.after(milliseconds(20), [later = res.defer()] { later.send("late"); }); });
  app.get("/thread", [&](Request&, Response& res) { helper = std::thread([later = res.defer()] { later.send("from elsewhere"); }); });
  app.get("/never", [&](Request&, Response& res) {
    res.on_aborted([&] { aborted = true; });
    kept.push_back(res.defer());
  });
  app.get("/ends", [&](Request&, Response& res) { kept.push_back(res.defer()), app.post([&] { app.close(); }); });
  CHECK(app.inject({.path = "/timer"}).body == "late");
  CHECK(app.inject({.path = "/thread"}).body == "from elsewhere");
  helper.join();
  const Reply none = app.inject({.path = "/never", .deadline = milliseconds(30)});
  CHECK(none.status == 503);
  CHECK(none.failed);
  CHECK(none.body == "No answer came in time.");
  CHECK(aborted);
  const Reply ended = app.inject({.path = "/ends"});
  CHECK(ended.failed);
  CHECK(ended.status == 503);
  CHECK(app.inject({.path = "/timer"}).body == "The App has ended.");
}

TEST_CASE("inject: in a callback, on another thread and in a Server the answer says that it cannot be") {
  App app;
  Reply inner;
  app.get("/", [&](Request&, Response& res) {
    inner = app.inject({.path = "/"});
    CHECK(!app.inject_ws({.path = "/"}).is_open());
    res.send("outer");
  });
  CHECK(app.inject().body == "outer");
  CHECK(inner.status == 503);
  CHECK(inner.failed);
  CHECK(inner.body.find("callback") != inner.body.npos);
  Reply elsewhere;
  std::thread([&] { elsewhere = app.inject(); }).join();
  CHECK(elsewhere.failed);
  CHECK(elsewhere.body.find("own thread") != elsewhere.body.npos);
  CHECK(app.inject().status == 200);
  Reply of_server;
  MultiServer server(1, [&](App& worker, uint32_t) { of_server = worker.inject(); });
  CHECK(of_server.failed);
  CHECK(of_server.body.find("Server") != of_server.body.npos);
}

TEST_CASE("inject: what is wrong with the App is the answer") {
  App app;
  app.get("no slash", [](Request&, Response& res) { res.end(); });
  const Reply reply = app.inject();
  CHECK(reply.failed);
  CHECK(reply.body == app.listen("127.0.0.1", 0).error().what());
}

TEST_CASE("inject_ws: messages of all sizes, both ways, and a close from either side") {
  App app;
  add_routes(app);
  app.ws("/talk", [](WebSocket ws, Request&) {
    ws.send("hello"), ws.ping("are you there"), ws.send("again");
    ws.on_pong([](WebSocket from, std::string_view what) { from.send("pong: " + std::string(what)); });
    ws.on_message([](WebSocket from, const Message&) { from.send("bye"), from.close(CloseCode::policy_violation, "enough"); });
  });
  app.ws("/cut", {.message = [](WebSocket ws, const Message&) { ws.abort(); }});
  {
    InjectedWebSocket ws = app.inject_ws({.path = "/echo"});
    REQUIRE(ws.is_open());
    CHECK(ws.answer().status == 101);
    CHECK(ws.answer().field("x-step") == "seen");
    CHECK(!ws.receive());
    for (const size_t size : {size_t{0}, size_t{1}, size_t{125}, size_t{126}, size_t{65535}, size_t{65536}, size_t{1} << 20}) {
      CHECK(ws.send(text(size)));
      CHECK(ws.next_message() == text(size));
      CHECK(ws.was_text());
    }
    const std::array<std::byte, 3> bytes{std::byte{0}, std::byte{255}, std::byte{7}};
    CHECK(ws.send(bytes));
    CHECK(ws.next_message() == std::string("\0\xff\x07", 3));
    CHECK(!ws.was_text());
    CHECK(!ws.next_message(milliseconds(10)));
    ws.close(CloseCode::going_away, "that was it");
    CHECK(!ws.is_open());
    CHECK(ws.close_code() == 1001);
    CHECK(!ws.send("late"));
    CHECK(!ws.next_message());
  }
  InjectedWebSocket ws = app.inject_ws({.path = "/talk"});
  CHECK(ws.next_message() == "hello");
  CHECK(ws.next_message() == "again");
  CHECK(ws.next_message() == "pong: are you there");
  CHECK(ws.send("enough?"));
  CHECK(ws.next_message() == "bye");
  CHECK(!ws.next_message());
  CHECK(ws.close_code() == 1008);
  CHECK(ws.close_reason() == "enough");
  ws = app.inject_ws({.path = "/cut"});
  ws.send("x");
  CHECK(!ws.next_message());
  CHECK(ws.close_code() == 1006);
  CHECK(app.stats().open_websockets == 0);
}

TEST_CASE("inject_ws: two of them and a room, timers, and a refusal") {
  App app;
  app.use("/private", [](Request& req, Response& res, Next next) { req.header("authorization") ? next() : res.status(401).send("who?"); });
  const auto joins = [&app](WebSocket ws, Request&) {
    ws.join("room");
    app.after(milliseconds(10), [ws] { ws.send("later"); });
    ws.on_message([](WebSocket from, const Message& m) { from.to("room").send(m); });
  };
  app.ws("/room", joins).ws("/private/room", joins);
  InjectedWebSocket a = app.inject_ws({.path = "/room"});
  InjectedWebSocket b = app.inject_ws({.path = "/private/room", .fields = {{"Authorization", "me"}}});
  REQUIRE(b.is_open());
  CHECK(a.next_message() == "later");
  CHECK(b.next_message() == "later");
  a.send("from a");
  CHECK(b.next_message() == "from a");
  CHECK(!a.receive());
  InjectedWebSocket refused = app.inject_ws({.path = "/private/room"});
  CHECK(!refused.is_open());
  CHECK(refused.answer().status == 401);
  CHECK(refused.answer().body == "who?");
  CHECK(!refused.send("x"));
  CHECK(!refused.next_message());
  CHECK(app.inject_ws({.path = "/nowhere"}).answer().status == 404);
  { const InjectedWebSocket gone = std::move(a); }
  CHECK(app.stats().open_websockets == 1);
}
