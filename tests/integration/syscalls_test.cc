// System calls per message, counted in the table of sys/syscalls.h: those of a server that does nothing but move bytes,
// and no more. One wait per turn, one read per readable connection, one write per connection that has something to
// say; the poller is told of a change only when a connection comes, and when the kernel takes no more of its output.
// A wait is an epoll_wait or a kevent without changes, a change is an epoll_ctl or a kevent with some.
//
// Every turn is asked to wait for a minute, and the true call is made without waiting: so a wait with a timeout of 0
// shows a loop that turns once more for nothing. Server and clients share the test's thread. Linux: elsewhere a
// connection costs more calls.
#if defined(__linux__)

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <sys/ioctl.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/stepped_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// The table, counted ---------------------------------------------------------------------------------------------------

sys::Syscalls kernel;  // the calls themselves

// A call of the table that is counted and made. The clock is not one: it is read without entering the kernel.
template <auto member>
struct Counted;
template <typename R, typename... Args, R (*sys::Syscalls::*member)(Args...)>
struct Counted<member> {
  static inline uint64_t calls = 0;
  static R call(Args... args) {
    calls++;
    return (kernel.*member)(args...);
  }
};

struct Calls {
  uint64_t wait = 0, recv = 0, readv = 0, send = 0, sendmsg = 0, change = 0, accept4 = 0, close = 0;
  uint64_t others = 0;  // everything else in the table

  bool operator==(const Calls&) const = default;
  uint64_t reads() const { return recv + readv; }
  uint64_t writes() const { return send + sendmsg; }
};

std::ostream& operator<<(std::ostream& out, const Calls& c) {
  return out << "wait " << c.wait << ", recv " << c.recv << ", readv " << c.readv << ", send " << c.send
             << ", sendmsg " << c.sendmsg << ", change " << c.change << ", accept4 " << c.accept4 << ", close "
             << c.close << ", others " << c.others;
}

Calls operator-(const Calls& a, const Calls& b) {
  return {a.wait - b.wait,       a.recv - b.recv,       a.readv - b.readv,
          a.send - b.send,       a.sendmsg - b.sendmsg, a.change - b.change,
          a.accept4 - b.accept4, a.close - b.close,     a.others - b.others};
}

template <auto... members>
void count() {
  ((sys::syscalls.*members = Counted<members>::call), ...);
}
template <auto... members>
uint64_t calls_of() {
  return (Counted<members>::calls + ...);
}

using S = sys::Syscalls;

uint64_t waits = 0, changes = 0;

Calls calls_so_far() {
  Calls c;
  c.wait = waits;
  c.recv = calls_of<&S::recv>();
  c.readv = calls_of<&S::readv>();
  c.send = calls_of<&S::send>();
  c.sendmsg = calls_of<&S::sendmsg>();
  c.change = changes;
  c.accept4 = calls_of<&S::accept4>();
  c.close = calls_of<&S::close>();
  c.others = calls_of<&S::read, &S::write, &S::accept, &S::socket, &S::bind, &S::listen, &S::connect, &S::setsockopt,
                      &S::getsockopt, &S::getsockname, &S::getpeername, &S::shutdown, &S::open, &S::pipe,
                      &S::set_flags>();
  return c;
}

// What the last wait reported.
struct Ready {
  int readable = 0, writable = 0;
  bool would_sleep = false;  // it had a timeout
};
Ready ready;

#if MARTLET_SYS_EPOLL

void count_the_poller() {
  sys::syscalls.epoll_ctl = [](int queue, int operation, int fd, epoll_event* event) {
    changes++;
    return kernel.epoll_ctl(queue, operation, fd, event);
  };
  sys::syscalls.epoll_wait = [](int queue, epoll_event* events, int most, int timeout) {
    waits++;
    const int count = kernel.epoll_wait(queue, events, most, 0);
    ready = {.would_sleep = timeout != 0};
    for (int i = 0; i < count; i++) {
      ready.readable += (events[i].events & EPOLLIN) != 0;
      ready.writable += (events[i].events & EPOLLOUT) != 0;
    }
    return count;
  };
}

#else

void count_the_poller() {
  sys::syscalls.kevent = [](int queue, const struct kevent* given, int change_count, struct kevent* events, int most,
                            const timespec* timeout) {
    (change_count ? changes : waits)++;
    if (change_count) return kernel.kevent(queue, given, change_count, events, most, timeout);
    const timespec at_once{};
    const int count = kernel.kevent(queue, nullptr, 0, events, most, &at_once);
    ready = {.would_sleep = !timeout || timeout->tv_sec || timeout->tv_nsec};
    for (int i = 0; i < count; i++) {
      ready.readable += events[i].filter == EVFILT_READ;
      ready.writable += events[i].filter == EVFILT_WRITE;
    }
    return count;
  };
}

#endif

int accepted_fd = -1;  // the last one: a test asks it what has arrived

int accept_and_tell(int fd, sockaddr* address, socklen_t* size, int flags) {
  Counted<&S::accept4>::calls++;
  const int accepted = kernel.accept4(fd, address, size, flags);
  if (accepted >= 0) accepted_fd = accepted;
  return accepted;
}

size_t send_at_most = SIZE_MAX;  // by the next call
int blocked_times = 0;           // how often a connection began to wait for the kernel; of one connection at a time
bool blocked = false;

ssize_t send_and_tell(int fd, const void* bytes, size_t size, int flags) {
  Counted<&S::send>::calls++;
  const ssize_t sent = kernel.send(fd, bytes, std::min(size, std::exchange(send_at_most, SIZE_MAX)), flags);
  const bool whole = sent == static_cast<ssize_t>(size);
  blocked_times += !whole && !blocked;
  blocked = !whole;
  return sent;
}

ssize_t sendmsg_and_tell(int fd, const msghdr* message, int flags) {
  Counted<&S::sendmsg>::calls++;
  size_t size = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  const ssize_t sent = kernel.sendmsg(fd, message, flags);
  const bool whole = sent == static_cast<ssize_t>(size);
  blocked_times += !whole && !blocked;
  blocked = !whole;
  return sent;
}

void count_system_calls() {
  kernel = sys::syscalls;
  count<&S::recv, &S::readv, &S::read, &S::write, &S::accept, &S::socket, &S::bind, &S::listen, &S::connect,
        &S::setsockopt, &S::getsockopt, &S::getsockname, &S::getpeername, &S::shutdown, &S::close, &S::open, &S::pipe,
        &S::set_flags>();
  count_the_poller();
  sys::syscalls.accept4 = accept_and_tell;
  sys::syscalls.send = send_and_tell;
  sys::syscalls.sendmsg = sendmsg_and_tell;
}

// A server whose system calls are counted ------------------------------------------------------------------------------

class CountedServer {
 public:
  explicit CountedServer(const std::function<void(App&)>& set_up)
      : server([&](App& app) {
          count_system_calls();
          set_up(app);
        }) {
    blocked = false;
    server.turn_timeout = milliseconds(60'000);
    server.after_turn = [this] {
      turns++;
      useless_turns += !ready.would_sleep;
      readable += static_cast<uint64_t>(ready.readable);
      writable += static_cast<uint64_t>(ready.writable);
    };
  }

  // From here on.
  void begin() {
    settle();
    before_ = calls_so_far();
    turns = useless_turns = readable = writable = 0;
    blocked_times = 0;
  }
  Calls calls() const { return calls_so_far() - before_; }

  // Turns until the server would sleep and nothing is there to wake it.
  void settle() {
    do {
      server.turn();
    } while (!ready.would_sleep || ready.readable || ready.writable);
  }
  // The connection's last turn has left nothing to do: the next would sleep.
  bool at_rest() {
    server.turn();
    return ready.would_sleep && !ready.readable && !ready.writable;
  }

  // One turn for these bytes, which are small enough to be there at once, and for what other clients have sent. False
  // when the answer is not this.
  bool round(Client& client, int server_fd, std::string_view bytes, std::string_view wanted) {
    return arrives(client, server_fd, bytes) && (server.turn(), true) && client.read_bytes(wanted.size()) &&
           client.take(client.in().size()) == wanted;
  }
  // Sends, and waits until all is with the server's socket.
  bool arrives(Client& client, int server_fd, std::string_view bytes) {
    if (!client.send(bytes)) return false;
    const auto deadline = Clock::now() + kPatience;
    int there = 0;
    while (::ioctl(server_fd, FIONREAD, &there) == 0 && there < static_cast<int>(bytes.size())) {
      if (Clock::now() > deadline) return false;
    }
    return true;
  }

  SteppedServer server;
  // Since begin().
  uint64_t turns = 0;
  uint64_t useless_turns = 0;  // that were not asked to wait
  uint64_t readable = 0;       // reports of all turns
  uint64_t writable = 0;

 private:
  Calls before_;
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; i++) all += text;
  return all;
}

std::string server_frame(uint8_t opcode, std::string_view payload) {
  return ws_frame(opcode, payload, {.masked = false});
}

void routes(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.ws("/echo", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); },
                   .options = {.max_message_bytes = 4_MiB, .max_unsent_bytes = 64_MiB}});
  app.ws("/broadcast", {.message = [&app](WebSocket, const Message& msg) { app.to_route("/broadcast").send(msg); }});
  app.ws("/room", [](WebSocket ws, Request&) {
    const Room room = ws.join("room");
    ws.on_message([room](WebSocket from, const Message& msg) { from.to(room).send(msg); });
  });
}

constexpr uint64_t kRounds = 20;

}  // namespace

TEST_CASE("syscalls: HTTP, one by one and in a pipeline") {
  CountedServer counted(routes);
  Client client = counted.server.connect();
  const int fd = accepted_fd;
  const std::string small = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
  const std::string browser = "GET /?a=1 HTTP/1.1\r\nHost: test\r\nConnection: keep-alive\r\nCookie: " + pattern(500) +
                              "\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\r\n";
  for (const std::string& request : {small, browser}) {
    REQUIRE(counted.server.exchange(client, request, 1));
    const std::string answer = client.take(client.in().size());
    for (const int depth : {1, 16}) {
      CAPTURE(depth);
      counted.begin();
      for (uint64_t i = 0; i < kRounds; i++) {
        REQUIRE(counted.round(client, fd, repeated(request, depth), repeated(answer, depth)));
      }
      CHECK(counted.calls() == Calls{.wait = kRounds, .recv = kRounds, .send = kRounds});
      CHECK(counted.at_rest());
    }
  }
}

TEST_CASE("syscalls: echo of small messages, one by one and many in a packet") {
  CountedServer counted(routes);
  WsClient client = counted.server.open_websocket("/echo");
  const int fd = accepted_fd;
  struct Row {
    size_t size;
    int depth;
  };
  for (const Row& row : {Row{20, 1}, Row{20, 16}, Row{1024, 1}, Row{1024, 16}, Row{16384, 1}}) {
    CAPTURE(row.size);
    CAPTURE(row.depth);
    const std::string sent = repeated(ws_frame(kText, pattern(row.size)), row.depth);
    const std::string wanted = repeated(server_frame(kText, pattern(row.size)), row.depth);
    counted.begin();
    for (uint64_t i = 0; i < kRounds; i++) REQUIRE(counted.round(client.tcp, fd, sent, wanted));
    CHECK(counted.calls() == Calls{.wait = kRounds, .recv = kRounds, .send = kRounds});
    CHECK(counted.at_rest());
  }
}

// The kernel decides in how many pieces these come and go; the counts follow from what it reported.
TEST_CASE("syscalls: echo of large messages") {
  CountedServer counted(routes);
  WsClient client = counted.server.open_websocket("/echo", {.receive_buffer_bytes = 4 << 20, .send_buffer_bytes = 4 << 20});
  struct Row {
    size_t size;
    int depth;
  };
  for (const Row& row : {Row{16384, 16}, Row{1 << 20, 1}}) {
    CAPTURE(row.size);
    const std::string sent = repeated(ws_frame(kBinary, pattern(row.size)), row.depth);
    const std::string wanted = repeated(server_frame(kBinary, pattern(row.size)), row.depth);
    counted.begin();
    for (uint64_t i = 0; i < kRounds; i++) {
      REQUIRE(counted.server.exchange(client.tcp, sent, wanted.size()));
      REQUIRE(client.tcp.take(wanted.size()) == wanted);
    }
    const Calls calls = counted.calls();
    CAPTURE(calls);
    CAPTURE(counted.writable);
    CHECK(calls.wait == counted.turns);
    CHECK(counted.useless_turns == 0);
    CHECK(calls.reads() == counted.readable);
    CHECK(calls.writes() <= counted.readable + counted.writable);
    CHECK(calls.change <= 3 * static_cast<uint64_t>(blocked_times));  // wants to write, pauses reading, neither
    CHECK(calls.accept4 + calls.close + calls.others == 0);
    if (row.size == 1 << 20) {
      CHECK(calls.recv == kRounds);  // the first piece, with the header; the rest goes straight to its place
      CHECK(calls.readv >= kRounds);
      CHECK(calls.writes() == kRounds + counted.writable);
    }
  }
}

TEST_CASE("syscalls: a write that the kernel takes in two parts") {
  CountedServer counted(routes);
  WsClient client = counted.server.open_websocket("/echo");
  const int fd = accepted_fd;
  counted.begin();
  send_at_most = 10;
  REQUIRE(counted.arrives(client.tcp, fd, ws_frame(kText, pattern(1000))));
  counted.server.turn();
  CHECK(counted.calls() == Calls{.wait = 1, .recv = 1, .send = 1, .change = 1});
  counted.server.turn();
  CHECK(counted.calls() == Calls{.wait = 2, .recv = 1, .send = 2, .change = 2});
  CHECK(counted.at_rest());
  CHECK(client.reads(pattern(1000)));
}

TEST_CASE("syscalls: fan-out, one write per member and turn") {
  CountedServer counted(routes);
  constexpr uint64_t kMembers = 40;
  for (const std::string_view target : {"/room", "/broadcast"}) {
    CAPTURE(target);
    std::vector<WsClient> members;
    for (uint64_t i = 0; i < kMembers; i++) members.push_back(counted.server.open_websocket(target));
    WsClient first = counted.server.open_websocket(target);
    const int first_fd = accepted_fd;
    WsClient second = counted.server.open_websocket(target);
    const int second_fd = accepted_fd;
    for (const int messages : {1, 32}) {
      CAPTURE(messages);
      const std::string sent = repeated(ws_frame(kText, pattern(100)), messages);
      counted.begin();
      REQUIRE(counted.arrives(first.tcp, first_fd, sent));
      counted.server.turn();
      const uint64_t others = target == "/room" ? kMembers + 1 : kMembers + 2;
      CHECK(counted.calls() == Calls{.wait = 1, .recv = 1, .send = others});
      CHECK(counted.at_rest());
      // Two that speak in one turn.
      counted.begin();
      REQUIRE(counted.arrives(first.tcp, first_fd, sent));
      REQUIRE(counted.arrives(second.tcp, second_fd, sent));
      counted.server.turn();
      CHECK(counted.calls() == Calls{.wait = 1, .recv = 2, .send = kMembers + 2});
      CHECK(counted.at_rest());
      const std::string wanted = repeated(server_frame(kText, pattern(100)), 3 * messages);
      for (WsClient& member : members) {
        REQUIRE(member.tcp.read_bytes(wanted.size()));
        CHECK(member.tcp.take(member.tcp.in().size()) == wanted);
      }
    }
  }
}

TEST_CASE("syscalls: connect, upgrade, echo, close") {
  CountedServer counted(routes);
  counted.begin();
  for (uint64_t i = 0; i < kRounds; i++) {
    WsClient client = counted.server.open_websocket("/echo");
    REQUIRE(counted.round(client.tcp, accepted_fd, ws_frame(kText, "hello"), server_frame(kText, "hello")));
    REQUIRE(counted.round(client.tcp, accepted_fd, ws_frame(kClose, close_payload(1000)),
                          server_frame(kClose, close_payload(1000))));
    CHECK(client.ended());
  }
  CHECK(counted.useless_turns == 0);
  CHECK(counted.calls() == Calls{.wait = 4 * kRounds,
                                 .recv = 3 * kRounds,
                                 .send = 3 * kRounds,
                                 .change = kRounds,
                                 .accept4 = 2 * kRounds,
                                 .close = kRounds});
  CHECK(counted.at_rest());
}

TEST_CASE("syscalls: many that connect at once, ask, and go") {
  CountedServer counted(routes);
  constexpr uint64_t kClients = 10;
  Client first = counted.server.connect();
  REQUIRE(counted.server.exchange(first, "GET / HTTP/1.1\r\nHost: test\r\n\r\n", 1));
  counted.begin();
  std::vector<Client> clients;
  for (uint64_t i = 0; i < kClients; i++) clients.push_back(counted.server.connecting());
  counted.server.turn();
  CHECK(counted.calls() == Calls{.wait = 1, .change = kClients, .accept4 = kClients + 1});
  CHECK(counted.at_rest());
  counted.begin();
  for (Client& client : clients) REQUIRE(client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"));
  counted.server.turn();
  CHECK(counted.calls() == Calls{.wait = 1, .recv = kClients, .send = kClients});
  counted.begin();
  for (Client& client : clients) client.close();
  counted.server.turn();
  CHECK(counted.calls() == Calls{.wait = 1, .recv = kClients, .close = kClients});
  CHECK(counted.at_rest());
}

#endif  // __linux__
