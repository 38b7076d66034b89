// What the tests of the emulation share: a queue, its changes one at a time and its events, and things to watch.
#pragma once

#include <sys/event.h>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace kqueue_test {

using Clock = std::chrono::steady_clock;
using Event = struct kevent;

inline constexpr timespec kNow{0, 0};
inline constexpr timespec kPatience{10, 0};  // for what must come: a slow machine is no failure

constexpr timespec ms(long count) { return {count / 1000, count % 1000 * 1'000'000}; }

inline Event change_of(int ident, short filter, unsigned flags, unsigned fflags = 0, int64_t data = 0, void* udata = nullptr) {
  Event change;
  EV_SET(&change, ident, filter, flags, fflags, data, udata);
  return change;
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) { REQUIRE(fd_ >= 0); }
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void hold(int fd) { fd_ = fd; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  operator int() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Queue {
  Descriptor fd{::kqueue()};

  // 0, or the errno value of a change for whose answer there is no room.
  int change(const Event& change) const { return ::kevent(fd, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : errno; }
  int change(int ident, short filter, unsigned flags, unsigned fflags = 0, int64_t data = 0, void* udata = nullptr) const {
    return change(change_of(ident, filter, flags, fflags, data, udata));
  }
  // What is there, or comes within the time.
  std::vector<Event> take(timespec timeout = kNow, size_t room = 8) const {
    std::vector<Event> events(room);
    const int count = ::kevent(fd, nullptr, 0, events.data(), static_cast<int>(room), &timeout);
    REQUIRE(count >= 0);
    events.resize(static_cast<size_t>(count));
    return events;
  }
  // The one event that there is, or comes.
  Event one() const {
    const auto events = take(kPatience);
    REQUIRE(events.size() == 1);
    return events[0];
  }
  bool none() const { return take().empty(); }
  bool readable() const {
    pollfd outer{fd, POLLIN, 0};
    return ::poll(&outer, 1, 0) == 1;
  }
};

inline void put(int fd, size_t bytes) {
  const std::string text(bytes, 'x');
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(bytes));
}

inline void get(int fd, size_t bytes) {
  std::string text(bytes, '\0');
  REQUIRE(::read(fd, text.data(), text.size()) == static_cast<ssize_t>(bytes));
}

// Until nothing more goes in. The descriptor must be non-blocking.
inline void fill(int fd) {
  static const char block[65536] = {};
  while (::write(fd, block, sizeof block) > 0) {
  }
}

// Two connected stream sockets of the Unix domain, where bytes are there as soon as they are sent.
struct Pair {
  Descriptor near, far;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    near.hold(ends[0]);
    far.hold(ends[1]);
  }
};

struct Pipe {
  Descriptor out, in;  // to read from, to write into
  Pipe() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    out.hold(ends[0]);
    in.hold(ends[1]);
  }
};

// A listening socket on a free port of the loopback, and connections to it.
struct Listener {
  Descriptor fd{::socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};

  Listener() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd, 16) == 0);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  }
  void connect(Descriptor& client) const {
    client.hold(::socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
};

struct Tcp {
  Descriptor near, far;
  Tcp() {
    const Listener listener;
    listener.connect(near);
    far.hold(::accept(listener.fd, nullptr, nullptr));
    REQUIRE(far >= 0);
  }
  // Ends the connection by a reset instead of a FIN.
  void reset_far() {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(far, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    far.close();
  }
};

}  // namespace kqueue_test
