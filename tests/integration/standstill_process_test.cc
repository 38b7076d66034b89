// A server process that is stopped for a while, or whose handler blocks: everybody who was there is there afterwards,
// whether their bytes came meanwhile or they stood still together with the server. Who says nothing is still given up.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <poll.h>
#include <signal.h>

#include <string>
#include <thread>
#include <vector>

#include "support/server_process.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr int kClients = 200;
constexpr milliseconds kInterval{800};
constexpr milliseconds kTimeout{2000};
constexpr milliseconds kBlocked{3000};
constexpr milliseconds kStopped{6000};

void set_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("up"); });
  app.get("/block", [](Request&, Response& res) {
    std::this_thread::sleep_for(kBlocked);
    res.send("at last");
  });
  app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
               .options = {.heartbeat_interval = kInterval, .heartbeat_timeout = kTimeout}});
}

// Clients that answer pings while they are told to.
struct Crowd {
  std::vector<WsClient> clients;
  int ended = 0;

  explicit Crowd(uint16_t port) {
    for (int i = 0; i < kClients; i++) clients.emplace_back(port);
    for (const WsClient& client : clients) REQUIRE(client.open());
  }

  void answer_for(milliseconds how_long) {
    std::vector<pollfd> waits;
    for (const WsClient& client : clients) {
      waits.push_back({client.tcp.end() == Client::End::open ? client.tcp.fd() : -1, POLLIN, 0});
    }
    const auto until = Clock::now() + how_long;
    while (Clock::now() < until) {
      ::poll(waits.data(), waits.size(), ms_until(until));
      for (size_t i = 0; i < clients.size(); i++) {
        if (!(waits[i].revents & (POLLIN | POLLHUP))) continue;
        answer(clients[i]);
        if (clients[i].tcp.end() != Client::End::open && waits[i].fd >= 0) ended++, waits[i].fd = -1;
      }
    }
  }
  static void answer(WsClient& client) {
    for (;;) {
      const WsFrame frame = client.read_frame(milliseconds(0));
      if (!frame.ok()) return;
      if (frame.opcode == kPing) client.send(ws_frame(kPong, frame.payload));
    }
  }
  int alive() {
    int count = 0;
    for (WsClient& client : clients) count += client.echoes("still here");
    return count;
  }
};

// Heartbeats are over before: the loop has its rhythm.
constexpr milliseconds kBefore{1000};
constexpr milliseconds kAfter{2500};

}  // namespace

TEST_CASE("standstill: a process that was stopped still has all its WebSockets, and ends who says nothing") {
  for (const bool together : {false, true}) {
    CAPTURE(together);  // the clients stood still, too
    ServerProcess server(set_up, {.app = {.keep_alive_timeout = milliseconds(1200)}});
    REQUIRE(server.port() != 0);
    Crowd crowd(server.port());
    crowd.answer_for(kBefore);
    WsClient silent(server.port());
    Client idle(server.port());
    REQUIRE(silent.echoes("my last word"));
    REQUIRE(idle.get("/").body == "up");
    server.signal(SIGSTOP);
    if (together) {
      std::this_thread::sleep_for(kStopped / 2);
    } else {
      crowd.answer_for(kStopped);
    }
    server.signal(SIGCONT);
    CHECK(idle.get("/").body == "up");
    crowd.answer_for(kAfter);
    CHECK(crowd.ended == 0);
    CHECK(crowd.alive() == kClients);
    CHECK(silent.tcp.read_to_end());
    CHECK(idle.closed_by_peer());
  }
}

TEST_CASE("standstill: a handler that blocks ends nobody else, and who says nothing is still ended") {
  ServerProcess server(set_up, {.app = {.keep_alive_timeout = milliseconds(1200)}});
  REQUIRE(server.port() != 0);
  Crowd crowd(server.port());
  crowd.answer_for(kBefore);
  WsClient silent(server.port());
  Client idle(server.port()), blocker(server.port());
  REQUIRE(silent.echoes("my last word"));
  REQUIRE(idle.get("/").body == "up");
  REQUIRE(blocker.send("GET /block HTTP/1.1\r\nHost: t\r\n\r\n"));
  crowd.answer_for(kBlocked);
  CHECK(blocker.read_response().body == "at last");
  CHECK(idle.get("/").body == "up");
  crowd.answer_for(kAfter);
  CHECK(crowd.ended == 0);
  CHECK(crowd.alive() == kClients);
  CHECK(silent.tcp.read_to_end());
  CHECK(idle.closed_by_peer());
}
