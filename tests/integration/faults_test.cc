// Faults of the kernel: short reads and writes of every size, calls that would block, calls that fail. Each scenario of
// support/fault_scenarios.h is played with one fault at every place in turn. Who is not hit gets all that it gets without
// the fault, who is hit gets the beginning of it, and afterwards the server is up and nothing is left.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <cerrno>
#include <string>

#include "support/fault_scenarios.h"

using namespace martlet;
using namespace martlet::test;

namespace {

struct Quiet {  // what is logged of faults is no news
  LogLevel before = log_level();
  Quiet() { set_log_level(LogLevel::off); }
  ~Quiet() { set_log_level(before); }
};

void check(const Scenario& scenario, const Fault& fault, const Texts& wanted) {
  CAPTURE(fault.piece);
  const Outcome outcome = play(scenario, fault, &wanted);
  CHECK(outcome.wrong == "");
}

// Fails every call in turn.
int fail_each_call(const Scenario& scenario, int error, size_t piece = SIZE_MAX) {
  const Outcome clean = play(scenario);
  for (int n = 0;; n++) {
    REQUIRE(n < 5000);
    CAPTURE(n);
    const Outcome outcome = play(scenario, {.call = n, .error = error, .piece = piece}, &clean.got);
    CHECK(outcome.wrong == "");
    if (!outcome.used) return n;
  }
}

}  // namespace

TEST_CASE("faults: without one every scenario gives what it should, and the same again") {
  const Quiet quiet;
  for (const Scenario& scenario : fault_scenarios()) {
    CAPTURE(std::string(scenario.name));
    const Outcome clean = play(scenario);
    CHECK(clean.wrong == "");
    check(scenario, {}, clean.got);
  }
}

TEST_CASE("faults: reads and writes of every size") {
  const Quiet quiet;
  for (const Scenario& scenario : fault_scenarios()) {
    CAPTURE(std::string(scenario.name));
    const Outcome clean = play(scenario);
    const bool large = scenario.name.starts_with("large") || scenario.name == "room";
    for (size_t piece = 1; piece <= 64; piece++) {
      if (!large || piece == 7 || piece == 64) check(scenario, {.piece = piece}, clean.got);
    }
    for (const size_t piece : {100u, 125u, 126u, 127u, 1000u, 1448u, 4096u, 16384u, 65535u, 65536u, 99'999u}) {
      check(scenario, {.piece = piece}, clean.got);
    }
  }
}

TEST_CASE("faults: every second call would block") {
  const Quiet quiet;
  for (const Scenario& scenario : fault_scenarios()) {
    CAPTURE(std::string(scenario.name));
    const Outcome clean = play(scenario);
    for (const size_t piece : {size_t{3}, size_t{50}, size_t{1000}, SIZE_MAX}) {
      if (piece == 3 && scenario.name.starts_with("large")) continue;
      check(scenario, {.piece = piece, .hesitate = true}, clean.got);
    }
  }
}

TEST_CASE("faults: every call fails once, with every error") {
  const Quiet quiet;
  for (const Scenario& scenario : fault_scenarios()) {
    CAPTURE(std::string(scenario.name));
    int plays = 0;
    for (const int error : {EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNRESET, EPIPE, ECONNABORTED, ETIMEDOUT}) {
      CAPTURE(error);
      plays += fail_each_call(scenario, error);
    }
    CHECK(plays > 10 * 20);
  }
}

TEST_CASE("faults: every call fails once, while reads and writes are short") {
  const Quiet quiet;
  for (const Scenario& scenario : fault_scenarios()) {
    CAPTURE(std::string(scenario.name));
    const bool large = scenario.name.starts_with("large") || scenario.name == "room";
    for (const int error : {EAGAIN, EINTR, ENOBUFS, ECONNRESET}) {
      CAPTURE(error);
      fail_each_call(scenario, error, large ? 3000 : 40);
    }
  }
}

// Reading was off, as much was held, when the answer came that ends the session: what still comes would be thrown away.
TEST_CASE("faults: a connection that cannot be read on when its session has ended is closed, once, and takes no place") {
  FakeKernel kernel;
  static bool refuses;
  static sys::Syscalls fake;
  refuses = false;
  fake = sys::syscalls;
  sys::syscalls.epoll_ctl = [](int poller, int operation, int fd, epoll_event* event) {
    if (!refuses || operation != EPOLL_CTL_MOD) return fake.epoll_ctl(poller, operation, fd, event);
    errno = ENOMEM;
    return -1;
  };
  std::vector<Response> later;
  App app({.max_discarding = 1});
  app.get("/", [&](Request&, Response& res) { later.push_back(res.defer()); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  const auto turns = [&] { for (int i = 0; i < 5; i++) app.poll_once(milliseconds(0)); };
  const auto refuse = [&](int peer, bool in_vain) {
    kernel.connect(peer).sends = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n" + std::string(200'000, 'x');
    turns();
    REQUIRE(!later.empty());
    CHECK(!kernel.find(peer)->sends.empty());  // it is not read on
    refuses = in_vain;
    for (const Response& one : later) one.status(401).send("no");
    later.clear();
    turns();
    refuses = false;
  };
  for (int peer = 1; peer <= 300; peer++) {
    refuse(peer, true);
    CHECK(kernel.find(peer)->closed);
  }
  CHECK(app.stats().open_connections == 0);
  CHECK(kernel.open_sockets() == 0);
  refuse(1000, false);
  CHECK(kernel.find(1000)->got.find(" 401 ") != std::string::npos);
  CHECK(!kernel.find(1000)->closed);
  CHECK(kernel.find(1000)->sends.empty());  // thrown away
  kernel.find(1000)->ended = true;
  turns();
  CHECK(kernel.find(1000)->closed);
}

TEST_CASE("faults: a ping that leaves in two writes is no sign of life") {
  FakeKernel kernel;
  CloseCause cause = CloseCause::drain;
  App app;
  app.ws("/", {.close = [&](WebSocket, const CloseInfo& why) { cause = why.cause; },
               .options = {.heartbeat_interval = milliseconds(1000), .heartbeat_timeout = milliseconds(3000)}});
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.sends = ws_request("/");
  peer.piece = 1;
  for (int i = 0; i < 1000; i++) app.poll_once(milliseconds(0));  // the handshake, byte by byte
  REQUIRE(app.stats().open_websockets == 1);
  for (int ms = 0; ms < 3500; ms += 10) {
    app.poll_once(milliseconds(0));
    kernel.advance_ms(10);
  }
  CHECK(cause == CloseCause::heartbeat_timeout);
}

#endif
