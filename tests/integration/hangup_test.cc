// A connection that ends with something still unread on both sides, over a kernel of our own: what came before the end
// counts, whatever is waiting to be written.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <vector>

#include "support/fake_kernel.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

TEST_CASE("hang-up: a last message and a Close are read before the broken connection is written to") {
  FakeKernel kernel;
  std::vector<std::string> heard;
  App app;
  app.ws("/", {.message =
                   [&](WebSocket ws, const Message& m) {
                     heard.emplace_back(m.text());
                     if (m.text() == "much") ws.send(std::string(20'000, 'm'));
                   },
               .close = [&](WebSocket, const CloseInfo& why) { heard.emplace_back(name_of(why.cause)); }});
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  const auto turn = [&] { for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0)); };
  peer.sends = ws_request("/");
  turn();
  peer.takes = 1000;
  peer.sends = ws_frame(kText, "much");
  turn();
  // The rest of the answer waits. The peer says two things more and is gone, both ways.
  peer.sends = ws_frame(kText, "last") + ws_frame(kClose, close_payload(1000));
  peer.ended = peer.hung_up = true;
  turn();
  CHECK(heard == std::vector<std::string>{"much", "last", "peer_close"});
}

TEST_CASE("hang-up: a WebSocket that fails while its input was held hears the peer's Close") {
  FakeKernel kernel;
  CloseCause cause = CloseCause::drain;
  App app;
  WebSocket socket;
  app.ws("/", {.message =
                   [&](WebSocket ws, const Message& m) {
                     socket = ws;
                     ws.send(m);
                   },
               .close = [&](WebSocket, const CloseInfo& why) { cause = why.cause; },
               .options = {.max_unsent_bytes = 4000}});
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  const auto turn = [&] { for (int i = 0; i < 4; i++) app.poll_once(milliseconds(0)); };
  peer.sends = ws_request("/");
  turn();
  peer.takes = 0;
  for (int i = 0; i < 10; i++) peer.sends += ws_frame(kText, std::string(1000, 'x'));
  turn();  // most of it is held, and reading is off
  socket.send(std::string(5000, 'y'));
  socket.send("one too many");  // the policy closes it
  peer.takes = SIZE_MAX;
  turn();
  peer.sends += ws_frame(kClose, close_payload(1008));
  turn();
  peer.ended = true;
  turn();
  CHECK(peer.closed);
  CHECK(cause == CloseCause::slow_consumer);
  CHECK(app.stats().open_connections == 0);
}

TEST_CASE("hang-up: a send that finds the connection broken answers closed, and counts no dropped message") {
  FakeKernel kernel;
  WebSocket socket;
  CloseCause cause = CloseCause::drain;
  App app;
  app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; },
               .close = [&](WebSocket, const CloseInfo& why) { cause = why.cause; },
               .options = {.max_unsent_bytes = 4000}});
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  const auto turn = [&] { for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0)); };
  peer.sends = ws_request("/");
  turn();
  std::vector<SendStatus> statuses;
  app.post([&] {
    statuses.push_back(socket.send(std::string(4000, 'x')));
    peer.reset = true;
    statuses.push_back(socket.send("the limit is reached: it is written first, in vain"));
    statuses.push_back(socket.send("never"));
  });
  turn();
  CHECK(statuses == std::vector<SendStatus>{SendStatus::ok, SendStatus::closed, SendStatus::closed});
  CHECK(app.stats().messages_dropped == 0);
  CHECK(cause == CloseCause::peer_reset);
}

#endif  // MARTLET_SYS_EPOLL
