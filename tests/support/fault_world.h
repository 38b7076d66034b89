// A server on a fake kernel for fault injection: a scenario is played once without a fault, which tells what every peer
// must get, and then again and again with one fault, each time at another place.
//
//   const Outcome clean = play(scenario);
//   const Outcome hit = play(scenario, {.call = 17, .error = ENOMEM}, &clean.got);    // hit.wrong: what it broke
//
// Every play has a world of its own, so that nothing warm hides an allocation or a call, and at its end everything can be
// counted. Time passes only when nothing else happens.
#pragma once

#include <martlet/martlet.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/failing_alloc.h"
#include "support/fake_kernel.h"
#include "support/wire.h"
#include "support/ws_client.h"

namespace martlet::test {

// What is to go wrong, from the making of the App on.
struct Fault {
  int call = -1;                 // the nth system call (0: the first) fails…
  int error = 0;                 // …with this
  size_t allocation = SIZE_MAX;  // so many allocations succeed, and then one fails…
  bool for_good = false;         // …or all, until the scenario is over
  size_t piece = SIZE_MAX;       // at most so much in one read or write
  bool hesitate = false;         // every second call would block

  // It excuses nothing: everybody gets everything.
  bool harmless() const { return allocation == SIZE_MAX && (call < 0 || error == EINTR || error == EAGAIN); }
};

class World;

struct Scenario {
  std::string_view name;
  std::function<void(World&)> play;
  // Peers whose answers depend on the others: when one of those was hit, what these get is well-formed, no more.
  std::vector<int> dependent = {};
  AppOptions options = {};
  bool full = false;    // it leaves no room for one more
  bool drains = false;  // the App is over at its end
};

// What each peer got.
using Texts = std::map<int, std::string>;

struct Outcome {
  Texts got;
  std::string wrong;  // what is not as it must be; empty: all is well
  bool used = false;  // the fault has happened
};

class World {
 public:
  World(FakeKernel& k, const AppOptions& options, const Fault& fault) : kernel(k), app(options), piece_(fault.piece) {}

  FakeKernel& kernel;
  std::vector<Response> later;  // of GET /later
  App app;
  std::string wrong;
  bool over = false;  // the App has ended

  void complain(std::string_view text) { wrong.append(wrong.empty() ? "" : "; ").append(text); }

  // The peer of this number; it connects when it is first asked for.
  FakePeer& peer(int number) {
    if (FakePeer* known = kernel.find(number)) return *known;
    FakePeer& fresh = kernel.connect(number);
    fresh.piece = piece_;
    return fresh;
  }
  // Sends, and waits until nothing happens any more. Without a fault it must have got `wanted` then, among other things.
  void say(int number, std::string_view bytes, std::string_view wanted = {}) {
    FakePeer& p = peer(number);
    const size_t before = p.got.size();
    p.sends += bytes;
    settle();
    if (!wanted.empty() && p.got.find(wanted, before) == std::string::npos) missed_ = true;
  }
  // Whether a wanted answer has not come.
  bool missed() const { return missed_; }

  // Turns until nothing has happened for longer than accepting pauses, or for this long.
  void settle(int quiet_ms = 100) {
    constexpr int kStepMs = 10;
    int turns = 0;
    for (int quiet = 0; quiet < quiet_ms && !over;) {
      if (++turns == 1'000'000) return complain("it does not come to rest");
      over = !app.poll_once(milliseconds(0));
      const bool moved = be_polite();
      quiet = kernel.idle() && !moved ? quiet + kStepMs : 0;
      if (quiet) kernel.advance_ms(kStepMs);
    }
  }

 private:
  // Who is told that the server says no more says no more either.
  bool be_polite() {
    bool moved = false;
    for (auto& [number, p] : kernel.peers()) {
      if (!p.server_ended || p.ended) continue;
      p.ended = moved = true;
    }
    return moved;
  }

  size_t piece_;
  bool missed_ = false;
};

namespace faults {

inline constexpr int kGuest = 1000;  // who comes to see whether the server is up
inline constexpr size_t kOwnDescriptors = 3;  // listener, poller, waker
inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

// Without what depends on time: dates, and heartbeats (an empty ping; no text of a scenario looks like one).
inline std::string timeless(std::string text) {
  constexpr std::string_view kDate = "\r\nDate: ";
  for (size_t at = text.find(kDate); at != std::string::npos; at = text.find(kDate, at)) {
    for (at += kDate.size(); at < text.size() && text[at] != '\r';) text[at++] = '?';
  }
  const std::string_view ping("\x89\0", 2);
  for (size_t at = text.find(ping); at != std::string::npos; at = text.find(ping, at)) text.erase(at, ping.size());
  return text;
}

inline void add_routes(World& w) {
  App& app = w.app;
  app.use([](Request&, Response& res, Next next) {
    res.set("X-Served-By", "martlet");
    res.on_headers([](Response& again) { again.set("X-Status", std::to_string(again.status_code())); });
    next();
  });
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/users/:id", [](Request& req, Response& res) { res.set("X-User", req.param("id")).send(req.param("id")); });
  app.post("/echo", [](Request& req, Response& res) { res.send(req.body()); });
  app.get("/big", [](Request&, Response& res) { res.send(pattern(100'000)); });
  app.use([&w](Request&, Response& res, Next next) {
    res.on_finish([&w, told = false](const Finished&) mutable {
      if (std::exchange(told, true)) w.complain("an answer was told of twice");
    });
    next();
  });
  app.get("/later", [&w](Request&, Response& res) { w.later.push_back(res.defer()); });
  app.ws("/echo", {.message =
                       [](WebSocket ws, const Message& msg) {
                         if (msg.text() == "close") return ws.close(CloseCode::going_away, "as you say");
                         if (msg.text() == "throw") throw 1;
                         ws.send(msg);
                       },
                   .options = {.heartbeat_interval = milliseconds(4000), .heartbeat_timeout = milliseconds(8000)}});
  app.ws("/room", [](WebSocket ws, Request&) {
    ws.join("everybody");
    ws.on_message([](WebSocket from, const Message& msg) {
      from.send("you said something");
      from.to("everybody").send(msg);
    });
    ws.on_close([](WebSocket gone, const CloseInfo&) { gone.to("everybody").send("somebody left"); });
  });
}

// What went wrong with one peer's answers; empty: nothing. `hit`: they are not what they should be.
inline std::string judge(const FakePeer& peer, const std::string& got, const std::string& wanted, const Fault& fault,
                         bool dependent, bool& hit) {
  hit = got != wanted;
  if (!hit) return {};
  if (const char* nonsense = check_wire(peer.got)) return nonsense;
  if (fault.harmless()) return "got " + std::to_string(got.size()) + " bytes of " + std::to_string(wanted.size());
  if (fault.allocation != SIZE_MAX || dependent) return {};
  if (!wanted.starts_with(got)) return "got something else";
  return peer.closed ? std::string() : "is not told that its connection broke";
}

inline void check_peers(World& w, const Scenario& scenario, const Fault& fault, const Texts& wanted, Outcome& outcome) {
  int hits = 0;
  for (const auto& [number, text] : wanted) {
    const FakePeer* peer = w.kernel.find(number);
    if (!peer) {
      w.complain("a peer was never there");
      continue;
    }
    bool dependent = false;
    for (const int other : scenario.dependent) dependent = dependent || other == number;
    bool hit = false;
    const std::string wrong = judge(*peer, outcome.got[number], text, fault, dependent, hit);
    if (!wrong.empty()) w.complain("peer " + std::to_string(number) + " " + wrong);
    hits += hit && !dependent;
  }
  if (hits > 1 && !fault.for_good) w.complain(std::to_string(hits) + " peers were hit");
}

// One more is served, as if nothing had been.
inline void check_alive(World& w) {
  w.kernel.connect(kGuest).sends = kGet;
  w.settle();
  const FakePeer& guest = *w.kernel.find(kGuest);
  if (!guest.got.starts_with("HTTP/1.1 200 OK") || !guest.got.ends_with("Hello, World!")) w.complain("it does not serve any more");
}

// It ends, by itself when it has been told to, and else when it is told again now that there is memory.
inline void check_over(World& w) {
  for (int i = 0; i < 60 && !w.over; i++) {
    if (w.kernel.listening()) w.app.drain({.deadline = milliseconds(3000)});
    w.kernel.advance_ms(100);
    w.settle(10);
  }
  if (!w.over) w.complain("the drain does not end");
  if (w.kernel.open_sockets() != 0) w.complain("sockets are left");
}

// When all have gone nothing is left of them.
inline void check_empty(World& w) {
  w.kernel.reset_all();
  w.settle();
  if (w.kernel.open_sockets() != 0) w.complain("sockets are left");
  if (w.kernel.open_descriptors() > kOwnDescriptors) w.complain("descriptors are left");
  const Stats stats = w.app.stats();
  if (stats.open_connections || stats.open_websockets || stats.open_rooms) w.complain("connections or rooms are left");
}

inline void play_in(World& w, const Scenario& scenario, const Fault& fault, const Texts* wanted, Outcome& outcome) {
  add_routes(w);
  if (!w.app.listen("127.0.0.1", 9001).ok()) {
    FailingAlloc::left = SIZE_MAX;
    if (!w.app.listen("127.0.0.1", 9001).ok()) return w.complain("it cannot listen any more");
  }
  scenario.play(w);
  outcome.used = fault.call >= 0 ? w.kernel.failed() : FailingAlloc::failures > 0;
  w.kernel.fail_call(0, 0);
  w.kernel.hesitate(false);
  FailingAlloc::left = SIZE_MAX;
  w.settle();
  for (const auto& [number, peer] : w.kernel.peers()) outcome.got[number] = timeless(peer.got);
  if (wanted) {
    check_peers(w, scenario, fault, *wanted, outcome);
  } else if (w.missed()) {
    w.complain("an answer is missing");
  }
  w.later.clear();
  if (scenario.drains) return check_over(w);
  if (!scenario.full) check_alive(w);
  check_empty(w);
  if (scenario.full) check_alive(w);
}

}  // namespace faults

// Plays it. Without `wanted` what the peers get is the answer; with it, it is what they must get.
inline Outcome play(const Scenario& scenario, const Fault& fault = {}, const Texts* wanted = nullptr) {
  Outcome outcome;
  FailingAlloc memory(fault.allocation);
  FailingAlloc::only_once = !fault.for_good;
  {
    FakeKernel kernel;
    kernel.fail_call(fault.call, fault.call < 0 ? 0 : fault.error);
    kernel.hesitate(fault.hesitate);
    {
      World world(kernel, scenario.options, fault);
      faults::play_in(world, scenario, fault, wanted, outcome);
      outcome.wrong = std::move(world.wrong);
    }
    if (kernel.open_descriptors() != 0) outcome.wrong += "; descriptors are left when it is gone";
  }
  if (FailingAlloc::held != 0) outcome.wrong += "; " + std::to_string(FailingAlloc::held) + " allocations are left";
  return outcome;
}

}  // namespace martlet::test
