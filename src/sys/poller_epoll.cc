// The Linux backend of poller.h.
//
// Level-triggered epoll with the owner's token as its user data. The kernel reports each descriptor once, so the
// work of a batch is one pass that turns event bits into three booleans, without a branch per event.
// EPOLLRDHUP is never registered: a peer that has shut its sending side is seen as EPOLLIN and a read of 0 bytes.
// The worker's thread.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL

#include "sys/poller.h"

#include <sys/epoll.h>

#include <cerrno>
#include <climits>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;

epoll_event describe(uint64_t token, uint8_t interest) noexcept {
  epoll_event event{};
  event.events = (interest & kReadable ? uint32_t{EPOLLIN} : 0) | (interest & kWritable ? uint32_t{EPOLLOUT} : 0);
  event.data.u64 = token;
  return event;
}

// Rounded up: a timer that is due in 0.3 ms must not be found "not yet due" in a busy loop.
int to_epoll_timeout(int64_t timeout_ns) noexcept {
  if (timeout_ns < 0) return -1;
  const int64_t ms = timeout_ns / kNsPerMs + (timeout_ns % kNsPerMs != 0);
  return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
}

}  // namespace

Poller::~Poller() {
  close();
  base::deallocate(scratch_);
  base::deallocate(events_);
}

void Poller::close() noexcept {
  if (fd_ >= 0) syscalls.close(fd_);
  fd_ = -1;
}

Error Poller::open() noexcept {
  MARTLET_CHECK(fd_ < 0);
  if (!scratch_) scratch_ = base::allocate(sizeof(epoll_event) * kMaxBatch);
  if (!events_) events_ = static_cast<PollEvent*>(base::allocate(sizeof(PollEvent) * kMaxBatch));
  if (!scratch_ || !events_) return Error("poller", ENOMEM);
  fd_ = syscalls.epoll_create1(EPOLL_CLOEXEC);
  return fd_ < 0 ? Error("epoll_create1", errno) : Error();
}

Error Poller::add(int fd, uint64_t token, uint8_t interest) noexcept {
  epoll_event event = describe(token, interest);
  return syscalls.epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) < 0 ? Error("epoll_ctl add", errno) : Error();
}

Error Poller::modify(int fd, uint64_t token, uint8_t interest) noexcept {
  epoll_event event = describe(token, interest);
  return syscalls.epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) < 0 ? Error("epoll_ctl modify", errno) : Error();
}

void Poller::remove(int fd) noexcept {
  epoll_event unused{};  // kernels before 2.6.9 wanted one
  (void)syscalls.epoll_ctl(fd_, EPOLL_CTL_DEL, fd, &unused);
}

int Poller::wait(int64_t timeout_ns) noexcept {
  const auto* raw = static_cast<const epoll_event*>(scratch_);
  const int count =
      syscalls.epoll_wait(fd_, static_cast<epoll_event*>(scratch_), kMaxBatch, to_epoll_timeout(timeout_ns));
  if (count < 0) {
    // Anything but a signal is a descriptor that somebody else closed; going on would spin for ever.
    MARTLET_CHECK(errno == EINTR);
    return 0;
  }
  for (int i = 0; i < count; i++) {
    const uint32_t bits = raw[i].events;
    events_[i] = {.token = raw[i].data.u64,
                  .readable = (bits & EPOLLIN) != 0,
                  .writable = (bits & EPOLLOUT) != 0,
                  .hangup = (bits & (EPOLLERR | EPOLLHUP)) != 0};
  }
  return count;
}

const char* Poller::name() noexcept { return "epoll"; }

}  // namespace martlet::sys

#endif  // MARTLET_SYS_EPOLL
