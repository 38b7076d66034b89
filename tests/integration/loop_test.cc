// The loop and the life of an App: timers, post(), foreign loops, listening on all kinds of addresses, several Apps,
// starting and stopping. Signals and drain are in http_drain_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void says_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("up"); });
}

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

// Turns the App until it is true.
template <typename F>
bool turn_until(App& app, F ready, milliseconds patience = kPatience) {
  const auto deadline = Clock::now() + patience;
  while (!ready()) {
    if (Clock::now() >= deadline) return false;
    app.poll_once(milliseconds(100));
  }
  return true;
}

// The same by a loop of somebody else's: it sleeps in poll(2) on the App's descriptor, no longer than to the next timer,
// and never lets the App sleep.
template <typename F>
bool drive(App& app, F ready, milliseconds patience = milliseconds(3000)) {
  const auto deadline = Clock::now() + patience;
  while (!ready()) {
    int timeout = ms_until(deadline);
    const milliseconds timer = app.next_timer();
    if (timer.count() >= 0 && timer.count() < timeout) timeout = static_cast<int>(timer.count());
    pollfd wait{app.fd(), POLLIN, 0};
    ::poll(&wait, 1, timeout);
    if (Clock::now() >= deadline) return false;
    app.poll_once(milliseconds(0));
  }
  return true;
}

// A folder of its own in the system's place for temporary files.
class TempFolder {
 public:
  TempFolder() { REQUIRE(::mkdtemp(path_) != nullptr); }
  ~TempFolder() {
    ::unlink((file()).c_str());
    ::rmdir(path_);
  }
  std::string file() const { return std::string(path_) + "/socket"; }

 private:
  char path_[32] = "/tmp/martlet-test-XXXXXX";
};

// Whether a process that does this aborts (with a message, which is not shown).
bool aborts(const std::function<void()>& mistake) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);
    if (!std::freopen("/dev/null", "w", stderr)) ::_exit(2);
    mistake();
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

bool has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) ::close(fd);
  return bound;
}

}  // namespace

// Timers --------------------------------------------------------------------------------------------------------------

TEST_CASE("loop: timers run in the order of their deadlines, equal ones in the order they were made, never early") {
  App app;
  std::vector<int> ran;
  const auto begin = Clock::now();
  std::vector<milliseconds> at;
  for (const int ms : {30, 10, 20, 10, 0, 30}) {
    app.after(milliseconds(ms), [&, ms] {
      ran.push_back(ms);
      at.push_back(since(begin));
    });
  }
  CHECK(turn_until(app, [&] { return ran.size() == 6; }));
  CHECK(ran == std::vector<int>{0, 10, 10, 20, 30, 30});
  for (size_t i = 0; i < ran.size(); i++) {
    CHECK(at[i].count() >= ran[i]);
    CHECK(at[i].count() < ran[i] + 1000);
  }
}

TEST_CASE("loop: after() runs once, every() until it is cancelled, without drift") {
  App app;
  int once = 0, ticks = 0;
  const auto begin = Clock::now();
  app.after(milliseconds(5), [&] { once++; });
  const TimerId ticker = app.every(milliseconds(10), [&] {
    ticks++;
    std::this_thread::sleep_for(milliseconds(3));  // work that would add up to drift
  });
  CHECK(turn_until(app, [&] { return ticks == 10; }));
  CHECK(since(begin) >= milliseconds(100));
  CHECK(since(begin) < milliseconds(128));  // 130 with drift
  app.cancel(ticker);
  app.cancel(ticker);
  const auto later = Clock::now();
  turn_until(app, [&] { return since(later) > milliseconds(30); });
  CHECK(ticks == 10);
  CHECK(once == 1);
}

TEST_CASE("loop: a late every() does not run several times to catch up") {
  App app;
  int ticks = 0;
  app.every(milliseconds(5), [&] { ticks++; });
  std::this_thread::sleep_for(milliseconds(52));
  app.poll_once(milliseconds(0));
  CHECK(ticks == 1);
}

TEST_CASE("loop: timers made, cancelled and cancelling themselves within callbacks") {
  App app;
  std::string log;
  TimerId victim, self, twin;
  victim = app.after(milliseconds(15), [&] { log += "victim "; });
  app.after(milliseconds(5), [&] {
    log += "a ";
    app.cancel(victim);
    app.after(milliseconds(0), [&] { log += "nested "; });
    app.after(milliseconds(20), [&] { log += "end "; });
  });
  self = app.every(milliseconds(3), [&] {
    log += "self ";
    app.cancel(self);
    app.cancel(self);
  });
  // Two of the same moment: the first cancels the second.
  app.after(milliseconds(10), [&] { app.cancel(twin); });
  twin = app.after(milliseconds(10), [&] { log += "twin "; });
  CHECK(turn_until(app, [&] { return log.find("end") != log.npos; }));
  CHECK(log == "self a nested end ");
}

TEST_CASE("loop: what a timer holds is let go when it has run, is cancelled, or its App ends") {
  const auto held = std::make_shared<int>(1);
  {
    App app;
    app.after(milliseconds(0), [held] {});
    const TimerId cancelled = app.after(milliseconds(100'000), [held] {});
    app.every(milliseconds(100'000), [held] {});
    app.post([held] {});
    CHECK(held.use_count() == 5);
    app.cancel(cancelled);
    CHECK(turn_until(app, [&] { return held.use_count() == 2; }));
    app.cancel({});
    app.cancel({.index = 77, .generation = 5});
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("loop: an endless chain of after(0) and of post() starves nobody") {
  std::atomic<bool> stop = false;
  TestServer server([&](App& app) {
    says_up(app);
    struct Chains {
      App& app;
      std::atomic<bool>& stop;
      void timer() {
        if (!stop) app.after(milliseconds(0), [*this]() mutable { timer(); });
      }
      void mail() {
        if (!stop) app.post([*this]() mutable { mail(); });
      }
    } chains{app, stop};
    chains.timer();
    chains.mail();
  });
  Client client(server.port());
  for (int i = 0; i < 20; i++) CHECK(client.get("/").body == "up");
  stop = true;
}

TEST_CASE("loop: thousands of timers") {
  App app;
  int ran = 0;
  std::vector<TimerId> cancelled;
  for (int i = 0; i < 20'000; i++) {
    const TimerId id = app.after(milliseconds((i * 7919) % 50), [&] { ran++; });
    if (i % 4 == 0) cancelled.push_back(id);
  }
  for (const TimerId id : cancelled) app.cancel(id);
  CHECK(turn_until(app, [&] { return ran == 15'000; }));
  const auto later = Clock::now();
  turn_until(app, [&] { return since(later) > milliseconds(20); });
  CHECK(ran == 15'000);
}

// post() --------------------------------------------------------------------------------------------------------------

TEST_CASE("loop: post() keeps the order of each thread, and loses nothing") {
  constexpr int kThreads = 4, kEach = 5000;
  std::vector<int> last(kThreads, -1);
  int total = 0;
  bool ordered = true;
  TestServer server(says_up);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; i++) {
        server.app().post([&, t, i] {
          ordered = ordered && last[static_cast<size_t>(t)] == i - 1;
          last[static_cast<size_t>(t)] = i;
          total++;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(server.on_thread([&](App&) { return total; }) == kThreads * kEach);
  CHECK(ordered);
}

TEST_CASE("loop: what is posted before the first turn runs in it, what a posted function posts in a later one") {
  App app;
  std::string log;
  app.post([&] {
    log += "a";
    app.post([&] { log += "c"; });
  });
  app.post([&] { log += "b"; });
  CHECK(app.poll_once(milliseconds(0)));
  CHECK(log == "ab");
  CHECK(app.poll_once(milliseconds(0)));
  CHECK(log == "abc");
}

TEST_CASE("loop: post() to an App that is over drops the function, unrun") {
  const auto held = std::make_shared<int>(1);
  App app;
  app.close();
  CHECK_FALSE(app.poll_once(milliseconds(0)));
  CHECK_FALSE(app.poll_once(milliseconds(0)));
  bool ran = false;
  app.post([&ran, held] { ran = true; });
  app.poll_once(milliseconds(0));
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
  CHECK(app.run({.handle_signals = false}) == 0);
}

TEST_CASE("loop: close() within a handler, a timer and a posted function ends run() with 0") {
  for (const int how : {0, 1, 2}) {
    CAPTURE(how);
    TestServer server([&](App& app) {
      app.get("/close", [&app](Request&, Response& res) { res.send("closing"); app.close(); });
      if (how == 1) app.after(milliseconds(5), [&app] { app.close(); });
      if (how == 2) app.post([&app] { app.close(); });
    });
    Client client(server.port());
    if (how == 0) {
      client.send("GET /close HTTP/1.1\r\nHost: t\r\n\r\n");
      CHECK(client.read_to_end());
    }
    CHECK(server.wait_until_over() == 0);
  }
}

// Foreign loops -------------------------------------------------------------------------------------------------------

TEST_CASE("loop: poll_once waits no longer than it is told, and ends early for work") {
  App app;
  says_up(app);
  REQUIRE(app.listen("127.0.0.1", 0).ok());
  auto begin = Clock::now();
  CHECK(app.poll_once(milliseconds(0)));
  CHECK(since(begin) < milliseconds(500));
  begin = Clock::now();
  CHECK(app.poll_once(milliseconds(50)));
  CHECK(since(begin) >= milliseconds(49));
  CHECK(since(begin) < milliseconds(5000));
  std::thread poster([&] {
    std::this_thread::sleep_for(milliseconds(30));
    app.post([] {});
  });
  begin = Clock::now();
  CHECK(app.poll_once(milliseconds(10'000)));
  CHECK(since(begin) < milliseconds(5000));
  poster.join();
  app.after(milliseconds(30), [] {});
  begin = Clock::now();
  CHECK(app.poll_once(milliseconds(-1)));
  CHECK(since(begin) >= milliseconds(29));
  CHECK(since(begin) < milliseconds(5000));
}

TEST_CASE("loop: a foreign loop over fd() and next_timer() serves requests and timers") {
  App app;
  says_up(app);
  app.get("/later", [&](Request&, Response& res) {
    app.after(milliseconds(20), [later = res.defer()]() mutable { later.send("later"); });
  });
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  CHECK(app.next_timer().count() < 0);
  std::atomic<int> answered = 0;
  std::thread clients([&] {
    Client client(*port);
    for (int i = 0; i < 20; i++) answered += client.get("/").body == "up";
    answered += client.get("/later").body == "later";
  });
  CHECK(drive(app, [&] { return answered == 21; }));
  clients.join();
  int ticks = 0;
  const TimerId ticker = app.every(milliseconds(10), [&] { ticks++; });
  CHECK(app.next_timer() <= milliseconds(10));
  CHECK(drive(app, [&] { return ticks == 5; }));
  app.cancel(ticker);
}

TEST_CASE("loop: a foreign loop is woken by post()") {
  App app;
  REQUIRE(app.listen("127.0.0.1", 0).ok());
  std::atomic<int> ran = 0;
  for (int i = 0; i < 20; i++) {
    std::thread poster([&, i] {
      if (i % 2) std::this_thread::sleep_for(milliseconds(5));
      app.post([&] { ran++; });
    });
    const bool woken = drive(app, [&] { return ran == i + 1; }, milliseconds(1000));
    poster.join();
    REQUIRE(woken);
  }
}

TEST_CASE("loop: a foreign loop is told of work that one turn has left over") {
  App app;
  says_up(app);
  const auto port = app.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  Client client(*port);
  std::string requests;
  for (int i = 0; i < 2000; i++) requests += "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
  std::atomic<bool> done = false;
  std::thread sender([&] {
    client.send(requests);
    int answered = 0;
    while (answered < 2000 && client.read_response(false, milliseconds(2500)).body == "up") answered++;
    CHECK(answered == 2000);
    done = true;
    app.post([] {});
  });
  CHECK(drive(app, [&] { return done.load(); }));
  sender.join();
  int ran = 0;
  for (int i = 0; i < 1000; i++) app.post([&] { ran++; });
  CHECK(drive(app, [&] { return ran == 1000; }));
  ran = 0;
  for (int i = 0; i < 1000; i++) app.after(milliseconds(0), [&] { ran++; });
  CHECK(drive(app, [&] { return ran == 1000; }));
}

TEST_CASE("loop: an App that is driven from a timer of another") {
  App inner;
  says_up(inner);
  const auto port = inner.listen("127.0.0.1", 0);
  REQUIRE(port.ok());
  TestServer outer([&](App& app) {
    says_up(app);
    app.every(milliseconds(2), [&] { inner.poll_once(milliseconds(0)); });
  }, {.check_descriptors = false});
  Client a(outer.port()), b(*port);
  for (int i = 0; i < 20; i++) {
    CHECK(a.get("/").body == "up");
    CHECK(b.get("/").body == "up");
  }
}

// Listening -----------------------------------------------------------------------------------------------------------

TEST_CASE("loop: what cannot be listened on is an error with its reason, and leaves no descriptor") {
  const int before = open_descriptors();
  {
    App first;
    const auto port = first.listen("127.0.0.1", 0);
    REQUIRE(port.ok());
    CHECK(*port != 0);
    CHECK(first.port() == *port);
    App app;
    CHECK(app.port() == 0);
    const auto taken = app.listen("127.0.0.1", *port);
    CHECK_FALSE(taken.ok());
    CHECK(taken.error().os_code() == EADDRINUSE);
    CHECK(taken.error().message().find("bind") != std::string::npos);
    for (const char* host : {"", "nowhere", "127.0.0.1.1", "256.0.0.1", "::g", "unix:", "127.0.0.1 "}) {
      CAPTURE(host);
      const auto bad = app.listen(host, 0);
      CHECK_FALSE(bad.ok());
      CHECK_FALSE(bad.error().what().empty());
    }
    CHECK_FALSE(app.listen("192.0.2.1", 0).ok());  // nobody's address here
    CHECK_FALSE(app.listen("unix:/no/such/folder/socket", 0).ok());
    CHECK_FALSE(app.listen("unix:" + std::string(300, 'x'), 0).ok());
    CHECK(app.port() == 0);
    const int with_both = open_descriptors();
    CHECK_FALSE(app.listen("127.0.0.1", *port).ok());
    CHECK(open_descriptors() == with_both);
    // After all that it can still listen.
    CHECK(app.listen("127.0.0.1", 0).ok());
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("loop: a port is free again at once when its App has ended, also after connections") {
  uint16_t port = 0;
  for (int i = 0; i < 5; i++) {
    TestServer server(says_up, {.listen = {.host = "127.0.0.1", .port = port}});
    port = server.port();
    Client client(port);
    CHECK(client.get("/", "Connection: close\r\n").body == "up");  // the server closes first: TIME_WAIT is here
    CHECK(client.closed_by_peer());
  }
}

TEST_CASE("loop: one App listens on several addresses") {
  TempFolder folder;
  std::vector<uint16_t> ports;
  TestServer server([&](App& app) {
    says_up(app);
    for (int i = 0; i < 2; i++) {
      const auto port = app.listen("127.0.0.1", 0);
      REQUIRE(port.ok());
      ports.push_back(*port);
    }
    REQUIRE(app.listen("unix:" + folder.file(), 0).ok());
    CHECK(app.port() == ports[0]);
  });
  for (const uint16_t port : {ports[0], ports[1], server.port()}) {
    Client client(port);
    CHECK(client.get("/").body == "up");
  }
  Client local(0, {.host = "unix:" + folder.file()});
  CHECK(local.get("/").body == "up");
}

TEST_CASE("loop: IPv6, and both families on one port") {
  if (!has_ipv6()) {
    MESSAGE("this machine has no IPv6: not tried");
    return;
  }
  const auto tell_ip = [](App& app) {
    app.get("/ip", [](Request& req, Response& res) { res.send(req.ip()); });
  };
  {
    TestServer server(tell_ip, {.listen = {.host = "::1"}});
    Client client(server.port(), {.host = "::1"});
    CHECK(client.get("/ip").body == "::1");
    CHECK_FALSE(Client(server.port()).connected());
  }
  {
    TestServer server(tell_ip, {.listen = {.host = "::"}});
    Client six(server.port(), {.host = "::1"});
    CHECK(six.get("/ip").body == "::1");
    Client four(server.port());
    CHECK(four.get("/ip").body == "127.0.0.1");
  }
  {
    TestServer server(tell_ip, {.listen = {.host = "::", .only_ipv6 = true}});
    Client six(server.port(), {.host = "::1"});
    CHECK(six.get("/ip").body == "::1");
    CHECK_FALSE(Client(server.port()).connected());
  }
}

TEST_CASE("loop: Unix sockets: serving, permissions, a stale file, a living one, a file that is none") {
  TempFolder folder;
  const std::string host = "unix:" + folder.file();
  for (int i = 0; i < 3; i++) {  // again over what the one before has left
    TestServer server([](App& app) {
      says_up(app);
      app.get("/ip", [](Request& req, Response& res) { res.send(req.ip().append("|")); });
    }, {.listen = {.host = host, .unix_mode = 0600}});
    CHECK(server.port() == 0);
    Client client(0, {.host = host});
    CHECK(client.get("/").body == "up");
    CHECK(client.get("/ip").body == "|");
    struct stat status {};
    REQUIRE(::stat(folder.file().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    App second;
    const auto taken = second.listen(host, 0);
    CHECK_FALSE(taken.ok());
    CHECK(taken.error().os_code() == EADDRINUSE);
    CHECK(client.get("/").body == "up");
  }
  ::unlink(folder.file().c_str());
  std::FILE* plain = std::fopen(folder.file().c_str(), "w");
  REQUIRE(plain);
  std::fclose(plain);
  App app;
  CHECK_FALSE(app.listen(host, 0).ok());
  struct stat status {};
  CHECK(::stat(folder.file().c_str(), &status) == 0);
  CHECK(S_ISREG(status.st_mode));
}

TEST_CASE("loop: two Apps share a port when both want to") {
  TestServer first(says_up, {.listen = {.host = "127.0.0.1", .reuse_port = true}});
  TestServer second(says_up, {.listen = {.host = "127.0.0.1", .port = first.port(), .reuse_port = true}});
  CHECK(second.port() == first.port());
  for (int i = 0; i < 40; i++) {
    Client client(first.port());
    CHECK(client.get("/").body == "up");
  }
  App third;
  CHECK_FALSE(third.listen("127.0.0.1", first.port()).ok());
}

// Several, and again and again ----------------------------------------------------------------------------------------

TEST_CASE("loop: two Apps on two threads serve at the same time and answer for each other's requests") {
  TestServer one([](App& app) { app.get("/", [](Request&, Response& res) { res.send("one"); }); });
  std::atomic<int> crossed = 0;
  TestServer two([&](App& app) {
    app.get("/", [](Request&, Response& res) { res.send("two"); });
    app.get("/cross", [&](Request&, Response& res) {
      one.app().post([later = res.defer(), &crossed]() mutable { crossed++; later.send("crossed"); });
    });
  });
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      Client client(t % 2 ? one.port() : two.port());
      for (int i = 0; i < 200; i++) right += client.get("/").body == (t % 2 ? "one" : "two");
      if (t % 2 == 0) {
        for (int i = 0; i < 100; i++) right += client.get("/cross").body == "crossed";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 1000);
  CHECK(crossed == 200);
  two.stop();
}

TEST_CASE("loop: starting and stopping 50 times leaks no descriptor") {
  const int before = open_descriptors();
  std::vector<Client> clients;
  for (int i = 0; i < 50; i++) {
    TestServer server(says_up, {.check_descriptors = false});
    clients.emplace_back(server.port());
    CHECK(clients.back().get("/").body == "up");
    if (i % 2) clients.back().send("GET / HTTP/1.1\r\nHo");
  }
  for (Client& client : clients) CHECK(client.closed_by_peer());
  clients.clear();
  CHECK(open_descriptors() == before);
}

TEST_CASE("loop: Apps that never ran, never listened, or were never turned") {
  const int before = open_descriptors();
  for (int i = 0; i < 100; i++) {
    App app;
    if (i % 2) says_up(app);
    if (i % 3 == 0) REQUIRE(app.listen("127.0.0.1", 0).ok());
    if (i % 5 == 0) app.post([] {});
    if (i % 7 == 0) app.after(milliseconds(1), [] {});
    if (i % 11 == 0) app.drain();
  }
  CHECK(open_descriptors() == before);
}

// Mistakes of the program ---------------------------------------------------------------------------------------------

TEST_CASE("loop: mistakes in setting up abort with a message") {
  const auto route = [](const char* path) {
    return [path] {
      App app;
      app.get(path, [](Request&, Response& res) { res.end(); });
    };
  };
  CHECK_FALSE(aborts(route("/good/:a/:b/*")));
  for (const char* path : {"", "no-slash", "/a/*/b", "/:", "/:a/:a", "/a b", "/a?b=1", "/a#b"}) {
    CAPTURE(path);
    CHECK(aborts(route(path)));
  }
  const auto after_listen = [](auto what) {
    return [what] {
      App app;
      if (!app.listen("127.0.0.1", 0).ok()) ::_exit(3);
      what(app);
    };
  };
  CHECK(aborts(after_listen([](App& app) { app.get("/", [](Request&, Response&) {}); })));
  CHECK(aborts(after_listen([](App& app) { app.use([](Request&, Response&, Next) {}); })));
  CHECK(aborts(after_listen([](App& app) { app.ws("/", WsHandlers{}); })));
  CHECK_FALSE(aborts(after_listen([](App& app) { app.post([] {}); })));
}

TEST_CASE("loop: run() and poll_once() within a callback abort with a message") {
  CHECK(aborts([] {
    App app;
    app.post([&] { app.run(); });
    app.run();
  }));
  CHECK(aborts([] {
    App app;
    app.after(milliseconds(0), [&] { app.poll_once(milliseconds(0)); });
    app.run();
  }));
}
