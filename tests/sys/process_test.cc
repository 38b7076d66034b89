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
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/in_child.h"

using namespace martlet::sys;
using martlet::test::in_child;

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

namespace {

rlim_t soft_limit() {
  rlimit limit;
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace

TEST_CASE("process: the descriptor limit goes up as far as all together need, and no further than the hard limit") {
  CHECK(in_child([] {
    rlimit limit;
    MARTLET_EXPECT(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 100;
    limit.rlim_max = 400;
    MARTLET_EXPECT(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    MARTLET_EXPECT(descriptor_limit() == 100);
    MARTLET_EXPECT(claim_descriptors(60) == 100);  // there are enough
    MARTLET_EXPECT(claim_descriptors(40) == 100);
    MARTLET_EXPECT(claim_descriptors(1) == 101);
    MARTLET_EXPECT(soft_limit() == 101);
    release_descriptors(41);
    MARTLET_EXPECT(claim_descriptors(50) == 110);  // 60 and 50
    release_descriptors(50);
    MARTLET_EXPECT(soft_limit() == 110);  // never lowered
    MARTLET_EXPECT(claim_descriptors(340) == 400);
    MARTLET_EXPECT(claim_descriptors(1) == 400);
    MARTLET_EXPECT(claim_descriptors(kAllDescriptors) == 400);
    MARTLET_EXPECT(claim_descriptors(kAllDescriptors) == 400);
    release_descriptors(kAllDescriptors);
    MARTLET_EXPECT(descriptor_limit() == 400);
    restore_descriptor_limit();
    MARTLET_EXPECT(soft_limit() == 100);
    return 0;
  }) == 0);
}

TEST_CASE("process: a limit that nobody has raised is not restored to anything") {
  CHECK(in_child([] {
    rlimit limit;
    MARTLET_EXPECT(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_cur < 77 ? limit.rlim_cur : 77;
    MARTLET_EXPECT(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    restore_descriptor_limit();
    MARTLET_EXPECT(soft_limit() == limit.rlim_cur);
    return 0;
  }) == 0);
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
    CHECK(!watcher.watch_always(SIGUSR2));
    CHECK_FALSE(watcher.ignored(SIGUSR2));
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

TEST_CASE("signals: one that was ignored stays ignored") {
  install(SIGUSR1, SIG_IGN);
  {
    SignalWatcher watcher;
    REQUIRE(!watcher.open());
    CHECK(!watcher.watch(SIGUSR1));
    CHECK(watcher.ignored(SIGUSR1));
    CHECK_FALSE(watcher.ignored(SIGUSR2));
    CHECK((handler_of(SIGUSR1) == SIG_IGN));
    ::raise(SIGUSR1);
    CHECK(watcher.next() == 0);
  }
  CHECK((handler_of(SIGUSR1) == SIG_IGN));
  install(SIGUSR1, SIG_DFL);
}

TEST_CASE("signals: every watcher of a signal is told, and the last one restores the action") {
  install(SIGUSR1, former_handler);
  former_calls = 0;
  auto first = std::make_unique<SignalWatcher>();
  SignalWatcher other;
  {
    SignalWatcher second;
    REQUIRE(!first->open());
    REQUIRE(!second.open());
    REQUIRE(!other.open());
    CHECK(!first->watch(SIGUSR1));
    CHECK(!second.watch(SIGUSR1));
    CHECK(!other.watch(SIGUSR2));
    ::raise(SIGUSR1);
    CHECK(first->next() == SIGUSR1);
    CHECK(second.next() == SIGUSR1);
    CHECK(other.next() == 0);
    first.reset();
    ::raise(SIGUSR1);
    CHECK(second.next() == SIGUSR1);
    CHECK(second.next() == 0);
    CHECK(former_calls == 0);
  }
  CHECK((handler_of(SIGUSR1) == former_handler));
  ::raise(SIGUSR2);
  CHECK(other.next() == SIGUSR2);
  install(SIGUSR1, SIG_DFL);
}

TEST_CASE("signals: so many watchers and no more; one that goes makes room") {
  std::vector<std::unique_ptr<SignalWatcher>> all;
  for (int i = 0; i < SignalWatcher::kMost; i++) {
    all.push_back(std::make_unique<SignalWatcher>());
    REQUIRE(!all.back()->open());
    REQUIRE(!all.back()->watch(SIGUSR1));
  }
  SignalWatcher more;
  REQUIRE(!more.open());
  CHECK(more.watch(SIGUSR1).os_code() == EBUSY);
  all.erase(all.begin() + 17);
  CHECK(!more.watch(SIGUSR1));
  ::raise(SIGUSR1);
  CHECK(more.next() == SIGUSR1);
  for (auto& one : all) CHECK(one->next() == SIGUSR1);
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
    CHECK(!watcher.watch_always(SIGUSR1));
  }
  stop.store(true);
  sender.join();
  install(SIGUSR1, SIG_DFL);
}
