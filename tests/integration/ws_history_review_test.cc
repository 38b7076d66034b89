// Rooms with memory and presence where several things meet: identities that change, different graces, many rooms of one connection.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/gate.h"
#include "support/history_rooms.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/small_buffers.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::test;

namespace {

uint64_t ms_of(const std::function<void()>& act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace

TEST_CASE("presence: who becomes another one is shown as that in all its rooms, and goes from all of them") {
  Presence presence;
  WebSocket one;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      one = ws;
      ws.metadata()["name"] = "ann";
      ws.join("p/1");
      ws.join("p/2");
    });
    presence = app.presence("p/*", [](WebSocket) { return Json(1); }, {.grace = milliseconds(0), .identify = [](WebSocket ws) { return std::string(ws.metadata()["name"].text_or("")); }});
  });
  const auto rooms = [&] {
    std::string all;
    server.on_thread([&](App&) { all = presence.list("p/1").dump() + presence.list("p/2").dump(); });
    return all;
  };
  {
    WsClient client(server.port());
    CHECK(eventually([&] { return rooms() == R"({"ann":1}{"ann":1})"; }));
    server.on_thread([&](App&) {
      one.metadata()["name"] = "bob";
      presence.update(one);
    });
    CHECK(eventually([&] { return rooms() == R"({"bob":1}{"bob":1})"; }));
    CHECK(client.close_nicely());
  }
  CHECK(server.wait_for_connections(0));
  CHECK(rooms() == "{}{}");
}

TEST_CASE("presence: a short grace is over in time although a long one began before") {
  Presence quick;
  TestServer server([&](App& app) {
    app.ws("/", [](WebSocket ws) {
      ws.join("slow");
      ws.join("quick");
      ws.on("leave", [](WebSocket from) {
        from.leave("slow");
        from.leave("quick");
      });
    });
    app.presence("slow", [](WebSocket) { return Json(1); }, {.grace = std::chrono::minutes(10)});
    quick = app.presence("quick", [](WebSocket) { return Json(1); }, {.grace = milliseconds(20)});
  });
  WsClient client(server.port());
  const auto there = [&] {
    size_t count = 0;
    server.on_thread([&](App&) { count = quick.size(); });
    return count;
  };
  CHECK(eventually([&] { return there() == 1; }));
  CHECK(client.send_text(R"({"event":"leave","args":[]})"));
  CHECK(eventually([&] { return there() == 0; }));
}

TEST_CASE("presence: a function that asks to be asked again does not hold the worker") {
  Presence presence;
  TestServer server([&](App& app) {
    app.ws("/", {.open = [](WebSocket ws, Request&) { ws.join("p"); }, .message = [](WebSocket ws, const Message& m) { ws.send(m); }});
    presence = app.presence("p", [&](WebSocket ws) {
      presence.update(ws);
      return Json(1);
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text("still here"));
  std::string read = client.read_frame().payload;
  for (int i = 0; i < 3 && read.find("presence:") != std::string::npos; i++) read = client.read_frame().payload;
  CHECK(read == "still here");
}

TEST_CASE("history: who joins in a step is told at once when it is let in") {
  TestServer server([](App& app) {
    app.history("room", {});
    app.ws_use([](WebSocket ws, Request&, Next next) {
      ws.join("room", {.last = 1});
      ws.after(milliseconds(200), [next](WebSocket) mutable { next(); });
    });
    app.ws("/", {.message = [](WebSocket ws, const Message& m) { obey_history(ws, m.text()); }});
  });
  const uint64_t took = ms_of([&] {
    WsClient client(server.port());
    CHECK(client.read_frame().payload.find("room:joined") != std::string::npos);
  });
  CHECK(took < 2'000);
}

TEST_CASE("history and presence: a connection in very many rooms comes, stands still, goes on and leaves without holding up the others") {
  constexpr int kRooms = 20'000;
  SmallSendBuffers buffers(8 << 10);
  WebSocket many[2];
  int opened = 0;
  TestServer server([&](App& app) {
    app.history("m/*", {.messages = 1});
    app.presence("m/*", [](WebSocket) { return Json(1); });
    app.ws("/", {.open = [&](WebSocket ws, Request&) { many[opened++] = ws; },
                 .message = [](WebSocket ws, const Message&) { ws.send(pattern(512 << 10)); },
                 .options = {.max_unsent_bytes = 64 << 20}});
  });
  {
    WsClient a(server.port()), b(server.port());
    wait_a_turn(server);
    REQUIRE(opened == 2);
    uint64_t longest = 0;
    const auto on_thread = [&](const char* what, auto&& act) {
      const uint64_t took = ms_of([&] {
        server.on_thread([&](App&) { act(); });
        wait_a_turn(server);
        wait_a_turn(server);
      });
      MESSAGE(what << ": " << took << " ms");
      longest = std::max(longest, took);
    };
    for (WebSocket ws : many) {
      on_thread("join", [&] {
        for (int i = 0; i < kRooms; i++) ws.join("m/" + std::to_string(i));
      });
    }
    for (WebSocket ws : many) {
      on_thread("stall", [&] { ws.send(pattern(8 << 20)); });
    }
    for (WebSocket ws : many) {
      on_thread("leave", [&] { ws.abort(); });
    }
    CHECK(longest < 2'000);
  }
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("history: what a thread sends to a member after it sent to the room comes after it, on all workers and from outside") {
  constexpr int kTimes = 300;
  std::mutex mutex;
  std::map<uint32_t, WebSocket> sockets;
  Room room;
  std::vector<Shared> shared;
  MultiServer server(3, [&](App& app, uint32_t worker) {
    {
      const std::lock_guard lock(mutex);
      shared.push_back(app.shared("r"));
    }
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                  .message = [&, worker](WebSocket from, const Message& m) {
                    if (m.text() == "join") {
                      const std::lock_guard lock(mutex);
                      sockets[worker] = from;
                      room = from.join("r");
                      from.send("joined");
                      return;
                    }
                    for (int i = 0; i < kTimes; i++) {
                      shared[0].send("told", "room");
                      for (const auto& [at, ws] : sockets) ws.send("direct");
                    }
                  }});
  });
  std::vector<WsClient> clients;
  for (uint32_t worker = 0; worker < 3; worker++) {
    clients.push_back(server.client_of(worker, "/w"));
    CHECK(clients.back().send_text("join"));
    CHECK(clients.back().reads("joined"));
  }
  const auto is_in_order = [&](WsClient& client, int senders) {
    int of_room = 0, direct = 0;
    bool good = true;
    while (direct < senders * kTimes || of_room < senders * kTimes) {
      const std::string text = client.read_frame().payload;
      if (text.empty()) return false;
      text == "direct" ? direct++ : of_room++;
      good = good && (senders > 1 || of_room >= direct);
    }
    return good;
  };
  SUBCASE("by the room, from outside") {
    for (int i = 0; i < kTimes; i++) {
      CHECK(room.send("room") != SendStatus::dropped);
      for (const auto& [at, ws] : sockets) ws.send("direct");
    }
    for (WsClient& client : clients) CHECK(is_in_order(client, 1));
  }
  SUBCASE("by Shared, from outside") {
    for (int i = 0; i < kTimes; i++) {
      CHECK(shared[1].send("told", "room") == SendStatus::ok);
      for (const auto& [at, ws] : sockets) ws.send("direct");
    }
    for (WsClient& client : clients) CHECK(is_in_order(client, 1));
  }
  SUBCASE("by Shared, on a worker") {
    CHECK(clients[1].send_text("go"));
    for (WsClient& client : clients) CHECK(is_in_order(client, 1));
  }
  clients.clear();
  server.stop();
}

TEST_CASE("history: what a thread that is no worker's sends to several rooms and then to one of them keeps its order while a worker stands still") {
  App* some = nullptr;
  Gate gate;
  MultiServer server(3, [&](App& app, uint32_t worker) {
    if (worker == 0) some = &app;
    app.history("*", {.messages = 100});
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                  .message = [&](WebSocket ws, const Message& m) {
                    if (m.text() == "stand still") return gate.wait();
                    ws.join("b");
                    ws.send("joined");
                  }});
  });
  const struct Opening {
    Gate& gate;
    ~Opening() { gate.open(); }
  } at_the_end{gate};
  std::vector<WsClient> clients;
  for (uint32_t worker = 0; worker < 3; worker++) {
    clients.push_back(server.client_of(worker, "/w"));
    CHECK(clients.back().send_text("join"));
    CHECK(clients.back().reads("joined"));
  }
  CHECK(clients[0].send_text("stand still"));
  REQUIRE(gate.wait_for_one());
  std::vector<std::string> sent;
  for (int i = 0; i < 100; i += 2) {
    sent.push_back("all " + std::to_string(i));
    CHECK(some->to({"a", "b", "c"}).send(sent.back()) == SendStatus::posted);
    sent.push_back("one " + std::to_string(i));
    CHECK(some->to("b").send(sent.back()) == SendStatus::posted);
  }
  for (size_t worker = 1; worker < 3; worker++) {
    for (const std::string& text : sent) REQUIRE(clients[worker].reads(text));
  }
  gate.open();
  for (const std::string& text : sent) REQUIRE(clients[0].reads(text));
  clients.clear();
  server.stop();
}
