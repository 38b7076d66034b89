// kqueue() and kevent() on Linux, so that the backend for macOS and the BSDs can be run where there is none of them.
//
// A queue is an epoll descriptor, which makes it pollable, and beside it the list of its notes, one for each (ident,
// filter). epoll says which descriptors may have something to report; those notes are put on the active list, and the
// filter of each is run again when the note is fetched, as kqueue(2) has it. EVFILT_USER is an eventfd and EVFILT_TIMER
// a timerfd, owned by the note.
//
// close() is ours too: it takes the notes of the descriptor with it, in every queue, and a queue's own descriptors.
// dup2() onto a descriptor that is watched is not noticed.
//
// Where Linux cannot say what a BSD says:
//   - the error that waits on a socket cannot be looked at without taking it, which would hide it from the next read.
//     So fflags is ECONNRESET for any;
//   - the backlog of a listening Unix socket is not known: 1;
//   - a note that only reports changes (EV_CLEAR, NOTE_LOWAT) is edge-triggered epoll. That is one for a descriptor, so
//     both notes of a descriptor must be of the same kind (EINVAL), and the change that one is waiting for may have the
//     other reported too;
//   - a socket that was never connected counts as one whose connection has ended.
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
#include <cstring>
#include <deque>
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
  bool active = false;  // on the list
  unsigned fflags = 0;
  int64_t data = 0;
  void* udata = nullptr;
  int fd = -1;  // what epoll watches; the note's own for timers and user events
};

struct Queue {
  std::map<Key, Note> notes;
  std::map<int, Key> own;   // descriptors of timers and user events
  std::map<int, uint32_t> watched;  // what epoll has been told
  std::deque<Key> active;
};

struct Queues {
  std::mutex mutex;
  std::map<int, std::shared_ptr<Queue>> by_fd;
};

// Never destroyed: descriptors are closed until the very end of the process.
Queues& queues() {
  static Queues* const all = [] {
    // A child of fork() may close descriptors while a thread that it does not have held the lock.
    ::pthread_atfork([] { queues().mutex.lock(); }, [] { queues().mutex.unlock(); }, [] { queues().mutex.unlock(); });
    return new Queues;
  }();
  return *all;
}

bool takes_descriptor(short filter) { return filter == EVFILT_READ || filter == EVFILT_WRITE; }

bool reports_changes_only(const Note& note) { return (note.flags & EV_CLEAR) || (note.fflags & NOTE_LOWAT); }

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
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) std::memset(&info, 0, sizeof info);
  return info;
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
  return (ready & POLLIN) && bytes >= ((note.fflags & NOTE_LOWAT) ? note.data : 1);
}

// After shutdown() of our own direction, or when the connection is no more.
bool cannot_send(int fd, short ready) {
  if (ready & (POLLERR | POLLHUP)) return true;
  if (!is_socket(fd)) return false;
  if (option(fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX) {  // sending nothing is refused then, and harmless else
    return ::send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE;
  }
  const int state = tcp_of(fd).tcpi_state;
  return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

bool run_write(int fd, const Note& note, struct kevent& out) {
  const short ready = readiness(fd);
  int queued = 0;
  if (::ioctl(fd, SIOCOUTQ, &queued) != 0) queued = 0;
  const int buffer = is_socket(fd) ? option(fd, SOL_SOCKET, SO_SNDBUF) : ::fcntl(fd, F_GETPIPE_SZ);
  out.data = std::max(buffer - queued, (ready & POLLOUT) ? 1 : 0);
  if (cannot_send(fd, ready)) {
    out.flags |= EV_EOF;
    if ((ready & POLLERR) && is_socket(fd)) out.fflags = ECONNRESET;
    return true;
  }
  return (ready & POLLOUT) && out.data >= ((note.fflags & NOTE_LOWAT) ? note.data : 1);
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

// What epoll should watch of this descriptor for the notes there are. 0: nothing.
uint32_t wanted_of(const Queue& queue, int fd) {
  uint32_t wanted = 0;
  bool edge = false;
  for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}}) {
    const auto found = queue.notes.find({static_cast<uintptr_t>(fd), filter});
    if (found == queue.notes.end() || !found->second.enabled) continue;
    wanted |= filter == EVFILT_READ ? uint32_t{EPOLLIN | EPOLLRDHUP} : uint32_t{EPOLLOUT};
    edge |= reports_changes_only(found->second);
  }
  if (const auto own = queue.own.find(fd); own != queue.own.end()) {
    if (queue.notes.at(own->second).enabled) wanted = EPOLLIN;
  }
  return wanted | (edge ? uint32_t{EPOLLET} : 0);
}

// 0 or an errno value. Telling epoll again what it knows looks at the condition anew, which is what is wanted.
int watch(int queue_fd, Queue& queue, int fd) {
  const uint32_t wanted = wanted_of(queue, fd);
  const auto known = queue.watched.find(fd);
  if (wanted == 0) {
    if (known == queue.watched.end()) return 0;
    queue.watched.erase(known);
    return ::epoll_ctl(queue_fd, EPOLL_CTL_DEL, fd, nullptr) == 0 ? 0 : errno;
  }
  epoll_event event{};
  event.events = wanted;
  event.data.fd = fd;
  const int operation = known == queue.watched.end() ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(queue_fd, operation, fd, &event) != 0) return errno == EPERM ? EINVAL : errno;
  queue.watched[fd] = wanted;
  return 0;
}

int set_timer(const Note& note) {
  int64_t ns = note.data;
  if (note.fflags & NOTE_SECONDS) {
    ns *= 1'000'000'000;
  } else if (note.fflags & NOTE_USECONDS) {
    ns *= 1'000;
  } else if (!(note.fflags & NOTE_NSECONDS)) {
    ns *= 1'000'000;
  }
  if (ns <= 0) ns = 1;
  itimerspec when{};
  when.it_value = {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  if (!(note.flags & EV_ONESHOT)) when.it_interval = when.it_value;
  return ::timerfd_settime(note.fd, 0, &when, nullptr) == 0 ? 0 : errno;
}

int trigger(Note& note, const struct kevent& change) {
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
  return 0;
}

// Removes the note; epoll may have forgotten the descriptor already.
void drop(int queue_fd, Queue& queue, const Key& key) {
  const auto found = queue.notes.find(key);
  const int fd = found->second.fd;
  if (found->second.active) queue.active.erase(std::find(queue.active.begin(), queue.active.end(), key));
  queue.notes.erase(found);
  if (takes_descriptor(key.second)) {
    (void)watch(queue_fd, queue, fd);
    return;
  }
  queue.own.erase(fd);
  queue.watched.erase(fd);
  ::syscall(SYS_close, fd);
}

int make_note(Queue& queue, const Key& key, const struct kevent& change) {
  Note note;
  note.flags = change.flags & (EV_CLEAR | EV_ONESHOT | EV_DISPATCH);
  note.fd = static_cast<int>(key.first);
  if (takes_descriptor(key.second)) {
    if (::fcntl(note.fd, F_GETFD) < 0) return EBADF;
    const Key other{key.first, key.second == EVFILT_READ ? short{EVFILT_WRITE} : short{EVFILT_READ}};
    const auto beside = queue.notes.find(other);
    note.fflags = change.fflags;
    if (beside != queue.notes.end() && reports_changes_only(beside->second) != reports_changes_only(note)) return EINVAL;
  } else {
    if (key.second == EVFILT_TIMER) note.flags |= EV_CLEAR;  // set internally
    note.fd = key.second == EVFILT_TIMER ? ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
                                         : ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (note.fd < 0) return errno;
    queue.own[note.fd] = key;
  }
  queue.notes[key] = note;
  return 0;
}

// One element of the list of changes. 0 or an errno value.
int apply(int queue_fd, Queue& queue, const struct kevent& change) {
  const Key key{change.ident, change.filter};
  if (!takes_descriptor(key.second) && key.second != EVFILT_TIMER && key.second != EVFILT_USER) return EINVAL;
  if (takes_descriptor(key.second) && ::fcntl(static_cast<int>(key.first), F_GETFD) < 0) return EBADF;
  bool made = false;
  if (queue.notes.find(key) == queue.notes.end()) {
    if (!(change.flags & EV_ADD)) return ENOENT;
    if (const int code = make_note(queue, key, change)) return code;
    made = true;
  }
  Note& note = queue.notes.at(key);
  if (change.flags & EV_DELETE) return drop(queue_fd, queue, key), 0;
  if (change.flags & EV_ADD) {
    note.udata = change.udata;
    note.enabled = true;
    if (key.second != EVFILT_USER) {
      note.fflags = change.fflags;
      note.data = change.data;
    }
  }
  if (change.flags & EV_ENABLE) note.enabled = true;
  if (change.flags & EV_DISABLE) note.enabled = false;
  int code = 0;
  if (key.second == EVFILT_USER) code = trigger(note, change);
  if (key.second == EVFILT_TIMER && (change.flags & EV_ADD)) code = set_timer(note);
  if (code == 0) code = watch(queue_fd, queue, note.fd);
  if (code != 0 && made) drop(queue_fd, queue, key);
  return code;
}

// Waiting -------------------------------------------------------------------------------------------------------------

void activate(Queue& queue, const Key& key) {
  const auto found = queue.notes.find(key);
  if (found == queue.notes.end() || !found->second.enabled || found->second.active) return;
  found->second.active = true;
  queue.active.push_back(key);
}

void note_readiness(Queue& queue, const epoll_event& event) {
  const int fd = event.data.fd;
  if (const auto own = queue.own.find(fd); own != queue.own.end()) return activate(queue, own->second);
  const uint32_t ended = event.events & (EPOLLERR | EPOLLHUP);
  if (ended || (event.events & (EPOLLIN | EPOLLRDHUP))) activate(queue, {static_cast<uintptr_t>(fd), short{EVFILT_READ}});
  if (ended || (event.events & EPOLLOUT)) activate(queue, {static_cast<uintptr_t>(fd), short{EVFILT_WRITE}});
}

// Fetches active notes while there is room. The rest stays, in front of what becomes active next.
int fetch(int queue_fd, Queue& queue, struct kevent* events, int room) {
  int count = 0;
  while (count < room && !queue.active.empty()) {
    const Key key = queue.active.front();
    queue.active.pop_front();
    Note& note = queue.notes.at(key);
    note.active = false;
    if (!note.enabled || !run_filter(key, note, events[count])) continue;
    count++;
    if (note.flags & EV_ONESHOT) {
      drop(queue_fd, queue, key);
      continue;
    }
    if (note.flags & EV_DISPATCH) {
      note.enabled = false;
      (void)watch(queue_fd, queue, note.fd);
    }
  }
  // epoll reports an edge once; what was not fetched must keep the queue readable.
  for (const Key& key : queue.active) (void)watch(queue_fd, queue, queue.notes.at(key).fd);
  return count;
}

int ms_until(const timespec* timeout, Clock::time_point deadline) {
  if (!timeout) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 86'400'000));
}

int wait(int queue_fd, Queue& queue, struct kevent* events, int room, const timespec* timeout) {
  const auto deadline = Clock::now() + (timeout ? std::chrono::seconds(timeout->tv_sec) + std::chrono::nanoseconds(timeout->tv_nsec)
                                                : std::chrono::nanoseconds(0));
  thread_local std::vector<epoll_event> ready;
  ready.resize(std::max(ready.size(), static_cast<size_t>(room)));
  for (;;) {
    const int ms = ms_until(timeout, deadline);
    bool pending;
    {
      const std::lock_guard lock(queues().mutex);
      pending = !queue.active.empty();
    }
    const int count = ::epoll_wait(queue_fd, ready.data(), static_cast<int>(ready.size()), pending ? 0 : ms);
    if (count < 0 && !pending) return -1;
    const std::lock_guard lock(queues().mutex);
    for (int i = 0; i < count; i++) note_readiness(queue, ready[static_cast<size_t>(i)]);
    const int fetched = fetch(queue_fd, queue, events, room);
    if (fetched > 0 || ms == 0) return fetched;
  }
}

// Errors, and receipts when asked for, go to `events`; without room the first error is the call's: -1. Else how many.
int apply_all(int queue_fd, Queue& queue, const struct kevent* changes, int change_count, struct kevent* events, int room) {
  const std::lock_guard lock(queues().mutex);
  int reported = 0;
  for (int i = 0; i < change_count; i++) {
    const struct kevent change = changes[i];  // the two lists may be the same array
    const int code = apply(queue_fd, queue, change);
    if (code == 0 && !(change.flags & EV_RECEIPT)) continue;
    if (reported == room) {
      if (code == 0) continue;
      errno = code;
      return -1;
    }
    events[reported] = change;
    events[reported].flags = EV_ERROR;
    events[reported++].data = code;
  }
  return reported;
}

}  // namespace

extern "C" int kqueue() {
  // Not close-on-exec, as on the BSDs.
  const int fd = ::epoll_create1(0);
  if (fd < 0) return -1;
  const std::lock_guard lock(queues().mutex);
  queues().by_fd[fd] = std::make_shared<Queue>();
  return fd;
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
  if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1'000'000'000)) return errno = EINVAL, -1;
  const int reported = apply_all(queue_fd, *queue, changes, change_count, events, event_count);
  if (reported != 0 || event_count == 0) return reported;
  return wait(queue_fd, *queue, events, event_count, timeout);
}

// In place of the C library's. "Calling close() on a file descriptor will remove any kevents that reference the
// descriptor", also while a duplicate lives on.
extern "C" int close(int fd) {
  {
    const std::lock_guard lock(queues().mutex);
    auto& by_fd = queues().by_fd;
    if (const auto found = by_fd.find(fd); found != by_fd.end()) {
      for (const auto& [own, key] : found->second->own) ::syscall(SYS_close, own);
      by_fd.erase(found);
    }
    for (auto& [queue_fd, queue] : by_fd) {
      for (const short filter : {short{EVFILT_READ}, short{EVFILT_WRITE}}) {
        const Key key{static_cast<uintptr_t>(fd), filter};
        if (queue->notes.count(key)) drop(queue_fd, *queue, key);
      }
    }
  }
  return static_cast<int>(::syscall(SYS_close, fd));
}
