// The contract of src/sys/poller.h, tried on whichever backend this system has.
#include "sys/poller.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <vector>

#include "sys/socket.h"
#include "sys/syscalls.h"

using namespace martlet::sys;

namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Two connected stream sockets, both non-blocking.
struct Pair {
  int near = -1, far = -1;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    near = ends[0];
    far = ends[1];
    REQUIRE(syscalls.set_flags(near) == 0);
    REQUIRE(syscalls.set_flags(far) == 0);
  }
  ~Pair() {
    close_near();
    close_far();
  }
  void close_near() {
    if (near >= 0) ::close(near);
    near = -1;
  }
  void close_far() {
    if (far >= 0) ::close(far);
    far = -1;
  }
};

void open(Poller& poller) {
  const martlet::Error error = poller.open();
  REQUIRE_MESSAGE(!error, error.message());
}

void fill(int fd) {
  static const char block[65536] = {};
  while (transmit(fd, block, sizeof block).status == IoStatus::ok) {
  }
}

void empty(int fd) {
  static char block[65536];
  while (receive(fd, block, sizeof block).status == IoStatus::ok) {
  }
}

// Replaces the table for the length of a test.
struct RestoreSyscalls {
  Syscalls saved = syscalls;
  ~RestoreSyscalls() { syscalls = saved; }
};

}  // namespace

TEST_CASE("poller: nothing to report") {
  Poller poller;
  open(poller);
  CHECK(poller.wait(0) == 0);
  CHECK(poller.fd() >= 0);
  Pair pair;
  CHECK(!poller.add(pair.near, 7, kReadable));
  CHECK(poller.wait(0) == 0);
  CHECK(poller.wait(1'000'000) == 0);
}

TEST_CASE("poller: readable is level-triggered and returns the token as given") {
  Poller poller;
  open(poller);
  Pair pair;
  const uint64_t token = 0xfedcba9876543210u;
  CHECK(!poller.add(pair.near, token, kReadable));
  CHECK(transmit(pair.far, "ab", 2).bytes == 2);
  for (int i = 0; i < 3; i++) {
    REQUIRE(poller.wait(kSecond) == 1);
    CHECK(poller.event(0).token == token);
    CHECK(poller.event(0).readable);
    CHECK(!poller.event(0).writable);
    CHECK(!poller.event(0).hangup);
  }
  char byte;
  CHECK(receive(pair.near, &byte, 1).bytes == 1);
  CHECK(poller.wait(0) == 1);  // one byte is left
  CHECK(receive(pair.near, &byte, 1).bytes == 1);
  CHECK(poller.wait(0) == 0);
}

TEST_CASE("poller: reading and writing of one descriptor come as one event") {
  Poller poller;
  open(poller);
  Pair pairs[3];
  for (uint64_t i = 0; i < 3; i++) {
    CHECK(!poller.add(pairs[i].near, i, kReadable | kWritable));
    CHECK(transmit(pairs[i].far, "x", 1).bytes == 1);
  }
  REQUIRE(poller.wait(kSecond) == 3);
  std::set<uint64_t> tokens;
  for (int i = 0; i < 3; i++) {
    tokens.insert(poller.event(i).token);
    CHECK(poller.event(i).readable);
    CHECK(poller.event(i).writable);
    CHECK(!poller.event(i).hangup);
  }
  CHECK(tokens == std::set<uint64_t>{0, 1, 2});
}

TEST_CASE("poller: interest and token can change") {
  Poller poller;
  open(poller);
  Pair pair;
  CHECK(transmit(pair.far, "x", 1).bytes == 1);
  CHECK(!poller.add(pair.near, 1, kNoInterest));
  CHECK(poller.wait(0) == 0);
  CHECK(!poller.modify(pair.near, 2, kReadable));
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 2);
  CHECK(!poller.event(0).writable);
  CHECK(!poller.modify(pair.near, 3, kWritable));
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 3);
  CHECK(!poller.event(0).readable);
  CHECK(poller.event(0).writable);
  CHECK(!poller.modify(pair.near, 4, kReadable | kWritable));
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 4);
  CHECK(poller.event(0).readable);
  CHECK(poller.event(0).writable);
  CHECK(!poller.modify(pair.near, 5, kNoInterest));
  CHECK(poller.wait(0) == 0);
}

TEST_CASE("poller: writable only when there is room") {
  Poller poller;
  open(poller);
  Pair pair;
  fill(pair.near);
  CHECK(!poller.add(pair.near, 1, kWritable));
  CHECK(poller.wait(0) == 0);
  empty(pair.far);
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).writable);
}

TEST_CASE("poller: the end of a stream is readable, not a hang-up") {
  Poller poller;
  open(poller);
  Pair pair;
  CHECK(!poller.add(pair.near, 1, kReadable));
  CHECK(transmit(pair.far, "bye", 3).bytes == 3);
  shutdown_sending(pair.far);
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).readable);
  CHECK(!poller.event(0).hangup);
  char text[8];
  CHECK(receive(pair.near, text, sizeof text).bytes == 3);
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).readable);
  CHECK(!poller.event(0).hangup);
  CHECK(receive(pair.near, text, sizeof text).end_of_stream());
}

TEST_CASE("poller: a peer that is gone is a hang-up, after its last bytes") {
  Poller poller;
  open(poller);
  Pair pair;
  CHECK(!poller.add(pair.near, 1, kReadable | kWritable));
  CHECK(transmit(pair.far, "bye", 3).bytes == 3);
  pair.close_far();
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).readable);
  CHECK(poller.event(0).hangup);
  char text[8];
  CHECK(receive(pair.near, text, sizeof text).bytes == 3);
  CHECK(receive(pair.near, text, sizeof text).end_of_stream());
}

TEST_CASE("poller: remove() and close() both end the reports") {
  Poller poller;
  open(poller);
  Pair first, second;
  CHECK(!poller.add(first.near, 1, kReadable | kWritable));
  CHECK(!poller.add(second.near, 2, kReadable | kWritable));
  CHECK(poller.wait(kSecond) == 2);
  poller.remove(first.near);
  poller.remove(first.near);  // harmless
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 2);
  second.close_near();
  CHECK(poller.wait(0) == 0);
  CHECK(!poller.add(first.near, 3, kWritable));
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 3);
}

TEST_CASE("poller: a number that is used again is a new descriptor") {
  Poller poller;
  open(poller);
  for (uint64_t round = 1; round <= 3; round++) {
    Pair pair;  // gets the same numbers each time
    CHECK(!poller.add(pair.near, round, kReadable));
    CHECK(poller.wait(0) == 0);
    CHECK(transmit(pair.far, "x", 1).bytes == 1);
    REQUIRE(poller.wait(kSecond) == 1);
    CHECK(poller.event(0).token == round);
    CHECK(!poller.event(0).writable);
  }
}

TEST_CASE("poller: a descriptor that is not open is an error") {
  Poller poller;
  open(poller);
  int closed = -1;
  {
    Pair pair;
    closed = pair.near;
  }
  CHECK(poller.add(closed, 1, kReadable).os_code() == EBADF);
  CHECK(poller.add(-1, 1, kReadable).os_code() == EBADF);
}

TEST_CASE("poller: its own descriptor is readable when there is something to report") {
  Poller poller;
  open(poller);
  Pair pair;
  CHECK(!poller.add(pair.near, 1, kReadable));
  pollfd outer{.fd = poller.fd(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&outer, 1, 0) == 0);
  CHECK(transmit(pair.far, "x", 1).bytes == 1);
  CHECK(::poll(&outer, 1, 1000) == 1);
}

TEST_CASE("poller: a batch has kMaxBatch events at most, each descriptor once") {
  rlimit limit;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  const size_t wanted = 1100;
  if (limit.rlim_cur < 2 * wanted + 64) return;
  Poller poller;
  open(poller);
  std::vector<Pair> pairs(wanted);
  for (size_t i = 0; i < wanted; i++) CHECK(!poller.add(pairs[i].near, i, kWritable));
  std::set<uint64_t> tokens;
  for (int turn = 0; turn < 4; turn++) {
    const int count = poller.wait(kSecond);
    CHECK(count > 0);
    CHECK(count <= Poller::kMaxBatch);
    std::set<uint64_t> batch;
    for (int i = 0; i < count; i++) batch.insert(poller.event(i).token);
    CHECK(batch.size() == static_cast<size_t>(count));
    tokens.insert(batch.begin(), batch.end());
  }
  CHECK(tokens.size() == wanted);  // none starves behind the others
}

TEST_CASE("poller: a reset is a hang-up whatever the interest is") {
  Poller poller;
  open(poller);
  auto listener = listen_on({.host = "127.0.0.1"});
  REQUIRE(listener.ok());
  auto client = connect_to("127.0.0.1", local_port(*listener));
  REQUIRE(client.ok());
  CHECK(!poller.add(*listener, 1, kReadable));
  REQUIRE(poller.wait(kSecond) == 1);
  const AcceptResult accepted = accept_one(*listener);
  REQUIRE(accepted.status == AcceptStatus::ok);
  CHECK(!poller.add(accepted.fd, 2, kNoInterest));
  reset_socket(*client);
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 2);
  CHECK(poller.event(0).hangup);
  CHECK(!poller.event(0).readable);
  close_socket(accepted.fd);
  close_socket(*listener);
}

#if MARTLET_SYS_EPOLL

namespace {
int64_t seen_timeout;
int seen_calls;
void interrupt_waits() {
  syscalls.epoll_wait = [](int, epoll_event*, int, int timeout) {
    seen_timeout = timeout;
    seen_calls++;
    errno = EINTR;
    return -1;
  };
}
void refuse_to_open() {
  syscalls.epoll_create1 = [](int) {
    errno = EMFILE;
    return -1;
  };
}
// What the kernel counts in: milliseconds.
const int64_t timeouts[][2] = {{-1, -1},           {0, 0},         {1, 1},          {999'999, 1}, {1'000'000, 1},
                               {1'000'001, 2},     {kSecond, 1000}, {INT64_MAX, INT32_MAX}};
}  // namespace

#else

namespace {
int64_t seen_timeout;
int seen_calls;
void interrupt_waits() {
  syscalls.kevent = [](int, const struct kevent*, int, struct kevent*, int, const timespec* timeout) {
    seen_timeout = timeout ? timeout->tv_sec * kSecond + timeout->tv_nsec : -1;
    seen_calls++;
    errno = EINTR;
    return -1;
  };
}
void refuse_to_open() {
  syscalls.kqueue = [] {
    errno = EMFILE;
    return -1;
  };
}
// Nanoseconds, and a day at most.
const int64_t timeouts[][2] = {{-1, -1}, {0, 0}, {1, 1}, {kSecond + 1, kSecond + 1}};
}  // namespace

TEST_CASE("poller: what kqueue fails to change") {
  RestoreSyscalls restore;
  Poller poller;
  open(poller);
  Pair pair;
  static int failing;
  failing = 2;  // of the changes, the second
  syscalls.kevent = [](int queue, const struct kevent* changes, int count, struct kevent* events, int room,
                       const timespec* timeout) {
    for (int i = 0; i < count; i++) {
      if (--failing == 0) {
        errno = ENOMEM;
        return -1;
      }
      const int code = ::kevent(queue, changes + i, 1, nullptr, 0, nullptr);
      if (code < 0) return code;
    }
    return count ? 0 : ::kevent(queue, nullptr, 0, events, room, timeout);
  };
  CHECK(poller.add(pair.near, 1, kReadable | kWritable).os_code() == ENOMEM);
  CHECK(transmit(pair.far, "x", 1).bytes == 1);
  CHECK(poller.wait(0) == 0);  // the first is taken back
  CHECK(!poller.add(pair.near, 2, kReadable | kWritable));
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 2);
}

TEST_CASE("poller: a kqueue that waits for longer than a day may be early") {
  RestoreSyscalls restore;
  Poller poller;
  open(poller);
  interrupt_waits();
  CHECK(poller.wait(INT64_MAX) == 0);
  CHECK(seen_timeout >= 86400 * kSecond);
  CHECK(seen_timeout < 86401 * kSecond);
}

#endif

TEST_CASE("poller: timeouts are rounded up, and a signal is no event") {
  RestoreSyscalls restore;
  Poller poller;
  open(poller);
  interrupt_waits();
  for (const auto& [asked, told] : timeouts) {
    seen_calls = 0;
    CHECK(poller.wait(asked) == 0);
    CHECK(seen_timeout == told);
    CHECK(seen_calls == 1);
  }
}

TEST_CASE("poller: failing to open leaves nothing behind") {
  RestoreSyscalls restore;
  refuse_to_open();
  Poller poller;
  CHECK(poller.open().os_code() == EMFILE);
  CHECK(poller.fd() == -1);
}

TEST_CASE("poller: room to write is not reported to one who did not ask, a hang-up is") {
  Poller poller;
  open(poller);
  Pair pair;
  fill(pair.near);
  CHECK(!poller.add(pair.near, 1, kNoInterest));
  empty(pair.far);
  CHECK(poller.wait(0) == 0);
  for (const uint8_t interest : {kWritable, kReadable, kNoInterest}) {  // the ways into and out of no interest
    CHECK(!poller.modify(pair.near, 2, interest));
    const int events = poller.wait(0);
    CHECK(events == (interest == kWritable));
    CHECK(!poller.modify(pair.near, 3, kNoInterest));
    CHECK(poller.wait(0) == 0);
  }
  pair.close_far();
  REQUIRE(poller.wait(kSecond) == 1);
  CHECK(poller.event(0).token == 3);
  CHECK(poller.event(0).hangup);
  CHECK(!poller.event(0).writable);
}
