// on_headers and on_finish: that they hear of every answer, whoever gives it, once, and how it went. Through real sockets.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/aborts.h"
#include "support/client.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// What on_finish told, as text: "GET /x of /:x: 200, 5 bytes".
struct Written {
  std::vector<std::string> lines;

  void note(const Finished& f) {
    std::string line;
    line.append(f.method).append(" ").append(f.path).append(" of ").append(f.route).append(": ");
    line += std::to_string(f.status) + ", " + std::to_string(f.bytes) + " bytes" + (f.aborted ? ", aborted" : "");
    CHECK(f.duration.count() >= 0);
    lines.push_back(line);
  }
  // A middleware that logs.
  auto step() {
    return [this](Request&, Response& res, Next next) {
      res.on_finish([this](const Finished& f) { note(f); });
      next();
    };
  }
};

bool says(TestServer& server, Written& log, const std::vector<std::string>& lines) {
  const bool all = eventually([&] { return server.on_thread([&](App&) { return log.lines.size() >= lines.size(); }); });
  server.turn();  // none comes twice
  return server.on_thread([&](App&) {
    CHECK(log.lines == lines);
    return all && std::exchange(log.lines, {}) == lines;
  });
}

void marks(App& app) {
  app.use([](Request&, Response& res, Next next) {
    res.on_headers([](Response& r) {
      CHECK(r.sent());
      r.set("X-Status", std::to_string(r.status_code()));
    });
    next();
  });
}

}  // namespace

TEST_CASE("http_finish: on_headers runs before every head, whoever answers") {
  TestServerOptions options;
  options.app.max_body_bytes = 100;
  TestServer server([](App& app) {
    marks(app);
    app.on_error([&app](const Failure& f, Request&, Response& res) {
      if (f.status == 418) res.send("my own");
      if (f.status == 400) app.post([later = res.defer()] { later.send("my own, later"); });
    });
    app.get("/typed/:n", [](Request& req) { return std::to_string(req.param<int>("n").value_or(0)); });
    app.get("/", [](Request&, Response& res) { res.status(201).send("now"); });
    app.get("/later", [&app](Request&, Response& res) { app.post([later = res.defer()] { later.status(202).send("later"); }); });
    app.get("/never", [](Request&, Response& res) { (void)res.defer({.deadline = milliseconds(20)}); });
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
    app.get("/fails", [](Request&, Response& res) { res.fail(409); });
    app.get("/handled", [](Request&, Response& res) { res.fail(418); });
    app.get("/nothing", [](Request&, Response&) {});
    app.post("/body", [](Request&, Response& res) { res.send("body"); });
    app.ws("/ws", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
  }, options);
  Client client(server.port());
  const auto check = [&](const HttpResponse& answer, int status) {
    CHECK(answer.status == status);
    CHECK(answer.count("x-status") == 1);
    CHECK(answer.field("x-status") == std::to_string(status));
  };
  check(client.get("/"), 201);
  check(client.get("/later"), 202);
  check(client.get("/never"), 503);
  check(client.get("/throws"), 500);
  check(client.get("/fails"), 409);
  check(client.get("/handled"), 418);
  check(client.get("/nothing"), 500);
  check(client.get("/typed/x"), 400);
  check(client.get("/nowhere"), 404);
  check(client.post("/", "x"), 405);
  check(client.request("OPTIONS / HTTP/1.1\r\nHost: t\r\n\r\n"), 204);
  check(client.get("/ws"), 426);
  check(client.request("HEAD / HTTP/1.1\r\nHost: t\r\n\r\n"), 201);
  check(client.post("/body", std::string(101, 'x')), 413);
  Client other(server.port());
  check(other.request(ws_request("/ws")), 101);
}

TEST_CASE("http_finish: several on_headers run in reverse order, may change status and fields, and end with the answer") {
  std::string order;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response& res, Next next) {
      res.on_headers([&](Response& r) { order += "a", r.set("X-Order", "outer"); });
      res.on_headers([&](Response&) { order += "b"; });
      next();
    });
    app.get("/", [&](Request&, Response& res) {
      res.on_headers([&](Response& r) {
        order += "c", r.status(203).set("X-Order", "inner").type("html");
        r.on_headers([&](Response&) { order += "!"; });  // too late
      });
      res.send("<p>");
      res.on_headers([&](Response&) { order += "!"; });
    });
    app.get("/gone", [&](Request&, Response& res) {
      res.on_headers([](Response& r) { r.status(204); });
      res.send("not sent");
    });
    app.get("/plain", [&](Request&, Response& res) { res.send("plain"); });
    app.get("/throws", [&](Request&, Response& res) {
      res.on_headers([](Response&) { throw std::runtime_error("a hook"); });
      res.send("sent all the same");
    });
  });
  Client client(server.port());
  const HttpResponse answer = client.get("/");
  CHECK(answer.status == 203);
  CHECK(answer.field("x-order") == "outer");
  CHECK(answer.field("content-type") == "text/html; charset=utf-8");
  CHECK(answer.body == "<p>");
  server.on_thread([&](App&) { CHECK(std::exchange(order, {}) == "cba"); });
  const HttpResponse gone = client.get("/gone");
  CHECK(gone.status == 204);
  CHECK(gone.count("content-length") == 0);
  CHECK(client.get("/plain").body == "plain");
  const uint64_t before = server.stats().handler_failures;
  CHECK(client.get("/throws").body == "sent all the same");
  CHECK(server.stats().handler_failures == before + 1);
}

TEST_CASE("http_finish: an answer in on_headers is a second one" * doctest::skip(kDebugBuild)) {
  TestServer server([](App& app) {
    app.get("/", [](Request&, Response& res) {
      res.on_headers([](Response& r) { r.send("second"), r.fail(500); });
      res.send("first");
    });
  });
  Client client(server.port());
  CHECK(client.get("/").body == "first");
  CHECK(client.get("/").body == "first");
  CHECK(server.stats().late_responses == 4);
}

TEST_CASE("http_finish: on_finish tells of every answer, once") {
  TestServerOptions options;
  options.app.max_body_bytes = 100;
  Written log;
  TestServer server([&](App& app) {
    app.use(log.step());
    app.get("/hello/:name", [](Request& req, Response& res) { res.send(req.param("name")); });
    app.get("/later", [&app](Request&, Response& res) { app.post([later = res.defer()] { later.send("later"); }); });
    app.get("/never", [](Request&, Response& res) { (void)res.defer({.deadline = milliseconds(20)}); });
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
    app.post("/body", [](Request& req, Response& res) { res.send(req.body()); });
    app.ws("/ws", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
  }, options);
  Client client(server.port());
  CHECK(client.get("/hello/a%62c?token=secret").body == "abc");
  CHECK(says(server, log, {"GET /hello/abc of /hello/:name: 200, 3 bytes"}));
  client.request("HEAD /hello/x HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(says(server, log, {"HEAD /hello/x of /hello/:name: 200, 0 bytes"}));
  client.get("/later"), client.get("/never"), client.get("/throws"), client.get("/nowhere");
  CHECK(says(server, log, {"GET /later of /later: 200, 5 bytes", "GET /never of /never: 503, 35 bytes", "GET /throws of /throws: 500, 21 bytes",
                           "GET /nowhere of *: 404, 9 bytes"}));
  client.request("FROB / HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(says(server, log, {"FROB / of *: 501, 15 bytes"}));
  CHECK(client.post("/body", "the body").body == "the body");
  CHECK(says(server, log, {"POST /body of /body: 200, 8 bytes"}));
  const HttpResponse refused = client.post("/body", std::string(101, 'x'));  // the connection goes on to throw away what comes
  CHECK(refused.status == 413);
  CHECK(says(server, log, {"POST /body of /body: 413, " + std::to_string(refused.body.size()) + " bytes"}));
  Client other(server.port());
  CHECK(other.request(ws_request("/ws")).status == 101);
  CHECK(says(server, log, {"GET /ws of /ws: 101, 0 bytes"}));
  Client last(server.port());
  CHECK(last.request("GET /hello/last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").body == "last");
  CHECK(says(server, log, {"GET /hello/last of /hello/:name: 200, 4 bytes"}));
  const std::string two = "GET /hello/1 HTTP/1.1\r\nHost: t\r\n\r\nGET /hello/2 HTTP/1.1\r\nHost: t\r\n\r\n";
  Client pipelined(server.port());
  REQUIRE(pipelined.send(two));
  pipelined.shutdown_sending();
  CHECK(says(server, log, {"GET /hello/1 of /hello/:name: 200, 1 bytes", "GET /hello/2 of /hello/:name: 200, 1 bytes"}));
}

TEST_CASE("http_finish: several on_finish run in order of registration, never within another callback, and may throw") {
  std::string order;
  TestServer server([&](App& app) {
    app.get("/", [&](Request&, Response& res) {
      res.on_finish([&](const Finished&) { order += "a"; });
      res.on_finish([&](const Finished&) { order += "b", throw std::runtime_error("a hook"); });
      res.on_finish([&](const Finished&) { order += "c"; });
      res.send("x");
      res.on_finish([&](const Finished&) { order += "!"; });  // too late
      order += "h";
    });
  });
  Client client(server.port());
  client.get("/");
  server.turn();
  server.on_thread([&](App&) { CHECK(order == "habc"); });
  CHECK(server.stats().handler_failures == 1);
}

TEST_CASE("http_finish: who ends the connection before the answer has left aborts it") {
  Written log;
  std::optional<Response> kept;
  const std::string big(32 << 20, 'x');
  TestServer server([&](App& app) {
    app.use(log.step());
    app.get("/kept", [&](Request&, Response& res) { kept = res.defer(); });
    app.get("/big", [&](Request&, Response& res) { res.send(big); });
    app.post("/body", [&](Request&, Response& res) { res.send("not reached"); });
    app.get("/cut", [&](Request&, Response& res) { res.send("cut"), app.post([&] { app.close(); }); });
  });
  Client client(server.port());
  REQUIRE(client.send("GET /kept HTTP/1.1\r\nHost: t\r\n\r\n"));
  CHECK(eventually([&] { return server.on_thread([&](App&) { return kept.has_value(); }); }));
  client.reset();
  CHECK(says(server, log, {"GET /kept of /kept: 0, 0 bytes, aborted"}));
  server.on_thread([&](App&) {
    kept->on_finish([&](const Finished& f) { log.note(f); });  // later than that
    kept->send("late");
  });
  CHECK(says(server, log, {"  of : 0, 0 bytes, aborted"}));

  Client slow(server.port(), {.receive_buffer_bytes = 4096});
  REQUIRE(slow.send("GET /big HTTP/1.1\r\nHost: t\r\n\r\n"));
  REQUIRE(slow.read_bytes(1000));
  server.on_thread([&](App&) { CHECK(log.lines.empty()); });  // it is with the queue, not with the kernel
  slow.reset();
  CHECK(says(server, log, {"GET /big of /big: 200, 33554432 bytes, aborted"}));

  Client half(server.port());
  REQUIRE(half.send("POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf"));
  server.turn();
  half.close();
  CHECK(says(server, log, {"POST /body of /body: 0, 0 bytes, aborted"}));

  Client last(server.port());
  CHECK(last.get("/cut").body == "cut");
  last.close();
  server.stop();
  CHECK(log.lines == std::vector<std::string>{"GET /cut of /cut: 200, 3 bytes"});
}

TEST_CASE("http_finish: an answer that waits for its client has left when the client has taken it") {
  Written log;
  const std::string big(16 << 20, 'x');
  TestServer server([&](App& app) {
    app.use(log.step());
    app.get("/big", [&](Request&, Response& res) { res.send(big); });
    app.get("/small", [&](Request&, Response& res) { res.send("small"); });
  });
  for (const bool closes : {false, true}) {
    Client client(server.port(), {.receive_buffer_bytes = 4096});
    REQUIRE(client.send("GET /big HTTP/1.1\r\nHost: t\r\n" + std::string(closes ? "Connection: close\r\n" : "") + "\r\n"));
    REQUIRE(client.read_bytes(1000));
    server.turn();
    server.on_thread([&](App&) { CHECK(log.lines.empty()); });
    CHECK(client.read_response().body.size() == big.size());
    CHECK(says(server, log, {"GET /big of /big: 200, 16777216 bytes"}));
    if (!closes) CHECK(client.get("/small").body == "small");
    if (!closes) CHECK(says(server, log, {"GET /small of /small: 200, 5 bytes"}));
  }
}

TEST_CASE("http_finish: the duration goes from the hook's registration to the last byte, by the clock") {
  std::vector<std::chrono::nanoseconds> took;
  std::optional<Response> kept;
  const std::string big(4 << 20, 'x');
  SteppedServer server([&](App& app) {
    app.use([&](Request&, Response& res, Next next) {
      res.on_finish([&](const Finished& f) { took.push_back(f.duration); });
      next();
    });
    app.get("/at-once", [](Request&, Response& res) { res.send("x"); });
    app.get("/works", [](Request&, Response& res) {
      SteppedServer::advance(milliseconds(30));  // the handler itself takes that long
      res.send("x");
    });
    app.get("/kept", [&](Request&, Response& res) { kept = res.defer(); });
    app.get("/big", [&](Request&, Response& res) { res.send(big); });
  });
  const auto request = [](std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n"; };
  const auto told = [&] { return took.size() == 1; };
  const auto last = [&] { return std::exchange(took, {}).at(0); };

  Client client = server.connect();
  REQUIRE(client.send(request("/at-once")));
  REQUIRE(server.turn_until(told));
  CHECK(last() == milliseconds(0));
  REQUIRE(client.send(request("/works")));
  REQUIRE(server.turn_until(told));
  CHECK(last() == milliseconds(30));

  REQUIRE(client.send(request("/kept")));
  REQUIRE(server.turn_until([&] { return kept.has_value(); }));
  server.live(milliseconds(1250));
  kept->send("late");
  REQUIRE(server.turn_until(told));
  CHECK(last() == milliseconds(1250));

  Client slow = server.connect({.receive_buffer_bytes = 4096});
  const uint64_t before = server.app().stats().requests;
  REQUIRE(slow.send(request("/big")));
  REQUIRE(server.turn_until([&] { return server.app().stats().requests > before; }));
  server.live(milliseconds(700));  // the client takes nothing
  CHECK(took.empty());
  REQUIRE(server.turn_until([&] { return SteppedServer::read_what_is_there(slow), told(); }));
  CHECK(last() == milliseconds(700));

  REQUIRE(client.send(request("/kept")));
  kept.reset();
  REQUIRE(server.turn_until([&] { return kept.has_value(); }));
  server.live(milliseconds(400));
  client.reset();
  REQUIRE(server.turn_until(told));
  CHECK(last() == milliseconds(400));  // of one that was aborted, to its end
}
