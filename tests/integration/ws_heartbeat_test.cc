// Heartbeats: who is silent is pinged, who stays silent is ended, any inbound byte counts as life, and none of it harms
// a connection that is merely slow. Times are a few hundred milliseconds here; only lower bounds are narrow, as a slow
// machine is no failure.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Route {
  WsEvents events = {};
  TestServer server;

  explicit Route(WsOptions options)
      : server([&](App& app) { app.ws("/", events.handlers(std::move(options))); }) {}
};

// Counts pings until the connection ends or the time is over; answers them if `answer`.
int count_pings(WsClient& client, milliseconds how_long, bool answer) {
  const auto deadline = Clock::now() + how_long;
  int pings = 0;
  while (Clock::now() < deadline) {
    const WsFrame frame = client.read_frame(milliseconds(ms_until(deadline)));
    if (!frame.ok()) break;
    pings += frame.opcode == kPing;
    if (answer && frame.opcode == kPing) client.send(ws_frame(kPong, frame.payload));
  }
  return pings;
}

}  // namespace

TEST_CASE("ws heartbeat: a silent peer is pinged, and ended without a Close after the timeout") {
  Route route({.heartbeat_interval = 100ms, .heartbeat_timeout = 350ms});
  WsClient client(route.server.port());
  const auto start = Clock::now();
  REQUIRE(client.echoes("hello"));
  const int pings = count_pings(client, kPatience, false);
  CHECK(Clock::now() - start >= 330ms);
  CHECK(Clock::now() - start < 10s);
  CHECK(pings >= 1);
  CHECK(pings <= 4);
  CHECK(client.tcp.end() != Client::End::open);
  CHECK(route.events.closed_with(CloseCause::heartbeat_timeout, CloseCode::abnormal));
}

TEST_CASE("ws heartbeat: a peer that answers stays") {
  Route route({.heartbeat_interval = 80ms, .heartbeat_timeout = 400ms});
  WsClient client(route.server.port());
  CHECK(count_pings(client, 700ms, true) >= 3);
  CHECK(client.echoes("still here"));
  CHECK(client.close_nicely());
}

TEST_CASE("ws heartbeat: any inbound byte counts as life, also one of an unfinished frame") {
  Route route({.heartbeat_interval = 300ms, .heartbeat_timeout = 400ms});
  WsClient client(route.server.port());
  const std::string bytes = ws_frame(kText, pattern(50));
  auto longest_pause = Clock::duration::zero();
  auto last = Clock::now();
  for (const char byte : bytes) {
    REQUIRE(client.send({&byte, 1}));
    std::this_thread::sleep_for(15ms);
    longest_pause = std::max(longest_pause, Clock::now() - last);
    last = Clock::now();
  }
  const WsFrame frame = client.read_frame();
  CHECK((frame.is(kText, pattern(50)) || longest_pause > 250ms));  // no ping before it
  CHECK((route.events.closes().empty() || longest_pause > 350ms));
}

TEST_CASE("ws heartbeat: each half can be switched off") {
  Route only_timeout({.heartbeat_interval = 0ms, .heartbeat_timeout = 200ms});
  Route only_pings({.heartbeat_interval = 60ms, .heartbeat_timeout = 0ms});
  Route none({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms});
  WsClient ended(only_timeout.server.port());
  WsClient pinged(only_pings.server.port());
  WsClient alone(none.server.port());
  CHECK(count_pings(ended, kPatience, false) == 0);
  CHECK(only_timeout.events.closed_with(CloseCause::heartbeat_timeout, CloseCode::abnormal));
  CHECK(count_pings(pinged, 300ms, false) >= 3);
  CHECK(pinged.echoes("still here"));
  CHECK(alone.tcp.stays_silent(1ms));
  CHECK(alone.echoes("still here"));
}

TEST_CASE("ws heartbeat: a peer whose messages we are still working through is alive") {
  constexpr int kMessages = 8 * 1024;  // many turns' worth
  std::atomic<int> handled = 0;
  WsEvents events;
  WsHandlers handlers = events.handlers({.heartbeat_interval = 0ms, .heartbeat_timeout = 300ms});
  handlers.message = [&](WebSocket ws, const Message&) {
    const auto until = Clock::now() + std::chrono::microseconds(150);
    while (Clock::now() < until) {
    }
    if (++handled == kMessages) ws.close();
  };
  TestServer server([&](App& app) { app.ws("/", std::move(handlers)); });
  WsClient client(server.port());
  REQUIRE(client.open());
  std::string all;
  for (int i = 0; i < kMessages; i++) all += ws_frame(kText, "m");
  REQUIRE(client.send(all));
  CHECK(client.read_frame().opcode == kClose);
  CHECK(handled == kMessages);
}

TEST_CASE("ws heartbeat: connections that came at once are not pinged at once") {
  constexpr int kClients = 60;
  Route route({.heartbeat_interval = 500ms, .heartbeat_timeout = 0ms});
  std::vector<WsClient> clients;
  for (int i = 0; i < kClients; i++) clients.emplace_back(route.server.port());
  std::vector<Clock::time_point> pinged(kClients);
  int left = kClients;
  const auto deadline = Clock::now() + 3s;
  while (left > 0 && Clock::now() < deadline) {
    for (size_t i = 0; i < clients.size(); i++) {
      if (pinged[i] != Clock::time_point() || clients[i].read_frame(0ms).opcode != kPing) continue;
      pinged[i] = Clock::now();
      left--;
    }
    std::this_thread::sleep_for(1ms);
  }
  REQUIRE(left == 0);
  std::sort(pinged.begin(), pinged.end());
  // Evenly spread they would take 500 ms; all at once, a tick of the wheel (67 ms).
  CHECK(pinged[kClients * 9 / 10] - pinged[kClients / 10] > 150ms);
}

namespace {

// Reads `size` bytes of a frame's payload slowly, pinging all the while; how many came.
size_t read_slowly(WsClient& client, size_t size, milliseconds at_least) {
  const auto start = Clock::now();
  size_t got = 0;
  while (got < size) {
    client.send(ws_frame(kPing, "I live"));
    if (!client.tcp.read_bytes(1, 5s)) return got;
    got += client.tcp.take(client.tcp.in().size()).size();
    if (Clock::now() - start < at_least) std::this_thread::sleep_for(5ms);
  }
  return got;
}

}  // namespace

TEST_CASE("ws heartbeat: a peer that reads slowly and speaks is alive, though we do not read from it meanwhile") {
  const std::string large = pattern(6'000'000);
  WsEvents events;
  TestServer server([&](App& app) {
    WsHandlers handlers =
        events.handlers({.heartbeat_interval = 100ms, .heartbeat_timeout = 300ms, .max_unsent_bytes = 64_MiB});
    handlers.message = [&](WebSocket ws, const Message&) { ws.send(large); };
    app.ws("/", std::move(handlers));
  });
  WsClient client(server.port(), "/", {}, {.receive_buffer_bytes = 4096});
  REQUIRE(client.send_text("go"));
  CHECK(read_slowly(client, large.size() + 10, 900ms) >= large.size() + 10);
  CHECK(events.closes().empty());
}

TEST_CASE("ws heartbeat: its pings do not make a slow consumer of a connection with a large message under way") {
  const std::string large = pattern(6'000'000);
  WsEvents events;
  TestServer server([&](App& app) {
    WsHandlers handlers =
        events.handlers({.heartbeat_interval = 60ms, .heartbeat_timeout = 0ms, .max_unsent_bytes = 100'000});
    handlers.message = [&](WebSocket ws, const Message&) { ws.send(large); };
    app.ws("/", std::move(handlers));
  });
  WsClient client(server.port(), "/", {}, {.receive_buffer_bytes = 4096});
  REQUIRE(client.send_text("go"));
  std::this_thread::sleep_for(250ms);
  CHECK(client.read_message().is(kText, large));
  CHECK(events.closes().empty());
  CHECK(server.stats().slow_consumers == 0);
}

TEST_CASE("ws heartbeat: without heartbeats a connection that is not read wants no turns") {
  SteppedServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
                 .options = {.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .max_message_bytes = 32_MiB}});
  });
  WsClient client = server.open_websocket("/");
  const std::string frame = ws_frame(kBinary, std::string(20_MiB, 'x'));
  const uint64_t received = server.app().stats().messages_received + 1;
  std::string_view rest = frame;
  REQUIRE(server.turn_until([&] {
    rest.remove_prefix(client.tcp.send_some(rest, 0ms));
    return server.app().stats().messages_received == received;  // the echo is more than the kernel takes
  }));
  for (int i = 0; i < 4; i++) {  // past the deadline that the handshake has left behind
    SteppedServer::advance(11s);
    for (int k = 0; k < 3; k++) server.turn();
  }
  CHECK(server.app().next_timer() > 1s);
}
