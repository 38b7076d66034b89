// Every system call of the library that moves bytes, makes descriptors or waits goes through this table, so that
// tests can count calls, shorten reads and writes, and fail the Nth call. The members have the names and the
// signatures of the calls; POSIX ones here, those of one platform in its own section.
// Set before workers start, never changed while they run.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <ctime>

#include "sys/platform.h"

#if defined(__linux__)
#include <sched.h>
#endif

#if MARTLET_SYS_EPOLL
#include <sys/epoll.h>
#else
#include <sys/event.h>
#endif

namespace martlet::sys {

struct Syscalls {
  ssize_t (*recv)(int, void*, size_t, int);
  ssize_t (*readv)(int, const iovec*, int);
  ssize_t (*send)(int, const void*, size_t, int);
  ssize_t (*sendmsg)(int, const msghdr*, int);
  ssize_t (*read)(int, void*, size_t);
  ssize_t (*write)(int, const void*, size_t);
  int (*accept)(int, sockaddr*, socklen_t*);
  int (*socket)(int, int, int);
  int (*socketpair)(int, int, int, int*);
  int (*bind)(int, const sockaddr*, socklen_t);
  int (*listen)(int, int);
  int (*connect)(int, const sockaddr*, socklen_t);
  int (*setsockopt)(int, int, int, const void*, socklen_t);
  int (*getsockopt)(int, int, int, void*, socklen_t*);
  int (*getsockname)(int, sockaddr*, socklen_t*);
  int (*getpeername)(int, sockaddr*, socklen_t*);
  int (*shutdown)(int, int);
  int (*close)(int);
  int (*open)(const char*, int);
  int (*pipe)(int*);
  int (*set_flags)(int fd);  // non-blocking and close-on-exec by fcntl: pipes, and sockets without SOCK_NONBLOCK
  int (*clock_gettime)(clockid_t, timespec*);
#if defined(SOCK_NONBLOCK)  // Linux and the BSDs; macOS has neither the flag nor accept4
  int (*accept4)(int, sockaddr*, socklen_t*, int);
#endif
#if defined(__linux__)
  int (*sched_getaffinity)(pid_t, size_t, cpu_set_t*);
#endif
#if MARTLET_SYS_EPOLL
  int (*epoll_create1)(int);
  int (*epoll_ctl)(int, int, int, epoll_event*);
  int (*epoll_wait)(int, epoll_event*, int, int);
  int (*eventfd)(unsigned, int);
#else
  int (*kqueue)();
  int (*kevent)(int, const struct kevent*, int, struct kevent*, int, const timespec*);
#endif
};

// The table in force.
extern Syscalls syscalls;

}  // namespace martlet::sys
