// The loop of an App: timers, post(), and loops of somebody else's over fd() and poll_once(). Listening and stopping
// are in http_listen_test.cc, signals and drain in http_drain_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"
#include "support/stepped_server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void says_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("up"); });
}

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

// Turns the App until it is true.
template <typename F>
bool turn_until(App& app, F ready, milliseconds patience = kPatience) {
  const auto deadline = Clock::now() + patience;
  while (!ready()) {
    if (Clock::now() >= deadline) return false;
    app.poll_once(milliseconds(100));
  }
  return true;
}

// The same by a loop of somebody else's: it sleeps in poll(2) on the App's descriptor, no longer than to the next
// timer, and never lets the App sleep.
template <typename F>
bool drive(App& app, F ready, milliseconds patience = milliseconds(3000)) {
  const auto deadline = Clock::now() + patience;
  while (!ready()) {
    int timeout = ms_until(deadline);
    const milliseconds timer = app.next_timer();
    if (timer.count() >= 0 && timer.count() < timeout) timeout = static_cast<int>(timer.count());
    pollfd wait{app.fd(), POLLIN, 0};
    ::poll(&wait, 1, timeout);
    if (Clock::now() >= deadline) return false;
    app.poll_once(milliseconds(0));
  }
  return true;
}

}  // namespace

// Timers --------------------------------------------------------------------------------------------------------------

TEST_CASE("loop: timers run in the order of their deadlines, equal ones in the order they were made, never early") {
  App app;
  std::vector<int> ran;
  const auto begin = Clock::now();
  std::vector<milliseconds> at;
  for (const int ms : {30, 10, 20, 10, 0, 30}) {
    app.after(milliseconds(ms), [&, ms] {
      ran.push_back(ms);
      at.push_back(since(begin));
    });
  }
  CHECK(turn_until(app, [&] { return ran.size() == 6; }));
  CHECK(ran == std::vector<int>{0, 10, 10, 20, 30, 30});
  for (size_t i = 0; i < ran.size(); i++) {
    CHECK(at[i].count() >= ran[i]);
    CHECK(at[i].count() < ran[i] + 5000);
  }
}

TEST_CASE("loop: every() does not drift") {
  // A busy machine may be late once; one that drifts is late always.
  milliseconds best{1000};
  for (int attempt = 0; attempt < 10 && best >= milliseconds(128); attempt++) {
    App app;
    int ticks = 0;
    const auto begin = Clock::now();
    app.every(milliseconds(10), [&] {
      ticks++;
      std::this_thread::sleep_for(milliseconds(3));  // work that would add up
    });
    CHECK(turn_until(app, [&] { return ticks == 10; }));
    CHECK(since(begin) >= milliseconds(100));
    best = std::min(best, since(begin));
  }
  CHECK(best < milliseconds(128));  // 130 with drift
}

TEST_CASE("loop: after() runs once, every() until it is cancelled") {
  App app;
  int once = 0, ticks = 0;
  app.after(milliseconds(5), [&] { once++; });
  const TimerId ticker = app.every(milliseconds(3), [&] { ticks++; });
  CHECK(turn_until(app, [&] { return ticks == 10; }));
  app.cancel(ticker);
  app.cancel(ticker);
  const auto later = Clock::now();
  turn_until(app, [&] { return since(later) > milliseconds(30); });
  CHECK(ticks == 10);
  CHECK(once == 1);
}

TEST_CASE("loop: a late every() does not run several times to catch up") {
  App app;
  int ticks = 0;
  app.every(milliseconds(5), [&] { ticks++; });
  std::this_thread::sleep_for(milliseconds(52));
  app.poll_once(milliseconds(0));
  CHECK(ticks == 1);
}

TEST_CASE("loop: timers made, cancelled and cancelling themselves within callbacks") {
  App app;
  std::string log;
  TimerId victim, self, twin;
  victim = app.after(milliseconds(15), [&] { log += "victim "; });
  app.after(milliseconds(5), [&] {
    log += "a ";
    app.cancel(victim);
    app.after(milliseconds(0), [&] { log += "nested "; });
    app.after(milliseconds(20), [&] { log += "end "; });
  });
  self = app.every(milliseconds(3), [&] {
    log += "self ";
    app.cancel(self);
    app.cancel(self);
  });
  // Two of the same moment: the first cancels the second.
  app.after(milliseconds(10), [&] { app.cancel(twin); });
  twin = app.after(milliseconds(10), [&] { log += "twin "; });
  CHECK(turn_until(app, [&] { return log.find("end") != log.npos; }));
  CHECK(log == "self a nested end ");
}

TEST_CASE("loop: what a timer holds is let go when it has run, is cancelled, or its App ends") {
  const auto held = std::make_shared<int>(1);
  {
    App app;
    app.after(milliseconds(0), [held] {});
    const TimerId cancelled = app.after(milliseconds(100'000), [held] {});
    app.every(milliseconds(100'000), [held] {});
    app.post([held] {});
    CHECK(held.use_count() == 5);
    app.cancel(cancelled);
    CHECK(turn_until(app, [&] { return held.use_count() == 2; }));
    app.cancel({});
    app.cancel({.index = 77, .generation = 5});
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("loop: an endless chain of after(0) and of post() starves nobody") {
  std::atomic<bool> stop = false;
  TestServer server([&](App& app) {
    says_up(app);
    struct Chains {
      App& app;
      std::atomic<bool>& stop;
      void timer() {
        if (!stop) app.after(milliseconds(0), [*this]() mutable { timer(); });
      }
      void mail() {
        if (!stop) app.post([*this]() mutable { mail(); });
      }
    } chains{app, stop};
    chains.timer();
    chains.mail();
  });
  Client client(server.port());
  for (int i = 0; i < 20; i++) CHECK(client.get("/").body == "up");
  stop = true;
}

TEST_CASE("loop: thousands of timers") {
  App app;
  int ran = 0;
  std::vector<TimerId> cancelled;
  for (int i = 0; i < 20'000; i++) {
    const TimerId id = app.after(milliseconds((i * 7919) % 50), [&] { ran++; });
    if (i % 4 == 0) cancelled.push_back(id);
  }
  for (const TimerId id : cancelled) app.cancel(id);
  CHECK(turn_until(app, [&] { return ran == 15'000; }));
  const auto later = Clock::now();
  turn_until(app, [&] { return since(later) > milliseconds(20); });
  CHECK(ran == 15'000);
}

// post() --------------------------------------------------------------------------------------------------------------

TEST_CASE("loop: post() keeps the order of each thread, and loses nothing") {
  constexpr int kThreads = 4, kEach = 5000;
  std::vector<int> last(kThreads, -1);
  int total = 0;
  bool ordered = true;
  TestServer server(says_up);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; i++) {
        server.app().post([&, t, i] {
          ordered = ordered && last[static_cast<size_t>(t)] == i - 1;
          last[static_cast<size_t>(t)] = i;
          total++;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(server.on_thread([&](App&) { return total; }) == kThreads * kEach);
  CHECK(ordered);
}

TEST_CASE("loop: what is posted before the first turn runs in it, what a posted function posts in a later one") {
  App app;
  std::string log;
  app.post([&] {
    log += "a";
    app.post([&] { log += "c"; });
  });
  app.post([&] { log += "b"; });
  CHECK(app.poll_once(milliseconds(0)));
  CHECK(log == "ab");
  CHECK(app.poll_once(milliseconds(0)));
  CHECK(log == "abc");
}

TEST_CASE("loop: post() to an App that is over drops the function, unrun") {
  const auto held = std::make_shared<int>(1);
  App app;
  app.close();
  CHECK_FALSE(app.poll_once(milliseconds(0)));
  CHECK_FALSE(app.poll_once(milliseconds(0)));
  bool ran = false;
  app.post([&ran, held] { ran = true; });
  app.poll_once(milliseconds(0));
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
  CHECK(app.run({.handle_signals = false}) == 0);
}

TEST_CASE("loop: close() within a handler, a timer and a posted function ends run() with 0") {
  for (const int how : {0, 1, 2}) {
    CAPTURE(how);
    TestServer server([&](App& app) {
      app.get("/close", [&app](Request&, Response& res) { res.send("closing"); app.close(); });
      if (how == 1) app.after(milliseconds(5), [&app] { app.close(); });
      if (how == 2) app.post([&app] { app.close(); });
    });
    Client client(server.port());
    if (how == 0) {
      client.send("GET /close HTTP/1.1\r\nHost: t\r\n\r\n");
      CHECK(client.read_to_end());
    }
    CHECK(server.wait_until_over() == 0);
  }
}

// Foreign loops -------------------------------------------------------------------------------------------------------

TEST_CASE("loop: poll_once waits no longer than it is told, and ends early for work") {
  App app;
  says_up(app);
  REQUIRE(app.listen("127.0.0.1", 0).ok());
  auto begin = Clock::now();
  CHECK(app.poll_once(milliseconds(0)));
  CHECK(since(begin) < milliseconds(5000));
  begin = Clock::now();
  CHECK(app.poll_once(milliseconds(50)));
  CHECK(since(begin) >= milliseconds(49));
  CHECK(since(begin) < milliseconds(5000));
  std::thread poster([&] {
    std::this_thread::sleep_for(milliseconds(30));
    app.post([] {});
  });
  begin = Clock::now();
  CHECK(app.poll_once(milliseconds(10'000)));
  CHECK(since(begin) < milliseconds(5000));
  poster.join();
  // The last two are more than 64 bits of nanoseconds hold.
  for (const int64_t how_long : {int64_t{-1}, int64_t{18'446'744'073'710}, INT64_MAX}) {
    CAPTURE(how_long);
    app.after(milliseconds(30), [] {});
    begin = Clock::now();
    CHECK(app.poll_once(milliseconds(how_long)));
    CHECK(since(begin) >= milliseconds(29));
  }
  CHECK(since(begin) < milliseconds(5000));
}

TEST_CASE("loop: a foreign loop over fd() and next_timer() serves requests and timers") {
  App app;
  says_up(app);
  app.get("/later", [&](Request&, Response& res) {
    app.after(milliseconds(20), [later = res.defer()]() mutable { later.send("later"); });
  });
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  CHECK(app.next_timer().count() < 0);
  std::atomic<int> answered = 0;
  std::thread clients([&] {
    Client client(*port);
    for (int i = 0; i < 20; i++) answered += client.get("/").body == "up";
    answered += client.get("/later").body == "later";
  });
  CHECK(drive(app, [&] { return answered == 21; }));
  clients.join();
  int ticks = 0;
  const TimerId ticker = app.every(milliseconds(10), [&] { ticks++; });
  CHECK(app.next_timer() <= milliseconds(10));
  CHECK(drive(app, [&] { return ticks == 5; }));
  app.cancel(ticker);
}

TEST_CASE("loop: a foreign loop is woken by post()") {
  App app;
  REQUIRE(app.listen("127.0.0.1", 0).ok());
  std::atomic<int> ran = 0;
  for (int i = 0; i < 20; i++) {
    std::thread poster([&, i] {
      if (i % 2) std::this_thread::sleep_for(milliseconds(5));
      app.post([&] { ran++; });
    });
    const bool woken = drive(app, [&] { return ran == i + 1; });
    poster.join();
    REQUIRE(woken);
  }
}

TEST_CASE("loop: a foreign loop is told of work that one turn has left over") {
  App app;
  says_up(app);
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  Client client(*port);
  std::string requests;
  for (int i = 0; i < 2000; i++) requests += "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  std::atomic<bool> done = false;
  std::thread sender([&] {
    client.send(requests);
    int answered = 0;
    while (answered < 2000 && client.read_response(false, milliseconds(2500)).body == "up") answered++;
    CHECK(answered == 2000);
    done = true;
    app.post([] {});
  });
  CHECK(drive(app, [&] { return done.load(); }));
  sender.join();
  int ran = 0;
  for (int i = 0; i < 1000; i++) app.post([&] { ran++; });
  CHECK(drive(app, [&] { return ran == 1000; }));
  ran = 0;
  for (int i = 0; i < 1000; i++) app.after(milliseconds(0), [&] { ran++; });
  CHECK(drive(app, [&] { return ran == 1000; }));
}

TEST_CASE("loop: a foreign loop is told of what its own thread does between two turns") {
  WebSocket socket;
  SteppedServer server([&](App& app) { app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; }}); });
  WsClient client = server.open_websocket("/");
  const auto has_work = [&] {
    pollfd wait{server.app().fd(), POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
  };
  const auto rests = [&] {
    for (int i = 0; i < 10 && has_work(); i++) server.turn();
    return !has_work();
  };
  REQUIRE(rests());
  CHECK(socket.send("to one") == SendStatus::ok);
  CHECK(has_work());
  REQUIRE(rests());
  CHECK(client.reads("to one"));
  CHECK(server.app().broadcast("to all") == SendStatus::ok);
  CHECK(has_work());
  REQUIRE(rests());
  CHECK(client.reads("to all"));
  socket.abort();
  CHECK(has_work());
  REQUIRE(rests());
  CHECK(client.ended());
}

TEST_CASE("loop: deadlines of what is done between two turns count from then") {
  WebSocket socket;
  CloseCause cause = CloseCause::drain;
  SteppedServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; },
                 .close = [&](WebSocket, const CloseInfo& why) { cause = why.cause; }});
  });
  WsClient client = server.open_websocket("/");
  for (int i = 0; i < 3; i++) server.turn();
  SteppedServer::advance(milliseconds(20'000));  // much longer than a close handshake may take
  CHECK(socket.send("last words") == SendStatus::ok);
  socket.close(CloseCode::service_restart);
  for (int i = 0; i < 3; i++) server.turn();
  CHECK(client.reads("last words"));
  CHECK(client.read_close() == 1012);
  REQUIRE(client.send_close(1012));
  CHECK(server.turn_until([&] { return server.app().stats().open_connections == 0; }));
  CHECK(cause == CloseCause::local_close);
}

TEST_CASE("loop: an App that is driven from a handler of another leaves that one its turn") {
  App inner;
  REQUIRE(inner.listen("127.0.0.1", 0).ok());
  int closed = 0;
  SteppedServer outer([&](App& app) {
    app.ws("/", {
        .message = [&](WebSocket ws, const Message&) {
          inner.poll_once(milliseconds(0));
          ws.abort();  // reaped in this turn: its route and its counters are the outer App's
        },
        .close = [&](WebSocket, const CloseInfo&) { closed++; },
    });
  });
  WsClient client = outer.open_websocket("/");
  REQUIRE(client.send_text("go"));
  CHECK(outer.turn_until([&] { return closed == 1; }));
  CHECK(outer.app().stats().open_websockets == 0);
  CHECK(inner.stats().open_websockets == 0);
  inner.close();  // ends within the outer one's turn, too
  outer.app().post([&] { CHECK_FALSE(inner.poll_once(milliseconds(0))); });
  outer.turn();
  CHECK(outer.open_websocket("/").open());
}

TEST_CASE("loop: what a callback of another App lets through belongs to its own App") {
  App inner;
  REQUIRE(inner.listen("127.0.0.1", 0).ok());
  std::vector<Next> kept;
  std::vector<WebSocket> opened, told;
  SteppedServer outer([&](App& app) {
    app.use([&](Request&, Response&, Next next) { kept.push_back(next); });
    app.ws("/", {
        .open =
            [&](WebSocket ws, Request&) {
              opened.push_back(ws);
              throw std::runtime_error("not this one");
            },
        .error = [&](WebSocket ws, const ErrorInfo&) { told.push_back(ws); },
    });
  });
  Client client = outer.connect();
  REQUIRE(client.send(ws_request("/")));
  REQUIRE(outer.turn_until([&] { return !kept.empty(); }));
  inner.post([&] { kept[0](); });
  inner.poll_once(milliseconds(0));
  CHECK(opened.size() == 1);
  CHECK(told == opened);
  CHECK(outer.app().stats().handler_failures == 1);
  CHECK(inner.stats().handler_failures == 0);
}

TEST_CASE("loop: an App that is driven from a timer of another") {
  App inner;
  says_up(inner);
  const auto port = inner.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  TestServer outer([&](App& app) {
    says_up(app);
    app.every(milliseconds(2), [&] { inner.poll_once(milliseconds(0)); });
  }, {.check_descriptors = false});
  Client a(outer.port()), b(*port);
  for (int i = 0; i < 20; i++) {
    CHECK(a.get("/").body == "up");
    CHECK(b.get("/").body == "up");
  }
}
