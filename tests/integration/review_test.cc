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

TEST_CASE("review: a middleware that throws behind next() fails the WebSocket, and writes no HTTP into it") {
  TestServer server([](App& app) {
    app.use([](Request&, Response&, Next next) {
      next();
      throw std::runtime_error("too late");
    });
    app.ws("/", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }});
  });
  WsClient client(server.port());
  const WsFrame frame = client.read_frame();
  CHECK(frame.opcode == kClose);
  CHECK(frame.close_code() == 1011);
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
