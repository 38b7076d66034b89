// The emulation of kqueue against the manual page: the filters, a case for each sentence on what they report.
#include <sys/event.h>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>

#include "support/kqueue_on_linux/kevents.h"

using namespace kqueue_test;
using std::chrono::milliseconds;

namespace {

bool at_end(const Event& event) { return (event.flags & EV_EOF) != 0; }

// Fetches the one event there is until it is as wanted: over TCP, what was sent may take a moment.
template <typename F>
Event until(const Queue& queue, F wanted) {
  const auto deadline = Clock::now() + milliseconds(10'000);
  Event event = queue.one();
  while (!wanted(event) && Clock::now() < deadline) event = queue.one();
  CHECK(wanted(event));
  return event;
}

int64_t send_buffer(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  REQUIRE(::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0);
  return size;
}

class Fifo {
 public:
  Fifo() {
    REQUIRE(::mkdtemp(folder_) != nullptr);
    REQUIRE(::mkfifo(path().c_str(), 0600) == 0);
  }
  ~Fifo() {
    ::unlink(path().c_str());
    ::rmdir(folder_);
  }
  std::string path() const { return std::string(folder_) + "/fifo"; }

 private:
  char folder_[32] = "/tmp/martlet-test-XXXXXX";
};

}  // namespace

// EVFILT_READ ---------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: a listener is reported with the number of connections that wait") {
  const Queue queue;
  const Listener listener;
  CHECK(queue.change(listener.fd, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.none());
  Descriptor clients[3];
  for (int i = 0; i < 3; i++) {
    listener.connect(clients[i]);
    until(queue, [&](const Event& event) { return event.data == i + 1; });
  }
  for (int left = 2; left >= 0; left--) {
    const Descriptor accepted(::accept(listener.fd, nullptr, nullptr));
    if (left > 0) CHECK(queue.one().data == left);
  }
  CHECK(queue.none());
}

TEST_CASE("kqueue: a socket is reported with the number of bytes to read") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  put(pair.far, 100);
  CHECK(queue.one().data == 100);
  get(pair.near, 30);
  put(pair.far, 7);
  CHECK(queue.one().data == 77);
  const Tcp tcp;
  const Queue other;
  CHECK(other.change(tcp.near, EVFILT_READ, EV_ADD) == 0);
  put(tcp.far, 1000);
  CHECK(until(other, [](const Event& event) { return event.data == 1000; }).flags == 0);
}

TEST_CASE("kqueue: reading is subject to SO_RCVLOWAT") {
  const Queue queue;
  const Tcp tcp;
  const int mark = 10;
  REQUIRE(::setsockopt(tcp.near, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark) == 0);
  CHECK(queue.change(tcp.near, EVFILT_READ, EV_ADD) == 0);
  put(tcp.far, 9);
  CHECK(queue.none());
  put(tcp.far, 1);
  CHECK(queue.one().data == 10);
}

TEST_CASE("kqueue: NOTE_LOWAT is the least number of bytes that is reported, for as long as they are there") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, NOTE_LOWAT, 5) == 0);
  put(pair.far, 4);
  CHECK(queue.none());
  put(pair.far, 2);
  CHECK(queue.one().data == 6);
  CHECK(queue.one().data == 6);
  get(pair.near, 2);
  CHECK(queue.none());
  put(pair.far, 1);
  CHECK(queue.one().data == 5);
  REQUIRE(::shutdown(pair.far, SHUT_WR) == 0);
  get(pair.near, 4);
  CHECK(at_end(queue.one()));  // the end is reported whatever the mark
}

TEST_CASE("kqueue: EV_EOF comes with what is still to be read, and stays") {
  const Queue queue;
  Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  put(pair.far, 3);
  CHECK(!at_end(queue.one()));
  pair.far.close();
  for (const int64_t left : {3, 2, 1, 0}) {
    const Event event = queue.one();
    CHECK(at_end(event));
    CHECK(event.data == left);
    CHECK(event.fflags == 0);  // an orderly end
    if (left > 0) get(pair.near, 1);
  }
  CHECK(at_end(queue.one()));
}

TEST_CASE("kqueue: EV_EOF is for a reading direction that has ended, by either side") {
  for (const bool by_peer : {true, false}) {
    const Queue queue;
    const Tcp tcp;
    CHECK(queue.change(tcp.near, EVFILT_READ, EV_ADD) == 0);
    CHECK(queue.none());
    REQUIRE(::shutdown(by_peer ? tcp.far : tcp.near, by_peer ? SHUT_WR : SHUT_RD) == 0);
    const Event event = queue.one();
    CHECK(at_end(event));
    CHECK(event.data == 0);
    CHECK(event.fflags == 0);
    CHECK(queue.change(tcp.near, EVFILT_READ, EV_DELETE) == 0);
    CHECK(queue.change(tcp.near, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(!at_end(queue.one()));  // the other direction goes on
  }
}

TEST_CASE("kqueue: EV_EOF has the error of the socket in fflags, which is left for the next read") {
  for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}}) {
    const Queue queue;
    Tcp tcp;
    tcp.reset_far();
    CHECK(queue.change(tcp.near, filter, EV_ADD) == 0);
    const Event event = until(queue, at_end);
    CHECK(event.fflags == ECONNRESET);
    CHECK(queue.one().fflags == ECONNRESET);
    char byte;
    CHECK(::recv(tcp.near, &byte, 1, 0) == -1);
    CHECK(errno == ECONNRESET);
    const Event later = queue.one();
    CHECK(at_end(later));
    CHECK(later.fflags == 0);
  }
}

TEST_CASE("kqueue: EV_CLEAR reports an end once") {
  const Queue queue;
  Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  pair.far.close();
  CHECK(at_end(queue.one()));
  CHECK(queue.none());
}

TEST_CASE("kqueue: a pipe is reported with its bytes, and its end when the last writer is gone") {
  const Queue queue;
  Pipe pipe;
  Descriptor second(::dup(pipe.in));
  CHECK(queue.change(pipe.out, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.none());
  put(pipe.in, 11);
  CHECK(queue.one().data == 11);
  pipe.in.close();
  CHECK(!at_end(queue.one()));
  second.close();
  const Event event = queue.one();
  CHECK(at_end(event));
  CHECK(event.data == 11);
  CHECK(event.fflags == 0);
}

TEST_CASE("kqueue: the end of a fifo is over when a new writer comes") {
  const Queue queue;
  const Fifo fifo;
  const Descriptor reader(::open(fifo.path().c_str(), O_RDONLY | O_NONBLOCK));
  CHECK(queue.change(reader, EVFILT_READ, EV_ADD) == 0);
  Descriptor first(::open(fifo.path().c_str(), O_WRONLY));
  CHECK(queue.none());
  first.close();
  CHECK(at_end(queue.one()));
  const Descriptor second(::open(fifo.path().c_str(), O_WRONLY));
  CHECK(queue.none());
  put(second, 4);
  const Event event = queue.one();
  CHECK(!at_end(event));
  CHECK(event.data == 4);
}

// EVFILT_WRITE --------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: a socket that can be written to is reported with the room in its buffer") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_ADD) == 0);
  CHECK(queue.one().data == send_buffer(pair.near));
  put(pair.near, 10'000);
  const int64_t left = queue.one().data;
  CHECK(left <= send_buffer(pair.near) - 10'000);
  CHECK(left > 0);
  fill(pair.near);
  CHECK(queue.none());
  char block[65536];
  while (::read(pair.far, block, sizeof block) > 0) {
  }
  CHECK(queue.one().data == send_buffer(pair.near));
}

TEST_CASE("kqueue: a pipe that can be written to is reported with the room in it") {
  const Queue queue;
  const Pipe pipe;
  REQUIRE(::fcntl(pipe.in, F_SETFL, O_NONBLOCK) == 0);
  const int size = ::fcntl(pipe.in, F_GETPIPE_SZ);
  CHECK(queue.change(pipe.in, EVFILT_WRITE, EV_ADD) == 0);
  CHECK(queue.one().data == size);
  put(pipe.in, 1000);
  CHECK(queue.one().data == size - 1000);
  fill(pipe.in);
  CHECK(queue.none());
  get(pipe.out, 5000);
  CHECK(queue.one().data > 0);
}

TEST_CASE("kqueue: EV_EOF on writing when the reader is gone") {
  Pair pair;
  Pipe pipe;
  for (const bool piped : {true, false}) {
    const Queue queue;
    Descriptor& reader = piped ? pipe.out : pair.far;
    CHECK(queue.change(piped ? pipe.in : pair.near, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(!at_end(queue.one()));
    reader.close();
    CHECK(at_end(queue.one()));
    CHECK(at_end(queue.one()));
  }
}

TEST_CASE("kqueue: EV_EOF on writing after a shutdown of that direction, not on reading") {
  const Pair pair;
  const Tcp tcp;
  for (const int fd : {int{pair.near}, int{tcp.near}}) {
    const Queue queue;
    CHECK(queue.change(fd, EVFILT_WRITE, EV_ADD) == 0);
    CHECK(!at_end(queue.one()));
    REQUIRE(::shutdown(fd, SHUT_WR) == 0);
    CHECK(at_end(until(queue, at_end)));
    CHECK(queue.change(fd, EVFILT_WRITE, EV_DELETE) == 0);
    CHECK(queue.change(fd, EVFILT_READ, EV_ADD) == 0);
    CHECK(queue.none());
  }
}

TEST_CASE("kqueue: a mark that no buffer reaches leaves the end alone to be reported") {
  for (const bool over_tcp : {true, false}) {
    const Queue queue;
    Pair pair;
    Tcp tcp;
    const int near = over_tcp ? tcp.near : pair.near;
    CHECK(queue.change(near, EVFILT_WRITE, EV_ADD | EV_CLEAR, NOTE_LOWAT, 0x7fffffff) == 0);
    CHECK(queue.none());
    put(over_tcp ? tcp.far : pair.far, 10);
    put(near, 10);
    CHECK(queue.none());
    if (over_tcp) {
      tcp.reset_far();
    } else {
      pair.far.close();
    }
    const Event event = queue.one();
    CHECK(at_end(event));
    CHECK(event.filter == EVFILT_WRITE);
    CHECK(event.fflags == ECONNRESET);  // there were bytes that nobody has read
  }
}

TEST_CASE("kqueue: writing to files is not supported") {
  const Queue queue;
  const Descriptor file(::open("/tmp", O_RDWR | O_TMPFILE, 0600));
  CHECK(queue.change(file, EVFILT_WRITE, EV_ADD) == EINVAL);
  CHECK(queue.change(file, EVFILT_WRITE, EV_DELETE) == ENOENT);
}

// EVFILT_USER ---------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: a user event is reported when it is triggered") {
  const Queue queue;
  int target;
  CHECK(queue.change(77, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, &target) == 0);
  CHECK(queue.none());
  for (int round = 0; round < 2; round++) {
    CHECK(queue.change(77, EVFILT_USER, 0, NOTE_TRIGGER, 5 + round, &target) == 0);
    CHECK(queue.change(77, EVFILT_USER, 0, NOTE_TRIGGER, 5 + round, &target) == 0);  // twice is one event
    const Event event = queue.one();
    CHECK(event.ident == 77);
    CHECK(event.filter == EVFILT_USER);
    CHECK(event.data == 5 + round);
    CHECK(event.udata == &target);
    CHECK(queue.none());
  }
}

TEST_CASE("kqueue: without EV_CLEAR a user event stays triggered") {
  const Queue queue;
  CHECK(queue.change(77, EVFILT_USER, EV_ADD) == 0);
  CHECK(queue.change(77, EVFILT_USER, 0, NOTE_TRIGGER) == 0);
  CHECK(queue.one().ident == 77);
  CHECK(queue.one().ident == 77);
  CHECK(queue.change(77, EVFILT_USER, EV_DELETE) == 0);
  CHECK(queue.none());
  CHECK(queue.change(77, EVFILT_USER, EV_ADD) == 0);
  CHECK(queue.none());
}

TEST_CASE("kqueue: the lower 24 bits of fflags are the user's, ignored, and-ed, or-ed or copied") {
  const Queue queue;
  CHECK(queue.change(77, EVFILT_USER, EV_ADD | EV_CLEAR) == 0);
  const unsigned steps[][3] = {{NOTE_FFCOPY, 0xf0f0f0, 0xf0f0f0}, {NOTE_FFNOP, 0x123456, 0xf0f0f0}, {NOTE_FFOR, 0x00000f, 0xf0f0ff},
                               {NOTE_FFAND, 0x00ffff, 0x00f0ff},  {NOTE_FFCOPY, 0x000001, 0x000001}};
  for (const auto& [operation, given, expected] : steps) {
    CHECK(queue.change(77, EVFILT_USER, 0, NOTE_TRIGGER | operation | given) == 0);
    CHECK(queue.one().fflags == expected);
  }
}

// EVFILT_TIMER --------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: a timer is periodic, in milliseconds, and reports how often it has expired since") {
  const Queue queue, clock;
  const auto begin = Clock::now();
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD, 0, 2) == 0);
  const Event first = queue.one();
  CHECK(Clock::now() - begin >= milliseconds(2));
  CHECK(first.ident == 1);
  CHECK(first.data >= 1);
  CHECK((first.flags & EV_CLEAR) != 0);  // set by the filter
  CHECK(clock.take(ms(20)).empty());
  CHECK(queue.one().data >= 9);
  CHECK(queue.change(1, EVFILT_TIMER, EV_DELETE) == 0);
  CHECK(clock.take(ms(4)).empty());
  CHECK(queue.none());
}

TEST_CASE("kqueue: a timer with EV_ONESHOT expires once") {
  const Queue queue;
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 1) == 0);
  CHECK(queue.one().data == 1);
  CHECK(queue.take(ms(4)).empty());
  CHECK(queue.change(1, EVFILT_TIMER, EV_DELETE) == ENOENT);
}

TEST_CASE("kqueue: a timer counts in the unit of its fflags") {
  const Queue queue;
  const struct {
    unsigned unit;
    int64_t count;
  } all[] = {{NOTE_MSECONDS, 20}, {NOTE_USECONDS, 20'000}, {NOTE_NSECONDS, 20'000'000}};
  for (const auto& [unit, count] : all) {
    const auto begin = Clock::now();
    CHECK(queue.change(1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, unit, count) == 0);
    CHECK(queue.one().data == 1);  // within the patience of one()
    CHECK(Clock::now() - begin >= milliseconds(20));
  }
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 10) == 0);
  CHECK(queue.take(ms(30)).empty());
}

TEST_CASE("kqueue: a periodic timer of 0 has one of its units, and a negative one is refused") {
  const Queue queue;
  const auto begin = Clock::now();
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD, 0, 0) == 0);
  (void)queue.one();
  CHECK(Clock::now() - begin >= milliseconds(1));
  CHECK(queue.change(2, EVFILT_TIMER, EV_ADD, 0, -1) == EINVAL);
  CHECK(queue.change(2, EVFILT_TIMER, EV_DELETE) == ENOENT);
}

TEST_CASE("kqueue: adding a timer anew throws away what has expired") {
  const Queue queue, clock;
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD, 0, 1) == 0);
  CHECK(clock.take(ms(5)).empty());
  CHECK(queue.readable());
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 3600) == 0);
  CHECK(queue.none());
}

TEST_CASE("kqueue: a timer that is disabled goes on counting") {
  const Queue queue, clock;
  CHECK(queue.change(1, EVFILT_TIMER, EV_ADD | EV_DISABLE, 0, 1) == 0);
  CHECK(clock.take(ms(20)).empty());
  CHECK(queue.none());
  CHECK(queue.change(1, EVFILT_TIMER, EV_ENABLE) == 0);
  CHECK(queue.one().data >= 19);
}
