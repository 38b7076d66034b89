// Limits in front of routes: how often requests, connections and messages may come, on both sides of each limit, and that the
// limit is that of all workers.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/failing_alloc.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

std::atomic<int64_t> test_ns{0};
std::chrono::nanoseconds test_clock() noexcept { return std::chrono::nanoseconds(test_ns.load()); }
void pass(milliseconds time) { test_ns += std::chrono::nanoseconds(time).count(); }

std::string field(const Reply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.fields) {
    if (HttpResponse::same_name(key, name)) return value;
  }
  return {};
}

RateLimitOptions options(Limit algorithm, uint32_t max, milliseconds per) {
  return {.algorithm = algorithm, .clock = test_clock, .max = max, .max_keys = 1000, .per = per};
}

void ok(Request&, Response& res) { res.send("ok"); }

// Skips what comes until a Close, which is to be this one.
bool closes_with(WsClient& client, uint16_t code, std::string_view reason) {
  for (;;) {
    const WsFrame frame = client.read_frame();
    if (frame.opcode == kClose) return frame.payload == close_payload(code, reason);
    if (!frame.ok()) return false;
  }
}

}  // namespace

TEST_CASE("rate_limit: 429 with Retry-After, and the fields of the current draft on what is let through and what is not") {
  App app;
  app.use("/api", rate_limit(options(Limit::fixed_window, 2, 60s)));
  app.get("/api/x", ok);
  app.get("/free", ok);
  const Reply first = app.inject({.path = "/api/x"});
  CHECK(first.status == 200);
  CHECK(field(first, "RateLimit") == "\"default\";r=1;t=60");
  CHECK(field(first, "RateLimit-Policy") == "\"default\";q=2;w=60");
  CHECK(field(first, "Retry-After").empty());
  pass(12'001ms);
  CHECK(field(app.inject({.path = "/api/x"}), "RateLimit") == "\"default\";r=0;t=48");
  const Reply refused = app.inject({.path = "/api/x"});
  CHECK(refused.status == 429);
  CHECK(refused.body == "Too Many Requests");
  CHECK(field(refused, "Retry-After") == "48");
  CHECK(field(refused, "RateLimit") == "\"default\";r=0;t=48");
  CHECK(app.inject({.path = "/api/none"}).status == 429);  // what the library refuses counts as well
  CHECK(app.inject({.path = "/free"}).status == 200);
  CHECK(field(app.inject({.path = "/free"}), "RateLimit").empty());
  pass(48'000ms);
  CHECK(app.inject({.path = "/api/x"}).status == 200);
}

TEST_CASE("rate_limit: the older fields, none, a name, a message, problem details, two limits at once") {
  App app;
  RateLimitOptions separate = options(Limit::token_bucket, 10, 10s);
  separate.fields = LimitFields::separate;
  app.get("/separate", rate_limit(std::move(separate)), ok);
  RateLimitOptions x = options(Limit::sliding_log, 1, 10s);
  x.fields = LimitFields::x_ratelimit;
  app.get("/x", rate_limit(std::move(x)), ok);
  RateLimitOptions none = options(Limit::gcra, 1, 500ms);
  none.fields = LimitFields::none;
  none.message = "slow down";
  app.get("/none", rate_limit(std::move(none)), ok);
  RateLimitOptions burst = options(Limit::sliding_window, 100, 1500ms);
  burst.name = "burst";
  RateLimitOptions daily = options(Limit::fixed_window, 1000, 24h);
  daily.name = "daily";
  app.get("/both", rate_limit(std::move(burst)), rate_limit(std::move(daily)), ok);

  const Reply a = app.inject({.path = "/separate"});
  CHECK(field(a, "RateLimit-Limit") == "10");
  CHECK(field(a, "RateLimit-Remaining") == "9");
  CHECK(field(a, "RateLimit-Reset") == "1");
  const Reply b = app.inject({.path = "/x"});
  CHECK(field(b, "X-RateLimit-Limit") == "1");
  CHECK(field(b, "X-RateLimit-Remaining") == "0");
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(std::stoll(field(b, "X-RateLimit-Reset")) >= now + 9);
  CHECK(std::stoll(field(b, "X-RateLimit-Reset")) <= now + 11);
  CHECK(app.inject({.path = "/none"}).fields.size() == app.inject({.path = "/free"}).fields.size());
  const Reply c = app.inject({.path = "/none"});
  CHECK(c.status == 429);
  CHECK(c.body == "slow down");
  CHECK(field(c, "Retry-After") == "1");
  CHECK(field(app.inject({.path = "/none", .fields = {{"Accept", "application/json"}}}), "Content-Type") == "application/problem+json");
  std::string all, policies;
  for (const auto& [key, value] : app.inject({.path = "/both"}).fields) {
    if (key == "RateLimit") all += value + "|";
    if (key == "RateLimit-Policy") policies += value + "|";
  }
  CHECK(all == "\"burst\";r=99;t=2|\"daily\";r=999;t=86400|");
  CHECK(policies == "\"burst\";q=100|\"daily\";q=1000;w=86400|");
}

TEST_CASE("rate_limit: keys by field, by user, by function; what has none counts by its address; skip") {
  struct Account {
    std::string id;
  };
  App app;
  app.use([](Request& req, Response&, Next next) {
    if (const auto user = req.header("x-user")) req.data<Account>().id = *user, set_auth_user(req, {.id = std::string(*user)});
    next();
  });
  const auto by = [](LimitKey key) {
    RateLimitOptions o = options(Limit::fixed_window, 1, 60s);
    o.key = std::move(key);
    o.skip = [](const Request& req) { return req.header("x-skip").has_value(); };
    return rate_limit(std::move(o));
  };
  app.get("/header", by(by_header("X-Key")), ok);
  app.get("/user", by(by_user<Account>()), ok);
  app.get("/auth", by(by_user()), ok);
  app.get("/text", by([](const Request& req) { return std::string(req.query("k").value_or("")) + std::string(1'000'000, 'x'); }), ok);
  app.get("/number", by([](const Request& req) -> std::optional<uint64_t> {
            if (!req.query("k")) return std::nullopt;
            return req.query("k")->size();
          }), ok);
  app.get("/route", by(by_route()), ok);
  app.get("/throws", by([](const Request&) -> std::string_view { throw std::runtime_error("no key"); }), ok);
  const auto status = [&](std::string_view path, std::string_view name = "x-none", std::string_view value = "") {
    return app.inject({.path = path, .fields = {{name, value}}}).status;
  };
  for (const char* path : {"/header", "/user", "/auth"}) {
    const char* name = path[1] == 'h' ? "X-Key" : "X-User";
    CHECK(status(path, name, "a") == 200);
    CHECK(status(path, name, "a") == 429);
    CHECK(status(path, name, "b") == 200);
    CHECK(status(path) == 200);  // by address
    CHECK(status(path) == 429);
    CHECK(status(path, name, "") == 429);
    CHECK(status(path, "X-Skip", "1") == 200);
  }
  CHECK(status("/text?k=1") == 200);
  CHECK(status("/text?k=1") == 429);
  CHECK(status("/text?k=2") == 200);
  CHECK(status("/number?k=12") == 200);
  CHECK(status("/number?k=34") == 429);
  CHECK(status("/number?k=3") == 200);
  CHECK(status("/number") == 200);
  CHECK(status("/number") == 429);
  CHECK(status("/route") == 200);
  CHECK(status("/route", "X-Key", "other") == 429);
  CHECK(status("/throws") == 500);
}

TEST_CASE("rate_limit: addresses behind a trusted proxy; IPv6 by its prefix") {
  App app({.trusted_proxies = "unix, 127.0.0.0/8, 10.0.0.0/8"});
  const auto by = [](uint8_t prefix) {
    RateLimitOptions o = options(Limit::fixed_window, 1, 60s);
    o.key = by_ip(prefix);
    return rate_limit(std::move(o));
  };
  app.get("/56", by(56), [](Request& req, Response& res) { res.send(std::to_string(req.ip_bytes()[15]) + " " + req.ip()); });
  app.get("/128", by(128), ok);
  const auto ask = [&](std::string_view path, std::string_view from) {
    return app.inject({.path = path, .fields = {{"X-Forwarded-For", from}}});
  };
  if (ask("/56", "203.0.113.9").body == "9 203.0.113.9") {  // an injected connection is a Unix socket's
    CHECK(ask("/56", "203.0.113.9").status == 429);
    CHECK(ask("/56", "::ffff:203.0.113.9").status == 429);
    CHECK(ask("/56", "203.0.113.8").status == 200);
    CHECK(ask("/56", "2001:db8:1:0::1").status == 200);
    CHECK(ask("/56", "2001:db8:1:ff::2").status == 429);
    CHECK(ask("/56", "2001:db8:1:100::1").status == 200);
    CHECK(ask("/128", "2001:db8::1").status == 200);
    CHECK(ask("/128", "2001:db8::2").status == 200);
    CHECK(ask("/128", "2001:db8::1").status == 429);
  } else {
    FAIL_CHECK("an injected request has no trusted neighbour");
  }
}

TEST_CASE("rate_limit: nothing that a client sends gets into a field") {
  App app;
  RateLimitOptions o = options(Limit::fixed_window, 1, 60s);
  o.key = by_header("X-Key");
  o.message = "no\r\nSet-Cookie: a=b";
  app.get("/", rate_limit(std::move(o)), ok);
  for (int i = 0; i < 2; i++) {
    const Reply reply = app.inject({.path = "/", .fields = {{"X-Key", "a\tSet-Cookie: b"}}});
    CHECK(field(reply, "Set-Cookie").empty());
    CHECK(reply.status == (i ? 429 : 200));
  }
}

TEST_CASE("connection_limit: the sixth within a minute is 1008; what was refused is not counted; let in when the oldest is older") {
  std::atomic<int> opened = 0;
  TestServer server([&](App& app) {
    app.ws_use(connection_limit({.clock = test_clock, .max = 5, .per = 60s}));
    app.ws("/", [&](WebSocket ws) { opened++, ws.send("in"); });
  });
  for (int i = 0; i < 5; i++) {
    WsClient client(server.port());
    CHECK(client.reads("in"));
    pass(1s);
  }
  for (int i = 0; i < 20; i++) {
    WsClient client(server.port());
    CHECK(closes_with(client, 1008, "Rate limit exceeded"));
  }
  pass(54'999ms);
  WsClient early(server.port());
  CHECK(early.read_close() == 1008);
  pass(1ms);
  WsClient again(server.port());
  CHECK(again.reads("in"));
  WsClient next(server.port());
  CHECK(next.read_close() == 1008);
  CHECK(opened == 6);
}

TEST_CASE("connection_limit: a fixed window of a hundred, and of all who come") {
  TestServer server([&](App& app) {
    app.ws_use("/fixed", connection_limit({.algorithm = Limit::fixed_window, .clock = test_clock, .max = 100, .per = 60s}));
    app.ws_use("/all", connection_limit({.clock = test_clock, .key = by_route(), .max = 2, .per = 60s, .reason = "full"}));
    app.ws_use("/throws", connection_limit({.key = [](const Request&) -> std::string { throw 1; }}));
    for (const char* path : {"/fixed", "/all", "/throws"}) app.ws(path, [](WebSocket ws) { ws.send("in"); });
  });
  int in = 0;
  for (int i = 0; i < 105; i++) {
    WsClient client(server.port(), "/fixed");
    in += client.read_message().payload == "in";
  }
  CHECK(in == 100);
  pass(60s);
  WsClient later(server.port(), "/fixed");
  CHECK(later.reads("in"));
  WsClient a(server.port(), "/all"), b(server.port(), "/all"), c(server.port(), "/all");
  CHECK(a.reads("in"));
  CHECK(b.reads("in"));
  CHECK(closes_with(c, 1008, "full"));
  WsClient thrower(server.port(), "/throws");
  CHECK(thrower.read_close() == 1011);
}

TEST_CASE("max_per_ip: the eleventh at the same time is 1008, and a place is free again however a connection ends") {
  std::optional<MaxPerIpStep> counts;
  TestServer server([&](App& app) {
    app.ws_use(counts.emplace(max_per_ip(10)));
    app.ws_use("/late", [](WebSocket ws, Request&, Next) { ws.close(CloseCode::normal); });
    app.ws_use("/throws", [](WebSocket, Request&, Next) { throw std::runtime_error("no"); });
    for (const char* path : {"/", "/late", "/throws"}) {
      app.ws(path, [](WebSocket ws) {
        ws.on_message([](WebSocket from, const Message& m) { m.text() == "abort" ? from.abort() : from.close(); });
        ws.send("in");
      });
    }
  });
  const auto counted = [&](uint64_t n) { return eventually([&] { return counts->connections() == n; }); };
  std::vector<WsClient> clients;
  for (int i = 0; i < 10; i++) {
    clients.emplace_back(server.port());
    CHECK(clients.back().reads("in"));
  }
  for (int i = 0; i < 5; i++) {
    WsClient refused(server.port());
    CHECK(closes_with(refused, 1008, "Too many connections from this IP"));
  }
  CHECK(counted(10));
  clients[0].tcp.close();  // a TCP connection that ends
  CHECK(counted(9));
  CHECK(clients[1].send_text("abort"));
  CHECK(clients[2].send_text("close"));
  CHECK(counted(7));
  for (const char* path : {"/late", "/throws"}) {
    WsClient client(server.port(), path);
    CHECK(client.read_close() > 0);
    CHECK(counted(7));
  }
  for (int i = 0; i < 3; i++) {
    clients.emplace_back(server.port());
    CHECK(clients.back().reads("in"));
  }
  WsClient refused(server.port());
  CHECK(refused.read_close() == 1008);
  CHECK(counted(10));
  clients.clear();
  CHECK(counted(0));
}

TEST_CASE("max_per_ip, message_limit: where memory is out one connection is refused, and none is counted that is not there") {
  const FailingAlloc memory;
  size_t refused = 0, in = 0;
  for (size_t allowed = 0; allowed < 60; allowed++) {
    App app;
    const MaxPerIpStep counts = max_per_ip(10);
    app.ws_use(counts);
    app.ws_use(message_limit({.max = 10}));
    app.ws("/", [](WebSocket ws) { ws.send("in"); });
    {
      InjectedWebSocket warm = app.inject_ws({.path = "/"});
      REQUIRE(warm.next_message() == "in");
      CHECK(counts.connections() == 1);
    }
    app.poll_once(0ms);
    CHECK(counts.connections() == 0);
    FailingAlloc::left = allowed;
    {
      InjectedWebSocket ws = app.inject_ws({.path = "/", .deadline = 200ms});
      FailingAlloc::left = SIZE_MAX;
      const bool is_in = ws.is_open() && ws.next_message(200ms) == "in";
      (is_in ? in : refused)++;
      CHECK(counts.connections() <= 1);
    }
    for (int i = 0; i < 3; i++) app.poll_once(0ms);
    CHECK(counts.connections() == 0);
  }
  CHECK(refused > 3);
  CHECK(in > 3);
}

TEST_CASE("message_limit: the eleventh message within a second closes with 1008, text, binary and events alike; nobody is told of it") {
  std::atomic<int> told = 0;
  TestServer server([&](App& app) {
    app.ws_use("/limited", message_limit({.clock = test_clock, .max = 10, .per = 1s}));
    for (const char* path : {"/limited", "/free"}) {
      app.ws(path, [&](WebSocket ws) {
        ws.on("event", [&](WebSocket) { told++; });
        ws.on_message([&](WebSocket from, const Message& m) { told++, from.send(m); });
      });
    }
  });
  WsClient client(server.port(), "/limited");
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 4; i++) CHECK(client.echoes("text"));
    for (int i = 0; i < 3; i++) CHECK(client.send_text(R"({"event":"event","args":[]})"));
    for (int i = 0; i < 3; i++) {
      CHECK(client.send_binary("bytes"));
      CHECK(client.reads("bytes", kBinary));
    }
    if (round == 0) pass(1s);
  }
  CHECK(told == 20);
  CHECK(client.send_text(R"({"event":"event","args":[]})"));
  CHECK(closes_with(client, 1008, "Message rate limit exceeded"));
  CHECK(told == 20);
  WsClient other(server.port(), "/limited");  // each connection by itself
  for (int i = 0; i < 10; i++) CHECK(other.echoes("text"));
  WsClient free(server.port(), "/free");
  for (int i = 0; i < 30; i++) CHECK(free.echoes("text"));
}

TEST_CASE("message_limit: the sixty-first within a minute is answered, is not told, and is not counted") {
  std::atomic<int> told = 0;
  TestServer server([&](App& app) {
    app.ws_use(message_limit({.action = LimitAction::reply, .clock = test_clock, .max = 60, .per = 60s}));
    app.ws("/", [&](WebSocket ws) { ws.on_message([&](WebSocket from, const Message& m) { told++, from.send(m); }); });
  });
  WsClient client(server.port());
  CHECK(client.echoes("0"));
  pass(1s);
  for (int i = 1; i < 60; i++) CHECK(client.echoes(std::to_string(i)));
  for (int i = 0; i < 100; i++) {
    CHECK(client.send_text("no"));
    CHECK(client.reads(R"({"type":"error","message":"Rate limit exceeded"})"));
  }
  CHECK(told == 60);
  pass(59s);
  CHECK(client.echoes("the first is a minute old"));
  CHECK(client.send_text("no"));
  CHECK(client.reads(R"({"type":"error","message":"Rate limit exceeded"})"));
  pass(1s);
  for (int i = 0; i < 59; i++) CHECK(client.echoes("again"));
}

TEST_CASE("message_limit: after a thousand each further one comes with a warning, until the hour is over") {
  TestServer server([&](App& app) {
    app.ws_use(message_limit({.action = LimitAction::warn, .clock = test_clock, .max = 1000, .per = 1h}));
    app.ws("/", [&](WebSocket ws) { ws.on_message([&](WebSocket from, const Message& m) { from.send(m); }); });
  });
  WsClient client(server.port());
  for (int i = 0; i < 1000; i++) REQUIRE(client.echoes("m"));
  for (int i = 1001; i < 1004; i++) {
    CHECK(client.send_text("more"));
    CHECK(client.reads(R"({"type":"warning","message":"⚠️ Message rate limit approaching","limit":1000,"current":)" + std::to_string(i) + "}"));
    CHECK(client.reads("more"));
  }
  pass(1h);
  CHECK(client.echoes("anew"));
}

TEST_CASE("message_limit: of an address, of all; own texts; other algorithms; route_limit counts messages and connections") {
  TestServer server([&](App& app) {
    const auto echo = [](WebSocket ws) {
      ws.on_message([](WebSocket from, const Message& m) { from.send(m); });
      ws.send("in");
    };
    app.ws("/ip", message_limit({.action = LimitAction::reply, .clock = test_clock, .key = by_ip(), .max = 3, .message = "\"stop\"", .per = 60s}), echo);
    app.ws("/close", message_limit({.clock = test_clock, .key = by_route(), .max = 1, .per = 60s, .reason = "enough"}), echo);
    app.ws("/bucket", message_limit({.action = LimitAction::reply, .algorithm = Limit::token_bucket, .clock = test_clock, .max = 2, .per = 2s}), echo);
    app.ws("/route", route_limit({.clock = test_clock, .max = 3, .per = 60s}), echo);
  });
  const auto open = [&](const char* path) {
    WsClient client(server.port(), path);
    CHECK(client.reads("in"));
    return client;
  };
  WsClient a = open("/ip"), b = open("/ip");
  CHECK(a.echoes("1"));
  CHECK(b.echoes("2"));
  CHECK(a.echoes("3"));
  CHECK(b.send_text("4"));
  CHECK(b.reads(R"({"type":"error","message":"\"stop\""})"));
  WsClient c = open("/close"), d = open("/close");
  CHECK(c.echoes("1"));
  CHECK(d.send_text("2"));
  CHECK(closes_with(d, 1008, "enough"));
  WsClient bucket = open("/bucket");
  CHECK(bucket.echoes("1"));
  CHECK(bucket.echoes("2"));
  CHECK(bucket.send_text("3"));
  CHECK(bucket.read_message().payload != "3");
  pass(1s);
  CHECK(bucket.echoes("4"));
  WsClient route = open("/route"), second = open("/route"), third = open("/route");
  for (int i = 0; i < 3; i++) CHECK(route.echoes("m"));
  for (int i = 0; i < 3; i++) CHECK(second.echoes("m"));
  CHECK(route.send_text("m"));
  CHECK(closes_with(route, 1008, "Message rate limit exceeded"));
  WsClient fourth(server.port(), "/route");
  CHECK(closes_with(fourth, 1008, "Rate limit exceeded"));
}

TEST_CASE("limits: of three workers together they are what they say") {
  MultiServer server(3, [](App& app, uint32_t worker) {
    RateLimitOptions requests = options(Limit::sliding_window, 50, 60s);
    app.get("/limited", rate_limit(std::move(requests)), ok);
    app.ws_use("/few", max_per_ip(10));
    app.ws_use("/some", connection_limit({.clock = test_clock, .max = 7, .per = 60s}));
    app.ws_use("/messages", message_limit({.action = LimitAction::reply, .algorithm = Limit::token_bucket, .clock = test_clock, .key = by_ip(), .max = 30, .per = 1h}));
    for (const char* path : {"/few", "/some", "/messages"}) {
      app.ws(path, [worker](WebSocket ws) {
        ws.on_message([](WebSocket from, const Message& m) { from.send(m); });
        MultiServer::tell(ws, worker);
      });
    }
  });
  std::atomic<int> good = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 40; i++) {
        Client client(server.port());
        client.send("GET /limited HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        const int status = client.read_response().status;
        good += status == 200;
        refused += status == 429;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(good == 50);
  CHECK(refused == 70);

  for (int round = 0; round < 3; round++) {
    std::vector<WsClient> clients;
    std::set<std::string> workers;
    int in = 0;
    const auto fill = [&] {
      in = 0;
      for (int i = 0; i < 40; i++) {
        WsClient client(server.port(), "/few");
        const WsFrame first = client.read_frame();
        if (first.opcode != kText) continue;
        in++;
        workers.insert(first.payload);
        clients.push_back(std::move(client));
      }
    };
    // The places of those before are free once their workers know that they have gone.
    CHECK(eventually([&] { return fill(), clients.size() == 10; }));
    CHECK(clients.size() == 10);
  }
  int in = 0;
  for (int i = 0; i < 30; i++) {
    WsClient client(server.port(), "/some");
    in += client.read_frame().opcode == kText;
  }
  CHECK(in == 7);
  int echoed = 0;
  std::vector<WsClient> talkers;
  for (uint32_t w = 0; w < 3; w++) talkers.push_back(server.client_of(w, "/messages"));
  for (int i = 0; i < 60; i++) {
    WsClient& talker = talkers[static_cast<size_t>(i) % 3];
    CHECK(talker.send_text("m"));
    echoed += talker.read_message().payload == "m";
  }
  CHECK(echoed == 30);
}
