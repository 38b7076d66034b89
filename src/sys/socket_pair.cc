// See socket_pair.h.
#include "sys/socket_pair.h"

#include <sys/socket.h>

#include <cerrno>

#include "sys/socket.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

#if defined(__APPLE__)
int refuse_sigpipe(int fd) noexcept {
  const int on = 1;
  return syscalls.setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}
#else
int refuse_sigpipe(int) noexcept { return 0; }  // each write says so
#endif

}  // namespace

Result<SocketPair> make_socket_pair() noexcept {
  SocketPair pair;
  if (syscalls.socketpair(AF_UNIX, SOCK_STREAM, 0, pair.ends) != 0) return Error("socketpair", errno);
  for (const int fd : pair.ends) {
    if (syscalls.set_flags(fd) == 0 && refuse_sigpipe(fd) == 0) continue;
    const Error error("fcntl", errno);
    for (const int end : pair.ends) close_socket(end);
    return error;
  }
  return pair;
}

}  // namespace martlet::sys
