// Wakes a worker that sleeps in its poller: an eventfd on Linux, a pipe elsewhere (OpenBSD has no EVFILT_USER).
// wake() from any thread; the rest on the worker's.
#pragma once

#include <martlet/error.h>

namespace martlet::sys {

class Waker {
 public:
  Waker() noexcept = default;
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  Error open() noexcept;
  int fd() const noexcept { return read_fd_; }  // becomes readable after wake()
  void wake() noexcept;
  void drain() noexcept;  // after readiness: back to not readable

 private:
  int read_fd_ = -1;
  int write_fd_ = -1;
};

}  // namespace martlet::sys
