// Malformed and dishonest requests over a real socket: each gets its status and a close, what came before it is
// answered, and nothing behind it reaches a handler.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;
using namespace std::string_literals;

namespace {

struct Case {
  int status;
  std::string bytes;
};

constexpr std::string_view kGood = "GET /good HTTP/1.1\r\nHost: t\r\n\r\n";
constexpr std::string_view kEvil = "GET /evil HTTP/1.1\r\nHost: t\r\n\r\n";

// A server that counts what reaches it.
struct Counting {
  std::atomic<int> good = 0, evil = 0, posts = 0;
  TestServer server{[this](App& app) {
    app.get("/good", [this](Request&, Response& res) { good++; res.send("good"); });
    app.all("/evil", [this](Request&, Response& res) { evil++; res.send("evil"); });
    app.post("/post", [this](Request& req, Response& res) { posts++; res.send(req.body()); });
  }};
};

const std::vector<Case>& malformed() {
  static const std::vector<Case> cases = {
      {400, "GET\r\nHost: t\r\n\r\n"},
      {400, "GET /good\r\nHost: t\r\n\r\n"},
      {400, "GET  /good HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET /good HTTP/1.1 \r\nHost: t\r\n\r\n"},
      {400, "GET /go od HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET good HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET /good#part HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET /g\x80 HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET * HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "G\"T /good HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET /good HTTP/1.x\r\nHost: t\r\n\r\n"},
      {400, "GET /good http/1.1\r\nHost: t\r\n\r\n"},
      {505, "GET /good HTTP/2.0\r\nHost: t\r\n\r\n"},
      {505, "GET /good HTTP/0.9\r\nHost: t\r\n\r\n"},
      {400, "GET /good HTTP/1.1\nHost: t\n\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\rX: y\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n"s},
      {400, "GET /good HTTP/1.1\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\nX : y\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\n Host: t\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\nX: a\r\n b\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\n: y\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n"},
      {400, "GET /good HTTP/1.1\r\nHost: t\r\nX\x01: y\r\n\r\n"},
      {400, "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n"},  // TLS to a plain port
      {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
  };
  return cases;
}

const std::vector<Case>& smuggling() {
  static const std::string post = "POST /post HTTP/1.1\r\nHost: t\r\n";
  static const std::string chunk = "Transfer-Encoding: chunked\r\n";
  static const std::vector<Case> cases = {
      {400, post + "Content-Length: 5\r\n" + chunk + "\r\n0\r\n\r\n"},
      {400, post + chunk + "Content-Length: 5\r\n\r\n0\r\n\r\n"},
      {400, post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
      {400, post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
      {400, post + "Content-Length: 5, 5\r\n\r\nhello"},
      {400, post + "Content-Length: +5\r\n\r\nhello"},
      {400, post + "Content-Length: -5\r\n\r\nhello"},
      {400, post + "Content-Length: 0x5\r\n\r\nhello"},
      {400, post + "Content-Length: 5 5\r\n\r\nhello"},
      {400, post + "Content-Length:\r\n\r\nhello"},
      {400, post + "Content-Length: 99999999999999999999999\r\n\r\nhello"},
      {400, post + "Content-Length : 5\r\n\r\nhello"},
      {501, post + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"},
      {501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {501, post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {400, post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
      {400, post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
      {400, post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n"},
      {400, post + "Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST /post HTTP/1.0\r\n" + chunk + "\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\ng\r\n"},
      {400, post + chunk + "\r\n 5\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n0x5\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n-5\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5\r\nhelloX\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5\r\nhello\n0\r\n\r\n"},
      {400, post + chunk + "\r\n10000000000000005\r\nhello"},
      {400, post + chunk + "\r\n5 0\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5 \r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5;\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5;;a\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5;=\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5;bad[=x\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5;a=\"b\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\n"},
      {400, post + chunk + "\r\n5;a\x80\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n\r\nhello\r\n0\r\n\r\n"},
      {400, post + chunk + "\r\n5\r\nhello\r\n0\r\nT: a\nb\r\n\r\n"},
  };
  return cases;
}

// Sends the bytes with an innocent request before and an evil one behind, in packets of `step` bytes.
void check_refused(Counting& counting, const Case& c, size_t step) {
  CAPTURE(c.bytes);
  CAPTURE(step);
  counting.good = 0;
  const std::string all = std::string(kGood) + c.bytes + std::string(kEvil) + std::string(kEvil);
  Client client(counting.server.port());
  for (size_t at = 0; at < all.size(); at += step) {
    if (!client.send(std::string_view(all).substr(at, step))) break;  // refused before its end
    if (step < all.size()) counting.server.turn();
  }
  const HttpResponse first = client.read_response();
  CHECK(first.body == "good");
  const HttpResponse refusal = client.read_response();
  CHECK(refusal.status == c.status);
  CHECK(refusal.closes());
  CHECK(client.read_to_end());
  CHECK(client.in().empty());
  CHECK(counting.good == 1);
}

}  // namespace

TEST_CASE("http_bad_input: malformed heads are refused, what came before them is answered, nothing behind them runs") {
  Counting counting;
  for (const Case& c : malformed()) check_refused(counting, c, SIZE_MAX);
  for (const Case& c : malformed()) check_refused(counting, c, 9);
  CHECK(counting.evil == 0);
  CHECK(counting.posts == 0);
  CHECK(counting.server.stats().bad_requests == 2 * malformed().size());
  CHECK(counting.server.wait_for_connections(0));
}

TEST_CASE("http_bad_input: framing that two parsers could read in two ways is refused") {
  Counting counting;
  for (const Case& c : smuggling()) check_refused(counting, c, SIZE_MAX);
  for (const Case& c : smuggling()) check_refused(counting, c, 11);
  CHECK(counting.evil == 0);
  CHECK(counting.posts == 0);
  CHECK(counting.server.wait_for_connections(0));
}

TEST_CASE("http_bad_input: a body is never taken for a request") {
  Counting counting;
  Client client(counting.server.port());
  const std::string evil(kEvil);
  const std::string length = std::to_string(evil.size());
  CHECK(client.request("POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: " + length + "\r\n\r\n" + evil).body == evil);
  CHECK(client.request("GET /good HTTP/1.1\r\nHost: t\r\nContent-Length: " + length + "\r\n\r\n" + evil).body ==
        "good");
  CHECK(client.request("PUT /none HTTP/1.1\r\nHost: t\r\nContent-Length: " + length + "\r\n\r\n" + evil).status == 404);
  CHECK(client.get("/good").body == "good");
  CHECK(counting.evil == 0);
}

TEST_CASE("http_bad_input: a malformed second request after a deferred one is refused only after the answer") {
  std::atomic<int> evil = 0;
  std::atomic<bool> deferred = false;
  Response* kept = nullptr;
  TestServer server([&](App& app) {
    app.get("/later", [&](Request&, Response& res) { kept = new Response(res.defer()); deferred = true; });
    app.get("/evil", [&](Request&, Response& res) { evil++; res.send("evil"); });
  });
  Client client(server.port());
  REQUIRE(client.send("GET /later HTTP/1.1\r\nHost: t\r\n\r\nBAD\r\n\r\n" + std::string(kEvil)));
  REQUIRE(eventually([&] { return deferred.load(); }));
  server.turn();
  CHECK(client.stays_silent(milliseconds(20)));
  kept->send("first");
  CHECK(client.read_response().body == "first");
  CHECK(client.read_response().status == 400);
  CHECK(client.read_to_end());
  CHECK(client.in().empty());
  CHECK(evil == 0);
  delete kept;
}

TEST_CASE("http_bad_input: a refusal is read by a client that half-closed, and by one that sends on") {
  Counting counting;
  {
    Client client(counting.server.port());
    REQUIRE(client.send("BAD\r\n\r\n"));
    client.shutdown_sending();
    CHECK(client.read_response().status == 400);
    CHECK(client.closed_by_peer());
  }
  {
    Client client(counting.server.port());
    REQUIRE(client.send("BAD\r\n\r\n"));
    counting.server.turn();
    client.send(std::string(50'000, 'x'));
    CHECK(client.read_response().status == 400);
    CHECK(client.read_to_end());
  }
  CHECK(counting.server.wait_for_connections(0));
}

TEST_CASE("http_bad_input: large answers before a refusal arrive whole") {
  const std::string large(4'000'000, 'x');
  TestServer server([&](App& app) { app.get("/large", [&](Request&, Response& res) { res.send(large); }); });
  Client client(server.port(), {.receive_buffer_bytes = 8192});
  REQUIRE(client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\nGET /large HTTP/1.1\r\nHost: t\r\n\r\nBAD\r\n\r\n"));
  CHECK(client.read_response().body == large);
  CHECK(client.read_response().body == large);
  CHECK(client.read_response().status == 400);
}

TEST_CASE("http_bad_input: a handshake that brings a body, in one piece and in two") {
  TestServer server([](App& app) {
    app.ws("/ws", {.message = [](WebSocket ws, const Message& message) { ws.send(message); }});
    app.get("/good", [](Request&, Response& res) { res.send("good"); });
  });
  const std::string handshake =
      "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::string frame("\x81\x82\0\0\0\0hi", 8);
  for (const std::string framed : {"Content-Length: 5\r\n\r\n|hello",
                                   "Transfer-Encoding: chunked\r\n\r\n|5\r\nhello\r\n0\r\n\r\n"}) {
    for (const bool in_one : {true, false}) {
      CAPTURE(framed);
      CAPTURE(in_one);
      const size_t bar = framed.find('|');
      Client client(server.port());
      REQUIRE(client.send(handshake + framed.substr(0, bar) + (in_one ? framed.substr(bar + 1) : "")));
      server.turn();
      if (!in_one) client.send(framed.substr(bar + 1));
      const HttpResponse response = client.read_response();
      CHECK((response.status == 101 || response.status == 400));
      if (response.status != 101) continue;
      REQUIRE(client.send(frame));  // the body is not taken for frames
      CHECK(client.read_bytes(4));
      CHECK(client.in() == "\x81\x02hi");
    }
  }
  Client client(server.port());
  CHECK(client.get("/good").body == "good");
}
