// Rooms as a program has them: several at once, limits and their refusals, who decides, what is remembered; each on one worker and
// on three.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/failing_alloc.h"
#include "support/hall.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

TEST_CASE("ws rooms: several are joined at once, and asked for") {
  RoomHall hall({.max_name_bytes = 8});
  hall.add(2);
  hall.act([](App& app, auto& ws) {
    CHECK(ws[0].join({"users", "news"}) == JoinRefusal::none);
    CHECK(ws[0].join({"news"}) == JoinRefusal::none);
    std::vector<std::string> names = ws[0].rooms();
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"news", "users"});
    CHECK(ws[0].in_room("users"));
    CHECK_FALSE(ws[1].in_room("users"));
    // What is refused does not keep the others out.
    const std::vector<std::string> list{"more", "a name too long", "most"};
    CHECK(ws[1].join(list) == JoinRefusal::name_too_long);
    CHECK(ws[1].in_room("more"));
    CHECK(ws[1].in_room("most"));
    CHECK(app.room("news").size() == 1);
    CHECK(WebSocket().join({"x", "y"}) == JoinRefusal::none);  // of no worker: on its way to nowhere
  });
}

TEST_CASE("ws rooms: to several rooms each socket gets it once, in order with what else is sent") {
  RoomHall hall;
  hall.add(5);
  hall.act([](App& app, auto& ws) {
    ws[0].join({"a", "b"});
    ws[1].join({"b", "c"});
    ws[2].join("c");
    ws[3].join({"a", "b", "c"});
    CHECK(app.to({"a", "b"}).send("ab") == SendStatus::ok);
    CHECK(app.to("a").send("a") == SendStatus::ok);
    CHECK(ws[3].to({"a", "b", "c"}).send("not 3") == SendStatus::ok);
    CHECK(app.to({"b", "a", "b", "nowhere"}).except(ws[0]).send("not 0") == SendStatus::ok);
    CHECK(app.to("b").send("b") == SendStatus::ok);
    CHECK(app.to({"c", "a"}).send(Json{{"n", 1}}) == SendStatus::ok);
    CHECK(app.to({"c", "a"}).send(std::as_bytes(std::span("bytes", 5))) == SendStatus::ok);
    CHECK(app.to({"c", "b"}).send(SharedFrame::text("frame")) == SendStatus::ok);
    CHECK(app.to({"a", "c"}).emit("tick", 7) == SendStatus::ok);
    const std::vector<std::string> list{"a", "b", "c"};
    CHECK(app.to(list).except({ws[0], ws[1], ws[2]}).send("only 3") == SendStatus::ok);
    CHECK(ws[3].to(list).except({ws[0], ws[1], ws[2]}).send("nobody") == SendStatus::closed);
    CHECK(app.to({"nowhere", "never"}).send("nobody") == SendStatus::closed);
    CHECK(app.to(std::span<const std::string>()).send("nobody") == SendStatus::closed);
  });
  const std::string json = R"({"n":1})";
  const std::string event = R"({"event":"tick","args":[7]})";
  CHECK(hall.heard() == Heard{{"ab", "a", "not 3", "b", json, "bytes", "frame", event},
                              {"ab", "not 3", "not 0", "b", json, "bytes", "frame", event},
                              {"not 3", json, "bytes", "frame", event},
                              {"ab", "a", "not 0", "b", json, "bytes", "frame", event, "only 3"},
                              {}});
}

TEST_CASE("ws rooms: random publishes to random rooms reach a model's sockets, once each, in order") {
  constexpr size_t kSockets = 12;
  RoomHall hall;
  hall.add(kSockets);
  std::mt19937 random(7);
  Heard wanted(kSockets);
  for (int round = 0; round < 40; round++) {
    hall.act([&](App& app, auto& ws) {
      std::map<std::string, std::set<size_t>> rooms;
      for (size_t i = 0; i < kSockets; i++) {
        for (const char* name : {"a", "b", "c", "d"}) {
          if (random() % 2) ws[i].join(name), rooms[name].insert(i);
        }
      }
      for (int n = 0; n < 12; n++) {
        std::vector<std::string> to;
        for (const char* name : {"a", "b", "c", "d"}) {
          if (random() % 2) to.push_back(name);
        }
        const size_t left_out = random() % kSockets;
        const std::string text = std::to_string(round) + "." + std::to_string(n);
        std::set<size_t> receivers;
        for (const std::string& name : to) receivers.insert(rooms[name].begin(), rooms[name].end());
        if (n % 3 == 1) {
          ws[left_out].send(text);  // something of its own in between
          wanted[left_out].push_back(text);
          continue;
        }
        receivers.erase(left_out);
        const SendStatus status = app.to(to).except(ws[left_out]).send(text);
        CHECK(status == (receivers.empty() ? SendStatus::closed : SendStatus::ok));
        for (const size_t i : receivers) wanted[i].push_back(text);
      }
      for (size_t i = 0; i < kSockets; i++) {
        for (const char* name : {"a", "b", "c", "d"}) ws[i].leave(name);
      }
    });
  }
  CHECK(hall.heard() == wanted);
}

TEST_CASE("ws rooms: to several rooms over three workers, from a worker and from a thread that is none") {
  ThreeHalls halls;
  halls.add(0, "a b");
  halls.add(1, "b c");
  halls.add(2, "c");
  halls.add(2, "a c");
  halls.add(1, "");
  const auto all_hear = [&](const std::vector<size_t>& receivers, const std::string& text) {
    for (const size_t i : receivers) REQUIRE(halls.clients[i].reads(text));
    for (WebSocket ws : halls.sockets) ws.send("end " + text);
    for (WsClient& client : halls.clients) REQUIRE(client.reads("end " + text));
  };
  for (uint32_t worker = 0; worker < 3; worker++) {
    const std::string text = "from " + std::to_string(worker);
    halls.server.on_worker(worker, [&](App& app) { CHECK(app.to({"a", "b", "c"}).except(halls.sockets[1]).send(text) == SendStatus::ok); });
    all_hear({0, 2, 3}, text);
    halls.server.on_worker(worker, [&](App& app) {
      app.to({"a", "b"}).send(text + " ab");
      app.to("b").send(text + " b");
      app.to({"b", "c"}).send(text + " bc");
    });
    for (const size_t i : {0u, 1u, 3u}) REQUIRE(halls.clients[i].reads(text + " ab"));
    for (const size_t i : {0u, 1u}) REQUIRE(halls.clients[i].reads(text + " b"));
    all_hear({0, 1, 2, 3}, text + " bc");
  }
  Audience audience = halls.server.on_worker(0, [](App& app) { return app.to({"a", "c"}); });
  CHECK(audience.except(halls.sockets[0]).send("outside") == SendStatus::posted);
  all_hear({1, 2, 3}, "outside");
}

TEST_CASE("ws rooms: names by the ten thousand, and the same ones again, cost what they are and no more") {
  RoomHall hall;
  hall.add(1);
  std::vector<std::string> names;
  for (int i = 0; i < 60'000; i++) names.push_back(std::to_string(1'000'000 + i % 50'000));
  names.push_back("den");
  hall.act([](App&, auto& ws) { ws[0].join("den"), ws[0].join("1000007"); });
  const auto begin = Clock::now();
  hall.act([&](App& app, auto&) { CHECK(app.to(names).send("once") == SendStatus::ok); });
  CHECK(Clock::now() - begin < milliseconds(3'000));  // with a look at all names for each of them it were a minute
  CHECK(hall.heard() == Heard{{"once"}});
}

TEST_CASE("ws rooms: a turn of a connection in ten thousand rooms costs what it does: each sent to, answered, and left") {
  constexpr int kRooms = 10'000;
  RoomHall hall;
  hall.add(1);
  hall.act([](App&, auto& ws) {
    for (int i = 0; i < kRooms; i++) ws[0].join(std::to_string(i));
  });
  const auto begin = Clock::now();
  hall.act([](App& app, auto& ws) {
    for (int i = 0; i < kRooms; i++) app.room(std::to_string(i)).send("to a room"), ws[0].send("an answer");
    for (int i = 0; i < kRooms; i++) ws[0].leave(std::to_string(i));
  });
  CHECK(Clock::now() - begin < milliseconds(3'000));  // with a walk over all rooms for each it were half a minute
  const Heard heard = hall.heard();
  REQUIRE(heard[0].size() == 2 * kRooms);
  CHECK(heard[0][0] == "to a room");
  CHECK(heard[0].back() == "an answer");
}

TEST_CASE("ws rooms: where memory is out for several rooms, nobody is sent anything") {
  FailingAlloc memory;
  RoomHall hall;
  hall.add(3);
  hall.act([](App&, auto& ws) {
    for (const WebSocket& one : ws) one.join({"a", "b"});
  });
  size_t failures = 0;
  size_t sent = 0;
  for (size_t n = 0; n < 8; n++) {
    hall.act([&](App& app, auto&) {
      FailingAlloc::failures = 0;
      FailingAlloc::left = n;
      const SendStatus status = app.to({"a", "b"}).send("x");
      FailingAlloc::left = SIZE_MAX;
      failures += FailingAlloc::failures;
      CHECK((status == SendStatus::ok || status == SendStatus::dropped));
      sent += status == SendStatus::ok;
    });
  }
  CHECK(failures > 0);
  for (const auto& one : hall.heard()) CHECK(one.size() == sent);
}

// Limits ----------------------------------------------------------------------------------------------------------------

TEST_CASE("ws rooms: limits of rooms refuse by name, on both sides of each") {
  RoomHall hall({.max_name_bytes = 10, .max_rooms = 3, .max_rooms_per_socket = 2});
  hall.add(3);
  hall.act([](App& app, auto& ws) {
    CHECK(ws[0].join(std::string(10, 'x')).refusal() == JoinRefusal::none);
    const Room refused = ws[0].join(std::string(11, 'x'));
    CHECK_FALSE(refused.ok());
    CHECK(refused.refusal() == JoinRefusal::name_too_long);
    CHECK(refused.size() == 0);
    CHECK(refused.send("nobody") == SendStatus::closed);
    CHECK(ws[0].join("b").ok());
    CHECK(ws[0].join("b").ok());  // it is in there already
    CHECK(ws[0].join("c").refusal() == JoinRefusal::too_many_rooms_of_socket);
    CHECK(ws[1].join("c").ok());
    CHECK(ws[1].join("d").refusal() == JoinRefusal::too_many_rooms);
    CHECK(app.rooms().size() == 3);
    CHECK(ws[2].join("c").ok());  // it exists
    ws[0].leave("b");
    CHECK(ws[1].join("d").ok());
    CHECK(ws[1].join("c").ok());
    ws[1].leave("c");
    CHECK(ws[1].join("b").refusal() == JoinRefusal::too_many_rooms);
    CHECK(WebSocket(ws[1]).join("c").ok());
  });
  CHECK(name_of(JoinRefusal::too_many_rooms) == "too_many_rooms");
  CHECK(name_of(JoinRefusal::undecided) == "undecided");
  CHECK(Room().refusal() == JoinRefusal::none);
}

TEST_CASE("ws rooms: names of 1 KiB are good without options, longer ones and 1 MiB are not, wherever they come from") {
  ThreeHalls halls;
  halls.add(0, "");
  const WebSocket ws = halls.sockets[0];
  const std::string longest(1024, 'n');
  halls.server.on_worker(0, [&](App&) {
    CHECK(ws.join(longest).ok());
    CHECK(ws.join(longest + "n").refusal() == JoinRefusal::name_too_long);
    CHECK(ws.join(std::string(1 << 20, 'n')).refusal() == JoinRefusal::name_too_long);
  });
  halls.server.on_worker(1, [&](App&) { ws.join(std::string(1 << 20, 'n')); });
  ws.join(std::string(1 << 20, 'n'));
  ws.join("last");
  CHECK(eventually([&] { return halls.server.on_worker(0, [&](App&) { return ws.in_room("last"); }); }));
  CHECK(halls.server.on_worker(2, [](App& app) { return app.rooms().size(); }) == 2);
}

TEST_CASE("ws rooms: the limit of rooms is that of all workers together") {
  ThreeHalls halls({.max_rooms = 5});
  for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "");
  for (uint32_t n = 0; n < 9; n++) {
    halls.server.on_worker(n % 3, [&](App&) {
      const Room room = halls.sockets[n % 3].join("room " + std::to_string(n));
      CHECK(room.refusal() == (n < 5 ? JoinRefusal::none : JoinRefusal::too_many_rooms));
    });
  }
  halls.server.on_worker(2, [&](App& app) {
    CHECK(halls.sockets[2].join("room 0").ok());
    CHECK(app.stats().open_rooms == 5);
  });
  halls.server.on_worker(1, [&](App&) { halls.sockets[1].leave("room 1"); });
  halls.server.on_worker(0, [&](App&) { CHECK(halls.sockets[0].join("another").ok()); });
  // From another worker the join is on its way: refused there, and no entry stays.
  halls.server.on_worker(0, [&](App&) { halls.sockets[2].join("one too many"); });
  CHECK(eventually([&] { return halls.server.on_worker(2, [](App& app) { return app.rooms().size(); }) == 5; }));
  CHECK_FALSE(halls.server.on_worker(2, [&](App&) { return halls.sockets[2].in_room("one too many"); }));
}

TEST_CASE("ws rooms: joins by the million of one connection stay within its limit, and leave nothing") {
  RoomHall hall({.max_rooms = 100, .max_rooms_per_socket = 50});
  hall.add(1);
  hall.act([](App& app, auto& ws) {
    size_t joined = 0;
    for (int i = 0; i < 1'000'000; i++) joined += ws[0].join("room " + std::to_string(i)).ok();
    CHECK(joined == 50);
    CHECK(app.stats().open_rooms == 50);
    for (const std::string& name : ws[0].rooms()) ws[0].leave(name);
    CHECK(app.stats().open_rooms == 0);
  });
}

TEST_CASE("ws rooms: a join that finds no memory is refused for that, and changes nothing") {
  FailingAlloc memory;
  RoomHall hall({.history = 4, .keep_empty = milliseconds(60'000), .max_rooms_per_socket = 100});
  hall.add(1);
  hall.act([](App& app, auto& ws) {
    bool failed = true;
    for (size_t n = 0; failed && n < 100; n++) {
      CAPTURE(n);
      const std::string name = "room " + std::to_string(n);
      FailingAlloc::failures = 0;
      FailingAlloc::left = n;
      const Room room = ws[0].join(name);
      FailingAlloc::left = SIZE_MAX;
      failed = FailingAlloc::failures > 0;
      if (!room.ok()) CHECK(room.refusal() == JoinRefusal::out_of_memory);
      if (!room.ok()) CHECK_FALSE(app.room(name).ok());
      CHECK(ws[0].in_room(name) == room.ok());
    }
    CHECK_FALSE(failed);
  });
}

// Many ------------------------------------------------------------------------------------------------------------------

TEST_CASE("ws rooms: closing a room closes its members on all workers, and the room goes") {
  ThreeHalls halls;
  for (uint32_t worker = 0; worker < 3; worker++) halls.add(worker, "den");
  halls.add(1, "other");
  const Room den = halls.server.on_worker(0, [](App& app) { return app.room("den"); });
  SUBCASE("from a worker") {
    halls.server.on_worker(0, [&](App&) { CHECK(den.close() == SendStatus::ok); });
  }
  SUBCASE("from a thread that is none") { CHECK(den.close() == SendStatus::posted); }
  for (size_t i = 0; i < 3; i++) {
    const WsFrame frame = halls.clients[i].read_message();
    CHECK(frame.close_code() == 1000);
    CHECK(frame.payload.substr(2) == "Room closed");
    halls.clients[i].send_close(1000);
  }
  CHECK(eventually([&] { return halls.server.on_worker(2, [&](App&) { return !den.ok(); }); }));
  CHECK(halls.server.on_worker(2, [&](App&) { return den.close(); }) == SendStatus::closed);
  CHECK(Room().close() == SendStatus::closed);
  halls.sockets[3].send("still there");
  CHECK(halls.clients[3].reads("still there"));
}

TEST_CASE("ws rooms: close handlers that send, join, leave and close while their room is being closed") {
  RoomHall hall;
  hall.on_close = [](WebSocket ws, const CloseInfo&) {
    CHECK(ws.in_room("den"));
    ws.to("den").send("gone");
    CHECK(ws.join("late").refusal() == JoinRefusal::closed);
    ws.leave("den");
    ws.close();
    ws.to({"den", "other"}).send("gone");
  };
  hall.add(4);
  hall.act([](App& app, auto& ws) {
    for (const WebSocket& one : ws) one.join({"den", "other"});
    CHECK(app.room("den").close(CloseCode::policy_violation, "enough") == SendStatus::ok);
    CHECK(app.room("den").size() == 4);  // they leave when they have ended
  });
  for (WsClient& client : hall.clients) {
    CHECK(client.read_close() == 1008);
    client.send_close(1008);
  }
  CHECK(hall.server.wait_for_connections(0));
  CHECK(hall.act([](App& app, auto&) { return app.stats().open_rooms; }) == 0);
}

TEST_CASE("ws rooms: a connection in 20,000 of them, which it leaves in any order") {
  RoomHall hall;
  hall.add(2);
  hall.act([](App& app, auto& ws) {
    std::vector<std::string> names;
    for (int i = 0; i < 20'000; i++) names.push_back("room " + std::to_string(i));
    CHECK(ws[0].join(names) == JoinRefusal::none);
    ws[1].join({"room 5", "room 19999"});
    CHECK(ws[0].rooms().size() == 20'000);
    std::shuffle(names.begin(), names.end(), std::mt19937(3));
    for (size_t i = 0; i < names.size(); i++) {
      REQUIRE(ws[0].in_room(names[i]));
      ws[0].leave(names[i]);
      REQUIRE_FALSE(ws[0].in_room(names[i]));
    }
    CHECK(app.stats().open_rooms == 2);
    CHECK(ws[0].rooms().empty());
    CHECK(ws[0].join("room 5").size() == 2);
  });
}

TEST_CASE("ws rooms: channels wrap what they publish, and go with their subscribers") {
  RoomHall hall;
  hall.add(3);
  hall.act([](App& app, auto& ws) {
    const Channels channels(app);
    CHECK(channels.publish("posts", {{"id", 1}}) == SendStatus::closed);
    CHECK(channels.subscribe("posts", ws[0]).ok());
    CHECK(channels.subscribe("posts", ws[1]).ok());
    CHECK(channels.subscribe("likes", ws[1]).ok());
    ws[1].join("a room");
    CHECK(channels.subscribers("posts") == 2);
    CHECK(channels.publish("posts", {{"id", 1}}) == SendStatus::ok);
    channels.unsubscribe("posts", ws[0]);
    CHECK(channels.publish("posts", "two") == SendStatus::ok);
    channels.cleanup(ws[1]);
    CHECK(ws[1].rooms() == std::vector<std::string>{"a room"});
    CHECK(channels.subscribers("posts") == 0);
    CHECK(channels.publish("posts", 3) == SendStatus::closed);
  });
  const Heard heard = hall.heard();
  REQUIRE(heard[0].size() == 1);
  REQUIRE(heard[1].size() == 2);
  CHECK(heard[1][0] == heard[0][0]);
  const auto update = Json::parse(heard[0][0]);
  REQUIRE(update.ok());
  CHECK(heard[0][0].starts_with(R"({"type":"update","channel":"posts","data":{"id":1},"timestamp":1)"));
  CHECK(update->size() == 4);
  CHECK(heard[1][1].find(R"("data":"two")") != std::string::npos);
}

TEST_CASE("ws rooms: to several rooms of which one has a memory: that one tells and remembers by itself, the others each once") {
  RoomHall hall({}, [](App& app) { app.history("kept", {.messages = 10}); });
  hall.add(3);
  hall.act([](App& app, auto& ws) {
    ws[0].join("kept");
    ws[1].join({"a", "b"});
    CHECK(app.to({"kept", "a", "b", "kept"}).emit("tick", 1) == SendStatus::ok);
    CHECK(app.to({"kept", "nowhere"}).emit("tick", 2) == SendStatus::ok);
    ws[2].join("kept", {.last = 5, .positions = false});
  });
  const auto tick = [](int n) { return R"({"event":"tick","args":[)" + std::to_string(n) + R"(],"room":"kept","offset":)" + std::to_string(n) + "}"; };
  hall.server.turn();
  CHECK(hall.heard() == Heard{{tick(1), tick(2)}, {R"({"event":"tick","args":[1]})"}, {tick(1), tick(2)}});
}

TEST_CASE("ws rooms: a room with a memory that stays while empty still remembers") {
  RoomHall hall({.keep_empty = milliseconds(60'000)}, [](App& app) { app.history("kept", {.messages = 10}); });
  hall.add(2);
  hall.act([](App& app, auto& ws) {
    ws[0].join("kept");
    ws[0].leave("kept");
    CHECK(app.to("kept").send("while nobody is there") == SendStatus::ok);
    CHECK(app.room("kept").send("by its handle") == SendStatus::ok);
  });
  hall.act([](App&, auto& ws) { ws[1].join("kept", {.last = 5, .positions = false}); });
  hall.server.turn();
  CHECK(hall.heard() == Heard{{}, {"while nobody is there", "by its handle"}});
}
