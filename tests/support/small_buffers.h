// While it lives, what a server accepts has a small buffer in the kernel, so that a client that does not read holds its connection up
// after some kilobytes instead of megabytes. Stands before the server.
#pragma once

#include <sys/socket.h>

#include "sys/syscalls.h"

namespace martlet::test {

class SmallSendBuffers {
 public:
  explicit SmallSendBuffers(int bytes) : before_(sys::syscalls) {
    bytes_ = bytes;
    next_ = before_.listen;
    sys::syscalls.listen = listen;
  }
  SmallSendBuffers(const SmallSendBuffers&) = delete;
  SmallSendBuffers& operator=(const SmallSendBuffers&) = delete;
  ~SmallSendBuffers() { sys::syscalls = before_; }

 private:
  // Accepted sockets have what the listening one has.
  static int listen(int fd, int backlog) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes_, sizeof bytes_);
    return next_(fd, backlog);
  }
  static inline int bytes_ = 0;
  static inline int (*next_)(int, int) = nullptr;
  sys::Syscalls before_;
};

}  // namespace martlet::test
