// Rooms and audiences over real sockets: who gets a message, in which order, and what happens to rooms whose members
// come, go, read slowly, or have names nobody would choose. The order of everything is held against a model.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// A server on whose connections a test acts by number, on the server's thread.
struct Hall {
  std::vector<WebSocket> sockets = {};
  WsEvents events = {};
  TestServer server;
  std::vector<WsClient> clients = {};

  explicit Hall(int count, WsOptions options = {}) : server([&](App& app) { set_up(app, std::move(options)); }) {
    for (int i = 0; i < count; i++) add();
  }
  void set_up(App& app, const WsOptions& options) {
    app.rooms_options({.max_name_bytes = 4 << 20});
    WsHandlers handlers = events.handlers(options);
    handlers.open = [this](WebSocket ws, Request&) {
      sockets.push_back(ws);
      ws.send("ready");
    };
    WsHandlers others = events.handlers(options);
    others.open = [this](WebSocket ws, Request&) {
      sockets.push_back(ws);
      ws.send("ready");
    };
    app.ws("/hall", std::move(handlers));
    app.ws("/other", std::move(others));
  }
  void add(std::string_view target = "/hall", const ConnectOptions& options = {}) {
    clients.emplace_back(server.port(), target, "", options);
    REQUIRE(clients.back().reads("ready"));
  }
  template <typename F>
  auto act(F fn) {
    return server.on_thread([&](App& app) { return fn(app, sockets); });
  }
  // What every client has been sent since the last time.
  std::vector<std::vector<std::string>> heard() {
    act([](App&, auto& ws) {
      for (const WebSocket& one : ws) one.send("end");
    });
    std::vector<std::vector<std::string>> all(clients.size());
    for (size_t i = 0; i < clients.size(); i++) {
      for (WsFrame frame = clients[i].read_frame(); frame.ok() && frame.payload != "end"; frame = clients[i].read_frame()) {
        all[i].push_back(frame.payload);
      }
    }
    return all;
  }
};

using Heard = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("rooms: to() leaves the sender out, Room::send does not, except() leaves out more") {
  Hall hall(4);
  hall.act([](App& app, auto& ws) {
    for (const WebSocket& one : ws) CHECK(one.join("den").ok());
    const Room den = app.room("den");
    CHECK(ws[0].to("den").send("from 0") == SendStatus::ok);
    CHECK(ws[1].to(den).send("from 1") == SendStatus::ok);
    CHECK(den.send("to all") == SendStatus::ok);
    CHECK(app.to(den).except(ws[2]).send("not to 2") == SendStatus::ok);
    CHECK(ws[0].to("den").except(ws[1]).except(ws[3]).send("only to 2") == SendStatus::ok);
    CHECK(app.to("den").send("app") == SendStatus::ok);
  });
  CHECK(hall.heard() == Heard{{"from 1", "to all", "not to 2", "app"},
                              {"from 0", "to all", "not to 2", "app"},
                              {"from 0", "from 1", "to all", "only to 2", "app"},
                              {"from 0", "from 1", "to all", "not to 2", "app"}});
}

TEST_CASE("rooms: except() takes any number, by handle, by id and as lists, however often the same") {
  constexpr size_t kCount = 24;
  Hall hall(kCount);
  Heard wanted(kCount);
  const auto to_others = [&](size_t left_out, const std::string& text) {
    for (size_t i = left_out; i < kCount; i++) wanted[i].push_back(text);
  };
  hall.act([&](App& app, auto& ws) {
    for (const WebSocket& one : ws) one.join("den");
    for (const size_t n : {0u, 1u, 7u, 8u, 9u, 15u, 16u, 17u, 23u}) {
      const std::string text = std::to_string(n);
      Audience one_by_one = app.to("den");
      Audience twice = app.to_route("/hall");
      std::vector<std::string> ids;
      for (size_t i = 0; i < n; i++) {
        one_by_one.except(ws[i]);
        twice.except(ws[i]).except(ws[n - 1 - i]);
        ids.push_back(ws[i].id());
      }
      CHECK(one_by_one.send(text) == SendStatus::ok);
      CHECK(twice.send(text) == SendStatus::ok);
      CHECK(app.everybody().except(std::vector<WebSocket>(ws.begin(), ws.begin() + static_cast<long>(n))).send(text) == SendStatus::ok);
      CHECK(app.to("den").except(ids).except("ws_nobody").except(WebSocket()).send(text) == SendStatus::ok);
      for (int i = 0; i < 4; i++) to_others(n, text);
    }
    CHECK(app.to("den").except({ws[0], ws[1]}).except(ws[2].id()).send("few") == SendStatus::ok);
    to_others(3, "few");
    // All of them, and all of them twice: nobody is left.
    CHECK(app.to("den").except(ws).send("nobody") == SendStatus::closed);
    CHECK(app.to("den").except(ws).except(ws).send("nobody") == SendStatus::closed);
    // As many as there are, but not all of them.
    std::vector<WebSocket> most(ws.begin(), ws.end() - 1);
    most.push_back(ws[0]);
    CHECK(app.to("den").except(most).send("the last") == SendStatus::ok);
    to_others(kCount - 1, "the last");
    // Copies and what was moved keep their own list.
    Audience all = app.to("den");
    for (size_t i = 0; i < 10; i++) all.except(ws[i]);
    Audience copy = all;
    copy.except(ws[10]);
    CHECK(all.send("not ten") == SendStatus::ok);
    CHECK(copy.send("not eleven") == SendStatus::ok);
    all = std::move(copy);
    CHECK(copy.send("to nobody") == SendStatus::closed);  // it has given its list away
    CHECK(all.send("not eleven") == SendStatus::ok);
    for (size_t i = 0; i < 11; i++) copy.except(ws[i]);
    copy.except(ws[11]);
    all = app.to("den").except(ws[0]);
    CHECK(all.send("not one") == SendStatus::ok);
    to_others(10, "not ten");
    to_others(11, "not eleven");
    to_others(11, "not eleven");
    to_others(1, "not one");
  });
  CHECK(hall.heard() == wanted);
}

TEST_CASE("rooms: where memory is out for who is left out, nobody is sent anything") {
  Hall hall(20);
  hall.act([](App& app, auto& ws) {
    for (const WebSocket& one : ws) one.join("den");
    app.to("den").send("warm");
  });
  size_t failures = 0;
  size_t sent = 0;
  for (size_t n = 0; n < 8; n++) {
    CAPTURE(n);
    hall.act([&](App& app, auto& ws) {
      FailingAlloc memory(n);
      Audience most = app.to("den");
      for (size_t i = 0; i < 19; i++) most.except(ws[i]);
      const Audience copy = most;
      const SendStatus first = most.send("for the last");
      const SendStatus second = copy.send("for the last");
      CHECK((first == SendStatus::ok || first == SendStatus::dropped));
      CHECK((second == SendStatus::ok || second == SendStatus::dropped));
      failures += FailingAlloc::failures;
      sent += (first == SendStatus::ok) + (second == SendStatus::ok);
      FailingAlloc::left = SIZE_MAX;
    });
  }
  CHECK(failures >= 4);
  CHECK(sent >= 4);
  const Heard heard = hall.heard();
  for (size_t i = 0; i < 19; i++) CHECK(heard[i] == std::vector<std::string>{"warm"});
  CHECK(heard[19].size() == 1 + sent);
}

TEST_CASE("rooms: many are left out on two workers, from a worker and from a thread that is none") {
  std::mutex mutex;
  std::vector<WebSocket> sockets;
  MultiServer server(2, [&](App& app, uint32_t worker) {
    app.ws("/w", {.open = [&, worker](WebSocket ws, Request&) {
      ws.join("den");
      const std::lock_guard lock(mutex);
      sockets.push_back(ws);
      MultiServer::tell(ws, worker);
    }});
  });
  std::vector<WsClient> clients;  // in the order of their sockets
  for (size_t i = 0; i < 24; i++) {
    clients.emplace_back(server.port(), "/w");
    REQUIRE(clients.back().open());
    REQUIRE(clients.back().read_frame().ok());
  }
  REQUIRE(eventually([&] {
    return server.on_worker(0, [](App& app) { return app.room("den").size(); }) == clients.size();
  }));
  const auto publish = [&](App& app, size_t first, size_t last, const std::string& text) {
    return app.to("den").except(std::span<const WebSocket>(sockets).subspan(first, last - first)).send(text);
  };
  for (const auto& out : {std::pair<size_t, size_t>{0, 0}, {0, 20}, {3, 24}, {5, 14}}) {
    const size_t first = out.first;
    const size_t last = out.second;
    const std::string text = std::to_string(first) + " to " + std::to_string(last);
    for (uint32_t worker = 0; worker < 2; worker++) {
      CHECK(server.on_worker(worker, [&](App& app) { return publish(app, first, last, text); }) == SendStatus::ok);
    }
    Audience audience = server.on_worker(0, [](App& app) { return app.to("den"); });
    audience.except(std::span<const WebSocket>(sockets).subspan(first, last - first));
    CHECK(audience.send(text) == SendStatus::posted);
    for (size_t i = 0; i < clients.size(); i++) {
      if (i >= first && i < last) continue;
      for (int n = 0; n < 3; n++) REQUIRE(clients[i].reads(text));
    }
  }
  for (const WebSocket& ws : sockets) ws.send("end");
  for (WsClient& client : clients) CHECK(client.reads("end"));
}

TEST_CASE("rooms: whoever sends need not be a member") {
  Hall hall(3);
  hall.act([](App&, auto& ws) {
    const Room room = ws[1].join("den");
    ws[2].join("den");
    CHECK(ws[0].to(room).send("hello from outside") == SendStatus::ok);
  });
  CHECK(hall.heard() == Heard{{}, {"hello from outside"}, {"hello from outside"}});
}

TEST_CASE("rooms: routes, everybody, and broadcast") {
  Hall hall(2);
  hall.add("/other");
  hall.act([](App& app, auto& ws) {
    CHECK(app.to_route("/hall").send("hall") == SendStatus::ok);
    CHECK(app.to_route("/other").except(ws[2]).send("nobody") == SendStatus::closed);
    CHECK(app.to_route("/nowhere").send("nobody") == SendStatus::closed);
    CHECK(app.everybody().except(ws[0]).send("most") == SendStatus::ok);
    CHECK(app.broadcast("all") == SendStatus::ok);
    CHECK(ws[0].broadcast("others") == SendStatus::ok);
    CHECK(ws[0].to_route("/hall").send("mates") == SendStatus::ok);
    CHECK(ws[2].to_route("/hall").except(ws[1]).send("of another") == SendStatus::ok);
    CHECK(ws[2].to_route("/other").send("alone") == SendStatus::closed);
    CHECK(ws[2].to_route("/nowhere").send("nobody") == SendStatus::closed);
    CHECK(WebSocket().to_route("/hall").send("from nobody") == SendStatus::closed);
    CHECK(ws[1].broadcast(std::as_bytes(std::span("bytes", 5))) == SendStatus::ok);
  });
  CHECK(hall.heard() == Heard{{"hall", "all", "of another", "bytes"},
                              {"hall", "most", "all", "others", "mates"},
                              {"most", "all", "others", "bytes"}});
}

TEST_CASE("rooms: send answers closed when there is no receiver") {
  Hall hall(2);
  hall.act([](App& app, auto& ws) {
    CHECK(app.to("nothing").send("x") == SendStatus::closed);
    CHECK(ws[0].to("nothing").send("x") == SendStatus::closed);
    CHECK(Room().send("x") == SendStatus::closed);
    CHECK(app.to(Room()).send("x") == SendStatus::closed);
    const Room alone = ws[0].join("alone");
    CHECK(ws[0].to(alone).send("to nobody") == SendStatus::closed);
    CHECK(ws[0].to("alone").send("to nobody") == SendStatus::closed);
    CHECK(alone.send("to myself") == SendStatus::ok);
    CHECK(ws[1].to(alone).except(ws[0]).send("to nobody") == SendStatus::closed);
    CHECK(ws[1].to(alone).except(ws[1]).send("to 0") == SendStatus::ok);
    CHECK(WebSocket().to(alone).send("to 0") == SendStatus::ok);
    CHECK(app.everybody().except(ws[0]).except(ws[1]).send("to nobody") == SendStatus::closed);
    CHECK(WebSocket().broadcast("x") == SendStatus::closed);
    CHECK(WebSocket().to("alone").send("x") == SendStatus::closed);
  });
  CHECK(hall.heard() == Heard{{"to myself", "to 0", "to 0"}, {}});
}

TEST_CASE("rooms: size, name, in_room, and a handle that has gone stale") {
  Hall hall(2);
  hall.act([](App& app, auto& ws) {
    CHECK_FALSE(Room().ok());
    CHECK(Room().size() == 0);
    CHECK(Room().name().empty());
    const Room first = ws[0].join("den");
    CHECK(first.ok());
    CHECK(first == ws[0].join("den"));  // entering twice is the same as once
    CHECK(first.size() == 1);
    CHECK(first == ws[1].join("den"));
    CHECK(first.size() == 2);
    CHECK(first.name() == "den");
    CHECK(app.room("den") == first);
    CHECK(ws[0].in_room("den"));
    CHECK_FALSE(ws[0].in_room("de"));
    CHECK(app.stats().open_rooms == 1);
    ws[0].leave("den");
    ws[0].leave("den");
    ws[0].leave("never joined");
    CHECK(first.size() == 1);
    CHECK_FALSE(ws[0].in_room("den"));
    ws[1].leave(first);
    CHECK_FALSE(first.ok());
    CHECK(first.size() == 0);
    CHECK(first.name().empty());
    CHECK(first.send("x") == SendStatus::closed);
    CHECK_FALSE(app.room("den").ok());
    CHECK(app.stats().open_rooms == 0);
    const Room again = ws[0].join("den");
    CHECK(again != first);
    CHECK_FALSE(first.ok());
    CHECK(ws[1].to(first).send("stale") == SendStatus::closed);
    ws[0].leave(first);  // of another room by now
    CHECK(again.size() == 1);
    CHECK_FALSE(WebSocket().join("den").ok());
  });
  CHECK(hall.heard() == Heard{{}, {}});
}

TEST_CASE("rooms: who leaves gets what was sent before, who joins gets what is sent after") {
  Hall hall(3);
  hall.act([](App&, auto& ws) {
    const Room den = ws[0].join("den");
    ws[1].join("den");
    den.send("1");
    ws[2].join("den");
    den.send("2");
    ws[1].leave("den");
    den.send("3");
    ws[1].join("den");
    den.send("4");
    ws[0].leave(den);
    ws[1].leave(den);
    den.send("5");
    ws[2].leave(den);
    ws[2].join("den").send("6");  // a new room of the same name, in the same turn
  });
  CHECK(hall.heard() == Heard{{"1", "2", "3", "4"}, {"1", "2", "4"}, {"2", "3", "4", "5", "6"}});
}

TEST_CASE("rooms: a member of two rooms gets a message once per room, in the order of sending") {
  Hall hall(3);
  hall.act([](App& app, auto& ws) {
    ws[0].join("a");
    ws[0].join("b");
    ws[1].join("a");
    ws[2].join("b");
    for (int i = 0; i < 300; i++) {
      app.to(i % 3 ? "a" : "b").send(std::to_string(i));
      if (i % 50 == 0) ws[0].send("direct");
    }
  });
  Heard expected(3);
  for (int i = 0; i < 300; i++) {
    expected[0].push_back(std::to_string(i));
    expected[i % 3 ? 1 : 2].push_back(std::to_string(i));
    if (i % 50 == 0) expected[0].push_back("direct");
  }
  CHECK(hall.heard() == expected);
}

namespace {

// The model: what every client should hear, step by step, beside what the server is told to do.
struct Model {
  std::mt19937 source;
  size_t clients;
  std::map<std::string, std::set<size_t>> rooms = {};
  Heard expected = Heard(clients);
  int number = 0;

  size_t below(size_t n) { return source() % n; }
  std::string text() {
    std::string out = std::to_string(number++) + ":";
    const size_t size = below(20) == 0 ? 60'000 + below(60'000) : below(4) == 0 ? below(3000) : below(40);
    return out + pattern(size, static_cast<uint32_t>(number));
  }
  void hear(size_t who, const std::string& what) { expected[who].push_back(what); }

  using Sockets = std::vector<WebSocket>;
  void step(App& app, const Sockets& ws) {
    const size_t who = below(clients);
    const size_t other = below(clients);
    const std::string name(1, static_cast<char>('a' + below(5)));
    switch (below(12)) {
      case 0: case 1: return ws[who].join(name), void(rooms[name].insert(who));
      case 2: return ws[who].leave(name), void(rooms[name].erase(who));
      case 3: case 4: return direct(ws, who);
      case 5: case 6: return to_room(ws[who].to(name), name, {who});
      case 7: return to_room(app.to(name).except(ws[other]), name, {other});
      case 8: return to_room(ws[who].to(app.room(name)).except(ws[other]), name, {who, other});
      case 9: return to_all(app.everybody().except(ws[who]), who);
      case 10: return broadcast(ws, who);
      case 11: return mixed(app, ws, who, name);
    }
  }
  void direct(const Sockets& ws, size_t who) {
    const std::string t = text();
    ws[who].send(t);
    hear(who, t);
  }
  void to_room(const Audience& audience, const std::string& name, const std::set<size_t>& except) {
    const std::string t = text();
    audience.send(t);
    for (const size_t member : rooms[name]) {
      if (!except.contains(member)) hear(member, t);
    }
  }
  void to_all(const Audience& audience, size_t except) {
    const std::string t = text();
    audience.send(t);
    for (size_t i = 0; i < clients; i++) {
      if (i != except) hear(i, t);
    }
  }
  void broadcast(const Sockets& ws, size_t who) {
    const std::string t = text();
    ws[who].broadcast(t);
    for (size_t i = 0; i < clients; i++) {
      if (i != who) hear(i, t);
    }
  }
  void mixed(App& app, const Sockets& ws, size_t who, const std::string& name) {
    direct(ws, who);
    to_room(app.to(name), name, {});
    const SharedFrame frame = SharedFrame::text(text());
    const std::string t(reinterpret_cast<const char*>(frame.payload().data()), frame.payload().size());
    ws[who].send(frame);
    hear(who, t);
    if (app.room(name).send(frame) == SendStatus::ok) {
      for (const size_t member : rooms[name]) hear(member, t);
    }
  }
};

}  // namespace

TEST_CASE("rooms: direct and room sends arrive in the order in which they were made, whoever they go to") {
  WsOptions roomy;
  roomy.max_unsent_bytes = 256_MiB;
  for (const uint32_t seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    Hall hall(8, roomy);
    Model model{std::mt19937(seed), 8};
    for (int round = 0; round < 12; round++) {
      hall.act([&](App& app, auto& ws) {
        for (int i = 0; i < 60; i++) model.step(app, ws);
      });
      const Heard heard = hall.heard();
      for (size_t i = 0; i < heard.size(); i++) CHECK(heard[i] == model.expected[i]);
      model.expected.assign(8, {});
    }
  }
}

TEST_CASE("rooms: the same from inside a handler, whose own output is corked") {
  Model model{std::mt19937(4), 5};
  std::mutex mutex;
  std::vector<WebSocket> sockets;
  WsOptions roomy;
  roomy.max_unsent_bytes = 256_MiB;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      sockets.push_back(ws);
      ws.on_message([&](WebSocket from, const Message& msg) {
        const std::lock_guard lock(mutex);
        if (msg.text() == "end") return void(from.send("end"));
        for (int i = 0; i < 30; i++) model.step(app, sockets);
        from.send(msg);
        model.hear(static_cast<size_t>(std::find(sockets.begin(), sockets.end(), from) - sockets.begin()),
                   std::string(msg.text()));
      });
      ws.send("ready");
    }, roomy);
  });
  std::vector<WsClient> clients;
  for (int i = 0; i < 5; i++) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().reads("ready"));
  }
  for (uint32_t round = 0; round < 20; round++) {
    std::string bytes;
    for (uint32_t i = 0; i < 4; i++) bytes += ws_frame(kText, pattern(i * 300, round));
    REQUIRE(clients[round % 5].send(bytes));
    wait_a_turn(server);
  }
  wait_a_turn(server);
  for (size_t i = 0; i < clients.size(); i++) {
    REQUIRE(clients[i].send_text("end"));
    std::vector<std::string> heard;
    for (WsFrame frame = clients[i].read_frame(); frame.ok() && frame.payload != "end"; frame = clients[i].read_frame()) {
      heard.push_back(frame.payload);
    }
    const std::lock_guard lock(mutex);
    CHECK(heard == model.expected[i]);
  }
}

TEST_CASE("rooms: a close handler still sends to its rooms, then the connection has left them") {
  WsEvents events;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      const Room room = ws.join("den");
      ws.on_close([room, &events](WebSocket gone, const CloseInfo& why) {
        events.add_close(gone, why);
        CHECK(gone.in_room("den"));
        gone.to(room).send("someone left");
        gone.to("den").send("by name");
        room.send("by room");
      });
      ws.send("ready");
    });
  });
  std::vector<WsClient> clients;
  for (int i = 0; i < 3; i++) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().reads("ready"));
  }
  for (size_t left = 2; left > 0; left--) {
    clients[left].tcp.close();
    for (size_t i = 0; i < left; i++) {
      CHECK(clients[i].reads("someone left"));
      CHECK(clients[i].reads("by name"));
      CHECK(clients[i].reads("by room"));
    }
    CHECK(server.on_thread([](App& app) { return app.room("den").size(); }) == left);
  }
  clients[0].tcp.close();
  CHECK(server.wait_for_stats([](const Stats& s) { return s.open_rooms == 0; }));
  CHECK(events.closes().size() == 3);
}

TEST_CASE("rooms: all members go at once, each telling the others") {
  for (const bool stop_server : {false, true}) {
    std::atomic<int> closed{0};
    TestServer server([&](App& app) {
      app.ws("/:room", [&](WebSocket ws, Request& req) {
        const Room room = ws.join(req.param("room"));
        ws.join("lobby");
        ws.on_message([](WebSocket, const Message&) {});
        ws.on_close([room, &app, &closed](WebSocket gone, const CloseInfo&) {
          gone.to(room).send("bye");
          gone.to("lobby").send("bye all");
          app.everybody().send("gone");
          gone.leave("lobby");
          gone.to("lobby").send("bye again");
          closed++;
        });
        ws.send("ready");
      });
    });
    std::vector<WsClient> clients;
    for (int i = 0; i < 30; i++) {
      clients.emplace_back(server.port(), "/" + std::to_string(i % 7));
      REQUIRE(clients.back().reads("ready"));
    }
    if (stop_server) {
      server.app().close();
      CHECK(server.wait_until_over() == 0);
    } else {
      server.on_thread([](App& app) { app.everybody().send("x"); });
      for (WsClient& client : clients) client.tcp.reset();
      CHECK(server.wait_for_connections(0));
      CHECK(server.stats().open_rooms == 0);
    }
    CHECK(closed.load() == 30);
  }
}

TEST_CASE("rooms: names of any kind are names") {
  Hall hall(2);
  std::vector<std::string> names = {"", " ", "*", ":id", std::string(10'240, 'n'), std::string(10'239, 'n'),
                                    std::string(1, '\0'), std::string(2, '\0'), std::string("a\0b", 3), "a",
                                    std::string("\xFF\xFE\x80", 3), "A"};
  for (int i = 0; i < 50; i++) names.push_back(std::string(static_cast<size_t>(i) + 100, 'p'));
  hall.act([&](App& app, auto& ws) {
    for (const std::string& name : names) {
      const Room room = ws[0].join(name);
      CHECK(room.ok());
      CHECK(room.name() == name);
      CHECK(room.size() == 1);
    }
    CHECK(app.stats().open_rooms == names.size());
    for (const std::string& name : names) app.to(name).send("to " + name);
    for (const std::string& name : names) ws[0].leave(name);
    CHECK(app.stats().open_rooms == 0);
  });
  std::vector<std::string> expected;
  for (const std::string& name : names) expected.push_back("to " + name);
  CHECK(hall.heard() == Heard{expected, {}});
}

TEST_CASE("rooms: 10,000 of them, of one connection and of many, and all vanish") {
  Hall hall(10);
  hall.act([](App& app, auto& ws) {
    for (int i = 0; i < 10'000; i++) ws[static_cast<size_t>(i % 9)].join("room " + std::to_string(i));
    for (int i = 0; i < 10'000; i++) ws[9].join("room " + std::to_string(i));
    CHECK(app.stats().open_rooms == 10'000);
    for (int i = 0; i < 10'000; i += 100) ws[9].to("room " + std::to_string(i)).send(std::to_string(i));
    for (int i = 0; i < 10'000; i += 3) ws[9].leave("room " + std::to_string(i));
    for (int i = 0; i < 10'000; i++) {
      REQUIRE(app.room("room " + std::to_string(i)).size() == (i % 3 ? 2 : 1));
    }
  });
  Heard expected(10);
  for (int i = 0; i < 10'000; i += 100) expected[static_cast<size_t>(i % 9)].push_back(std::to_string(i));
  CHECK(hall.heard() == expected);
  for (WsClient& client : hall.clients) client.tcp.close();
  CHECK(hall.server.wait_for_connections(0));
  CHECK(hall.server.stats().open_rooms == 0);
}

TEST_CASE("rooms: a slow member costs the others nothing, and is treated by its limit alone") {
  for (const SlowConsumerPolicy policy : {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest}) {
    WsOptions options;
    options.slow_consumer = policy;
    Hall hall(4, options);
    hall.add("/hall", {.receive_buffer_bytes = 4096});
    hall.act([](App&, auto& ws) {
      for (const WebSocket& one : ws) one.join("den");
    });
    constexpr uint32_t kMessages = 1500;
    std::atomic<uint32_t> good{0};
    std::vector<Thread> readers;
    for (size_t i = 0; i < 4; i++) {
      readers.emplace_back([&, i] {
        for (uint32_t n = 0; n < kMessages && hall.clients[i].read_frame().is(kText, pattern(8000, n)); n++) good++;
      });
    }
    for (uint32_t n = 0; n < kMessages; n++) {
      hall.act([&](App& app, auto&) { CHECK(app.to("den").send(pattern(8000, n)) == SendStatus::ok); });
      // Not faster than the fast ones read.
      if (n % 20 == 0) eventually([&] { return good.load() + 4 * 40 >= 4 * n; });
    }
    for (Thread& reader : readers) reader.join();
    CHECK(good.load() == 4 * kMessages);
    const Stats stats = hall.server.stats();
    CHECK(stats.slow_consumers == (policy == SlowConsumerPolicy::close ? 1 : 0));
    CHECK(stats.messages_dropped > 0);
  }
}
