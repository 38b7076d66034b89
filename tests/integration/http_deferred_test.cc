// Responses that come later: from other threads, in order, after the client has left; that a late answer never answers
// another request; and that what a deferred request shows stays valid.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// Deferred responses on their way from the server's thread to the test's.
class Kept {
 public:
  void add(Response response) {
    std::lock_guard lock(mutex_);
    responses_.push_back(response);
  }
  size_t size() {
    std::lock_guard lock(mutex_);
    return responses_.size();
  }
  // Waits for response number i.
  Response at(size_t i) {
    REQUIRE(eventually([&] { return size() > i; }));
    std::lock_guard lock(mutex_);
    return responses_[i];
  }

 private:
  std::mutex mutex_;
  std::deque<Response> responses_;
};

void keeps(App& app, Kept& kept) {
  app.all("/later", [&](Request&, Response& res) { kept.add(res.defer()); });
  app.get("/now", [](Request&, Response& res) { res.send("now"); });
  app.post("/echo", [](Request& req, Response& res) { res.send("echo " + std::string(req.body())); });
}

constexpr std::string_view kLater = "GET /later HTTP/1.1\r\nHost: t\r\n\r\n";
constexpr std::string_view kNow = "GET /now HTTP/1.1\r\nHost: t\r\n\r\n";

}  // namespace

TEST_CASE("http_deferred: an answer from another thread keeps the order of its calls") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  Client client(server.port());
  for (size_t i = 0; i < 50; i++) {
    REQUIRE(client.send(kLater));
    Response response = kept.at(i);
    std::string value = "v";
    std::string body = "body " + std::to_string(i);
    response.status(202).set("X-One", value).set("X-Two", "2").type("html");
    value = "overwritten";  // nothing is kept of the arguments
    response.set("X-One", "last").send(body);
    body = "overwritten";
    const HttpResponse got = client.read_response();
    CHECK(got.status == 202);
    CHECK(got.field("x-one") == "last");
    CHECK(got.field("x-two") == "2");
    CHECK(got.field("content-type") == "text/html; charset=utf-8");
    CHECK(got.body == "body " + std::to_string(i));
  }
}

TEST_CASE("http_deferred: every terminal call works from another thread") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  Client client(server.port());
  REQUIRE(client.send(std::string(kLater) + std::string(kLater) + std::string(kLater) + std::string(kLater)));
  kept.at(0).json("{}");
  CHECK(client.read_response().field("content-type") == "application/json");
  kept.at(1).redirect("/there", 307);
  const HttpResponse redirect = client.read_response();
  CHECK(redirect.status == 307);
  CHECK(redirect.field("location") == "/there");
  kept.at(2).end();
  CHECK(client.read_response().field("content-length") == "0");
  const std::string bytes("\0\xff", 2);
  kept.at(3).send(std::as_bytes(std::span(bytes)));
  CHECK(client.read_response().body == bytes);
}

TEST_CASE("http_deferred: requests behind a deferred one wait, and are answered in order") {
  Kept kept;
  std::atomic<int> echoed = 0;
  TestServer server([&](App& app) {
    keeps(app, kept);
    app.get("/count", [&](Request&, Response& res) { res.send(std::to_string(++echoed)); });
  });
  Client client(server.port());
  std::string requests(kLater);
  for (int i = 0; i < 3000; i++) requests += "GET /count HTTP/1.1\r\nHost: t\r\n\r\n";  // more than is held
  requests += kLater;
  REQUIRE(client.send(requests));
  kept.at(0);
  server.turn();
  CHECK(echoed == 0);
  CHECK(client.stays_silent(milliseconds(20)));
  kept.at(0).send("first");
  CHECK(client.read_response().body == "first");
  for (int i = 1; i <= 3000; i++) REQUIRE(client.read_response().body == std::to_string(i));
  kept.at(1).send("last");
  CHECK(client.read_response().body == "last");
}

TEST_CASE("http_deferred: what waits behind a deferred response is bounded, reading stops") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  Client client(server.port(), {.send_buffer_bytes = 16 * 1024});
  std::string requests(kLater);
  while (requests.size() < 20'000'000) requests += kNow;
  const size_t taken = client.send_some(requests, milliseconds(300));
  CHECK(taken < requests.size());
  CHECK(taken < 12'000'000);  // the kernel's buffers and 64 KiB or so
  kept.at(0).send("go");
  CHECK(client.read_response().body == "go");
  const size_t whole = (taken - kLater.size()) / kNow.size();
  for (size_t i = 0; i < whole; i++) REQUIRE(client.read_response().body == "now");
}

TEST_CASE("http_deferred: a response after the client has left does nothing") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  {
    Client client(server.port());
    REQUIRE(client.send(kLater));
    kept.at(0);
    client.reset();
  }
  REQUIRE(server.wait_for_connections(0));
  // A new client takes the same place in the server's tables.
  Client next(server.port());
  REQUIRE(next.send(kLater));
  kept.at(1);
  kept.at(0).status(500).set("X-Evil", "1").send("for somebody else");
  server.on_thread([&](App&) {
    CHECK_FALSE(kept.at(0).sent());
    kept.at(0).send("again");
  });
  kept.at(1).send("mine");
  const HttpResponse response = next.read_response();
  CHECK(response.status == 200);
  CHECK(response.body == "mine");
  CHECK(response.count("x-evil") == 0);
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_deferred: a late answer never answers the next request that is being handled") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  Client client(server.port());
  REQUIRE(client.send(kLater));
  Response first = kept.at(0);
  first.send("one");
  CHECK(client.read_response().body == "one");
  REQUIRE(client.send(kLater));
  kept.at(1);
  first.status(500).send("late");
  server.on_thread([&](App&) { first.status(500).set("X-Late", "1").send("late"); });
  kept.at(1).send("two");
  const HttpResponse second = client.read_response();
  CHECK(second.status == 200);
  CHECK(second.body == "two");
  CHECK(second.count("x-late") == 0);
}

TEST_CASE("http_deferred: a late answer never answers the next request whose body is on its way") {
  for (const bool chunked : {false, true}) {
    CAPTURE(chunked);
    Kept kept;
    TestServer server([&](App& app) { keeps(app, kept); });
    Client client(server.port());
    REQUIRE(client.send(kLater));
    Response first = kept.at(0);
    first.send("one");
    CHECK(client.read_response().body == "one");
    REQUIRE(client.send(chunked ? "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
                                : "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab"));
    server.turn();
    server.on_thread([&](App&) { first.status(500).set("X-Late", "1").send("late"); });
    REQUIRE(client.send(chunked ? "2\r\ncd\r\n0\r\n\r\n" : "cd"));
    const HttpResponse second = client.read_response();
    CHECK(second.status == 200);
    CHECK(second.body == "echo abcd");
    CHECK(second.count("x-late") == 0);
  }
}

TEST_CASE("http_deferred: a late answer does nothing on an idle connection or while a head arrives") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  Client client(server.port());
  REQUIRE(client.send(kLater));
  Response first = kept.at(0);
  first.send("one");
  CHECK(client.read_response().body == "one");
  server.on_thread([&](App&) { first.send("late"); });
  REQUIRE(client.send(kNow.substr(0, 20)));
  server.turn();
  server.on_thread([&](App&) { first.send("late"); });
  REQUIRE(client.send(kNow.substr(20)));
  CHECK(client.read_response().body == "now");
  CHECK(client.get("/now").body == "now");
  CHECK(client.in().empty());
}

TEST_CASE("http_deferred: two threads answer one request, the first wins") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  Client client(server.port());
  for (size_t i = 0; i < 100; i++) {
    REQUIRE(client.send(kLater));
    Response response = kept.at(i);
    std::thread a([&, r = response]() mutable { r.send("a"); });
    std::thread b([&, r = response]() mutable { r.send("a"); });
    a.join();
    b.join();
    REQUIRE(client.read_response().body == "a");
  }
  CHECK(client.get("/now").body == "now");
  CHECK(client.in().empty());
}

TEST_CASE("http_deferred: after defer() the request is asked again and shows the same") {
  Kept kept;
  TestServer server([&](App& app) {
    app.post("/d/:p/*", [&](Request& req, Response& res) {
      const auto tell = [&] {
        return std::string(req.method()) + "|" + std::string(req.path()) + "|" + std::string(req.url()) + "|" +
               std::string(req.param("p")) + "|" + std::string(req.param("*")) + "|" +
               std::string(req.query("q").value_or("-")) + "|" + std::string(req.header("x-a").value_or("-")) + "|" +
               std::string(req.body());
      };
      const std::string before = tell();
      Response later = res.defer();
      Response again = res.defer();
      res.set("X-Same", tell() == before ? "yes" : "no");
      again.set("X-Again", "1");
      later.send(before);
    });
  });
  Client client(server.port());
  for (const size_t size : {size_t{0}, size_t{5}, size_t{70'000}}) {
    const std::string body(size, 'b');
    const HttpResponse response = client.post("/d/a%20b/c/d?q=%31", body, "X-A: field\r\n");
    CHECK(response.field("x-same") == "yes");
    CHECK(response.field("x-again") == "1");
    CHECK(response.body == "POST|/d/a%20b/c/d|/d/a%20b/c/d?q=%31|a b|c/d|1|field|" + body);
    const std::string chunks = size ? "5\r\nbbbbb\r\n0\r\n\r\n" : "0\r\n\r\n";
    const HttpResponse chunked =
        client.request("POST /d/x/y HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
    CHECK(chunked.field("x-same") == "yes");
    CHECK(chunked.body == (size ? "POST|/d/x/y|/d/x/y|x|y|-|-|bbbbb" : "POST|/d/x/y|/d/x/y|x|y|-|-|"));
  }
}

TEST_CASE("http_deferred: defer, then throw: 500, and the late answer is nobody's") {
  Kept kept;
  TestServer server([&](App& app) {
    keeps(app, kept);
    app.get("/throw", [&](Request&, Response& res) {
      kept.add(res.defer());
      throw std::runtime_error("after defer");
    });
    app.on_error([](const HandlerFailure&) {});
  });
  Client client(server.port());
  CHECK(client.get("/throw").status == 500);
  kept.at(0).send("late");
  CHECK(client.get("/now").body == "now");
  CHECK(client.in().empty());
  CHECK(server.stats().handler_failures == 1);
}

TEST_CASE("http_deferred: Connection: close, HTTP/1.0 and HEAD are remembered until the answer") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  const char* requests[] = {"GET /later HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
                            "GET /now HTTP/1.1\r\nHost: t\r\n\r\n",
                            "GET /later HTTP/1.0\r\n\r\n"};
  for (size_t i = 0; i < 2; i++) {
    Client client(server.port());
    REQUIRE(client.send(requests[i]));
    kept.at(i).send("last words");
    const HttpResponse response = client.read_response();
    CHECK(response.body == "last words");
    CHECK(response.closes());
    CHECK(client.closed_by_peer());
  }
  Client client(server.port());
  REQUIRE(client.send("HEAD /later HTTP/1.1\r\nHost: t\r\n\r\n" + std::string(kNow)));
  kept.at(2).send("12345");
  CHECK(client.read_response(true).field("content-length") == "5");
  CHECK(client.read_response().body == "now");
}

TEST_CASE("http_deferred: answers from timers, in the order of requests though not of answers") {
  TestServer server([&](App& app) {
    app.get("/:ms", [&](Request& req, Response& res) {
      const int ms = std::stoi(std::string(req.param("ms")));
      app.after(milliseconds(ms), [later = res.defer(), ms]() mutable { later.send(std::to_string(ms)); });
    });
  });
  Client a(server.port()), b(server.port());
  REQUIRE(a.send("GET /30 HTTP/1.1\r\nHost: t\r\n\r\nGET /1 HTTP/1.1\r\nHost: t\r\n\r\n"));
  REQUIRE(b.send("GET /5 HTTP/1.1\r\nHost: t\r\n\r\n"));
  CHECK(b.read_response().body == "5");
  CHECK(a.read_response().body == "30");
  CHECK(a.read_response().body == "1");
}

TEST_CASE("http_deferred: a Response and a Next that outlive their server are used without harm") {
  Kept kept;
  std::vector<Next> nexts;
  {
    TestServer server([&](App& app) {
      keeps(app, kept);
      app.get("/next", [&](Request&, Response&, Next next) { nexts.push_back(next); },
              [](Request&, Response& res) { res.end(); });
    }, {.check_descriptors = false});
    Client client(server.port());
    REQUIRE(client.send(kLater));
    kept.at(0);
    Client other(server.port());
    REQUIRE(other.send("GET /next HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(eventually([&] { return server.on_thread([&](App&) { return nexts.size(); }) == 1; }));
  }
  kept.at(0).status(200).set("a", "b").send("too late");
  nexts[0]();
  CHECK_FALSE(kept.at(0).sent());
}

TEST_CASE("http_deferred: large answers from another thread, bytes right") {
  Kept kept;
  TestServer server([&](App& app) { keeps(app, kept); });
  std::string large(2'000'000, ' ');
  for (size_t i = 0; i < large.size(); i++) large[i] = static_cast<char>('a' + i % 25);
  Client client(server.port(), {.receive_buffer_bytes = 8192});
  REQUIRE(client.send(std::string(kLater) + std::string(kNow)));
  kept.at(0).send(large);
  CHECK(client.read_response().body == large);
  CHECK(client.read_response().body == "now");
}
