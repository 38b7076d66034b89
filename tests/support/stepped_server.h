// An App and its clients on one thread: the test decides when the server turns and what time it is, so that what
// happens in a turn can be counted exactly. For tests of what an App does, see server.h.
//
//   SteppedServer server([](App& app) { app.get("/", ...); });
//   Client client = server.connect();
//   CHECK(server.exchange(client, request, answer_bytes));
//
// The clients are those of client.h and ws_client.h, used with the calls that do not wait: here nobody answers while
// the test waits. One server at a time; clients end before or after it.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <poll.h>

#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "support/ws_client.h"
#include "sys/syscalls.h"

namespace martlet::test {

class SteppedServer {
 public:
  explicit SteppedServer(const std::function<void(App&)>& set_up, const AppOptions& options = {})
      : replaced_(sys::syscalls), app_(options) {
    sys::syscalls.clock_gettime = read_clock;
    set_up(app_);
    const auto port = app_.listen("127.0.0.1", 0);
    REQUIRE(port.ok());
    port_ = *port;
  }
  SteppedServer(const SteppedServer&) = delete;
  SteppedServer& operator=(const SteppedServer&) = delete;

  App& app() { return app_; }

  // Time stands still unless it is moved. Both clocks.
  static void advance(milliseconds time) { now_ns_ += static_cast<uint64_t>(time.count()) * 1'000'000; }

  // Called around every turn when set.
  std::function<void()> before_turn, after_turn;
  // What a turn is told to wait at most. Only a test whose epoll_wait() does not wait sets it.
  milliseconds turn_timeout{0};

  // One turn.
  void turn() {
    if (before_turn) before_turn();
    app_.poll_once(turn_timeout);
    if (after_turn) after_turn();
  }
  // Time passes and the server turns all the while: a clock that jumps is a standstill, which is nobody's silence.
  void live(milliseconds time) {
    constexpr milliseconds kStep{50};
    for (; time > milliseconds(0); time -= kStep) {
      advance(time < kStep ? time : kStep);
      turn();
    }
  }
  // Turns, waiting for the sockets in between, until the condition holds. False when it does not in time.
  template <typename F>
  bool turn_until(F condition, milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    while (!condition()) {
      pollfd wait{app_.fd(), POLLIN, 0};
      ::poll(&wait, 1, 1);  // short: the condition may come true without the server
      turn();
      if (Clock::now() >= deadline) return condition();
    }
    return true;
  }

  // A client that the server has not accepted yet: it turns first.
  Client connecting(const ConnectOptions& options = {}) const { return Client(port_, options); }
  Client connect(const ConnectOptions& options = {}) {
    const uint64_t wanted = app_.stats().accepted + 1;
    Client client = connecting(options);
    REQUIRE(turn_until([&] { return app_.stats().accepted >= wanted; }));
    return client;
  }
  WsClient open_websocket(std::string_view target, const ConnectOptions& options = {}) {
    Client client = connect(options);
    const uint64_t wanted = app_.stats().open_websockets + 1;
    REQUIRE(client.send(ws_request(target)));
    REQUIRE(turn_until([&] { return app_.stats().open_websockets >= wanted; }));
    WsClient websocket(std::move(client));
    REQUIRE(websocket.read_handshake());
    return websocket;
  }

  // Sends these bytes and turns until `want` bytes are in client.in(). The server turns when its descriptor says that
  // it has something to do, so that turns can be counted, and after a while without that.
  bool exchange(Client& client, std::string_view bytes, size_t want, milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    while (Clock::now() < deadline) {
      bytes.remove_prefix(client.send_some(bytes, milliseconds(0)));
      read_what_is_there(client);
      if (bytes.empty() && client.in().size() >= want) return true;
      pollfd wait[2] = {{app_.fd(), POLLIN, 0}, {client.fd(), POLLIN, 0}};
      if (::poll(wait, 2, 20) == 0 || wait[0].revents) turn();
    }
    return false;
  }

  static void read_what_is_there(Client& client) {
    while (client.read_more(Clock::now())) {
    }
  }

 private:
  // Dies after the App, which uses the system calls to its end.
  struct Replaced {
    explicit Replaced(const sys::Syscalls& table) : before(table) {}
    ~Replaced() { sys::syscalls = before; }
    sys::Syscalls before;
  };

  static int read_clock(clockid_t, timespec* time) {
    *time = {static_cast<time_t>(now_ns_ / 1'000'000'000), static_cast<long>(now_ns_ % 1'000'000'000)};
    return 0;
  }

  static inline uint64_t now_ns_ = 1'000'000'000;

  Replaced replaced_;
  App app_;
  uint16_t port_ = 0;
};

}  // namespace martlet::test
