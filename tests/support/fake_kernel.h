// A kernel of our own behind the syscall table, for tests that decide what the network does: which bytes have come, how
// many one read gives, how much a peer takes, when time passes, which call fails. Linux's calls; no real descriptor is
// made. One at a time, one thread.
//
// Peers are numbered by the test. A peer's connection becomes a socket of the server's when the server accepts it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "sys/syscalls.h"

namespace martlet::test {

struct FakePeer {
  std::string sends;              // on their way to the server
  std::string got;                // what the server has sent
  size_t takes = SIZE_MAX;        // how many bytes more it takes
  size_t piece = SIZE_MAX;        // at most so many in one read or write
  bool ended = false;             // its direction is closed
  bool reset = false;             // the connection is broken: nothing more can be read or written
  bool hung_up = false;           // nothing more can be written; what it has sent can be read
  bool server_ended = false;      // the server's direction is closed
  bool closed = false;            // by the server
};

class FakeKernel {
 public:
  FakeKernel() : before_(sys::syscalls) {
    if (here) std::abort();
    here = this;
    replace();
  }
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;
  ~FakeKernel() {
    sys::syscalls = before_;
    here = nullptr;
  }

  // A peer connects to the first thing that listens, or to another. It stays here until forget(); its bytes may be given at once.
  FakePeer& connect(int number, size_t listener = 0) {
    FakePeer& peer = peers_[number] = FakePeer();
    listeners_[listener].waiting.push_back(number);
    return peer;
  }
  FakePeer* find(int number) {
    const auto found = peers_.find(number);
    return found == peers_.end() ? nullptr : &found->second;
  }
  // Everybody breaks the connection, accepted or not.
  void reset_all() {
    for (auto& [number, peer] : peers_) peer.reset = true;
    for (Listener& listener : listeners_) listener.waiting.clear();
  }
  void forget_all() { peers_.clear(); }
  std::map<int, FakePeer>& peers() { return peers_; }

  void advance_ms(uint64_t ms) { now_ns_ += ms * 1'000'000; }
  uint64_t now_ms() const { return now_ns_ / 1'000'000; }
  // A wait that may wait and finds nothing takes its time, and so much more.
  void oversleep_ms(uint64_t ms) { late_ms_ = ms; }

  // The nth call from now on (0: the next) that can fail does, with this errno; 0: none.
  void fail_call(int n, int error) {
    fail_in_ = n;
    fail_with_ = error;
  }
  bool failed() const { return fail_with_ == 0; }
  // Every second call that moves bytes or accepts finds nothing to do, from now on.
  void hesitate(bool on) { hesitates_ = on; }
  // The last wait found nothing but perhaps the waker, and no byte has moved since: it takes time to bring more.
  bool idle() const { return idle_; }
  bool listening() const {
    return std::any_of(std::begin(listeners_), std::end(listeners_), [](const Listener& l) { return l.fd != -1; });
  }

  size_t open_descriptors() const { return open_.size(); }
  size_t open_sockets() const { return sockets_.size(); }

 private:
  struct Watch {
    uint64_t token;
    uint32_t events;
  };
  struct Listener {
    int fd = -1;
    std::deque<int> waiting = {};  // peers that are not accepted yet
  };
  static constexpr int kFirst = 1'000'000;  // descriptors that no real one has

  // Which call it is does not matter: what each does with an error is what is tested.
  bool fails() {
    if (fail_with_ == 0 || fail_in_-- > 0) return false;
    errno = fail_with_;
    fail_with_ = 0;
    return true;
  }
  bool hesitates() { return hesitates_ && (hesitated_ = !hesitated_); }
  int fresh() {
    open_.insert(next_);
    return next_++;
  }
  FakePeer* peer_of(int fd) {
    const auto found = sockets_.find(fd);
    return found == sockets_.end() ? nullptr : find(found->second);
  }

  Listener* listener_of(int fd) {
    Listener* const found = std::find_if(std::begin(listeners_), std::end(listeners_), [fd](const Listener& l) { return l.fd == fd; });
    return found == std::end(listeners_) ? nullptr : found;
  }

  static ssize_t refuse(int error) {
    errno = error;
    return -1;
  }

  ssize_t take(int fd, const iovec* pieces, int count) {
    if (fails()) return -1;
    FakePeer* peer = peer_of(fd);
    if (!peer || peer->reset) return refuse(ECONNRESET);
    if (hesitates()) return refuse(EAGAIN);
    if (peer->sends.empty()) return peer->ended ? 0 : refuse(EAGAIN);
    size_t left = peer->sends.size() < peer->piece ? peer->sends.size() : peer->piece;
    size_t taken = 0;
    for (int i = 0; i < count && left; i++) {
      const size_t here_now = left < pieces[i].iov_len ? left : pieces[i].iov_len;
      std::memcpy(pieces[i].iov_base, peer->sends.data() + taken, here_now);
      taken += here_now;
      left -= here_now;
    }
    idle_ = false;
    peer->sends.erase(0, taken);
    return static_cast<ssize_t>(taken);
  }

  ssize_t give(int fd, const iovec* pieces, int count) {
    if (fails()) return -1;
    FakePeer* peer = peer_of(fd);
    if (!peer || peer->reset || peer->hung_up || peer->server_ended) return refuse(EPIPE);
    if (hesitates()) return refuse(EAGAIN);
    size_t room = peer->takes < peer->piece ? peer->takes : peer->piece;
    if (room == 0) return refuse(EAGAIN);
    size_t given = 0;
    for (int i = 0; i < count && room; i++) {
      const size_t here_now = room < pieces[i].iov_len ? room : pieces[i].iov_len;
      peer->got.append(static_cast<const char*>(pieces[i].iov_base), here_now);
      given += here_now;
      room -= here_now;
    }
    idle_ = false;
    if (peer->takes != SIZE_MAX) peer->takes -= given;
    return static_cast<ssize_t>(given);
  }

  uint32_t events_of(int fd) {
    if (const Listener* listener = listener_of(fd)) return listener->waiting.empty() ? 0 : uint32_t{EPOLLIN};
    if (const auto counter = counters_.find(fd); counter != counters_.end()) return counter->second ? uint32_t{EPOLLIN} : 0;
    const FakePeer* peer = peer_of(fd);
    if (!peer) return 0;
    if (peer->reset) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP;
    uint32_t events = 0;
    if (!peer->sends.empty() || peer->ended) events |= EPOLLIN;
    if (peer->takes > 0) events |= EPOLLOUT;
    if (peer->ended && peer->server_ended) events |= EPOLLHUP;
    if (peer->hung_up) events |= EPOLLOUT | EPOLLERR | EPOLLHUP;
    return events;
  }

  int wait(epoll_event* events, int most) {
    idle_ = false;
    if (fails()) {
      errno = EINTR;  // the one error that a wait may have
      return -1;
    }
    int count = 0;
    idle_ = true;
    for (auto& [fd, watch] : watches_) {
      const uint32_t ready = events_of(fd) & (watch.events | EPOLLERR | EPOLLHUP);
      if (!ready || count == most) continue;
      events[count].events = ready;
      events[count++].data.u64 = watch.token;
      idle_ = idle_ && counters_.count(fd);
    }
    return count;
  }

  int control(int operation, int fd, const epoll_event* event) {
    // Taking off the list cannot fail, and the others do not wait.
    const bool may_fail = operation != EPOLL_CTL_DEL && fail_with_ != EINTR && fail_with_ != EAGAIN;
    if (may_fail && fails()) return -1;
    if (!open_.count(fd)) return static_cast<int>(refuse(EBADF));
    if (operation == EPOLL_CTL_DEL) return watches_.erase(fd) ? 0 : static_cast<int>(refuse(ENOENT));
    watches_[fd] = {event->data.u64, event->events};
    return 0;
  }

  int accept(int listening) {
    if (fails()) return -1;
    Listener* listener = listener_of(listening);
    if (!listener || listener->waiting.empty() || hesitates()) return static_cast<int>(refuse(EAGAIN));
    const int fd = fresh();
    sockets_[fd] = listener->waiting.front();
    listener->waiting.pop_front();
    return fd;
  }

  int close(int fd) {
    if (!open_.erase(fd)) std::abort();  // closed twice, or never opened
    if (FakePeer* peer = peer_of(fd)) peer->closed = true;
    sockets_.erase(fd);
    watches_.erase(fd);
    counters_.erase(fd);
    if (Listener* listener = listener_of(fd)) listener->fd = -1;
    return 0;
  }

  static int name(sockaddr* to, socklen_t* size) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9001);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(to, &address, *size < sizeof address ? *size : sizeof address);
    *size = sizeof address;
    return 0;
  }

  void replace() {
    sys::Syscalls& s = sys::syscalls;
    s.recv = [](int fd, void* to, size_t size, int) {
      const iovec piece{to, size};
      return here->take(fd, &piece, 1);
    };
    s.readv = [](int fd, const iovec* pieces, int count) { return here->take(fd, pieces, count); };
    s.send = [](int fd, const void* from, size_t size, int) {
      const iovec piece{const_cast<void*>(from), size};
      return here->give(fd, &piece, 1);
    };
    s.sendmsg = [](int fd, const msghdr* message, int) {
      return here->give(fd, message->msg_iov, static_cast<int>(message->msg_iovlen));
    };
    s.read = [](int fd, void* to, size_t size) -> ssize_t {
      const uint64_t count = here->counters_[fd];
      if (count == 0) return refuse(EAGAIN);
      here->counters_[fd] = 0;
      std::memcpy(to, &count, size < sizeof count ? size : sizeof count);
      return sizeof count;
    };
    s.write = [](int fd, const void*, size_t size) {
      here->counters_[fd]++;
      return static_cast<ssize_t>(size);
    };
    s.socket = [](int, int, int) { return here->fails() ? -1 : here->fresh(); };
    s.bind = [](int, const sockaddr*, socklen_t) { return here->fails() ? -1 : 0; };
    s.listen = [](int fd, int) {
      if (here->fails()) return -1;
      Listener* free = here->listener_of(-1);
      if (!free) std::abort();
      free->fd = fd;
      return 0;
    };
    s.setsockopt = [](int, int, int, const void*, socklen_t) { return 0; };
    s.getsockopt = [](int, int, int, void*, socklen_t*) { return 0; };
    s.getsockname = [](int, sockaddr* to, socklen_t* size) { return name(to, size); };
    s.getpeername = [](int, sockaddr* to, socklen_t* size) { return name(to, size); };
    s.shutdown = [](int fd, int) {
      if (FakePeer* peer = here->peer_of(fd)) peer->server_ended = true;
      return 0;
    };
    s.close = [](int fd) { return here->close(fd); };
    s.clock_gettime = [](clockid_t, timespec* time) {
      *time = {static_cast<time_t>(here->now_ns_ / 1'000'000'000), static_cast<long>(here->now_ns_ % 1'000'000'000)};
      return 0;
    };
    s.accept4 = [](int fd, sockaddr*, socklen_t*, int) { return here->accept(fd); };
    s.epoll_create1 = [](int) { return here->fails() ? -1 : here->fresh(); };
    s.epoll_ctl = [](int, int operation, int fd, epoll_event* event) { return here->control(operation, fd, event); };
    s.epoll_wait = [](int, epoll_event* events, int most, int timeout_ms) {
      const int count = here->wait(events, most);
      if (count == 0 && timeout_ms > 0) here->advance_ms(static_cast<uint64_t>(timeout_ms) + here->late_ms_);
      return count;
    };
    s.eventfd = [](unsigned, int) {
      if (here->fails()) return -1;
      const int fd = here->fresh();
      here->counters_[fd] = 0;
      return fd;
    };
  }

  static inline FakeKernel* here = nullptr;

  sys::Syscalls before_;
  std::map<int, FakePeer> peers_;
  Listener listeners_[2];           // in the order in which they began
  std::map<int, int> sockets_;      // descriptors to peers
  std::map<int, Watch> watches_;
  std::map<int, uint64_t> counters_;  // of eventfds
  std::set<int> open_;
  int next_ = kFirst;
  int fail_in_ = 0;
  int fail_with_ = 0;
  bool hesitates_ = false;
  bool hesitated_ = false;
  bool idle_ = false;
  uint64_t now_ns_ = 1'000'000'000;
  uint64_t late_ms_ = 0;
};

}  // namespace martlet::test
