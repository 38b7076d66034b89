// The backend of poller.h for macOS and the BSDs.
//
// kqueue thinks in filters, one for reading and one for writing, and reports them apart. So this file keeps a table
// by descriptor number: the owner's token, the filters that the kernel has, and where in the current batch the
// descriptor's event is. Two things follow. An interest that changes costs one system call with exactly the changed
// filters. And the kernel is not given the token: its udata is a pointer, an intptr_t on NetBSD, and 32 bits on 32-bit
// machines; none of that matters here.
//
// The table may be out of date for a number that was closed without remove() (the kernel drops its filters then):
// add() starts the entry afresh, and no event comes for a number that is not open.
//
// End of stream while reading is EV_EOF on the read filter, with the unread bytes still to come: readable. EV_EOF on the
// write filter is the hang-up, since nothing can be sent any more. With no interest there is no filter and hence no
// report, so a hang-up is noticed by the next read or write only. The worker's thread.
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__) || defined(__DragonFly__)

#include "sys/poller.h"

#include <fcntl.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

struct Watch {
  uint64_t token;
  uint32_t event_index;  // meaningful only where Scratch::owners confirms it, so it never needs clearing
  uint8_t filters;       // those the kernel has, as Interest values
};

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

int put_change(struct kevent* change, int fd, uint8_t filter, uint8_t wanted) noexcept {
  std::memset(change, 0, sizeof *change);
  change->ident = static_cast<decltype(change->ident)>(fd);
  change->filter = filter == kReadable ? EVFILT_READ : EVFILT_WRITE;
  change->flags = (wanted & filter) ? EV_ADD : EV_DELETE;
  return 1;
}

// Makes the kernel's filters of fd those that are wanted. 0, or an errno value.
int change_filters(int queue, int fd, uint8_t present, uint8_t wanted) noexcept {
  struct kevent changes[2];
  int count = 0;
  for (const uint8_t filter : {uint8_t{kReadable}, uint8_t{kWritable}}) {
    if ((present ^ wanted) & filter) count += put_change(&changes[count], fd, filter, wanted);
  }
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
  scratch.watches[fd].filters = kNoInterest;
  return modify(fd, token, interest);
}

Error Poller::modify(int fd, uint64_t token, uint8_t interest) noexcept {
  Scratch& scratch = *scratch_of(scratch_);
  if (fd < 0 || fd >= scratch.watch_count) return Error("kevent modify", ENOENT);
  Watch& watch = scratch.watches[fd];
  watch.token = token;
  if (const int code = change_filters(fd_, fd, watch.filters, interest)) return Error("kevent", code);
  watch.filters = interest;
  return {};
}

void Poller::remove(int fd) noexcept {
  Scratch& scratch = *scratch_of(scratch_);
  if (fd < 0 || fd >= scratch.watch_count) return;
  // One at a time, since a filter that is gone already (ENOENT) would end the list of changes.
  const uint8_t present = scratch.watches[fd].filters;
  (void)change_filters(fd_, fd, present & kReadable, kNoInterest);
  (void)change_filters(fd_, fd, present & kWritable, kNoInterest);
  scratch.watches[fd].filters = kNoInterest;
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
    const bool seen = watch.event_index < static_cast<uint32_t>(count) && scratch.owners[watch.event_index] == fd;
    if (!seen) {
      watch.event_index = static_cast<uint32_t>(count);
      scratch.owners[count] = fd;
      events_[count++] = {.token = watch.token, .readable = false, .writable = false, .hangup = false};
    }
    PollEvent& event = events_[watch.event_index];
    const bool writing = raw.filter == EVFILT_WRITE;
    event.readable |= !writing;
    event.writable |= writing;
    event.hangup |= (raw.flags & EV_ERROR) != 0 || (writing && (raw.flags & EV_EOF) != 0);
  }
  return count;
}

const char* Poller::name() noexcept { return "kqueue"; }

}  // namespace martlet::sys

#endif  // macOS and the BSDs
