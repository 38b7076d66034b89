// How other threads reach a worker: an inbox of messages that run on it, and the flag that decides about waking it.
//
// Posting is lock-free: a push onto a list that the worker takes whole and turns round, so that what one thread posts
// runs in the order in which it was posted. Posting allocates nothing; a Mail is part of whatever is posted.
//
// No wake-up is lost and few are made. Producer: push, then look at the `sleeping` flag, and wake if this thread was
// the one to clear it. Worker: set the flag, then look at the inbox once more, then poll. Both sides write first and
// read second, with sequentially consistent operations, so at least one of them sees the other's write; and of many
// producers one makes the system call.
//
// An inbox outlives its worker (worker_registry.h). It begins and ends closed; a closed inbox refuses mail.
// Workers of one Server have rings to each other besides (lanes.h); one gate stands for all ways into a worker.
// What a worker that does not turn may be kept waiting with is bounded: messages (Mail::bytes) are refused above
// kMostWaiting. Commands are small, and never refused. Those that end a worker are a part of its inbox (Order): they
// arrive also when memory is out.
// post() and notify() from any thread, everything else on the worker's.
#pragma once

#include <martlet/error.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/ring.h"
#include "sys/waker.h"

namespace martlet::net {

// A message, embedded in a larger struct. Exactly one of `run` and `drop` is called, once, and either frees it.
struct Mail {
  Mail* next = nullptr;
  size_t bytes = 0;  // of a message that may be refused when its worker lags; 0: a command, which must not be lost
  void (*run)(Mail* mail, void* worker) = nullptr;
  // Its worker has closed before it ran.
  void (*drop)(Mail* mail) = nullptr;
};

// A command that is never lost for want of memory. It is on its way once at a time: whoever has to give it fills it in
// and posts it when take() says so, else the one that is on its way stands for it. Its `run` and `drop` give it back by
// leave(), when they have read what it says.
struct Order final : Mail {
  std::atomic<bool> given{false};
  alignas(std::max_align_t) unsigned char words[32];  // what it says

  [[nodiscard]] bool take() noexcept { return !given.exchange(true, std::memory_order_acquire); }
  void leave() noexcept { given.store(false, std::memory_order_release); }
};

// Decides whether a worker must be woken, and wakes it.
class WakeGate {
 public:
  WakeGate() noexcept = default;
  WakeGate(const WakeGate&) = delete;
  WakeGate& operator=(const WakeGate&) = delete;

  Error open() noexcept;
  // Waits for threads that are about to wake the worker, then gives the descriptor back.
  void close() noexcept;

  // Any thread, after it has made its work visible by a sequentially consistent write.
  void notify() noexcept {
    if (sleeping_.load(std::memory_order_seq_cst)) wake();
  }

  // Before polling: from here on notify() wakes. The worker must look for work once more after this, by sequentially
  // consistent reads, and not sleep if there is some.
  void announce_sleep() noexcept { sleeping_.store(true, std::memory_order_seq_cst); }
  // After polling, or instead of it. Makes the descriptor unreadable if `woken` (the poller reported it).
  void awake(bool woken) noexcept;

  // For the poller; -1 while closed.
  int fd() const noexcept { return waker_ ? waker_->fd() : -1; }

 private:
  void wake() noexcept;

  std::atomic<bool> sleeping_{false};
  std::atomic<uint32_t> wakes_in_flight_{0};
  sys::Waker* waker_ = nullptr;  // made by open(); written only while nobody can be in wake()
};

enum class Posted : uint8_t {
  yes,
  closed,  // that worker is over
  full,    // too much waits for it
};

class Lanes;

class alignas(base::kCacheLine) Inbox {
 public:
  static constexpr size_t kMostWaiting = size_t{64} << 20;  // bytes of messages

  Inbox() noexcept : pushed_(&closed_mark) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread, a moment's view: whether mail is taken.
  bool is_open() const noexcept { return pushed_.load(std::memory_order_seq_cst) != &closed_mark; }

  // Any thread: `mail` will run on the worker, or be dropped when the worker closes first. When the answer is not yes,
  // the mail is still the caller's.
  [[nodiscard]] Posted post(Mail* mail) noexcept;

  // Any thread: that a message was refused because the worker lags, and how often that was.
  void count_refused(uint64_t messages = 1) noexcept { refused_.fetch_add(messages, std::memory_order_relaxed); }
  uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

  // The rest on the worker's thread ---------------------------------------------------------------------------------

  // The worker's number. A worker of a Server has a seat among the lanes of its group, and `first` is the number of the
  // one on seat 0; a worker on its own is its own first.
  Error open(uint32_t worker, uint32_t first = 0, Lanes* lanes = nullptr) noexcept;
  // Drops what has not run; posting fails from here on. Harmless when repeated.
  void close() noexcept;

  // Runs at most `budget` messages in order, oldest first; true when more are waiting. What is posted meanwhile
  // waits for the next call. A message may post, and may close the inbox.
  bool deliver(void* worker, uint32_t budget) noexcept;

  // True when the worker may sleep in its poller now; false when there is mail. Call awake() afterwards either way.
  [[nodiscard]] bool try_sleep() noexcept;
  // After polling; `woken` when the poller reported wake_fd().
  void awake(bool woken) noexcept { gate_.awake(woken); }

  bool has_mail() const noexcept;
  int wake_fd() const noexcept { return gate_.fd(); }
  WakeGate& gate() noexcept { return gate_; }
  // The worker's number in worker_registry.h; kept after close(). Any thread that got the number of a worker.
  uint32_t worker() const noexcept { return worker_; }
  uint32_t first() const noexcept { return first_; }
  uint32_t members() const noexcept { return members_; }

  // For any thread, by worker/orders.h.
  Order drain_order;
  Order end_order;
  Order close_all_order;

 private:
  static Mail closed_mark;  // stands in pushed_ for "closed"; never run

  static bool is_mail(const Mail* pushed) noexcept { return pushed && pushed != &closed_mark; }
  void take_pushed() noexcept;

  std::atomic<Mail*> pushed_;  // newest first
  std::atomic<size_t> waiting_bytes_{0};
  std::atomic<uint64_t> refused_{0};
  WakeGate gate_;
  alignas(base::kCacheLine) Mail* taken_ = nullptr;  // oldest first; the worker's alone
  Lanes* lanes_ = nullptr;
  uint32_t worker_ = 0;
  uint32_t first_ = 0;
  uint32_t members_ = 0;  // of its group, itself included
};

}  // namespace martlet::net
