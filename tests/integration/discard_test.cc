// What a client still sends when it has been refused: read and thrown away (src/session/discard.h), so that who sends
// everything before it reads anything still reads the answer, and never a reset. Then the limits of that, both sides of
// each, with the time in the test's hand.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/server.h"
#include "support/stepped_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

const std::string kMiB(1_MiB, 'b');

// As a client that blocks until all of it has been taken.
bool send_much(Client& client, size_t bytes) {
  for (; bytes > 0; bytes -= std::min(bytes, kMiB.size())) {
    if (!client.send(std::string_view(kMiB).substr(0, bytes))) return false;
  }
  return true;
}

std::string post_head(std::string_view target, size_t bytes, std::string_view fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(bytes) + "\r\n" +
         std::string(fields) + "\r\n";
}

void pages(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("ok"); });
  app.get("/large", [](Request&, Response& res) { res.send(std::string(12_MiB, 'l')); });
  app.get("/large-late", [&app](Request&, Response& res) {
    app.after(milliseconds(1), [later = res.defer()]() mutable { later.send(std::string(12_MiB, 'l')); });
  });
  app.get("/no", [](Request&, Response& res) { res.status(403).send("no"); });
  app.get("/late", [&app](Request&, Response& res) {
    app.after(milliseconds(1), [later = res.defer()]() mutable { later.status(401).send("no"); });
  });
  app.post("/echo", [](Request& req, Response& res) { res.send(req.body()); });
  app.ws("/ws", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }, .options = {.max_fragments = 3}});
}

// It has sent everything; now it reads: this answer, then the end, orderly.
void check_refused(Client& client, int status) {
  CHECK(client.read_response().status == status);
  CHECK(client.closed_by_peer());
  CHECK(client.end() == Client::End::eof);
}

struct Refusal {
  int status;
  std::string head;
};

void check_refusals(TestServer& server, const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    CAPTURE(refusal.head.substr(0, 80));
    Client client(server.port());
    REQUIRE(client.send(refusal.head));
    CHECK(send_much(client, 20_MiB));
    check_refused(client, refusal.status);
  }
  CHECK(server.wait_for_connections(0));
}

}  // namespace

TEST_CASE("discard: whatever the library refuses, who goes on sending reads why") {
  const std::string start = "POST /echo HTTP/1.1\r\nHost: t\r\n";
  TestServer server(pages);
  check_refusals(server, {
      {400, start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"},
      {400, "\x16\x03\x01\x02\r\n\r\n"},
      {400, start + "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"},
      {404, post_head("/nothing", 1'000'000, "Expect: 100-continue\r\n")},
      {413, post_head("/echo", 20_MiB)},
      {413, start + "Transfer-Encoding: chunked\r\n\r\n1400000\r\n"},
      {414, "GET /" + std::string(20'000, 'a')},
      {417, post_head("/echo", 1, "Expect: a miracle\r\n")},
      {431, start + "X: " + std::string(20'000, 'x')},
      {505, "POST /echo HTTP/2.0\r\nHost: t\r\n\r\n"},
  });
  TestServer poor(pages, {.app = {.receive_budget_bytes = 512_KiB}});
  check_refusals(poor, {{503, post_head("/echo", 1_MiB)}});
}

TEST_CASE("discard: the same after a handler's answer that ends the connection, a deferred one too") {
  TestServer server(pages);
  const std::string rest = " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
  check_refusals(server, {{403, "GET /no" + rest}, {401, "GET /late" + rest}, {404, "GET /nothing" + rest}});
}

TEST_CASE("discard: a body that came too late is 408, and may go on coming") {
  TestServer server(pages, {.app = {.body_timeout = milliseconds(100)}});
  Client client(server.port());
  REQUIRE(client.send(post_head("/echo", 900'000) + "b"));
  REQUIRE(server.wait_for_stats([](const Stats& s) { return s.bad_requests == 1; }));
  CHECK(send_much(client, 20_MiB));
  check_refused(client, 408);
}

TEST_CASE("discard: above the limit of connections an upload reads its 503") {
  TestServer server(pages, {.app = {.max_connections = 1}});
  Client first(server.port());
  CHECK(first.get("/").body == "ok");
  Client client(server.port());
  REQUIRE(client.send(post_head("/echo", 20_MiB)));
  CHECK(send_much(client, 20_MiB));
  check_refused(client, 503);
  CHECK(first.get("/").body == "ok");
}

TEST_CASE("discard: a large last answer is read whole by who has sent everything") {
  TestServer server(pages);
  for (const char* target : {"/large", "/large-late"}) {
    Client client(server.port(), {.receive_buffer_bytes = 16'384});
    REQUIRE(client.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    CHECK(send_much(client, 30_MiB));
    CHECK(client.read_response().body.size() == 12_MiB);
    CHECK(client.closed_by_peer());
    CHECK(client.end() == Client::End::eof);
  }
}

TEST_CASE("discard: a body that was read whole costs nothing: the connection is kept") {
  TestServer server(pages);
  Client client(server.port());
  for (int i = 0; i < 3; i++) {
    CHECK(client.post("/nothing", std::string(1_MiB, 'b')).status == 404);
    CHECK(client.get("/").body == "ok");
  }
  CHECK(server.stats().accepted == 1);
}

TEST_CASE("discard: a WebSocket that goes on sending reads its Close, and its handlers hear of the end at once") {
  std::atomic<int> closed{0};
  TestServer server([&](App& app) {
    app.ws("/ws", {.close = [&](WebSocket ws, const CloseInfo&) { closed += ws.send("x") == SendStatus::closed; },
                   .options = {.max_fragments = 3}});
  });
  std::string fragments = ws_frame(kBinary, "f", {.fin = false});
  for (int i = 0; i < 4; i++) fragments += ws_frame(kContinuation, "f", {.fin = false});
  const std::pair<uint16_t, std::string> failures[] = {
      {1009, ws_frame(kBinary, {}, {.announced = 20 << 20})},
      {1008, fragments},
      {1007, ws_frame(kText, "\xff")},
      {1002, ws_frame(kText, "unmasked", {.masked = false})},
  };
  int expected = 0;
  for (const auto& failure : failures) {
    const auto code = failure.first;
    const auto& bytes = failure.second;
    CAPTURE(code);
    WsClient client(server.port(), "/ws");
    REQUIRE(client.open());
    REQUIRE(client.send(bytes));
    CHECK(eventually([&] { return closed == expected + 1; }));  // long before the connection ends
    expected++;
    CHECK(send_much(client.tcp, 20_MiB));
    CHECK(client.read_close() == code);
    CHECK(client.ended());
    CHECK(client.tcp.end() == Client::End::eof);
  }
  CHECK(server.wait_for_stats([](const Stats& s) { return s.open_connections == 0 && s.open_websockets == 0; }));
}

TEST_CASE("discard: 50 MB into a limit of 1000 bytes, sent before anything is read: 1009 and no reset") {
  constexpr size_t kBytes = 50'000'000;
  TestServer server([](App& app) {
    app.ws("/ws", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }, .options = {.max_message_bytes = 1000}});
  });
  const std::string too_big = ws_frame(kBinary, std::string(1001, 'm'));
  std::string many, fragments = ws_frame(kBinary, "f", {.fin = false});
  while (many.size() < 1_MiB) many += too_big;
  while (fragments.size() < 1_MiB) fragments += ws_frame(kContinuation, std::string(100, 'f'), {.fin = false});
  const std::pair<std::string, std::string> floods[] = {
      {ws_frame(kText, {}, {.announced = kBytes}), kMiB}, {many, many}, {fragments, fragments}};
  for (const auto& [first, again] : floods) {
    WsClient client(server.port(), "/ws");
    REQUIRE(client.open());
    REQUIRE(client.send(first));
    for (size_t sent = first.size(); sent < kBytes; sent += again.size()) REQUIRE(client.send(again));
    const auto begin = Clock::now();
    CHECK(client.read_close() == 1009);
    CHECK(client.send_close(1009));
    CHECK(client.ended());
    CHECK(client.tcp.end() == Client::End::eof);
    CHECK(Clock::now() - begin < AppOptions().close_timeout);
  }
  CHECK(server.wait_for_connections(0));
}

namespace {

// Closes when it is told to, or after a while; echoes what else comes.
struct Closing {
  std::atomic<int> closed{0};
  std::atomic<int> timeouts{0};
  TestServer server;

  explicit Closing(milliseconds close_timeout)
      : server([this](App& app) {
          app.ws("/ws", {.open = [](WebSocket ws, Request&) { ws.after(milliseconds(300), [ws] { close(ws); }); },
                         .message = [](WebSocket ws, const Message& msg) { msg.text() == "close" ? close(ws) : void(ws.send(msg)); },
                         .close = [this](WebSocket, const CloseInfo& why) {
                           timeouts += why.cause == CloseCause::close_timeout;
                           closed++;
                         }});
        }, {.app = {.close_timeout = close_timeout}}) {}
  static void close(WebSocket ws) { ws.close(static_cast<CloseCode>(4000)); }
  // Nothing but what was sent before, the Close, and an orderly end.
  static void check_end(WsClient& client) {
    for (WsFrame frame = client.read_frame(); ; frame = client.read_frame()) {
      if (frame.opcode == kBinary) continue;
      CHECK(frame.close_code() == 4000);
      break;
    }
    CHECK(client.ended());
    CHECK(client.tcp.end() == Client::End::eof);
  }
};

}  // namespace

TEST_CASE("discard: who still sends when close_timeout is over reads our Close, and the handler has heard of the end") {
  Closing it(milliseconds(1000));  // as long may a busy machine keep this thread from sending
  WsClient client(it.server.port(), "/ws");
  REQUIRE(client.send_text("close"));
  REQUIRE(eventually([&] {
    CHECK(client.send(ws_frame(kBinary, "I have not read that")));
    return it.closed == 1;
  }));
  CHECK(it.timeouts == 1);
  CHECK(send_much(client.tcp, 20_MiB));
  it.check_end(client);
}

TEST_CASE("discard: the same where output that nobody reads had stopped our reading") {
  Closing it(milliseconds(1000));
  WsClient client(it.server.port(), "/ws", {}, {.receive_buffer_bytes = 16'384});
  REQUIRE(client.open());
  const std::string message = ws_frame(kBinary, std::string(60'000, 'e'));
  for (size_t sent = 0; sent < 50'000'000; sent += message.size()) REQUIRE(client.send(message));
  CHECK(it.timeouts == 1);
  it.check_end(client);
}

TEST_CASE("discard: who is silent when close_timeout is over is let go at once") {
  Closing it(milliseconds(100));
  WsClient client(it.server.port(), "/ws");
  REQUIRE(client.open());
  CHECK(client.read_close() == 4000);
  CHECK(client.ended());
  CHECK(client.tcp.end() == Client::End::eof);
  CHECK(it.server.wait_for_connections(0));
}

TEST_CASE("discard: a WebSocket's Close arrives behind what waited before it") {
  TestServer server([](App& app) {
    app.on_error([](const HandlerFailure&) {});
    app.ws("/ws", {.message = [](WebSocket ws, const Message&) {
      ws.send(std::string(12_MiB, 'l'));
      throw std::runtime_error("and no more");
    }});
  });
  WsClient client(server.port(), "/ws", {}, {.receive_buffer_bytes = 16'384});
  REQUIRE(client.send_text("go"));
  CHECK(send_much(client.tcp, 20_MiB));
  CHECK(client.read_message().payload.size() == 12_MiB);
  CHECK(client.read_close() == 1011);
  CHECK(client.ended());
  CHECK(client.tcp.end() == Client::End::eof);
}

// Limits --------------------------------------------------------------------------------------------------------------

namespace {

// A server that counts what it reads, with its clients and the time in the test's hand.
struct Counted : SteppedServer {
  explicit Counted(const std::function<void(App&)>& set_up, const AppOptions& options = {})
      : SteppedServer(set_up, options) {
    plain = sys::syscalls.recv;
    sys::syscalls.recv = [](int fd, void* to, size_t size, int flags) {
      const ssize_t n = plain(fd, to, size, flags);
      if (n > 0) bytes_read += static_cast<size_t>(n);
      return n;
    };
  }
  static inline ssize_t (*plain)(int, void*, size_t, int);
  static inline size_t bytes_read;

  size_t connections() { return app().stats().open_connections; }
  void pass(milliseconds time) {
    live(time);
    turn();
  }
  // A client whose upload has been refused, and that has read so.
  Client refused() {
    Client client = connect();
    REQUIRE(exchange(client, post_head("/echo", 1_GiB), 1));
    REQUIRE(client.read_response().status == 413);
    return client;
  }
  // Sends this many bytes and turns until they have been read. False when the connection ended then.
  bool discards(Client& client, size_t bytes) {
    const size_t open = connections();
    const size_t wanted = bytes_read + bytes;
    REQUIRE(turn_until([&] {
      const std::string_view piece = std::string_view(kMiB).substr(0, bytes);
      bytes -= client.send_some(piece, milliseconds(0));
      return bytes_read >= wanted || connections() < open;
    }));
    return connections() == open;
  }
};

}  // namespace

TEST_CASE("discard: a client that sends nothing more is let go after discard_idle_timeout, not before") {
  Counted server(pages);
  Client client = server.refused();
  server.pass(milliseconds(1900));
  CHECK(server.connections() == 1);
  CHECK(server.discards(client, 10));  // it counts from the last byte
  server.pass(milliseconds(1900));
  CHECK(server.connections() == 1);
  server.pass(milliseconds(300));
  CHECK(server.connections() == 0);
}

TEST_CASE("discard: bytes that were there before the loop stood still are no silence") {
  Counted server(pages);
  Client client = server.refused();
  REQUIRE(client.send("more"));
  SteppedServer::advance(milliseconds(10'000));
  server.turn();
  CHECK(server.connections() == 1);
  CHECK(server.discards(client, 1_MiB));
}

TEST_CASE("discard: discard_timeout ends who goes on and on, and not before") {
  Counted server(pages);
  Client client = server.refused();
  for (int second = 0; second < 29; second++) {
    CHECK(server.discards(client, 1000));
    server.pass(milliseconds(1000));
  }
  CHECK(server.connections() == 1);
  CHECK(server.discards(client, 1000));
  server.pass(milliseconds(1200));
  CHECK(server.connections() == 0);
}

TEST_CASE("discard: times of 0 end at once what has had its answer") {
  for (const bool idle : {true, false}) {
    AppOptions options;
    (idle ? options.discard_idle_timeout : options.discard_timeout) = milliseconds(0);
    Counted server(pages, options);
    Client client = server.refused();
    server.pass(milliseconds(200));  // a tick of the timers
    CHECK(server.connections() == 0);
    CHECK(client.closed_by_peer());
    CHECK(client.end() == Client::End::eof);
  }
}

TEST_CASE("discard: max_discard_bytes to the byte") {
  for (const size_t limit : {size_t{0}, size_t{100'000}, 256_MiB}) {
    CAPTURE(limit);
    AppOptions options;
    if (limit < 256_MiB) options.max_discard_bytes = limit;
    Counted server(pages, options);
    Client client = server.refused();
    CHECK(server.discards(client, limit));
    CHECK(!server.discards(client, 1));
    CHECK(server.connections() == 0);
  }
}

TEST_CASE("discard: max_discarding counts the connections on which something comes") {
  AppOptions options;
  options.max_discarding = 2;
  Counted server(pages, options);
  Client silent = server.refused();
  Client a = server.refused(), b = server.refused(), c = server.refused();
  CHECK(server.discards(a, 100));
  CHECK(server.discards(b, 100));
  CHECK(!server.discards(c, 100));
  CHECK(server.connections() == 3);
  CHECK(server.discards(a, 1_MiB));
  a.close();  // its place is free again
  REQUIRE(server.turn_until([&] { return server.connections() == 2; }));
  CHECK(server.discards(silent, 1_MiB));
  CHECK(server.discards(b, 1_MiB));
}

TEST_CASE("discard: max_discarding of 0 is never") {
  AppOptions options;
  options.max_discarding = 0;
  Counted server(pages, options);
  Client client = server.refused();
  CHECK(!server.discards(client, 1));
}

TEST_CASE("discard: the default of max_discarding") {
  Counted server(pages);
  std::vector<Client> clients;
  for (int i = 0; i < 257; i++) clients.push_back(server.refused());
  for (int i = 0; i < 256; i++) REQUIRE(server.discards(clients[static_cast<size_t>(i)], 1));
  CHECK(!server.discards(clients[256], 1));
  CHECK(server.connections() == 256);
}

TEST_CASE("discard: a turn reads 64 KiB of a connection, and others are served in it") {
  Counted server(pages);
  Client uploads = server.refused();
  Client other = server.connect();
  for (int i = 0; i < 50; i++) {
    uploads.send_some(kMiB, milliseconds(0));
    const std::string request = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    REQUIRE(other.send(request));
    server.bytes_read = 0;
    server.turn();
    CHECK(server.bytes_read <= 64_KiB + request.size());
    REQUIRE(server.turn_until([&] { return other.read_more(Clock::now()); }));
    CHECK(other.read_response().body == "ok");
  }
}

TEST_CASE("discard: a slow consumer has two seconds for its last words, however much it sends") {
  WebSocket target;
  CloseCause cause = CloseCause::peer_close;
  Counted server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) { target = ws; },
                 .close = [&](WebSocket, const CloseInfo& why) { cause = why.cause; }});
  });
  WsClient client = server.open_websocket("/", {.receive_buffer_bytes = 16'384});
  for (int i = 0; i < 64 && cause == CloseCause::peer_close; i++) {
    target.send(kMiB);
    server.turn();
    server.turn();
  }
  CHECK(cause == CloseCause::slow_consumer);
  CHECK(server.connections() == 1);
  for (int i = 0; i < 19; i++) {
    CHECK(server.discards(client.tcp, 1000));
    server.pass(milliseconds(100));
  }
  CHECK(server.connections() == 1);
  server.pass(milliseconds(300));
  CHECK(server.connections() == 0);
}

TEST_CASE("discard: a drain waits for it to its deadline at most") {
  TestServer server(pages);
  Client client(server.port());
  REQUIRE(client.send(post_head("/echo", 1_GiB)));
  REQUIRE(client.read_response().status == 413);
  const auto begin = Clock::now();
  server.app().drain({.deadline = milliseconds(300)});
  // Small pieces: on a fast machine large ones would reach the limit of bytes first.
  while (client.send("more") && Clock::now() - begin < milliseconds(5000)) {
    client.read_more(Clock::now() + milliseconds(1));
  }
  CHECK(server.wait_until_over() == 0);
  CHECK(Clock::now() - begin >= milliseconds(300));
  CHECK(Clock::now() - begin < milliseconds(4000));
}

TEST_CASE("discard: the end of the App ends it, also in the turn in which it begins") {
  for (const bool in_its_turn : {true, false}) {
    Counted server([&](App& app) {
      app.get("/", [&](Request&, Response& res) {
        res.send("last");
        if (in_its_turn) app.close();
      });
    });
    Client client = server.connect();
    REQUIRE(client.send("GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\nmore"));
    REQUIRE(server.turn_until([&] { return client.read_more(Clock::now()); }));
    server.app().close();
    server.turn();
    CHECK(server.connections() == 0);
  }
}
