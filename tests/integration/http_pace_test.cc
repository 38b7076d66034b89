// The pace of HTTP connections, over a kernel of our own, which decides what has come, what the client takes and what
// time it is: when a connection is idle, and how much of a flood is taken in.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/fake_kernel.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void live(FakeKernel& kernel, App& app, uint64_t ms) {
  const uint64_t until = kernel.now_ms() + ms;
  while (kernel.now_ms() < until) app.poll_once(milliseconds(until - kernel.now_ms()));
  for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
}

// Sends so many bytes of a body every so often, until it is refused, answered, or so long has passed; how long that was.
uint64_t drip(const AppOptions& options, std::string_view head, std::string_view piece, uint64_t every_ms,
              uint64_t most_ms, std::string_view outcome) {
  FakeKernel kernel;
  App app(options);
  app.post("/", [](Request& req, Response& res) { res.send(std::to_string(req.body().size())); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.sends = head;
  live(kernel, app, 0);
  const uint64_t begun = kernel.now_ms();
  while (!peer.server_ended && !peer.closed && kernel.now_ms() < begun + most_ms) {
    peer.sends += piece;
    live(kernel, app, every_ms);
  }
  const uint64_t took = kernel.now_ms() - begun;
  CHECK(peer.got.find(outcome) == (outcome.empty() ? 0 : 9));
  if (outcome.empty()) CHECK(peer.got.empty());
  return took;
}

constexpr std::string_view kPlain = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n";
constexpr std::string_view kChunked = "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";

bool between(uint64_t value, uint64_t least, uint64_t most) {
  CAPTURE(value);
  CHECK(value >= least);
  CHECK(value <= most);
  return value >= least && value <= most;
}

}  // namespace

TEST_CASE("http pace: a body that drips is refused after the grace, and 500 bytes a second are enough") {
  CHECK(between(drip({}, kPlain, "x", 500, 60'000, "408"), 10'000, 11'000));
  CHECK(between(drip({}, kChunked, "1\r\nx\r\n", 500, 60'000, "408"), 10'000, 11'000));
  CHECK(between(drip({.body_timeout = milliseconds(1000)}, kPlain, "x", 500, 60'000, "408"), 10'000, 11'000));
  // Half of the rate: 10 s, and as long again as what has come may take.
  CHECK(between(drip({}, kPlain, std::string(250, 'x'), 1000, 60'000, "408"), 19'000, 22'000));
  drip({}, kPlain, std::string(510, 'x'), 1000, 290'000, "");
  drip({.min_body_rate = 0}, kPlain, "x", 500, 290'000, "");
  drip({.min_body_rate = 2}, kPlain, "x", 500, 290'000, "");
}

TEST_CASE("http pace: a request has five minutes, or what the options say, from its first byte to its last") {
  const std::string piece(1000, 'x');
  CHECK(between(drip({}, kPlain, piece, 1000, 600'000, "408"), 300'000, 302'000));
  CHECK(between(drip({.request_timeout = milliseconds(20'000)}, kPlain, piece, 1000, 600'000, "408"), 20'000, 22'000));
  drip({.request_timeout = milliseconds(0)}, kPlain, piece, 1000, 900'000, "");
  const uint64_t whole = drip({}, "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 290000\r\n\r\n", piece, 1000, 290'000, "200");
  CHECK(whole == 290'000);
}

TEST_CASE("http pace: a head that came in parts is part of its request's time") {
  FakeKernel kernel;
  App app({.request_timeout = milliseconds(15'000)});
  app.post("/", [](Request&, Response& res) { res.send("taken"); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  for (const bool first : {true, false}) {
    peer.got.clear();
    if (!first) live(kernel, app, 30'000);  // idle time is nobody's
    peer.sends += "POST / HTTP/1.1\r\nHo";
    live(kernel, app, 9'000);
    peer.sends += "st: t\r\nContent-Length: 2\r\n\r\n1";
    live(kernel, app, 5'000);
    if (first) peer.sends += "2";
    live(kernel, app, 800);
    CHECK(peer.got.ends_with(first ? "taken" : ""));
    CHECK_FALSE(peer.server_ended);
  }
  live(kernel, app, 500);
  CHECK(peer.got.find(" 408 ") != std::string::npos);
}

TEST_CASE("http pace: a body that is not read, as earlier answers wait, is not late") {
  FakeKernel kernel;
  App app;
  app.get("/large", [](Request&, Response& res) { res.send(std::string(200'000, 'x')); });
  app.post("/", [](Request&, Response& res) { res.send("taken"); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.takes = 1000;
  peer.sends = "GET /large HTTP/1.1\r\nHost: t\r\n\r\nPOST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n1";
  for (int i = 0; i < 15; i++) {  // seven minutes and a half, with some progress
    peer.takes = 10;
    live(kernel, app, 30'000);
  }
  peer.takes = SIZE_MAX;
  live(kernel, app, 9'000);
  REQUIRE(peer.got.find(" 408 ") == std::string::npos);
  peer.sends = "2";
  live(kernel, app, 10);
  CHECK(peer.got.ends_with("taken"));
}

TEST_CASE("http pace: a body behind an answer that came late has its time from when it is its turn") {
  FakeKernel kernel;
  App app;
  std::vector<Response> later;
  app.get("/later", [&](Request&, Response& res) { later.push_back(res.defer()); });
  app.post("/", [](Request&, Response& res) { res.send("taken"); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.sends = "GET /later HTTP/1.1\r\nHost: t\r\n\r\n"
               "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  live(kernel, app, 60'000);
  REQUIRE(later.size() == 1);
  later[0].send("later");
  live(kernel, app, 0);
  CHECK(peer.got.ends_with("100 Continue\r\n\r\n"));
  live(kernel, app, 9'000);  // a slow way there and back
  REQUIRE(peer.got.find(" 408 ") == std::string::npos);
  peer.sends = "ok";
  live(kernel, app, 10);
  CHECK(peer.got.ends_with("taken"));
}

TEST_CASE("http pace: who takes nothing of a refusal is given up, whatever it waits behind") {
  FakeKernel kernel;
  App app({.body_timeout = milliseconds(10'000), .write_timeout = milliseconds(20'000)});
  app.get("/some", [](Request&, Response& res) { res.send(std::string(20'000, 'x')); });
  app.post("/", [](Request&, Response& res) { res.send("taken"); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.takes = 1000;
  peer.sends = "GET /some HTTP/1.1\r\nHost: t\r\n\r\nPOST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n1";
  live(kernel, app, 15'000);
  REQUIRE(app.stats().bad_requests == 1);  // the body did not come
  CHECK_FALSE(peer.closed);
  live(kernel, app, 20'000);
  CHECK(peer.closed);
}

TEST_CASE("http pace: requests behind a large late answer that is not taken wait without a turn of the loop") {
  FakeKernel kernel;
  App app;
  std::vector<Response> later;
  app.get("/", [](Request&, Response& res) { res.send("up"); });
  app.get("/later", [&](Request&, Response& res) { later.push_back(res.defer()); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  FakePeer& peer = kernel.connect(1);
  peer.takes = 10;
  peer.sends = "GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /later HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n";
  live(kernel, app, 0);
  REQUIRE(later.size() == 1);
  later[0].send(std::string(100'000, 'x'));
  const uint64_t begun = kernel.now_ms();
  for (int i = 0; i < 20; i++) app.poll_once(milliseconds(1000));
  CHECK(kernel.now_ms() >= begun + 15'000);
  peer.takes = SIZE_MAX;
  live(kernel, app, 0);
  CHECK(peer.got.size() > 100'000);
  CHECK(peer.got.ends_with("up"));
}

TEST_CASE("http pace: times of a month and of three neither wrap nor end at once") {
  constexpr uint64_t k31 = uint64_t{1} << 31, k32 = uint64_t{1} << 32;
  for (const uint64_t time : {k31 + 60'000, k32 + 60'000}) {
    CAPTURE(time);
    const milliseconds long_time(time);
    FakeKernel kernel;
    App app({.body_timeout = long_time, .close_timeout = long_time, .head_timeout = long_time,
             .handshake_timeout = long_time, .keep_alive_timeout = long_time, .min_body_rate = 0,
             .request_timeout = long_time, .write_timeout = long_time});
    app.get("/", [](Request&, Response& res) { res.send("up"); });
    app.get("/large", [](Request&, Response& res) { res.send(std::string(200'000, 'x')); });
    app.post("/", [](Request&, Response& res) { res.send("taken"); });
    app.ws("/", {.message = [](WebSocket ws, const Message&) { ws.close(); },
                 .options = {.heartbeat_interval = long_time, .heartbeat_timeout = long_time}});
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
    bool ran = false;
    app.after(long_time, [&] { ran = true; });
    int number = 0;
    for (const std::string& sends : {std::string("GET / HTTP/1.1\r\nHost: t\r\n\r\n"), std::string("GET / HT"),
                                     std::string(kPlain), ws_request("/"), ws_request("/") + ws_frame(kText, "close"),
                                     std::string("GET /large HTTP/1.1\r\nHost: t\r\n\r\n")}) {
      FakePeer& peer = kernel.connect(++number);
      peer.sends = sends;
      if (number == 6) peer.takes = 1000;
    }
    const auto open = [&] {
      int count = 0;
      for (int i = 1; i <= number; i++) count += !kernel.find(i)->closed && !kernel.find(i)->server_ended;
      return count;
    };
    live(kernel, app, 1000);
    CHECK(open() == number);
    live(kernel, app, time - 2000);
    CHECK(open() == number);
    CHECK_FALSE(ran);
    live(kernel, app, 3000);
    CHECK(ran);
    CHECK(open() == (time < k32 ? 0 : number));  // above 49 days: never
  }
}

TEST_CASE("http pace: a client is idle from when it has its answer, not from when that was given") {
  FakeKernel kernel;
  App app;
  app.get("/large", [](Request&, Response& res) { res.send(std::string(100'000, 'x')); });
  app.get("/", [](Request&, Response& res) { res.send("up"); });
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  const auto wait = [&](uint64_t ms) { live(kernel, app, ms); };
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
  wait(70'000);
  REQUIRE_FALSE(peer.closed);
  peer.got.clear();
  peer.sends = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  wait(0);
  CHECK(peer.got.ends_with("up"));
  wait(70'000);
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
