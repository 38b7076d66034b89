// src/sys/waker.h: readable after wake(), not readable after drain(), from any thread.
#include "sys/waker.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <cerrno>
#include <thread>

#include "sys/poller.h"
#include "sys/syscalls.h"

using namespace martlet::sys;

namespace {
bool is_readable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) == 1;
}
}  // namespace

TEST_CASE("waker: wake makes readable, drain undoes any number of wakes") {
  Waker waker;
  CHECK(waker.fd() == -1);
  REQUIRE(!waker.open());
  CHECK(!is_readable(waker.fd()));
  waker.drain();  // nothing to take: must not block
  for (int times : {1, 2, 1000}) {
    for (int i = 0; i < times; i++) waker.wake();
    CHECK(is_readable(waker.fd()));
    waker.drain();
    CHECK(!is_readable(waker.fd()));
  }
}

TEST_CASE("waker: wakes a poller that sleeps in another thread") {
  Waker waker;
  REQUIRE(!waker.open());
  Poller poller;
  REQUIRE(!poller.open());
  REQUIRE(!poller.add(waker.fd(), 42, kReadable));
  std::thread other([&] { waker.wake(); });
  CHECK(poller.wait(5'000'000'000) == 1);
  CHECK(poller.event(0).token == 42);
  other.join();
  waker.drain();
  CHECK(poller.wait(0) == 0);
}

#if MARTLET_SYS_EPOLL
TEST_CASE("waker: failing to open is an error") {
  const Syscalls saved = syscalls;
  syscalls.eventfd = [](unsigned, int) {
    errno = EMFILE;
    return -1;
  };
  Waker waker;
  CHECK(waker.open().os_code() == EMFILE);
  CHECK(waker.fd() == -1);
  syscalls = saved;
}
#endif
