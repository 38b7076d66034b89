// Answers that are owed when the client goes, and answers that never come: on_aborted(), half_close_is_abort,
// handler_timeout and DeferOptions::deadline. Each from both of its sides.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/server.h"
#include "support/stepped_server.h"

using namespace martlet;
using namespace martlet::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kLater = "GET /later HTTP/1.1\r\nHost: t\r\n\r\n";
constexpr std::string_view kNow = "GET /now HTTP/1.1\r\nHost: t\r\n\r\n";

// Requests that wait, and how many of them have lost their client.
struct Parked {
  std::mutex mutex;
  std::deque<Response> responses;
  std::atomic<int> aborted = 0;

  void serve(App& app) {
    app.get("/later", [this](Request&, Response& res) {
      const Response later = res.defer();
      later.on_aborted([this] { aborted++; });
      std::lock_guard lock(mutex);
      responses.push_back(later);
    });
    app.get("/bare", [this](Request&, Response& res) {
      std::lock_guard lock(mutex);
      responses.push_back(res.defer());
    });
    app.get("/now", [](Request&, Response& res) { res.send("now"); });
  }
  Response at(size_t i) {
    REQUIRE(eventually([&] {
      std::lock_guard lock(mutex);
      return responses.size() > i;
    }));
    std::lock_guard lock(mutex);
    return responses[i];
  }
};

}  // namespace

TEST_CASE("http_aborted: a reset is noticed at once, and told once") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); });
  Client client(server.port());
  REQUIRE(client.send(kLater));
  const Response later = parked.at(0);
  CHECK(parked.aborted == 0);
  client.reset();
  CHECK(eventually([&] { return parked.aborted == 1; }));
  CHECK(server.wait_for_connections(0));
  later.send("too late");
  server.turn();
  CHECK(parked.aborted == 1);
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_aborted: a reset is noticed while reading is off") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); });
  Client client(server.port(), {.send_buffer_bytes = 16 * 1024});
  std::string requests(kLater);
  while (requests.size() < 20'000'000) requests += kNow;
  CHECK(client.send_some(requests, milliseconds(100)) < requests.size());
  parked.at(0);
  client.reset();
  CHECK(eventually([&] { return parked.aborted == 1; }));
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("http_aborted: half-close is legal: the answer comes; a reset after it is told") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); });
  Client patient(server.port());
  REQUIRE(patient.send(kLater));
  patient.shutdown_sending();
  parked.at(0);
  Client leaves(server.port());
  REQUIRE(leaves.send(kLater));
  leaves.shutdown_sending();
  parked.at(1);
  server.turn();
  server.turn();
  CHECK(parked.aborted == 0);
  parked.at(0).send("still");
  CHECK(patient.read_response().body == "still");
  CHECK(patient.closed_by_peer());
  CHECK(parked.aborted == 0);
  leaves.reset();
  CHECK(eventually([&] { return parked.aborted == 1; }));
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("http_aborted: half_close_is_abort: who ends its direction has gone; what was answered still leaves") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); }, {.app = {.half_close_is_abort = true}});
  Client parks(server.port());
  REQUIRE(parks.send(kLater));
  parked.at(0);
  CHECK(parked.aborted == 0);
  parks.shutdown_sending();
  CHECK(eventually([&] { return parked.aborted == 1; }));
  CHECK(parks.closed_by_peer());
  Client asks(server.port());
  REQUIRE(asks.send(kNow));
  asks.shutdown_sending();
  CHECK(asks.read_response().body == "now");
  CHECK(asks.closed_by_peer());
  CHECK(parked.aborted == 1);
}

TEST_CASE("http_aborted: 5,000 clients park a request and go: no descriptor stays, and no entry") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); }, {.app = {.half_close_is_abort = true}});
  for (int round = 1; round <= 10; round++) {  // of 500: the descriptors of both ends are this process's
    std::vector<Client> clients;
    for (int i = 0; i < 500; i++) {
      clients.emplace_back(server.port());
      REQUIRE(clients.back().send(kLater));
    }
    parked.at(static_cast<size_t>(round) * 500 - 1);
    clients.clear();
    REQUIRE(server.wait_for_connections(0));
    REQUIRE(eventually([&] { return parked.aborted == round * 500; }));
  }
  for (Response& response : parked.responses) response.send("to nobody");
  server.turn();
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_aborted: nobody is told once the request was answered") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); });
  Client client(server.port());
  REQUIRE(client.send(kLater));
  parked.at(0).send("there");
  CHECK(client.read_response().body == "there");
  parked.at(0).on_aborted([&] { parked.aborted += 100; });  // for a request that is over, on a connection that is not
  server.turn();
  client.reset();
  CHECK(server.wait_for_connections(0));
  server.turn();
  CHECK(parked.aborted == 0);
}

TEST_CASE("http_aborted: on_aborted from another thread, again, and after the client has gone") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); });
  Client client(server.port());
  REQUIRE(client.send("GET /bare HTTP/1.1\r\nHost: t\r\n\r\n"));
  const Response later = parked.at(0);
  later.on_aborted([&] { parked.aborted += 100; });
  later.on_aborted([&] { parked.aborted++; });  // in place of the first
  server.turn();
  client.reset();
  CHECK(eventually([&] { return parked.aborted == 1; }));
  later.on_aborted([&] { parked.aborted++; });
  CHECK(eventually([&] { return parked.aborted == 2; }));
  server.on_thread([&](App&) {
    later.on_aborted([&] { parked.aborted++; });
    CHECK(parked.aborted == 2);  // not before the call has returned
  });
  CHECK(eventually([&] { return parked.aborted == 3; }));
}

TEST_CASE("http_aborted: a Next that was kept; a callback that fails is reported with its route") {
  std::optional<Next> kept;
  std::atomic<int> failures = 0;
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& failure) { failures += failure.route == "/held"; });
    app.use([&](Request&, Response& res, Next next) {
      res.on_aborted([] { throw std::runtime_error("of the callback"); });
      kept = next;
    });
    app.get("/held", [](Request&, Response& res) { res.send("x"); });
  });
  Client client(server.port());
  REQUIRE(client.send("GET /held HTTP/1.1\r\nHost: t\r\n\r\n"));
  server.turn();
  server.turn();
  client.reset();
  CHECK(eventually([&] { return failures == 1; }));
  server.on_thread([&](App&) { (*kept)(); });
  CHECK(server.stats().handler_failures == 1);
}

TEST_CASE("http_aborted: a drain that cuts what is parked tells it") {
  Parked parked;
  TestServer server([&](App& app) { parked.serve(app); });
  Client client(server.port());
  REQUIRE(client.send(kLater));
  parked.at(0);
  server.app().post([&] { server.app().drain({.deadline = milliseconds(10)}); });
  CHECK(server.wait_until_over() == 0);
  CHECK(parked.aborted == 1);
}

// Answers that never come ---------------------------------------------------------------------------------------------

namespace {

// A server whose time the test moves; what is parked is kept in order.
struct Clocked {
  std::vector<Response> parked;
  std::vector<Next> held;
  int aborted = 0;
  SteppedServer server;
  Client client;

  explicit Clocked(const AppOptions& options)
      : server([this](App& app) { routes(app); }, options), client(server.connect()) {}

  void routes(App& app) {
    app.use([](Request&, Response& res, Next next) {
      res.set("Access-Control-Allow-Origin", "*").set("Content-Language", "en").type("json");
      next();
    });
    const auto park = [this](const DeferOptions& options) {
      return [this, options](Request&, Response& res) {
        parked.push_back(res.defer(options));
        parked.back().on_aborted([this] { aborted++; });
      };
    };
    app.get("/later", park({}));
    app.get("/short", park({.deadline = 2s}));
    app.get("/long", park({.deadline = 20s}));
    app.get("/held", [this](Request&, Response&, Next next) { held.push_back(next); }, park({.deadline = 2s}));
    const auto taken = [](Request& req, Response& res) { res.send(req.body()); };
    app.post("/parked", [this](Request&, Response& res, Next) { parked.push_back(res.defer()); }, taken);
    app.post("/held", [this](Request&, Response&, Next next) { held.push_back(next); }, taken);
    app.get("/now", [](Request&, Response& res) { res.send("now"); });
  }
  void ask(std::string_view path) {
    const size_t before = parked.size() + held.size();
    REQUIRE(client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(server.turn_until([&] { return parked.size() + held.size() > before; }));
  }
  void pass(milliseconds time) {
    SteppedServer::advance(time);
    for (int i = 0; i < 3; i++) server.turn();
  }
  bool silent() { return client.stays_silent(1ms) && client.in().empty(); }
  void check_503(uint64_t timeouts) {
    const HttpResponse got = client.read_response();
    CHECK(got.status == 503);
    CHECK(got.body == "The server took too long to answer.");
    CHECK(got.field("content-type") == "text/plain; charset=utf-8");
    CHECK(got.field("content-language") == "");  // that was of another body
    CHECK(got.field("access-control-allow-origin") == "*");
    CHECK(server.app().stats().handler_timeouts == timeouts);
    CHECK(aborted == 0);
  }
  // Not half a second before, and not half a second after.
  void times_out_at(milliseconds time, uint64_t timeouts) {
    pass(time - 500ms);
    CHECK(silent());
    pass(1s);
    check_503(timeouts);
  }
};

}  // namespace

TEST_CASE("http_aborted: handler_timeout answers 503, the connection goes on, a late answer does nothing") {
  Clocked t({.handler_timeout = 5s});
  std::string said;
  set_log_sink([&](LogLevel, std::string_view text) { said += text; });
  t.ask("/later");
  t.times_out_at(5s, 1);
  set_log_sink({});
  CHECK(said.find("no answer came in time") != said.npos);
  CHECK(said.find("/later") != said.npos);
  t.parked[0].send("late");
  t.server.turn();
  CHECK(t.silent());
  CHECK(t.server.app().stats().late_responses == 0);
  t.ask("/later");
  t.pass(4500ms);
  t.parked[1].type("text").send("in time");
  t.server.turn();
  CHECK(t.client.read_response().body == "in time");
  t.pass(1s);
  CHECK(t.silent());
  CHECK(t.server.app().stats().handler_timeouts == 1);
}

TEST_CASE("http_aborted: a deferral's own deadline, shorter and longer than the handler_timeout") {
  Clocked t({.handler_timeout = 5s});
  t.ask("/short");
  t.times_out_at(2s, 1);
  t.ask("/long");
  t.pass(10s);
  CHECK(t.silent());
  t.times_out_at(10s, 2);
}

TEST_CASE("http_aborted: without a limit an answer may take days; a deadline counts from the deferral") {
  Clocked t({});
  t.ask("/later");
  for (int i = 0; i < 48; i++) t.pass(1h);
  CHECK(t.silent());
  t.parked[0].send("there");
  t.server.turn();
  CHECK(t.client.read_response().status == 200);
  t.ask("/held");
  t.pass(1h);
  CHECK(t.silent());
  t.held[0]();  // the handler defers only now
  REQUIRE(t.parked.size() == 2);
  t.times_out_at(2s, 1);
}

TEST_CASE("http_aborted: what waits behind a request that timed out is answered") {
  Clocked t({.handler_timeout = 5s});
  REQUIRE(t.client.send(std::string(kLater) + std::string(kNow)));
  REQUIRE(t.server.turn_until([&] { return t.parked.size() == 1; }));
  t.pass(6s);
  t.check_503(1);
  CHECK(t.client.read_response().body == "now");
}

TEST_CASE("http_aborted: what comes too late is as harmless while the body is still passed over") {
  for (const char* path : {"/parked", "/held"}) {
    Clocked t({.handler_timeout = 5s});
    REQUIRE(t.client.send("POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234"));
    REQUIRE(t.server.turn_until([&] { return t.parked.size() + t.held.size() == 1; }));
    t.times_out_at(5s, 1);
    for (const Response& late : t.parked) {
      late.on_aborted([&] { t.aborted += 100; });
      late.send("late");
      CHECK(late.status_code() == 0);
    }
    for (const Next& late : t.held) {
      late(HttpError{422, "late"});
      late();
    }
    t.server.turn();
    CHECK(t.silent());
    CHECK(t.server.app().stats().late_responses == 0);
    CHECK(t.server.app().stats().late_nexts == 0);
    REQUIRE(t.client.send("56789" + std::string(kNow)));
    t.pass(0ms);
    CHECK(t.client.read_response().body == "now");
    CHECK(t.aborted == 0);
  }
}
