// on_finish and a peer who takes little, over a kernel of our own that decides how much.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "support/fake_kernel.h"

using namespace martlet;
using namespace martlet::test;

// A peer that asks on while answers wait for it, and takes them so slowly that the queue never runs empty.
TEST_CASE("http_finish: answers to a client that never takes all that waits do not pile up") {
  FakeKernel kernel;
  App app;
  size_t asked = 0, finished = 0, most = 0;
  const std::string body(1000, 'x');
  app.get("/", [&](Request&, Response& res) {
    res.on_finish([&](const Finished& f) { finished += !f.aborted; });
    most = std::max(most, ++asked - finished);
    res.send(body);
  });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.takes = 0;
  const std::string request = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  const auto turn = [&] {
    kernel.advance_ms(10);
    app.poll_once(milliseconds(0));
  };
  for (int n = 0; n < 10; n++) peer.sends += request, turn(), turn();
  REQUIRE(asked == 10);
  CHECK(finished == 0);
  for (int n = 0; n < 1500; n++) {
    peer.sends += request;
    peer.takes = 1100;  // a little less than an answer
    turn();
  }
  CHECK(asked == 1510);
  CHECK(peer.got.size() == 1'650'000);
  CHECK(most == 513);  // of one connection 512 wait, and one is being made
  CHECK(finished == 1510 - 512);
  peer.takes = SIZE_MAX;
  turn(), turn();
  CHECK(finished == 1510);
  app.close();
}

// The last answer of a connection that ends behind it, and a call of the system's that fails on the way: whoever did not get
// it whole is told so.
TEST_CASE("http_finish: an answer has left exactly when the kernel has it, whichever call fails") {
  int cut = 0;
  for (int n = 0; n < 8; n++) {
    CAPTURE(n);
    FakeKernel kernel;
    App app;
    std::optional<Response> later;
    std::optional<bool> aborted;
    app.get("/later", [&](Request&, Response& res) { later = res.defer(); });
    app.get("/last", [&](Request&, Response& res) {
      res.on_finish([&](const Finished& f) { aborted = f.aborted; });
      res.send("the last answer");
    });
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
    FakePeer& peer = kernel.connect(1);
    peer.sends = "GET /later HTTP/1.1\r\nHost: t\r\n\r\nGET /last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    peer.ended = true;
    for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
    REQUIRE(later);
    later->send("the first answer");
    kernel.fail_call(n, EPIPE);
    for (int i = 0; i < 5; i++) app.poll_once(milliseconds(0));
    if (aborted) CHECK(*aborted == (peer.got.find("the last answer") == std::string::npos));
    cut += aborted && *aborted;
    app.close();
  }
  CHECK(cut > 0);
}

#endif  // MARTLET_SYS_EPOLL
