// What time does to WebSockets, over a kernel of our own that lets weeks pass: who is silent is asked before it is given up,
// what it could not answer is no silence; idle_timeout, max_lifetime, measure_latency; and times for which 31 or 32 bits of
// milliseconds are too few. With real time: ws_heartbeat_test.cc; loops that stand still: standstill_test.cc.
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

constexpr milliseconds kDay = 24h;

}  // namespace

// Heartbeats ----------------------------------------------------------------------------------------------------------

TEST_CASE("ws times: nobody is given up who has not been asked, and who is has half of the timeout to answer") {
  Street street({.heartbeat_interval = 60s, .heartbeat_timeout = 10s});  // the interval alone would ask too late
  street.come(1, false);
  street.come(2, true);
  street.live(5s + 2 * kTick);
  CHECK(street.peer(1).got == kPingFrame);
  street.live(5s - 4 * kTick);
  CHECK(street.is_open(1));
  street.live(6 * kTick);
  CHECK(street.ended_with(1, CloseCause::heartbeat_timeout, CloseCode::abnormal));
  street.live(10min);
  CHECK(street.is_open(2));
}

TEST_CASE("ws times: by default the silent is gone after a minute, and not before") {
  Street street({});
  street.come(1, false);
  street.live(60s - kTick);
  CHECK(street.is_open(1));
  street.live(3 * kTick);
  CHECK(street.ended_with(1, CloseCause::heartbeat_timeout, CloseCode::abnormal));
}

TEST_CASE("ws times: an old ping that was never answered does not count as asking") {
  Street street({.heartbeat_interval = 60s, .heartbeat_timeout = 10s});
  street.come(1, false);
  street.live(9s);
  REQUIRE(std::exchange(street.peer(1).got, {}).starts_with(kPingFrame));
  street.say(1, ws_frame(kText, "I speak, and answer no pings"));
  street.live(5s + 2 * kTick);
  CHECK(std::exchange(street.peer(1).got, {}) == kPingFrame);
  street.live(5s - 4 * kTick);
  CHECK(street.is_open(1));
  street.live(6 * kTick);
  CHECK_FALSE(street.is_open(1));
}

TEST_CASE("ws times: while a connection is paused its silence does not count, nor right after it") {
  for (const milliseconds interval : {milliseconds(4s), milliseconds(0ms)}) {
    CAPTURE(interval.count());
    Street street({.heartbeat_interval = interval, .heartbeat_timeout = 10s});
    street.come(1, true);
    street.come(2, false);
    for (const int who : {1, 2}) street.sockets[who].pause();
    street.live(100s);
    CHECK(street.is_open(1));
    CHECK(street.is_open(2));
    for (const int who : {1, 2}) street.sockets[who].resume();
    street.live(9s);
    CHECK(street.is_open(1));
    CHECK(street.is_open(2));
    street.live(7s);
    CHECK(street.is_open(1) == (interval > 0ms));
    CHECK(street.ended_with(2, CloseCause::heartbeat_timeout, CloseCode::abnormal));
  }
}

TEST_CASE("ws times: who has output before the ping is judged by how it reads, not by its silence") {
  Street street({.heartbeat_interval = 4s, .heartbeat_timeout = 10s}, {.write_timeout = 60s});
  street.come(1, true);
  street.come(2, false);
  for (const int who : {1, 2}) {
    street.peer(who).takes = 1000;
    street.say(who, ws_frame(kText, "talk"));  // less than what stops the reading
  }
  for (int i = 0; i < 4; i++) {
    street.live(50s);
    for (const int who : {1, 2}) street.peer(who).takes = 1000;
  }
  CHECK(street.is_open(1));
  CHECK(street.is_open(2));
  for (const int who : {1, 2}) street.peer(who).takes = SIZE_MAX;
  street.turns();
  for (const int who : {1, 2}) street.peer(who).got.clear();
  street.live(9s);
  CHECK(street.is_open(2));
  street.live(5s);
  CHECK(street.is_open(1));
  CHECK_FALSE(street.is_open(2));
}

TEST_CASE("ws times: the latency of those who speak all the time is known where it is measured") {
  for (const bool measure : {false, true}) {
    Street street({.heartbeat_interval = 10s, .measure_latency = measure});
    street.come(1, false);
    int pings = 0;
    for (int second = 0; second < 100; second++) {
      street.say(1, ws_frame(kText, "busy"));
      if (std::exchange(street.peer(1).got, {}) == kPingFrame) {
        pings++;
        street.say(1, ws_frame(kText, "still busy"));
        street.live(40ms);
        street.say(1, ws_frame(kPong, ""));
      }
      street.live(1s);
    }
    CHECK(pings == (measure ? 10 : 0));
    CHECK(street.sockets[1].latency().has_value() == measure);
    CHECK(street.sockets[1].latency().value_or(1s) >= 40ms);
    const Stats stats = street.app.stats();
    CHECK(stats.pings_answered == (measure ? 10u : 0u));
    CHECK((measure ? stats.mean_latency() >= 40 && stats.mean_latency() < 1000 : stats.mean_latency() == 0));
  }
}

// Idle ----------------------------------------------------------------------------------------------------------------

TEST_CASE("ws times: idle_timeout closes who sends no message, however alive it is, and not before") {
  Street street({.heartbeat_interval = 5s, .idle_timeout = 30s});
  street.come(1, true);
  street.come(2, true);
  street.live(20s);
  street.say(1, ws_frame(kPing, "") + ws_frame(kPong, ""));
  street.peer(1).got.clear();
  street.say(2, ws_frame(kBinary, ""));
  street.sockets[1].send("what it is sent is not its own");
  street.live(10s - kTick);
  CHECK(street.sockets[1].is_open());
  street.live(5 * kTick);
  CHECK_FALSE(street.sockets[1].is_open());
  CHECK(street.was_sent_close(1, 1000, reason::kConnectionTimeout));
  street.say(1, ws_frame(kClose, close_payload(1000)));
  CHECK(street.ended_with(1, CloseCause::idle_timeout, CloseCode::normal));
  street.live(20s - 6 * kTick);
  CHECK(street.sockets[2].is_open());
  street.live(6 * kTick);
  CHECK_FALSE(street.sockets[2].is_open());
  street.live(10s);  // it does not answer
  CHECK(street.ended_with(2, CloseCause::idle_timeout, CloseCode::normal));
}

TEST_CASE("ws times: without limits nobody is idle, and a connection lasts") {
  Street none({});
  none.come(1, true);
  none.live(kDay);
  CHECK(none.is_open(1));
}

TEST_CASE("ws times: events count for idle_timeout, those whose listeners came late as well") {
  for (const bool of_route : {false, true}) {
    CAPTURE(of_route);
    int heard = 0;
    EventListeners listeners;
    if (of_route) listeners = EventListeners{{"tick", [&](WebSocket) { heard++; }}};
    Street street({.idle_timeout = 30s}, {}, std::move(listeners));
    street.come(1, true);
    if (!of_route) street.sockets[1].on("tick", [&](WebSocket) { heard++; });
    for (int i = 0; i < 10; i++) {
      street.live(29s);
      street.say(1, ws_frame(kText, R"({"event":"tick","args":[]})"));
    }
    CHECK(heard == 10);
    CHECK(street.sockets[1].is_open());
    street.live(31s);
    CHECK_FALSE(street.sockets[1].is_open());
  }
}

TEST_CASE("ws times: messages that are told in pieces count for idle_timeout") {
  Street street({.idle_timeout = 30s});
  street.come(1, true);
  int pieces = 0;
  street.sockets[1].on_fragment([&](WebSocket, const Fragment&) { pieces++; });
  for (int i = 0; i < 5; i++) {
    street.live(29s);
    street.say(1, ws_frame(kText, "piece"));
  }
  CHECK(pieces == 5);
  CHECK(street.sockets[1].is_open());
  street.live(31s);
  CHECK_FALSE(street.sockets[1].is_open());
}

TEST_CASE("ws times: a message that arrives slowly is not idle while it comes; paused is not idle either") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .idle_timeout = 30s});
  for (const int who : {1, 2, 3}) street.come(who, false);
  const std::string slow = ws_frame(kText, pattern(200));
  std::string fragments;
  for (int i = 0; i < 20; i++) fragments += ws_frame(i ? kContinuation : kText, "part", {.fin = false});
  street.sockets[3].pause();
  for (size_t i = 0; i < 20; i++) {
    street.say(1, std::string_view(slow).substr(i * 10, 10));
    street.say(2, std::string_view(fragments).substr(i * 10, 10));
    street.live(29s);
  }
  for (const int who : {1, 2, 3}) CHECK(street.sockets[who].is_open());
  street.sockets[3].resume();
  street.live(2s);
  for (const int who : {1, 2}) CHECK_FALSE(street.sockets[who].is_open());
  street.live(28s - 2 * kTick);
  CHECK(street.sockets[3].is_open());
  street.live(6 * kTick);
  CHECK_FALSE(street.sockets[3].is_open());
}

TEST_CASE("ws times: pings behind a piece of a message are none of it") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .idle_timeout = 30s});
  street.come(1, false);
  street.say(1, ws_frame(kText, "never whole", {.fin = false}));
  for (int i = 0; i < 3; i++) {
    street.live(9s);
    street.say(1, ws_frame(kPing, "still here"));
    street.say(1, ws_frame(kContinuation, "", {.fin = false}));
    CHECK(street.sockets[1].is_open());
  }
  street.live(4s);
  CHECK_FALSE(street.sockets[1].is_open());
}

TEST_CASE("ws times: a message that is there when the time is over counts") {
  Street street({.heartbeat_interval = 0ms, .heartbeat_timeout = 0ms, .idle_timeout = 30s});
  street.come(1, false);
  street.live(29'950ms);
  street.kernel.advance_ms(180);
  street.kernel.fail_call(0, EINTR);  // the poll of that turn is interrupted
  street.peer(1).sends += ws_frame(kText, "here I am");
  street.app.poll_once(0ms);
  CHECK(street.sockets[1].is_open());
  street.live(29s);
  CHECK(street.sockets[1].is_open());
}

TEST_CASE("ws times: what a room was sent before the end arrives before the Close") {
  Street street({.idle_timeout = 30s});
  street.come(1, true);
  street.sockets[1].join("room");
  street.app.after(30'000ms, [&] { street.app.to("room").send("last"); });
  street.app.after(30'300ms, [&] { street.app.to("room").send("too late"); });
  street.live(31s);
  CHECK(street.was_sent_close(1, 1000, reason::kConnectionTimeout));
  CHECK(street.peer(1).got.find("last") != std::string::npos);
  CHECK(street.peer(1).got.find("too late") == std::string::npos);
}

// Lifetime ------------------------------------------------------------------------------------------------------------

TEST_CASE("ws times: max_lifetime ends everybody in its last tenth, evenly, however busy they are") {
  constexpr int kPeers = 200;
  Street street({.max_lifetime = 1000s});
  for (int who = 1; who <= kPeers; who++) street.come(who, true);
  const auto open = [&] {
    return std::count_if(street.sockets.begin(), street.sockets.end(), [](const auto& s) { return s.second.is_open(); });
  };
  street.live(899s);
  CHECK(open() == kPeers);
  for (int tenth = 1; tenth <= 10; tenth++) {
    street.say(1, ws_frame(kText, "busy"));
    street.live(10s);
    CAPTURE(tenth);
    CHECK(open() <= kPeers - 20 * tenth + 25);
    CHECK(open() >= kPeers - 20 * tenth - 5);
  }
  street.live(2s);
  CHECK(open() == 0);
  CHECK(street.was_sent_close(2, 1001, "Connect again."));
  street.say(2, ws_frame(kClose, close_payload(1001)));
  CHECK(street.ended_with(2, CloseCause::max_lifetime, CloseCode::going_away));
  street.live(10s);
  CHECK(street.ends.size() == kPeers);
}

TEST_CASE("ws times: both limits at once, the first one counts") {
  Street street({.idle_timeout = 30s, .max_lifetime = 50s});
  street.come(1, true);
  street.come(2, true);
  street.live(29s);
  street.say(1, ws_frame(kText, "not idle"));
  street.live(2s);
  CHECK(street.sockets[1].is_open());
  CHECK(street.was_sent_close(2, 1000, reason::kConnectionTimeout));
  street.live(20s);
  CHECK(street.was_sent_close(1, 1001, "Connect again."));
}

// Long times ----------------------------------------------------------------------------------------------------------

TEST_CASE("ws times: limits above 24 days hold on both sides, also across 2^32 ms of the clock") {
  for (const milliseconds before : {milliseconds(0), 45 * kDay}) {  // 2^32 ms are 49.7 days
    CAPTURE(before.count());
    Street silent({.heartbeat_interval = 0ms, .heartbeat_timeout = 30 * kDay});
    silent.live(before);
    silent.come(1, false);
    silent.live(30 * kDay - 1s);
    CHECK(silent.is_open(1));
    silent.live(2s);
    CHECK(silent.ended_with(1, CloseCause::heartbeat_timeout, CloseCode::abnormal));
  }
  for (const milliseconds before : {milliseconds(0), 45 * kDay}) {
    CAPTURE(before.count());
    Street asked({.heartbeat_interval = 28 * kDay, .heartbeat_timeout = 40 * kDay});
    asked.live(before);
    asked.come(1, false);
    asked.come(2, true);
    asked.live(40 * kDay - 1s);
    CHECK(asked.is_open(1));
    asked.live(2s);  // asked after 20 days at the latest
    CHECK_FALSE(asked.is_open(1));
    CHECK(asked.is_open(2));
  }
  for (const milliseconds before : {milliseconds(0), 45 * kDay}) {
    CAPTURE(before.count());
    Street idle({.heartbeat_interval = 3h, .heartbeat_timeout = 6h, .idle_timeout = 60 * kDay});
    idle.live(before);
    idle.come(1, true);
    idle.live(59 * kDay);
    CHECK(idle.sockets[1].is_open());
    idle.say(1, ws_frame(kText, "still here"));
    idle.live(60 * kDay - 1s);
    CHECK(idle.sockets[1].is_open());
    idle.live(25min);  // a four-thousandth
    CHECK(idle.was_sent_close(1, 1000, reason::kConnectionTimeout));
  }
}

TEST_CASE("ws times: heartbeats go on as before when the clock passes 2^32 ms") {
  Street street({.heartbeat_interval = 30min, .heartbeat_timeout = 1h, .max_lifetime = 60 * kDay});
  street.come(1, true);
  street.live(49 * kDay + 17h);  // 2^32 ms come three minutes later
  street.come(2, false);
  street.come(3, true);
  street.live(1h - 1s);
  for (const int who : {1, 2, 3}) CHECK(street.is_open(who));
  street.live(2s);
  CHECK(street.ended_with(2, CloseCause::heartbeat_timeout, CloseCode::abnormal));
  street.live(4 * kDay - 1h);
  for (const int who : {1, 3}) CHECK(street.sockets[who].is_open());
  street.live(7 * kDay);
  CHECK_FALSE(street.sockets[1].is_open());
  street.live(40 * kDay);
  CHECK(street.sockets[3].is_open());
}

TEST_CASE("ws times: what is longer than can be counted is never") {
  Street street({.heartbeat_interval = 6h, .heartbeat_timeout = milliseconds::max(), .idle_timeout = milliseconds::max(),
                 .max_lifetime = milliseconds::max()});
  street.come(1, false);
  street.live(60 * kDay);
  CHECK(street.sockets[1].is_open());
}

#endif  // MARTLET_SYS_EPOLL
