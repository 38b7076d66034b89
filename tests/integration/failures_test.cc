// What becomes of a request that a step gives up: error handlers, the nearest first, text or a problem, fields that stay.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void serve(App& app) {
  app.use([](Request&, Response& res, Next next) {
    res.set("Access-Control-Allow-Origin", "*").set("X-Request-Id", "r1");
    next();
  });
  app.get("/fail", [](Request&, Response& res) { res.set("ETag", "\"1\"").fail(404, "no such user"); });
  app.get("/bare", [](Request&, Response& res) { res.fail(409); });
  app.get("/odd", [](Request&, Response& res) { res.fail(200, "no failure"); });
  app.get("/throws", [](Request&, Response&) { throw std::runtime_error("secret"); });
  app.get("/next", [](Request&, Response&, Next next) { next(HttpError{422, "name is missing"}); }, [](Request&, Response& res) { res.send("not run"); });
  app.get("/late", [](Request&, Response&, Next next) { std::thread([next] { next(HttpError{422, std::string(100, 'x')}); }).detach(); },
          [](Request&, Response& res) { res.send("not run"); });
  app.get("/late-fail", [](Request&, Response& res) { std::thread([later = res.defer()] { later.fail(503, "busy"); }).detach(); });
  app.get("/value", [](Request&) -> Reply { return fail(404, "no such post"); });
}

HttpResponse get(Client& client, std::string_view path, std::string_view accept = "*/*") {
  return client.get(path, "Accept: " + std::string(accept) + "\r\n");
}

}  // namespace

TEST_CASE("failures: text, or a problem where JSON is preferred; what was set stays, but what describes a body") {
  TestServer server(serve);
  Client client(server.port());
  for (const char* text : {"*/*", "text/html,application/json;q=0.9,*/*;q=0.8", "text/plain, application/json", "nonsense"}) {
    const HttpResponse got = get(client, "/fail", text);
    CHECK(got.status == 404);
    CHECK(got.body == "no such user");
    CHECK(got.field("content-type") == "text/plain; charset=utf-8");
    CHECK(got.field("access-control-allow-origin") == "*");
    CHECK(got.field("etag") == "");
  }
  for (const char* json : {"application/json", "application/problem+json", "application/json, text/plain;q=0.5", "application/*"}) {
    const HttpResponse got = get(client, "/fail", json);
    CHECK(got.status == 404);
    CHECK(got.field("content-type") == "application/problem+json");
    CHECK(got.body == R"({"type":"about:blank","title":"Not Found","status":404,"detail":"no such user","request_id":"r1"})");
    CHECK(got.field("access-control-allow-origin") == "*");
  }
  CHECK(get(client, "/bare").body == "Conflict");
  CHECK(get(client, "/bare", "application/json").body == R"({"type":"about:blank","title":"Conflict","status":409,"request_id":"r1"})");
  CHECK(get(client, "/odd").status == 500);
  CHECK(get(client, "/value").body == "no such post");
}

TEST_CASE("failures: of a request that was deferred, with an error handler that only looks on") {
  int told = 0;
  TestServer server([&](App& app) {
    app.on_error([&](const Failure&, Request&, Response&) { told++; });
    serve(app);
    app.get("/deferred", [](Request&, Response& res) {
      const Response later = res.defer();
      later.fail(409, "not now");
    });
    app.get("/deferred-throws", [](Request&, Response& res) {
      const Response later = res.defer();
      throw std::runtime_error(later.sent() ? "sent" : "secret");
    });
    app.get("/handed-on", [](Request&, Response& res) { res.fail(418); });
    app.on_error([](const Failure& f, Request&, Response& res) {
      if (f.status == 418) std::thread([later = res.defer()] { later.send("handed on"); }).detach();
    });
  });
  Client client(server.port());
  CHECK(get(client, "/late-fail").body == "busy");
  CHECK(get(client, "/deferred").body == "not now");
  CHECK(get(client, "/deferred-throws").status == 500);
  CHECK(get(client, "/handed-on").body == "handed on");
  CHECK(server.on_thread([&](App&) { return told; }) == 4);
}

TEST_CASE("failures: next(error) in place of what comes after it, now or later, from any thread") {
  TestServer server(serve);
  Client client(server.port());
  HttpResponse got = get(client, "/next");
  CHECK(got.status == 422);
  CHECK(got.body == "name is missing");
  CHECK(get(client, "/late").body == std::string(100, 'x'));
  got = get(client, "/late-fail");
  CHECK(got.status == 503);
  CHECK(got.body == "busy");
  CHECK(got.field("access-control-allow-origin") == "*");
  CHECK(server.stats().accepted == 1);
}

TEST_CASE("failures: the text of an exception is for the log, unless the App is no production") {
  for (const bool production : {true, false}) {
    TestServer server([](App& app) {
      serve(app);
      app.on_error([](const Failure& failure, Request&, Response& res) { res.set("X-Was", failure.exception); });
    }, {.app = {.production = production}});
    Client client(server.port());
    const HttpResponse got = get(client, "/throws");
    CHECK(got.status == 500);
    CHECK(got.body == (production ? "Internal Server Error" : "secret"));
    CHECK(got.field("x-was") == "secret");
    CHECK(server.stats().handler_failures == 1);
  }
}

TEST_CASE("failures: error handlers run from the nearest Router outwards until one answers") {
  TestServer server([](App& app) {
    app.on_error([](const Failure& f, Request&, Response& res) {
      CHECK(f.status == 418);
      res.set("X-Path", std::string(res.get("X-Path").value_or("")) + "app").send(f.route);
    });
    app.group("/api", [](Router& api) {
      api.on_error([](const Failure&, Request&, Response& res) { res.set("X-Path", "api-1,"); });
      api.on_error([](const Failure&, Request& req, Response& res) {
        res.set("X-Path", std::string(*res.get("X-Path")) + "api-2,");
        if (req.query("stop")) res.status(400).json({{"error", "stopped"}});
      });
      api.get("/tea", [](Request&, Response& res) { res.fail(418); });
      api.group("/inner", [](Router& inner) {
        inner.get("/tea", [](Request&, Response& res) { res.fail(418); });
        inner.on_error([](const Failure&, Request&, Response& res) { res.set("X-Inner", "1"); });
      });
    });
    app.get("/tea", [](Request&, Response& res) { res.fail(418); });
    app.get("/again", [](Request&, Response& res) { res.fail(418); });
  });
  Client client(server.port());
  HttpResponse got = get(client, "/api/tea");
  CHECK(got.status == 418);
  CHECK(got.field("x-path") == "api-1,api-2,app");
  CHECK(got.field("x-inner") == "");
  CHECK(got.body == "/api/tea");
  got = get(client, "/api/inner/tea");
  CHECK(got.field("x-inner") == "1");
  CHECK(got.field("x-path") == "api-1,api-2,app");
  CHECK(got.body == "/api/inner/tea");
  got = get(client, "/api/tea?stop=1");
  CHECK(got.status == 400);
  CHECK(got.body == R"({"error":"stopped"})");
  CHECK(get(client, "/tea").field("x-path") == "app");
}

TEST_CASE("failures: the id is the one that a step has set or that was made, not what a stranger sends") {
  TestServer server([](App& app) {
    app.on_error([](const Failure& f, Request& req, Response& res) { res.set("X-Told", f.request_id).set("X-Same", f.request_id == req.id() ? "1" : "0"); });
    app.get("/", [](Request&, Response& res) { res.fail(404); });
  });
  Client client(server.port());
  const HttpResponse got = client.get("/", "X-Request-Id: a-stranger's\r\n");
  CHECK(got.field("x-told").size() == 24);
  CHECK(got.field("x-same") == "1");
}

TEST_CASE("failures: what a failure says stays good while error handlers set fields and throw") {
  TestServer server([](App& app) {
    app.use([](Request&, Response& res, Next next) { res.set("X-Request-Id", "r-0123456789").set("X-Why", "why it failed"), next(); });
    app.on_error([](const Failure&, Request&, Response& res) {
      for (int i = 0; i < 40; i++) res.set("X-Many-" + std::to_string(i), std::string(200, 'm'));  // the fields move
      res.remove("X-Why");
    });
    app.on_error([](const Failure& f, Request& req, Response&) {
      CHECK(f.request_id == "r-0123456789");
      if (req.path() == "/throws") throw std::runtime_error("another one, which is longer");
    });
    app.get("/fails", [](Request&, Response& res) { res.fail(409, *res.get("X-Why")); });
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("the first"); });
  }, {.app = {.production = false}});
  Client client(server.port());
  CHECK(get(client, "/fails", "application/json").body == R"({"type":"about:blank","title":"Conflict","status":409,"detail":"why it failed","request_id":"r-0123456789"})");
  CHECK(get(client, "/throws").body == "the first");
}

TEST_CASE("failures: an error handler that fails, throws or answers later") {
  TestServer server([](App& app) {
    app.on_error([](const Failure& f, Request& req, Response& res) {
      if (req.path() == "/fails") res.fail(f.status + 1, "twice");
      if (req.path() == "/throws") throw std::runtime_error("in the handler");
      if (req.path() == "/later") std::thread([later = res.defer()] { later.send("later"); }).detach();
    });
    for (const char* path : {"/fails", "/throws", "/later"}) app.get(path, [](Request&, Response& res) { res.fail(410, "once"); });
  });
  Client client(server.port());
  HttpResponse got = get(client, "/fails");
  CHECK(got.status == 411);
  CHECK(got.body == "twice");
  got = get(client, "/throws");
  CHECK(got.status == 410);
  CHECK(got.body == "once");
  got = get(client, "/later");
  CHECK(got.status == 410);
  CHECK(got.body == "later");
  CHECK(server.stats().handler_failures == 1);
}

TEST_CASE("failures: what the library refuses goes through the error handlers as well, with the fields that belong to it") {
  TestServer server([](App& app) {
    app.keep_fields({"X-Request-Id"});
    app.use([](Request&, Response& res, Next next) { res.set("X-Request-Id", "r1").set("X-Gone", "1"), next(); });
    app.get("/posts", [](Request&, Response& res) { res.send("posts"); });
    app.post("/posts", RouteOptions{.max_body_bytes = 10}, [](Request& req, Response& res) { res.send(req.body()); });
    app.get("/silent", [](Request&, Response&) {});
    app.get("/never", [](Request&, Response& res) { (void)res.defer(); });
    app.ws("/ws", {});
    Router quiet;
    quiet.post("/posts", RouteOptions{.max_body_bytes = 10}, [](Request&, Response& res) { res.send("ok"); });
    quiet.on_error([](const Failure& failure, Request&, Response& res) { res.send("quiet " + std::to_string(failure.status)); });
    app.mount("/quiet", std::move(quiet));
    app.on_error([](const Failure& failure, Request&, Response& res) {
      if (failure.status == 426) return;  // to nobody: the default
      res.json({{"code", failure.status}, {"said", failure.text}, {"route", failure.route}, {"id", failure.request_id}});
    });
  }, {.app = {.handler_timeout = std::chrono::milliseconds(100)}});
  Client client(server.port());
  const auto json = [](int code, std::string said, std::string route) {
    return "{\"code\":" + std::to_string(code) + ",\"said\":\"" + said + "\",\"route\":\"" + route + "\",\"id\":\"r1\"}";
  };
  CHECK(client.get("/nowhere").body == json(404, "Not Found", "*"));
  const HttpResponse wrong = client.request("DELETE /posts HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(wrong.status == 405);
  CHECK(wrong.body == json(405, "Method Not Allowed", "*"));
  CHECK(wrong.field("allow") == "OPTIONS, GET, HEAD, POST");
  CHECK(wrong.field("x-request-id") == "r1");
  CHECK(wrong.field("x-gone") == "");
  CHECK(client.request("FROB /posts HTTP/1.1\r\nHost: t\r\n\r\n").body == json(501, "Not Implemented", "*"));
  CHECK(client.get("/silent").body == json(500, "Internal Server Error", "/silent"));
  CHECK(client.get("/never").body == json(503, "The server took too long to answer.", "/never"));
  const HttpResponse socket = client.get("/ws");
  CHECK(socket.status == 426);
  CHECK(socket.field("upgrade") == "websocket");
  CHECK(socket.count("upgrade") == 1);
  CHECK(client.get("/%").status == 400);
  const HttpResponse large = Client(server.port()).post("/posts", "eleven more");
  CHECK(large.status == 413);
  CHECK(large.body.starts_with("{\"code\":413,"));
  CHECK(large.body.ends_with("\"route\":\"/posts\",\"id\":\"r1\"}"));
  CHECK(Client(server.port()).post("/quiet/posts", "eleven more").body == "quiet 413");
  Client slow(server.port());
  CHECK(slow.request("POST /posts HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n").body.starts_with("{\"code\":413,"));
}

TEST_CASE("failures: an error handler that answers a refusal later, and one that never does within the time") {
  TestServer server([](App& app) {
    app.get("/never", [](Request&, Response& res) { (void)res.defer(); });
    app.on_error([](const Failure& failure, Request& req, Response& res) {
      if (failure.status == 503) return (void)res.defer();
      std::thread([later = res.defer(), path = std::string(req.path())] { later.send("later " + path); }).detach();
    });
  }, {.app = {.handler_timeout = std::chrono::milliseconds(100)}});
  Client client(server.port());
  const HttpResponse later = client.get("/nowhere");
  CHECK(later.status == 404);
  CHECK(later.body == "later /nowhere");
  const HttpResponse never = client.get("/never");
  CHECK(never.status == 503);
  CHECK(never.body == "The server took too long to answer.");
  CHECK(client.get("/nowhere").body == "later /nowhere");
}
