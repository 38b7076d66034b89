// Listening on all kinds of addresses, what cannot be listened on, several Apps in one process, starting and stopping
// again and again, and the mistakes of a program that abort it.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "support/aborts.h"
#include "support/client.h"
#include "support/server.h"
#include "support/stderr_text.h"
#include "sys/syscalls.h"

#if MARTLET_SYS_EPOLL
#include <sys/eventfd.h>
#else
#include <unistd.h>
#endif

using namespace martlet;
using namespace martlet::test;

namespace {

void says_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("up"); });
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

// Listening -----------------------------------------------------------------------------------------------------------

TEST_CASE("http_listen: what cannot be listened on is an error with its reason, and leaves no descriptor") {
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
    for (const char* host : {" ", "nowhere", "127.0.0.1.1", "256.0.0.1", "::g", "unix:", "127.0.0.1 "}) {
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

namespace {

// Fails the nth of the calls that give a poller or watch a descriptor, and no other.
struct OneFailure {
  OneFailure() : before(sys::syscalls) {
#if MARTLET_SYS_EPOLL
    sys::syscalls.epoll_create1 = [](int flags) { return fails() ? -1 : ::epoll_create1(flags); };
    sys::syscalls.epoll_ctl = [](int poller, int operation, int fd, epoll_event* event) {
      return fails() ? -1 : ::epoll_ctl(poller, operation, fd, event);
    };
    sys::syscalls.eventfd = [](unsigned value, int flags) { return fails() ? -1 : ::eventfd(value, flags); };
#else
    sys::syscalls.pipe = [](int* ends) { return fails() ? -1 : ::pipe(ends); };
    sys::syscalls.kqueue = [] { return fails() ? -1 : ::kqueue(); };
    sys::syscalls.kevent = [](int queue, const struct kevent* changes, int change_count, struct kevent* events,
                              int event_count, const timespec* timeout) {
      if (change_count > 0 && fails()) return -1;
      return ::kevent(queue, changes, change_count, events, event_count, timeout);
    };
#endif
  }
  ~OneFailure() { sys::syscalls = before; }
  static bool fails() {
    if (left-- != 1) return false;
    errno = ENOMEM;
    return true;
  }
  sys::Syscalls before;
  static inline std::atomic<int> left = 0;
};

}  // namespace

TEST_CASE("http_listen: a listen() that fails for want of a descriptor can be tried again") {
  const OneFailure failure;
  const int before = open_descriptors();
  for (const int failing : {1, 2, 3, 4}) {  // the waker, the poller, watching the waker, watching the listener
    CAPTURE(failing);
    OneFailure::left = failing;
    App app;
    says_up(app);
    if (failing > 1) CHECK(app.listen("127.0.0.1", 0).error().os_code() == ENOMEM);
    const auto port = app.listen("127.0.0.1", 0);
    REQUIRE(port.ok());
    std::string body;
    std::thread asking([&, port = *port] {
      Client client(port);
      body = client.get("/").body;
      app.close();
    });
    CHECK(app.run({.handle_signals = false}) == 0);
    asking.join();
    CHECK(body == "up");
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("http_listen: a port is free again at once when its App has ended, also after connections") {
  uint16_t port = 0;
  for (int i = 0; i < 5; i++) {
    TestServer server(says_up, {.listen = {.host = "127.0.0.1", .port = port}});
    port = server.port();
    Client client(port);
    CHECK(client.get("/", "Connection: close\r\n").body == "up");  // the server closes first: TIME_WAIT is here
    CHECK(client.closed_by_peer());
  }
}

TEST_CASE("http_listen: one App listens on several addresses") {
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

TEST_CASE("http_listen: IPv6, and both families on one port") {
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

TEST_CASE("http_listen: Unix sockets: serving, permissions, a stale file, a living one, a file that is none") {
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

TEST_CASE("http_listen: two Apps share a port when both want to") {
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

TEST_CASE("http_listen: two Apps on two threads serve at the same time and answer for each other's requests") {
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

TEST_CASE("http_listen: starting and stopping 50 times leaks no descriptor") {
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

TEST_CASE("http_listen: Apps that never ran, never listened, or were never turned") {
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

TEST_CASE("http_listen: a route or prefix that is none is the error that listen() answers") {
  const auto listens = [](auto set_up) {
    App app;
    set_up(app);
    set_log_level(LogLevel::off);
    const auto listening = app.listen("127.0.0.1", 0);
    const bool good = listening.ok();
    StderrText printed;
    CHECK(app.run({.handle_signals = false}) == !good);
    CHECK(printed.take() == (good ? "" : "martlet: " + listening.error().message() + "\n"));
    set_log_level(LogLevel::warn);
    return good;
  };
  const auto route = [](const char* path) {
    return [path](App& app) {
      app.get(path, [](Request&, Response& res) { res.end(); });
      app.get("/good", [](Request&, Response& res) { res.end(); });
      app.close();
    };
  };
  CHECK(listens(route("/good/:a/:b/*")));
  for (const char* path : {"", "no-slash", "/a/*/b", "/:", "/:a/:a", "/a b", "/a?b=1", "/a#b", "/a/../b", "/.", "/:a/%2e%2E",
                           "/a%2f..", "/a\\.", "/100%", "/a%00", "/a\n", "/a\x7F"}) {
    CAPTURE(path);
    CHECK_FALSE(listens(route(path)));
    CHECK_FALSE(listens([path](App& app) { app.ws(path, WsHandlers{}); }));
  }
  const auto guard = [](const char* prefix) {
    return [prefix](App& app) {
      app.use(prefix, [](Request&, Response&, Next next) { next(); });
      app.close();
    };
  };
  for (const char* prefix : {"no-slash", "/a/:b", "/*/b", "/a/../b", "/.", "/..//*", "/a/%2e", "/a%5c../b", "/100%", "/a%00", "/a b",
                             "/a?b=1", "/a#b", "/a\t"}) {
    CAPTURE(prefix);
    CHECK_FALSE(listens(guard(prefix)));
  }
  for (const char* prefix : {"", "/", "/a", "/a/*", "/...", "/.well-known", "/a..b", "/caf\xC3\xA9", "/a%20b", "/%41"}) {
    CAPTURE(prefix);
    CHECK(listens(guard(prefix)));
  }
  App app;
  guard("/a/../b")(app);
  CHECK(app.listen("127.0.0.1", 0).error().message() ==
        "route \"/a/../b\": a path holds no '.' or '..' segment, no encoded NUL, and no '%' but in escapes");
}

TEST_CASE("http_listen: setting up after listen() aborts with a message") {
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

TEST_CASE("http_listen: run(), poll_once() and the App's end within a callback abort with a message") {
  CHECK(aborts([] {
    App* app = new App;
    app->post([app] { delete app; });
    app->run();
  }));
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
