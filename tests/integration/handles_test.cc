// Handles (WebSocket, Room, Audience, App::post) from any thread and at any time: the order of one thread's commands,
// storms of threads while connections come and go and the App stops, use long after the end, and queries from the wrong
// thread, which abort. What makes this worth most is ThreadSanitizer (make tsan).
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "support/aborts.h"
#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Handles of all connections that were ever opened, for threads to take from.
class Book {
 public:
  void add(WebSocket ws) {
    const std::lock_guard lock(mutex_);
    sockets_.push_back(ws);
  }
  // Any of them, mostly one of the latest; a closed handle when there is none.
  WebSocket any(uint32_t random) const {
    const std::lock_guard lock(mutex_);
    if (sockets_.empty()) return {};
    const size_t back = random % (random % 4 ? std::min<size_t>(sockets_.size(), 20) : sockets_.size());
    return sockets_[sockets_.size() - 1 - back];
  }
  std::vector<WebSocket> all() const {
    const std::lock_guard lock(mutex_);
    return sockets_;
  }
  bool wait_for(size_t count) const {
    return eventually([&] { return all().size() >= count; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<WebSocket> sockets_;
};

// An App that lives on when its run() has returned: for threads that go on calling it.
class LastingApp {
 public:
  template <typename SetUp>
  explicit LastingApp(SetUp set_up) {
    set_up(app);
    const auto bound = app.listen("127.0.0.1", 0);
    REQUIRE(bound);
    port = *bound;
    thread_ = std::thread([this] { status_ = app.run({.handle_signals = false}); });
  }
  ~LastingApp() {
    app.close();
    wait();
  }
  // Until run() has returned; what it returned.
  int wait() {
    if (thread_.joinable()) thread_.join();
    return status_;
  }

  App app;
  uint16_t port = 0;

 private:
  int status_ = -1;
  std::thread thread_;
};

}  // namespace

TEST_CASE("handles: what one thread sends arrives in its order, every form of it") {
  Book book;
  TestServer server([&](App& app) { app.ws("/", {.open = [&](WebSocket ws, Request&) { book.add(ws); }}); });
  WsClient client(server.port());
  REQUIRE(book.wait_for(1));
  const WebSocket ws = book.any(0);
  const std::string large = pattern(100'000);
  Thread sender([&] {
    for (int i = 0; i < 2000; i++) {
      const std::string text = std::to_string(i);
      SendStatus status = SendStatus::ok;
      switch (i % 4) {
        case 0: status = ws.send(text); break;
        case 1: status = ws.send(std::as_bytes(std::span(text))); break;
        case 2: status = ws.send(SharedFrame::text(text)); break;
        case 3: status = ws.ping(text); break;
      }
      CHECK(status == SendStatus::posted);
      if (i % 500 == 0) ws.send(large);
    }
    ws.close(static_cast<CloseCode>(4567), "done");
  });
  for (int i = 0; i < 2000; i++) {
    const uint8_t opcodes[] = {kText, kBinary, kText, kPing};
    REQUIRE(client.read_frame().is(opcodes[i % 4], std::to_string(i)));
    if (i % 500 == 0) REQUIRE(client.reads(large));
  }
  CHECK(client.read_frame().is(kClose, close_payload(4567, "done")));
  sender.join();
}

TEST_CASE("handles: join, leave, rooms and direct sends of one thread keep their order") {
  Book book;
  TestServer server([&](App& app) { app.ws("/", {.open = [&](WebSocket ws, Request&) { book.add(ws); }}); });
  WsClient a(server.port());
  WsClient b(server.port());
  REQUIRE(book.wait_for(2));
  const WebSocket ws = book.all()[0];
  const WebSocket other = book.all()[1];
  Thread commander([&] {
    for (int i = 0; i < 100; i++) {
      const std::string n = std::to_string(i);
      ws.join("den");
      CHECK_FALSE(ws.join("den").ok());  // it cannot be known here
      CHECK(other.to("den").send("room " + n) == SendStatus::posted);
      CHECK(ws.send("direct " + n) == SendStatus::posted);
      CHECK(ws.to("den").send("not to itself") == SendStatus::posted);
      CHECK(server.app().to("den").except(other).send("app " + n) == SendStatus::posted);
      ws.leave("den");
      CHECK(server.app().to("den").send("to nobody") == SendStatus::posted);
      CHECK(other.broadcast("broadcast " + n) == SendStatus::posted);
      CHECK(other.to_route("/").send("route " + n) == SendStatus::posted);
      CHECK(server.app().broadcast("all " + n) == SendStatus::posted);
    }
    ws.send("end");
    other.send("end");
  });
  for (int i = 0; i < 100; i++) {
    const std::string n = std::to_string(i);
    REQUIRE(a.reads("room " + n));
    REQUIRE(a.reads("direct " + n));
    REQUIRE(a.reads("app " + n));
    REQUIRE(a.reads("broadcast " + n));
    REQUIRE(a.reads("route " + n));
    REQUIRE(a.reads("all " + n));
    REQUIRE(b.reads("all " + n));
  }
  CHECK(a.reads("end"));
  CHECK(b.reads("end"));
  commander.join();
}

TEST_CASE("handles: callbacks set from another thread") {
  Book book;
  std::atomic<int> closed{0};
  TestServer server([&](App& app) { app.ws("/", {.open = [&](WebSocket ws, Request&) { book.add(ws); }}); });
  WsClient client(server.port());
  REQUIRE(book.wait_for(1));
  const WebSocket ws = book.any(0);
  ws.on_message([text = std::string("a capture that is larger than what fits inside")](WebSocket from, const Message& msg) {
    from.send(text + std::string(msg.text()));
  });
  ws.on_close([&](WebSocket, const CloseInfo&) { closed++; });
  wait_a_turn(server);
  REQUIRE(client.send_text("!"));
  CHECK(client.reads("a capture that is larger than what fits inside!"));
  ws.abort();
  CHECK(eventually([&] { return closed == 1; }));
  CHECK(ws.send("x") == SendStatus::posted);
  ws.on_message([](WebSocket, const Message&) {});
}

TEST_CASE("handles: App::post keeps a thread's order, loses nothing, and drops what the end overtakes") {
  auto captured = std::make_shared<int>(0);
  std::vector<int> last(4, -1);
  std::atomic<int> wrong{0};
  std::atomic<int> ran{0};
  {
    LastingApp server([](App&) {});
    std::vector<Thread> threads;
    for (size_t t = 0; t < last.size(); t++) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 5000; i++) {
          server.app.post([&, t, i, captured] {
            wrong += std::exchange(last[t], i) != i - 1;
            ran++;
          });
        }
      });
    }
    for (Thread& thread : threads) thread.join();
    CHECK(eventually([&] { return ran == 20'000; }));
    Thread late([&] {
      for (int i = 0; i < 20'000; i++) server.app.post([captured] {});
    });
    server.app.close();
    CHECK(server.wait() == 0);
    late.join();
    server.app.drain();
    CHECK(server.app.broadcast("x") == SendStatus::closed);
    CHECK(server.app.to("den").send("x") == SendStatus::closed);
    CHECK(captured.use_count() == 1);
  }
  CHECK(wrong.load() == 0);
}

namespace {

// One thread's mischief on connections that may be anything by now.
void command_at_random(App& app, const Book& book, uint32_t seed, const std::atomic<bool>& over) {
  std::mt19937 source(seed);
  const SharedFrame frame = SharedFrame::text("a frame of all threads");
  while (!over) {
    const uint32_t r = static_cast<uint32_t>(source());
    const WebSocket ws = book.any(r >> 8);
    const std::string room(1, static_cast<char>('a' + r % 7));
    switch ((r >> 4) % 16) {
      case 0: case 1: case 2: ws.send("hello"); break;
      case 3: ws.send(frame); break;
      case 4: ws.join(room); break;
      case 5: ws.leave(room); break;
      case 6: ws.to(room).send("room"); break;
      case 7: app.to(room).except(ws).send(frame); break;
      case 8: ws.broadcast("broadcast"); break;
      case 9: app.everybody().except(book.any(r)).send("everybody"); break;
      case 10: ws.ping("p"); break;
      case 11: if (r % 5 == 0) ws.close(); break;
      case 12: if (r % 5 == 0) ws.abort(); break;
      case 13: ws.on_message([room](WebSocket from, const Message& msg) { from.to(room).send(msg); }); break;
      case 14: ws.post([](WebSocket self) { self.send(self.id()); }); break;
      case 15: app.post([&app, room] { app.room(room).send(std::to_string(app.room(room).size())); }); break;
    }
    if (r % 64 == 0) std::this_thread::yield();
  }
}

// Clients that connect, talk, and go in various ways.
void come_and_go(uint16_t port, uint32_t seed, const std::atomic<bool>& over) {
  std::mt19937 source(seed);
  while (!over) {
    WsClient client(port);
    if (!client.tcp.connected()) return;
    for (uint32_t i = source() % 6; i > 0 && client.open(); i--) {
      client.send_text(pattern(source() % 3000));
      client.read_frame(milliseconds(source() % 3));
    }
    if (source() % 3 == 0) client.send_close(1000);
    if (source() % 3 == 0) client.tcp.reset();
  }
}

}  // namespace

TEST_CASE("handles: a storm of threads while connections come and go, and the App stops in the midst of it") {
  for (const uint32_t round : {1u, 2u}) {
    Book book;
    std::atomic<bool> over{false};
    std::atomic<int> opened{0};
    std::atomic<int> closed{0};
    LastingApp server([&](App& app) {
      app.ws("/", {.open = [&](WebSocket ws, Request&) {
                     opened++;
                     book.add(ws);
                   },
                   .message = [](WebSocket ws, const Message& msg) { ws.broadcast(msg); },
                   .close = [&](WebSocket gone, const CloseInfo&) {
                     closed++;
                     gone.to("a").send("gone");
                   }});
    });
    std::vector<Thread> threads;
    for (uint32_t t = 0; t < 4; t++) {
      threads.emplace_back([&, t] { command_at_random(server.app, book, round * 10 + t, over); });
      threads.emplace_back([&, t] { come_and_go(server.port, round * 10 + t, over); });
    }
    std::this_thread::sleep_for(400ms);
    if (round == 1) {
      server.app.close();
    } else {
      server.app.drain({.deadline = 100ms});
    }
    CHECK(server.wait() == 0);
    std::this_thread::sleep_for(20ms);
    over = true;
    for (Thread& thread : threads) thread.join();
    CHECK(opened.load() > 20);
    CHECK(closed.load() == opened.load());
    for (const WebSocket& ws : book.all()) REQUIRE(ws.send("late") == SendStatus::closed);
  }
}

TEST_CASE("handles: long after the end everything is closed, and no later App is mistaken for the old one") {
  Book book;
  Room room;
  {
    TestServer server([&](App& app) {
      app.ws("/", {.open = [&](WebSocket ws, Request&) {
        room = ws.join("den");
        book.add(ws);
      }});
    });
    WsClient client(server.port());
    REQUIRE(book.wait_for(1));
  }
  const WebSocket old = book.any(0);
  std::vector<std::string> heard;
  TestServer second([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) {
      ws.join("den");
      book.add(ws);
    }});
  });
  WsClient client(second.port());
  REQUIRE(book.wait_for(2));
  CHECK(book.all()[1] != old);
  auto use_late = [&] {
    CHECK(old.send("x") == SendStatus::closed);
    CHECK(old.send(SharedFrame::text("x")) == SendStatus::closed);
    CHECK(old.ping() == SendStatus::closed);
    CHECK(old.broadcast("x") == SendStatus::closed);
    CHECK(old.to_route("/gone").send("x") == SendStatus::closed);
    CHECK(old.to("den").send("x") == SendStatus::closed);
    CHECK(old.to(room).send("x") == SendStatus::closed);
    CHECK(room.send("x") == SendStatus::closed);
    CHECK_FALSE(old.join("den").ok());
    CHECK_FALSE(room.ok());
    CHECK(room.size() == 0);
    CHECK(old.ready_state() == ReadyState::closed);
    CHECK(old.buffered_bytes() == 0);
    CHECK_FALSE(old.in_room("den"));
    CHECK(old.ip().empty());
    CHECK(old.url().empty());
    CHECK(old.id().size() == 29);
    old.leave("den");
    old.on_message([](WebSocket, const Message&) {});
    old.post([](WebSocket) { CHECK(false); });
    old.close();
    old.abort();
  };
  use_late();
  second.on_thread([&](App&) { use_late(); });
  CHECK(WebSocket().send("x") == SendStatus::closed);
  CHECK(WebSocket().ready_state() == ReadyState::closed);
  book.all()[1].send("only this");
  CHECK(client.reads("only this"));
}

TEST_CASE("handles: compare, hash, and stay themselves when slots are used again") {
  Book book;
  TestServer server([&](App& app) { app.ws("/", {.open = [&](WebSocket ws, Request&) { book.add(ws); }}); });
  for (int i = 0; i < 30; i++) {
    WsClient client(server.port());
    REQUIRE(book.wait_for(static_cast<size_t>(i) + 1));
    client.tcp.close();
    CHECK(server.wait_for_connections(0));
  }
  const std::vector<WebSocket> all = book.all();
  CHECK(std::unordered_set<WebSocket>(all.begin(), all.end()).size() == 30);
  CHECK(std::set<WebSocket>(all.begin(), all.end()).size() == 30);
  std::set<std::string> ids;
  for (const WebSocket& ws : all) ids.insert(ws.id());
  CHECK(ids.size() == 30);
  CHECK(WebSocket() == WebSocket());
  CHECK(all[0] != all[1]);
}

TEST_CASE("handles: two Apps on two threads send to each other's connections, each in order") {
  Book left_book;
  Book right_book;
  auto relay_to = [](Book& own, Book& others) {
    return [&own, &others](App& app) {
      app.ws("/", {.open = [&own](WebSocket ws, Request&) { own.add(ws); },
                   .message = [&others](WebSocket, const Message& msg) { CHECK(others.any(0).send(msg) == SendStatus::posted); }});
    };
  };
  TestServer left(relay_to(left_book, right_book));
  TestServer right(relay_to(right_book, left_book));
  WsClient a(left.port());
  WsClient b(right.port());
  REQUIRE(left_book.wait_for(1));
  REQUIRE(right_book.wait_for(1));
  std::string bytes;
  for (uint32_t i = 0; i < 500; i++) bytes += ws_frame(i % 2 ? kText : kBinary, pattern(i * 7, i));
  REQUIRE(a.send(bytes));
  REQUIRE(b.send(bytes));
  for (uint32_t i = 0; i < 500; i++) {
    REQUIRE(a.reads(pattern(i * 7, i), i % 2 ? kText : kBinary));
    REQUIRE(b.reads(pattern(i * 7, i), i % 2 ? kText : kBinary));
  }
  // A connection of one App cannot be left out by the other, nor be in its rooms.
  right.on_thread([&](App& app) {
    CHECK(app.everybody().except(left_book.any(0)).send("to b") == SendStatus::ok);
    CHECK(left_book.any(0).to("den").send("x") == SendStatus::posted);
  });
  CHECK(b.reads("to b"));
}

namespace {

// An App on this thread, turned by hand, with one client on another thread; `check(app, ws)` runs between two turns.
template <typename Check>
void turn_by_hand(Check check) {
  App app;
  WebSocket socket;
  app.ws("/", {.open = [&](WebSocket ws, Request&) {
    socket = ws;
    ws.join("den");
  }});
  const auto port = app.listen("127.0.0.1", 0);
  if (!port) ::_exit(3);
  std::atomic<bool> connected{false};
  Thread other([&] {
    const WsClient client(*port);
    connected = true;
    while (connected) std::this_thread::sleep_for(1ms);
  });
  for (int i = 0; i < 2000 && !connected; i++) app.poll_once(5ms);
  check(app, socket);
  connected = false;
  other.join();
}

}  // namespace

TEST_CASE("handles: queries from a thread that is not the worker's abort") {
  auto aborts_elsewhere = [](auto query) {
    return aborts([&] {
      turn_by_hand([&](App&, WebSocket ws) { std::thread([&] { query(ws); }).join(); });
    });
  };
  CHECK(aborts_elsewhere([](WebSocket ws) { ws.buffered_bytes(); }));
  CHECK(aborts_elsewhere([](WebSocket ws) { (void)ws.ready_state(); }));
  CHECK(aborts_elsewhere([](WebSocket ws) { ws.in_room("den"); }));
  CHECK(aborts_elsewhere([](WebSocket ws) { ws.ip(); }));
  CHECK_FALSE(aborts_elsewhere([](WebSocket ws) { ws.id(); }));
  CHECK_FALSE(aborts_elsewhere([](WebSocket ws) { ws.send("x"); }));
}

TEST_CASE("handles: between two turns of poll_once the owner's thread is the App's thread") {
  CHECK_FALSE(aborts([] {
    turn_by_hand([](App& app, WebSocket ws) {
      if (ws.buffered_bytes() != 0 || !ws.is_open()) ::_exit(4);
      if (app.room("den").size() != 1) ::_exit(5);
    });
  }));
  bool found = false;
  SendStatus status = SendStatus::closed;
  turn_by_hand([&](App& app, WebSocket ws) {
    found = app.room("den").ok();
    status = ws.send("x");
  });
  CHECK(found);
  CHECK(status == SendStatus::ok);
}

TEST_CASE("handles: run() or poll_once() inside a callback are programmers' errors") {
  CHECK(aborts([] {
    App app;
    if (!app.listen("127.0.0.1", 0)) ::_exit(3);
    app.post([&] { app.poll_once(0ms); });
    while (app.poll_once(10ms)) {
    }
  }));
  CHECK(aborts([] {
    App app;
    if (!app.listen("127.0.0.1", 0)) ::_exit(3);
    app.ws("/late", WsHandlers{});
  }));
}
