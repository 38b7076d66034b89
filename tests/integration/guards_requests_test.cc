// request_id, response_time, timeout, body_limit and Maintenance: what clients get of them.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/multi_server.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

template <typename F>
std::string mistake_of(F step) {
  App app;
  app.use(std::move(step));
  const auto port = app.listen("127.0.0.1", 0);
  return port ? "" : std::string(port.error().what());
}

bool is_milliseconds(std::string_view text) {
  const size_t dot = text.find('.');
  return dot != text.npos && dot > 0 && text.size() == dot + 4 && text.find_first_not_of("0123456789.") == text.npos;
}

}  // namespace

TEST_CASE("guards_requests: every answer has a name, which only a trusted proxy may choose") {
  const auto set_up = [](App& app) {
    app.use(request_id());
    app.get("/", [](Request& req, Response& res) { res.send(req.id()); });
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
    app.post("/small", {.max_body_bytes = 4}, [](Request&, Response& res) { res.send("ok"); });
  };
  TestServer plain(set_up);
  TestServer behind(set_up, {.app = {.trusted_proxies = "loopback"}});
  const std::string sent = "X-Request-Id: from-outside.7\r\n";
  const HttpResponse own = Client(plain.port()).get("/", sent);
  CHECK(own.field("x-request-id") == own.body);
  CHECK(own.body.size() == 24);
  const HttpResponse believed = Client(behind.port()).get("/", sent);
  CHECK(believed.body == "from-outside.7");
  CHECK(believed.field("x-request-id") == "from-outside.7");
  for (const char* bad : {"a b", "<script>", "a\"b", "\xc3\xa9", ""}) {
    CAPTURE(bad);
    CHECK(Client(behind.port()).get("/", "X-Request-Id: " + std::string(bad) + "\r\n").field("x-request-id").size() == 24);
  }
  for (const char* path : {"/throws", "/nowhere"}) CHECK(Client(plain.port()).get(path).field("x-request-id").size() == 24);
  CHECK(Client(plain.port()).post("/small", "12345").field("x-request-id").size() == 24);
  CHECK(mistake_of(request_id("X Id")) == "request_id: \"X Id\" is no name of a field");
  CHECK(mistake_of(request_id("Request-Id")) == "");
}

TEST_CASE("guards_requests: how long it took stands in a field of its own, or among Server-Timing") {
  App app;
  app.use("/own", response_time());
  app.use("/timing", response_time({.metric = "app"}));
  app.get("/own", [&](Request&, Response& res) { app.after(20ms, [late = res.defer()] { late.send("ok"); }); });
  app.get("/timing", [](Request&, Response& res) { res.set("Server-Timing", "db;dur=1").send("ok"); });
  const std::string own(app.inject({.path = "/own"}).field("x-response-time"));
  CAPTURE(own);
  CHECK(own.ends_with("ms"));
  CHECK(is_milliseconds(own.substr(0, own.size() - 2)));
  CHECK(std::stod(own) >= 19.0);
  const Reply timing = app.inject({.path = "/timing"});
  std::string all;
  for (const auto& [name, value] : timing.fields) {
    if (HttpResponse::same_name(name, "server-timing")) all += value + "|";
  }
  CAPTURE(all);
  CHECK(all.starts_with("db;dur=1|app;dur="));
  CHECK(!app.inject({.path = "/own/nowhere"}).field("x-response-time").empty());
  CHECK(mistake_of(response_time({.field = ""})) != "");
  CHECK(mistake_of(response_time({.metric = "a;b"})) != "");
  CHECK(mistake_of(response_time({.metric = std::string(65, 'a')})) != "");
}

TEST_CASE("guards_requests: an answer that comes too late is 503 with the text; who is in time is not touched") {
  std::atomic<int> aborted = 0;
  App app;
  app.use("/slow", timeout(20ms, "Try again later."));
  app.use("/plain", timeout(20ms));
  const auto late = [&](milliseconds delay) {
    return [&, delay](Request&, Response& res) {
      Response kept = res.defer();
      kept.on_aborted([&] { aborted++; });
      app.after(delay, [kept] { kept.send("late"); });
    };
  };
  app.get("/slow", late(200ms));
  app.get("/slow/quick", late(1ms));
  app.get("/slow/next", [&](Request&, Response&, Next next) { app.after(200ms, [next] { next(); }); }, [](Request&, Response& res) { res.send("late"); });
  app.get("/slow/own", [&](Request&, Response& res) { app.after(60ms, [kept = res.defer({.deadline = 5s})] { kept.send("own"); }); });
  app.get("/slow/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
  app.get("/slow/nothing", [](Request&, Response&) {});
  app.get("/plain", late(200ms));
  const Reply slow = app.inject({.path = "/slow"});
  CHECK(slow.status == 503);
  CHECK(slow.body == "Try again later.");
  CHECK(app.inject({.path = "/slow/next"}).body == "Try again later.");
  CHECK(app.inject({.path = "/slow/quick"}).body == "late");
  CHECK(app.inject({.path = "/slow/own"}).body == "own");
  CHECK(app.inject({.path = "/slow/throws"}).status == 500);
  CHECK(app.inject({.path = "/slow/nothing"}).status == 500);  // not 503: nobody is at it any more
  CHECK(app.inject({.path = "/plain"}).body == "The server took too long to answer.");
  CHECK(aborted == 0);
  CHECK(app.stats().handler_timeouts == 3);
  CHECK(mistake_of(timeout(0ms)) != "");
}

TEST_CASE("guards_requests: bodies are limited by what is announced, and by what comes in chunks") {
  TestServer server([](App& app) {
    const auto size = [](Request& req, Response& res) { res.send(std::to_string(req.body().size())); };
    app.post("/limited", body_limit(10), size);
    app.post("/larger", {.max_body_bytes = 5}, body_limit(10), size);
    app.post("/free", size);
  });
  const auto post = [&](const char* path, size_t bytes) { return Client(server.port()).post(path, std::string(bytes, 'x')); };
  CHECK(post("/limited", 10).body == "10");
  CHECK(post("/limited", 11).status == 413);
  CHECK(post("/limited", 0).body == "0");
  CHECK(post("/larger", 5).body == "5");
  CHECK(post("/larger", 6).status == 413);
  CHECK(post("/free", 11).body == "11");
  // Announced, and refused before it comes.
  CHECK(Client(server.port()).request("POST /limited HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n").status == 413);
  const std::string head = "POST /limited HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(Client(server.port()).request(head + "a\r\n0123456789\r\n0\r\n\r\n").body == "10");
  CHECK(Client(server.port()).request(head + "b\r\n01234567890\r\n0\r\n\r\n").status == 413);
  Client slow(server.port());
  CHECK(slow.send(head));
  server.turn();
  CHECK(slow.send("5\r\n01234\r\n"));
  server.turn();
  CHECK(slow.request("6\r\n012345\r\n").status == 413);
}

TEST_CASE("guards_requests: maintenance is switched at run time, from any thread, but for the paths that are left out") {
  const Maintenance maintenance({.retry_after = 30s, .skip = {"/health"}, .text = "Back soon."});
  TestServer server([&](App& app) {
    app.use(maintenance);
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
    app.get("/health", [](Request&, Response& res) { res.send("up"); });
    app.get("/healthy", [](Request&, Response& res) { res.send("no"); });
    app.ws("/ws", WsHandlers{});
  });
  Client client(server.port());
  CHECK(client.get("/").body == "ok");
  maintenance.on();
  CHECK(maintenance.is_on());
  const HttpResponse down = client.get("/");
  CHECK(down.status == 503);
  CHECK(down.body == "Back soon.");
  CHECK(down.field("retry-after") == "30");
  CHECK(client.get("/health").body == "up");
  CHECK(client.get("/health/deep").status == 404);
  CHECK(client.get("/healthy").status == 503);
  CHECK(Client(server.port()).get("/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n").status == 503);
  std::thread([&] { maintenance.off(); }).join();
  CHECK(client.get("/").body == "ok");
  CHECK(mistake_of(Maintenance({.retry_after = -1s})) != "");
  CHECK(mistake_of(Maintenance({.skip = {"health"}})) != "");
  App without;
  without.use(Maintenance({.on = true, .retry_after = 0s}));
  CHECK(without.inject().status == 503);
  CHECK(without.inject().field("retry-after") == "");
}

TEST_CASE("guards_requests: maintenance that each worker makes in its set-up is one for all of them") {
  MultiServer server(3, [](App& app, uint32_t) {
    const Maintenance maintenance;
    app.post("/down", [maintenance](Request&, Response& res) { maintenance.on(), res.end(); });
    app.use(maintenance);
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
  });
  for (int i = 0; i < 8; i++) CHECK(Client(server.port()).get("/").status == 200);
  CHECK(Client(server.port()).post("/down", "").status == 200);
  for (int i = 0; i < 8; i++) CHECK(Client(server.port()).get("/").status == 503);
}
