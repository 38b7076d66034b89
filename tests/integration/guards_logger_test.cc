// logger(): a line for every answer, and for what WebSockets do; no text of a client makes a line of its own.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Lines {
  Lines() : log(Log::to([this](std::string_view line) {
      const std::lock_guard lock(mutex);
      all.emplace_back(line);
    }, {.flush_interval = 1ms})) {}
  // Once there are so many.
  std::vector<std::string> wait(size_t n) {
    eventually([&] {
      const std::lock_guard lock(mutex);
      return all.size() >= n;
    });
    const std::lock_guard lock(mutex);
    return all;
  }
  std::string last(size_t n) {
    const auto lines = wait(n);
    REQUIRE(lines.size() == n);
    return lines.back();
  }
  std::mutex mutex;
  std::vector<std::string> all;
  Log log;
};

struct User {
  std::string name;
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

template <typename F>
std::string mistake_of(F step) {
  App app;
  app.use(std::move(step));
  const auto port = app.listen("127.0.0.1", 0);
  return port ? "" : std::string(port.error().what());
}

}  // namespace

TEST_CASE("guards_logger: Apache's formats, for every answer: errors and refusals, too") {
  Lines common, combined;
  TestServer server([&](App& app) {
    app.use(logger({.format = Log::common, .skip = {"/health/"}, .to = common.log, .user = [](Request& req) {
      const User* user = req.find_data<User>();
      return user ? std::string_view(user->name) : std::string_view();
    }}));
    app.use(logger({.to = combined.log}));
    app.use("/own", [](Request& req, Response&, Next next) { req.data<User>().name = "ann"; next(); });
    app.get("/own", [](Request&, Response& res) { res.send("hello"); });
    app.get("/health", [](Request&, Response& res) { res.send("up"); });
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
    app.post("/small", {.max_body_bytes = 4}, [](Request&, Response& res) { res.send("ok"); });
  });
  Client client(server.port());
  CHECK(client.get("/own?x=1", "Referer: https://r.example/\r\nUser-Agent: test/1 (\"quoted\")\r\n").status == 200);
  const std::string line = common.last(1);
  CHECK(line.starts_with("127.0.0.1 - ann ["));
  CHECK(line.ends_with(" +0000] \"GET /own?x=1 HTTP/1.1\" 200 5"));
  CHECK(combined.last(1).ends_with("\" 200 5 \"https://r.example/\" \"test/1 (\\x22quoted\\x22)\""));
  CHECK(combined.last(1).starts_with("127.0.0.1 - - ["));
  CHECK(client.get("/health").status == 200);
  CHECK(client.get("/health/database").status == 404);
  CHECK(client.get("/throws").status == 500);
  CHECK(has(common.last(2), "\"GET /throws HTTP/1.1\" 500 "));
  CHECK(client.get("/nowhere").status == 404);
  CHECK(has(common.last(3), "\"GET /nowhere HTTP/1.1\" 404 "));
  CHECK(client.request("HEAD /own HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").status == 200);
  CHECK(has(common.last(4), "\"HEAD /own HTTP/1.0\" 200 0"));
  CHECK(Client(server.port()).post("/small", "12345").status == 413);
  CHECK(has(common.last(5), "\"POST /small HTTP/1.1\" 413 "));
  CHECK(combined.wait(7).size() == 7);
}

TEST_CASE("guards_logger: who it is by auth_user(), with what the client can say of it escaped") {
  Lines common;
  App app;
  app.use(logger({.format = Log::common, .to = common.log}));
  app.use("/named", [](Request& req, Response&, Next next) { set_auth_user(req, {.id = "7", .username = "a \"b\"\n" + std::string(100, 'x')}), next(); });
  app.use("/id", [](Request& req, Response&, Next next) { set_auth_user(req, {.id = "7"}), next(); });
  CHECK(app.inject({.path = "/named"}).status == 404);
  CHECK(has(common.last(1), " - a \\x22b\\x22\\x0a" + std::string(58, 'x') + " ["));
  CHECK(app.inject({.path = "/id"}).status == 404);
  CHECK(has(common.last(2), "- - 7 ["));
}

TEST_CASE("guards_logger: JSON lines, own formats, behind a trusted proxy, and who went away") {
  Lines json, own;
  std::atomic<bool> waiting = false;
  TestServer server([&](App& app) {
    app.use(logger({.format = Log::json, .to = json.log}));
    app.use(logger({.format = ":remote-addr :method :route :status :id :aborted", .to = own.log}));
    app.get("/users/:name", [](Request&, Response& res) { res.send("hello"); });
    app.get("/never", [&](Request&, Response& res) { (void)res.defer(), waiting = true; });
  }, {.app = {.trusted_proxies = "loopback"}});
  Client client(server.port());
  CHECK(client.get("/users/x%22y", "X-Forwarded-For: 203.0.113.7\r\nX-Request-Id: r-1\r\n").status == 200);
  CHECK(own.last(1) == "203.0.113.7 GET /users/:name 200 r-1 -");
  const auto line = Json::parse(json.last(1));
  REQUIRE(line.ok());
  CHECK((*line)["ip"] == "203.0.113.7");
  CHECK((*line)["method"] == "GET");
  CHECK((*line)["url"] == "/users/x%22y");
  CHECK((*line)["route"] == "/users/:name");
  CHECK((*line)["status"] == 200);
  CHECK((*line)["bytes"] == 5);
  CHECK((*line)["id"] == "r-1");
  CHECK(!line->contains("user"));
  CHECK(!line->contains("aborted"));
  Client gone(server.port());
  CHECK(gone.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(eventually([&] { return waiting.load(); }));
  gone.reset();
  const std::string aborted = own.last(2);
  CAPTURE(aborted);
  CHECK(aborted.starts_with("127.0.0.1 GET /never 0 "));
  CHECK(aborted.ends_with(" aborted"));
  CHECK(has(json.last(2), "\"aborted\":true}"));
}

TEST_CASE("guards_logger: nothing that a client sends makes a line or a field of its own") {
  Lines combined;
  TestServer server([&](App& app) {
    app.use(logger({.to = combined.log}));
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
  });
  const std::string bad[] = {"\" 200 0 \"-\" \"-\"", "a\tb", "\xff\xfe", "\xc2\x9b" "31m", "\xe2\x80\xa8", "\\", std::string(5000, '"')};
  size_t n = 0;
  for (const std::string& text : bad) {
    Client client(server.port());
    CHECK(client.get("/", "User-Agent: " + text + "\r\nReferer: " + text + "\r\n").status == 200);
    const std::string line = combined.last(++n);
    CAPTURE(line);
    CHECK(std::count(line.begin(), line.end(), '"') == 6);
    CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
    CHECK(line.size() < 2000);
  }
}

TEST_CASE("guards_logger: what WebSockets do: connection, messages, disconnection with its duration") {
  Lines text, json;
  TestServer server([&](App& app) {
    app.ws_use(logger({.debug_info = true, .to = text.log}));
    app.ws_use(logger({.format = Log::json, .message_characters = 3, .to = json.log}));
    app.ws("/ws", [](WebSocket ws) {
      ws.send(ws.id());
      ws.on_message([](WebSocket from, const Message& m) { from.send(m); });
    });
  });
  std::string id;
  {
    WsClient client(server.port(), "/ws", "User-Agent: test\r\nOrigin: https://a.example\r\n");
    id = client.read_message().payload;
    CHECK(client.echoes("hello\nworld"));
    CHECK(client.echoes(std::string(99, 'x') + "日本"));
    CHECK(client.send_binary("bytes"));
    CHECK(client.reads("bytes", kBinary));
  }
  const auto lines = text.wait(6);
  REQUIRE(lines.size() == 6);
  CHECK(lines[0] == "[WS] Connection: " + id + " from 127.0.0.1");
  CHECK(lines[1].starts_with("[WS] Debug: {\"socketId\":\"" + id + "\",\"ip\":\"127.0.0.1\",\"userAgent\":\"test\",\"origin\":\"https://a.example\",\"timestamp\":\"2"));
  CHECK(lines[2] == "[WS] Message from " + id + ": hello\\x0aworld");
  CHECK(lines[3] == "[WS] Message from " + id + ": " + std::string(99, 'x') + "日");
  CHECK(lines[4] == "[WS] Message from " + id + ": 5 bytes");
  CHECK(lines[5].starts_with("[WS] Disconnection: " + id + " (duration: "));
  CHECK(lines[5].ends_with("ms)"));
  const auto objects = json.wait(5);
  REQUIRE(objects.size() == 5);
  for (const std::string& line : objects) CHECK(Json::parse(line).ok());
  CHECK(has(objects[1], "\"event\":\"message\",\"socket\":\"" + id + "\",\"ip\":\"127.0.0.1\",\"text\":\"hel\"}"));
  CHECK(has(objects[4], "\"event\":\"disconnection\""));
}

TEST_CASE("guards_logger: wrong options are the error of listen()") {
  Lines lines;
  CHECK(mistake_of(logger({.to = lines.log})) == "");
  CHECK(mistake_of(logger({.format = ":nothing", .to = lines.log})) == "logger: no such token: :nothing");
  CHECK(mistake_of(logger({.skip = {"health"}, .to = lines.log})) == "logger: skip: \"health\" does not begin with '/'");
}
