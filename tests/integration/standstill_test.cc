// The loop's own time, over a kernel of our own that lets time pass: what the loop stood still is nobody's silence, and
// who is truly silent is still given up. With real processes: standstill_process_test.cc.
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

namespace {

constexpr uint64_t kHourMs = 3'600'000;
const std::string kAll = "1 2 3 4 5 6 7 ";
constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";

// One peer for each thing that may take too long, all begun at the same moment.
struct Town {
  enum Who { idle = 1, head, body, silent, closing, undecided, reader, other, first = idle, last = reader };

  FakeKernel kernel;
  App app;
  std::vector<Next> undecided_nexts;
  uint64_t begun_ms = 0;

  Town() {
    app.get("/", [](Request&, Response& res) { res.send("up"); });
    app.get("/large", [](Request&, Response& res) { res.send(std::string(1'000'000, 'x')); });
    app.get("/block", [this](Request&, Response& res) {
      kernel.advance_ms(kHourMs);
      res.send("at last");
    });
    app.post("/", [](Request&, Response& res) { res.send("taken"); });
    app.use("/undecided", [this](Request&, Response&, Next next) { undecided_nexts.push_back(std::move(next)); });
    app.ws("/undecided", {});
    app.ws("/", {.message = [](WebSocket ws, const Message&) { ws.close(); },
                 .options = {.heartbeat_interval = milliseconds(10'000), .heartbeat_timeout = milliseconds(25'000)}});
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
    say(reader, "GET /large HTTP/1.1\r\nHost: t\r\n\r\n").takes = 1000;
    say(idle, kGet);
    say(head, "GET / HTTP/1.1\r\nHo");
    say(body, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\n123");
    say(silent, ws_request("/"));
    say(closing, ws_request("/") + ws_frame(kText, "close"));
    say(undecided, ws_request("/undecided"));
    say(other, kGet);
    begun_ms = kernel.now_ms();
    turns();
    REQUIRE(peer(idle).got.ends_with("up"));
    REQUIRE(peer(closing).got.find("\x88") != std::string::npos);
    REQUIRE(undecided_nexts.size() == 1);
  }

  FakePeer& peer(int who) { return *kernel.find(who); }
  FakePeer& say(int who, std::string_view bytes) {
    if (!kernel.find(who)) kernel.connect(who);
    peer(who).sends += bytes;
    return peer(who);
  }
  void turns() {
    for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
  }
  // The loop runs for so long, as it should.
  void live(uint64_t ms) {
    const uint64_t until = kernel.now_ms() + ms;
    while (kernel.now_ms() < until) app.poll_once(milliseconds(until - kernel.now_ms()));
    turns();
  }
  // A poll that was to wait ends an hour late.
  void oversleep() {
    kernel.oversleep_ms(kHourMs);
    app.poll_once(milliseconds(-1));
    kernel.oversleep_ms(0);
  }
  bool is_served(int who) {
    const FakePeer& p = peer(who);
    return !p.closed && !p.server_ended && p.got.find(" 408 ") == std::string::npos;
  }
  std::string given_up() {
    std::string all;
    for (int who = first; who <= last; who++) all += is_served(who) ? "" : std::to_string(who) + " ";
    return all;
  }
};

}  // namespace

TEST_CASE("standstill: each peer has its time, not less and not much more, however often the loop stands still") {
  for (const bool blocks : {false, true}) {
    CAPTURE(blocks);
    Town town;
    uint64_t lived_ms = 0;
    const auto stand_still = [&] {
      if (blocks) {
        town.say(Town::other, "GET /block HTTP/1.1\r\nHost: t\r\n\r\n");
        town.app.poll_once(milliseconds(1));
      } else {
        town.oversleep();
      }
      town.turns();
    };
    struct Step {
      uint64_t lived_ms;
      std::string given_up;
    };
    // A tenth of a second of each standstill counts. Close 5 s; head, handshake and the body's rate 10 s; heartbeat 25 s; write 60 s; keep-alive 75 s.
    for (const Step& step : {Step{4'000, ""}, Step{6'000, "5 "}, Step{9'000, "5 "}, Step{11'500, "2 3 5 6 "},
                             Step{24'000, "2 3 5 6 "}, Step{27'000, "2 3 4 5 6 "}, Step{58'500, "2 3 4 5 6 "},
                             Step{62'500, "2 3 4 5 6 7 "}, Step{73'500, "2 3 4 5 6 7 "}, Step{78'000, kAll}}) {
      town.live(step.lived_ms - lived_ms);
      lived_ms = step.lived_ms;
      CHECK(town.given_up() == step.given_up);
      if (town.given_up() != kAll) stand_still();
      CHECK(town.given_up() == step.given_up);
    }
  }
}

TEST_CASE("standstill: who is silent is given up also where every poll ends late, and where every turn takes long") {
  for (const bool blocks : {false, true}) {
    CAPTURE(blocks);
    Town town;
    if (!blocks) town.kernel.oversleep_ms(500);
    town.app.every(milliseconds(200), [&] { town.kernel.advance_ms(blocks ? 300 : 0); });
    const uint64_t until = town.kernel.now_ms() + 1'000'000;
    while (!town.peer(Town::idle).closed && town.kernel.now_ms() < until) town.app.poll_once(milliseconds(-1));
    CHECK(town.given_up() == kAll);
  }
}

TEST_CASE("standstill: who owns the loop and comes back late ends nobody who was not the next one to be due") {
  Town town;
  town.kernel.advance_ms(kHourMs);  // between two turns
  town.turns();
  CHECK(std::string("5 ").starts_with(town.given_up()));
  town.live(9'000);
  CHECK(town.is_served(Town::silent));
  CHECK(town.is_served(Town::idle));
  town.live(80'000);
  CHECK(town.given_up() == kAll);
}

TEST_CASE("standstill: what has come counts before its sender is given up, also when the poll did not tell of it") {
  Town town;
  // Time comes to this moment, and the poll of that turn is interrupted, as by SIGCONT.
  const auto interrupted_at = [&](uint64_t ms) {
    town.live(town.begun_ms + ms - 60 - town.kernel.now_ms());
    REQUIRE(town.kernel.now_ms() == town.begun_ms + ms - 60);
    town.kernel.advance_ms(160);  // a wheel's tick more than there was left
    town.kernel.fail_call(0, EINTR);
  };
  const auto turn = [&] {
    town.app.poll_once(milliseconds(0));
    REQUIRE(town.kernel.failed());
  };
  interrupted_at(5'000);
  town.say(Town::closing, ws_frame(kClose, close_payload(1000)));
  turn();
  CHECK(town.peer(Town::closing).closed);  // in order: it had its say

  interrupted_at(10'000);
  town.say(Town::head, "st: t\r\n\r\n");
  town.say(Town::body, "4");
  turn();
  CHECK(town.peer(Town::head).got.ends_with("up"));
  CHECK(town.peer(Town::body).got.ends_with("taken"));
  CHECK_FALSE(town.is_served(Town::undecided));

  interrupted_at(25'000);
  town.say(Town::silent, ws_frame(kPong, ""));
  turn();
  CHECK(town.is_served(Town::silent));
  town.live(20'000);
  CHECK(town.is_served(Town::silent));
  town.live(6'000);
  CHECK_FALSE(town.is_served(Town::silent));

  interrupted_at(75'000);
  town.peer(Town::idle).got.clear();
  town.say(Town::idle, kGet);
  turn();
  CHECK(town.peer(Town::idle).got.ends_with("up"));
  town.live(70'000);
  CHECK(town.is_served(Town::idle));
  town.live(6'000);
  CHECK_FALSE(town.is_served(Town::idle));
}

TEST_CASE("standstill: a head that has come further, and is still not whole, has had its time") {
  Town town;
  town.live(9'940);
  town.kernel.advance_ms(160);
  town.kernel.fail_call(0, EINTR);
  town.say(Town::head, "st: ");
  town.app.poll_once(milliseconds(0));
  town.turns();
  CHECK(town.peer(Town::head).got.find(" 408 ") != std::string::npos);
}

TEST_CASE("standstill: the user's timers go by the real time") {
  FakeKernel kernel;
  App app;
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  int ran = 0;
  app.after(milliseconds(kHourMs + 1000), [&] { ran++; });
  kernel.oversleep_ms(kHourMs);
  app.poll_once(milliseconds(900));
  kernel.oversleep_ms(0);
  CHECK(ran == 0);
  app.poll_once(milliseconds(101));
  CHECK(ran == 1);
}

#endif  // MARTLET_SYS_EPOLL
