// Which backend of poller.h this build has; everything in src/sys that goes with it asks here.
//
// Linux has epoll, eventfd, getrandom and affinity masks. macOS and the BSDs have kqueue, a pipe as the waker, and
// arc4random. MARTLET_POLLER_KQUEUE chooses the second group on Linux too, where `make check-kqueue` supplies kqueue()
// and kevent() by an emulation; the sockets stay Linux's then.
#pragma once

#if defined(__linux__) && !defined(MARTLET_POLLER_KQUEUE)
#define MARTLET_SYS_EPOLL 1
#define MARTLET_SYS_KQUEUE 0
#else
#define MARTLET_SYS_EPOLL 0
#define MARTLET_SYS_KQUEUE 1
#endif
