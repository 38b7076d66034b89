// A chain of middleware: what runs when, how much stack it takes, and what a step must not do. Through real sockets.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "support/aborts.h"
#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// Where the stack is: not the address of a variable, which a sanitizer may put elsewhere.
[[gnu::noinline]] uintptr_t stack_here() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

}  // namespace

TEST_CASE("http_chain: a thousand steps need no more stack than ten, and none") {
  uintptr_t depth = 0;
  TestServer server([&](App& app) {
    const auto handler = [&](Request&, Response& res) { depth = stack_here(), res.send("deep"); };
    const auto steps = [&](std::string_view prefix, int count) {
      Router router;
      for (int n = 0; n < count; n++) router.use([](Request&, Response&, Next next) { next(); });
      router.get("/", handler);
      app.mount(prefix, std::move(router));
    };
    steps("/0", 0), steps("/10", 10), steps("/1000", 1000);
  });
  Client client(server.port());
  const auto depth_of = [&](std::string_view path) {
    CHECK(client.get(path).body == "deep");
    return server.on_thread([&](App&) { return depth; });
  };
  const uintptr_t ten = depth_of("/10");
  CHECK(depth_of("/1000") == ten);
  const uintptr_t none = depth_of("/0");  // by another way: a frame or two apart
  CHECK(std::max(none, ten) - std::min(none, ten) < 1024);
}

TEST_CASE("http_chain: what comes after a middleware runs when that has returned, or within a later next()") {
  std::string trace;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response&, Next next) { trace += "a", next(), trace += "A"; });
    app.use("/later", [&](Request&, Response&, Next next) {
      app.post([&, next] { trace += "l", next(), trace += "L"; });
      trace += "p";
    });
    app.use([&](Request&, Response& res, Next next) {
      trace += "b", next(), trace += "B";
      res.set("X-Late", "and still in time");
    });
    app.get("/*", [&](Request&, Response& res) { trace += "h", res.send(trace); });
  });
  Client client(server.port());
  const HttpResponse now = client.get("/now");
  CHECK(now.body == "aAbBh");
  CHECK(now.field("x-late") == "and still in time");
  server.on_thread([&](App&) { trace.clear(); });
  CHECK(client.get("/later").body == "aAplbBh");
  server.on_thread([&](App&) { CHECK(trace == "aAplbBhL"); });
}

TEST_CASE("http_chain: to answer and to call next() as well is counted, and nothing runs after the step" * doctest::skip(kDebugBuild)) {
  int runs = 0;
  TestServer server([&](App& app) {
    app.on_error([&app](const Failure& failure, Request&, Response& res) {
      if (failure.status == 409) app.post([later = res.defer(), text = std::string(failure.text)] { later.send(text); });
    });
    const auto handler = [&](Request&, Response& res) { runs++, res.send("handler"); };
    app.get("/before", [](Request&, Response& res, Next next) { res.send("step"), next(); }, handler);
    app.get("/behind", [](Request&, Response& res, Next next) { next(), res.send("step"); }, handler);
    app.get("/fails", [](Request&, Response& res, Next next) { next(), res.fail(403, "step"); }, handler);
    app.get("/waits", [](Request&, Response& res, Next next) { next(), res.fail(409, "step"); }, handler);
    app.get("/twice", [](Request&, Response&, Next next) { next(), next(HttpError{400, "twice"}); }, handler);
  });
  Client client(server.port());
  for (const char* path : {"/before", "/behind", "/fails", "/waits"}) CHECK(client.get(path).body == "step");
  CHECK(server.stats().late_nexts == 4);
  server.on_thread([&](App&) { CHECK(runs == 0); });
  CHECK(client.get("/twice").body == "handler");  // the first counts
  CHECK(server.stats().late_nexts == 5);
}

TEST_CASE("http_chain: a middleware that throws behind its next() has not let the request through") {
  int runs = 0;
  TestServer server([&](App& app) {
    app.get("/", [](Request&, Response&, Next next) { next(), throw std::runtime_error("behind"); },
            [&](Request&, Response& res) { runs++, res.send("handler"); });
    app.get("/fine", [](Request&, Response&, Next next) { next(); }, [](Request&, Response& res) { res.send("fine"); });
  });
  Client client(server.port());
  CHECK(client.get("/").status == 500);
  CHECK(client.get("/fine").body == "fine");
  const Stats stats = server.stats();
  CHECK(stats.late_nexts == 0);
  CHECK(stats.handler_failures == 1);
  server.on_thread([&](App&) { CHECK(runs == 0); });
}
