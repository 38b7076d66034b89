// The pace of HTTP connections, over a kernel of our own, which decides what has come, what the client takes and what
// time it is: when a connection is idle, and how much of a flood is taken in.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <string>

#include "support/fake_kernel.h"

using namespace martlet;
using namespace martlet::test;

TEST_CASE("http pace: a client is idle from when it has its answer, not from when that was given") {
  FakeKernel kernel;
  App app;
  app.get("/large", [](Request&, Response& res) { res.send(std::string(100'000, 'x')); });
  app.get("/", [](Request&, Response& res) { res.send("up"); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  const auto wait = [&](uint64_t ms) {
    kernel.advance_ms(ms);
    for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
  };
  FakePeer& peer = kernel.connect(1);
  peer.takes = 1000;
  peer.sends = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  wait(0);
  for (int i = 0; i < 4; i++) {  // two minutes, with some progress
    peer.takes = 1000;
    wait(31'000);
  }
  peer.takes = SIZE_MAX;
  wait(0);
  REQUIRE(peer.got.size() > 100'000);
  wait(55'000);
  REQUIRE_FALSE(peer.closed);
  peer.got.clear();
  peer.sends = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  wait(0);
  CHECK(peer.got.ends_with("up"));
  wait(55'000);
  CHECK_FALSE(peer.closed);
  wait(10'000);
  CHECK(peer.closed);
}

TEST_CASE("http pace: of a flood of requests no more is held than one read gives, and all are answered in order") {
  FakeKernel kernel;
  App app;
  size_t handled = 0;
  app.get("/", [&](Request&, Response& res) { res.send(std::to_string(handled++)); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  const std::string request = "GET / HTTP/1.1\r\nHost:\r\n\r\n";
  constexpr size_t kRequests = 100'000;
  FakePeer& peer = kernel.connect(1);
  for (size_t i = 0; i < kRequests; i++) peer.sends += request;
  size_t most_held = 0;
  for (int i = 0; i < 2000 && handled < kRequests; i++) {
    app.poll_once(milliseconds(0));
    const size_t taken = kRequests * request.size() - peer.sends.size();
    most_held = std::max(most_held, taken - handled * request.size());
  }
  CHECK(handled == kRequests);
  CHECK(most_held < 64 * 1024 + request.size());
  CHECK(peer.got.ends_with("\r\n\r\n99999"));
  CHECK_FALSE(peer.closed);
}

#endif  // MARTLET_SYS_EPOLL
