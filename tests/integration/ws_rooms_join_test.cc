// App::on_join: who decides which rooms a connection enters: at once, later, on other threads, twice, never, too late.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/failing_alloc.h"
#include "support/hall.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// What the program is asked, and the decisions that it keeps.
struct Door {
  struct Wish {
    WebSocket ws;
    std::string room;
    Admit admit;
  };
  std::mutex mutex;
  std::vector<Wish> wishes;

  void ask(WebSocket ws, std::string_view room, Admit admit) {
    const std::lock_guard lock(mutex);
    wishes.push_back({ws, std::string(room), admit});
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return wishes.size();
  }
  Wish at(size_t i) {
    const std::lock_guard lock(mutex);
    return wishes.at(i);
  }
};

std::function<void(App&)> with_door(Door& door) {
  return [&door](App& app) { app.on_join([&door](WebSocket ws, std::string_view room, Admit admit) { door.ask(ws, room, admit); }); };
}

}  // namespace

TEST_CASE("ws rooms join: decided in the function: yes, no, no with a reason; trusted ones and members are not asked about") {
  std::vector<std::string> asked;
  RoomHall hall({}, [&asked](App& app) {
    app.on_join([&asked](WebSocket, std::string_view room, Admit admit) {
      asked.emplace_back(room);
      if (room.starts_with("public-")) return admit.yes();
      room == "secret" ? admit.no("Access denied") : admit.no();
    });
  });
  hall.add(1);
  hall.act([&](App&, auto& ws) {
    for (const char* name : {"public-a", "secret", "hidden", "public-a"}) {
      const Room room = ws[0].join(name);
      CHECK_FALSE(room.ok());
      CHECK(room.refusal() == JoinRefusal::undecided);
    }
    CHECK(ws[0].join("own", {.trusted = true}).ok());
    CHECK(asked.empty());  // not inside join()
  });
  hall.server.turn();
  hall.act([&](App&, auto& ws) {
    CHECK(asked == std::vector<std::string>{"public-a", "secret", "hidden"});
    CHECK(ws[0].in_room("public-a"));
    CHECK(ws[0].join("public-a").ok());
    CHECK_FALSE(ws[0].in_room("secret"));
    CHECK_FALSE(ws[0].in_room("hidden"));
    CHECK(ws[0].in_room("own"));
    CHECK(asked.size() == 3);
  });
  CHECK(hall.heard() == Heard{{R"({"event":"room:refused","args":[{"room":"secret","reason":"Access denied"}]})"}});
  CHECK(hall.server.stats().late_admits == 0);
}

TEST_CASE("ws rooms join: decided later, on the worker or on another thread, once; what was published before is not for it") {
  Door door;
  RoomHall hall({}, with_door(door));
  hall.add(2);
  hall.act([](App&, auto& ws) { ws[0].join("den", {.trusted = true}), ws[1].join("den"); });
  CHECK(eventually([&] { return door.size() == 1; }));
  hall.act([](App& app, auto&) { app.to("den").send("before"); });
  const Admit admit = door.at(0).admit;
  SUBCASE("on the worker it takes effect before it returns") {
    hall.act([&](App&, auto& ws) {
      admit.yes();
      CHECK(ws[1].in_room("den"));
      admit.no("too late");
      admit.yes();
    });
  }
  SUBCASE("on another thread in order") {
    admit.yes();
    admit.no("too late");
    admit.no();
  }
  CHECK(hall.act([](App& app, auto&) { return app.to("den").send("after"); }) == SendStatus::ok);
  CHECK(hall.heard() == Heard{{"before", "after"}, {"after"}});
  CHECK(hall.server.stats().late_admits == 2);
  CHECK(door.size() == 1);
}

TEST_CASE("ws rooms join: who leaves or goes before the decision does not enter, and a decision is for nobody then") {
  Door door;
  RoomHall hall({}, with_door(door));
  hall.add(2);
  hall.act([](App&, auto& ws) {
    ws[0].join({"left", "stays"});
    ws[1].join({"gone", "undecided"});
  });
  CHECK(eventually([&] { return door.size() == 4; }));
  hall.act([&](App& app, auto& ws) {
    ws[0].leave("left");
    door.at(0).admit.yes();
    CHECK_FALSE(ws[0].in_room("left"));
    CHECK(app.stats().late_admits == 1);
    // It may be asked for again.
    CHECK(ws[0].join("left").refusal() == JoinRefusal::undecided);
  });
  CHECK(eventually([&] { return door.size() == 5; }));
  CHECK(hall.clients[1].close_nicely());
  CHECK(hall.server.wait_for_connections(1));
  door.at(2).admit.yes();
  door.at(1).admit.yes();
  door.at(4).admit.yes();
  hall.act([&](App& app, auto& ws) {
    CHECK(ws[0].in_room("stays"));
    CHECK(ws[0].in_room("left"));
    CHECK(app.rooms().size() == 2);
    CHECK(app.stats().late_admits == 2);
    ws[0].join("never decided");
  });
}

TEST_CASE("ws rooms join: 64 of one connection wait, one more is refused, and room is made by decisions") {
  Door door;
  RoomHall hall({}, with_door(door));
  hall.add(2);
  hall.act([](App&, auto& ws) {
    for (int i = 0; i < 64; i++) CHECK(ws[0].join(std::to_string(i)).refusal() == JoinRefusal::undecided);
    CHECK(ws[0].join("0").refusal() == JoinRefusal::undecided);
    CHECK(ws[0].join("one more").refusal() == JoinRefusal::too_many_rooms_of_socket);
    CHECK(ws[1].join("one more").refusal() == JoinRefusal::undecided);
  });
  CHECK(eventually([&] { return door.size() == 65; }));
  hall.act([&](App&, auto& ws) {
    door.at(7).admit.no();
    CHECK(ws[0].join("one more").refusal() == JoinRefusal::undecided);
    CHECK(ws[0].join("two more").refusal() == JoinRefusal::too_many_rooms_of_socket);
  });
}

TEST_CASE("ws rooms join: the function leaves, joins, closes, throws") {
  RoomHall hall({}, [](App& app) {
    app.on_error([](const HandlerFailure&) {});
    app.on_join([](WebSocket ws, std::string_view room, Admit admit) {
      if (room == "leaves") {
        ws.leave("leaves");
        admit.yes();
      } else if (room == "joins") {
        ws.join("another");
        admit.yes();
        ws.send("joined " + std::string(room));
      } else if (room == "throws") {
        throw std::runtime_error("no");
      } else if (room == "decides and throws") {
        admit.yes();
        throw std::runtime_error("no");
      } else if (room == "closes") {
        ws.close();
        admit.yes();
      } else {
        admit.yes();
        admit.yes();
      }
    });
  });
  hall.add(2);
  hall.act([](App&, auto& ws) {
    ws[0].join({"leaves", "joins", "throws", "decides and throws"});
    ws[1].join({"closes", "more"});
  });
  CHECK(hall.clients[0].reads("joined joins"));
  CHECK(hall.clients[1].read_close() == 1000);
  hall.clients[1].send_close(1000);
  CHECK(hall.server.wait_for_connections(1));
  hall.act([](App& app, auto& ws) {
    std::vector<std::string> names = ws[0].rooms();
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"another", "decides and throws", "joins"});
    CHECK(app.stats().late_admits == 3);
    CHECK(app.stats().handler_failures == 2);
  });
}

TEST_CASE("ws rooms join: one that the function itself leaves may be asked for again at once, and is decided anew") {
  int asked = 0;
  RoomHall hall({}, [&asked](App& app) {
    app.on_join([&asked](WebSocket ws, std::string_view room, Admit admit) {
      if (asked++ == 0) {
        ws.leave(room);
        CHECK(ws.join(room).refusal() == JoinRefusal::undecided);
        admit.no("of the first");
      } else {
        admit.yes();
      }
    });
  });
  hall.add(1);
  hall.act([](App&, auto& ws) { ws[0].join("den"); });
  CHECK(eventually([&] { return hall.act([](App&, auto& ws) { return ws[0].in_room("den"); }); }));
  CHECK(asked == 2);
  CHECK(hall.server.stats().late_admits == 1);
  CHECK(hall.heard() == Heard{{}});
}

TEST_CASE("ws rooms join: limits hold when it is decided, too") {
  Door door;
  RoomHall hall({.max_rooms_per_socket = 2}, with_door(door));
  hall.add(1);
  hall.act([](App&, auto& ws) { ws[0].join({"a", "b", "c"}); });
  CHECK(eventually([&] { return door.size() == 3; }));
  hall.act([&](App&, auto& ws) {
    for (size_t i = 0; i < 3; i++) door.at(i).admit.yes();
    CHECK(ws[0].rooms().size() == 2);
    CHECK(ws[0].join("d").refusal() == JoinRefusal::too_many_rooms_of_socket);
  });
}

TEST_CASE("ws rooms join: over workers: joins from elsewhere are asked about where the connection is") {
  Door door;
  ThreeHalls halls({}, [&door](App& app, uint32_t) { with_door(door)(app); });
  halls.add(0, "");
  halls.add(1, "");
  halls.server.on_worker(2, [&](App&) {
    CHECK_FALSE(halls.sockets[0].join("den").ok());
    halls.sockets[1].join("den", {.trusted = true});
  });
  CHECK(eventually([&] { return door.size() == 1; }));
  CHECK(door.at(0).ws == halls.sockets[0]);
  halls.server.on_worker(1, [&](App&) { door.at(0).admit.yes(); });
  CHECK(eventually([&] { return halls.server.on_worker(2, [](App& app) { return app.room("den").size(); }) == 2; }));
  halls.server.on_worker(2, [&](App&) { door.at(0).admit.yes(); });
  CHECK(eventually([&] { return halls.server.stats().late_admits == 1; }));
}

TEST_CASE("ws rooms join: without memory for asking the join is refused, and nobody is asked") {
  FailingAlloc memory;
  Door door;
  RoomHall hall({}, with_door(door));
  hall.add(1);
  size_t undecided = 0;
  hall.act([&](App&, auto& ws) {
    bool failed = true;
    for (size_t n = 0; failed && n < 50; n++) {
      FailingAlloc::failures = 0;
      FailingAlloc::left = n;
      const JoinRefusal why = ws[0].join(std::to_string(n)).refusal();
      FailingAlloc::left = SIZE_MAX;
      failed = FailingAlloc::failures > 0;
      CHECK((why == JoinRefusal::undecided || why == JoinRefusal::out_of_memory));
      undecided += why == JoinRefusal::undecided;
    }
    CHECK_FALSE(failed);
  });
  CHECK(undecided > 0);
  CHECK(eventually([&] { return door.size() == undecided; }));
}

#if defined(__cpp_impl_coroutine)
TEST_CASE("ws rooms join: a coroutine decides") {
  RoomHall hall({}, [](App& app) {
    app.on_join([](WebSocket ws, std::string_view room, Admit admit) -> Task<> {
      const std::string name(room);
      co_await sleep(milliseconds(1));
      const bool good = co_await offload([&] { return name != "bad"; });
      good ? admit.yes() : admit.no();
      ws.send("decided " + name);
    });
  });
  hall.add(1);
  hall.act([](App&, auto& ws) { ws[0].join({"good", "bad"}); });
  std::set<std::string> heard;
  for (int i = 0; i < 2; i++) heard.insert(hall.clients[0].read_message().payload);
  CHECK(heard == std::set<std::string>{"decided bad", "decided good"});
  hall.act([](App&, auto& ws) { CHECK(ws[0].rooms() == std::vector<std::string>{"good"}); });
}
#endif

TEST_CASE("ws rooms join: options and hooks that are set again replace what was there") {
  RoomHall hall({.max_rooms = 1, .max_rooms_per_socket = 1}, [](App& app) {
    app.on_join([](WebSocket, std::string_view, Admit) {});
    app.on_join({});
    app.rooms_options({});
  });
  hall.add(1);
  hall.act([](App&, auto& ws) { CHECK(ws[0].join({"a", "b", "c"}) == JoinRefusal::none); });
}
