// The circuit breaker and coroutines: what they return, throw, and how long they may take; clients that go meanwhile; workers that share one.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/multi_server.h"
#include "support/server.h"

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Alive {
  explicit Alive(std::atomic<int>& n) : count(n) { count++; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { count--; }
  std::atomic<int>& count;
};

std::string text_of(CallOutcome outcome) {
  switch (outcome) {
    case CallOutcome::ok: return "ok";
    case CallOutcome::failed: return "failed";
    case CallOutcome::timed_out: return "timed out";
    case CallOutcome::refused: return "refused";
  }
  return "?";
}

Task<int> after(milliseconds time, int value) {
  co_await sleep(time);
  co_return value;
}

}  // namespace

TEST_CASE("breaker tasks: the answer of a task, its exception, its Error, and a breaker that has opened") {
  App app;
  CircuitBreaker breaker({.failures = 3, .reset = 1h});
  app.get("/value", [&](Request&, Response& res) -> Task<> {
    const auto called = co_await breaker.call([] { return after(2ms, 42); });
    res.send(called ? std::to_string(*called) : text_of(called.outcome()));
  });
  app.get("/void", [&](Request&, Response& res) -> Task<> {
    const auto called = co_await breaker.call([]() -> Task<> { co_await sleep(1ms); });
    res.send(text_of(called.outcome()));
  });
  app.get("/error", [&](Request&, Response& res) -> Task<> {
    const auto called = co_await breaker.call([]() -> Task<Error> { co_return Error("down"); });
    res.send(text_of(called.outcome()));
  });
  app.get("/throws", [&](Request&, Response& res) -> Task<> {
    const auto called = co_await breaker.call([]() -> Task<int> {
      co_await sleep(1ms);
      throw std::runtime_error("down");
    });
    res.send(text_of(called.outcome()));
  });
  app.get("/fallback", [&](Request&, Response& res) -> Task<> {
    const int n = co_await breaker.call([]() -> Task<int> { throw 1; co_return 0; }, [](CallOutcome why) { return why == CallOutcome::refused ? -2 : -1; });
    const int m = co_await breaker.call([] { return after(1ms, 1); }, [] { return after(1ms, 2); });
    res.send(std::to_string(n) + " " + std::to_string(m));
  });
  const auto ask = [&](std::string_view path) { return app.inject({.path = path}); };
  CHECK(ask("/value").body == "42");
  CHECK(ask("/void").body == "ok");
  CHECK(ask("/error").body == "failed");
  CHECK(ask("/throws").status == 500);
  CHECK(ask("/value").body == "42");
  CHECK(ask("/fallback").body == "-1 1");
  CHECK(breaker.stats().failures == 3);
  for (int i = 0; i < 3; i++) CHECK(ask("/error").status == 200);
  CHECK(breaker.state() == BreakerState::open);
  CHECK(ask("/value").body == "refused");
  CHECK(ask("/void").body == "refused");
  CHECK(ask("/fallback").body == "-2 2");
}

TEST_CASE("breaker tasks: one that takes longer than timeout is destroyed where it waits, and is a failure") {
  App app;
  std::atomic<int> alive = 0;
  CircuitBreaker breaker({.failures = 100, .timeout = 30ms});
  app.get("/:ms<int>", [&](Request& req, Response& res) -> Task<> {
    const milliseconds time(*req.param<int>("ms"));
    const auto called = co_await breaker.call([&alive, time]() -> Task<int> {
      const Alive here(alive);
      co_return co_await after(time, 7);  // in a task of its own, deeper
    });
    res.send(text_of(called.outcome()) + " " + std::to_string(alive));
  });
  CHECK(app.inject({.path = "/1"}).body == "ok 0");
  const auto start = Clock::now();
  CHECK(app.inject({.path = "/60000"}).body == "timed out 0");
  CHECK(Clock::now() - start < 10s);
  CHECK(breaker.stats().timeouts == 1);
  CHECK(breaker.stats().failures == 1);
  for (int i = 0; i < 40; i++) {  // and times around it
    const std::string body = app.inject({.path = "/" + std::to_string(15 + i)}).body;
    CHECK((body == "ok 0" || body == "timed out 0"));
  }
}

TEST_CASE("breaker tasks: what has been offloaded and has begun is waited for, but counts when the time is up") {
  std::atomic<bool> go = false;
  CircuitBreaker breaker({.failures = 1, .reset = 1h, .timeout = 20ms});
  TestServer server([&](App& app) {
    app.get("/", [&](Request&, Response& res) -> Task<> {
      std::string text = "text of the task's own";
      const auto called = co_await breaker.call([&]() -> Task<std::string> {
        const std::string got = co_await offload([&] {
          while (!go) std::this_thread::sleep_for(1ms);
          return text;
        });
        co_return got;
      });
      res.send(text_of(called.outcome()));
    });
  });
  Client slow(server.port());
  CHECK(slow.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(eventually([&] { return breaker.state() == BreakerState::open; }));
  Client next(server.port());
  CHECK(next.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(next.read_response().body == "refused");  // the worker goes on
  go = true;
  CHECK(slow.read_response().body == "timed out");
}

TEST_CASE("breaker tasks: a client that goes meanwhile is no failure of what was called, and its trial is another's") {
  std::atomic<int> alive = 0;
  CircuitBreaker breaker({.failures = 1, .reset = 0ms});
  TestServer server([&](App& app) {
    app.get("/", [&](Request&, Response& res) -> Task<> {
      const auto called = co_await breaker.call([&]() -> Task<> {
        const Alive here(alive);
        co_await sleep(1h);
      });
      res.send(text_of(called.outcome()));
    });
  });
  breaker.open();
  Client client(server.port());
  CHECK(client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(eventually([&] { return alive == 1; }));
  CHECK_FALSE(breaker.begin());
  client.reset();
  CHECK(eventually([&] { return alive == 0; }));
  CHECK(breaker.stats().failures == 0);
  CHECK(breaker.begin());
}

TEST_CASE("breaker tasks: three workers have one; what opens it on one is refused on all") {
  MultiServer server(3, [](App& app, uint32_t) {
    const Common<CircuitBreaker> breaker(BreakerOptions{.failures = 5, .reset = 1h});
    app.get("/fail", [breaker](Request&, Response& res) { res.send(text_of(breaker->call([] { return Error("down"); }).outcome())); });
  });
  int failed = 0, refused = 0;
  for (int i = 0; i < 30; i++) {
    Client client(server.port());
    CHECK(client.send("GET /fail HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    const std::string body = client.read_response().body;
    failed += body == "failed";
    refused += body == "refused";
  }
  CHECK(failed == 5);
  CHECK(refused == 25);
}

#endif
