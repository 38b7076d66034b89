// Draining a Server: the notice, the spread, requests in flight, the deadline, progress, and signals in a real process.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "support/environment.h"
#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void set_up(App& app, uint32_t worker, std::promise<Response>* held = nullptr) {
  app.get("/", [](Request&, Response& res) { res.send("Hello"); });
  app.get("/held", [held](Request&, Response& res) { held->set_value(res.defer()); });
  app.get("/never", [](Request&, Response& res) { (void)res.defer(); });
  app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); }});
}

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

}  // namespace

TEST_CASE("server_drain: WebSockets hear the notice, then 1001, spread over time; progress shows it") {
  MultiServer server(3, [](App& app, uint32_t worker) { set_up(app, worker); });
  std::vector<WsClient> clients;
  for (int i = 0; i < 60; i++) clients.push_back(server.client_of(static_cast<uint32_t>(i) % 3, "/w"));
  CHECK_FALSE(server.server().progress().draining);
  const auto begin = Clock::now();
  server.server().drain({.deadline = milliseconds(8000), .notice = "back soon", .spread = milliseconds(600)});
  for (WsClient& client : clients) CHECK(client.reads("back soon"));
  const DrainProgress early = server.server().progress();
  CHECK(early.draining);
  CHECK_FALSE(early.over);
  CHECK(early.time_left > milliseconds(1000));
  std::vector<milliseconds> closed;
  for (WsClient& client : clients) {
    CHECK(client.read_close() == 1001);
    closed.push_back(since(begin));
    client.send_close(1001);
  }
  CHECK(server.wait_until_over() == 0);
  const auto all = since(begin);
  CHECK(all >= milliseconds(500));  // not all at once: the last ones are told at the end of the spread
  CHECK(all < milliseconds(7000));
  const DrainProgress late = server.server().progress();
  CHECK(late.over);
  CHECK(late.connections == 0);
  CHECK(late.websockets == 0);
}

TEST_CASE("server_drain: requests in flight are finished, idle connections end, nobody new comes in") {
  std::promise<Response> promise;
  MultiServer server(2, [&](App& app, uint32_t worker) { set_up(app, worker, &promise); });
  Client idle(server.port());
  CHECK(idle.get("/").status == 200);
  Client waits(server.port());
  REQUIRE(waits.send("GET /held HTTP/1.1\r\nHost: t\r\n\r\n"));
  Response held = promise.get_future().get();
  server.server().drain();
  CHECK(idle.read_to_end());
  CHECK(eventually([&] { return Client(server.port()).get("/").status == 0; }));
  CHECK_FALSE(server.server().progress().over);
  held.send("at last");
  const HttpResponse response = waits.read_response();
  CHECK(response.body == "at last");
  CHECK(response.closes());
  CHECK(server.wait_until_over() == 0);
}

TEST_CASE("server_drain: at the deadline what is left is cut") {
  MultiServer server(2, [](App& app, uint32_t worker) { set_up(app, worker); });
  Client stuck(server.port());
  REQUIRE(stuck.send("GET /never HTTP/1.1\r\nHost: t\r\n\r\n"));
  REQUIRE(eventually([&] { return server.stats().requests == 1; }));
  WsClient deaf = server.client_of(1, "/w");
  const auto begin = Clock::now();
  server.server().drain({.deadline = milliseconds(300)});
  CHECK(server.wait_until_over() == 0);
  CHECK(since(begin) >= milliseconds(290));
  CHECK(since(begin) < milliseconds(6000));
  CHECK(stuck.read_to_end());
}

TEST_CASE("server_drain: drain() of any worker's App is the Server's") {
  MultiServer server(3, [](App& app, uint32_t worker) { set_up(app, worker); });
  WsClient client = server.client_of(1, "/w");
  server.on_worker(2, [](App& app) { app.drain(); });
  CHECK(client.read_close() == 1001);
  client.send_close(1001);
  CHECK(server.wait_until_over() == 0);
}

TEST_CASE("server_drain: under load no answer is cut, and who was let in is answered") {
  MultiServer server(2, [](App& app, uint32_t worker) { set_up(app, worker); });
  std::atomic<bool> draining{false};
  std::atomic<int> cut{0}, whole{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&, i] {
      for (;;) {
        Client client(server.port());
        for (int n = 0; n < (i % 2 ? 1 : 50); n++) {
          const bool late = draining;
          if (!client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n")) break;
          const HttpResponse response = client.read_response();
          if (response.status == 200 && response.body == "Hello") whole++;
          else if (!client.in().empty()) cut++;              // a part of an answer
          else if (!late && !draining) cut++;                // no answer before the drain
          if (!response || response.closes()) break;
        }
        if (draining) return;
      }
    });
  }
  REQUIRE(eventually([&] { return whole > 1000; }));
  draining = true;
  server.server().drain();
  CHECK(server.wait_until_over() == 0);
  for (std::thread& thread : threads) thread.join();
  CHECK(cut == 0);
}

TEST_CASE("server_drain: who was passed on to a worker that has nobody is served, though that one drains") {
  const std::string path = "/tmp/martlet_drain_" + std::to_string(::getpid());
  for (int round = 0; round < 50; round++) {
    MultiServer server(4, [](App& app, uint32_t worker) { set_up(app, worker); }, {.host = "unix:" + path});
    std::atomic<bool> draining{false};
    std::atomic<int> lost{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; i++) {
      threads.emplace_back([&] {
        while (!draining) {
          Client client(0, {.host = "unix:" + path});
          if (!client.connected() || !client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n")) continue;
          if (client.read_response().status != 200 && client.end() == Client::End::open) lost++;  // neither answered nor cut
        }
      });
    }
    REQUIRE(eventually([&] { return server.stats().requests > 20; }));
    server.server().drain();
    CHECK(server.wait_until_over() == 0);
    draining = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(lost == 0);
    CHECK(server.server().progress().connections == 0);
  }
  ::unlink(path.c_str());
}

TEST_CASE("server_drain: who waits in the kernel's queue when it begins is served") {
  std::promise<void> release, holds;
  MultiServer server(1, [&](App& app, uint32_t worker) {
    set_up(app, worker);
    app.get("/stop", [&](Request&, Response& res) {
      holds.set_value();
      release.get_future().wait();
      res.send("went on");
    });
  });
  Client stopper(server.port());
  REQUIRE(stopper.send("GET /stop HTTP/1.1\r\nHost: t\r\n\r\n"));
  holds.get_future().wait();
  std::vector<Client> queue;
  for (int i = 0; i < 300; i++) {
    queue.emplace_back(server.port());
    REQUIRE(queue.back().send("GET / HTTP/1.1\r\nHost: t\r\n\r\n"));
  }
  std::vector<WsClient> sockets;
  for (int i = 0; i < 20; i++) {
    Client client(server.port());
    REQUIRE(client.send(ws_request("/w")));
    sockets.emplace_back(std::move(client));
  }
  server.server().drain();
  release.set_value();
  CHECK(stopper.read_response().body == "went on");
  for (Client& client : queue) {
    const HttpResponse response = client.read_response();
    CHECK(response.body == "Hello");
    CHECK(response.closes());
  }
  for (WsClient& client : sockets) {
    CHECK(client.read_handshake());
    CHECK(client.read_close() == 1001);
    client.send_close(1001);
  }
  CHECK(server.wait_until_over() == 0);
}

namespace {

// A Server in a process of its own: what it answers to signals. The child is killed with the scope.
class Forked {
 public:
  explicit Forked(RestartOn restart_on = RestartOn::never) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    std::fflush(stdout);
    pid_ = ::fork();
    if (pid_ == 0) {
      for (const int number : {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
      Server server({.host = "127.0.0.1", .restart_on = restart_on, .workers = 2});
      if (server.start([](App& app) { set_up(app, 0); })) ::_exit(100);
      const uint16_t port = server.port();
      if (::write(ends[1], &port, sizeof port) != sizeof port) ::_exit(101);
      ::_exit(server.wait());
    }
    ::close(ends[1]);
    REQUIRE(::read(ends[0], &port_, sizeof port_) == sizeof port_);
    ::close(ends[0]);
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  ~Forked() {
    if (status_ >= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  uint16_t port() const { return port_; }
  // Sends it when there is somebody to take it: the process has told its port before it waits for signals.
  void signal(int number) const {
    CHECK(eventually([&] { return catches(number); }));
    ::kill(pid_, number);
  }
  int wait() {
    eventually([&] {
      int status = 0;
      if (status_ < 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
      return status_ >= 0;
    });
    return status_;
  }

 private:
  bool catches(int number) const {
    std::FILE* file = std::fopen(("/proc/" + std::to_string(pid_) + "/status").c_str(), "r");
    if (!file) return true;  // the system does not tell
    unsigned long long caught = 0;
    char line[256];
    while (std::fgets(line, sizeof line, file)) {
      if (std::sscanf(line, "SigCgt: %llx", &caught) == 1) break;
    }
    std::fclose(file);
    return caught >> (number - 1) & 1;
  }

  pid_t pid_ = -1;
  int status_ = -1;
  uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("server_drain: SIGTERM drains and the exit status is 0; a second one ends it at once") {
  for (const bool twice : {false, true}) {
    Forked server;
    WsClient client(server.port(), "/w");
    REQUIRE(client.open());
    REQUIRE(client.read_message().ok());
    const auto begin = Clock::now();
    server.signal(SIGTERM);
    CHECK(client.read_close() == 1001);
    if (twice) server.signal(SIGTERM);  // the client never answers the Close
    else client.send_close(1001);
    CHECK(server.wait() == 0);
    CHECK(since(begin) < milliseconds(4500));  // the deadline is 5 s
  }
}

TEST_CASE("server_drain: systemd hears at once that it is being stopped") {
  const TemporaryFolder folder;
  const std::string name = folder.path() + "/notify";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  const int manager = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  REQUIRE(::bind(manager, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  {
    const Variable socket("NOTIFY_SOCKET", name);
    Forked server;
    const auto hears = [manager](const std::string& wanted) {
      char text[200];
      return eventually([&] {
        const ssize_t got = ::recv(manager, text, sizeof text, MSG_DONTWAIT);
        return got > 0 && std::string(text, static_cast<size_t>(got)) == wanted;
      });
    };
    CHECK(hears("READY=1"));
    std::vector<WsClient> clients;  // on both workers: neither ends
    for (int i = 0; i < 40; i++) REQUIRE(clients.emplace_back(server.port(), "/w").open());
    const auto begin = Clock::now();
    server.signal(SIGTERM);
    CHECK(hears("STOPPING=1"));  // while it waits for the clients, who never answer the Close
    CHECK(since(begin) < milliseconds(4500));
    server.signal(SIGTERM);
    CHECK(server.wait() == 0);
  }
  ::close(manager);
}
