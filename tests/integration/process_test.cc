// What belongs to the whole process: signals for several Apps at once, signals that were ignored at the start, and the limit
// on descriptors.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "support/in_child.h"
#include "support/server.h"
#include "support/server_process.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void says_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("up"); });
}

rlim_t soft_limit() {
  rlimit limit;
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

// A child's soft limit of 200 and hard limit of 400, and how the soft one is when an App listens.
int limit_with(const AppOptions& options, rlim_t& got) {
  limit_descriptors(200, 400);
  App app(options);
  if (!app.listen("127.0.0.1", 0).ok()) return 1;
  got = soft_limit();
  return 0;
}

}  // namespace

TEST_CASE("process: all Apps and Servers of a process drain at a signal, on whatever threads they run") {
  CHECK(in_child([] {
    const auto nothing = [](int) {};
    ::signal(SIGTERM, nothing);  // of the program's own; it is back when all have ended
    std::atomic<int> running = 0, good = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++) {
      threads.emplace_back([&] {
        App app;
        says_up(app);
        if (!app.listen("127.0.0.1", 0).ok()) return;
        app.post([&] { running++; });
        if (app.run() == 0) good++;
      });
    }
    threads.emplace_back([&] {
      Server server({.host = "127.0.0.1", .workers = 2});
      if (server.start(says_up)) return;
      server.post(0, [&](App&) { running++; });
      if (server.wait() == 0) good++;
    });
    MARTLET_EXPECT(eventually([&] { return running == 4; }));
    // A Server's wait() may only just begin: it is asked again then.
    MARTLET_EXPECT(eventually([&] { return ::kill(::getpid(), SIGTERM) == 0 && good == 4; }));
    for (std::thread& thread : threads) thread.join();
    struct sigaction after {};
    MARTLET_EXPECT(::sigaction(SIGTERM, nullptr, &after) == 0 && after.sa_handler == +nothing);
    return 0;
  }) == 0);
}

TEST_CASE("process: a signal that was ignored when the program was started stays ignored") {
  ServerProcess server(says_up, {.before_listen = [] {
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
  }});
  REQUIRE(server.port() != 0);
  Client client(server.port());
  for (const int number : {SIGINT, SIGHUP, SIGINT}) {
    server.signal(number);
    CHECK(client.get("/").body == "up");
  }
  CHECK(Client(server.port()).get("/").body == "up");  // it still accepts: no drain has begun
  client.close();
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);
}

TEST_CASE("process: the limit on descriptors is raised to what is needed, to the hard one where nothing is said, or not at all") {
  const auto limit_of = [](const AppOptions& options) {
    return in_child([options] {
      rlim_t got = 0;
      return limit_with(options, got) == 0 ? static_cast<int>(got) : -1;
    });
  };
  CHECK(limit_of({}) == 400);
  CHECK(limit_of({.max_connections = 100}) == 200);  // 164 are enough
  CHECK(limit_of({.max_connections = 136}) == 200);
  CHECK(limit_of({.max_connections = 137}) == 201);
  CHECK(limit_of({.max_connections = 10'000}) == 400);
  CHECK(limit_of({.raise_descriptor_limit = false}) == 200);
  CHECK(limit_of({.max_connections = 300, .raise_descriptor_limit = false}) == 200);
}

TEST_CASE("process: Apps that come one after the other need no more than one, Apps beside each other do; a Server once") {
  CHECK(in_child([] {
    limit_descriptors(100, 2000);
    for (int i = 0; i < 5; i++) {
      App app({.max_connections = 100});
      MARTLET_EXPECT(app.listen("127.0.0.1", 0).ok());
      MARTLET_EXPECT(soft_limit() == 164);
    }
    App one({.max_connections = 100}), other({.max_connections = 50});
    MARTLET_EXPECT(one.listen("127.0.0.1", 0).ok() && other.listen("127.0.0.1", 0).ok());
    MARTLET_EXPECT(soft_limit() == 164 + 114);
    Server server({.app = {.max_connections = 700}, .host = "127.0.0.1", .workers = 3});
    MARTLET_EXPECT(!server.start(says_up));
    MARTLET_EXPECT(soft_limit() == 164 + 114 + 700 + 64 + 3 * 8);
    return 0;
  }) == 0);
}

TEST_CASE("process: fewer connections than were asked for are said where the default level shows it") {
  for (const uint32_t wanted : {336u, 337u}) {
    CHECK(in_child([wanted] {
      int warned = 0;
      set_log_sink([&](LogLevel level, std::string_view line) {
        warned += level == LogLevel::warn && line.find("at most 336 connections, not 337") != line.npos;
      });
      limit_descriptors(200, 400);
      App app({.max_connections = wanted});
      MARTLET_EXPECT(app.listen("127.0.0.1", 0).ok());
      MARTLET_EXPECT(warned == (wanted == 337));
      set_log_sink({});
      return 0;
    }) == 0);
  }
}

TEST_CASE("process: a process of supervise() has the limit of before") {
  CHECK(in_child([] {
    limit_descriptors(200, 400);
    App app;
    MARTLET_EXPECT(app.listen("127.0.0.1", 0).ok());
    MARTLET_EXPECT(soft_limit() == 400);
    set_log_level(LogLevel::off);
    return supervise(1, [](uint32_t) {
      if (soft_limit() != 200) return 1;
      ::kill(::getppid(), SIGTERM);
      for (;;) ::pause();  // it is passed on
    }, {.backoff_first = milliseconds(1), .crash_limit = 1});
  }) == 0);
}
