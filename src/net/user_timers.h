// Timers of the user (loop.h: after, every), to the millisecond.
//
// A binary heap ordered by {deadline, order of adding} over a slot table of timers. Each timer knows its place in the
// heap, so cancel() takes it out at once. A timer is named by {slot, generation}: cancelling late is harmless.
//
// Tasks are never dropped (destroyed) while user code may be running: a finished or cancelled timer is retired, and
// reap(), which the reactor calls at its one safe point, drops the tasks. Hence a task may cancel itself, others,
// and add new ones. A timer added while run() runs waits for the next run(), so `after 0` cannot hold the loop.
// `every` does not drift (next = previous + interval) and skips what it missed. The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/slot_table.h"

namespace martlet::net {

// A callable without its type. `run` may be called many times, `drop` exactly once, after the last run. `run` may be
// null only in a task that is never added.
struct TimerTask {
  void (*run)(void* context) = nullptr;
  void (*drop)(void* context) = nullptr;  // null: nothing to free
  void* context = nullptr;
};

class UserTimers {
 public:
  using Id = base::SlotId;  // generation 0: no timer

  UserTimers() noexcept = default;
  // Drops all tasks.
  ~UserTimers();
  UserTimers(const UserTimers&) = delete;
  UserTimers& operator=(const UserTimers&) = delete;

  // Takes the task over and runs it once, or each interval_ms (0 counts as 1) from now. When memory is out the answer
  // has generation 0 and the task was dropped.
  Id after(uint64_t now_ns, uint64_t delay_ms, TimerTask task) noexcept;
  Id every(uint64_t now_ns, uint64_t interval_ms, TimerTask task) noexcept;

  // The task will not run (again). False when there was nothing to prevent: it ran its only time (or does so right
  // now), was cancelled, or never existed.
  bool cancel(Id id) noexcept;

  // Whether the timer will run (again).
  bool is_pending(Id id) const noexcept;

  // Runs at most `budget` tasks that are due, in the order of their deadlines; true when more are due. Not to be
  // called from a task.
  bool run(uint64_t now_ns, uint32_t budget) noexcept;

  // Drops the tasks of timers that are over. From outside of tasks.
  void reap() noexcept;

  // Nanoseconds until a task is due: 0 now, -1 when there is none.
  int64_t ns_until_next(uint64_t now_ns) const noexcept;

  size_t size() const noexcept { return heap_size_; }

 private:
  static constexpr uint32_t kNotInHeap = UINT32_MAX;

  struct Timer {
    uint32_t generation;
    uint32_t slot;
    uint32_t heap_index = kNotInHeap;
    uint64_t interval_ns = 0;  // 0: once
    TimerTask task;
    Timer* next_retired = nullptr;
  };
  struct Entry {
    uint64_t deadline_ns;
    uint64_t order;
    Timer* timer;
  };

  static bool is_before(const Entry& a, const Entry& b) noexcept {
    return a.deadline_ns != b.deadline_ns ? a.deadline_ns < b.deadline_ns : a.order < b.order;
  }
  Id add(uint64_t deadline_ns, uint64_t interval_ns, TimerTask task) noexcept;
  bool reserve() noexcept;
  void place(uint32_t index, const Entry& entry) noexcept;
  void sift_up(uint32_t index, const Entry& entry) noexcept;
  void sift_down(uint32_t index, const Entry& entry) noexcept;
  void take_out(Timer* timer) noexcept;
  void retire(Timer* timer) noexcept;

  base::SlotTable<Timer> timers_;
  Entry* heap_ = nullptr;
  uint32_t heap_size_ = 0;
  uint32_t heap_capacity_ = 0;
  uint64_t next_order_ = 0;
  Timer* retired_ = nullptr;
  bool running_ = false;
};

}  // namespace martlet::net
