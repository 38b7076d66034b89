// Listeners that speak the PROXY protocol: whom they believe, what they cut, and that what follows the header is served.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>

#include "support/client.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void tell(App& app) {
  app.get("/", [](Request& req, Response& res) {
    std::string all = req.ip();
    for (const std::string& ip : req.ips()) all += " <" + ip;
    res.send(all);
  });
  app.ws("/ws", {.message = [](WebSocket ws, const Message&) { ws.send(ws.ip()); }});
}

TestServerOptions proxied(TrustedProxies proxies = "loopback") {
  TestServerOptions options;
  options.app.trusted_proxies = std::move(proxies);
  options.listen.proxy_protocol = true;
  return options;
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kV1 = "PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n";
const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// Version 2, with these bytes behind the first fourteen.
std::string v2(uint8_t command, uint8_t family, std::string_view rest) {
  std::string header = kSignature;
  header += static_cast<char>(0x20 | command);
  header += static_cast<char>(family);
  header += static_cast<char>(rest.size() >> 8);
  header += static_cast<char>(rest.size() & 0xFF);
  return header.append(rest);
}
const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01" + std::string(16, '\1') + "\x11\x11\x22\x22";

std::string answer_to(uint16_t port, const std::string& bytes) {
  Client client(port);
  client.send(bytes + kGet);
  return client.read_response().body;
}

}  // namespace

TEST_CASE("http_proxy_protocol: the client is who the header says, whole or byte by byte") {
  TestServer server(tell, proxied());
  const std::pair<std::string, const char*> rows[] = {
      {kV1, "203.0.113.7"}, {"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", "2001:db8::1"}, {"PROXY UNKNOWN\r\n", "127.0.0.1"}, {"PROXY UNKNOWN what ever\r\n", "127.0.0.1"},
      {v2(1, 0x11, std::string("\xCB\x00\x71\x07\xC6\x33\x64\x01\x11\x11\x22\x22", 12)), "203.0.113.7"}, {v2(1, 0x21, kV6), "2001:db8::1"},
      {v2(0, 0x00, ""), "127.0.0.1"}, {v2(0, 0x11, std::string(12, '\0')), "127.0.0.1"}, {v2(1, 0x31, std::string(216, '\0')), ""},
      {v2(1, 0x21, kV6 + std::string("\x04\x01\xE1", 3) + std::string(481, 'x')), "2001:db8::1"},  // 536 bytes: the longest
  };
  for (const auto& row : rows) {
    const std::string header = row.first;
    const std::string ip = row.second;
    CAPTURE(ip);
    CHECK(answer_to(server.port(), header) == ip);
    Client split(server.port());
    for (const char c : header) {
      split.send({&c, 1});
      server.turn();
    }
    CHECK(split.request(kGet).body == ip);
    CHECK(split.request(kGet).body == ip);  // of the connection, not of a request
  }
  CHECK(server.stats().bad_requests == 0);
}

TEST_CASE("http_proxy_protocol: who is no trusted proxy, and what is no header, is cut without an answer") {
  {
    TestServer server(tell, proxied("10.0.0.0/8"));
    Client client(server.port());
    client.send(kV1 + kGet);
    client.read_to_end();
    CHECK(client.in().empty());
    CHECK(server.wait_for_stats([](const Stats& s) { return s.bad_requests == 1; }));
  }
  TestServer server(tell, proxied());
  const std::string long_v1 = "PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n";
  CHECK(long_v1.size() == 107);
  CHECK(answer_to(server.port(), long_v1) == "127.0.0.1");
  const std::string rows[] = {"", "GET / HTTP/1.1\r\n", "PROXY TCP4 203.0.113.7 198.51.100.1 56324\r\n", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "proxy UNKNOWN\r\n",
                              "PROXY UNKNOWN " + std::string(107 - 15, 'x') + "\r\n", v2(2, 0x11, std::string(12, '\0')), v2(1, 0x11, "short"),
                              v2(1, 0x21, kV6 + std::string("\x04\x01\xE2", 3) + std::string(482, 'x'))};
  uint64_t cut = 0;
  for (const std::string& row : rows) {
    CAPTURE(row);
    Client client(server.port());
    client.send(row + kGet);
    client.read_to_end();
    CHECK(client.in().empty());
    cut++;
    CHECK(server.wait_for_stats([&](const Stats& s) { return s.bad_requests == cut; }));
  }
  CHECK(answer_to(server.port(), kV1) == "203.0.113.7");
}

TEST_CASE("http_proxy_protocol: who sends nothing, or half a header, is cut in time; a drain does not wait for it") {
  TestServerOptions options = proxied();
  options.app.head_timeout = milliseconds(60);
  for (const std::string& some : {std::string(), kV1.substr(0, 20), kSignature}) {
    TestServer server(tell, options);
    Client client(server.port());
    client.send(some);
    CHECK(client.closed_by_peer());
    Client half(server.port());
    half.send(kV1);  // from here on it is HTTP's time
    CHECK(half.closed_by_peer());
    Client ends(server.port());
    ends.send(some);
    ends.shutdown_sending();
    CHECK(ends.closed_by_peer());
  }
  TestServer server(tell, proxied());
  Client client(server.port());
  CHECK(server.wait_for_connections(1));
  const auto before = Clock::now();
  server.app().drain({.deadline = std::chrono::seconds(8)});
  CHECK(server.wait_until_over() == 0);
  CHECK(Clock::now() - before < std::chrono::seconds(4));
}

TEST_CASE("http_proxy_protocol: the named client counts as the peer whose fields are believed, or not") {
  TestServer server(tell, proxied("loopback, 203.0.113.7"));
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n";
  Client inner(server.port());
  inner.send(kV1);
  CHECK(inner.request(get).body == "6.6.6.6 <6.6.6.6");
  Client stranger(server.port());
  stranger.send("PROXY TCP4 203.0.113.8 198.51.100.1 56324 443\r\n");
  CHECK(stranger.request(get).body == "203.0.113.8");
  stranger.close();
  Client itself(server.port());  // in a slot that has had a name
  itself.send("PROXY UNKNOWN\r\n");
  CHECK(itself.request(get).body == "6.6.6.6 <6.6.6.6");
}

TEST_CASE("http_proxy_protocol: pipelined requests and a handshake behind the header are served") {
  TestServer server(tell, proxied());
  Client client(server.port());
  client.send(kV1 + kGet + kGet + "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
              std::string("\x81\x80\0\0\0\0", 6));
  CHECK(client.read_response().body == "203.0.113.7");
  CHECK(client.read_response().body == "203.0.113.7");
  CHECK(client.read_response().status == 101);
  CHECK(client.read_bytes(13));
  CHECK(client.take(13) == "\x81\x0b" "203.0.113.7");
}

TEST_CASE("http_proxy_protocol: it needs somebody to trust") {
  App app;
  CHECK(!app.listen({.host = "127.0.0.1", .proxy_protocol = true}));
  CHECK(app.listen("127.0.0.1", 0));
  Server server({.host = "127.0.0.1", .proxy_protocol = true, .workers = 2});
  CHECK(server.start(tell).message().find("trusted_proxies") != std::string::npos);
}

TEST_CASE("http_proxy_protocol: on all workers of a Server, those that are given their connections, too") {
  for (const Balance balance : {Balance::kernel, Balance::even}) {
    ServerOptions options;
    options.app.trusted_proxies = "loopback";
    options.balance = balance;
    options.host = "127.0.0.1";
    options.proxy_protocol = true;
    options.workers = 3;
    Server server(options);
    REQUIRE(!server.start(tell));
    std::vector<Client> clients;
    for (int i = 0; i < 12; i++) {
      clients.emplace_back(server.port());
      clients.back().send(kV1);
      CHECK(clients.back().request(kGet).body == "203.0.113.7");
    }
    server.close();
    CHECK(server.wait({.handle_signals = false}) == 0);
  }
}
