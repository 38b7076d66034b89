// Steps run when the head of a request is there, the handler when its body is: who is refused need not send it.
#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

std::string head(std::string_view path, std::string_view fields) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n" + std::string(fields) + "\r\n";
}

struct BodyWanted {
  static constexpr bool wants_body = true;
  void operator()(Request& req, Response& res, Next next) const {
    res.set("X-Seen", std::to_string(req.body().size()));
    next();
  }
};

struct Pages {
  std::optional<Next> kept;
  void serve(App& app) {
    app.use([](Request& req, Response& res, Next next) {
      res.set("X-Early", std::to_string(req.body().size()));
      next();
    });
    app.post("/private", [](Request& req, Response& res, Next next) { req.header("authorization") ? next() : res.status(401).send("who?"); },
             [](Request& req, Response& res) { res.send(req.body()); });
    app.post("/late", [this](Request&, Response&, Next next) { kept = next; }, [](Request& req, Response& res) { res.send(req.body()); });
    app.post("/wanted", BodyWanted(), [](Request& req, Response& res) { res.send(req.body()); });
    app.post("/large", {.max_body_bytes = 8'000'000}, [](Request& req, Response& res, Next next) { req.header("authorization") ? next() : res.status(401).send("who?"); },
             [](Request& req, Response& res) { res.send(std::to_string(req.body().size())); });
    app.get("/", [](Request&, Response& res) { res.send("up"); });
  }
};

}  // namespace

TEST_CASE("http_early: who is refused by a step hears it before the body, and is not told to go on") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); });
  for (const char* fields : {"Content-Length: 8000000\r\n", "Content-Length: 8000000\r\nExpect: 100-continue\r\n", "Transfer-Encoding: chunked\r\n",
                             "Content-Length: 5\r\nExpect: 100-continue\r\n"}) {
    Client client(server.port());
    REQUIRE(client.send(head("/private", fields)));
    const HttpResponse got = client.read_response();
    CHECK(got.status == (std::string_view(fields).find("8000000") == std::string_view::npos ? 401 : 413));
    CHECK(got.field("x-early") == "0");
    CHECK(got.field("connection") == "close");
  }
}

TEST_CASE("http_early: eight million bytes without a token are 401 at the head, and are taken with one where the route takes them") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); });
  for (const char* expects : {"", "Expect: 100-continue\r\n"}) {
    Client client(server.port());
    REQUIRE(client.send(head("/large", "Content-Length: 8000000\r\n" + std::string(expects)) + (*expects ? "" : "some of it")));
    const HttpResponse got = client.read_response();
    CHECK(got.status == 401);
    CHECK(got.field("connection") == "close");
  }
  const std::string body(8'000'000, 'b');
  Client client(server.port());
  CHECK(client.post("/large", body, "Authorization: yes\r\n").body == "8000000");
  CHECK(client.post("/large", body + "b", "Authorization: yes\r\n").status == 413);
  Client other(server.port());
  CHECK(other.post("/private", body.substr(0, 1'048'576), "Authorization: yes\r\n").body.size() == 1'048'576);  // the App's limit is as it was
  CHECK(other.post("/private", body.substr(0, 1'048'577), "Authorization: yes\r\n").status == 413);
}

TEST_CASE("http_early: a body of a MiB behind an answer is passed over, a byte more ends the connection") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); });
  for (const size_t bytes : {size_t{1} << 20, (size_t{1} << 20) + 1}) {
    Client client(server.port());
    REQUIRE(client.send(head("/large", "Content-Length: " + std::to_string(bytes) + "\r\n") + "b"));
    const HttpResponse got = client.read_response();
    CHECK(got.status == 401);
    CHECK(got.closes() == (bytes > size_t{1} << 20));
    if (got.closes()) continue;
    REQUIRE(client.send(std::string(bytes - 1, 'b')));
    CHECK(client.get("/").body == "up");
  }
}

TEST_CASE("http_early: a small body behind an answer is passed over, and the connection goes on") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); });
  Client client(server.port());
  for (int i = 0; i < 3; i++) {
    REQUIRE(client.send(head("/private", "Content-Length: 10\r\n") + "01234"));
    CHECK(client.read_response().status == 401);
    REQUIRE(client.send("56789GET / HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(client.read_response().body == "up");
  }
  CHECK(server.stats().accepted == 1);
  CHECK(server.stats().requests == 6);
}

TEST_CASE("http_early: one that never comes is given up") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); }, {.app = {.body_timeout = milliseconds(50)}});
  Client client(server.port());
  REQUIRE(client.send(head("/private", "Content-Length: 10\r\n") + "01234"));
  CHECK(client.read_response().status == 401);
  CHECK(client.closed_by_peer());
}

TEST_CASE("http_early: the handler and a step that wants it see the whole body, however it comes") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); });
  const std::string body(100'000, 'b');
  uint64_t requests = 0;
  for (const bool chunked : {false, true}) {
    for (const size_t first : {size_t{0}, size_t{1}, size_t{70'000}, body.size()}) {
      Client client(server.port());
      const std::string framing = chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 100000\r\n";
      const std::string sent = chunked ? "186A0\r\n" + body + "\r\n0\r\n\r\n" : body;
      REQUIRE(client.send(head("/wanted", framing) + sent.substr(0, first)));
      if (first < body.size()) REQUIRE(server.wait_for_stats([&](const Stats& s) { return s.requests == requests + 1; }));
      REQUIRE(client.send(sent.substr(first) + "GET / HTTP/1.1\r\nHost: t\r\n\r\n"));
      const HttpResponse got = client.read_response();
      CHECK(got.body == body);
      CHECK(got.field("x-seen") == "100000");
      CHECK(client.read_response().body == "up");
      requests += 2;
    }
  }
}

TEST_CASE("http_early: what a step has found in the head is there when the handler runs behind the body") {
  struct Found {
    std::string_view token, name, path, page;
  };
  TestServer server([](App& app) {
    app.post("/:name", [](Request& req, Response&, Next next) {
      req.data<Found>() = {req.header("x-token").value_or(""), req.param("name"), req.path(), req.query("page").value_or("")};
      next();
    }, [](Request& req, Response& res) {
      const Found& found = req.data<Found>();
      res.send(std::string(found.token) + ' ' + std::string(found.name) + ' ' + std::string(found.path) + ' ' + std::string(found.page));
    });
  });
  const std::string body(70'000, 'b');
  uint64_t requests = 0;
  for (const bool chunked : {false, true}) {
    Client client(server.port());
    const std::string framing = chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 70000\r\n";
    REQUIRE(client.send(head("/%61nn?page=7", framing + "X-Token: secret\r\n")));
    requests++;
    REQUIRE(server.wait_for_stats([&](const Stats& s) { return s.requests == requests; }));
    REQUIRE(client.send(chunked ? "11170\r\n" + body + "\r\n0\r\n\r\n" : body));
    CHECK(client.read_response().body == "secret ann /ann 7");
  }
}

TEST_CASE("http_early: the body that comes while a step thinks is held, and read on when it goes on") {
  for (const size_t early : {size_t{0}, size_t{10}, size_t{50'000}, size_t{400'000}}) {
    for (const bool chunked : {false, true}) {
      CAPTURE(early);
      CAPTURE(chunked);
      Pages pages;
      TestServer server([&](App& app) { pages.serve(app); });
      Client client(server.port());
      const std::string body(500'000, 'b');
      const std::string framing = chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 500000\r\n";
      const std::string sent = (chunked ? "7A120\r\n" + body + "\r\n0\r\n\r\n" : body) + "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
      REQUIRE(client.send(head("/late", framing)));
      bool is_kept = false;
      while (!is_kept) server.on_thread([&](App&) { is_kept = pages.kept.has_value(); });
      std::thread sender([&] { client.send(sent.substr(0, early)); });
      sender.join();
      server.on_thread([&](App&) { (*pages.kept)(); });
      REQUIRE(client.send(std::string_view(sent).substr(early)));
      const HttpResponse got = client.read_response();
      CHECK(got.body == body);
      CHECK(client.read_response().body == "up");
    }
  }
}

TEST_CASE("http_early: 100 Continue goes out when a late step has let the request through") {
  Pages pages;
  TestServer server([&](App& app) { pages.serve(app); });
  Client client(server.port());
  REQUIRE(client.send(head("/late", "Content-Length: 4\r\nExpect: 100-continue\r\n")));
  bool is_kept = false;
  while (!is_kept) server.on_thread([&](App&) { is_kept = pages.kept.has_value(); });
  CHECK(client.in().empty());
  server.on_thread([&](App&) { (*pages.kept)(); });
  REQUIRE(client.read_until("100 Continue\r\n\r\n"));
  CHECK(client.take(client.in().size()) == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("body"));
  CHECK(client.read_response().body == "body");
}
