// The real system calls, as the table of syscalls.h.
//
// Where a call is variadic (open, fcntl) or a platform deviates in a parameter's type (NetBSD's kevent counts in
// size_t), a captureless lambda stands between; everywhere else the entry is the C library's own function.
#include "sys/syscalls.h"

#include <fcntl.h>
#include <unistd.h>

#if MARTLET_SYS_EPOLL
#include <sys/eventfd.h>
#endif

namespace martlet::sys {

namespace {

int open_file(const char* path, int flags) { return ::open(path, flags); }

int set_descriptor_flags(int fd) {
  const int status = ::fcntl(fd, F_GETFL);
  if (status < 0 || ::fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0) return -1;
  return ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

#if MARTLET_SYS_KQUEUE

#if defined(__NetBSD__)
using Count = size_t;
#else
using Count = int;
#endif

int call_kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int event_count,
                const timespec* timeout) {
  return ::kevent(queue, changes, static_cast<Count>(change_count), events, static_cast<Count>(event_count), timeout);
}

#endif

}  // namespace

constinit Syscalls syscalls{
    .recv = ::recv,
    .readv = ::readv,
    .send = ::send,
    .sendmsg = ::sendmsg,
    .read = ::read,
    .write = ::write,
    .accept = ::accept,
    .socket = ::socket,
    .socketpair = ::socketpair,
    .bind = ::bind,
    .listen = ::listen,
    .connect = ::connect,
    .setsockopt = ::setsockopt,
    .getsockopt = ::getsockopt,
    .getsockname = ::getsockname,
    .getpeername = ::getpeername,
    .shutdown = ::shutdown,
    .close = ::close,
    .open = open_file,
    .pipe = ::pipe,
    .set_flags = set_descriptor_flags,
    .clock_gettime = ::clock_gettime,
#if defined(SOCK_NONBLOCK)
    .accept4 = ::accept4,
#endif
#if defined(__linux__)
    .sched_getaffinity = ::sched_getaffinity,
#endif
#if MARTLET_SYS_EPOLL
    .epoll_create1 = ::epoll_create1,
    .epoll_ctl = ::epoll_ctl,
    .epoll_wait = ::epoll_wait,
    .eventfd = ::eventfd,
#else
    .kqueue = ::kqueue,
    .kevent = call_kevent,
#endif
};

}  // namespace martlet::sys
