// supervise(): real processes that are killed, that crash, that do not want to end, and whose parent dies.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <new>
#include <set>
#include <string>

#include "support/server.h"
#include "support/ws_client.h"
#include "sys/processors.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// What parent, supervisor and processes all see.
struct Board {
  static constexpr uint32_t kMost = 64;
  std::atomic<int> pids[kMost];
  std::atomic<int> starts;
  std::atomic<int> reached;
};

Board& new_board() {
  void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  return *new (memory) Board();
}

bool lives(int pid) { return pid > 0 && ::kill(pid, 0) == 0; }

// A supervisor in a process of its own; it and what it started are killed with the scope. `as_of_a_terminal`: it leads a
// process group, as what a shell starts does, so that the test can send that a signal as the terminal would.
class Supervised {
 public:
  Supervised(uint32_t processes, const std::function<int(uint32_t, Board&)>& fn, const SuperviseOptions& options = {},
             bool as_of_a_terminal = false, const std::function<void()>& set_up = {})
      : board(new_board()) {
    std::fflush(stdout);
    pid_ = ::fork();
    if (pid_ != 0) return;
    if (as_of_a_terminal) ::setpgid(0, 0);
    // SIGHUP, too: under nohup it is ignored, and would not be passed on.
    for (const int number : {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
    set_log_level(LogLevel::off);
    if (set_up) set_up();
    const int status = supervise(processes, [&](uint32_t index) {
      if (index < Board::kMost) board.pids[index] = ::getpid();
      board.starts++;
      return fn(index, board);
    }, options);
    ::_exit(status);
  }
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;
  ~Supervised() {
    if (pid_ > 0 && status_ < 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    for (const auto& pid : board.pids) {
      if (lives(pid)) ::kill(pid, SIGKILL);
    }
    ::munmap(&board, sizeof board);
  }

  void signal(int number) { ::kill(pid_, number); }
  void signal_group(int number) { ::kill(-pid_, number); }
  // Its exit status; -1 when it does not end, -2 when a signal killed it.
  int wait(milliseconds patience = kPatience) {
    eventually([&] {
      int status = 0;
      if (status_ < 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
      return status_ >= 0;
    }, patience);
    return status_ == 1000 ? -2 : status_;
  }
  bool all_gone(uint32_t count) {
    return eventually([&] {
      for (uint32_t i = 0; i < count; i++) {
        if (lives(board.pids[i])) return false;
      }
      return true;
    });
  }

  Board& board;

 private:
  pid_t pid_ = -1;
  int status_ = -1;
};

uint16_t free_port() {
  App probe;
  auto port = probe.listen({.host = "127.0.0.1", .reuse_port = true});
  REQUIRE(port.ok());
  return *port;
}

int serve(uint32_t, Board& board, uint16_t port) {
  App app;
  app.get("/", [](Request&, Response& res) { res.send(std::to_string(::getpid())); });
  app.ws("/w", {.open = [](WebSocket ws, Request&) { ws.send(std::to_string(::getpid())); },
                .message = [](WebSocket ws, const Message& m) { ws.send(m); }});
  if (!app.listen({.host = "127.0.0.1", .port = port, .reuse_port = true}).ok()) return 9;
  board.reached++;
  return app.run();
}

int wait_for_signal() {
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("supervisor: kill -9 costs only its own connections, and the process comes back") {
  const uint16_t port = free_port();
  Supervised s(2, [port](uint32_t i, Board& board) { return serve(i, board, port); }, {.backoff_first = milliseconds(1)});
  REQUIRE(eventually([&] { return s.board.reached == 2; }));
  const int victim = s.board.pids[0];
  const int other = s.board.pids[1];
  std::vector<WsClient> of_victim, of_other;
  for (int i = 0; i < 1000 && (of_victim.empty() || of_other.empty()); i++) {
    WsClient client(port, "/w");
    const std::string pid = client.read_message().payload;
    if (pid == std::to_string(victim)) of_victim.push_back(std::move(client));
    else if (pid == std::to_string(other)) of_other.push_back(std::move(client));
  }
  REQUIRE(!of_victim.empty());
  REQUIRE(!of_other.empty());
  ::kill(victim, SIGKILL);
  for (WsClient& client : of_victim) CHECK_FALSE(client.read_frame().ok());
  for (WsClient& client : of_other) CHECK(client.echoes("still here"));
  REQUIRE(eventually([&] { return s.board.reached == 3; }));
  CHECK(s.board.pids[0] != victim);
  CHECK(s.board.pids[1] == other);
  std::set<std::string> answers;
  for (int i = 0; i < 1000 && answers.size() < 2; i++) answers.insert(Client(port).get("/").body);
  CHECK(answers == std::set<std::string>{std::to_string(s.board.pids[0]), std::to_string(other)});
  for (WsClient& client : of_other) CHECK(client.echoes("still here"));
  s.signal(SIGTERM);
  for (WsClient& client : of_other) CHECK(client.read_close() == 1001);
  of_other.clear();
  CHECK(s.wait() == 0);
  CHECK(s.all_gone(2));
}

TEST_CASE("supervisor: Servers of one worker share the port; one that wants to restart by itself does not start") {
  const uint16_t port = free_port();
  Supervised s(2, [port](uint32_t, Board& board) {
    Server restarts({.host = "127.0.0.1", .restart_on = RestartOn::sighup, .workers = 1});
    if (!restarts.start([](App&) {})) return 3;
    Server server({.host = "127.0.0.1", .port = port, .reuse_port = true, .workers = 1});
    if (server.start([](App& app) { app.get("/", [](Request&, Response& res) { res.send(std::to_string(::getpid())); }); })) return 4;
    board.reached++;
    return server.wait();
  });
  REQUIRE(eventually([&] { return s.board.reached == 2; }));
  std::set<std::string> answers;
  for (int i = 0; i < 1000 && answers.size() < 2; i++) answers.insert(Client(port).get("/").body);
  CHECK(answers.size() == 2);
  s.signal(SIGTERM);
  CHECK(s.wait() == 0);
  CHECK(s.all_gone(2));
}

TEST_CASE("supervisor: a crash loop ends all, with status 1") {
  Supervised s(3, [](uint32_t index, Board&) { return index == 1 ? 7 : wait_for_signal(); },
               {.backoff_first = milliseconds(1), .backoff_longest = milliseconds(10), .crash_limit = 4});
  CHECK(s.wait() == 1);
  CHECK(s.board.starts == 2 + 4);
  CHECK(s.all_gone(3));
}

TEST_CASE("supervisor: a function that throws is a crash") {
  Supervised s(1, [](uint32_t, Board&) -> int { throw 1; }, {.backoff_first = milliseconds(1), .crash_limit = 2});
  CHECK(s.wait() == 1);
  CHECK(s.board.starts == 2);
}

TEST_CASE("supervisor: signals are passed on, and what will not end is killed") {
  const auto stubborn = [](uint32_t index, Board& board) {
    static Board* shared;
    shared = &board;
    for (const int number : {SIGHUP, SIGUSR1, SIGUSR2}) ::signal(number, [](int) { shared->reached += 1; });
    ::signal(SIGTERM, index == 0 ? SIG_IGN : SIG_DFL);
    board.reached += 100;
    return wait_for_signal();
  };
  Supervised s(2, stubborn, {.stop_timeout = milliseconds(200)});
  REQUIRE(eventually([&] { return s.board.reached == 200; }));
  int passed_on = 200;
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2}) {
    s.signal(number);
    passed_on += 2;
    CHECK(eventually([&] { return s.board.reached == passed_on; }));
  }
  const auto begin = Clock::now();
  s.signal(SIGTERM);
  CHECK(s.wait() == 1);  // one had to be killed
  CHECK(Clock::now() - begin >= milliseconds(190));
  CHECK(s.all_gone(2));
}

TEST_CASE("supervisor: the longest time to stop in is no short one") {
  Supervised s(1, [](uint32_t, Board& board) {
    board.reached = 1;
    const int status = wait_for_signal();
    std::this_thread::sleep_for(milliseconds(200));
    return status;
  }, {.stop_timeout = milliseconds::max()});
  REQUIRE(eventually([&] { return s.board.reached == 1; }));
  s.signal(SIGTERM);
  CHECK(s.wait() == 0);
}

TEST_CASE("supervisor: a second SIGTERM kills") {
  Supervised s(1, [](uint32_t, Board& board) {
    ::signal(SIGTERM, SIG_IGN);
    board.reached++;
    return wait_for_signal();
  });
  REQUIRE(eventually([&] { return s.board.reached == 1; }));
  s.signal(SIGTERM);
  s.signal(SIGTERM);
  if (s.wait(milliseconds(300)) == -1) s.signal(SIGTERM);  // the two may have been one
  CHECK(s.wait(milliseconds(5000)) == 1);
}

// Were the processes in the terminal's group, they would get it twice, and the second one ends an App at once.
TEST_CASE("supervisor: Ctrl-C drains, as each process gets it once") {
  const uint16_t port = free_port();
  Supervised s(2, [port](uint32_t i, Board& board) { return serve(i, board, port); }, {}, true);
  REQUIRE(eventually([&] { return s.board.reached == 2; }));
  for (uint32_t i = 0; i < 2; i++) CHECK(::getpgid(s.board.pids[i]) == s.board.pids[i]);
  WsClient client(port, "/w");
  client.read_message();  // who it is: it runs, and has its handlers
  REQUIRE(client.echoes("hello"));
  s.signal_group(SIGINT);
  CHECK(client.read_close() == 1001);
  CHECK(s.wait() == 0);
  CHECK(s.all_gone(2));
}

TEST_CASE("supervisor: told to end, it does not wait for a process that is to be started later") {
  constexpr std::chrono::minutes kLong(10);
  Supervised s(1, [](uint32_t, Board&) { return 3; }, {.backoff_first = kLong, .backoff_longest = kLong});
  REQUIRE(eventually([&] { return s.board.starts == 1; }));
  REQUIRE(s.all_gone(1));  // collected, not only ended
  s.signal(SIGTERM);
  CHECK(s.wait() == 0);
  CHECK(s.board.starts == 1);
}

TEST_CASE("supervisor: one that ends with 0 is started anew, too") {
  Supervised s(1, [](uint32_t, Board& board) { return board.starts == 1 ? 0 : wait_for_signal(); },
               {.backoff_first = milliseconds(1)});
  REQUIRE(eventually([&] { return s.board.starts == 2; }));
  s.signal(SIGTERM);
  CHECK(s.wait() == 0);
}

TEST_CASE("supervisor: 0 processes are as many as there are processors for us") {
  Supervised s(0, [](uint32_t, Board& board) {
    board.reached++;
    return wait_for_signal();
  });
  const int expected = static_cast<int>(sys::usable_processors());
  REQUIRE(eventually([&] { return s.board.reached == expected; }));
  s.signal(SIGTERM);
  CHECK(s.wait() == 0);
  CHECK(s.board.starts == expected);
}

TEST_CASE("supervisor: when it is killed itself, its processes drain and end") {
  const uint16_t port = free_port();
  Supervised s(2, [port](uint32_t i, Board& board) { return serve(i, board, port); });
  REQUIRE(eventually([&] { return s.board.reached == 2; }));
  WsClient client(port, "/w");
  REQUIRE(client.open());
  client.read_message();
  s.signal(SIGKILL);
  CHECK(s.wait() == -2);
  CHECK(client.read_close() == 1001);
  client.send_close(1001);
  CHECK(s.all_gone(2));
}

TEST_CASE("supervisor: when it is killed itself, a process that ignores SIGTERM is killed after the stop_timeout, not before") {
  Supervised s(2, [](uint32_t, Board& board) {
    ::signal(SIGTERM, SIG_IGN);
    board.reached++;
    return wait_for_signal();
  }, {.stop_timeout = milliseconds(300)});
  REQUIRE(eventually([&] { return s.board.reached == 2; }));
  const auto begin = Clock::now();
  s.signal(SIGKILL);
  CHECK(s.wait() == -2);
  CHECK(s.all_gone(2));
  CHECK(Clock::now() - begin >= milliseconds(290));
}

TEST_CASE("supervisor: the log says how a process ended, and that and how long it is left alone") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  {
    Supervised s(1, [](uint32_t, Board&) { return 7; },
                 {.backoff_first = milliseconds(20), .crash_limit = 3}, false, [&] {
      set_log_level(LogLevel::warn);
      set_log_sink([fd = ends[1]](LogLevel, std::string_view line) {
        (void)!::write(fd, (std::string(line) + '\n').data(), line.size() + 1);
      });
    });
    CHECK(s.wait() == 1);
  }
  ::close(ends[1]);
  std::string log;
  char piece[512];
  for (ssize_t n; (n = ::read(ends[0], piece, sizeof piece)) > 0;) log.append(piece, static_cast<size_t>(n));
  ::close(ends[0]);
  CAPTURE(log);
  CHECK(log.find("ended with status 7; to be started again in 20 ms\n") != std::string::npos);
  CHECK(log.find("ended with status 7; it ended 2 times in a row: backing off, to be started again in 40 ms\n") != std::string::npos);
  CHECK(log.find("giving up, process 0 (pid ") != std::string::npos);
}

#if defined(__linux__)
TEST_CASE("supervisor: a held port is nobody else's, and gets no connection") {
  auto held = HeldPort::take("127.0.0.1");
  REQUIRE(held.ok());
  const uint16_t port = held->port();
  REQUIRE(port != 0);
  App other;
  CHECK_FALSE(other.listen({.host = "127.0.0.1", .port = port}).ok());
  for (int round = 0; round < 2; round++) {
    Supervised s(2, [port](uint32_t i, Board& board) { return serve(i, board, port); });
    REQUIRE(eventually([&] { return s.board.reached == 2; }));
    for (int i = 0; i < 100; i++) CHECK(Client(port).get("/").status == 200);
    s.signal(SIGTERM);
    CHECK(s.wait() == 0);
    CHECK_FALSE(other.listen({.host = "127.0.0.1", .port = port}).ok());  // nor between two lives of all processes
  }
  HeldPort moved = std::move(*held);
  CHECK(moved.port() == port);
  CHECK(HeldPort::take("127.0.0.1", port).ok());  // those who share it may hold it, too
  CHECK_FALSE(HeldPort::take("not an address").ok());
}

TEST_CASE("supervisor: a port that a Server has for itself, of one worker or of several, cannot be held") {
  for (const uint32_t workers : {1u, 2u}) {
    CAPTURE(workers);
    Server server({.host = "127.0.0.1", .workers = workers});
    REQUIRE(!server.start([](App&) {}));
    const auto held = HeldPort::take("127.0.0.1", server.port());
    REQUIRE_FALSE(held.ok());
    CHECK(held.error().message() == "bind 127.0.0.1:" + std::to_string(server.port()) + ": Address already in use");
    server.close();
    server.wait();
  }
}
#endif
