// What a readiness backend owes the reactor. poller_epoll.cc and poller_kqueue.cc each implement the whole of it; the
// build takes both files and their guards leave one.
//
//   - Level-triggered: as long as a condition holds and is of interest, wait() reports it.
//   - Each descriptor at most once per wait(), its conditions merged (kqueue reports read and write apart).
//   - Conditions are normalised to readable, writable, hangup. End of stream is *readable*, never "close now": the
//     bytes before it must be read first. RDHUP is not registered, so half-closed is seen by recv() answering 0.
//   - `hangup` is an error or a hang-up of both directions. It is reported whatever the interest is, so an owner with
//     reading off must act at once, or it spins. With reading on, read first: `readable` in the same event may stand
//     for bytes that came before it. (kqueue without interest reports it once. While only reading is on, it cannot tell the
//     end of both directions from the end of the stream, and reports an error at most.)
//   - EINTR is zero events. Timeouts are rounded up to what the kernel counts in, so that no timer is early.
//   - The token is 64 bits of the owner's choosing, returned as given. An event that was fetched before its
//     descriptor was removed may still be delivered in the same batch: the owner recognises it by the token.
//   - Closing a descriptor removes it; remove() is for a descriptor that lives on.
//
// One thread, the worker's, except Waker::wake().
#pragma once

#include <martlet/error.h>

#include <cstdint>

namespace martlet::sys {

enum Interest : uint8_t { kNoInterest = 0, kReadable = 1, kWritable = 2 };

struct PollEvent {
  uint64_t token;
  bool readable;
  bool writable;
  bool hangup;
};

class Poller {
 public:
  static constexpr int kMaxBatch = 1024;

  Poller() noexcept = default;
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Error open() noexcept;
  // Forgets all descriptors; open() may follow.
  void close() noexcept;

  // `interest` is a sum of Interest values.
  Error add(int fd, uint64_t token, uint8_t interest) noexcept;
  Error modify(int fd, uint64_t token, uint8_t interest) noexcept;
  void remove(int fd) noexcept;

  // Waits at most timeout_ns (-1: for ever, 0: not at all). Fills events(), answers how many.
  int wait(int64_t timeout_ns) noexcept;
  const PollEvent& event(int index) const noexcept { return events_[index]; }

  // The kernel's own descriptor: readable when wait(0) would report something. For those who own the loop.
  int fd() const noexcept { return fd_; }

  static const char* name() noexcept;

 private:
  int fd_ = -1;
  void* scratch_ = nullptr;      // the kernel's event array
  PollEvent* events_ = nullptr;  // kMaxBatch of them
};

}  // namespace martlet::sys
