// Options that all WebSocket routes have: App::configure.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <vector>

using namespace martlet;

namespace {

void echo(WebSocket ws, const Message& msg) { ws.send(msg); }

int status_from(App& app, std::string_view path, std::string_view origin) {
  return app.inject_ws({.path = path, .fields = {{"Origin", origin}}}).answer().status;
}

}  // namespace

TEST_CASE("configure: what a route does not say it has from there, before it and after it") {
  App app;
  app.ws("/before", {.message = echo});
  app.configure({.max_message_bytes = 10, .origins = {"https://a.example"}});
  app.ws("/after", {.message = echo});
  app.ws("/own", {.message = echo, .options = {.max_message_bytes = 20, .origins = {"https://b.example"}}});
  Router router;
  router.ws("/mounted", [](WebSocket ws) { ws.on_message(echo); });
  app.mount("/api", std::move(router));
  app.configure({});
  app.ws("/plain", {.message = echo});

  CHECK(status_from(app, "/before", "https://b.example") == 101);
  CHECK(status_from(app, "/after", "https://b.example") == 403);
  CHECK(status_from(app, "/after", "https://a.example") == 101);
  CHECK(status_from(app, "/own", "https://b.example") == 101);
  CHECK(status_from(app, "/own", "https://a.example") == 403);
  CHECK(status_from(app, "/api/mounted", "https://b.example") == 403);
  CHECK(status_from(app, "/plain", "https://b.example") == 101);

  InjectedWebSocket after = app.inject_ws({.path = "/after"});
  REQUIRE(after.send("0123456789"));
  CHECK(after.next_message() == "0123456789");
  after.send("0123456789a");
  CHECK(after.next_message() == std::nullopt);
  CHECK(after.close_code() == 1009);
  InjectedWebSocket own = app.inject_ws({.path = "/own"});
  REQUIRE(own.send("0123456789a"));
  CHECK(own.next_message() == "0123456789a");
}

TEST_CASE("configure: every option reaches the route") {
  App app;
  bool asked = false;
  app.configure({.allow_origin = [&](std::string_view) { return asked = true; },
                 .choose_protocol = [](auto offered) { return std::optional<std::string_view>(offered.back()); },
                 .compression = true,
                 .envelope = Envelope::type_data,
                 .keep_headers = {"X-Kept"},
                 .max_connections = 1,
                 .max_fragments = 3,
                 .max_metadata_bytes = 64,
                 .require_origin = true,
                 .require_protocol = true,
                 .verify = [](Request& req) { return req.query("token").value_or("") == "good"; }});
  std::string kept;
  app.ws("/", [&](WebSocket ws) {
    kept = ws.request().header("x-kept").value_or("none");
    ws.emit("hello", 1);
    ws.on_message([](WebSocket from, const Message&) {
      from.metadata()["long"] = std::string(100, 'x');
      from.metadata();
    });
  });
  const auto fields = [](std::string_view protocol) {
    return std::vector<std::pair<std::string_view, std::string_view>>{{"Origin", "https://x"}, {"X-Kept", "this"}, {"Sec-WebSocket-Protocol", protocol}};
  };
  CHECK(app.inject_ws({.path = "/?token=good"}).answer().status == 403);                              // require_origin
  CHECK(app.inject_ws({.path = "/?token=bad", .fields = fields("a, b")}).answer().status == 401);     // verify
  CHECK(app.inject_ws({.path = "/?token=good", .fields = {{"Origin", "https://x"}}}).answer().status == 400);
  InjectedWebSocket ws = app.inject_ws({.path = "/?token=good", .fields = fields("a, b")});
  CHECK(asked);
  CHECK(ws.answer().field("sec-websocket-protocol") == "b");
  CHECK(kept == "this");
  CHECK(ws.next_message() == R"({"type":"hello","data":1})");
  CHECK(app.inject_ws({.path = "/?token=good", .fields = fields("a")}).answer().status == 503);       // max_connections
  ws.send("more");
  CHECK(ws.next_message() == std::nullopt);
  CHECK(ws.close_code() == 1008);  // metadata_too_big
}

TEST_CASE("configure: WebSockets are where the paths say, and nowhere when they are not enabled") {
  App app;
  app.configure({.paths = {"/ws", "/chat/*", "/caf\xc3\xa9"}});
  app.get("/*", [](Request&, Response& res) { res.send("page"); });
  app.ws("/*", {.message = echo});
  for (const std::string_view path : {"/ws", "/chat/", "/chat", "/chat/a/b", "/%77s", "/caf%c3%a9"}) {
    CAPTURE(path);
    CHECK(app.inject_ws({.path = path}).answer().status == 101);
  }
  for (const std::string_view path : {"/", "/ws/", "/ws2", "/chats", "/other"}) {
    CAPTURE(path);
    CHECK(app.inject_ws({.path = path}).answer().status == 404);
    CHECK(app.inject({.path = path}).body == "page");
  }
  CHECK(app.stats().websocket_routes_off == 0);

  App off;
  off.configure({.enabled = false});
  off.get("/page", [](Request&, Response& res) { res.send("page"); });
  off.ws("/ws", {.message = echo});
  off.ws("/chat", [](WebSocket) {});
  CHECK(off.inject_ws({.path = "/ws"}).answer().status == 404);
  CHECK(off.inject({.path = "/ws"}).status == 404);
  CHECK(off.inject({.path = "/page"}).body == "page");
  CHECK(off.stats().websocket_routes_off == 2);

  App one;
  one.ws("/on", {.message = echo});
  one.ws("/off", {.message = echo, .options = {.enabled = false}});
  CHECK(one.inject_ws({.path = "/on"}).answer().status == 101);
  CHECK(one.inject_ws({.path = "/off"}).answer().status == 404);

  App wrong;
  wrong.configure({.paths = {"ws"}});
  CHECK(!wrong.listen("127.0.0.1", 0));
}
