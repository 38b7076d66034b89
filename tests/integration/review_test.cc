// What reviews found, as a user would run into it: a middleware that fails after it has let an upgrade through, and a
// Response that is copied without defer() and used late.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <stdexcept>

#include "support/client.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

TEST_CASE("review: a middleware that throws behind next() refuses the WebSocket") {
  int opened = 0;
  TestServer server([&](App& app) {
    app.use([](Request&, Response&, Next next) {
      next();
      throw std::runtime_error("too late");
    });
    app.ws("/", [&](WebSocket, Request&) { opened++; });
  });
  Client client(server.port());
  CHECK(client.request(ws_request("/")).status == 500);
  server.on_thread([&](App&) { CHECK(opened == 0); });
}

TEST_CASE("review: a copy of a Response that nobody deferred answers nothing later") {
  TestServer server([](App& app) {
    app.get("/forgot", [&app](Request&, Response& res) {
      app.after(milliseconds(5), [res]() mutable { res.send("the answer of another"); });
    });
    app.get("/slow", [&app](Request&, Response& res) {
      app.after(milliseconds(50), [later = res.defer()]() mutable { later.send("slow"); });
    });
    app.get("/copy", [](Request&, Response& res) {
      Response same = res;
      same.status(201).send("copied");
    });
  });
  Client client(server.port());
  CHECK(client.get("/forgot").status == 500);
  CHECK(client.get("/slow").body == "slow");
  CHECK(client.get("/copy").body == "copied");
}

TEST_CASE("review: a refused connection ends after the linger, though its peer stays and an earlier deadline fires") {
  TestServerOptions options;
  options.app.head_timeout = milliseconds(300);  // armed before the linger begins, and due while it lasts
  TestServer server([](App& app) { app.get("/", [](Request&, Response& res) { res.send("up"); }); }, options);
  Client client(server.port());
  REQUIRE(client.send("nonsense\r\n\r\n"));
  CHECK(client.read_response().status == 400);
  CHECK(eventually([&] { return server.stats().open_connections == 0; }, milliseconds(8000)));
}

TEST_CASE("review: a guard on a prefix guards routes that may lie below it, however the path is written") {
  TestServer server([](App& app) {
    app.use("/admin", [](Request&, Response& res, Next) { res.status(401).send("no"); });
    app.get("/*", [](Request& req, Response& res) { res.send(req.param("*")); });
    app.get("/:a/:b", [](Request& req, Response& res) { res.send(req.param("b")); });
  });
  Client client(server.port());
  for (const char* path : {"/admin", "/admin/x", "/admin/x/y", "/%61dmin/x", "/admi%6E/x/y", "/admin%2fx"}) {
    CAPTURE(path);
    CHECK(client.get(path).status == 401);
  }
  for (const char* path : {"/admins", "/adminx/y", "/a/admin", "/%61dmins"}) {
    CAPTURE(path);
    CHECK(client.get(path).status == 200);
  }
}
