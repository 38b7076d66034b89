// Times that change while connections are open (App::reconfigure), over a kernel of our own that lets hours pass: heartbeats on,
// off, faster and slower, idle_timeout, max_lifetime; for those who were there before, and not for all of them at once. Limits
// and origins, and a Server: ws_reconfigure_test.cc.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/street.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr int kMany = 200;
WsChanges no_heartbeats() { return {.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms}; }

// Time passes in steps; how many pings came in each. Who answers pings does.
std::vector<int> pings_in(Street& street, milliseconds step, int steps) {
  std::vector<int> pings;
  for (int i = 0; i < steps; i++) {
    int& now = pings.emplace_back(0);
    for (milliseconds gone{0}; gone < step; gone += kTick) {
      street.app.poll_once(0ms);
      street.kernel.advance_ms(static_cast<uint64_t>(kTick.count()));
      street.app.poll_once(0ms);
      for (auto& [number, peer] : street.kernel.peers()) {
        if (peer.got != kPingFrame) continue;
        now++;
        peer.got.clear();
        if (street.answers[number]) peer.sends += ws_frame(kPong, "");
      }
    }
  }
  return pings;
}

int most(const std::vector<int>& counts) { return *std::max_element(counts.begin(), counts.end()); }
int sum(const std::vector<int>& counts) {
  int all = 0;
  for (const int count : counts) all += count;
  return all;
}
long still_open(Street& street) {
  return std::count_if(street.sockets.begin(), street.sockets.end(), [](const auto& s) { return s.second.is_open(); });
}
void fill(Street& street, bool answer) {
  for (int who = 1; who <= kMany; who++) street.come(who, answer);
}

}  // namespace

// Heartbeats ----------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: heartbeats begin where there were none, spread over the interval, and nobody is ended unasked") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms});
  fill(street, true);
  street.come(kMany + 1, false);
  street.live(5h);
  REQUIRE(still_open(street) == kMany + 1);
  street.change({.heartbeat_interval = 10s, .heartbeat_timeout = 20s});
  const std::vector<int> pings = pings_in(street, 1s, 10);
  CHECK(sum(pings) >= kMany);
  CHECK(most(pings) <= kMany / 10 + 12);
  CHECK(still_open(street) == kMany + 1);
  street.live(20s);
  CHECK(street.ended_with(kMany + 1, CloseCause::heartbeat_timeout, CloseCode::abnormal));
  street.live(10min);
  CHECK(still_open(street) == kMany);
}

TEST_CASE("ws reconfigure: a longer interval holds at once, and those who were pinged together are spread over it") {
  Street street({.heartbeat_interval = 2s, .heartbeat_timeout = 10s});
  fill(street, true);
  street.live(1min);
  street.change({.heartbeat_interval = 60s, .heartbeat_timeout = 200s});
  CHECK(sum(pings_in(street, 1s, 27)) == 0);
  const std::vector<int> pings = pings_in(street, 5s, 7);
  CHECK(sum(pings) >= kMany);
  CHECK(most(pings) <= kMany / 6 + 15);
  CHECK(still_open(street) == kMany);
}

TEST_CASE("ws reconfigure: a shorter interval and timeout hold for who came before") {
  Street street({.heartbeat_interval = 5min, .heartbeat_timeout = 1h});
  fill(street, true);
  street.come(kMany + 1, false);
  street.live(1min);  // nobody has been pinged yet
  street.change({.heartbeat_interval = 4s, .heartbeat_timeout = 8s});
  const std::vector<int> pings = pings_in(street, 1s, 5);  // the last ones come a tick behind the fourth second
  CHECK(sum(pings) >= kMany);
  CHECK(most(pings) <= kMany / 4 + 30);
  CHECK(street.is_open(kMany + 1));
  street.live(8s);
  CHECK_FALSE(street.is_open(kMany + 1));
  CHECK(still_open(street) == kMany);
}

TEST_CASE("ws reconfigure: the timeout alone changes the interval, where that would leave no time to answer") {
  Street street({.heartbeat_interval = 60s, .heartbeat_timeout = 120s});
  street.come(1, false);
  street.live(1s);
  street.change({.heartbeat_timeout = 10s});
  street.live(5s + 2 * kTick);
  CHECK(street.peer(1).got == kPingFrame);
  street.live(3s);
  CHECK(street.is_open(1));
  street.live(3s);
  CHECK_FALSE(street.is_open(1));
  street.come(2, true);
  street.change({.heartbeat_timeout = 120s});  // and gives it back
  CHECK(sum(pings_in(street, 1s, 28)) == 0);
}

TEST_CASE("ws reconfigure: heartbeats end where there were some, and with them the pings and the ends") {
  Street street({.heartbeat_interval = 5s, .heartbeat_timeout = 10s});
  street.come(1, true);
  street.come(2, false);
  street.live(4s);
  street.change(no_heartbeats());
  for (const int who : {1, 2}) street.peer(who).got.clear();
  CHECK(sum(pings_in(street, 1min, 10)) == 0);
  CHECK(street.is_open(1));
  CHECK(street.is_open(2));
}

TEST_CASE("ws reconfigure: without pings the silence alone counts, and those who are over do not end all at once") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms});
  fill(street, false);
  street.live(1h);
  street.come(kMany + 1, false);
  street.change({.heartbeat_timeout = 100s});
  street.live(5s);
  CHECK(still_open(street) > kMany / 3);
  CHECK(still_open(street) < 2 * kMany / 3 + 2);
  street.live(5s + 2 * kTick);
  CHECK(still_open(street) == 1);
  street.live(89s);
  CHECK(street.is_open(kMany + 1));
  street.live(2s);
  CHECK_FALSE(street.is_open(kMany + 1));
}

TEST_CASE("ws reconfigure: limits that change all the time still find out who is gone, and ping no more than they say") {
  Street street({.heartbeat_interval = 20s, .heartbeat_timeout = 60s});
  street.come(1, true);
  street.come(2, false);
  int pings = 0;
  for (int i = 0; i < 24; i++) {
    street.change({.heartbeat_interval = i % 2 ? 20s : 21s});
    pings += sum(pings_in(street, 5s, 1));
  }
  CHECK(street.is_open(1));
  CHECK_FALSE(street.is_open(2));
  CHECK(pings <= 24);
}

TEST_CASE("ws reconfigure: what is said again puts nothing off") {
  Street street({.heartbeat_interval = 20s, .heartbeat_timeout = 60s, .idle_timeout = 90s, .max_lifetime = 1000s});
  street.come(1, false);
  for (int i = 0; i < 61; i++) {
    street.change({.heartbeat_interval = 20s, .heartbeat_timeout = 60s, .idle_timeout = 90s, .max_lifetime = 1000s});
    street.live(1s);
  }
  CHECK(street.ended_with(1, CloseCause::heartbeat_timeout, CloseCode::abnormal));
}

TEST_CASE("ws reconfigure: a look that is put off is still in time for a write that makes no progress, and for other limits") {
  Street street({.heartbeat_interval = 2s, .heartbeat_timeout = 10s, .idle_timeout = 100s}, {.write_timeout = 30s});
  street.come(1, true);
  street.come(2, true);
  street.live(10s);
  street.peer(1).takes = 100;
  street.say(1, ws_frame(kText, "talk"));
  street.change({.heartbeat_interval = 1h, .heartbeat_timeout = 4h});
  street.live(29s);
  CHECK(street.is_open(1));
  street.live(2s);
  CHECK(street.ended_with(1, CloseCause::write_timeout, CloseCode::abnormal));
  street.live(58s);
  CHECK(street.sockets[2].is_open());
  street.live(2s);
  CHECK(street.was_sent_close(2, 1000, reason::kConnectionTimeout));
}

TEST_CASE("ws reconfigure: those who speak all the time are pinged from when latency is measured, until it is not") {
  Street street({.heartbeat_interval = 10s});
  street.come(1, false);
  for (const bool measure : {false, true, false}) {
    street.change({.measure_latency = measure});
    int pings = 0;
    for (int second = 0; second < 100; second++) {
      street.say(1, ws_frame(kText, "busy"));
      pings += std::exchange(street.peer(1).got, {}) == kPingFrame;
      street.live(1s);
      street.say(1, ws_frame(kPong, ""));
    }
    CHECK(pings >= (measure ? 8 : 0));
    CHECK(pings <= (measure ? 12 : 1));
  }
}

// Idle ----------------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: a shorter idle_timeout counts what was idle before it, a longer one as well") {
  Street street({.heartbeat_interval = 10s, .idle_timeout = 1h});
  for (const int who : {1, 2, 3}) street.come(who, true);
  street.live(10min);
  street.say(2, ws_frame(kText, "here"));
  street.live(20s);
  street.change({.idle_timeout = 30s});
  CHECK(street.sockets[1].is_open());
  street.live(3s + 4 * kTick);
  CHECK_FALSE(street.sockets[1].is_open());
  CHECK(street.was_sent_close(1, 1000, reason::kConnectionTimeout));
  CHECK_FALSE(street.sockets[3].is_open());
  street.live(5s);
  CHECK(street.sockets[2].is_open());
  street.change({.idle_timeout = 60s});
  street.live(30s);
  CHECK(street.sockets[2].is_open());
  street.live(2s + 10 * kTick);  // as exactly as the first limit was
  CHECK_FALSE(street.sockets[2].is_open());
  CHECK(street.was_sent_close(2, 1000, reason::kConnectionTimeout));
}

TEST_CASE("ws reconfigure: an idle_timeout where there was none begins with the change, messages count, and it may go again") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms});
  for (const int who : {1, 2}) street.come(who, false);
  street.live(2h);
  street.change({.idle_timeout = 30s});
  street.live(20s);
  street.say(2, ws_frame(kText, "here"));
  street.live(9s);
  CHECK(street.sockets[1].is_open());
  street.live(2s);
  CHECK_FALSE(street.sockets[1].is_open());
  CHECK(street.sockets[2].is_open());
  street.change({.idle_timeout = 0ms});
  street.live(2h);
  CHECK(street.sockets[2].is_open());
}

TEST_CASE("ws reconfigure: a message that arrives slowly is not idle by a shorter limit either") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .idle_timeout = 1h});
  street.come(1, false);
  const std::string slow = ws_frame(kText, pattern(200));
  for (size_t i = 0; i < 20; i++) {
    street.say(1, std::string_view(slow).substr(i * 10, 10));
    street.live(25s);
    if (i == 2) street.change({.idle_timeout = 30s});
  }
  CHECK(street.sockets[1].is_open());
  street.live(6s);
  CHECK_FALSE(street.sockets[1].is_open());
}

TEST_CASE("ws reconfigure: many who are idle for too long go one after the other") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .idle_timeout = 1h});
  fill(street, false);
  street.live(30min);
  street.change({.idle_timeout = 100s});
  street.live(5s);
  CHECK(still_open(street) > kMany / 3);
  CHECK(still_open(street) < 2 * kMany / 3);
  street.live(5s + 3 * kTick);
  CHECK(still_open(street) == 0);
}

// Lifetime ------------------------------------------------------------------------------------------------------------

TEST_CASE("ws reconfigure: a shorter max_lifetime holds for who is open: the young in its last tenth, the old within a tenth") {
  for (const milliseconds before : {milliseconds(0), milliseconds(24h)}) {
    CAPTURE(before.count());
    Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .max_lifetime = before});
    fill(street, true);
    street.live(3h);
    for (const int young : {kMany + 1, kMany + 2}) street.come(young, true);
    street.live(100s);
    street.change({.max_lifetime = 1000s});
    street.live(50s);
    CHECK(still_open(street) > kMany / 3);
    CHECK(still_open(street) < 2 * kMany / 3 + 2);
    street.live(51s);
    CHECK(still_open(street) == 2);
    CHECK(street.was_sent_close(1, 1001, "Connect again."));
    street.live(690s);  // 891 since they came
    CHECK(still_open(street) == 2);
    street.live(112s);
    CHECK(still_open(street) == 0);
    CHECK(street.was_sent_close(kMany + 1, 1001, "Connect again."));
  }
}

TEST_CASE("ws reconfigure: a max_lifetime that was shorter for a while does not make anybody younger") {
  Street street({.max_lifetime = 24h});
  for (const int who : {1, 2}) street.come(who, true);
  street.live(3h);
  street.change({.max_lifetime = 1000s});
  street.change({.max_lifetime = 10'000s});
  street.live(1'010s);
  CHECK(still_open(street) == 0);
}

TEST_CASE("ws reconfigure: a max_lifetime that goes up and down ends who is old enough for both") {
  Street street({.max_lifetime = 1h});
  for (const int who : {1, 2}) street.come(who, true);
  street.live(54min);
  for (int i = 0; i < 40; i++) {
    street.change({.max_lifetime = i % 2 ? 1h : 2h});
    street.live(3min);
  }
  CHECK(still_open(street) == 0);
}

TEST_CASE("ws reconfigure: a longer max_lifetime counts from the opening; without one they stay") {
  Street street({.max_lifetime = 1000s});
  for (const int who : {1, 2}) street.come(who, true);
  street.live(800s);
  street.change({.max_lifetime = 10'000s});
  street.live(8'150s);
  CHECK(still_open(street) == 2);
  street.come(3, true);
  street.live(1'053s);
  CHECK(still_open(street) == 1);
  street.change({.max_lifetime = 0ms});
  street.live(24h);
  CHECK(still_open(street) == 1);
}

TEST_CASE("ws reconfigure: limits of years, of milliseconds, and back again") {
  Street street({.heartbeat_interval = 1h, .heartbeat_timeout = 2h});
  street.come(1, true);
  for (int i = 0; i < 50; i++) {
    street.change({.idle_timeout = 24h * 700, .max_lifetime = 24h * 700});
    street.live(1h);
    street.change({.idle_timeout = 24h * 30, .max_lifetime = 24h * 3});
    street.live(1h);
  }
  CHECK(street.sockets[1].is_open());  // 100 hours, by limits that begin anew with no change
  street.change({.max_lifetime = 24h * 2});
  street.live(5h);
  CHECK_FALSE(street.sockets[1].is_open());
  CHECK(street.was_sent_close(1, 1001, "Connect again."));
  street.come(2, true);
  street.change({.idle_timeout = 1ms, .max_lifetime = 1ms});
  street.live(1s);
  CHECK_FALSE(street.sockets[2].is_open());
}

#endif
