// Memory that runs out on the connection path: the Nth allocation fails, or all from the Nth on, for N = 0, 1, 2, …,
// in every scenario of support/fault_scenarios.h. One failure hits one connection at most (those that depend on it apart);
// what anybody gets is well-formed; and when there is memory again the server is up and nothing is left.
#if defined(__linux__) && !defined(MARTLET_POLLER_KQUEUE)  // the fake kernel has epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>

#include "support/fault_scenarios.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void fail_each_allocation(bool for_good) {
  const LogLevel before = log_level();
  set_log_level(LogLevel::off);
  for (const Scenario& scenario : fault_scenarios()) {
    CAPTURE(std::string(scenario.name));
    const Outcome clean = play(scenario);
    REQUIRE(clean.wrong == "");
    bool used = true;
    size_t n = 0;
    for (; used && n < 2000; n++) {
      CAPTURE(n);
      const Outcome outcome = play(scenario, {.allocation = n, .for_good = for_good}, &clean.got);
      CHECK(outcome.wrong == "");
      used = outcome.used;
    }
    CHECK(!used);
    CHECK(n > 10);
  }
  set_log_level(before);
}

}  // namespace

TEST_CASE("faults: rooms that are sent to and gone in the same turn keep no memory") {
  FailingAlloc memory;
  FakeKernel kernel;
  WebSocket socket;
  App app;
  app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; }});
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.sends = ws_request("/");
  for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
  const std::string text(30'000, 'x');
  long warm = 0;
  for (int i = 0; i < 200; i++) {
    CHECK(socket.join("room").send(text) == SendStatus::ok);
    socket.leave("room");
    app.poll_once(milliseconds(0));
    CHECK(peer.got.ends_with(text));
    peer.got.clear();
    if (i == 20) warm = FailingAlloc::held;
  }
  CHECK(FailingAlloc::held <= warm);
}

TEST_CASE("faults: every allocation fails once") { fail_each_allocation(false); }

TEST_CASE("faults: memory runs out at every allocation, and comes back") { fail_each_allocation(true); }

#endif
