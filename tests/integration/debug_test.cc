// What a debug build tells its user: calls that a release build ignores and counts abort, and a view that was kept for
// longer than it lives reads as 0xDD.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "support/aborts.h"
#include "support/client.h"
#include "support/server.h"
#include "support/server_process.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// How a server ends that handles one request, with what it says on stderr put away.
int end_after(const char* path, const std::function<void(App&)>& set_up) {
  ServerProcess::Options options;
  options.before_listen = [] { CHECK(std::freopen("/dev/null", "w", stderr)); };
  ServerProcess server(set_up, options);
  Client client(server.port());
  CHECK(client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n"));
  return server.wait();
}

constexpr int kAborted = ServerProcess::kSignalled + SIGABRT;

bool spoiled(std::string_view view) {
  return !view.empty() && std::all_of(view.begin(), view.end(), [](char c) { return c == static_cast<char>(base::kSpoiled); });
}

}  // namespace

TEST_CASE("debug: calls that a release build ignores abort" * doctest::skip(!kDebugBuild)) {
  CHECK(end_after("/", [](App& app) {
    app.get("/", [](Request&, Response& res) {
      res.send("first");
      res.send("second");
    });
  }) == kAborted);
  CHECK(end_after("/", [](App& app) {
    app.use([](Request&, Response&, Next next) {
      next();
      next();
    });
    app.get("/", [](Request&, Response& res) { res.send("once"); });
  }) == kAborted);
  for (const bool answers_first : {true, false}) {
    CHECK(end_after("/", [answers_first](App& app) {
      app.use([answers_first](Request&, Response& res, Next next) {
        if (answers_first) res.send("mine");
        next();
        if (!answers_first) res.send("mine");
      });
      app.get("/", [](Request&, Response& res) { res.send("not run"); });
    }) == kAborted);
  }
  CHECK(end_after("/", [](App& app) { app.get("/", [](Request&, Response& res) { res.status(99).end(); }); }) == kAborted);
  CHECK(end_after("/", [](App& app) { app.get("/", [](Request&, Response& res) { res.redirect("/", 200); }); }) == kAborted);
}

TEST_CASE("debug: views of a request that are kept for too long read as 0xDD" * doctest::skip(!kDebugBuild)) {
  std::vector<std::string_view> kept;
  TestServer server([&](App& app) {
    app.post("/*", [&](Request& req, Response& res) {
      kept = {req.path(), *req.header("x-name"), req.body()};
      CHECK(kept[1] == "a name");
      res.send(std::string(req.body()));
    });
  });
  Client client(server.port());
  CHECK(client.post("/some/path", "the body", "X-Name: a name\r\n").body == "the body");
  server.on_thread([&](App&) {
    REQUIRE(kept.size() == 3);
    for (const std::string_view view : kept) CHECK(spoiled(view));
  });
  // Larger than one read: the body was gathered in a block, which has gone back to its pool.
  const std::string large(300'000, 'b');
  CHECK(client.post("/large", large, "X-Name: a name\r\n").body == large);
  server.on_thread([&](App&) {
    for (const std::string_view view : kept) CHECK(spoiled(view));
  });
}

TEST_CASE("debug: a view of a message that is kept for too long reads as 0xDD" * doctest::skip(!kDebugBuild)) {
  std::string_view kept;
  TestServer server([&](App& app) {
    app.ws("/", {.message = [&](WebSocket ws, const Message& msg) {
      kept = msg.text();
      ws.send(msg);
    }});
  });
  WsClient client(server.port());
  for (const size_t bytes : {5u, 2000u, 10000u, 700000u}) {  // copied out; sent from where it lies; in a block of its own
    CAPTURE(bytes);
    const std::string text(bytes, 'm');
    REQUIRE(client.send_text(text));
    CHECK(client.read_frame().payload == text);
    server.on_thread([&](App&) { CHECK(spoiled(kept)); });
  }
}
