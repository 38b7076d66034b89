// What is remembered of rooms, and who is in them: records, metadata, rooms that stay while empty, members and searches over all
// workers.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/gate.h"
#include "support/hall.h"
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL
#include "support/fake_kernel.h"
#include "support/street.h"
#endif

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MARTLET_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MARTLET_TEST_SANITIZED 1
#endif
#endif

namespace {

// No large array of a standard container's while it fails. A sanitizer keeps its own allocator.
struct LargeNews {
  static inline std::atomic<bool> fail = false;
  [[maybe_unused]] static constexpr size_t kLarge = 8'000;
};

}  // namespace

#ifndef MARTLET_TEST_SANITIZED
void* operator new(size_t bytes) {
  void* memory = LargeNews::fail && bytes >= LargeNews::kLarge ? nullptr : std::malloc(bytes ? bytes : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace {

[[maybe_unused]] int64_t ms_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

// Asks on a worker and waits for what is told there.
MemberList members_of(MultiServer& server, uint32_t worker, const std::string& room, size_t limit) {
  auto answer = std::make_shared<std::promise<MemberList>>();
  std::future<MemberList> told = answer->get_future();
  server.on_worker(worker, [&](App& app) {
    app.room(room).members(limit).then([answer](MemberList list) { answer->set_value(std::move(list)); });
    CHECK(told.wait_for(milliseconds(0)) == std::future_status::timeout);
  });
  REQUIRE(told.wait_for(kPatience) == std::future_status::ready);
  return told.get();
}

std::set<std::string> ids_of(const MemberList& list) {
  std::set<std::string> ids;
  for (const MemberInfo& member : list.members) ids.insert(member.id);
  return ids;
}

}  // namespace

// Records, with a clock of our own ----------------------------------------------------------------------------------------

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll
TEST_CASE("ws rooms records: created, last activity, history and being active follow what happens") {
  FakeKernel kernel;
  std::map<int, WebSocket> sockets;
  App app;
  app.rooms_options({.history = 3});
  app.ws("/:peer", {.heartbeat_interval = 0s, .heartbeat_timeout = 0s}, [&](WebSocket ws, Request& req) { sockets[std::stoi(std::string(req.param("peer")))] = ws; });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  const auto live = [&](milliseconds time) {
    const uint64_t until = kernel.now_ms() + static_cast<uint64_t>(time.count());
    while (kernel.now_ms() < until) app.poll_once(milliseconds(until - kernel.now_ms()));
    for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
  };
  for (int peer = 1; peer <= 2; peer++) kernel.connect(peer).sends = ws_request("/" + std::to_string(peer));
  live(milliseconds(1));
  REQUIRE(sockets.size() == 2);
  const Room den = sockets[1].join("den");
  const RoomDetails first = den.info();
  CHECK(first.name == "den");
  CHECK(first.size == 1);
  CHECK(first.created == first.last_activity);
  CHECK(first.is_active);
  REQUIRE(first.history.size() == 1);
  CHECK(first.history[0].socket_id == sockets[1].id());
  CHECK(first.history[0].joined);
  const auto since = [&](const RoomDetails& now) { return ms_of(now.last_activity) - ms_of(first.created); };
  live(milliseconds(1000));
  sockets[2].join("den");
  live(milliseconds(1000));
  CHECK(std::abs(since(den.info()) - 1000) <= 100);
  den.send("something");
  live(milliseconds(0));
  CHECK(std::abs(since(den.info()) - 2000) <= 100);
  live(milliseconds(1000));
  sockets[2].leave("den");
  sockets[2].leave("den");
  CHECK(std::abs(since(den.info()) - 3000) <= 100);
  sockets[2].join("den");
  const RoomDetails full = den.info();
  REQUIRE(full.history.size() == 3);  // the first has been forgotten
  CHECK(full.history[0].socket_id == sockets[2].id());
  CHECK(full.history[0].joined);
  CHECK_FALSE(full.history[1].joined);
  CHECK(full.history[2].joined);
  CHECK(full.history[0].at < full.history[1].at);
  CHECK(std::abs(ms_of(full.created) - ms_of(first.created)) <= 10);
  live(milliseconds(299'000));
  CHECK(den.info().is_active);
  live(milliseconds(2'000));
  CHECK_FALSE(den.info().is_active);
  den.send("again");
  CHECK(den.info().is_active);
  const std::string text = den.info().to_json().dump();
  CHECK(text.starts_with(R"({"name":"den","size":2,"created":)"));
  CHECK(text.find(R"("isActive":true,"metadata":{},"membershipHistory":[{"socketId":"ws_)") != std::string::npos);
  CHECK(text.find(R"("action":"left")") != std::string::npos);
}
#endif

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll
TEST_CASE("ws rooms records: an empty room stays for keep_empty, with what was known, and then goes") {
  FakeKernel kernel;
  WebSocket ws;
  App app;
  app.rooms_options({.history = 10, .keep_empty = 10s});
  app.ws("/", [&](WebSocket opened, Request&) { ws = opened; });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  const auto live = [&](milliseconds time) {
    const uint64_t until = kernel.now_ms() + static_cast<uint64_t>(time.count());
    while (kernel.now_ms() < until) app.poll_once(milliseconds(until - kernel.now_ms()));
    for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
  };
  kernel.connect(1).sends = ws_request("/");
  live(milliseconds(1));
  const Room den = ws.join("den");
  den.set_metadata({{"topic", "birds"}});
  ws.leave("den");
  CHECK(den.ok());
  CHECK(den.size() == 0);
  CHECK(den.name() == "den");
  CHECK(app.room("den") == den);
  CHECK(den.send("nobody") == SendStatus::closed);
  CHECK(app.rooms().empty());  // of those with members
  CHECK(app.stats().open_rooms == 1);
  live(9s);
  CHECK(den.info().metadata.dump() == R"({"topic":"birds"})");
  CHECK(den.info().history.size() == 2);
  CHECK(ws.join("den") == den);  // it lives again
  CHECK(den.info().history.size() == 3);
  live(20s);
  CHECK(den.ok());
  ws.leave("den");
  live(9s);
  CHECK(den.ok());
  live(2s);
  CHECK_FALSE(den.ok());
  CHECK(den.info().name.empty());
  CHECK(app.stats().open_rooms == 0);
  den.set_metadata({{"lost", 1}});
  const Room again = ws.join("den");
  CHECK(again != den);
  CHECK(again.info().metadata.dump() == "{}");
  CHECK(again.info().history.size() == 1);
}
#endif

TEST_CASE("ws rooms records: a room that stays when it is left in the turn in which it was sent to is sent to again") {
  RoomHall hall({.keep_empty = 10s});
  hall.add(2);
  hall.act([](App& app, auto& ws) {
    ws[0].join("den");
    app.room("den").send("to the first");
    ws[0].leave("den");
    ws[1].join("den");
    app.room("den").send("to the second");
    ws[1].leave("den");
  });
  CHECK(hall.heard() == Heard{{"to the first"}, {"to the second"}});
  hall.act([](App& app, auto& ws) {
    ws[0].join("den"), ws[1].join("den");
    CHECK(app.room("den").send("to both") == SendStatus::ok);
  });
  for (WsClient& client : hall.clients) CHECK(client.reads("to both"));
}

TEST_CASE("ws rooms records: empty rooms that are kept count against max_rooms, and above 65,536 the oldest go") {
  RoomHall hall({.keep_empty = milliseconds(600'000), .max_rooms = 70'000});
  hall.add(1);
  hall.act([](App& app, auto& ws) {
    for (int i = 0; i < 65'536; i++) {
      const std::string name = std::to_string(i);
      ws[0].join(name);
      ws[0].leave(name);
    }
    CHECK(app.stats().open_rooms == 65'536);
    CHECK(app.room("0").ok());
    ws[0].join("one more");
    ws[0].leave("one more");
    CHECK(app.stats().open_rooms == 65'536);
    CHECK_FALSE(app.room("0").ok());
    CHECK(app.room("1").ok());
    for (int i = 0; i < 70'000 - 65'536; i++) CHECK(ws[0].join("more " + std::to_string(i)).ok());
    CHECK(ws[0].join("too many").refusal() == JoinRefusal::too_many_rooms);
    CHECK(ws[0].join("one more").ok());  // it is there
  });
}

TEST_CASE("ws rooms records: without options they begin with the first call, on all workers") {
  ThreeHalls halls;
  halls.add(0, "den");
  halls.add(1, "den");
  const Room den = halls.server.on_worker(2, [](App& app) { return app.room("den"); });
  const RoomDetails before = halls.server.on_worker(2, [&](App&) { return den.info(); });
  CHECK(before.name == "den");
  CHECK(before.size == 2);
  CHECK(before.is_active);
  CHECK(before.history.empty());
  halls.server.on_worker(1, [&](App&) { den.set_metadata({{"a", 1}}); });
  CHECK(halls.server.on_worker(0, [&](App&) { return den.info().metadata.dump(); }) == R"({"a":1})");
  den.update_metadata({{"b", 2}, {"a", nullptr}});  // from a thread that is no worker
  CHECK(eventually([&] { return halls.server.on_worker(2, [&](App&) { return den.info().metadata.dump(); }) == R"({"b":2})"; }));
  for (uint32_t worker = 0; worker < 2; worker++) halls.server.on_worker(worker, [&](App&) { halls.sockets[worker].leave("den"); });
  CHECK(halls.server.on_worker(2, [&](App&) { return den.info().name; }).empty());
  halls.server.on_worker(0, [&](App& app) {
    halls.sockets[0].join("den");
    CHECK(app.room("den").info().metadata.dump() == "{}");
  });
}

TEST_CASE("ws rooms records: one record for all workers: history, metadata from many at once, the end with the last member") {
  ThreeHalls halls({.history = 100, .keep_empty = milliseconds(50)});
  for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "den");
  const Room den = halls.server.on_worker(0, [](App& app) { return app.room("den"); });
  for (uint32_t worker = 0; worker < 3; worker++) {
    halls.server.server().post(worker, [&, worker](App&) {
      for (int i = 0; i < 100; i++) den.update_metadata({{"w" + std::to_string(worker) + "-" + std::to_string(i), i}});
    });
  }
  CHECK(eventually([&] { return halls.server.on_worker(1, [&](App&) { return den.info().metadata.size(); }) == 300; }));
  CHECK(halls.server.on_worker(1, [&](App&) { return den.info().history.size(); }) == 3);
  for (uint32_t worker = 0; worker < 3; worker++) halls.server.on_worker(worker, [&](App&) { halls.sockets[worker].leave("den"); });
  CHECK(eventually([&] { return halls.server.on_worker(2, [&](App&) { return !den.ok(); }); }));
  CHECK(halls.server.stats().open_rooms == 0);
}

TEST_CASE("ws rooms records: workers that join, leave and ask at the same time lose nothing") {
  ThreeHalls halls({.history = 8, .keep_empty = milliseconds(1)});
  for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "");
  std::atomic<int> done = 0;
  for (uint32_t worker = 0; worker < 3; worker++) {
    halls.server.server().post(worker, [&, worker](App& app) {
      const WebSocket ws = halls.sockets[worker];
      for (int i = 0; i < 3'000; i++) {
        const std::string name = "room " + std::to_string(i % 7);
        const Room room = ws.join(name);
        room.update_metadata({{"n", i}});
        (void)room.info();
        room.send("x");
        if (i % 3) ws.leave(name);
        if (i % 50 == 0) app.rooms();
      }
      for (const std::string& name : ws.rooms()) ws.leave(name);
      done++;
    });
  }
  CHECK(eventually([&] { return done == 3; }));
  CHECK(eventually([&] { return halls.server.stats().open_rooms == 0; }));
}

TEST_CASE("ws rooms records: what is known of a room stays while a worker that has not begun to write down has members of it") {
  Gate gate;
  ThreeHalls halls;
  halls.add(0, "den");
  halls.add(1, "den");
  halls.server.server().post(1, [&](App&) { gate.wait(); });
  REQUIRE(gate.wait_for_one());
  const Room den = halls.server.on_worker(0, [](App& app) { return app.room("den"); });
  halls.server.on_worker(0, [&](App&) {
    den.set_metadata({{"a", 1}});
    halls.sockets[0].leave("den");
  });
  CHECK(halls.server.on_worker(0, [&](App&) { return den.info().metadata.dump(); }) == R"({"a":1})");
  gate.open();
  CHECK(halls.server.on_worker(1, [&](App&) { return den.info().metadata.dump(); }) == R"({"a":1})");
  halls.server.on_worker(1, [&](App& app) {
    halls.sockets[1].leave("den");
    halls.sockets[1].join("den");
    CHECK(app.room("den").info().metadata.dump() == "{}");
  });
}

// Each time nothing is written down before all three begin at the same time, while members come and go.
TEST_CASE("ws rooms records: workers that begin to write down at the same time agree") {
  for (int times = 0; times < 20; times++) {
    ThreeHalls halls;
    for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "den");
    const Room den = halls.server.on_worker(0, [](App& app) { return app.room("den"); });
    std::atomic<int> begun = 0;
    std::atomic<int> done = 0;
    for (uint32_t worker = 0; worker < 3; worker++) {
      halls.server.server().post(worker, [&, worker](App&) {
        const WebSocket ws = halls.sockets[worker];
        for (begun++; begun < 3;) std::this_thread::yield();
        for (int i = 0; i < 50; i++) {
          den.update_metadata({{"w" + std::to_string(worker) + "-" + std::to_string(i), i}});
          const std::string name = "room " + std::to_string(i % 3);
          const Room room = ws.join(name);
          room.send("x");
          (void)room.info();
          ws.leave(name);
          if (worker > 0 && i == 20) ws.leave("den");
        }
        done++;
      });
    }
    REQUIRE(eventually([&] { return done == 3; }));
    CHECK(halls.server.on_worker(1, [&](App&) { return den.info().metadata.size(); }) == 150);
    halls.server.on_worker(0, [&](App&) { halls.sockets[0].leave("den"); });
    CHECK(eventually([&] { return halls.server.stats().open_rooms == 0; }));
  }
}

TEST_CASE("ws rooms records: memory out for metadata and records is nobody's crash") {
  FailingAlloc memory;
  RoomHall hall;
  hall.add(1);
  hall.act([](App&, auto& ws) {
    const Room den = ws[0].join("den");
    for (size_t n = 0; n < 20; n++) {
      FailingAlloc::left = n;
      den.set_metadata({{"n", 1}});
      const RoomDetails details = den.info();
      ws[0].join("other");
      ws[0].leave("other");
      FailingAlloc::left = SIZE_MAX;
      CHECK(details.name == "den");
      CHECK(details.size == 1);
    }
    CHECK(den.info().metadata.dump() == R"({"n":1})");
  });
}

// Members -------------------------------------------------------------------------------------------------------------------

TEST_CASE("ws rooms members: gathered from all workers, with their metadata, at most so many") {
  ThreeHalls halls;
  for (uint32_t i = 0; i < 6; i++) halls.add(i % 3, "den");
  halls.add(0, "other");
  std::set<std::string> wanted;
  for (uint32_t i = 0; i < 6; i++) {
    wanted.insert(halls.sockets[i].id());
    halls.server.on_worker(i % 3, [&](App&) { halls.sockets[i].metadata()["n"] = i; });
  }
  for (uint32_t worker = 0; worker < 3; worker++) {
    const MemberList list = members_of(halls.server, worker, "den", 100);
    CHECK(list.complete);
    CHECK_FALSE(list.more);
    CHECK(ids_of(list) == wanted);
    for (const MemberInfo& member : list.members) {
      CHECK(member.remote_address == "127.0.0.1");
      CHECK(halls.sockets[static_cast<size_t>(member.metadata["n"].int_or(99))] == member.socket);
    }
    const MemberList exact = members_of(halls.server, worker, "den", 6);
    CHECK(exact.members.size() == 6);
    CHECK_FALSE(exact.more);
    const MemberList some = members_of(halls.server, worker, "den", 5);
    CHECK(some.members.size() == 5);
    CHECK(some.more);
    CHECK(members_of(halls.server, worker, "den", 0).members.empty());
    CHECK(members_of(halls.server, worker, "nowhere", 10).members.empty());
  }
  // From a thread that is no worker it is told on the first one; as a vector, too.
  const Room den = halls.server.on_worker(0, [](App& app) { return app.room("den"); });
  std::promise<size_t> told;
  den.members(100, [&](std::vector<MemberInfo> all) { told.set_value(all.size()); });
  CHECK(told.get_future().get() == 6);
}

TEST_CASE("ws rooms members: a worker that stands still is not waited for beyond the time, and one that is over not at all") {
  ThreeHalls halls;
  for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "den");
  std::promise<void> go_on;
  std::promise<void> stands;
  halls.server.server().post(1, [&](App&) {
    stands.set_value();
    go_on.get_future().wait();
  });
  stands.get_future().wait();
  std::promise<MemberList> answer;
  halls.server.on_worker(0, [&](App& app) {
    app.room("den").members(10).timeout(milliseconds(30)).then([&](MemberList list) { answer.set_value(std::move(list)); });
  });
  const MemberList list = answer.get_future().get();
  CHECK_FALSE(list.complete);
  CHECK(list.members.size() == 2);
  go_on.set_value();
  CHECK(members_of(halls.server, 0, "den", 10).complete);
}

TEST_CASE("ws rooms members: an App that ends does not tell, and its functions are destroyed") {
  auto token = std::make_shared<int>();
  {
    ThreeHalls halls;
    halls.add(0, "den");
    for (uint32_t worker = 0; worker < 3; worker++) {
      halls.server.server().post(worker, [token](App& app) {
        app.room("den").members(10, [token](std::vector<MemberInfo>) {});
        app.find([token](WebSocket) { return true; }).then([token](MemberList) {});
      });
    }
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("ws rooms members: somebody is found by what he is, on whatever worker") {
  ThreeHalls halls;
  for (uint32_t i = 0; i < 6; i++) halls.add(i % 3, "");
  for (uint32_t i = 0; i < 6; i++) {
    halls.server.on_worker(i % 3, [&](App&) { halls.sockets[i].metadata()["user"] = "user " + std::to_string(i); });
  }
  const auto find = [&](uint32_t worker, auto wanted, size_t limit) {
    auto answer = std::make_shared<std::promise<MemberList>>();
    halls.server.on_worker(worker, [&](App& app) { app.find(wanted, limit).then([answer](MemberList list) { answer->set_value(std::move(list)); }); });
    return answer->get_future().get();
  };
  for (uint32_t worker = 0; worker < 3; worker++) {
    const MemberList one = find(worker, [](WebSocket ws) { return ws.metadata()["user"] == "user 4"; }, 10);
    REQUIRE(one.members.size() == 1);
    CHECK(one.members[0].socket == halls.sockets[4]);
    CHECK(one.complete);
    const MemberList some = find(worker, [](WebSocket) { return true; }, 4);
    CHECK(some.members.size() == 4);
    CHECK(some.more);
  }
  // It may send, close and throw.
  const MemberList all = find(1, [](WebSocket ws) { return ws.send("seen"), true; }, 10);
  CHECK(all.members.size() == 6);
  for (WsClient& client : halls.clients) CHECK(client.reads("seen"));
  const MemberList none = find(1, [](WebSocket) -> bool { throw std::runtime_error("no"); }, 10);
  CHECK(none.members.empty());
  CHECK(eventually([&] { return halls.server.stats().handler_failures == 3; }));
}

TEST_CASE("ws rooms members: without memory it is told nothing at all, or what there is, never nobody") {
  FailingAlloc memory;
  RoomHall hall;
  hall.add(2);
  hall.act([](App&, auto& ws) { ws[0].join("den"), ws[1].join("den"); });
  std::atomic<int> told = 0;
  int asked = 0;
  bool failed = true;
  for (size_t n = 0; failed && n < 20; n++) {
    hall.act([&](App& app, auto&) {
      FailingAlloc::failures = 0;
      FailingAlloc::left = n;
      FailingAlloc::only_once = true;
      app.room("den").members(10).timeout(milliseconds(5)).then([&told](MemberList list) {
        CHECK((list.members.size() == 2 || !list.complete));
        told++;
      });
      FailingAlloc::left = SIZE_MAX;
      failed = FailingAlloc::failures > 0;
    });
    asked++;
    CHECK(eventually([&] { return told == asked; }));
  }
  CHECK_FALSE(failed);
}

TEST_CASE("ws rooms members: without memory on the asked workers and for the list it is told what there is, and that it is not all") {
  FailingAlloc memory;
  RoomHall hall;
  hall.add(100);
  hall.act([](App&, auto& ws) {
    for (WebSocket one : ws) one.join("den"), one.metadata()["n"] = 1;
  });
  const auto ask = [&](auto&& prepare) {
    auto answer = std::make_shared<std::promise<MemberList>>();
    auto all = std::make_shared<std::promise<size_t>>();
    hall.act([&](App& app, auto&) {
      app.room("den").members(1'000).then([answer](MemberList list) { answer->set_value(std::move(list)); });
      app.find([](WebSocket) { return true; }, 1'000).then([answer](MemberList) {});
      app.room("den").members(1'000, [all](std::vector<MemberInfo> list) { all->set_value(list.size()); });
      prepare();
    });
    MemberList list = answer->get_future().get();
    CHECK(all->get_future().get() <= 100);
    LargeNews::fail = false;
    FailingAlloc::left = SIZE_MAX;
    return list;
  };
  CHECK(ask([] {}).members.size() == 100);
#ifndef MARTLET_TEST_SANITIZED
  const MemberList none = ask([] { LargeNews::fail = true; });
  CHECK(none.members.empty());
  CHECK_FALSE(none.complete);
#endif
  const MemberList some = ask([] { FailingAlloc::left = 50; });
  CHECK(some.members.size() < 100);
  CHECK_FALSE(some.complete);
  CHECK(ask([] {}).complete);
}

#if defined(__cpp_impl_coroutine)
TEST_CASE("ws rooms members: awaited, in a request's task and in a connection's") {
  ThreeHalls halls({}, [](App& app, uint32_t) {
    app.get("/members", [&app](Request&, Response& res) -> Task<> {
      const MemberList list = co_await app.room("den").members(10);
      const MemberList found = co_await app.find([](WebSocket ws) { return ws.in_room("other"); }).timeout(milliseconds(5000));
      res.json({{"members", list.members.size()}, {"found", found.members.size()}, {"complete", list.complete && found.complete}});
    });
  });
  for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "den");
  halls.add(1, "other");
  for (int i = 0; i < 5; i++) {
    Client client(halls.server.port());
    REQUIRE(client.send("GET /members HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    CHECK(client.read_response().body == R"({"members":3,"found":1,"complete":true})");
  }
}
#endif
