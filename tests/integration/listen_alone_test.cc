// A port that somebody has for himself: whoever starts second is told so, whatever he is; those who all want to share it do.
// And where the library says that it listens.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void says_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("up"); });
}

void says_up_too(App& app, uint32_t) { says_up(app); }

// The error of a second start, of Servers of so many workers; none when it starts.
Error start_second(uint16_t port, uint32_t workers, bool reuse_port = false, const char* host = "127.0.0.1") {
  Server server({.host = host, .port = port, .reuse_port = reuse_port, .workers = workers});
  return server.start(says_up);
}

bool answers(const char* host, uint16_t port) {
  Client client(port, {.host = host});
  return client.connected() && client.get("/").body == "up";
}

bool has_ipv6() {
  App probe;
  return probe.listen("::1", 0).ok();
}

// What is logged from here to the end of the scope.
class Lines {
 public:
  explicit Lines(LogLevel level) {
    set_log_level(level);
    set_log_sink([this](LogLevel of, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(of, line);
    });
  }
  ~Lines() {
    set_log_sink({});
    set_log_level(LogLevel::warn);
  }
  int count(LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex_);
    int found = 0;
    for (const auto& [of, line] : lines_) found += of == level && line.find(text) != line.npos;
    return found;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<LogLevel, std::string>> lines_;
};

}  // namespace

TEST_CASE("listen_alone: a second Server is told that the port is taken, and the first one keeps all of the traffic") {
  for (const uint32_t first : {1u, 2u}) {
    MultiServer server(first, says_up_too);
    for (const uint32_t second : {1u, 2u, 3u}) {
      CAPTURE(first);
      CAPTURE(second);
      const Error error = start_second(server.port(), second);
      CHECK(error.os_code() == EADDRINUSE);
      CHECK(error.what() == "bind 127.0.0.1:" + std::to_string(server.port()));
#if defined(__linux__)
      CHECK(start_second(server.port(), second, true).os_code() == EADDRINUSE);
#endif
    }
    App app;
    CHECK(app.listen("127.0.0.1", server.port()).error().os_code() == EADDRINUSE);
    for (int i = 0; i < 40; i++) CHECK(answers("127.0.0.1", server.port()));
  }
}

TEST_CASE("listen_alone: on all addresses, too") {
  Server first({.workers = 2});
  REQUIRE(!first.start(says_up));
  for (const char* host : {"*", "127.0.0.1", "0.0.0.0", "localhost"}) {
    CAPTURE(host);
    CHECK(start_second(first.port(), 2, false, host).os_code() == EADDRINUSE);
#if defined(__linux__)
    CHECK(start_second(first.port(), 2, true, host).os_code() == EADDRINUSE);
#endif
  }
  CHECK(answers("127.0.0.1", first.port()));
  if (has_ipv6()) CHECK(answers("::1", first.port()));
  first.close();
  CHECK(first.wait({.handle_signals = false}) == 0);
  CHECK_FALSE(start_second(first.port(), 2));  // free again
}

TEST_CASE("listen_alone: a Server that is started again without wait() gives up the port that it had before") {
  Server server({.host = "127.0.0.1", .workers = 2});
  REQUIRE(!server.start(says_up));
  const uint16_t before = server.port();
  server.close();
  REQUIRE(eventually([&] { return server.progress().over; }));
  REQUIRE(!server.start(says_up));
  if (server.port() != before) CHECK_FALSE(start_second(before, 2, true));
  server.close();
  CHECK(server.wait({.handle_signals = false}) == 0);
  CHECK_FALSE(start_second(before, 2, true));
}

TEST_CASE("listen_alone: an App has its port for itself, and Servers that share one let no other in") {
  TestServer app(says_up);
  for (const uint32_t workers : {1u, 2u}) {
    CHECK(start_second(app.port(), workers).os_code() == EADDRINUSE);
    CHECK(start_second(app.port(), workers, true).os_code() == EADDRINUSE);
    MultiServer shared(workers, says_up_too, {.reuse_port = true});
    CHECK_FALSE(start_second(shared.port(), workers, true));
    CHECK(start_second(shared.port(), 1).os_code() == EADDRINUSE);
    CHECK(start_second(shared.port(), 2).os_code() == EADDRINUSE);
  }
}

#if defined(__linux__)
TEST_CASE("listen_alone: a process of supervise() does not join a Server that is there") {
  MultiServer server(2, says_up_too);
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int number : {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
    App app;
    const auto port = app.listen({.host = "127.0.0.1", .port = server.port(), .reuse_port = true});
    ::_exit(port.ok() ? 1 : port.error().os_code() == EADDRINUSE ? 0 : 2);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}
#endif

// Both families --------------------------------------------------------------------------------------------------------

TEST_CASE("listen_alone: localhost and the default host are served in both families, by every worker") {
  if (!has_ipv6()) return;
  for (const char* host : {"localhost", "*", ""}) {
    CAPTURE(host);
    App app;
    says_up(app);
    const auto port = app.listen(host, 0);
    REQUIRE(port.ok());
    std::thread asking([&] {
      CHECK(answers("127.0.0.1", *port));
      CHECK(answers("::1", *port));
      app.close();
    });
    CHECK(app.run({.handle_signals = false}) == 0);
    asking.join();
    MultiServer server(3, [](App& one, uint32_t worker) {
      one.get("/", [worker](Request&, Response& res) { res.send(std::to_string(worker)); });
    }, {.host = *host == 'l' ? host : ""});  // a MultiServer's own default is 127.0.0.1
    for (const char* from : {"127.0.0.1", "::1"}) {
      std::set<std::string> heard;
      for (int i = 0; i < 2000 && heard.size() < 3; i++) heard.insert(Client(server.port(), {.host = from}).get("/").body);
      CHECK(heard.size() == 3);
    }
  }
}

// What is said --------------------------------------------------------------------------------------------------------

TEST_CASE("listen_alone: it is logged where an App or a Server listens, at info") {
  Lines lines(LogLevel::info);
  App app;
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  CHECK(lines.count(LogLevel::info, "listening on http://127.0.0.1:" + std::to_string(*port)) == 1);
  Server server({.host = "localhost", .workers = 2});
  REQUIRE(!server.start(says_up));
  CHECK(lines.count(LogLevel::info, "listening on http://localhost:" + std::to_string(server.port())) == 1);
  CHECK(lines.count(LogLevel::info, "listening on") == 2);
  CHECK(app.listen("127.0.0.1", *port).error().os_code() == EADDRINUSE);
  CHECK(lines.count(LogLevel::info, "listening on") == 2);
}

TEST_CASE("listen_alone: a route that is none is said once, by whoever is answered; further ones by the log") {
  Lines lines(LogLevel::info);
  const auto bad = [](App& app) { app.get("/a/*/b", [](Request&, Response&) {}); };
  App app;
  bad(app);
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE_FALSE(port.ok());
  CHECK(port.error().message().starts_with("route \"/a/*/b\": "));
  CHECK(lines.count(LogLevel::error, "route") == 0);
  app.get("no-slash", [](Request&, Response&) {});
  CHECK(lines.count(LogLevel::error, "route \"no-slash\": ") == 1);
  Server server({.host = "127.0.0.1", .workers = 2});
  CHECK(server.start(bad).what() == port.error().what());
  CHECK(lines.count(LogLevel::error, "route") == 1);
}

TEST_CASE("listen_alone: that the limit of connections is reached is said where the default level shows it, once") {
  Lines lines(LogLevel::warn);
  TestServer server(says_up, {.app = {.max_connections = 2}});
  CHECK(lines.count(LogLevel::warn, "limit") == 0);
  Client one(server.port()), two(server.port());
  CHECK(one.get("/").body == "up");
  CHECK(two.get("/").body == "up");
  CHECK(lines.count(LogLevel::warn, "limit") == 0);
  for (int i = 0; i < 5; i++) CHECK(Client(server.port()).get("/").status == 503);
  CHECK(lines.count(LogLevel::warn, "the limit of 2 connections is reached") == 1);
}
