// Request bodies by Content-Length and chunked, whole and in pieces, Expect: 100-continue, and the memory budget for
// bodies. What is too large is in limits_test.cc, what is malformed in http_bad_input_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;
using namespace martlet::literals;

namespace {

void echo_bodies(App& app) {
  app.post("/echo", [](Request& req, Response& res) { res.send(req.body()); });
  app.get("/after", [](Request&, Response& res) { res.send("after"); });
}

std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i++) text[i] = static_cast<char>('!' + (i * 7 + i / 251) % 90);
  return text;
}

std::string hex(size_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%zx", number);
  return text;
}

// The body as chunks of these sizes in turn.
std::string chunked(std::string_view body, std::vector<size_t> sizes) {
  std::string out;
  for (size_t i = 0; !body.empty(); i++) {
    const size_t n = std::min(sizes[i % sizes.size()], body.size());
    out.append(hex(n)).append("\r\n").append(body.substr(0, n)).append("\r\n");
    body.remove_prefix(n);
  }
  return out + "0\r\n\r\n";
}

constexpr std::string_view kChunkedHead = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kAfter = "GET /after HTTP/1.1\r\nHost: t\r\n\r\n";

}  // namespace

TEST_CASE("http_body: Content-Length bodies of all sizes, the connection goes on behind each") {
  TestServer server(echo_bodies, {.app = {.max_body_bytes = 4_MiB}});
  Client client(server.port());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, size_t{65'000}, 64_KiB - 1, 64_KiB, 64_KiB + 1,
                            size_t{200'000}, 512_KiB, 1_MiB, 4_MiB}) {
    CAPTURE(size);
    const std::string body = pattern(size);
    const HttpResponse response = client.post("/echo", body);
    CHECK(response.status == 200);
    CHECK(response.body == body);
    CHECK(client.get("/after").body == "after");
  }
}

TEST_CASE("http_body: chunked bodies of all sizes and cuts") {
  TestServer server(echo_bodies, {.app = {.max_body_bytes = 4_MiB}});
  Client client(server.port());
  const std::vector<std::vector<size_t>> cuts = {{1, 2, 3}, {4096}, {1, 65'536, 15}, {10'000'000}};
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, 64_KiB, size_t{200'000}, 2_MiB}) {
    for (const auto& sizes : cuts) {
      if (size / sizes[0] > 100'000) continue;
      CAPTURE(size);
      CAPTURE(sizes[0]);
      const std::string body = pattern(size);
      const HttpResponse response = client.request(std::string(kChunkedHead) + chunked(body, sizes));
      CHECK(response.status == 200);
      CHECK(response.body == body);
    }
  }
  CHECK(client.get("/after").body == "after");
}

TEST_CASE("http_body: extensions and trailers are read over, sizes may be upper case and have zeros before them") {
  TestServer server(echo_bodies);
  Client client(server.port());
  const HttpResponse response = client.request(
      std::string(kChunkedHead) + "000A;a=1;b=\"2\"\r\n0123456789\r\nf;x\r\nabcdefghijklmno\r\n0;last\r\n"
      "X-Trailer: one\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n");
  CHECK(response.body == "0123456789abcdefghijklmno");
  CHECK(client.get("/after").body == "after");
}

TEST_CASE("http_body: a Content-Length request split at every byte, with another behind it") {
  TestServer server(echo_bodies);
  const std::string bytes =
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nyz" + std::string(kAfter);
  for (size_t cut = 1; cut < bytes.size(); cut++) {
    CAPTURE(cut);
    Client client(server.port());
    REQUIRE(client.send(std::string_view(bytes).substr(0, cut)));
    server.turn();
    REQUIRE(client.send(std::string_view(bytes).substr(cut)));
    CHECK(client.read_response().body == "hello\r\n\r\nyz");
    CHECK(client.read_response().body == "after");
  }
}

TEST_CASE("http_body: a chunked request split at every byte, with another behind it") {
  TestServer server(echo_bodies);
  const std::string bytes =
      std::string(kChunkedHead) + "5;e=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n" + std::string(kAfter);
  for (size_t cut = 1; cut < bytes.size(); cut++) {
    CAPTURE(cut);
    Client client(server.port());
    REQUIRE(client.send(std::string_view(bytes).substr(0, cut)));
    server.turn();
    REQUIRE(client.send(std::string_view(bytes).substr(cut)));
    CHECK(client.read_response().body == "hello0123456789");
    CHECK(client.read_response().body == "after");
  }
}

TEST_CASE("http_body: requests that drip in byte by byte") {
  TestServer server(echo_bodies);
  Client client(server.port());
  const std::string bytes = std::string(kAfter) + std::string(kChunkedHead) + "3\r\nabc\r\n0\r\n\r\n" +
                            "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nxyz";
  for (const char c : bytes) {
    REQUIRE(client.send({&c, 1}));
    server.turn();
  }
  CHECK(client.read_response().body == "after");
  CHECK(client.read_response().body == "abc");
  CHECK(client.read_response().body == "xyz");
}

TEST_CASE("http_body: a body on GET and on an unmatched route is taken off the connection") {
  TestServer server(echo_bodies);
  Client client(server.port());
  const std::string evil = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nevil";
  CHECK(client.request("GET /after HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(evil.size()) + "\r\n\r\n" +
                       evil).body == "after");
  CHECK(client.post("/none", evil).status == 404);
  CHECK(client.get("/after").body == "after");
  CHECK(server.stats().requests == 3);
}

TEST_CASE("http_body: Expect: 100-continue is answered before the body comes, once") {
  TestServer server(echo_bodies);
  Client client(server.port());
  for (const std::string framing : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    CAPTURE(framing);
    REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\n" + framing + "\r\n"));
    REQUIRE(client.read_until("\r\n\r\n"));
    CHECK(client.take(client.in().size()) == "HTTP/1.1 100 Continue\r\n\r\n");
    REQUIRE(client.send(framing[0] == 'C' ? "hel" : "3\r\nhel\r\n"));
    server.turn();
    REQUIRE(client.send(framing[0] == 'C' ? "lo" : "2\r\nlo\r\n0\r\n\r\n"));
    const HttpResponse response = client.read_response();
    CHECK(response.status == 200);
    CHECK(response.body == "hello");
  }
  CHECK(client.in().empty());
}

TEST_CASE("http_body: Expect: 100-continue waits its turn behind earlier answers") {
  TestServer server(echo_bodies);
  Client client(server.port());
  REQUIRE(client.send(std::string(kAfter) +
                      "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  CHECK(client.read_response().body == "after");
  CHECK(client.read_response().status == 100);
  REQUIRE(client.send("ok"));
  CHECK(client.read_response().body == "ok");
}

// RFC 9110 §10.1.1: a 100 or a final status, at once; a client may wait for it for ever.
TEST_CASE("http_body: Expect: 100-continue without a route gets its 404 without waiting for the body") {
  TestServer server(echo_bodies);
  Client client(server.port());
  REQUIRE(client.send("POST /none HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
  const HttpResponse response = client.read_response(false, milliseconds(3000));
  CHECK(response.status == 404);
}

TEST_CASE("http_body: Expect: 100-continue for what no route takes gets the answer that it gets without") {
  TestServer server([](App& app) {
    app.post("/echo", [](Request& req, Response& res) { res.send(req.body()); });
    app.get("/only-get/:id", [](Request&, Response& res) { res.send("got"); });
  });
  const auto ask = [&](std::string_view line) {
    Client client(server.port());
    REQUIRE(client.send(std::string(line) + " HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    const HttpResponse response = client.read_response(false, milliseconds(3000));
    CHECK(response.closes());
    CHECK(client.send("bytes"));
    client.shutdown_sending();
    CHECK(client.closed_by_peer());
    return response;
  };
  CHECK(ask("PUT /only-get/1").status == 405);
  CHECK(ask("PUT /only-get/1").field("allow") == "OPTIONS, GET, HEAD");
  CHECK(ask("PUT /echo").field("allow") == "OPTIONS, POST");
  CHECK(ask("POST /echo/../x").status == 400);
  CHECK(ask("BREW /echo").status == 501);
  CHECK(ask("PUT /nothing").status == 404);
}

TEST_CASE("http_body: Expect: 100-continue over the limit is 413 at once, unknown expectations 417, HTTP/1.0 none") {
  TestServer server(echo_bodies, {.app = {.max_body_bytes = 1000}});
  {
    Client client(server.port());
    REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n"));
    CHECK(client.read_response().status == 413);
    CHECK(client.closed_by_peer());
  }
  {
    Client client(server.port());
    REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: the-unexpected\r\nContent-Length: 1\r\n\r\n"));
    CHECK(client.read_response().status == 417);
  }
  {
    Client client(server.port());
    REQUIRE(client.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    server.turn();
    REQUIRE(client.send("ok"));
    const HttpResponse response = client.read_response();
    CHECK(response.status == 200);
    CHECK(response.body == "ok");
  }
  {
    Client client(server.port());  // nothing to wait for: a 100 would only be in the way
    CHECK(client.post("/echo", "", "Expect: 100-continue\r\n").status == 200);
  }
}

TEST_CASE("http_body: bodies beyond the receive budget get 503, and the budget comes back") {
  TestServer server(echo_bodies, {.app = {.max_body_bytes = 1_MiB, .receive_budget_bytes = 400_KiB}});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 300000\r\n\r\n";
  const std::string body = pattern(300'000);
  for (int round = 0; round < 3; round++) {
    CAPTURE(round);
    Client first(server.port());
    Client second(server.port());
    Client chunks(server.port());
    REQUIRE(first.send(head + body.substr(0, 299'000)));
    for (int i = 0; i < 5; i++) server.turn();
    second.send(head + body.substr(0, 299'000));  // it may be refused while it still sends
    CHECK(second.read_response().status == 503);
    chunks.send(std::string(kChunkedHead) + chunked(body, {5000}));
    CHECK(chunks.read_response().status == 503);
    Client small(server.port());
    CHECK(small.post("/echo", "small").body == "small");
    if (round == 1) {
      first.reset();  // given up: its share is free again
      REQUIRE(server.wait_for_stats([](const Stats& s) { return s.open_connections <= 3; }));
      continue;
    }
    REQUIRE(first.send(body.substr(299'000)));
    CHECK(first.read_response().body == body);
  }
}

TEST_CASE("http_body: a body that is announced with more than the whole budget is refused before it comes") {
  TestServer server(echo_bodies, {.app = {.max_body_bytes = 1_MiB, .receive_budget_bytes = 400_KiB}});
  Client client(server.port());
  REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 500000\r\n\r\n"));
  CHECK(client.read_response().status == 503);
}

TEST_CASE("http_body: many bodies arrive at the same time, interleaved") {
  TestServer server(echo_bodies);
  std::vector<Client> clients;
  std::vector<std::string> bodies;
  for (size_t i = 0; i < 30; i++) {
    clients.emplace_back(server.port());
    bodies.push_back(pattern(1000 + i * 5000));
    std::string head(kChunkedHead);
    if (i % 2 == 0) {
      head = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(bodies[i].size()) + "\r\n\r\n";
    }
    bodies[i][0] = static_cast<char>('a' + i % 26);
    REQUIRE(clients[i].send(head));
  }
  for (size_t at = 0; at < 200'000; at += 7000) {
    for (size_t i = 0; i < clients.size(); i++) {
      if (at >= bodies[i].size()) continue;
      const std::string piece = bodies[i].substr(at, 7000);
      REQUIRE(clients[i].send(i % 2 ? hex(piece.size()) + "\r\n" + piece + "\r\n" : piece));
    }
  }
  for (size_t i = 1; i < clients.size(); i += 2) REQUIRE(clients[i].send("0\r\n\r\n"));
  for (size_t i = 0; i < clients.size(); i++) CHECK(clients[i].read_response().body == bodies[i]);
}
