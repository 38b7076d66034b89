// Whole conversations over a system that gives little: reads and writes of a few bytes, calls that are interrupted or
// would block, and allocations that fail one after the other. What arrives is the same, or the connection ends in order.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/alloc.h"
#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"
#include "sys/syscalls.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Shortens the library's reads and writes to at most `longest` bytes, and lets some of them fail for the moment.
class ShortIo {
 public:
  explicit ShortIo(size_t longest) : saved_(sys::syscalls) {
    longest_ = longest;
    sys::syscalls.recv = [](int fd, void* data, size_t size, int flags) -> ssize_t {
      return refused() ? -1 : ::recv(fd, data, shorten(size), flags);
    };
    sys::syscalls.send = [](int fd, const void* data, size_t size, int flags) -> ssize_t {
      return refused() ? -1 : ::send(fd, data, shorten(size), flags);
    };
    sys::syscalls.readv = [](int fd, const iovec* pieces, int count) -> ssize_t {
      iovec few[2];
      return refused() ? -1 : ::readv(fd, few, static_cast<int>(cut(pieces, static_cast<size_t>(count), few)));
    };
    sys::syscalls.sendmsg = [](int fd, const msghdr* message, int flags) -> ssize_t {
      iovec few[2];
      msghdr cut_message = *message;
      cut_message.msg_iovlen = cut(message->msg_iov, static_cast<size_t>(message->msg_iovlen), few);
      cut_message.msg_iov = few;
      return refused() ? -1 : ::sendmsg(fd, &cut_message, flags);
    };
  }
  ~ShortIo() { sys::syscalls = saved_; }

 private:
  static size_t shorten(size_t size) { return std::min(size, 1 + random() % longest_); }
  static bool refused() {
    const uint32_t r = static_cast<uint32_t>(random());
    if (r % 7 == 0) return errno = EINTR, true;
    if (r % 7 == 1) return errno = EAGAIN, true;
    return false;
  }
  // The first bytes of the pieces, in at most two pieces.
  static size_t cut(const iovec* pieces, size_t count, iovec* few) {
    size_t left = 1 + random() % longest_;
    size_t used = 0;
    for (size_t i = 0; i < count && used < 2 && left > 0; i++) {
      if (pieces[i].iov_len == 0) continue;
      few[used] = {pieces[i].iov_base, std::min(left, pieces[i].iov_len)};
      left -= few[used++].iov_len;
    }
    return used;
  }

  static inline std::atomic<size_t> longest_ = 1;
  static inline thread_local std::mt19937 random{5};
  sys::Syscalls saved_;
};

}  // namespace

TEST_CASE("ws short io: a conversation over reads and writes of any size") {
  for (const size_t longest : {size_t{1}, size_t{7}, size_t{100}, size_t{5000}, size_t{200'000}}) {
    CAPTURE(longest);
    const ShortIo io(longest);
    TestServer server([](App& app) {
      app.ws("/", {.message = [](WebSocket ws, const Message& msg) {
                     ws.send(msg);
                     ws.join("room").send(msg);
                     ws.send(msg.share());
                   },
                   .options = {.max_unsent_bytes = 64_MiB}});
    });
    WsClient client(server.port());
    REQUIRE(client.open());
    std::mt19937 random(static_cast<uint32_t>(longest));
    std::vector<std::string> sent;
    std::string bytes;
    const size_t largest = longest == 1 ? 200 : longest == 7 ? 2000 : 100'000;
    for (uint32_t i = 0; i < 120; i++) {
      sent.push_back(pattern(random() % (i % 10 ? 300 : largest), i));
      bytes += i % 3 ? ws_frame(kText, sent.back()) : ws_fragments(kText, sent.back(), {sent.back().size() / 3, 0, 5});
      if (i % 5 == 0) bytes += ws_frame(kPing, "p");
    }
    Thread sender([&] { client.tcp.send(bytes); });
    size_t good = 0;
    for (const std::string& text : sent) good += client.reads(text) && client.reads(text) && client.reads(text);
    sender.join();
    CHECK(good == sent.size());
    CHECK(client.close_nicely());
  }
}

TEST_CASE("ws short io: slow consumer policies drop whole messages when frames leave in pieces") {
  for (const SlowConsumerPolicy policy : {SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
    const ShortIo io(900);
    TestServer server([&](App& app) {
      app.ws("/", {.message = [](WebSocket ws, const Message&) {
                     for (uint32_t i = 0; i < 500; i++) ws.send(pattern(100 + i % 400, i));
                     ws.send("end");
                   },
                   .options = {.max_unsent_bytes = 20'000, .slow_consumer = policy}});
    });
    WsClient client(server.port());
    REQUIRE(client.send_text("go"));
    uint64_t got = 0;
    uint32_t next = 0;
    for (WsFrame frame = client.read_frame(1s); frame.ok() && frame.payload != "end"; frame = client.read_frame(1s), got++) {
      while (next < 500 && frame.payload != pattern(100 + next % 400, next)) next++;
      REQUIRE(next < 500);
    }
    wait_a_turn(server);
    const Stats stats = server.stats();
    const bool end_came = policy == SlowConsumerPolicy::drop_oldest;
    if (end_came) CHECK(got + 1 + stats.messages_dropped == 501);
    if (!end_came) CHECK(stats.messages_sent + stats.messages_dropped == 501);
    CHECK(stats.messages_dropped > 0);
  }
}

namespace {

// Lets the Nth allocation from now fail, once.
class OneFailure {
 public:
  OneFailure() : before_(base::alloc_hooks) {
    countdown = -1;
    held = 0;
    base::alloc_hooks = {allocate, deallocate};
  }
  ~OneFailure() { base::alloc_hooks = before_; }
  static inline std::atomic<int> countdown = -1;
  static inline std::atomic<int> held = 0;

 private:
  static void* allocate(size_t bytes) {
    if (countdown >= 0 && countdown-- == 0) return nullptr;
    held++;
    return std::malloc(bytes);
  }
  static void deallocate(void* memory) {
    held--;
    std::free(memory);
  }
  base::AllocHooks before_;
};

// Everything that asks for memory, in one conversation; true when all went well.
bool talk(uint16_t port) {
  WsClient a(port);
  WsClient b(port);
  const std::string large = pattern(100'000);
  const bool good = a.open() && b.open() && a.echoes("join") && b.echoes("join") &&
                    a.send(ws_frame(kBinary, large.substr(0, 70'000)) + ws_fragments(kText, large, {10, 60'000})) &&
                    a.read_message(2s).is(kBinary, large.substr(0, 70'000)) && a.read_message(2s).is(kText, large) &&
                    a.echoes("room") && b.read_message(2s).is(kText, "to the room") && b.echoes("post");
  if (!good) return false;
  return a.close_nicely() && b.close_nicely();
}

}  // namespace

TEST_CASE("ws short io: one allocation that fails costs one connection or one message, and nothing is lost") {
  OneFailure memory;
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  {
    TestServer server([&](App& app) {
      app.ws("/", {.open = [&](WebSocket, Request&) { opened++; },
                   .message =
                       [](WebSocket ws, const Message& msg) {
                         if (msg.text() == "join") ws.join("room");
                         if (msg.text() == "room") ws.to("room").send("to the room");
                         if (msg.text() == "post") ws.post([](WebSocket) {});
                         ws.send(msg);
                       },
                   .close = [&](WebSocket, const CloseInfo&) { closed++; }});
    });
    int failures = 0;
    for (int n = 0; n < 80; n++) {
      OneFailure::countdown = n;
      failures += !talk(server.port());
      OneFailure::countdown = -1;
      REQUIRE(server.wait_for_connections(0));
      CHECK(closed.load() == opened.load());
    }
    CHECK(failures > 0);
    CHECK(talk(server.port()));
  }
  CHECK(OneFailure::held.load() == 0);
}
