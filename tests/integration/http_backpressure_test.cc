// Clients that do not read: what waits for them is bounded, they are not read either, and once they read again every
// byte is right.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;
using namespace martlet::literals;

namespace {

constexpr size_t kKernelBytes = 12_MiB;  // what the socket buffers of both sides may swallow on loopback

// A body of this size that begins with its number, and whose other bytes depend on it too.
std::string numbered_body(size_t number, size_t size) {
  static const std::string text = [] {
    std::string all(30'000'100, '\0');
    for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<char>('a' + (i * 31 + i / 1009) % 26);
    return all;
  }();
  std::string body = std::to_string(number);
  return body.append(text, number % 97, size - body.size());
}

// Answers /s/<size> with a body that tells which request of its connection it answers.
void sized(App& app, std::atomic<size_t>& handled) {
  app.get("/s/:size", [&](Request& req, Response& res) {
    res.send(numbered_body(handled++, std::stoul(std::string(req.param("size")))));
  });
}

// Waits until the server has taken no request for a while; how many it took.
uint64_t settled_requests(TestServer& server) {
  uint64_t before = UINT64_MAX;
  uint64_t now = server.stats().requests;
  while (now != before) {
    before = now;
    std::this_thread::sleep_for(milliseconds(60));
    now = server.stats().requests;
  }
  return now;
}

}  // namespace

TEST_CASE("http_backpressure: a client that pipelines and never reads stops being read, then gets every byte") {
  for (const size_t size : {size_t{500}, size_t{20'000}, size_t{300'000}}) {
    CAPTURE(size);
    std::atomic<size_t> handled = 0;
    TestServer server([&](App& app) { sized(app, handled); });
    Client client(server.port(), {.receive_buffer_bytes = 16 * 1024});
    const std::string request = "GET /s/" + std::to_string(size) + " HTTP/1.1\r\nHost: t\r\n\r\n";
    const size_t wanted = std::max<size_t>(24'000'000 / size, 60);
    std::string requests;
    for (size_t i = 0; i < wanted; i++) requests += request;
    std::atomic<bool> reading = false;
    std::thread sender([&] {
      size_t sent = client.send_some(requests, milliseconds(200));
      eventually([&] { return reading.load(); }, milliseconds(30'000));
      client.send_some(std::string_view(requests).substr(sent), kPatience);
    });
    REQUIRE(server.wait_for_stats([](const Stats& s) { return s.requests > 0; }));
    const uint64_t taken = settled_requests(server);
    CHECK(taken < wanted);
    // In the server: 64 KiB, and one response above it.
    CHECK(taken * size < kKernelBytes + 64_KiB + size);
    CHECK(server.stats().open_connections == 1);
    reading = true;
    bool right = true;
    for (size_t i = 0; i < wanted && right; i++) right = client.read_response().body == numbered_body(i, size);
    CHECK(right);
    sender.join();
  }
}

TEST_CASE("http_backpressure: one response far above all limits leaves whole, at the reader's pace") {
  const std::string large = numbered_body(7, 30'000'000);
  TestServer server([&](App& app) {
    app.get("/large", [&](Request&, Response& res) { res.send(large); });
    app.get("/small", [](Request&, Response& res) { res.send("small"); });
  });
  Client slow(server.port(), {.receive_buffer_bytes = 16 * 1024});
  REQUIRE(slow.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\nGET /small HTTP/1.1\r\nHost: t\r\n\r\n"));
  Client other(server.port());
  for (int i = 0; i < 50; i++) REQUIRE(other.get("/small").body == "small");
  CHECK(slow.read_response().body == large);
  CHECK(slow.read_response().body == "small");
}

TEST_CASE("http_backpressure: 50 clients that do not read hold nobody up and lose nothing") {
  const std::string large = numbered_body(1, 600'000);
  TestServer server([&](App& app) {
    app.get("/large", [&](Request&, Response& res) { res.send(large); });
    app.get("/small", [](Request&, Response& res) { res.send("small"); });
  });
  std::vector<Client> stuck;
  for (int i = 0; i < 50; i++) {
    stuck.emplace_back(server.port(), ConnectOptions{.receive_buffer_bytes = 8192});
    for (int k = 0; k < 3; k++) REQUIRE(stuck.back().send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"));
  }
  Client other(server.port());
  for (int i = 0; i < 50; i++) REQUIRE(other.get("/small").body == "small");
  for (size_t i = 0; i < stuck.size(); i++) {
    if (i % 2) {
      stuck[i].reset();
      continue;
    }
    for (int k = 0; k < 3; k++) REQUIRE(stuck[i].read_response().body == large);
  }
  CHECK(server.wait_for_connections(26));
}

TEST_CASE("http_backpressure: a client that never reads and leaves is forgotten at once") {
  const std::string large = numbered_body(1, 20'000'000);
  TestServer server([&](App& app) { app.get("/large", [&](Request&, Response& res) { res.send(large); }); });
  for (const bool with_reset : {true, false}) {
    Client client(server.port(), {.receive_buffer_bytes = 8192});
    REQUIRE(client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(client.read_more(Clock::now() + kPatience));
    with_reset ? client.reset() : client.close();  // with unread bytes close() is a reset as well
    CHECK(server.wait_for_connections(0));
  }
}
