// Who may open a WebSocket, by WsOptions: origins with stars and by a function, subprotocols by a function, what is required,
// and `verify`, which decides at once, later, from another thread, twice, too late or never.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/aborts.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

void echo(WebSocket ws, const Message& msg) { ws.send(msg); }

HttpResponse answer_of(TestServer& server, std::string_view target, std::string_view fields = {}) {
  Client client(server.port());
  HttpResponse response = client.request(ws_request(target, fields));
  if (response.closes()) CHECK(client.closed_by_peer());
  return response;
}

int status_of(TestServer& server, std::string_view target, std::string_view fields = {}) {
  return answer_of(server, target, fields).status;
}

std::string origin_field(std::string_view origin) { return "Origin: " + std::string(origin) + "\r\n"; }
std::string offer(std::string_view protocols) { return "Sec-WebSocket-Protocol: " + std::string(protocols) + "\r\n"; }

// Keeps what is to be decided until the test does it, on a thread that is not the App's.
struct Undecided {
  std::mutex mutex = {};
  std::vector<Verify> waiting = {};

  void keep(const Verify& decide) {
    const std::lock_guard lock(mutex);
    waiting.push_back(decide);
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return waiting.size();
  }
  Verify take() {
    REQUIRE(eventually([&] { return size() > 0; }));
    const std::lock_guard lock(mutex);
    const Verify first = waiting.front();
    waiting.erase(waiting.begin());
    return first;
  }
};

}  // namespace

// Origins -------------------------------------------------------------------------------------------------------------

TEST_CASE("ws admission: origins with stars") {
  TestServer server([](App& app) {
    app.ws("/", {.origins = {"https://a.example", "https://*.a.example", "http://localhost:*"}}, [](WebSocket) {});
  });
  const auto with = [&](std::string_view origin) { return status_of(server, "/", origin_field(origin)); };
  CHECK(with("https://a.example") == 101);
  CHECK(with("https://x.y.a.example") == 101);
  CHECK(with("http://localhost:5173") == 101);
  CHECK(with("http://localhost") == 101);
  CHECK(with("https://evil-a.example") == 403);
  CHECK(with("https://localhost:5173") == 403);
  CHECK(with("null") == 403);
  CHECK(status_of(server, "/") == 101);
  // Two of them: which one a proxy in front has looked at is nobody's guess.
  CHECK(status_of(server, "/", origin_field("https://a.example") + origin_field("https://evil.org")) == 403);
}

TEST_CASE("ws admission: an origin that is none is the error of listen()") {
  for (const char* wrong : {"a.example", "https://*", "https://a.example/", "https://a*.example"}) {
    CAPTURE(wrong);
    App app;
    app.ws("/", {.message = echo, .options = {.origins = {"https://a.example", wrong}}});
    const auto port = app.listen("127.0.0.1", 0);
    REQUIRE(!port.ok());
    CHECK(std::string_view(port.error().what()).find("origin") != std::string_view::npos);
  }
}

TEST_CASE("ws admission: a function decides about origins that are not on the list, and its exception is a 500") {
  std::atomic<int> asked{0}, failures{0};
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& failure) { failures += failure.what == "no idea" && failure.route == "/both"; });
    const auto predicate = [&](std::string_view origin) {
      asked++;
      if (origin == "https://throws") throw std::runtime_error("no idea");
      return origin.ends_with(".example");
    };
    app.ws("/alone", {.allow_origin = predicate}, [](WebSocket) {});
    app.ws("/both", {.message = echo, .options = {.allow_origin = predicate, .origins = {"https://listed.org"}}});
  });
  CHECK(status_of(server, "/alone", origin_field("https://a.example")) == 101);
  CHECK(status_of(server, "/alone", origin_field("https://a.org")) == 403);
  CHECK(asked == 2);
  CHECK(status_of(server, "/alone") == 101);
  CHECK(status_of(server, "/both", origin_field("https://listed.org")) == 101);
  CHECK(asked == 2);
  CHECK(status_of(server, "/both", origin_field("https://a.example")) == 101);
  CHECK(status_of(server, "/both", origin_field("https://a.org")) == 403);
  CHECK(status_of(server, "/both", origin_field("https://throws")) == 500);
  CHECK(failures == 1);
}

TEST_CASE("ws admission: require_origin refuses who sends none") {
  TestServer server([](App& app) {
    app.ws("/any", {.require_origin = true}, [](WebSocket) {});
    app.ws("/one", {.origins = {"https://a.example"}, .require_origin = true}, [](WebSocket) {});
  });
  CHECK(status_of(server, "/any") == 403);
  CHECK(status_of(server, "/any", origin_field("http://whoever.org")) == 101);
  CHECK(status_of(server, "/one") == 403);
  CHECK(status_of(server, "/one", origin_field("https://a.example")) == 101);
  CHECK(status_of(server, "/one", origin_field("http://whoever.org")) == 403);
}

// Subprotocols --------------------------------------------------------------------------------------------------------

TEST_CASE("ws admission: a function chooses the subprotocol, among what is offered, and wins over the list") {
  std::atomic<int> asked{0}, failures{0};
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure&) { failures++; });
    const auto newest = [&](auto offered) -> std::optional<std::string_view> {
      asked++;
      std::string_view best;
      for (const std::string_view one : offered) {
        if (one == "throw") throw std::runtime_error("no");
        if (one == "liar") return "never.offered";
        if (one.starts_with("v") && one > best) best = one;
      }
      if (best.empty()) return std::nullopt;
      return best;
    };
    app.ws("/", {.choose_protocol = newest, .protocols = {"v1"}}, [](WebSocket ws) { ws.send(ws.protocol()); });
  });
  const auto chosen = [&](std::string_view offered) {
    WsClient client(server.port(), "/", offer(offered));
    REQUIRE(client.open());
    CHECK(client.handshake.count("sec-websocket-protocol") == (client.handshake.field("sec-websocket-protocol").empty() ? 0 : 1));
    CHECK(client.reads(client.handshake.field("sec-websocket-protocol")));
    return std::string(client.handshake.field("sec-websocket-protocol"));
  };
  CHECK(chosen("v1, v3, v2") == "v3");
  CHECK(chosen("x, y") == "");
  CHECK(chosen("liar") == "");
  CHECK(asked == 3);
  CHECK(WsClient(server.port()).open());  // offers none: nobody is asked
  CHECK(chosen(", ,") == "");
  CHECK(asked == 3);
  CHECK(status_of(server, "/", offer("throw")) == 500);
  CHECK(failures == 1);
  // The bound of what is looked at: 64 of them.
  std::string many;
  for (int i = 0; i < 64; i++) many += "x" + std::to_string(i) + ",";
  CHECK(chosen(many + "v9") == "");
  CHECK(chosen(many.substr(many.find(',') + 1) + "v9") == "v9");
}

TEST_CASE("ws admission: require_protocol refuses who does not agree on one") {
  TestServer server([](App& app) {
    app.ws("/list", {.protocols = {"v2", "v1"}, .require_protocol = true}, [](WebSocket) {});
    app.ws("/function", {.choose_protocol = [](auto) { return std::optional<std::string_view>(); }, .require_protocol = true}, [](WebSocket) {});
    app.ws("/none", {.require_protocol = true}, [](WebSocket) {});
  });
  CHECK(answer_of(server, "/list", offer("v1, v2")).field("sec-websocket-protocol") == "v2");
  CHECK(status_of(server, "/list", offer("v1")) == 101);
  CHECK(status_of(server, "/list", offer("v3")) == 400);
  CHECK(status_of(server, "/list") == 400);
  CHECK(status_of(server, "/function", offer("v1")) == 400);
  CHECK(status_of(server, "/none", offer("v1")) == 400);
}

// Verify --------------------------------------------------------------------------------------------------------------

namespace {

void decide_by_query(Request& req, Verify decide) {
  const std::string_view how = req.query("how").value_or("");
  if (how == "in") return decide.accept();
  if (how == "out") return decide.refuse();
  if (how == "teapot") return decide.refuse(418, R"({"short":true})", {{"Content-Type", "application/json"}, {"X-Why", "tea"}});
  if (how == "split") return decide.refuse(400, "x", {{"X-Bad", "a\r\nSet-Cookie: evil=1"}});
  if (how == "away") return decide.redirect("https://elsewhere.example/");
  if (how == "moved") return decide.redirect("/there", 301);
  throw std::runtime_error("undecided");
}

}  // namespace

TEST_CASE("ws admission: verify accepts, refuses or redirects at once") {
  std::atomic<int> opened{0}, failures{0};
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& failure) { failures += failure.what == "undecided"; });
    app.use([](Request&, Response& res, Next next) {
      res.set("X-Seen", "yes");
      next();
    });
    app.ws("/:name", {.verify = decide_by_query}, [&](WebSocket ws, Request& req) {
      opened++;
      ws.send(req.param("name"));
    });
  });
  WsClient in(server.port(), "/ann?how=in");
  CHECK(in.open());
  CHECK(in.handshake.field("x-seen") == "yes");
  CHECK(in.reads("ann"));
  CHECK(answer_of(server, "/ann?how=out").status == 403);
  const HttpResponse teapot = answer_of(server, "/ann?how=teapot");
  CHECK(teapot.status == 418);
  CHECK(teapot.body == R"({"short":true})");
  CHECK(teapot.field("content-type") == "application/json");
  CHECK(teapot.field("x-why") == "tea");
  CHECK(teapot.field("x-seen") == "yes");
  CHECK(answer_of(server, "/ann?how=split").count("set-cookie") == 0);
  const HttpResponse away = answer_of(server, "/ann?how=away");
  CHECK(away.status == 307);
  CHECK(away.field("location") == "https://elsewhere.example/");
  CHECK(answer_of(server, "/ann?how=moved").status == 301);
  CHECK(answer_of(server, "/ann?how=").status == 500);
  CHECK(failures == 1);
  CHECK(opened == 1);
  CHECK(server.stats().late_nexts == 0);
}

TEST_CASE("ws admission: verify answers bool, or is a coroutine") {
  TestServer server([](App& app) {
    app.ws("/bool", {.verify = [](Request& req) { return req.header("origin") && req.header("user-agent"); }}, [](WebSocket) {});
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
    app.ws("/task", {.verify = [](Request& req, Verify decide) -> Task<> {
      const bool good = req.query("good").has_value();
      co_await sleep(5ms);
      good ? decide.accept() : decide.refuse(402);
    }}, [](WebSocket) {});
#endif
  });
  CHECK(status_of(server, "/bool", "User-Agent: x\r\nOrigin: y\r\n") == 101);
  CHECK(status_of(server, "/bool", "User-Agent: x\r\n") == 401);
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
  CHECK(status_of(server, "/task?good") == 101);
  CHECK(status_of(server, "/task") == 402);
#endif
}

TEST_CASE("ws admission: verify is asked last, about those that the options let in, and its protocol is the chosen one") {
  std::atomic<int> asked{0};
  Undecided undecided;
  TestServer server([&](App& app) {
    app.use("/guarded", [](Request& req, Response& res, Next next) { req.query("in") ? next() : res.status(401).end(); });
    const WsOptions options{.max_connections = 1, .origins = {"https://a.example"}, .protocols = {"v2", "v1"}, .require_protocol = true,
                            .verify = [&](Request&, Verify decide) {
                              asked++;
                              undecided.keep(decide);
                            }};
    app.ws("/guarded", options, [](WebSocket ws) { ws.send(ws.protocol()); });
    app.ws("/copy", options, [](WebSocket ws) { ws.send(ws.protocol()); });
  });
  CHECK(Client(server.port()).request(ws_request("/guarded")).status == 401);
  CHECK(status_of(server, "/guarded?in", origin_field("https://b.example") + offer("v1")) == 403);
  CHECK(status_of(server, "/guarded?in", offer("v3")) == 400);
  CHECK(asked == 0);
  Client tcp(server.port());
  REQUIRE(tcp.send(ws_request("/guarded?in", offer("v1, v2"))));
  undecided.take().accept();
  WsClient client(std::move(tcp));
  REQUIRE(client.read_handshake());
  CHECK(client.handshake.field("sec-websocket-protocol") == "v2");
  CHECK(client.reads("v2"));
  CHECK(status_of(server, "/guarded?in", offer("v1")) == 503);
  CHECK(asked == 1);
  // Two are asked about, and one finds the place taken.
  std::vector<WsClient> both;
  for (int i = 0; i < 2; i++) {
    Client one(server.port());
    REQUIRE(one.send(ws_request("/copy", offer("v1"))));
    both.emplace_back(std::move(one));
    REQUIRE(eventually([&] { return undecided.size() == static_cast<size_t>(i) + 1; }));
  }
  undecided.take().accept();
  CHECK(both[0].read_handshake());
  CHECK(both[0].reads("v1"));
  undecided.take().accept();
  CHECK_FALSE(both[1].read_handshake());
  CHECK(both[1].handshake.status == 503);
}

TEST_CASE("ws admission: verify decides from another thread, and frames that came meanwhile are delivered, or thrown away") {
  Undecided undecided;
  TestServer server([&](App& app) {
    app.ws("/", {.verify = [&](Request&, Verify decide) { undecided.keep(decide); }}, [](WebSocket ws) { ws.on_message(echo); });
  });
  const std::string large = pattern(300'000);
  const auto begin = [&] {
    Client tcp(server.port());
    REQUIRE(tcp.send(ws_request("/") + ws_frame(kText, "early") + ws_frame(kPing, "p")));
    server.turn();
    return tcp;
  };
  {
    Client tcp = begin();
    Thread sender([&] { tcp.send(ws_frame(kBinary, large) + ws_frame(kText, "last")); });
    undecided.take().accept();
    sender.join();
    WsClient client(std::move(tcp));
    REQUIRE(client.read_handshake());
    CHECK(client.reads("early"));
    CHECK(client.read_frame().is(kPong, "p"));
    CHECK(client.reads(large, kBinary));
    CHECK(client.reads("last"));
    CHECK(client.close_nicely());
  }
  {
    Client tcp = begin();
    undecided.take().refuse(401, "who?", {{"WWW-Authenticate", "Bearer"}, {"X-More", "1"}});
    const HttpResponse refusal = tcp.read_response();
    CHECK(refusal.status == 401);
    CHECK(refusal.body == "who?");
    CHECK(refusal.field("www-authenticate") == "Bearer");
    CHECK(refusal.field("x-more") == "1");
    CHECK(tcp.closed_by_peer());  // its frames are no requests
  }
  {
    Client tcp = begin();
    undecided.take().redirect("/there", 308);
    const HttpResponse answer = tcp.read_response();
    CHECK(answer.status == 308);
    CHECK(answer.field("location") == "/there");
    CHECK(tcp.closed_by_peer());
  }
  CHECK(server.stats().bad_requests == 0);
}

TEST_CASE("ws admission: what comes before the decision is read up to a bound") {
  static size_t received;
  static decltype(sys::Syscalls::recv) plain;
  received = 0;
  std::optional<Verify> waiting;
  SteppedServer server([&](App& app) {
    app.ws("/", {.max_message_bytes = 4_MiB, .verify = [&](Request&, Verify decide) { waiting = decide; }}, [](WebSocket ws) {
      ws.on_message([](WebSocket to, const Message& msg) { to.send(std::to_string(msg.size())); });
    });
  });
  Client client = server.connect();
  REQUIRE(client.send(ws_request("/")));
  REQUIRE(server.turn_until([&] { return waiting.has_value(); }));
  plain = sys::syscalls.recv;
  sys::syscalls.recv = [](int fd, void* to, size_t size, int flags) {
    const ssize_t got = plain(fd, to, size, flags);
    if (got > 0) received += static_cast<size_t>(got);
    return got;
  };
  const std::string frame = ws_frame(kBinary, pattern(2'000'000));
  std::string_view rest = frame;
  for (int i = 0; i < 200; i++) {
    rest.remove_prefix(client.send_some(rest, milliseconds(0)));
    server.turn();
  }
  CHECK(received >= 64_KiB);
  CHECK(received <= 128_KiB);
  waiting->accept();
  CHECK(server.turn_until([&] {
    rest.remove_prefix(client.send_some(rest, milliseconds(0)));
    SteppedServer::read_what_is_there(client);
    return client.in().ends_with("2000000");
  }));
  sys::syscalls.recv = plain;
}

TEST_CASE("ws admission: verify decides twice: the first one counts" * doctest::skip(kDebugBuild)) {
  Undecided undecided;
  std::atomic<int> opened{0};
  TestServer server([&](App& app) {
    app.ws("/", {.verify = [&](Request& req, Verify decide) {
      if (req.query("later")) return undecided.keep(decide);
      req.query("in") ? decide.accept() : decide.refuse(401, "first");
      decide.refuse(402, "second");
      decide.accept();
    }}, [&](WebSocket) { opened++; });
  });
  CHECK(status_of(server, "/?in") == 101);
  CHECK(server.stats().late_nexts == 2);
  CHECK(answer_of(server, "/").body == "first");
  CHECK(server.stats().late_nexts == 4);
  CHECK(opened == 1);
  {
    Client tcp(server.port());
    REQUIRE(tcp.send(ws_request("/?later")));
    const Verify decide = undecided.take();
    decide.accept();
    decide.refuse(401, "second", {{"X-Late", "1"}});
    decide.accept();
    WsClient client(std::move(tcp));
    CHECK(client.read_handshake());
    CHECK(client.close_nicely());
    server.turn();
  }
  {
    Client tcp(server.port());
    REQUIRE(tcp.send(ws_request("/?later")));
    const Verify decide = undecided.take();
    decide.refuse(401, "first");
    decide.accept();
    CHECK(tcp.read_response().body == "first");
    server.turn();
  }
  CHECK(opened == 2);
}

TEST_CASE("ws admission: verify decides after the client has gone, and after the server has") {
  Undecided undecided;
  std::atomic<int> opened{0};
  std::optional<Verify> late;
  {
    TestServer server([&](App& app) {
      app.ws("/", {.verify = [&](Request&, Verify decide) { undecided.keep(decide); }}, [&](WebSocket) { opened++; });
    });
    for (const bool in : {true, false}) {
      Client tcp(server.port());
      REQUIRE(tcp.send(ws_request("/")));
      const Verify decide = undecided.take();
      tcp.reset();
      CHECK(server.wait_for_connections(0));
      in ? decide.accept() : decide.refuse(401, "x", {{"X-Y", "z"}});
      server.turn();
    }
    Client tcp(server.port());
    REQUIRE(tcp.send(ws_request("/")));
    late = undecided.take();
    tcp.reset();
    CHECK(server.wait_for_connections(0));
  }
  late->accept();
  late->refuse(403);
  CHECK(opened == 0);
}

TEST_CASE("ws admission: verify that never decides: 408 when the time of a handshake is over, and a decision is too late") {
  std::optional<Verify> waiting;
  int opened = 0;
  AppOptions options;
  options.handshake_timeout = 2s;
  SteppedServer server(
      [&](App& app) {
        app.ws("/kept", {.verify = [&](Request&, Verify decide) { waiting = decide; }}, [&](WebSocket) { opened++; });
        app.ws("/dropped", {.verify = [](Request&, Verify) {}}, [&](WebSocket) { opened++; });
      },
      options);
  for (const char* path : {"/kept", "/dropped"}) {
    CAPTURE(path);
    Client client = server.connect();
    REQUIRE(client.send(ws_request(path)));
    server.live(1900ms);
    SteppedServer::read_what_is_there(client);
    CHECK(client.in().empty());
    server.live(200ms);
    CHECK(server.turn_until([&] {
      SteppedServer::read_what_is_there(client);
      return client.in().starts_with("HTTP/1.1 408 ");
    }));
  }
  REQUIRE(waiting);
  waiting->accept();
  waiting->refuse(401);
  server.turn();
  CHECK(opened == 0);
}

// Limits --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws admission: max_connections of a route counts those on all workers") {
  MultiServer server(3, [](App& app, uint32_t worker) {
    app.ws("/w", {.max_connections = 4}, [worker](WebSocket ws) { MultiServer::tell(ws, worker); });
    app.ws("/v", {.max_connections = 4, .verify = [](Request&, Verify decide) { decide.accept(); }},
           [worker](WebSocket ws) { MultiServer::tell(ws, worker); });
    app.ws("/free", [worker](WebSocket ws) { MultiServer::tell(ws, worker); });
  });
  for (const char* path : {"/w", "/v"}) {
    CAPTURE(path);
    std::vector<WsClient> clients;
    for (uint32_t worker = 0; worker < 3; worker++) clients.push_back(server.client_of(worker, path));
    // Those that were on the wrong worker are on their way out, and count until then.
    CHECK(eventually([&] { return server.stats().open_websockets == 3; }));
    WsClient fourth(server.port(), path);
    REQUIRE(fourth.open());
    for (int i = 0; i < 20; i++) CHECK(WsClient(server.port(), path).handshake.status == 503);  // wherever they come
    CHECK(WsClient(server.port(), "/free").open());
    CHECK(eventually([&] { return server.stats().open_websockets == 4; }));
    CHECK(clients[1].send_close(1000));
    CHECK(clients[1].read_close() == 1000);
    CHECK(eventually([&] { return WsClient(server.port(), path).open(); }));
    clients.clear();
    fourth.tcp.reset();
    CHECK(eventually([&] { return server.stats().open_websockets == 0; }));
  }
}
