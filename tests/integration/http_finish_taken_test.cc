// on_finish and a peer who takes little, over a kernel of our own that decides how much.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
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

#endif  // MARTLET_SYS_EPOLL
