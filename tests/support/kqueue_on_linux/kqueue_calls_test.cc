// The emulation of kqueue against the manual page: what kevent() answers when something is wrong, and how it waits.
#include <sys/event.h>

#include <doctest/doctest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "support/kqueue_on_linux/kevents.h"

using namespace kqueue_test;

// Errors --------------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: an error is returned as an event when there is room, and the other changes are made") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  int target;
  const Event changes[] = {change_of(pair.near, EVFILT_READ, EV_ADD),
                           change_of(pair.near, EVFILT_WRITE, EV_DELETE, 0, 0, &target),
                           change_of(7, EVFILT_USER, EV_ADD)};
  Event events[4];
  REQUIRE(::kevent(queue.fd, changes, 3, events, 4, nullptr) == 1);  // the error alone: events come with the next call
  CHECK((events[0].flags & EV_ERROR) != 0);
  CHECK(events[0].data == ENOENT);
  CHECK(events[0].ident == static_cast<uintptr_t>(pair.near));
  CHECK(events[0].filter == EVFILT_WRITE);
  CHECK(events[0].udata == &target);
  CHECK(queue.one().filter == EVFILT_READ);
  CHECK(queue.change(7, EVFILT_USER, EV_DELETE) == 0);
}

TEST_CASE("kqueue: an error for which there is no room is the call's") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  const Event changes[] = {change_of(pair.near, EVFILT_READ, EV_ADD), change_of(pair.near, EVFILT_WRITE, EV_DELETE),
                           change_of(7, EVFILT_USER, EV_ADD)};
  CHECK(::kevent(queue.fd, changes, 3, nullptr, 0, nullptr) == -1);
  CHECK(errno == ENOENT);
  CHECK(queue.one().filter == EVFILT_READ);  // what came before it was made
  // Room for one of two.
  const Event wrong[] = {change_of(pair.near, EVFILT_WRITE, EV_DELETE), change_of(pair.near, short{-100}, EV_ADD)};
  Event event;
  CHECK(::kevent(queue.fd, wrong, 2, &event, 1, nullptr) == -1);
  CHECK(errno == EINVAL);
}

TEST_CASE("kqueue: what is wrong with a call") {
  const Queue queue;
  int closed = -1;
  {
    const Pair pair;
    closed = pair.near;
  }
  CHECK(queue.change(closed, EVFILT_READ, EV_ADD) == EBADF);
  CHECK(queue.change(closed, EVFILT_READ, EV_DELETE) == EBADF);
  CHECK(queue.change(-1, EVFILT_WRITE, EV_ADD) == EBADF);
  CHECK(queue.change(queue.fd, short{-100}, EV_ADD) == EINVAL);
  Event event;
  const Pair pair;
  CHECK(::kevent(closed, nullptr, 0, &event, 1, &kNow) == -1);
  CHECK(errno == EBADF);
  CHECK(::kevent(pair.near, nullptr, 0, &event, 1, &kNow) == -1);  // open, but no queue
  CHECK(errno == EBADF);
  for (const timespec& wrong : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}}) {
    CHECK(::kevent(queue.fd, nullptr, 0, &event, 1, &wrong) == -1);
    CHECK(errno == EINVAL);
  }
  for (const auto& [changes, events] : {std::pair{-1, 1}, std::pair{0, -1}}) {
    CHECK(::kevent(queue.fd, &event, changes, &event, events, &kNow) == -1);
    CHECK(errno == EINVAL);
  }
}

TEST_CASE("kqueue: without descriptors there is no queue, and none is lost") {
  rlimit before;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const auto lowest = [] {
    const int fd = ::dup(2);
    ::close(fd);
    return fd;
  };
  const int free = lowest();
  for (const int left : {0, 1, 2}) {
    rlimit limit = before;
    limit.rlim_cur = static_cast<rlim_t>(free + left);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    errno = 0;
    const int made = ::kqueue();
    const int code = errno;
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(made == -1);
    CHECK(code == EMFILE);
    CHECK(lowest() == free);
  }
  { const Queue queue; }
  const Descriptor first(::dup(2));
  CHECK(first == free);  // all of what failed and what was closed is given back
  CHECK(lowest() == free + 1);
}

// Waiting -------------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: a timeout of zero polls, and one that expires returns no event") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.take(kNow).empty());
  const auto begin = Clock::now();
  CHECK(queue.take(ms(20)).empty());
  CHECK(Clock::now() - begin >= std::chrono::milliseconds(20));
}

TEST_CASE("kqueue: without a timeout the call waits until something happens") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  std::atomic<bool> written = false;
  std::thread writer([&] {
    ::poll(nullptr, 0, 20);
    written = true;
    (void)!::write(pair.far, "x", 1);
  });
  Event event;
  const int count = ::kevent(queue.fd, nullptr, 0, &event, 1, nullptr);
  CHECK(written);
  writer.join();
  CHECK(count == 1);
}

TEST_CASE("kqueue: one who waits learns of what another thread adds") {
  const Queue queue;
  const Pair pair;
  std::thread other([&] {
    ::poll(nullptr, 0, 20);
    (void)queue.change(pair.near, EVFILT_WRITE, EV_ADD);
  });
  Event event;
  const int count = ::kevent(queue.fd, nullptr, 0, &event, 1, nullptr);
  other.join();
  REQUIRE(count == 1);
  CHECK(event.filter == EVFILT_WRITE);
}

TEST_CASE("kqueue: a signal ends the waiting with EINTR, and the changes have been made") {
  const Queue queue;
  const Pair pair;
  struct sigaction quiet {}, before {};
  quiet.sa_handler = [](int) {};
  REQUIRE(::sigaction(SIGUSR1, &quiet, &before) == 0);
  std::atomic<bool> over = false;
  std::thread killer([&over, waiting = ::pthread_self()] {
    while (!over) {  // the first may come before the other waits
      ::pthread_kill(waiting, SIGUSR1);
      ::poll(nullptr, 0, 1);
    }
  });
  const Event change = change_of(pair.near, EVFILT_READ, EV_ADD);
  Event event;
  const int count = ::kevent(queue.fd, &change, 1, &event, 1, nullptr);
  const int code = errno;
  over = true;
  killer.join();
  REQUIRE(::sigaction(SIGUSR1, &before, nullptr) == 0);
  CHECK(count == -1);
  CHECK(code == EINTR);
  put(pair.far, 1);
  CHECK(queue.one().data == 1);
}
