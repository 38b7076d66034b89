// The life of an HTTP connection: keep-alive, closing, HTTP/1.0, pipelining in order, half-closed and vanishing peers.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void numbered(App& app) {
  app.get("/n/:n", [](Request& req, Response& res) { res.send("answer " + std::string(req.param("n"))); });
  app.post("/echo", [](Request& req, Response& res) { res.send(req.body()); });
}

std::string get_number(size_t n) {
  std::string request = "GET /n/";
  return request.append(std::to_string(n)).append(" HTTP/1.1\r\nHost: t\r\n\r\n");
}
int told_status(std::string_view path) { return path == "/missing" ? 404 : path == "/none" ? 204 : 200; }
std::string answer(size_t n) {
  std::string text = "answer ";
  return text.append(std::to_string(n));
}

}  // namespace

TEST_CASE("http_connection: keep-alive is the rule of HTTP/1.1") {
  TestServer server(numbered);
  Client client(server.port());
  for (size_t i = 0; i < 300; i++) REQUIRE(client.request(get_number(i)).body == answer(i));
  CHECK(server.stats().accepted == 1);
  CHECK(server.stats().requests == 300);
  CHECK(server.stats().open_connections == 1);
}

TEST_CASE("http_connection: Connection: close closes after the answer, and nothing behind it is handled") {
  std::atomic<int> handled = 0;
  TestServer server([&](App& app) {
    app.get("/", [&](Request&, Response& res) { handled++; res.send("bye"); });
  });
  for (const char* value : {"close", "Close", "keep-alive, close", "foo , CLOSE"}) {
    CAPTURE(value);
    handled = 0;
    Client client(server.port());
    REQUIRE(client.send(std::string("GET / HTTP/1.1\r\nHost: t\r\nConnection: ") + value +
                        "\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n"));
    const HttpResponse response = client.read_response();
    CHECK(response.body == "bye");
    CHECK(response.closes());
    CHECK(client.read_to_end());
    CHECK(client.in().empty());
    CHECK(handled == 1);
  }
}

// Closing with unread bytes makes the kernel send a reset, which may overtake the answer (RFC 9112 §9.6).
TEST_CASE("http_connection: the answer before a close arrives whole although the client goes on sending") {
  for (const size_t size : {size_t{300'000}, size_t{9'000'000}}) {
    CAPTURE(size);
    const std::string large(size, 'x');
    TestServer server([&](App& app) { app.get("/", [&](Request&, Response& res) { res.send(large); }); });
    int whole = 0;
    for (int i = 0; i < 5; i++) {
      Client client(server.port(), {.receive_buffer_bytes = 8192});
      REQUIRE(client.send("GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
      client.send_some(std::string(50'000, 'y'), milliseconds(20));  // more than 64 KiB is not thrown away
      whole += client.read_response().body == large;
    }
    CHECK(whole == 5);
  }
}

TEST_CASE("http_connection: later minor versions are served as HTTP/1.1, and answered in it") {
  TestServer server(numbered);
  Client client(server.port());
  for (const std::string minor : {"2", "3", "9"}) {
    CAPTURE(minor);
    const HttpResponse response = client.request("GET /n/1 HTTP/1." + minor + "\r\nHost: t\r\n\r\n");
    CHECK(response.status == 200);
    CHECK(response.version == "HTTP/1.1");
    CHECK(response.body == "answer 1");
    CHECK(response.count("connection") == 0);  // on the same connection
  }
  for (const std::string version : {"2.0", "3.0", "0.9", "1.10"}) {
    CAPTURE(version);
    Client other(server.port());
    CHECK(other.request("GET /n/1 HTTP/" + version + "\r\nHost: t\r\n\r\n").status == (version == "1.10" ? 400 : 505));
  }
}

TEST_CASE("http_connection: HTTP/1.0 closes, unless it asks for keep-alive") {
  TestServer server(numbered);
  {
    Client client(server.port());
    const HttpResponse response = client.request("GET /n/1 HTTP/1.0\r\n\r\n");
    CHECK(response.version == "HTTP/1.1");
    CHECK(response.body == "answer 1");
    CHECK(client.closed_by_peer());
  }
  {
    Client client(server.port());
    for (int i = 0; i < 3; i++) {
      const HttpResponse response = client.request("GET /n/1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
      CHECK(response.body == "answer 1");
      CHECK(HttpResponse::same_name(response.field("connection"), "keep-alive"));
    }
    CHECK(client.request("GET /n/2 HTTP/1.0\r\nHost: t\r\n\r\n").body == "answer 2");
    CHECK(client.closed_by_peer());
  }
}

TEST_CASE("http_connection: who names keep-alive is told for how long, in every kind of answer; others are not") {
  TestServer server([](App& app) {
    numbered(app);
    app.get("/json", [](Request&, Response& res) { res.json("{}"); });
    app.get("/none", [](Request&, Response& res) { res.status(204).send(""); });
    app.get("/own", [](Request&, Response& res) { res.type("text/x").send("own"); });
  });
  for (const char* path : {"/n/1", "/json", "/none", "/own", "/missing"}) {
    for (const char* version : {"1.0", "1.1"}) {
      CAPTURE(path);
      CAPTURE(version);
      const std::string start = std::string("GET ") + path + " HTTP/" + version + "\r\nHost: t\r\n";
      Client client(server.port());
      for (const char* value : {"keep-alive", "Keep-Alive, x"}) {
        const HttpResponse told = client.request(start + "Connection: " + value + "\r\n\r\n");
        CHECK(told.field("connection") == "keep-alive");
        CHECK(told.field("keep-alive") == "timeout=75");
        CHECK(told.count("connection") == 1);
      }
      const HttpResponse closed = client.request(start + "Connection: keep-alive, close\r\n\r\n");
      CHECK(closed.closes());
      CHECK(closed.count("keep-alive") == 0);
      Client other(server.port());
      const HttpResponse plain = other.request(start + "\r\n");
      CHECK(plain.status == told_status(path));
      CHECK(plain.count("keep-alive") == 0);
      CHECK(plain.field("connection") == (version[2] == '0' ? "close" : ""));
    }
  }
}

TEST_CASE("http_connection: a keep-alive time is told in whole seconds, and one below a second is not") {
  for (const auto& [time, told] : {std::pair<int, const char*>{1'000, "timeout=1"}, {1'999, "timeout=1"}, {999, ""}}) {
    TestServer server(numbered, {.app = {.keep_alive_timeout = milliseconds(time)}});
    Client client(server.port());
    const HttpResponse response = client.request("GET /n/1 HTTP/1.1\r\nHost: t\r\nConnection: keep-alive\r\n\r\n");
    CHECK(response.field("keep-alive") == told);
    CHECK(response.field("connection") == "keep-alive");
  }
}

TEST_CASE("http_connection: 1,000 requests in one write are answered in order") {
  TestServer server(numbered);
  Client client(server.port());
  std::string requests;
  for (size_t i = 0; i < 1000; i++) requests += get_number(i);
  std::thread sender([&] { CHECK(client.send(requests)); });
  sender.join();
  for (size_t i = 0; i < 1000; i++) REQUIRE(client.read_response().body == answer(i));
  CHECK(client.in().empty());
  CHECK(server.stats().requests == 1000);
}

TEST_CASE("http_connection: mixed requests are answered in order: HEAD, 404, bodies, chunks, 100-continue") {
  TestServer server(numbered);
  Client client(server.port());
  std::string requests;
  for (size_t i = 0; i < 100; i++) {
    requests += get_number(i);
    requests += "HEAD /n/7 HTTP/1.1\r\nHost: t\r\n\r\n";
    requests += "\r\nGET /none HTTP/1.1\r\nHost: t\r\n\r\n";
    requests += "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody";
    requests += "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  }
  REQUIRE(client.send(requests));
  for (size_t i = 0; i < 100; i++) {
    CAPTURE(i);
    REQUIRE(client.read_response().body == answer(i));
    REQUIRE(client.read_response(true).field("content-length") == "8");
    REQUIRE(client.read_response().status == 404);
    HttpResponse posted = client.read_response();
    if (posted.status == 100) posted = client.read_response();
    REQUIRE(posted.body == "body");
    REQUIRE(client.read_response().body == "abc");
  }
}

TEST_CASE("http_connection: pipelined requests cut anywhere into packets") {
  TestServer server(numbered);
  std::string requests;
  for (size_t i = 0; i < 40; i++) requests += get_number(i);
  for (const size_t step : {1u, 2u, 3u, 7u, 17u, 64u, 333u}) {
    CAPTURE(step);
    Client client(server.port());
    for (size_t at = 0; at < requests.size(); at += step) {
      REQUIRE(client.send(std::string_view(requests).substr(at, step)));
      server.turn();
    }
    for (size_t i = 0; i < 40; i++) REQUIRE(client.read_response().body == answer(i));
  }
}

TEST_CASE("http_connection: a client that half-closes after its requests gets all answers, then EOF") {
  TestServer server(numbered);
  std::string requests;
  for (size_t i = 0; i < 600; i++) requests += get_number(i);
  for (const std::string_view tail :
       {"", "GET /n/half", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nhalf"}) {
    CAPTURE(tail);
    Client client(server.port());
    REQUIRE(client.send(requests));
    REQUIRE(client.send(tail));
    client.shutdown_sending();
    for (size_t i = 0; i < 600; i++) REQUIRE(client.read_response().body == answer(i));
    CHECK(client.closed_by_peer());
  }
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("http_connection: a half-closed peer still gets the answer that is being made") {
  std::atomic<int> deferred = 0;
  Response* kept = nullptr;
  TestServer server([&](App& app) {
    app.get("/later", [&](Request&, Response& res) { kept = new Response(res.defer()); deferred++; });
  });
  Client client(server.port());
  REQUIRE(client.send("GET /later HTTP/1.1\r\nHost: t\r\n\r\n"));
  client.shutdown_sending();
  REQUIRE(eventually([&] { return deferred == 1; }));
  server.turn();
  CHECK(server.stats().open_connections == 1);
  kept->send("still there");
  CHECK(client.read_response().body == "still there");
  CHECK(client.closed_by_peer());
  delete kept;
}

TEST_CASE("http_connection: connections that end at any point of a request leave nothing behind") {
  std::atomic<int> handled = 0;
  TestServer server([&](App& app) {
    app.post("/p", [&](Request&, Response& res) { handled++; res.send("p"); });
  });
  const std::string bytes = "POST /p HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n0123456789";
  for (size_t cut = 0; cut < bytes.size(); cut++) {
    for (const int how : {0, 1, 2}) {
      Client client(server.port());
      REQUIRE(client.send(std::string_view(bytes).substr(0, cut)));
      if (how == 0) client.reset();
      if (how == 1) client.close();
      if (how == 2) {
        client.shutdown_sending();
        CHECK(client.closed_by_peer());
      }
    }
  }
  CHECK(server.wait_for_connections(0));
  CHECK(handled == 0);
}

TEST_CASE("http_connection: empty lines before a request are tolerated, a few") {
  TestServer server(numbered);
  Client client(server.port());
  REQUIRE(client.send("\r\n" + get_number(1) + "\r\n\r\n" + get_number(2)));
  CHECK(client.read_response().body == "answer 1");
  CHECK(client.read_response().body == "answer 2");
  REQUIRE(client.send("\r"));
  server.turn();
  REQUIRE(client.send("\n\r"));
  server.turn();
  REQUIRE(client.send("\n" + get_number(3)));
  CHECK(client.read_response().body == "answer 3");
}

TEST_CASE("http_connection: one client's pipeline does not starve another") {
  TestServer server(numbered);
  Client busy(server.port());
  std::string requests;
  for (size_t i = 0; i < 20'000; i++) requests += get_number(i % 10);
  std::atomic<bool> stop = false;
  std::thread flood([&] {
    std::thread reader([&] { while (!stop && busy.read_more(Clock::now() + milliseconds(50))) busy.in().clear(); });
    busy.send_some(requests, milliseconds(2000));
    reader.join();
  });
  Client other(server.port());
  for (size_t i = 0; i < 20; i++) CHECK(other.request(get_number(i)).body == answer(i));
  stop = true;
  flood.join();
}

TEST_CASE("http_connection: other protocols offered by Upgrade are declined by an ordinary answer") {
  TestServer server(numbered);
  Client client(server.port());
  const HttpResponse response = client.request(
      "GET /n/1 HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n");
  CHECK(response.status == 200);
  CHECK(response.body == "answer 1");
  CHECK(client.request("GET /n/2 HTTP/1.1\r\nHost: t\r\nConnection: keep-alive, Upgrade\r\n\r\n").body == "answer 2");
}
