// The heap behind user_timers.h.
//
// Invariants: a timer is in the heap or on the retired list (a timer that runs once is retired just before it runs); and
// timer->heap_index is its place in the heap, or kNotInHeap. An interval timer stays in the heap while it runs, already
// moved to its next deadline, so that cancelling it from its own task is the ordinary cancel.
#include "net/user_timers.h"

#include <cstring>

#include "base/alloc.h"
#include "base/check.h"

namespace martlet::net {

namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kLongestMs = uint64_t{1} << 42;  // 139 years: no overflow of nanoseconds

uint64_t ns_of(uint64_t ms) noexcept { return (ms < kLongestMs ? ms : kLongestMs) * kNsPerMs; }

void drop_task(const TimerTask& task) noexcept {
  if (task.drop) task.drop(task.context);
}

}  // namespace

UserTimers::~UserTimers() {
  MARTLET_CHECK(!running_);
  // Dropping a task may run a destructor of the user's that cancels or even adds; so each is taken out first.
  do {
    reap();
    while (heap_size_ > 0) take_out(heap_[heap_size_ - 1].timer);
  } while (retired_);
  base::deallocate(heap_);
}

UserTimers::Id UserTimers::after(uint64_t now_ns, uint64_t delay_ms, TimerTask task) noexcept {
  return add(now_ns + ns_of(delay_ms), 0, task);
}

UserTimers::Id UserTimers::every(uint64_t now_ns, uint64_t interval_ms, TimerTask task) noexcept {
  const uint64_t interval_ns = ns_of(interval_ms > 0 ? interval_ms : 1);
  return add(now_ns + interval_ns, interval_ns, task);
}

UserTimers::Id UserTimers::add(uint64_t deadline_ns, uint64_t interval_ns, TimerTask task) noexcept {
  Timer* timer = reserve() ? timers_.create() : nullptr;
  if (!timer) {
    drop_task(task);
    return {};
  }
  timer->interval_ns = interval_ns;
  timer->task = task;
  sift_up(heap_size_++, {.deadline_ns = deadline_ns, .order = next_order_++, .timer = timer});
  return {.slot = timer->slot, .generation = timer->generation};
}

bool UserTimers::cancel(Id id) noexcept {
  Timer* timer = timers_.find(id);
  if (!timer || timer->heap_index == kNotInHeap) return false;
  take_out(timer);
  return true;
}

bool UserTimers::is_pending(Id id) const noexcept {
  const Timer* timer = timers_.find(id);
  return timer && timer->heap_index != kNotInHeap;
}

bool UserTimers::run(uint64_t now_ns, uint32_t budget) noexcept {
  MARTLET_CHECK(!running_);
  running_ = true;
  // Deadlines of what is added from here on are no earlier than those that are due, so the first new one on top means
  // that the old ones are done.
  const uint64_t first_new = next_order_;
  while (heap_size_ > 0 && heap_[0].deadline_ns <= now_ns && heap_[0].order < first_new && budget-- > 0) {
    Entry entry = heap_[0];
    Timer* timer = entry.timer;
    if (timer->interval_ns > 0) {
      const uint64_t missed = (now_ns - entry.deadline_ns) / timer->interval_ns;
      entry.deadline_ns += (missed + 1) * timer->interval_ns;
      sift_down(0, entry);
    } else {
      take_out(timer);
    }
    timer->task.run(timer->task.context);
  }
  running_ = false;
  return heap_size_ > 0 && heap_[0].deadline_ns <= now_ns;
}

void UserTimers::reap() noexcept {
  MARTLET_CHECK(!running_);
  while (Timer* timer = retired_) {
    retired_ = timer->next_retired;
    const TimerTask task = timer->task;
    timers_.destroy(timer);
    drop_task(task);
  }
}

int64_t UserTimers::ns_until_next(uint64_t now_ns) const noexcept {
  if (heap_size_ == 0) return -1;
  return heap_[0].deadline_ns > now_ns ? static_cast<int64_t>(heap_[0].deadline_ns - now_ns) : 0;
}

// Room for one more entry.
bool UserTimers::reserve() noexcept {
  if (heap_size_ < heap_capacity_) return true;
  const uint32_t capacity = heap_capacity_ ? heap_capacity_ * 2 : 16;
  auto* grown = static_cast<Entry*>(base::allocate(sizeof(Entry) * capacity));
  if (!grown) return false;
  if (heap_size_ > 0) std::memcpy(grown, heap_, sizeof(Entry) * heap_size_);
  base::deallocate(heap_);
  heap_ = grown;
  heap_capacity_ = capacity;
  return true;
}

void UserTimers::place(uint32_t index, const Entry& entry) noexcept {
  heap_[index] = entry;
  entry.timer->heap_index = index;
}

// Finds the place of `entry` from a free place upwards.
void UserTimers::sift_up(uint32_t index, const Entry& entry) noexcept {
  while (index > 0) {
    const uint32_t parent = (index - 1) / 2;
    if (!is_before(entry, heap_[parent])) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, entry);
}

// Finds the place of `entry` from a free place downwards.
void UserTimers::sift_down(uint32_t index, const Entry& entry) noexcept {
  for (;;) {
    uint32_t child = 2 * index + 1;
    if (child >= heap_size_) break;
    if (child + 1 < heap_size_ && is_before(heap_[child + 1], heap_[child])) child++;
    if (!is_before(heap_[child], entry)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

// Removes from the heap: the last entry takes the free place and moves from there to where it belongs.
void UserTimers::take_out(Timer* timer) noexcept {
  const uint32_t index = timer->heap_index;
  const Entry last = heap_[--heap_size_];
  timer->heap_index = kNotInHeap;
  if (last.timer != timer) {
    const bool goes_up = index > 0 && is_before(last, heap_[(index - 1) / 2]);
    goes_up ? sift_up(index, last) : sift_down(index, last);
  }
  retire(timer);
}

void UserTimers::retire(Timer* timer) noexcept {
  timer->next_retired = retired_;
  retired_ = timer;
}

}  // namespace martlet::net
