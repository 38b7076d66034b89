// The backend of poller.h for macOS and the BSDs.
//
// kqueue thinks in filters, one for reading and one for writing, and reports them apart. So this file keeps a table
// by descriptor number: the owner's token, the filters that the kernel has, and where in the current batch the
// descriptor's event is. Two things follow. An interest that changes costs one system call with exactly the changed
// filters. And the kernel is not given the token: its udata is a pointer, an intptr_t on NetBSD, and 32 bits on 32-bit
// machines; none of that matters here.
//
// A hang-up must be noticed without interest, too, and a descriptor without a filter reports nothing. So it has the
// write filter then, made deaf to room in the send buffer: a low-water mark that no buffer reaches, and EV_CLEAR for
// macOS, which lowers the mark to the size of the buffer (and so reports once for nothing; that is kept from the owner).
//
// The table may be out of date for a number that was closed without remove() (the kernel drops its filters then):
// add() starts the entry afresh, and no event comes for a number that is not open.
//
// End of stream while reading is EV_EOF on the read filter, with the unread bytes still to come: readable. EV_EOF on the
// write filter is the hang-up, since nothing can be sent any more, and so is EV_EOF with a socket error in fflags.
//
// Of kqueue(2) only what all have is used: no EVFILT_USER (OpenBSD has none before 7.9; the waker is a pipe), no EV_RECEIPT or
// EV_DISPATCH, no EVFILT_EXCEPT. Whether EV_ADD of a filter that is there changes its flags differs; so a filter is
// deleted before it is added in another kind. The worker's thread.
#include "sys/platform.h"

#if MARTLET_SYS_KQUEUE

#include "sys/poller.h"

#include <fcntl.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

struct Watch {
  uint64_t token;
  uint32_t event_index;  // meaningful only where Scratch::owners confirms it, so it never needs clearing
  uint8_t filters;       // those the kernel has: Interest values, or kHangup
};

constexpr uint8_t kHangup = 4;  // the write filter that reports the end only; never beside kWritable

uint8_t filters_for(uint8_t interest) noexcept { return interest == kNoInterest ? kHangup : interest; }

struct Scratch {
  struct kevent raw[Poller::kMaxBatch];
  int owners[Poller::kMaxBatch];  // the descriptor that each event of the batch is about
  Watch* watches;                 // by descriptor number
  int watch_count;
};

constexpr int kFirstWatches = 256;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kLongestWaitSeconds = 86400;  // some kernels refuse more than a few years; waking early is allowed

Scratch* scratch_of(void* memory) noexcept { return static_cast<Scratch*>(memory); }

// Makes the table reach `fd`. False when memory is out.
bool reserve_watch(Scratch& scratch, int fd) noexcept {
  if (fd < scratch.watch_count) return true;
  int count = scratch.watch_count ? scratch.watch_count : kFirstWatches;
  while (count <= fd) count *= 2;
  auto* grown = static_cast<Watch*>(base::allocate(sizeof(Watch) * static_cast<size_t>(count)));
  if (!grown) return false;
  const size_t kept = sizeof(Watch) * static_cast<size_t>(scratch.watch_count);
  if (kept > 0) std::memcpy(grown, scratch.watches, kept);
  std::memset(static_cast<void*>(grown + scratch.watch_count), 0, sizeof(Watch) * static_cast<size_t>(count) - kept);
  base::deallocate(scratch.watches);
  scratch.watches = grown;
  scratch.watch_count = count;
  return true;
}

// Appends a change for each of the filters.
void put_changes(struct kevent* changes, int& count, int fd, uint8_t filters, bool adding) noexcept {
  for (const uint8_t filter : {uint8_t{kReadable}, uint8_t{kWritable}, kHangup}) {
    if (!(filters & filter)) continue;
    struct kevent& change = changes[count++];
    std::memset(&change, 0, sizeof change);
    change.ident = static_cast<decltype(change.ident)>(fd);
    change.filter = filter == kReadable ? EVFILT_READ : EVFILT_WRITE;
    change.flags = adding ? EV_ADD : EV_DELETE;
    if (filter == kHangup && adding) {
      change.flags |= EV_CLEAR;
      change.fflags = NOTE_LOWAT;
      change.data = INT_MAX;
    }
  }
}

// Makes the kernel's filters of fd those that are wanted. 0, or an errno value.
int change_filters(int queue, int fd, uint8_t present, uint8_t wanted) noexcept {
  struct kevent changes[3];
  int count = 0;
  put_changes(changes, count, fd, present & static_cast<uint8_t>(~wanted), false);
  put_changes(changes, count, fd, wanted & static_cast<uint8_t>(~present), true);
  if (count == 0 || syscalls.kevent(queue, changes, count, nullptr, 0, nullptr) >= 0) return 0;
  return errno == EINTR ? 0 : errno;  // "all changes have been applied", says kevent(2) of EINTR
}

}  // namespace

Poller::~Poller() {
  close();
  if (scratch_) base::deallocate(scratch_of(scratch_)->watches);
  base::deallocate(scratch_);
  base::deallocate(events_);
}

void Poller::close() noexcept {
  if (fd_ >= 0) syscalls.close(fd_);
  fd_ = -1;
}

Error Poller::open() noexcept {
  MARTLET_CHECK(fd_ < 0);
  if (!scratch_) {
    scratch_ = base::allocate(sizeof(Scratch));
    if (!scratch_) return Error("poller", ENOMEM);
    scratch_of(scratch_)->watches = nullptr;
    scratch_of(scratch_)->watch_count = 0;
  }
  if (!events_) events_ = static_cast<PollEvent*>(base::allocate(sizeof(PollEvent) * kMaxBatch));
  if (!events_) return Error("poller", ENOMEM);
  fd_ = syscalls.kqueue();
  if (fd_ < 0) return Error("kqueue", errno);
  (void)::fcntl(fd_, F_SETFD, FD_CLOEXEC);  // not set_flags(): a kqueue cannot be made non-blocking
  return {};
}

Error Poller::add(int fd, uint64_t token, uint8_t interest) noexcept {
  if (fd < 0) return Error("kevent add", EBADF);
  Scratch& scratch = *scratch_of(scratch_);
  if (!reserve_watch(scratch, fd)) return Error("poller", ENOMEM);
  scratch.watches[fd].filters = 0;
  const Error error = modify(fd, token, interest);
  if (!error) return {};
  scratch.watches[fd].filters = filters_for(interest);  // one of two may have been taken
  remove(fd);
  return error;
}

Error Poller::modify(int fd, uint64_t token, uint8_t interest) noexcept {
  Scratch& scratch = *scratch_of(scratch_);
  if (fd < 0 || fd >= scratch.watch_count) return Error("kevent modify", ENOENT);
  Watch& watch = scratch.watches[fd];
  watch.token = token;
  const uint8_t wanted = filters_for(interest);
  if (const int code = change_filters(fd_, fd, watch.filters, wanted)) return Error("kevent", code);
  watch.filters = wanted;
  return {};
}

void Poller::remove(int fd) noexcept {
  Scratch& scratch = *scratch_of(scratch_);
  if (fd < 0 || fd >= scratch.watch_count) return;
  // One at a time, since a filter that is gone already (ENOENT) would end the list of changes.
  const uint8_t present = scratch.watches[fd].filters;
  (void)change_filters(fd_, fd, present & kReadable, 0);
  (void)change_filters(fd_, fd, present & (kWritable | kHangup), 0);
  scratch.watches[fd].filters = 0;
}

int Poller::wait(int64_t timeout_ns) noexcept {
  Scratch& scratch = *scratch_of(scratch_);
  timespec timeout{};
  if (timeout_ns > 0) {
    const int64_t seconds = timeout_ns / kNsPerSecond;
    timeout.tv_sec = static_cast<time_t>(seconds < kLongestWaitSeconds ? seconds : kLongestWaitSeconds);
    timeout.tv_nsec = static_cast<long>(timeout_ns % kNsPerSecond);
  }
  const int raw_count =
      syscalls.kevent(fd_, nullptr, 0, scratch.raw, kMaxBatch, timeout_ns < 0 ? nullptr : &timeout);
  if (raw_count < 0) {
    // Anything but a signal is a descriptor that somebody else closed; going on would spin for ever.
    MARTLET_CHECK(errno == EINTR);
    return 0;
  }
  int count = 0;
  for (int i = 0; i < raw_count; i++) {
    const struct kevent& raw = scratch.raw[i];
    const int fd = static_cast<int>(raw.ident);
    Watch& watch = scratch.watches[fd];
    const bool reading = raw.filter == EVFILT_READ;
    const bool ended = (raw.flags & EV_ERROR) || ((raw.flags & EV_EOF) && (!reading || raw.fflags != 0));
    if (!reading && !ended && !(watch.filters & kWritable)) continue;  // room, which kHangup did not ask for
    const bool seen = watch.event_index < static_cast<uint32_t>(count) && scratch.owners[watch.event_index] == fd;
    if (!seen) {
      watch.event_index = static_cast<uint32_t>(count);
      scratch.owners[count] = fd;
      events_[count++] = {.token = watch.token, .readable = false, .writable = false, .hangup = false};
    }
    PollEvent& event = events_[watch.event_index];
    event.readable |= reading;
    event.writable |= !reading && (watch.filters & kWritable);
    event.hangup |= ended;
  }
  return count;
}

const char* Poller::name() noexcept { return "kqueue"; }

}  // namespace martlet::sys

#endif  // MARTLET_SYS_KQUEUE
