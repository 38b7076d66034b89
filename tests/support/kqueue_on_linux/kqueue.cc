// kqueue() and kevent() on Linux, so that the backend for macOS and the BSDs can be run where there is none of them.
//
// A queue is an epoll descriptor, which makes it pollable, and beside it the list of its notes, one for each (ident,
// filter). epoll says which descriptors may have something to report; those notes are put on the active list, and the
// filter of each is run again when the note is fetched, as kqueue(2) has it. What is watched for writing has an epoll of
// its own inside that one, so that the two notes of a descriptor know nothing of each other. EVFILT_USER is an eventfd
// and EVFILT_TIMER a timerfd, owned by the note.
//
// close() is ours too: it takes the notes of the descriptor with it, in every queue, and a queue's own descriptors. A
// child of fork() has none of its parent's queues. dup2() onto a descriptor that is watched is not noticed.
//
// Where Linux cannot say what a BSD says:
//   - the error that waits on a socket cannot be looked at without taking it, which would hide it from the next read.
//     So fflags is ECONNRESET for any;
//   - the backlog of a listening Unix socket is not known, nor how many events wait in a queue that another one watches: 1;
//   - a note with NOTE_LOWAT is looked at when epoll sees a change. Room for writing that grows past the mark while
//     there was some before is none;
//   - a socket that was never connected counts as one whose connection has ended;
//   - regular files are refused (EINVAL), for reading too.
// kqueue_emulation_test.cc and kqueue_filters_test.cc hold it to the manual page, sentence by sentence.
// Any thread.
#include <sys/event.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Key = std::pair<uintptr_t, short>;  // ident and filter: there may only be one unique kevent per kqueue

struct Note {
  unsigned short flags = 0;  // EV_CLEAR, EV_ONESHOT, EV_DISPATCH as given when it was made
  bool enabled = true;
  bool active = false;   // on the list
  bool watched = false;  // epoll has it
  unsigned fflags = 0;
  int64_t data = 0;
  void* udata = nullptr;
  int fd = -1;  // what epoll watches; the note's own for timers and user events
};

struct Queue {
  int fd = -1;      // an epoll for reading, timers, user events, and for the two below
  int writes = -1;  // an epoll for writing
  int bell = -1;    // an eventfd that is readable while `rung`: when notes are on the list
  bool rung = false;
  std::map<Key, Note> notes;
  std::map<int, Key> own;  // descriptors of timers and user events
  std::vector<Key> active;
  std::vector<std::map<Key, Note>::node_type> spare;  // a kernel's memory is not the program's: tests count that
};

struct Queues {
  std::mutex mutex;
  std::map<int, std::shared_ptr<Queue>> by_fd;
};

// Never destroyed: descriptors are closed until the very end of the process.
Queues& queues();

// The descriptors of a queue that its user does not know of.
void close_inner(const Queue& queue) {
  for (const auto& [fd, key] : queue.own) ::syscall(SYS_close, fd);
  for (const int fd : {queue.writes, queue.bell}) {
    if (fd >= 0) ::syscall(SYS_close, fd);
  }
}

// "The queue is not inherited by a child created with fork." The lock was taken before, so that no other thread had it.
void leave_to_parent() {
  for (const auto& [fd, queue] : queues().by_fd) {
    close_inner(*queue);
    ::syscall(SYS_close, fd);
  }
  queues().by_fd.clear();
  queues().mutex.unlock();
}

Queues& queues() {
  static Queues* const all = [] {
    ::pthread_atfork([] { queues().mutex.lock(); }, [] { queues().mutex.unlock(); }, leave_to_parent);
    return new Queues;
  }();
  return *all;
}

bool takes_descriptor(short filter) { return filter == EVFILT_READ || filter == EVFILT_WRITE; }

bool has_mark(const Note& note) { return (note.fflags & NOTE_LOWAT) != 0; }

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : 0;
}

// The filters ---------------------------------------------------------------------------------------------------------

short readiness(int fd) {
  pollfd one{fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  return ::poll(&one, 1, 0) == 1 ? one.revents : short{0};
}

bool is_socket(int fd) { return option(fd, SOL_SOCKET, SO_TYPE) != 0; }

// State and, of a listener, backlog.
tcp_info tcp_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info : tcp_info{};
}

bool run_read(int fd, const Note& note, struct kevent& out) {
  const short ready = readiness(fd);
  if (option(fd, SOL_SOCKET, SO_ACCEPTCONN)) {
    const unsigned waiting = tcp_of(fd).tcpi_unacked;
    out.data = waiting ? waiting : 1;
    return (ready & POLLIN) != 0;
  }
  int bytes = 0;
  if (::ioctl(fd, FIONREAD, &bytes) != 0) bytes = (ready & POLLIN) != 0;
  out.data = bytes;
  if (ready & (POLLRDHUP | POLLHUP | POLLERR)) {
    out.flags |= EV_EOF;
    if ((ready & POLLERR) && is_socket(fd)) out.fflags = ECONNRESET;
    return true;
  }
  return (ready & POLLIN) && bytes >= (has_mark(note) ? note.data : 1);
}

// After shutdown() of our own direction, or when the connection is no more.
bool cannot_send(int fd, short ready) {
  if (ready & (POLLERR | POLLHUP)) return true;
  if (!is_socket(fd)) return false;
  if (option(fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX) {  // sending nothing is refused then, and harmless else
    return option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && ::send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE;
  }
  const int state = tcp_of(fd).tcpi_state;
  return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

bool run_write(int fd, const Note& note, struct kevent& out) {
  const short ready = readiness(fd);
  const bool socket = is_socket(fd);
  int queued = 0;
  if (::ioctl(fd, socket ? SIOCOUTQ : FIONREAD, &queued) != 0) queued = 0;
  const int buffer = socket ? option(fd, SOL_SOCKET, SO_SNDBUF) : ::fcntl(fd, F_GETPIPE_SZ);
  out.data = std::max(buffer - queued, (ready & POLLOUT) ? 1 : 0);
  if (cannot_send(fd, ready)) {
    out.flags |= EV_EOF;
    if ((ready & POLLERR) && socket) out.fflags = ECONNRESET;
    return true;
  }
  return (ready & POLLOUT) && out.data >= (has_mark(note) ? note.data : 1);
}

// Takes the expirations or the trigger, where the filter is one that resets.
bool run_own(short filter, const Note& note, struct kevent& out) {
  if (!(readiness(note.fd) & POLLIN)) return false;
  if (filter == EVFILT_USER) out.fflags = note.fflags;
  uint64_t count = 0;
  if (filter == EVFILT_TIMER || (note.flags & EV_CLEAR)) {
    if (::read(note.fd, &count, sizeof count) != sizeof count) return false;
  }
  out.data = filter == EVFILT_TIMER ? static_cast<int64_t>(count) : note.data;
  return true;
}

// True when the note is to be reported, as `out`.
bool run_filter(const Key& key, const Note& note, struct kevent& out) {
  out = {key.first, key.second, note.flags, 0, 0, note.udata};
  switch (key.second) {
    case EVFILT_READ: return run_read(note.fd, note, out);
    case EVFILT_WRITE: return run_write(note.fd, note, out);
    default: return run_own(key.second, note, out);
  }
}

// Notes ---------------------------------------------------------------------------------------------------------------

// Tells epoll what there is to watch for the note; 0 or an errno value. Telling it again what it knows has it look at the
// condition anew.
int watch(const Queue& queue, short filter, Note& note) {
  const int epoll = filter == EVFILT_WRITE ? queue.writes : queue.fd;
  if (!note.enabled) {
    if (note.watched) (void)::epoll_ctl(epoll, EPOLL_CTL_DEL, note.fd, nullptr);  // it may have been closed
    note.watched = false;
    return 0;
  }
  epoll_event event{};
  event.events = filter == EVFILT_WRITE ? EPOLLOUT : EPOLLIN;
  if (filter == EVFILT_READ) event.events |= EPOLLRDHUP;
  if (takes_descriptor(filter) && ((note.flags & EV_CLEAR) || has_mark(note))) event.events |= EPOLLET;
  event.data.fd = note.fd;
  const int operation = note.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll, operation, note.fd, &event) != 0) return errno == EPERM ? EINVAL : errno;
  note.watched = true;
  return 0;
}

int set_timer(Note& note) {
  if (note.data == 0 && !(note.flags & EV_ONESHOT)) note.data = 1;  // one of its units
  int64_t ns = note.data;
  if (note.fflags & NOTE_SECONDS) {
    ns *= 1'000'000'000;
  } else if (note.fflags & NOTE_USECONDS) {
    ns *= 1'000;
  } else if (!(note.fflags & NOTE_NSECONDS)) {
    ns *= 1'000'000;
  }
  if (ns == 0) ns = 1;
  itimerspec when{};
  when.it_value = {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  if (!(note.flags & EV_ONESHOT)) when.it_interval = when.it_value;
  return ::timerfd_settime(note.fd, 0, &when, nullptr) == 0 ? 0 : errno;
}

void trigger(Note& note, const struct kevent& change) {
  const unsigned given = change.fflags & NOTE_FFLAGSMASK;
  switch (change.fflags & NOTE_FFCTRLMASK) {
    case NOTE_FFAND: note.fflags &= given; break;
    case NOTE_FFOR: note.fflags |= given; break;
    case NOTE_FFCOPY: note.fflags = given; break;
    default: break;
  }
  note.data = change.data;
  const uint64_t one = 1;
  if (change.fflags & NOTE_TRIGGER) (void)!::write(note.fd, &one, sizeof one);
}

// epoll reports an edge once, so the bell keeps the queue readable while notes are on the list.
void ring(Queue& queue) {
  if (queue.rung != queue.active.empty()) return;
  queue.rung = !queue.rung;
  uint64_t one = 1;
  (void)!(queue.rung ? ::write(queue.bell, &one, sizeof one) : ::read(queue.bell, &one, sizeof one));
}

void disable(Queue& queue, const Key& key, Note& note) {
  note.enabled = false;
  if (note.active) queue.active.erase(std::find(queue.active.begin(), queue.active.end(), key));
  note.active = false;
  (void)watch(queue, key.second, note);
}

void drop(Queue& queue, const Key& key) {
  const auto found = queue.notes.find(key);
  Note& note = found->second;
  disable(queue, key, note);
  if (!takes_descriptor(key.second)) {
    queue.own.erase(note.fd);
    ::syscall(SYS_close, note.fd);
  }
  queue.spare.push_back(queue.notes.extract(found));
}

int make_note(Queue& queue, const Key& key, const struct kevent& change) {
  Note note;
  note.flags = change.flags & (EV_CLEAR | EV_ONESHOT | EV_DISPATCH);
  note.fd = static_cast<int>(key.first);
  if (!takes_descriptor(key.second)) {
    if (key.second == EVFILT_TIMER) note.flags |= EV_CLEAR;  // set internally
    note.fd = key.second == EVFILT_TIMER ? ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
                                         : ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (note.fd < 0) return errno;
    queue.own[note.fd] = key;
  }
  if (queue.spare.empty()) return queue.notes.emplace(key, note), 0;
  queue.spare.back().key() = key;
  queue.spare.back().mapped() = note;
  queue.notes.insert(std::move(queue.spare.back()));
  queue.spare.pop_back();
  return 0;
}

// What the change says of a note that is there. 0 or an errno value.
int modify(Queue& queue, const Key& key, Note& note, const struct kevent& change) {
  const short filter = key.second;
  note.udata = change.udata;  // by any change; EV_KEEPUDATA, which would spare it, is FreeBSD's alone
  if (change.flags & (EV_ADD | EV_ENABLE)) note.enabled = true;
  if (change.flags & EV_DISABLE) disable(queue, key, note);
  if (filter == EVFILT_USER) trigger(note, change);
  if (takes_descriptor(filter) || (filter == EVFILT_TIMER && (change.flags & EV_ADD))) {
    note.fflags = change.fflags;
    note.data = change.data;
  }
  if (filter == EVFILT_TIMER && (change.flags & EV_ADD)) {
    if (const int code = set_timer(note)) return code;
  }
  return watch(queue, filter, note);
}

// One element of the list of changes. 0 or an errno value.
int apply(Queue& queue, const struct kevent& change) {
  const Key key{change.ident, change.filter};
  if (!takes_descriptor(key.second) && key.second != EVFILT_TIMER && key.second != EVFILT_USER) return EINVAL;
  if (takes_descriptor(key.second) && ::fcntl(static_cast<int>(key.first), F_GETFD) < 0) return EBADF;
  const bool made = queue.notes.find(key) == queue.notes.end();
  if (made) {
    if (!(change.flags & EV_ADD)) return ENOENT;
    if (const int code = make_note(queue, key, change)) return code;
  }
  if (change.flags & EV_DELETE) return drop(queue, key), 0;
  const int code = modify(queue, key, queue.notes.at(key), change);
  if (code != 0 && made) drop(queue, key);
  return code;
}

// Waiting -------------------------------------------------------------------------------------------------------------

void activate(Queue& queue, const Key& key) {
  const auto found = queue.notes.find(key);
  if (found == queue.notes.end() || !found->second.enabled || found->second.active) return;
  found->second.active = true;
  queue.active.push_back(key);
}

// Puts on the list what epoll has found ready: `count` of `ready`, whose memory serves for `writes` then.
void collect(Queue& queue, std::vector<epoll_event>& ready, int count) {
  bool writes = false;
  for (int i = 0; i < count; i++) {
    const int fd = ready[static_cast<size_t>(i)].data.fd;
    const auto own = queue.own.find(fd);
    if (fd == queue.writes) {
      writes = true;
    } else if (fd != queue.bell) {
      activate(queue, own != queue.own.end() ? own->second : Key{static_cast<uintptr_t>(fd), short{EVFILT_READ}});
    }
  }
  if (!writes) return;
  count = ::epoll_wait(queue.writes, ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; i++) {
    activate(queue, {static_cast<uintptr_t>(ready[static_cast<size_t>(i)].data.fd), short{EVFILT_WRITE}});
  }
}

// Fetches active notes while there is room. The rest stays, in front of what becomes active next.
int fetch(Queue& queue, struct kevent* events, int room) {
  int count = 0;
  size_t taken = 0;
  while (count < room && taken < queue.active.size()) {
    const Key key = queue.active[taken++];
    Note& note = queue.notes.at(key);
    note.active = false;
    if (!run_filter(key, note, events[count])) continue;
    count++;
    if (note.flags & EV_ONESHOT) {
      drop(queue, key);
      continue;
    }
    if (note.flags & EV_DISPATCH) {
      disable(queue, key, note);
    } else if (has_mark(note) && !(note.flags & EV_CLEAR)) {
      (void)watch(queue, key.second, note);  // an edge for epoll, but wanted for as long as the condition holds
    }
  }
  queue.active.erase(queue.active.begin(), queue.active.begin() + static_cast<ptrdiff_t>(taken));
  ring(queue);
  return count;
}

int ms_until(const timespec* timeout, Clock::time_point deadline) {
  if (!timeout) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 86'400'000));
}

int wait(Queue& queue, struct kevent* events, int room, const timespec* timeout) {
  const auto deadline = Clock::now() + (timeout ? std::chrono::seconds(timeout->tv_sec) + std::chrono::nanoseconds(timeout->tv_nsec)
                                                : std::chrono::nanoseconds(0));
  thread_local std::vector<epoll_event> ready;
  ready.resize(std::max(ready.size(), static_cast<size_t>(room)));
  for (;;) {
    const int ms = ms_until(timeout, deadline);
    const int count = ::epoll_wait(queue.fd, ready.data(), static_cast<int>(ready.size()), ms);
    if (count < 0) return -1;
    const std::lock_guard lock(queues().mutex);
    collect(queue, ready, count);
    const int fetched = fetch(queue, events, room);
    if (fetched > 0 || ms == 0) return fetched;
  }
}

// Errors, and receipts when asked for, go to `events`; answers how many. Without room an error is the call's, -1, and a
// receipt the end of the changes.
int apply_all(Queue& queue, const struct kevent* changes, int change_count, struct kevent* events, int room) {
  const std::lock_guard lock(queues().mutex);
  int reported = 0;
  for (int i = 0; i < change_count; i++) {
    const struct kevent change = changes[i];  // the two lists may be the same array
    const int code = apply(queue, change);
    ring(queue);
    if (code == 0 && !(change.flags & EV_RECEIPT)) continue;
    if (reported == room) {
      if (code == 0) return reported;
      errno = code;
      return -1;
    }
    events[reported] = change;
    events[reported].flags = EV_ERROR;
    events[reported++].data = code;
  }
  return reported;
}

bool is_interval(const timespec& timeout) {
  return timeout.tv_sec >= 0 && timeout.tv_nsec >= 0 && timeout.tv_nsec < 1'000'000'000;
}

// False, with errno, when a descriptor cannot be had.
bool open(Queue& queue) {
  queue.fd = ::epoll_create1(0);  // not close-on-exec, as on the BSDs
  if (queue.fd < 0) return false;
  queue.writes = ::epoll_create1(EPOLL_CLOEXEC);
  if (queue.writes < 0) return false;
  queue.bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (queue.bell < 0) return false;
  for (const int fd : {queue.writes, queue.bell}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(queue.fd, EPOLL_CTL_ADD, fd, &event) != 0) return false;
  }
  return true;
}

}  // namespace

extern "C" int kqueue() {
  auto queue = std::make_shared<Queue>();
  if (!open(*queue)) {
    const int code = errno;
    close_inner(*queue);
    if (queue->fd >= 0) ::syscall(SYS_close, queue->fd);
    return errno = code, -1;
  }
  const std::lock_guard lock(queues().mutex);
  queues().by_fd[queue->fd] = queue;
  return queue->fd;
}

extern "C" int kevent(int queue_fd, const struct kevent* changes, int change_count, struct kevent* events,
                      int event_count, const timespec* timeout) {
  std::shared_ptr<Queue> queue;
  {
    const std::lock_guard lock(queues().mutex);
    const auto found = queues().by_fd.find(queue_fd);
    if (found != queues().by_fd.end()) queue = found->second;
  }
  if (!queue) return errno = EBADF, -1;
  if (change_count < 0 || event_count < 0 || (timeout && !is_interval(*timeout))) return errno = EINVAL, -1;
  const int reported = apply_all(*queue, changes, change_count, events, event_count);
  if (reported != 0 || event_count == 0) return reported;
  return wait(*queue, events, event_count, timeout);
}

// In place of the C library's. "Calling close() on a file descriptor will remove any kevents that reference the
// descriptor", also while a duplicate lives on.
extern "C" int close(int fd) {
  {
    const std::lock_guard lock(queues().mutex);
    auto& by_fd = queues().by_fd;
    if (const auto found = by_fd.find(fd); found != by_fd.end()) {
      close_inner(*found->second);
      by_fd.erase(found);
    }
    for (auto& [queue_fd, queue] : by_fd) {
      for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}}) {
        const Key key{static_cast<uintptr_t>(fd), filter};
        if (queue->notes.count(key)) drop(*queue, key);
      }
      ring(*queue);
    }
  }
  return static_cast<int>(::syscall(SYS_close, fd));
}
