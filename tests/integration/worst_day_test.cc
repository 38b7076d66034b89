// The rest of the bad days: WebSockets that never read, messages of a million fragments, a clock that jumps, and SIGTERM
// while all kinds of bad peers are there at once.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "proto/http_date.h"
#include "support/client.h"
#include "support/server.h"
#include "support/server_process.h"
#include "support/ws_client.h"
#include "sys/clock.h"
#include "sys/syscalls.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
constexpr std::string_view kLater = "GET /later HTTP/1.1\r\nHost: t\r\n\r\n";

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

void routes(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/page", [](Request&, Response& res) { res.send(std::string(10'000, 'p')); });
  app.get("/later", [&app](Request&, Response& res) {
    app.after(milliseconds(300), [later = res.defer()]() mutable { later.send("an answer that took its time"); });
  });
  app.ws("/ws", {.message = [](WebSocket ws, const Message& message) { ws.send(message); }});
}

// Wall-clock time is another century at every look; the monotonic clock is the true one.
int jumping_clock(clockid_t id, timespec* time) {
  static std::atomic<unsigned> looks = 0;
  const int status = ::clock_gettime(id, time);
  if (id == CLOCK_REALTIME) time->tv_sec += (looks++ % 2 ? 1 : -1) * time_t{1'000'000'000};
  return status;
}

}  // namespace

TEST_CASE("worst_day: WebSockets that never read their echoes are not read any more, and cost at most their limit") {
  ServerProcess server(routes);
  REQUIRE(server.port() != 0);
  WsClient other(server.port(), "/ws");
  REQUIRE(other.echoes("warm"));
  const long before = server.resident_bytes();
  constexpr int kPeers = 20;
  std::vector<WsClient> peers;
  size_t taken = 0, most = 0;
  std::string messages;
  while (messages.size() < 40'000'000) messages += ws_frame(kBinary, std::string(1000, 'm'));
  for (int i = 0; i < kPeers; i++) {
    peers.emplace_back(server.port(), "/ws", "", ConnectOptions{.receive_buffer_bytes = 8192});
    REQUIRE(peers.back().open());
    const size_t sent = peers.back().tcp.send_some(messages, milliseconds(20));
    most = std::max(most, sent);
    taken += sent;
  }
  CHECK(other.echoes("still served"));
  const long each = (server.resident_bytes() - before) / kPeers;
  MESSAGE("of 40 MB each peer could send " << taken / kPeers / 1024 << " KiB; memory of the server for it: " << each / 1024
                                          << " KiB");
  CHECK(most < messages.size());  // the reading stopped, and the kernel's buffers filled
  // One read that is held, and 64 KiB of output.
  if (kFiguresTell) CHECK(each < static_cast<long>(700_KiB));
}

TEST_CASE("worst_day: a message of a million fragments ends with 1008, costs no memory and holds nobody up") {
  ServerProcess server(routes);
  REQUIRE(server.port() != 0);
  WsClient other(server.port(), "/ws");
  REQUIRE(other.echoes("warm"));
  const long before = server.resident_bytes();
  std::string empties;
  for (int i = 0; i < 10'000; i++) empties += ws_frame(kContinuation, "", {.fin = false});
  WsClient peer(server.port(), "/ws");
  REQUIRE(peer.send(ws_frame(kText, "", {.fin = false})));
  milliseconds slowest{0};
  int parts = 0;
  for (; parts < 100 && peer.send(empties); parts++) {
    const auto begin = Clock::now();
    REQUIRE(other.echoes("between"));
    slowest = std::max(slowest, since(begin));
  }
  CHECK(peer.read_close() == 1008);
  const long growth = server.resident_bytes() - before;
  MESSAGE("fragments sent: " << parts * 10'000 << "; slowest echo beside them: " << slowest.count()
                             << " ms; memory grew by " << growth / 1024 << " KiB");
  if (kFiguresTell) CHECK(growth < static_cast<long>(2_MiB));  // the buffers that all connections share
}

TEST_CASE("worst_day: a wall clock that jumps by decades moves no deadline") {
  ServerProcess server(
      [](App& app) {
        routes(app);
        app.ws("/beat", {.options = {.heartbeat_interval = milliseconds(100), .heartbeat_timeout = milliseconds(800)}});
      },
      {.app = {.head_timeout = milliseconds(500)}, .before_listen = [] { sys::syscalls.clock_gettime = jumping_clock; }});
  REQUIRE(server.port() != 0);
  const auto begin = Clock::now();
  Client late(server.port());
  REQUIRE(late.send("GET / HTTP/1.1\r\nHost:"));
  Client deferred(server.port());
  REQUIRE(deferred.send(kLater));
  WsClient beating(server.port(), "/beat");
  Client client(server.port());
  const auto year = [](std::string_view date) { return std::atoi(std::string(date.substr(12, 4)).c_str()); };
  char today[proto::kHttpDateBytes];
  proto::encode_http_date(sys::wall_seconds(), today);
  while (since(begin) < milliseconds(250)) {
    const HttpResponse response = client.get("/");
    REQUIRE(response.status == 200);
    CHECK(std::abs(year(response.field("date")) - year({today, sizeof today})) > 30);  // it did jump
  }
  CHECK(deferred.read_response().body == "an answer that took its time");
  CHECK(since(begin) >= milliseconds(300));
  CHECK(late.read_response().status == 408);
  CHECK(since(begin) >= milliseconds(500));
  // A peer that answers its pings stays, for longer than the timeout.
  while (since(begin) < milliseconds(1800)) {
    const WsFrame frame = beating.read_frame();
    REQUIRE(frame.opcode == kPing);
    REQUIRE(beating.send(ws_frame(kPong, frame.payload)));
  }
  CHECK(server.wait(milliseconds(0)) == ServerProcess::kNotOver);
}

TEST_CASE("worst_day: SIGTERM during all of it") {
  constexpr milliseconds kDeadline(1500);
  ServerProcess server(routes, {.app = {.drain_deadline = kDeadline}});
  REQUIRE(server.port() != 0);
  const auto connect = [&](int count) {
    std::vector<Client> clients;
    for (int i = 0; i < count; i++) clients.emplace_back(server.port(), ConnectOptions{.receive_buffer_bytes = 8192});
    return clients;
  };
  std::vector<Client> drippers = connect(100), deaf = connect(20), half_closed = connect(50), waiting = connect(10);
  std::vector<WsClient> deaf_sockets, sockets;
  std::string pages, echoes;
  while (pages.size() < 200'000) pages += "GET /page HTTP/1.1\r\nHost: t\r\n\r\n";
  while (echoes.size() < 1'000'000) echoes += ws_frame(kBinary, std::string(10'000, 'e'));
  for (Client& client : drippers) client.send("POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 90000\r\n\r\ndrip");
  for (Client& client : deaf) client.send_some(pages, milliseconds(5));
  for (Client& client : half_closed) {
    client.send(kGet.substr(0, kGet.size() - 2));
    client.shutdown_sending();
  }
  for (int i = 0; i < 20; i++) {
    deaf_sockets.emplace_back(server.port(), "/ws", "", ConnectOptions{.receive_buffer_bytes = 8192});
    deaf_sockets.back().tcp.send_some(echoes, milliseconds(5));
    sockets.emplace_back(server.port(), "/ws");
    REQUIRE(sockets.back().echoes("hello"));
  }
  std::atomic<bool> go = true;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {  // a flood, of which nothing is read for long
    Client client(server.port());
    std::string flood;
    for (int i = 0; i < 2000; i++) flood += kGet;
    while (go) {
      client.send_some(flood, milliseconds(1));
      while (client.read_more(Clock::now())) client.in().clear();
    }
  });
  threads.emplace_back([&] {  // peers that come and go by a reset
    while (go) {
      Client client(server.port());
      if (!client.send(kGet.substr(0, 20))) break;
      client.reset();
    }
  });
  for (Client& client : waiting) REQUIRE(client.send(kLater));
  Client normal(server.port());
  REQUIRE(normal.get("/").status == 200);

  const auto begin = Clock::now();
  server.signal(SIGTERM);
  for (Client& client : waiting) CHECK(client.read_response().body == "an answer that took its time");
  for (WsClient& socket : sockets) CHECK(socket.read_close() == 1001);
  CHECK(server.wait() == 0);
  const milliseconds took = since(begin);
  go = false;
  for (std::thread& thread : threads) thread.join();
  MESSAGE("drained beside drippers, deaf peers, a flood and resets in " << took.count() << " ms");
  CHECK(took < kDeadline + milliseconds(1500));
}
