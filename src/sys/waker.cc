// The two kinds of waker of waker.h. They differ in how the descriptors are made only: an eventfd is a pipe whose
// both ends are one descriptor, and eight bytes are what an eventfd wants and what a pipe does not mind.
//
// A full pipe or counter is a waker that is readable already, so the result of the write is of no interest.
#include "sys/waker.h"

#include "sys/platform.h"

#if MARTLET_SYS_EPOLL
#include <sys/eventfd.h>
#endif

#include <cerrno>
#include <cstdint>

#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

#if MARTLET_SYS_EPOLL

Error open_ends(int* ends) noexcept {
  ends[0] = ends[1] = syscalls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return ends[0] < 0 ? Error("eventfd", errno) : Error();
}

#else

Error open_ends(int* ends) noexcept {
  if (syscalls.pipe(ends) < 0) return Error("pipe", errno);
  if (syscalls.set_flags(ends[0]) == 0 && syscalls.set_flags(ends[1]) == 0) return {};
  const int code = errno;
  syscalls.close(ends[0]);
  syscalls.close(ends[1]);
  return Error("pipe flags", code);
}

#endif

}  // namespace

Waker::~Waker() {
  if (read_fd_ >= 0) syscalls.close(read_fd_);
  if (write_fd_ >= 0 && write_fd_ != read_fd_) syscalls.close(write_fd_);
}

Error Waker::open() noexcept {
  MARTLET_CHECK(read_fd_ < 0);
  int ends[2] = {-1, -1};
  if (Error error = open_ends(ends)) return error;
  read_fd_ = ends[0];
  write_fd_ = ends[1];
  return {};
}

void Waker::wake() noexcept {
  const uint64_t one = 1;
  while (syscalls.write(write_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Waker::drain() noexcept {
  uint64_t taken[64];
  for (;;) {
    const ssize_t got = syscalls.read(read_fd_, taken, sizeof taken);
    if (got < 0 && errno == EINTR) continue;
    if (got < static_cast<ssize_t>(sizeof taken)) return;  // an eventfd gives 8 bytes and is empty then
  }
}

}  // namespace martlet::sys
