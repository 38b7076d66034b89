// Ends: drain() and close(), and SIGTERM and SIGINT to a server process: what is in flight is answered, who is idle is
// let go, WebSockets are told 1001, the deadline cuts the rest, and the exit status is 0.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <signal.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"
#include "support/server_process.h"

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
constexpr std::string_view kNever = "GET /never HTTP/1.1\r\nHost: t\r\n\r\n";

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

// /slow is answered when something is posted to /echo.
void routes(App& app) {
  const auto waiting = std::make_shared<std::vector<Response>>();
  app.get("/", [](Request&, Response& res) { res.send("up"); });
  app.get("/slow", [waiting](Request&, Response& res) { waiting->push_back(res.defer()); });
  app.post("/echo", [waiting](Request& req, Response& res) {
    for (Response& slow : *waiting) slow.send("slow");
    waiting->clear();
    res.send(req.body());
  });
  app.get("/never", [](Request&, Response& res) { (void)res.defer(); });
  app.ws("/ws", {.message = [](WebSocket ws, const Message& message) { ws.send(message); }});
}

// The 1001 of a server that goes away: an unmasked Close frame with that code.
bool reads_going_away(Client& client) {
  if (!client.read_bytes(4)) return false;
  const std::string& in = client.in();
  return in[0] == '\x88' && in[2] == '\x03' && in[3] == '\xe9';
}

bool connection_is_refused(uint16_t port) {
  return eventually([&] { return !Client(port).connected(); });
}

}  // namespace

TEST_CASE("http_drain: SIGTERM finishes requests, lets the idle go, tells WebSockets 1001, and exits with 0") {
  for (const int number : {SIGTERM, SIGINT}) {
    CAPTURE(number);
    ServerProcess server(routes);
    REQUIRE(server.port() != 0);
    Client idle(server.port()), fresh(server.port()), slow(server.port()), body(server.port()), ws(server.port());
    CHECK(idle.get("/").body == "up");
    REQUIRE(slow.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab"));
    CHECK(ws.request(kUpgrade).status == 101);
    CHECK(idle.get("/").body == "up");
    const auto begin = Clock::now();
    server.signal(number);
    CHECK(idle.closed_by_peer());
    CHECK(fresh.closed_by_peer());
    CHECK(connection_is_refused(server.port()));
    CHECK(reads_going_away(ws));
    ws.close();
    REQUIRE(body.send("cd"));
    const HttpResponse posted = body.read_response();
    CHECK(posted.body == "abcd");
    CHECK(posted.closes());
    CHECK(body.closed_by_peer());
    body.close();
    const HttpResponse last = slow.read_response();
    CHECK(last.body == "slow");
    CHECK(last.closes());
    CHECK(slow.closed_by_peer());
    slow.close();
    CHECK(server.wait() == 0);
    CHECK(since(begin) < milliseconds(4000));  // it did not wait for the deadline
  }
}

TEST_CASE("http_drain: a second SIGTERM ends the process at once, with 0") {
  ServerProcess server(routes);
  Client stuck(server.port());
  REQUIRE(stuck.send(kNever));
  Client other(server.port());
  CHECK(other.get("/").body == "up");
  server.signal(SIGTERM);
  CHECK(other.closed_by_peer());
  CHECK(server.wait(milliseconds(100)) == ServerProcess::kNotOver);
  server.signal(SIGTERM);
  const auto begin = Clock::now();
  CHECK(server.wait() == 0);
  CHECK(since(begin) < milliseconds(4000));
  CHECK(stuck.read_to_end());
}

TEST_CASE("http_drain: the deadline cuts what is left, and the exit status is still 0") {
  ServerProcess server(routes, {.app = {.drain_deadline = milliseconds(300)}});
  Client stuck(server.port()), half(server.port()), ws(server.port());
  CHECK(ws.request(kUpgrade).status == 101);  // and will not answer the Close
  REQUIRE(stuck.send(kNever));
  REQUIRE(half.send("GET / HTT"));
  Client ready(server.port());
  CHECK(ready.get("/").body == "up");
  const auto begin = Clock::now();
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);
  CHECK(since(begin) >= milliseconds(290));
  CHECK(since(begin) < milliseconds(4500));
  CHECK(stuck.read_to_end());
  CHECK(half.read_to_end());
}

TEST_CASE("http_drain: SIGTERM under load: every request that was taken is answered whole") {
  ServerProcess server(routes);
  std::atomic<bool> go = true;
  std::atomic<int> whole = 0, cut = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      while (go) {
        Client client(server.port());
        if (!client.connected()) return;
        while (client.send(kGet)) {
          const HttpResponse response = client.read_response();
          if (response.body == "up") whole++;
          // A request that crosses the close on its way is the client's to repeat; half an answer is not.
          else if (!client.in().empty()) cut++;
          if (!response || response.closes()) break;
        }
      }
    });
  }
  REQUIRE(eventually([&] { return whole > 500; }));
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);
  go = false;
  for (std::thread& thread : threads) thread.join();
  CHECK(cut == 0);
  MESSAGE("answers before and during the drain: " << whole.load());
}

TEST_CASE("http_drain: who waits in the kernel's queue when the drain begins is served, too") {
  constexpr int kClients = 200;
  std::promise<void> go_on;
  std::shared_future<void> gone_on = go_on.get_future().share();
  TestServer server([&](App& app) {
    routes(app);
    app.get("/busy", [&](Request&, Response& res) {
      gone_on.wait();
      res.send("done");
    });
  });
  Client busy(server.port());
  REQUIRE(busy.send("GET /busy HTTP/1.1\r\nHost: t\r\n\r\n"));
  std::vector<Client> waiting;  // the loop is in a handler: nobody accepts them
  for (int i = 0; i < kClients; i++) {
    waiting.emplace_back(server.port());
    REQUIRE(waiting.back().send(kGet));
  }
  server.app().drain();
  go_on.set_value();
  int served = 0;
  for (Client& client : waiting) served += client.read_response().body == "up";
  CHECK(served == kClients);
  CHECK(busy.read_response().body == "done");
  CHECK(server.wait_until_over() == 0);
}

TEST_CASE("http_drain: signals are left alone when asked for, and given back afterwards") {
  struct sigaction before {}, during {}, after {};
  ::sigaction(SIGTERM, nullptr, &before);
  {
    TestServer server(routes, {.run = {.handle_signals = false}});
    server.turn();
    ::sigaction(SIGTERM, nullptr, &during);
    CHECK((during.sa_handler == before.sa_handler));
  }
  {
    TestServer server(routes, {.run = {.handle_signals = true}});
    server.turn();
    ::sigaction(SIGTERM, nullptr, &during);
    REQUIRE((during.sa_handler != before.sa_handler));
    ::kill(::getpid(), SIGTERM);
    CHECK(server.wait_until_over() == 0);
  }
  ::sigaction(SIGTERM, nullptr, &after);
  CHECK((after.sa_handler == before.sa_handler));
}

TEST_CASE("http_drain: drain() from another thread; run() returns when the last has gone") {
  TestServer server(routes, {.check_descriptors = false});
  Client idle(server.port()), slow(server.port()), body(server.port());
  CHECK(idle.get("/").body == "up");
  REQUIRE(slow.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n" + std::string(kGet)));
  REQUIRE(body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab"));
  REQUIRE(server.wait_for_stats([](const Stats& s) { return s.requests == 3; }));
  server.app().drain();
  server.app().drain();  // again changes nothing
  CHECK(idle.closed_by_peer());
  CHECK(server.wait_until_over(milliseconds(50)) == -1);
  REQUIRE(body.send("cd"));
  CHECK(body.read_response().body == "abcd");
  body.close();
  const HttpResponse last = slow.read_response();
  CHECK(last.body == "slow");
  CHECK(last.closes());
  CHECK(slow.closed_by_peer());  // what is behind it is not begun
  slow.close();
  CHECK(server.wait_until_over() == 0);
}

TEST_CASE("http_drain: drain() without connections, before run(), and within a handler") {
  {
    TestServer server(routes);
    server.app().drain();
    CHECK(server.wait_until_over() == 0);
  }
  {
    App app;
    routes(app);
    REQUIRE(app.listen("127.0.0.1", 0).ok());
    app.drain();
    CHECK(app.run({.handle_signals = false}) == 0);
  }
  {
    TestServer server([](App& app) {
      app.get("/drain", [&app](Request&, Response& res) { app.drain(); res.send("draining"); });
    });
    Client client(server.port());
    CHECK(client.get("/drain").body == "draining");
    CHECK(client.closed_by_peer());
    CHECK(server.wait_until_over() == 0);
  }
}

TEST_CASE("http_drain: poll_once() answers false once drained, and the App can then go away") {
  App app;
  routes(app);
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  Client client(*port);
  REQUIRE(client.send(kGet));
  while (client.in().find("up") == client.in().npos) {
    REQUIRE(app.poll_once(milliseconds(10)));
    client.read_more(Clock::now());
  }
  app.drain();
  const auto begin = Clock::now();
  while (app.poll_once(milliseconds(100))) REQUIRE(since(begin) < milliseconds(4000));
  CHECK(client.read_to_end());
  CHECK_FALSE(app.poll_once(milliseconds(0)));
}

TEST_CASE("http_drain: the deadline of drain() is kept, also when it is 0") {
  for (const int ms : {0, 200}) {
    TestServer server(routes);
    Client stuck(server.port());
    REQUIRE(stuck.send(kNever));
    REQUIRE(server.wait_for_stats([](const Stats& s) { return s.requests == 1; }));
    const auto begin = Clock::now();
    server.app().drain({.deadline = milliseconds(ms)});
    CHECK(server.wait_until_over() == 0);
    CHECK(since(begin) >= milliseconds(ms - 5));
    CHECK(since(begin) < milliseconds(ms + 4500));
    CHECK(stuck.read_to_end());
  }
}

TEST_CASE("http_drain: large answers that a slow reader takes are finished") {
  const std::string large(5'000'000, 'x');
  TestServer server([&](App& app) { app.get("/large", [&](Request&, Response& res) { res.send(large); }); });
  Client client(server.port(), {.receive_buffer_bytes = 16 * 1024});
  REQUIRE(client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"));
  REQUIRE(client.read_bytes(100));
  server.app().drain();
  std::this_thread::sleep_for(milliseconds(100));  // several steps of the drain
  CHECK(client.read_response().body.size() == large.size());
  CHECK(client.closed_by_peer());
  CHECK(server.wait_until_over() == 0);
}

TEST_CASE("http_drain: close() ends everything at once") {
  std::atomic<int> closed = 0;
  TestServer server([&](App& app) {
    routes(app);
    app.ws("/told", {.close = [&](WebSocket, const CloseInfo&) { closed++; }});
  });
  Client idle(server.port()), stuck(server.port()), ws(server.port());
  CHECK(idle.get("/").body == "up");
  REQUIRE(stuck.send(kNever));
  std::string told(kUpgrade);
  told.replace(told.find("/ws"), 3, "/told");
  CHECK(ws.request(told).status == 101);
  REQUIRE(server.wait_for_stats([](const Stats& s) { return s.requests == 3; }));
  server.app().close();
  CHECK(idle.read_to_end());
  CHECK(stuck.read_to_end());
  CHECK(ws.read_to_end());
  CHECK(server.wait_until_over() == 0);
  CHECK(closed == 1);
}

TEST_CASE("http_drain: a handshake that is decided during the drain is refused or told 1001, and delays nothing") {
  std::vector<Next> kept;
  TestServer server([&](App& app) {
    app.use("/later", [&](Request&, Response&, Next next) { kept.push_back(next); });
    app.ws("/later", WsHandlers{});
    routes(app);
  });
  Client late(server.port()), half(server.port());
  std::string upgrade(kUpgrade);
  upgrade.replace(upgrade.find("/ws"), 3, "/later");
  REQUIRE(late.send(upgrade));
  REQUIRE(half.send(kUpgrade.substr(0, 50)));
  REQUIRE(eventually([&] { return server.on_thread([&](App&) { return kept.size(); }) == 1; }));
  const auto begin = Clock::now();
  server.app().drain({.deadline = milliseconds(3000)});
  server.turn();
  server.on_thread([&](App&) { kept[0](); });
  REQUIRE(half.send(kUpgrade.substr(50)));
  for (Client* client : {&late, &half}) {
    const HttpResponse response = client->read_response();
    CHECK(response.status == 101);  // who was let in is let in, and then told to go
    CHECK(reads_going_away(*client));
    client->close();
  }
  CHECK(server.wait_until_over() == 0);
  CHECK(since(begin) < milliseconds(4500));
}
