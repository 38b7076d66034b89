// The opening handshake (RFC 6455 §4.2) over a real socket: what is accepted, every refusal with its status, subprotocols,
// origins, limits, the chain of middleware before it, and frames that come in the same packet.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

void echo(WebSocket ws, const Message& msg) { ws.send(msg); }

int status_of(TestServer& server, std::string_view request) {
  Client client(server.port());
  const HttpResponse response = client.request(request);
  if (response.closes()) CHECK(client.closed_by_peer());
  return response.status;
}

// The sample handshake with one thing replaced in it.
std::string altered(std::string_view from, std::string_view to) {
  std::string request = ws_request("/");
  const size_t at = request.find(from);
  REQUIRE(at != request.npos);
  return request.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("ws handshake: the 101 has the fields of the RFC and no other") {
  TestServer server([](App& app) { app.ws("/", {.message = echo}); });
  WsClient client(server.port());
  CHECK(client.handshake.status == 101);
  CHECK(client.handshake.version == "HTTP/1.1");
  CHECK(client.handshake.field("upgrade") == "websocket");
  CHECK(client.handshake.field("connection") == "Upgrade");
  CHECK(client.handshake.field("sec-websocket-accept") == kSampleAccept);
  for (const char* name : {"sec-websocket-protocol", "sec-websocket-extensions", "content-length", "transfer-encoding"}) {
    CAPTURE(name);
    CHECK(client.handshake.count(name) == 0);
  }
  CHECK(client.echoes("hello"));
}

TEST_CASE("ws handshake: the accept key is made from the client's") {
  TestServer server([](App& app) { app.ws("/", {.message = echo}); });
  const std::pair<const char*, const char*> known[] = {
      {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
      {"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
      {"AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="},  // as RFC 6455 §4.1 writes it
  };
  for (const auto& [key, accept] : known) {
    Client client(server.port());
    const HttpResponse response = client.request(altered(kSampleKey, key));
    CHECK(response.status == 101);
    CHECK(response.field("sec-websocket-accept") == accept);
  }
}

TEST_CASE("ws handshake: what is unusual and good") {
  TestServer server([](App& app) { app.ws("/", {.message = echo}); });
  CHECK(status_of(server, altered("Connection: Upgrade", "connection: keep-alive, UPGRADE")) == 101);
  CHECK(status_of(server, altered("Upgrade: websocket", "upgrade: WebSocket")) == 101);
  CHECK(status_of(server, altered("Upgrade: websocket", "Upgrade: h2c, websocket")) == 101);
  CHECK(status_of(server, altered("Host: test", "Host: test\r\nSec-WebSocket-Extensions: permessage-deflate; x")) == 101);
  CHECK(status_of(server, altered("Host: test", "Host: test\r\nContent-Length: 0")) == 101);
  CHECK(status_of(server, ws_request("/?token=1&x=%20")) == 101);
}

TEST_CASE("ws handshake: every refusal has its status") {
  TestServer server([](App& app) {
    app.ws("/", {.message = echo});
    app.get("/", [](Request&, Response& res) { res.send("http"); });
  });
  CHECK(status_of(server, altered("GET ", "POST ")) == 400);
  CHECK(status_of(server, altered("Sec-WebSocket-Key: " + std::string(kSampleKey), "X: y")) == 400);
  for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ==QQ==",
                          "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQ== x"}) {
    CAPTURE(key);
    CHECK(status_of(server, altered(kSampleKey, key)) == 400);
  }
  CHECK(status_of(server, altered("Host: test", "Host: test\r\nSec-WebSocket-Key: " + std::string(kSampleKey))) == 400);
  CHECK(status_of(server, altered("Sec-WebSocket-Version: 13\r\n", "")) == 400);
  CHECK(status_of(server, altered("Host: test", "Host: test\r\nSec-WebSocket-Extensions: ;;;,=")) == 400);
  CHECK(status_of(server, altered("Host: test", "Host: test\r\nSec-WebSocket-Extensions: permessage-deflate; x=")) == 400);
  CHECK(status_of(server, altered("Host: test\r\n", "")) == 400);
  CHECK(status_of(server, altered("Host: test", "Host: test\r\nContent-Length: 3") + "abc") == 400);
  CHECK(status_of(server, ws_request("/nowhere")) == 404);
  // Not a handshake at all: these are requests for the HTTP route.
  CHECK(status_of(server, altered("Upgrade: websocket\r\n", "")) == 200);
  CHECK(status_of(server, altered("Connection: Upgrade", "Connection: keep-alive")) == 200);
  CHECK(server.stats().open_websockets == 0);
}

TEST_CASE("ws handshake: another version gets 426 and is told which one is spoken") {
  TestServer server([](App& app) { app.ws("/", {.message = echo}); });
  for (const char* version : {"8", "0", "14", "013", "13, 8", "thirteen"}) {
    CAPTURE(version);
    Client client(server.port());
    const HttpResponse response =
        client.request(altered("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: " + std::string(version)));
    CHECK(response.status == 426);
    CHECK(response.field("sec-websocket-version") == "13");
    CHECK(client.closed_by_peer());
  }
}

TEST_CASE("ws handshake: a plain request to a WebSocket route, and a handshake to an HTTP route, are told so") {
  TestServer server([](App& app) {
    app.ws("/ws", {.message = echo});
    app.get("/http", [](Request&, Response& res) { res.send("http"); });
  });
  Client client(server.port());
  CHECK(client.get("/ws").status == 426);
  CHECK(client.get("/http").status == 200);
  CHECK(status_of(server, ws_request("/http")) == 404);
}

TEST_CASE("ws handshake: where no WebSocket is the answer is 404, and the connection ends") {
  std::atomic<int> opened{0};
  TestServer server([&](App& app) {
    app.get("/http", [](Request&, Response& res) { res.send("http"); });
    app.ws("/ws", [&](WebSocket) { opened++; });
  });
  for (const char* target : {"/nowhere", "/http", "/ws/below"}) {
    CAPTURE(target);
    Client client(server.port());
    REQUIRE(client.send(ws_request(target) + ws_frame(kText, "early")));
    const HttpResponse response = client.read_response();
    CHECK(response.status == 404);
    CHECK(response.count("sec-websocket-accept") == 0);
    CHECK(client.closed_by_peer());
  }
  CHECK(opened == 0);
}

TEST_CASE("ws handshake: the first of the server's subprotocols that the client offers is chosen") {
  TestServer server([](App& app) {
    app.ws("/", {.message = echo, .options = {.protocols = {"v2.chat", "v1.chat"}}});
    app.ws("/none", {.message = echo});
  });
  auto chosen = [&](std::string_view target, std::string_view fields) {
    const WsClient client(server.port(), target, fields);
    CHECK(client.open());
    return client.handshake.count("sec-websocket-protocol") == 1 ? client.handshake.field("sec-websocket-protocol") : "-";
  };
  CHECK(chosen("/", "Sec-WebSocket-Protocol: v1.chat, v2.chat\r\n") == "v2.chat");
  CHECK(chosen("/", "Sec-WebSocket-Protocol: x, v1.chat\r\n") == "v1.chat");
  CHECK(chosen("/", "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: y ,v1.chat\r\n") == "v1.chat");
  CHECK(chosen("/", "Sec-WebSocket-Protocol: V1.CHAT\r\n") == "-");
  CHECK(chosen("/", "Sec-WebSocket-Protocol: x\r\n") == "-");
  CHECK(chosen("/", "") == "-");
  CHECK(chosen("/none", "Sec-WebSocket-Protocol: v1.chat\r\n") == "-");
}

TEST_CASE("ws handshake: a route that chooses none of the offered subprotocols says so in the log, within bounds") {
  std::mutex mutex;
  std::vector<std::string> lines;
  const LogLevel before = log_level();
  set_log_sink([&](LogLevel level, std::string_view line) {
    const std::lock_guard lock(mutex);
    if (line.find("subprotocols") != line.npos) lines.push_back(std::to_string(static_cast<int>(level)) + std::string(line));
  });
  const auto said = [&] {
    const std::lock_guard lock(mutex);
    return lines;
  };
  {
    TestServer server([](App& app) {
      app.ws("/some", {.message = echo, .options = {.protocols = {"v1.chat"}}});
      app.ws("/none", {.message = echo});
    });
    const auto open = [&](std::string_view target, const std::string& fields) {
      CHECK(WsClient(server.port(), target, fields).open());
      return true;
    };
    set_log_level(LogLevel::warn);
    open("/none", "Sec-WebSocket-Protocol: v1.chat\r\n");
    set_log_level(LogLevel::info);
    open("/none", "");
    open("/some", "");
    open("/some", "Sec-WebSocket-Protocol: x, v1.chat\r\n");
    CHECK(said().empty());
    // Other tests may have used up this second's share of lines.
    CHECK(eventually([&] { return open("/some", "Sec-WebSocket-Protocol: v2.chat\r\n") && !said().empty(); }));
    const size_t first = said().size();
    const std::string long_offer(2000, 'p');
    CHECK(eventually([&] {
      return open("/none", "Sec-WebSocket-Protocol: " + long_offer + "\r\n") && said().size() > first;
    }));
    for (int i = 0; i < 300; i++) open("/none", "Sec-WebSocket-Protocol: a\r\n");
  }
  set_log_level(before);
  set_log_sink({});
  REQUIRE(said().size() >= 2);
  CHECK(said().size() < 100);
  CHECK(said()[0].starts_with(std::to_string(static_cast<int>(LogLevel::info))));
  CHECK(said()[0].find("/some: \"v2.chat\"") != std::string::npos);
  for (const std::string& line : said()) CHECK(line.size() < 300);
}

TEST_CASE("ws handshake: origins that are not on the list get 403") {
  TestServer server([](App& app) {
    app.ws("/", {.message = echo, .options = {.origins = {"https://example.com", "http://localhost:3000"}}});
  });
  auto with_origin = [&](std::string_view origin) {
    return status_of(server, ws_request("/", "Origin: " + std::string(origin) + "\r\n"));
  };
  CHECK(with_origin("https://example.com") == 101);
  CHECK(with_origin("HTTPS://EXAMPLE.com") == 101);
  CHECK(with_origin("http://localhost:3000") == 101);
  CHECK(with_origin("https://example.com.evil.org") == 403);
  CHECK(with_origin("https://example.co") == 403);
  CHECK(with_origin("http://example.com") == 403);
  CHECK(with_origin("null") == 403);
  CHECK(status_of(server, ws_request("/")) == 101);  // no browser
}

TEST_CASE("ws handshake: \"*\" among the origins is any") {
  TestServer server([](App& app) {
    app.ws("/any", {.message = echo, .options = {.origins = {"*"}}});
    app.ws("/last", {.message = echo, .options = {.origins = {"https://example.com", "*"}}});
  });
  for (const std::string origin : {"https://example.com", "http://evil.org", "null", "*", ""}) {
    CAPTURE(origin);
    CHECK(status_of(server, ws_request("/any", "Origin: " + origin + "\r\n")) == 101);
    CHECK(status_of(server, ws_request("/last", "Origin: " + origin + "\r\n")) == 101);
  }
}

TEST_CASE("ws handshake: a route's own limit of connections answers 503, and takes the next when one has gone") {
  TestServer server([](App& app) {
    app.ws("/", {.message = echo, .options = {.max_connections = 2}});
    app.ws("/other", {.message = echo});
  });
  WsClient first(server.port());
  WsClient second(server.port());
  CHECK(first.open());
  CHECK(second.open());
  CHECK(status_of(server, ws_request("/")) == 503);
  CHECK(WsClient(server.port(), "/other").open());
  CHECK(first.close_nicely());
  CHECK(server.wait_for_stats([](const Stats& s) { return s.open_websockets == 1; }));
  CHECK(WsClient(server.port()).open());
}

TEST_CASE("ws handshake: middleware sees it, may refuse it, and its headers are in the 101") {
  TestServer server([](App& app) {
    app.use([](Request& req, Response& res, Next next) {
      res.set("X-Seen", req.is_upgrade() ? "upgrade" : "plain");
      res.set("Set-Cookie", "a=1");
      res.set("Set-Cookie", "b=2");
      next();
    });
    app.use("/private", [](Request& req, Response& res, Next next) {
      if (req.query("token") == "secret") return next();
      res.status(401).send("who are you?");
    });
    app.ws("/private/:room", [](WebSocket ws, Request& req) { ws.send(req.param("room")); });
  });
  WsClient good(server.port(), "/private/den?token=secret");
  CHECK(good.open());
  CHECK(good.handshake.field("x-seen") == "upgrade");
  CHECK(good.handshake.count("set-cookie") == 2);
  CHECK(good.reads("den"));
  Client bad(server.port());
  const HttpResponse refusal = bad.request(ws_request("/private/den"));
  CHECK(refusal.status == 401);
  CHECK(refusal.body == "who are you?");
  CHECK(refusal.field("x-seen") == "upgrade");
  CHECK(refusal.count("sec-websocket-accept") == 0);
}

TEST_CASE("ws handshake: what a middleware leaves in data<T>() is there in the open handler, and goes with the request") {
  struct User {
    std::string name;
    std::atomic<int>* users = nullptr;
    ~User() {
      if (users) --*users;
    }
  };
  std::atomic<int> users = 0, opened = 0;
  TestServer server([&](App& app) {
    app.use([&](Request& req, Response& res, Next next) {
      if (req.query("refused")) return res.status(401).end();
      User& user = req.data<User>();
      user.name = req.query("name").value_or("");
      user.users = &users;
      users++;
      if (req.query("later")) {
        app.post(std::move(next));
      } else {
        next();
      }
    });
    app.ws("/own", [&](WebSocket ws, Request& req) {
      opened++;
      ws.send("own " + req.data<User>().name + (req.find_data<int>() ? "!" : ""));
    });
    app.ws("/route", {.open = [&](WebSocket ws, Request& req) {
             opened++;
             ws.send("route " + req.find_data<User>()->name);
           }});
  });
  for (const char* path : {"/own", "/route"}) {
    for (const char* when : {"", "&later"}) {
      WsClient client(server.port(), std::string(path) + "?name=ann" + when);
      REQUIRE(client.open());
      CHECK(client.reads(std::string(path).substr(1) + " ann"));
    }
  }
  CHECK(opened == 4);
  server.turn();
  CHECK(users == 0);
  CHECK(status_of(server, ws_request("/own?refused")) == 401);
  CHECK(opened == 4);
}

TEST_CASE("ws handshake: a middleware that throws makes a 500") {
  std::atomic<int> failures{0};
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& failure) { failures += failure.what == "no"; });
    app.use([](Request&, Response&, Next) { throw std::runtime_error("no"); });
    app.ws("/", {.message = echo});
  });
  CHECK(status_of(server, ws_request("/")) == 500);
  CHECK(failures.load() == 1);
}

TEST_CASE("ws handshake: frames in the same packet are delivered in order, wherever the packet ends") {
  TestServer server([](App& app) {
    app.ws("/", {.open = [](WebSocket ws, Request&) { ws.send("welcome"); }, .message = echo});
  });
  const std::string bytes = ws_request("/") + ws_frame(kText, "one") + ws_frame(kPing, "p") +
                            ws_frame(kBinary, pattern(3000)) + ws_frame(kText, "last");
  const size_t head = ws_request("/").size();
  for (const size_t cut : {bytes.size(), head + 1, head + 4, head + 9, head + 30, head + 2000, bytes.size() - 1, size_t{9},
                           head - 1}) {
    CAPTURE(cut);
    Client tcp(server.port());
    REQUIRE(tcp.send(std::string_view(bytes).substr(0, cut)));
    wait_a_turn(server);
    REQUIRE(tcp.send(std::string_view(bytes).substr(cut)));
    WsClient client(std::move(tcp));
    CHECK(client.read_handshake());
    CHECK(client.reads("welcome"));
    CHECK(client.reads("one"));
    CHECK(client.read_frame().is(kPong, "p"));
    CHECK(client.reads(pattern(3000), kBinary));
    CHECK(client.reads("last"));
    CHECK(client.close_nicely());
  }
}

TEST_CASE("ws handshake: requests before it on the same connection are answered first") {
  TestServer server([](App& app) {
    app.get("/", [](Request&, Response& res) { res.send("page"); });
    app.ws("/", {.message = echo});
  });
  Client tcp(server.port());
  const std::string get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
  REQUIRE(tcp.send(get + get + ws_request("/") + ws_frame(kText, "hi")));
  CHECK(tcp.read_response().body == "page");
  CHECK(tcp.read_response().body == "page");
  WsClient client(std::move(tcp));
  CHECK(client.read_handshake());
  CHECK(client.reads("hi"));
}

namespace {

// A gate whose middleware keeps every request until the test lets it through.
struct Gate {
  std::mutex mutex = {};
  std::vector<Next> waiting = {};

  void operator()(Request&, Response&, Next next) {
    const std::lock_guard lock(mutex);
    waiting.push_back(next);
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return waiting.size();
  }
  // From a thread that is not the App's.
  bool open(size_t count) {
    if (!eventually([&] { return size() == count; })) return false;
    const std::lock_guard lock(mutex);
    for (const Next& next : waiting) next();
    waiting.clear();
    return true;
  }
};

}  // namespace

TEST_CASE("ws handshake: decided later from another thread, frames that came meanwhile are delivered") {
  Gate gate;
  TestServer server([&](App& app) {
    app.use([&gate](Request& req, Response& res, Next next) { gate(req, res, next); });
    app.ws("/:name", {.open = [](WebSocket ws, Request& req) { ws.send(req.param("name")); }, .message = echo});
  });
  const std::string large = pattern(300'000);
  Client tcp(server.port());
  REQUIRE(tcp.send(ws_request("/later") + ws_frame(kText, "early") + ws_frame(kText, "ea", {.fin = false})));
  wait_a_turn(server);
  REQUIRE(tcp.send(ws_frame(kContinuation, "rly too")));
  Thread sender([&] { tcp.send(ws_frame(kBinary, large) + ws_frame(kText, "last")); });
  CHECK(gate.open(1));
  sender.join();
  WsClient client(std::move(tcp));
  CHECK(client.read_handshake());
  CHECK(client.reads("later"));
  CHECK(client.reads("early"));
  CHECK(client.reads("early too"));
  CHECK(client.reads(large, kBinary));
  CHECK(client.reads("last"));
  CHECK(client.close_nicely());
}

TEST_CASE("ws handshake: decided later, after the client has ended its direction") {
  Gate gate;
  std::atomic<int> messages{0};
  std::atomic<int> closes{0};
  TestServer server([&](App& app) {
    app.use([&gate](Request& req, Response& res, Next next) { gate(req, res, next); });
    app.ws("/", {.message = [&](WebSocket, const Message&) { messages++; },
                 .close = [&](WebSocket, const CloseInfo&) { closes++; }});
  });
  Client tcp(server.port());
  REQUIRE(tcp.send(ws_request("/") + ws_frame(kText, "early")));
  tcp.shutdown_sending();
  REQUIRE(eventually([&] { return gate.size() == 1; }));
  wait_a_turn(server);
  REQUIRE(gate.open(1));
  CHECK(tcp.read_to_end(3s));
  // Either it was never opened, or its message came and its end was told: not a connection that hangs about.
  CHECK(server.wait_for_stats([](const Stats& s) { return s.open_connections == 0; }, 1s));
  if (tcp.in().starts_with("HTTP/1.1 101")) {
    CHECK(messages.load() == 1);
    CHECK(closes.load() == 1);
  }
}

TEST_CASE("ws handshake: a client that goes away before the decision is never opened") {
  Gate gate;
  std::atomic<int> opened{0};
  TestServer server([&](App& app) {
    app.use([&gate](Request& req, Response& res, Next next) { gate(req, res, next); });
    app.ws("/", [&](WebSocket, Request&) { opened++; });
  });
  {
    Client tcp(server.port());
    REQUIRE(tcp.send(ws_request("/")));
    REQUIRE(eventually([&] { return gate.size() == 1; }));
    tcp.reset();
  }
  CHECK(server.wait_for_connections(0));
  CHECK(gate.open(1));
  wait_a_turn(server);
  CHECK(opened.load() == 0);
}

TEST_CASE("ws handshake: a decision that takes too long gets 408, and comes too late") {
  Gate gate;
  std::atomic<int> opened{0};
  TestServerOptions options;
  options.app.handshake_timeout = 100ms;
  TestServer server(
      [&](App& app) {
        app.use([&gate](Request& req, Response& res, Next next) { gate(req, res, next); });
        app.ws("/", [&](WebSocket, Request&) { opened++; });
      },
      options);
  Client client(server.port());
  CHECK(client.request(ws_request("/")).status == 408);
  CHECK(client.closed_by_peer());
  CHECK(gate.open(1));
  wait_a_turn(server);
  CHECK(opened.load() == 0);
}

TEST_CASE("ws handshake: the ids of connections are all different, stable, and look alike") {
  std::mutex mutex;
  std::vector<std::string> ids;
  TestServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) {
                   const std::lock_guard lock(mutex);
                   ids.push_back(ws.id());
                 },
                 .message = [](WebSocket ws, const Message&) { ws.send(ws.id()); }});
  });
  std::set<std::string> seen;
  for (int round = 0; round < 3; round++) {
    std::vector<WsClient> clients;
    for (int i = 0; i < 20; i++) clients.emplace_back(server.port());
    for (WsClient& client : clients) {
      REQUIRE(client.send_text("who am I?"));
      const std::string id = client.read_frame().payload;
      CHECK(client.send_text("and now?"));
      CHECK(client.reads(id));
      CHECK(id.size() == 29);
      CHECK(id.starts_with("ws_"));
      CHECK(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 3) == id.npos);
      CHECK(seen.insert(id).second);
    }
    clients.clear();
    CHECK(server.wait_for_connections(0));  // slots are used again, ids are not
  }
  CHECK(std::set<std::string>(ids.begin(), ids.end()) == seen);
}

TEST_CASE("ws handshake: url, origin, user agent and ip as they were, when they are kept") {
  auto tell = [](WebSocket ws, const Message&) {
    ws.send(std::string(ws.url()) + "|" + std::string(ws.origin()) + "|" + std::string(ws.user_agent()) + "|" + ws.ip());
  };
  TestServer server([&](App& app) {
    app.ws("/kept", {.message = tell, .options = {.keep_request = true}});
    app.ws("/own", [&](WebSocket ws, Request&) { ws.on_message(tell); });
    app.ws("/plain", {.message = tell});
  });
  auto told = [&](std::string_view target, std::string_view fields) {
    WsClient client(server.port(), target, fields);
    CHECK(client.send_text("?"));
    return client.read_frame().payload;
  };
  const char* fields = "Origin: https://a.example\r\nUser-Agent: bird/1 (small)\r\n";
  CHECK(told("/kept?x=1", fields) == "/kept?x=1|https://a.example|bird/1 (small)|127.0.0.1");
  CHECK(told("/own", fields) == "/own|https://a.example|bird/1 (small)|127.0.0.1");
  CHECK(told("/own", "") == "/own|||127.0.0.1");
  CHECK(told("/plain", fields) == "|||127.0.0.1");
}

TEST_CASE("ws handshake: over IPv6 and over a Unix socket") {
  const std::string path = (std::filesystem::temp_directory_path() / ("martlet-ws-" + std::to_string(::getpid()))).string();
  const std::pair<std::string, std::string> hosts[] = {{"::1", "::1"}, {"unix:" + path, ""}};
  for (const auto& pair : hosts) {
    const std::string& host = pair.first;
    const std::string& ip = pair.second;
    CAPTURE(host);
    TestServerOptions options;
    options.listen.host = host;
    TestServer server(
        [](App& app) {
          app.ws("/", {.message = [](WebSocket ws, const Message& msg) { ws.send(ws.ip() + "|" + std::string(msg.text())); }});
        },
        options);
    WsClient client(server.port(), "/", {}, {.host = host});
    REQUIRE(client.open());
    REQUIRE(client.send_text(pattern(100'000)));
    CHECK(client.reads(ip + "|" + pattern(100'000)));
    CHECK(client.close_nicely());
  }
  std::filesystem::remove(path);
}
