// What the workers of one Server share: the lanes between them, the directory of who has whom, and, for each, what others
// may look at while it runs. Made before the first worker and destroyed after the last one's thread has ended.
//
// A worker's thread *sits down* before it makes its App: the App then becomes the worker of that seat.
#pragma once

#include <martlet/stats.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "worker/common.h"
#include "worker/directory.h"
#include "base/ring.h"
#include "net/lanes.h"
#include "sys/waker.h"

namespace martlet::worker {

struct Worker;

// Counters as their owner has last shown them; read by any thread.
class ShownStats {
 public:
  void show(const Stats& now) noexcept {
    const auto words = std::bit_cast<Words>(now);
    for (size_t i = 0; i < words.size(); i++) words_[i].store(words[i], std::memory_order_relaxed);
  }
  void add_to(Stats& sum) const noexcept {
    auto words = std::bit_cast<Words>(sum);
    for (size_t i = 0; i < words.size(); i++) words[i] += words_[i].load(std::memory_order_relaxed);
    sum = std::bit_cast<Stats>(words);
  }

 private:
  using Words = std::array<uint64_t, sizeof(Stats) / sizeof(uint64_t)>;
  std::array<std::atomic<uint64_t>, sizeof(Stats) / sizeof(uint64_t)> words_{};
};

// Messages that wait for clients who are away (realtime/client_directory.h), of all workers together.
struct QueueCounts {
  std::atomic<uint64_t> waiting{0};
  std::atomic<uint64_t> dropped{0};
  std::atomic<uint64_t> expired{0};
  void show(Stats& stats) const noexcept {
    stats.queued_messages = waiting.load(std::memory_order_relaxed);
    stats.queue_dropped = dropped.load(std::memory_order_relaxed);
    stats.queue_expired = expired.load(std::memory_order_relaxed);
  }
};

// How connections find their worker, beyond what the kernel does.
enum class Placing : uint8_t {
  stay,   // where they were accepted
  even,   // a worker that has clearly more than another gives new ones away
  least,  // always to the one that has fewest: only one worker accepts
};

struct alignas(base::kCacheLine) Seat {
  std::atomic<uint32_t> connections{0};  // open, or on their way here
  // Since when the turn under way runs; 0 while the worker sleeps. And what it calls.
  std::atomic<uint64_t> turn_since_ns{0};
  std::atomic<const std::string*> calling{nullptr};
  ShownStats stats;
};

struct Group {
  // Null when memory is out.
  static std::unique_ptr<Group> make(uint32_t workers, uint32_t first) noexcept;

  // Adds the counters of a worker as it has last shown them; but what is refused it, which is most when it shows nothing.
  void add_stats(uint32_t seat, Stats& sum) const noexcept;

  uint32_t first = 0;  // the number of the worker on seat 0
  uint32_t workers = 0;
  Placing placing = Placing::stay;
  bool watched = false;                   // somebody looks at turn_since_ns
  std::atomic<uint32_t> connections{0};   // of all, below the limit
  // A worker begins to drain, or ends: it is about to close its listeners. Waits for a restart that hands them over.
  // True for the first one. It is since 0 where nothing is waited for.
  bool begin_drain(uint64_t since, uint64_t cut_at) noexcept {
    const std::lock_guard lock(listeners);
    cut_at_ns.store(cut_at, std::memory_order_relaxed);
    if (since) drain_since_ns.store(since, std::memory_order_relaxed);
    if (draining.exchange(true, std::memory_order_seq_cst)) return false;
    if (control) control->wake();
    return true;
  }
  sys::Waker* control = nullptr;  // of the thread that waits for the workers
  std::mutex listeners;  // while it is held, all that listened at its beginning goes on listening
  std::atomic<bool> draining{false};
  std::atomic<uint64_t> cut_at_ns{0};
  std::atomic<uint64_t> drain_since_ns{0};
  std::atomic<uint32_t> cut_connections{0};  // of the workers that have ended
  std::unique_ptr<Seat[]> seats;
  std::atomic<const QueueCounts*> queue_counts{nullptr};  // in `common`
  Common common;
  Directory directory;
  std::unique_ptr<net::Lanes> lanes;  // goes first: mail that it drops may look at the others
};

// The seat of this thread; the App that is made next on it takes it.
struct Place {
  Group* group = nullptr;
  uint32_t seat = 0;
  bool taken = false;
  Worker* worker = nullptr;
  bool setting_up = false;  // the user's function runs that sets the worker up
};
extern thread_local constinit Place place_;

}  // namespace martlet::worker
