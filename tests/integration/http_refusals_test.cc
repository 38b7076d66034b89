// What the library refuses carries what the application's middleware sets: the steps of use() see a request that is
// refused after its head was read, may answer it themselves, and the handler does not.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/server.h"
#include "support/stepped_server.h"

using namespace martlet;
using namespace martlet::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kOrigin = "https://a.example";

// CORS as an application writes it, on an App that has some of everything.
void serve(App& app) {
  app.use([](Request&, Response& res, Next next) {
    res.set("Access-Control-Allow-Origin", kOrigin);
    next();
  });
  app.use("/api", [](Request&, Response& res, Next next) {
    res.set("X-Api", "1");
    next();
  });
  app.post("/api/upload", [](Request&, Response& res, Next next) {
    res.set("X-Own", "1");
    next();
  }, [](Request&, Response& res) { res.send("taken"); });
  app.post("/upload", [](Request&, Response& res) { res.send("taken"); });
  app.get("/api/throws", [](Request&, Response& res) {
    res.set("ETag", "\"7\"").set("Content-Encoding", "gzip").set("Cache-Control", "max-age=60").set("X-Kept", "1");
    res.set("Content-Security-Policy", "default-src 'self'").set("Last-Modified", "x").set("Expires", "y").type("json");
    throw std::runtime_error("on purpose");
  });
  app.get("/api/private", [](Request&, Response& res) {
    res.set("Cache-Control", "private, no-store");
    throw std::runtime_error("on purpose");
  });
  app.ws("/api/socket", {});
  app.use([](Request&, Response& res, Next) { res.status(404).send("no such page"); });
}

struct Wanting {
  static constexpr bool wants_body = true;
  void operator()(Request& req, Response& res, Next next) const {
    res.set("X-Seen", std::to_string(req.body().size()));
    next();
  }
};

std::string post(std::string_view path, std::string_view fields, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string upgrade(std::string_view key, std::string_view version) {
  return "GET /api/socket HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " +
         std::string(key) + "\r\nSec-WebSocket-Version: " + std::string(version) + "\r\n\r\n";
}

// The answer carries what the steps of use() have set before the route, and closes the connection.
void check_refused(Client& client, int status, bool below_api = true, bool seen_by_route = false) {
  const HttpResponse got = client.read_response();
  CHECK(got.status == status);
  CHECK(got.field("access-control-allow-origin") == kOrigin);
  CHECK(got.field("x-api") == (below_api ? "1" : ""));
  CHECK(got.field("x-own") == (seen_by_route ? "1" : ""));
  CHECK(got.field("content-type") == "text/plain; charset=utf-8");
  CHECK(got.field("connection").find("close") != std::string::npos);
  client.shutdown_sending();
  CHECK(client.closed_by_peer());
}

}  // namespace

TEST_CASE("http_refusals: a handler that throws keeps what was set, but not what described its body") {
  TestServer server(serve);
  Client client(server.port());
  const HttpResponse got = client.get("/api/throws");
  CHECK(got.status == 500);
  CHECK(got.field("access-control-allow-origin") == kOrigin);
  CHECK(got.field("x-api") == "1");
  CHECK(got.field("x-kept") == "1");
  CHECK(got.field("content-security-policy") == "default-src 'self'");
  CHECK(got.field("content-type") == "text/plain; charset=utf-8");
  for (const char* name : {"etag", "content-encoding", "cache-control", "last-modified", "expires"}) {
    CHECK_MESSAGE(got.field(name) == "", name);
  }
  CHECK(client.get("/api/private").field("cache-control") == "private, no-store");
  CHECK(server.stats().handler_failures == 2);
}

TEST_CASE("http_refusals: bodies that are refused, by length, in chunks, malformed, over the budget") {
  TestServer server(serve, {.app = {.max_body_bytes = 200'000, .receive_budget_bytes = 100'000}});
  const auto refused = [&](const std::string& request, int status, bool below_api = true, bool seen_by_route = false) {
    Client client(server.port());
    client.send(request);
    check_refused(client, status, below_api, seen_by_route);
  };
  const std::string_view chunked = "Transfer-Encoding: chunked\r\n";
  const std::string piece = "186a0\r\n" + std::string(100'000, 'x') + "\r\n";  // 100,000
  refused(post("/api/upload", "Content-Length: 200001\r\n", ""), 413);
  refused(post("/api/upload", "Content-Length: 200001\r\nExpect: 100-continue\r\n", ""), 413);
  refused(post("/upload", "Content-Length: 200001\r\n", ""), 413, false);
  refused(post("/api/upload", "Content-Length: 150000\r\n", "x"), 503);
  refused(post("/api/upload", chunked, piece + piece), 503, true, true);  // its steps ran when the head was there
  refused(post("/api/upload", chunked, "zz\r\n"), 400);
  CHECK(server.stats().requests == 1);
  CHECK(server.stats().bad_requests == 6);
  Client nowhere(server.port());  // here the page for what is not found is the step of use() that answers
  nowhere.send(post("/nowhere", "Content-Length: 200001\r\n", ""));
  check_refused(nowhere, 404, false);
  Client good(server.port());
  const HttpResponse got = good.post("/api/upload", "small");
  CHECK(got.body == "taken");
  CHECK(got.field("x-own") == "1");
}

TEST_CASE("http_refusals: a body that is refused while the first step of all waits for it") {
  const auto page = [](Request& req, Response& res) { res.status(404).send("no such page" + std::string(req.body())); };
  const auto serve_page = [&](App& app) { app.use(page); };
  const auto serve_wanting = [&](App& app) { app.use(Wanting()).use("/", page); };
  for (const bool wanting : {false, true}) {
    TestServer server([&](App& app) { wanting ? serve_wanting(app) : serve_page(app); }, {.app = {.body_timeout = 50ms}});
    for (const char* piece : {"2\r\nabzz\r\n", "2\r\nab\r\n"}) {  // malformed, then silent
      Client client(server.port());
      REQUIRE(client.send(post("/nowhere", "Transfer-Encoding: chunked\r\n", "")));
      server.turn();
      REQUIRE(client.send(piece));
      const HttpResponse got = client.read_response();
      CHECK(got.status == 404);
      CHECK(got.body == "no such page");
      CHECK(got.field("x-seen") == (wanting ? "0" : ""));
      CHECK(got.closes());
    }
    CHECK(server.stats().bad_requests == 2);
  }
}

TEST_CASE("http_refusals: chunks that come one after the other and grow too large") {
  TestServer server(serve, {.app = {.max_body_bytes = 10}});
  Client client(server.port());
  REQUIRE(client.send(post("/api/upload", "Transfer-Encoding: chunked\r\n", "a\r\n0123456789\r\n")));
  REQUIRE(server.wait_for_stats([](const Stats& s) { return s.requests == 1; }));
  REQUIRE(client.send("1\r\nx\r\n"));
  check_refused(client, 413, true, true);
}

TEST_CASE("http_refusals: a handshake that is refused") {
  TestServer server(serve);
  Client bad(server.port());
  REQUIRE(bad.send(upgrade("short", "13")));
  check_refused(bad, 400);
  Client old(server.port());
  REQUIRE(old.send(upgrade("AAAAAAAAAAAAAAAAAAAAAA==", "8")));
  const HttpResponse got = old.read_response();
  CHECK(got.status == 426);
  CHECK(got.field("access-control-allow-origin") == kOrigin);
  CHECK(got.field("x-api") == "1");
  CHECK(got.field("sec-websocket-version") == "13");
}

TEST_CASE("http_refusals: what has no head to read has no middleware") {
  std::atomic<int> calls = 0;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response&, Next next) { calls++, next(); });
  }, {.app = {.max_head_bytes = 1000}});
  for (const auto& [request, status] : {std::pair<std::string, int>{"GET / HTTP/1.1\r\nHo st: t\r\n\r\n", 400},
                                        {"GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(1000, 'x'), 431}}) {
    Client client(server.port());
    client.send(request);
    CHECK(client.read_response().status == status);
  }
  CHECK(calls == 0);
}

TEST_CASE("http_refusals: a guard that answers wins, one that fails is a 500, and neither sees a body") {
  std::atomic<size_t> seen = 0;
  TestServer server([&](App& app) {
    app.use([&](Request& req, Response& res, Next next) {
      seen += req.body().size();
      if (req.header("x-fail")) throw std::runtime_error("on purpose");
      if (!req.header("authorization")) return res.status(401).set("WWW-Authenticate", "Basic").end();
      next();
    });
    app.post("/", [](Request&, Response& res) { res.send("taken"); });
  }, {.app = {.max_body_bytes = 10}});
  const auto status = [&](std::string_view fields) {
    Client client(server.port());
    client.send(post("/", fields, "01234567890"));
    const HttpResponse got = client.read_response();
    client.shutdown_sending();
    CHECK(client.closed_by_peer());
    return got.status;
  };
  CHECK(status("Content-Length: 11\r\n") == 401);
  CHECK(status("Content-Length: 11\r\nAuthorization: x\r\n") == 413);
  CHECK(status("Content-Length: 11\r\nX-Fail: x\r\n") == 500);
  CHECK(seen == 0);
}

TEST_CASE("http_refusals: a step that goes on later, or answers later, from another thread") {
  std::mutex mutex;
  std::optional<Next> next_of;
  std::optional<Response> response_of;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response& res, Next next) {
      std::lock_guard lock(mutex);
      response_of = res.set("X-Later", "1").defer();
      next_of = next;
    });
    app.post("/", [](Request&, Response& res) { res.send("taken"); });
  }, {.app = {.max_body_bytes = 10}});
  const auto waits = [&] {
    std::lock_guard lock(mutex);
    return next_of.has_value();
  };
  for (const bool answers : {false, true}) {
    Client client(server.port());
    REQUIRE(client.send(post("/", "Content-Length: 100000\r\n", std::string(50'000, 'x'))));
    REQUIRE(eventually(waits));
    REQUIRE(client.send(std::string(50'000, 'x') + post("/", "Content-Length: 1\r\n", "x")));  // is not looked at
    server.turn();
    {
      std::lock_guard lock(mutex);
      answers ? response_of->status(401).send("no") : (*next_of)();
      next_of.reset();
    }
    const HttpResponse got = client.read_response();
    CHECK(got.status == (answers ? 401 : 413));
    CHECK(got.field("x-later") == "1");
    CHECK(got.field("connection") == "close");
    client.shutdown_sending();
    CHECK(client.closed_by_peer());
  }
  // One that the client does not wait for.
  Client leaves(server.port());
  REQUIRE(leaves.send(post("/", "Content-Length: 100000\r\n", "x")));
  REQUIRE(eventually(waits));
  leaves.reset();
  CHECK(server.wait_for_connections(0));
  (*next_of)();
  server.turn();
  CHECK(server.stats().late_nexts == 0);
}

TEST_CASE("http_refusals: a body and a handshake that take too long; a refusal that nobody lets through") {
  std::optional<Next> kept;
  SteppedServer server([&](App& app) {
    app.use([](Request&, Response& res, Next next) { res.set("X-Seen", "1"), next(); });
    app.use("/held", [&](Request&, Response&, Next next) { kept = next; });
    app.post("/", [](Request&, Response& res) { res.send("taken"); });
    app.ws("/held", {});
  }, {.body_timeout = 30s, .handler_timeout = 100s, .handshake_timeout = 10s, .min_body_rate = 0});
  const auto after = [&](const std::string& request, milliseconds just_before) {
    Client client = server.connect();
    REQUIRE(client.send(request));
    for (int i = 0; i < 5; i++) server.turn();
    server.live(just_before);
    for (int i = 0; i < 3; i++) server.turn();
    CHECK(client.stays_silent(1ms));
    server.live(1s);
    for (int i = 0; i < 3; i++) server.turn();
    const HttpResponse got = client.read_response();
    CHECK(got.field("x-seen") == "1");
    return got.status;
  };
  CHECK(after(post("/", "Content-Length: 5\r\n", "x"), 29500ms) == 408);
  CHECK(after("GET /held HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", 9500ms) == 408);
  // Refused with 413, held by a step for longer than the handler_timeout: the refusal is the answer.
  CHECK(after(post("/held", "Content-Length: 5000000\r\n", ""), 99500ms) == 413);
}

// keep_fields ---------------------------------------------------------------------------------------------------------

namespace {

void sets_two(App& app) {
  app.use([](Request&, Response& res, Next next) { res.set("X-Kept", "1").set("X-Other", "1").set("Content-Language", "en"), next(); });
  app.get("/", [](Request&, Response& res) { res.send("mine"); });
  app.get("/throws", [](Request&, Response&) { throw std::runtime_error("on purpose"); });
  app.get("/fails", [](Request&, Response& res) { res.fail(409); });
  app.post("/upload", [](Request&, Response& res) { res.send("taken"); });
  app.ws("/ws", {.options = {.origins = {"https://a.example"}}});
}

}  // namespace

TEST_CASE("http_refusals: of what steps have set the fields that are named stay on errors and the library's answers") {
  for (const int named : {-1, 0, 1}) {
    CAPTURE(named);
    App app({.max_body_bytes = 10});
    if (named == 0) app.keep_fields({});
    if (named == 1) app.keep_fields({"X-Unused"}).keep_fields({"x-kept", "Content-Language"});
    sets_two(app);
    const auto check = [&](const Reply& reply, int status) {
      CAPTURE(status);
      CHECK(reply.status == status);
      CHECK(!reply.failed);
      CHECK(reply.field("x-kept") == (named == 0 ? "" : "1"));
      CHECK(reply.field("x-other") == (named == -1 ? "1" : ""));
      CHECK(reply.field("content-language") == "");
    };
    const Reply mine = app.inject({.path = "/"});
    CHECK(mine.field("x-kept") == "1");
    CHECK(mine.field("x-other") == "1");
    CHECK(mine.field("content-language") == "en");
    check(app.inject({.path = "/throws"}), 500);
    check(app.inject({.path = "/fails"}), 409);
    check(app.inject({.path = "/nowhere"}), 404);
    check(app.inject({.method = "FROB"}), 501);
    check(app.inject({.method = "POST", .path = "/upload", .body = "more than ten bytes"}), 413);
    check(app.inject_ws({.path = "/ws", .fields = {{"Origin", "https://b.example"}}}).answer(), 403);
    const Reply not_allowed = app.inject({.method = "PUT", .path = "/"});
    check(not_allowed, 405);
    CHECK(not_allowed.field("allow") == "OPTIONS, GET, HEAD");
    const Reply options = app.inject({.method = "OPTIONS", .path = "/"});
    check(options, 204);
    CHECK(options.field("allow") == "OPTIONS, GET, HEAD");
    const Reply no_websocket = app.inject({.path = "/ws"});
    check(no_websocket, 426);
    CHECK(no_websocket.field("upgrade") == "websocket");
  }
}
