// The library's own lines: which request or WebSocket a handler has failed with, why a WebSocket has ended, how an App ends. What a
// client puts into them can be no other line and no other field, and is cut; and how many there are is not up to it.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>

#include "support/client.h"
#include "support/environment.h"
#include "support/in_child.h"
#include "support/log_lines.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::test;
using namespace martlet::literals;

namespace {

constexpr size_t kLongestLine = 1000;

// Does it until a line of this level has the text: those of a second may be spent. Empty: none came.
std::string line_of(LogLines& lines, LogLevel level, std::string_view text, const std::function<void()>& act) {
  std::string line;
  (void)eventually([&] {
    act();
    return eventually([&] { return !(line = lines.find(level, text)).empty(); }, 200ms);
  });
  return line;
}

// The ids that a route's WebSockets have had.
struct Ids {
  std::mutex mutex;
  std::vector<std::string> all;
  void add(WebSocket ws) {
    const std::lock_guard lock(mutex);
    all.push_back(ws.id());
  }
  bool any_is_in(std::string_view line) {
    const std::lock_guard lock(mutex);
    for (const std::string& id : all) {
      if (line.find(id) != line.npos) return true;
    }
    return false;
  }
};

}  // namespace

// Requests ------------------------------------------------------------------------------------------------------------------

TEST_CASE("log lines: a handler that throws: method, route, parameters, the request's id and its user") {
  LogLines lines(LogLevel::warn);
  TestServer server([](App& app) {
    app.use(request_id());
    app.use([](Request& req, Response&, Next next) {
      set_auth_user(req, {.id = "ann\" role=\"root\"\r\n"});
      next();
    });
    app.put("/users/:id/files/*", [](Request&, Response&) { throw std::runtime_error("no \"file\"\r\nmartlet error: forged\x1b[31m"); });
  });
  Client client(server.port());
  std::string id;
  const std::string line = line_of(lines, LogLevel::error, "handler failed", [&] {
    REQUIRE(client.send("PUT /users/4%0D%0A2/files/a%22%20b%1B HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"));
    const HttpResponse answer = client.read_response();
    CHECK(answer.status == 500);
    if (id.empty()) id = answer.field("x-request-id");
  });
  CAPTURE(line);
  CHECK(line.starts_with("handler failed: PUT /users/:id/files/* id=\"4\\x0d\\x0a2\" "));
  CHECK(line.find("=\"a\\x22 b\\x1b\"") != line.npos);
  CHECK(line.find(" request=\"" + id + "\"") != line.npos);
  CHECK(line.ends_with(" user=\"ann\\x22 role=\\x22root\\x22\\x0d\\x0a\": no \"file\"\\x0d\\x0amartlet error: forged\\x1b[31m"));
  CHECK(is_harmless(line));
}

TEST_CASE("log lines: of nobody and without an id they say nothing; other failures name the request as well") {
  LogLines lines(LogLevel::warn);
  TestServer server([](App& app) {
    app.get("/throw/:id", [](Request&, Response&) { throw std::runtime_error("boom"); });
    app.get("/silent/:id", [](Request&, Response&) {});
    app.get("/hook/:id", [](Request&, Response& res) {
      res.on_headers([](Response&) { throw std::runtime_error("late"); });
      res.end();
    });
    app.get("/task/:id", [](Request&, Response&) -> Task<> {
      co_await sleep(1ms);
      throw std::runtime_error("task");
    });
    app.get("/slow/:id", [](Request&, Response& res) { (void)res.defer({.deadline = 1ms}); });
  });
  Client client(server.port());
  const auto get = [&](const char* path) { return [&client, path] { CHECK(client.get(path).status != 0); }; };
  CHECK(line_of(lines, LogLevel::error, "boom", get("/throw/7")) == "handler failed: GET /throw/:id id=\"7\": boom");
  CHECK(line_of(lines, LogLevel::error, "silent", get("/silent/7")) == "the handler sent no response: GET /silent/:id id=\"7\"");
  CHECK(line_of(lines, LogLevel::error, "late", get("/hook/7")) == "handler failed: GET /hook/:id id=\"7\": late");
  CHECK(line_of(lines, LogLevel::error, ": task", get("/task/7")) == "handler failed: GET /task/:id id=\"7\": task");
  CHECK(line_of(lines, LogLevel::warn, "slow", get("/slow/7")) == "no answer came in time: GET /slow/:id id=\"7\"");
  CHECK(line_of(lines, LogLevel::error, "posted", [&] { server.app().post([] { throw std::runtime_error("posted"); }); }) ==
        "handler failed: post: posted");
}

TEST_CASE("log lines: large texts are cut, each where it would take the place of others") {
  LogLines lines(LogLevel::warn);
  TestServer server(
      [](App& app) {
        app.use([](Request& req, Response& res, Next next) {
          set_auth_user(req, {.id = std::string(1_MiB, 'u')});
          res.set("X-Request-Id", std::string(8_KiB, 'r'));
          next();
        });
        app.get("/:a/:b/:c/:d/:e/:f/:g/:h", [](Request&, Response&) { throw std::runtime_error(std::string(1_MiB, '\n')); });
      },
      {.app = {.max_head_bytes = 65'000}});
  std::string path;
  for (int i = 0; i < 8; i++) path += "/" + std::string(7000, static_cast<char>('a' + i));
  Client client(server.port());
  const std::string line = line_of(lines, LogLevel::error, "handler failed", [&] { CHECK(client.get(path).status == 500); });
  CAPTURE(line);
  CHECK(line.size() <= kLongestLine);
  CHECK(is_harmless(line));
  CHECK(line.starts_with("handler failed: GET /:a/:b/:c/:d/:e/:f/:g/:h a=\"aaaaaaaa"));
  CHECK(line.find("aaa...\" b=\"bbb") != line.npos);
  CHECK(line.find(" ... request=\"rrr") != line.npos);
  CHECK(line.find("rrr...\" user=\"uuu") != line.npos);
  CHECK(line.find("uuu...\": \\x0a\\x0a") != line.npos);
}

TEST_CASE("log lines: on_error has the request, where there is one, and no line is written") {
  LogLines lines(LogLevel::error);
  std::atomic<int> requests = 0;
  std::atomic<int> others = 0;
  TestServer server([&](App& app) {
    app.use([](Request& req, Response&, Next next) {
      set_auth_user(req, {.id = "ann"});
      next();
    });
    app.on_error([&](const HandlerFailure& failure) {
      if (!failure.request) return void(others++);
      const AuthUser* user = auth_user(*failure.request);
      requests += failure.what == "boom" && failure.request->param("id") == "7" && failure.request->method() == "GET" && user && user->id == "ann";
    });
    app.get("/throw/:id", [](Request&, Response&) { throw std::runtime_error("boom"); });
    app.ws("/ws", [](WebSocket, Request&) { throw std::runtime_error("boom"); });
  });
  Client client(server.port());
  CHECK(client.get("/throw/7").status == 500);
  CHECK(requests == 1);
  WsClient socket(server.port(), "/ws");
  CHECK(socket.read_close() == 1011);
  CHECK(others == 1);
  CHECK(lines.all().empty());
}

// WebSockets ----------------------------------------------------------------------------------------------------------------

TEST_CASE("log lines: a WebSocket's handler that throws: route, id, how it closes, parameters, user") {
  LogLines lines(LogLevel::warn);
  Ids ids;
  TestServer server([&](App& app) {
    app.ws(
        "/chat/:room",
        [&](WebSocket ws) {
          ids.add(ws);
          set_auth_user(ws, {.id = "ann"});
          ws.on_message([](WebSocket socket, const Message& message) {
            if (message.text() == "post") return socket.post([](WebSocket) { throw std::runtime_error("posted"); });
            if (message.text() != "closed") throw std::runtime_error("boom\n");
            socket.close();
            throw std::runtime_error("late");
          });
        },
        {.keep_request = true});
  });
  const auto say = [&](const char* text) {
    return [&server, text] {
      WsClient client(server.port(), "/chat/a%22%0A");
      CHECK(client.send_text(text));
      if (std::string_view(text) != "post") CHECK(client.read_close() != 0);
      else server.turn();
    };
  };
  const std::string thrown = line_of(lines, LogLevel::error, "boom", say("x"));
  CAPTURE(thrown);
  CHECK(thrown.starts_with("handler failed: WebSocket /chat/:room ws_"));
  CHECK(ids.any_is_in(thrown));
  CHECK(thrown.ends_with(" 1011 handler_failure room=\"a\\x22\\x0a\" user=\"ann\": boom\\x0a"));
  const std::string posted = line_of(lines, LogLevel::error, "posted", say("post"));
  CAPTURE(posted);
  CHECK(posted.find("/chat/:room ws_") != posted.npos);
  CHECK(posted.find(" post room=") != posted.npos);
  CHECK(posted.find("1011") == posted.npos);
  CHECK(ids.any_is_in(posted));
  const std::string late = line_of(lines, LogLevel::error, "late", say("closed"));
  CAPTURE(late);
  CHECK(late.find("/chat/:room ws_") != late.npos);
  CHECK(late.find("1011") == late.npos);  // what was said before stands: 1000
}

TEST_CASE("log lines: why a WebSocket has ended, with its id, where all is to be told; not what is usual") {
  LogLines lines(LogLevel::debug);
  Ids ids;
  TestServer server([&](App& app) {
    WsHandlers handlers;
    handlers.open = [&](WebSocket ws, Request&) { ids.add(ws); };
    handlers.message = [](WebSocket ws, const Message& m) { ws.close(m.text() == "bye" ? CloseCode::normal : CloseCode::policy_violation, "limit\nreached"); };
    handlers.options.max_message_bytes = 100;
    app.ws("/w/:id", std::move(handlers));
    WsHandlers idle;
    idle.options.idle_timeout = 30ms;
    app.ws("/idle", std::move(idle));
    WsHandlers dead;
    dead.options.heartbeat_interval = 0ms;
    dead.options.heartbeat_timeout = 30ms;
    app.ws("/dead", std::move(dead));
  });
  const auto line_when = [&](std::string_view text, const char* path, const std::function<void(WsClient&)>& act) {
    const std::string line = line_of(lines, LogLevel::debug, text, [&] {
      WsClient client(server.port(), path);
      act(client);
    });
    CAPTURE(line);
    CHECK(line.starts_with("WebSocket /"));
    CHECK(line.find(" ws_") != line.npos);
    CHECK(is_harmless(line));
    CHECK(line.size() <= kLongestLine);
    return line;
  };
  const auto sends = [](std::string bytes) {
    return [bytes = std::move(bytes)](WsClient& client) {
      CHECK(client.send(bytes));
      CHECK(client.read_close() != 0);
    };
  };
  const std::string wrong = line_when(" 1002 protocol_error", "/w/1", sends(ws_frame(kText, "x", {.rsv = 4})));
  CHECK(wrong.starts_with("WebSocket /w/:id ws_"));
  CHECK(ids.any_is_in(wrong));
  line_when(" 1009 message_too_big: ", "/w/1", sends(ws_frame(kText, std::string(101, 'x'))));
  line_when(" 1007 invalid_payload: ", "/w/1", sends(ws_frame(kText, "\xff")));
  line_when(" 1000 idle_timeout: Connection timeout", "/idle", sends(""));
  line_when(" 1006 heartbeat_timeout", "/dead", [](WsClient& client) { CHECK(client.tcp.read_to_end()); });
  line_when(" 1006 peer_eof", "/w/1", [](WsClient& client) { CHECK(client.open()); });
  line_when(" 1008 local_close: limit\\x0areached", "/w/1", sends(ws_frame(kText, "x")));
  line_when(" 4000 peer_close: \\x0d\\x0aforged \\x1b[31m \\xc2\\x9b31m", "/w/1", [](WsClient& client) {
    CHECK(client.send_close(4000, "\r\nforged \x1b[31m \xc2\x9b" "31m"));
    CHECK(client.read_close() == 4000);
  });
  // A second later there is room for lines again, and what is usual leaves none.
  line_when(" 4001 peer_close", "/w/1", [&](WsClient& client) {
    WsClient usual(server.port(), "/w/1");
    CHECK(usual.close_nicely());
    WsClient left(server.port(), "/w/1");
    CHECK(left.send_text("bye"));
    CHECK(left.read_close() == 1000);
    CHECK(client.send_close(4001));
    CHECK(client.read_close() == 4001);
  });
  CHECK(lines.count(LogLevel::debug, " 1000 peer_close") == 0);
  CHECK(lines.count(LogLevel::debug, " 1000 local_close") == 0);
}

TEST_CASE("log lines: what peers do wrong is not told at warn, and at debug not without bound; errors stay to be seen") {
  for (const LogLevel level : {LogLevel::warn, LogLevel::debug}) {
    LogLines lines(level);
    TestServer server([](App& app) {
      app.ws("/w", [](WebSocket) {});
      app.get("/throw", [](Request&, Response&) { throw std::runtime_error("seen"); });
    });
    const auto begun = Clock::now();
    for (int i = 0; i < 300; i++) {
      WsClient client(server.port(), "/w");
      REQUIRE(client.send(ws_frame(kText, "x", {.rsv = 4})));
      REQUIRE(client.read_close() == 1002);
    }
    Client client(server.port());
    CHECK_FALSE(line_of(lines, LogLevel::error, "seen", [&] { CHECK(client.get("/throw").status == 500); }).empty());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun).count();
    const size_t told = lines.count(LogLevel::debug, "1002");
    CHECK(told <= (level == LogLevel::warn ? 0 : static_cast<size_t>(seconds + 2) * 10));
    CHECK(lines.count(LogLevel::warn, "1002") == 0);
  }
}

TEST_CASE("log lines: what the program has done wrong with a WebSocket is told at warn") {
  LogLines lines(LogLevel::warn);
  TestServer server([](App& app) {
    WsHandlers handlers;
    handlers.message = [](WebSocket ws, const Message& m) {
      if (m.text() == "metadata") ws.metadata()["name"] = std::string(1000, 'x');
      else (void)ws.begin_message(MessageType::text).write("half");
      (void)ws.metadata();
    };
    handlers.options.max_metadata_bytes = 100;
    app.ws("/w", std::move(handlers));
  });
  for (const auto& [said, told] : {std::pair("metadata", " 1008 metadata_too_big: The connection's metadata is too large."),
                                   std::pair("half", " 1011 handler_failure: A message was not finished.")}) {
    const char* text = said;
    const std::string line = line_of(lines, LogLevel::warn, told, [&] {
      WsClient client(server.port(), "/w");
      CHECK(client.send_text(text));
      CHECK(client.read_close() != 0);
    });
    CAPTURE(line);
    CHECK(line.starts_with("WebSocket /w ws_"));
    CHECK(line.ends_with(told));
  }
}

// Levels, and the life of an App ----------------------------------------------------------------------------------------------

TEST_CASE("log lines: debug is asked for by an option, or by the environment, and is what the process logs from listen() on") {
  const Variable unset("MARTLET_DEBUG", nullptr);
  for (const bool by_option : {false, true}) {
    for (const char* by_environment : {static_cast<const char*>(nullptr), "false", "true"}) {
      const Variable variable("MARTLET_DEBUG", by_environment);
      LogLines lines(LogLevel::error);
      const bool wanted = by_option || (by_environment && std::string_view(by_environment) == "true");
      {
        App app({.debug = by_option});
        CHECK(log_level() == LogLevel::error);
        REQUIRE(app.listen("127.0.0.1", 0).ok());
        CHECK(log_level() == (wanted ? LogLevel::debug : LogLevel::error));
        CHECK(lines.count(LogLevel::info, "listening on") == (wanted ? 1 : 0));
      }
      set_log_level(LogLevel::error);
      Server server({.app = {.debug = by_option}, .host = "127.0.0.1", .workers = 2});
      REQUIRE_FALSE(server.start([](App&) {}));
      CHECK(log_level() == (wanted ? LogLevel::debug : LogLevel::error));
    }
  }
}

TEST_CASE("log lines: how an App ends: what is open, what was cut, and what there was") {
  LogLines lines(LogLevel::info);
  {
    TestServer server(
        [](App& app) {
          app.ws("/w", [](WebSocket) {});
          app.get("/", [](Request&, Response& res) { res.end(); });
          app.get("/never", [](Request&, Response& res) { (void)res.defer(); });
        },
        {.app = {.close_timeout = 20s}, .check_descriptors = false});
    WsClient stays(server.port(), "/w");
    WsClient goes(server.port(), "/w");
    Client client(server.port());
    CHECK(client.get("/").status == 200);
    CHECK(client.send("GET /never HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(server.wait_for_stats([](const Stats& s) { return s.open_websockets == 2 && s.requests == 4; }));
    server.app().drain({.deadline = 300ms});
    CHECK(goes.read_close() == 1001);
    CHECK(goes.send_close(1001));
    CHECK(server.wait_until_over() == 0);
  }
  CHECK(lines.count(LogLevel::info, "draining: ") == 1);
  CHECK(lines.count(LogLevel::info, "draining: 3 connections are open, 2 of them WebSockets; what is left after 300 ms is cut") == 1);
  const std::string ended = lines.find(LogLevel::info, "ended after draining for ");
  CAPTURE(ended);
  CHECK(ended.ends_with(" ms: 2 connections were cut; in all 3 connections, 4 requests, 0 messages received, 0 sent, 0 dropped, 0 handlers failed"));
  CHECK(lines.count(LogLevel::info, "ended") == 1);
}

TEST_CASE("log lines: without a drain, and of an App that never was open") {
  LogLines lines(LogLevel::info);
  { App app; }
  CHECK(lines.count(LogLevel::info, "ended") == 0);
  {
    TestServer server([](App& app) { app.get("/never", [](Request&, Response& res) { (void)res.defer(); }); }, {.check_descriptors = false});
    Client client(server.port());
    CHECK(client.send("GET /never HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(server.wait_for_stats([](const Stats& s) { return s.requests == 1; }));
    server.stop();
  }
  CHECK(lines.count(LogLevel::info, "draining") == 0);
  CHECK(lines.count(LogLevel::info, "ended: 1 connections were cut; in all 1 connections, 1 requests, 0 messages") == 1);
}

TEST_CASE("log lines: a Server speaks once for all of its workers") {
  LogLines lines(LogLevel::info);
  {
    MultiServer server(3, [](App& app, uint32_t worker) {
      app.ws("/w", [worker](WebSocket ws) { MultiServer::tell(ws, worker); });
    });
    WsClient clients[] = {server.client_of(0, "/w"), server.client_of(1, "/w"), server.client_of(2, "/w")};
    const uint64_t accepted = server.stats().accepted;
    server.server().drain({.deadline = 10s});
    for (WsClient& client : clients) {
      CHECK(client.read_close() == 1001);
      CHECK(client.send_close(1001));
    }
    CHECK(server.wait_until_over() == 0);
    CHECK(accepted >= 3);
  }
  CHECK(lines.count(LogLevel::info, "draining: ") == 1);
  CHECK(lines.count(LogLevel::info, " 0 connections were cut; in all ") == 1);
  CHECK(lines.count(LogLevel::info, "ended") == 1);
}

TEST_CASE("log lines: a supervisor names the processes that it starts") {
  CHECK(in_child([] {
    LogLines lines(LogLevel::info);
    const int status = supervise(
        1, [](uint32_t) { return 1; }, {.backoff_first = 1ms, .crash_limit = 1});
    MARTLET_EXPECT(status == 1);
    MARTLET_EXPECT(lines.count(LogLevel::info, "supervise: process 0 (pid ") == 1);
    MARTLET_EXPECT(lines.find(LogLevel::info, "supervise: process 0 (pid ").ends_with(") is started"));
    return 0;
  }) == 0);
}
