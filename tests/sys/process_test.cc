// src/sys/process.h: limits, random bytes, and signals as events.
#include "sys/process.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <string>
#include <thread>

using namespace martlet::sys;

namespace {

volatile sig_atomic_t former_calls;
void former_handler(int) { former_calls = former_calls + 1; }

void install(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(number, &action, nullptr);
}

auto handler_of(int number) {
  struct sigaction action {};
  ::sigaction(number, nullptr, &action);
  return action.sa_handler;
}

bool is_readable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) == 1;
}

}  // namespace

TEST_CASE("process: the descriptor limit goes up to the hard limit") {
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit lowered = before;
  lowered.rlim_cur = before.rlim_max < 256 ? before.rlim_max : 256;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &lowered) == 0);
  const uint64_t limit = raise_descriptor_limit();
  rlimit after;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == limit);
  CHECK(limit >= lowered.rlim_cur);
  CHECK(raise_descriptor_limit() == limit);
#if defined(__linux__)
  CHECK(after.rlim_cur == before.rlim_max);
#endif
}

TEST_CASE("process: random bytes fill exactly what was asked for") {
  std::set<std::string> seen;
  for (size_t size : {0, 1, 16, 255, 256, 257, 4096, 100000}) {
    std::string bytes(size + 2, '\0');
    random_bytes(bytes.data() + 1, size);
    CHECK(bytes.front() == '\0');
    CHECK(bytes.back() == '\0');
    if (size >= 16) CHECK(bytes.find_first_not_of('\0') != bytes.npos);
  }
  for (int i = 0; i < 100; i++) {
    std::string bytes(16, '\0');
    random_bytes(bytes.data(), bytes.size());
    CHECK(seen.insert(bytes).second);
  }
}

TEST_CASE("process: SIGPIPE blocked is an error value") {
  std::thread([] {  // the mask belongs to a thread
    block_sigpipe();
    int ends[2];
    CHECK(::pipe(ends) == 0);
    ::close(ends[0]);
    CHECK(::write(ends[1], "x", 1) == -1);
    CHECK(errno == EPIPE);
    ::close(ends[1]);
  }).join();
}

TEST_CASE("signals: they arrive in the pipe, and the former action comes back") {
  install(SIGUSR1, former_handler);
  install(SIGUSR2, SIG_IGN);
  former_calls = 0;
  {
    SignalWatcher watcher;
    REQUIRE(!watcher.open());
    CHECK(!watcher.watch(SIGUSR1));
    CHECK(!watcher.watch(SIGUSR1));  // again is harmless
    CHECK(!watcher.watch(SIGUSR2));
    CHECK(watcher.next() == 0);
    CHECK(!is_readable(watcher.fd()));
    ::raise(SIGUSR1);
    CHECK(is_readable(watcher.fd()));
    ::raise(SIGUSR2);
    ::raise(SIGUSR1);
    CHECK(watcher.next() == SIGUSR1);
    CHECK(watcher.next() == SIGUSR2);
    CHECK(watcher.next() == SIGUSR1);
    CHECK(watcher.next() == 0);
    CHECK(former_calls == 0);
  }
  CHECK((handler_of(SIGUSR1) == former_handler));
  CHECK((handler_of(SIGUSR2) == SIG_IGN));
  ::raise(SIGUSR1);
  CHECK(former_calls == 1);
  install(SIGUSR1, SIG_DFL);
  install(SIGUSR2, SIG_DFL);
}

TEST_CASE("signals: one watcher at a time for a signal") {
  SignalWatcher second;
  REQUIRE(!second.open());
  {
    SignalWatcher first;
    REQUIRE(!first.open());
    CHECK(!first.watch(SIGUSR1));
    CHECK(second.watch(SIGUSR1).os_code() == EBUSY);
    ::raise(SIGUSR1);
    CHECK(first.next() == SIGUSR1);
    CHECK(second.next() == 0);
  }
  CHECK(!second.watch(SIGUSR1));
  ::raise(SIGUSR1);
  CHECK(second.next() == SIGUSR1);
}

TEST_CASE("signals: what cannot be watched") {
  SignalWatcher watcher;
  REQUIRE(!watcher.open());
  CHECK(watcher.watch(0).os_code() == EINVAL);
  CHECK(watcher.watch(-1).os_code() == EINVAL);
  CHECK(watcher.watch(1000).os_code() == EINVAL);
  CHECK(watcher.watch(SIGKILL).os_code() == EINVAL);
  CHECK(watcher.watch(SIGKILL).os_code() == EINVAL);  // the first refusal left nothing behind
}

TEST_CASE("signals: errno survives, and a full pipe does not block") {
  SignalWatcher watcher;
  REQUIRE(!watcher.open());
  REQUIRE(!watcher.watch(SIGUSR1));
  errno = 12345;
  for (int i = 0; i < 70000; i++) ::raise(SIGUSR1);
  CHECK(errno == 12345);
  int taken = 0;
  while (watcher.next() == SIGUSR1) taken++;
  CHECK(taken > 0);
  ::raise(SIGUSR1);
  CHECK(watcher.next() == SIGUSR1);
}

TEST_CASE("signals: a watcher that goes away while signals arrive") {
  install(SIGUSR1, SIG_IGN);
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    while (!stop.load()) ::pthread_kill(::pthread_self(), SIGUSR1);  // handled on this thread
  });
  for (int i = 0; i < 200; i++) {
    SignalWatcher watcher;
    REQUIRE(!watcher.open());
    CHECK(!watcher.watch(SIGUSR1));
  }
  stop.store(true);
  sender.join();
  install(SIGUSR1, SIG_DFL);
}
