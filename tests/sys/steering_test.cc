// src/sys/steering.h: connections from each processor arrive at the listener that is meant for it. Over loopback the
// SYN is handled on the processor that connects.
#include "sys/steering.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "support/client.h"
#include "sys/processors.h"
#include "sys/socket.h"
#include "sys/thread.h"

using namespace martlet::sys;

#if defined(__linux__)

namespace {

// Listeners that share a port.
struct Group {
  std::vector<int> listeners;
  uint16_t port = 0;

  explicit Group(int count) {
    for (int i = 0; i < count; i++) {
      auto made = listen_on({.host = "127.0.0.1", .port = port, .reuse_port = true});
      REQUIRE_MESSAGE(made.ok(), made.error().message());
      listeners.push_back(*made);
      port = local_port(*made);
    }
  }
  ~Group() {
    for (const int fd : listeners) close_socket(fd);
  }

  // Which listener gets a connection that is made on this processor; -1 when that cannot be told.
  int receiver_of(int processor) {
    struct Context {
      uint16_t port;
      bool connected;
    } context{port, false};
    Thread thread;
    const auto connect = [](void* given) {
      Context& c = *static_cast<Context*>(given);
      c.connected = martlet::test::Client(c.port).connected();
    };
    if (thread.start(connect, &context, 0, processor)) return -1;
    const bool pinned = thread.pinned();
    thread.join();
    if (!pinned || !context.connected) return -1;
    std::vector<pollfd> wait;
    for (const int fd : listeners) wait.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    if (::poll(wait.data(), wait.size(), 5000) != 1) return -1;
    for (size_t i = 0; i < wait.size(); i++) {
      if (!wait[i].revents) continue;
      const AcceptResult accepted = accept_one(listeners[i]);
      if (accepted.status != AcceptStatus::ok) return -1;
      close_socket(accepted.fd);
      return static_cast<int>(i);
    }
    return -1;
  }

  // Whether each of many connections from this processor goes there.
  bool all_go_to(int receiver, int processor) {
    for (int i = 0; i < 20; i++) {  // the hash alone would get this right once in a million times
      if (receiver_of(processor) != receiver) return false;
    }
    return true;
  }
};

}  // namespace

TEST_CASE("steering: a connection goes to the listener of the processor that took it") {
  int both[2];
  if (allowed_processors(both, 2) < 2) {
    MESSAGE("skipped: it takes two processors");
    return;
  }
  Group group(2);
  REQUIRE(!steer_by_processor(group.listeners[0], both, 2));
  CHECK(group.all_go_to(0, both[0]));
  CHECK(group.all_go_to(1, both[1]));

  SUBCASE("the other way round, by way of the other listener") {
    const int swapped[] = {both[1], both[0]};
    REQUIRE(!steer_by_processor(group.listeners[1], swapped, 2));
    CHECK(group.all_go_to(1, both[0]));
    CHECK(group.all_go_to(0, both[1]));
  }
  SUBCASE("processors that are not named go by their number") {
    const int none_of_ours[] = {5000, 5001};
    REQUIRE(!steer_by_processor(group.listeners[0], none_of_ours, 2));
    CHECK(group.all_go_to(both[0] % 2, both[0]));
    CHECK(group.all_go_to(both[1] % 2, both[1]));
  }
  SUBCASE("after a refused change the old program stays") {
    const int twice[] = {both[1], both[1]};
    CHECK(steer_by_processor(group.listeners[0], twice, 2).os_code() == EINVAL);
    CHECK(group.all_go_to(0, both[0]));
    CHECK(group.all_go_to(1, both[1]));
  }
}

TEST_CASE("steering: a listener that comes later, and as many as the program can hold") {
  int first;
  REQUIRE(allowed_processors(&first, 1) == 1);
  Group group(3);
  const int processors[] = {6000, 6001, first};
  REQUIRE(!steer_by_processor(group.listeners[0], processors, 3));
  CHECK(group.all_go_to(2, first));
  std::vector<int> many(kMaxSteered);
  for (int i = 0; i < kMaxSteered; i++) many[static_cast<size_t>(i)] = first + kMaxSteered - i;
  many[1] = first;
  REQUIRE(!steer_by_processor(group.listeners[0], many.data(), kMaxSteered));
  CHECK(group.all_go_to(1, first));
}

TEST_CASE("steering: what is refused") {
  Group group(1);
  const int zero = 0;
  CHECK(steer_by_processor(group.listeners[0], &zero, 0).os_code() == EINVAL);
  std::vector<int> too_many(kMaxSteered + 1);
  for (size_t i = 0; i < too_many.size(); i++) too_many[i] = static_cast<int>(i);
  CHECK(steer_by_processor(group.listeners[0], too_many.data(), kMaxSteered + 1).os_code() == EINVAL);
  const int negative = Thread::kAnyProcessor;
  CHECK(steer_by_processor(group.listeners[0], &negative, 1).os_code() == EINVAL);
  CHECK(steer_by_processor(-1, &zero, 1).os_code() == EBADF);
  auto alone = listen_on({.host = "127.0.0.1"});  // without SO_REUSEPORT there is no group
  REQUIRE(alone.ok());
  CHECK(steer_by_processor(*alone, &zero, 1));
  close_socket(*alone);
}

#else

TEST_CASE("steering: not on this system") {
  const int zero = 0;
  CHECK(steer_by_processor(0, &zero, 1).os_code() == ENOTSUP);
}

#endif
