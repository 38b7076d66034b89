// The pool of threads behind offload() (task.h): what blocks, or takes long, is called there. One for the workers of a
// Server, or for an App; its threads start as they are needed, and end with the last worker that has offloaded.
//
// A job lies in the frame of the coroutine that waits for it, and so do what it is to call and its result: nothing is
// allocated. Hence the frame stays until the job is back, and whoever must go before takes the job out of the queue, or
// waits until it has returned. What comes back is handed to the worker by its mail.
// Queue, stages and the lists of what has returned are under the pool's mutex; `pool` of a job is its worker's alone.
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include "sys/log_line.h"
#include "sys/thread.h"
#include "worker/orders.h"
#include "worker/tasks.h"

namespace martlet {

namespace detail {

namespace {
enum Stage : int { kQueued, kRunning, kReturned };
}

class OffloadPool {
 public:
  static constexpr uint32_t kMostThreads = 256;
  static constexpr uint32_t kMostWaiting = 1024;
  static constexpr size_t kStackBytes = size_t{1} << 20;  // as ServerOptions::stack_bytes

  OffloadPool(uint32_t group, uint32_t threads) noexcept : group_(group), most_(threads < 1 ? 1 : threads > kMostThreads ? kMostThreads : threads) {}

  // Of the workers that belong together. Null when memory is out.
  static OffloadPool* acquire(uint32_t group, uint32_t threads) noexcept;
  void release() noexcept;

  bool submit(OffloadJob& job) noexcept;
  // False when it has begun.
  bool take_back(OffloadJob& job) noexcept;
  // Takes it back, or waits until it has returned.
  void withdraw(OffloadJob& job) noexcept;
  // The mail about what has returned has come: the next one is posted again.
  void take_mail(worker::Tasks& part) noexcept {
    const std::lock_guard lock(mutex_);
    part.returned_posted = false;
  }
  // The next one that has returned to this worker; null when there is none.
  OffloadJob* next_returned(worker::Tasks& part) noexcept;

 private:
  static worker::Tasks& part_of(const OffloadJob& job) noexcept { return job.waiting->root->part; }
  void work() noexcept;
  void hand_over(OffloadJob& job, worker::Tasks& part) noexcept;
  bool start_thread() noexcept;
  static bool unlink(OffloadJob*& first, OffloadJob*& last, OffloadJob& job) noexcept;
  static void append(OffloadJob*& first, OffloadJob*& last, OffloadJob& job) noexcept;

  const uint32_t group_;
  const uint32_t most_;
  uint32_t users_ = 0;
  OffloadPool* next_pool_ = nullptr;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable returned_;
  OffloadJob* first_ = nullptr;
  OffloadJob* last_ = nullptr;
  uint32_t waiting_ = 0;
  uint32_t idle_ = 0;
  uint32_t started_ = 0;
  bool over_ = false;
  sys::Thread threads_[kMostThreads];

  static constinit std::mutex pools_mutex_;
  static constinit OffloadPool* pools_;
};

constinit std::mutex OffloadPool::pools_mutex_;
constinit OffloadPool* OffloadPool::pools_ = nullptr;

OffloadPool* OffloadPool::acquire(uint32_t group, uint32_t threads) noexcept {
  const std::lock_guard lock(pools_mutex_);
  OffloadPool* pool = pools_;
  while (pool && pool->group_ != group) pool = pool->next_pool_;
  if (!pool) {
    pool = base::create<OffloadPool>(group, threads);
    if (!pool) return nullptr;
    pool->next_pool_ = std::exchange(pools_, pool);
  }
  pool->users_++;
  return pool;
}

// No job of the caller's is left.
void OffloadPool::release() noexcept {
  {
    const std::lock_guard lock(pools_mutex_);
    if (--users_ > 0) return;
    OffloadPool** link = &pools_;
    while (*link != this) link = &(*link)->next_pool_;
    *link = next_pool_;
  }
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  work_.notify_all();
  for (uint32_t i = 0; i < started_; i++) threads_[i].join();
  base::destroy(this);
}

void OffloadPool::append(OffloadJob*& first, OffloadJob*& last, OffloadJob& job) noexcept {
  job.next = nullptr;
  (first ? last->next : first) = &job;
  last = &job;
}

bool OffloadPool::unlink(OffloadJob*& first, OffloadJob*& last, OffloadJob& job) noexcept {
  OffloadJob* before = nullptr;
  for (OffloadJob* j = first; j; before = j, j = j->next) {
    if (j != &job) continue;
    (before ? before->next : first) = job.next;
    if (last == &job) last = before;
    return true;
  }
  return false;
}

// The mutex is held. That the system has no more threads is no failure while there is one.
bool OffloadPool::start_thread() noexcept {
  if (started_ == most_) return true;
  const Error error = threads_[started_].start([](void* self) { static_cast<OffloadPool*>(self)->work(); }, this, kStackBytes);
  if (!error) return started_++, true;
  sys::log_limited(LogLevel::error, "no thread for offload()", error.what());
  return started_ > 0;
}

bool OffloadPool::submit(OffloadJob& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (waiting_ >= kMostWaiting) return false;
  if (idle_ <= waiting_ && !start_thread()) return false;
  job.pool = this;
  job.stage = kQueued;
  append(first_, last_, job);
  waiting_++;
  work_.notify_one();
  return true;
}

void OffloadPool::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!first_ && !over_) {
      idle_++;
      work_.wait(lock);
      idle_--;
    }
    if (!first_) return;
    OffloadJob& job = *first_;
    unlink(first_, last_, job);
    waiting_--;
    job.stage = kRunning;
    lock.unlock();
    worker::Tasks& part = part_of(job);
    job.call(job);
    lock.lock();
    hand_over(job, part);
  }
}

// The mutex is held: the worker does not end meanwhile, as it would wait for this job first.
void OffloadPool::hand_over(OffloadJob& job, worker::Tasks& part) noexcept {
  job.stage = kReturned;
  append(part.returned, part.returned_last, job);
  if (!std::exchange(part.returned_posted, true)) worker::post_mail(part.worker.number, &part.returned_mail);
  returned_.notify_all();
}

bool OffloadPool::take_back(OffloadJob& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (job.stage != kQueued) return false;
  unlink(first_, last_, job);
  waiting_--;
  job.pool = nullptr;
  return true;
}

void OffloadPool::withdraw(OffloadJob& job) noexcept {
  if (take_back(job)) return;
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&job] { return job.stage == kReturned; });
  worker::Tasks& part = part_of(job);
  unlink(part.returned, part.returned_last, job);
  job.pool = nullptr;
}

OffloadJob* OffloadPool::next_returned(worker::Tasks& part) noexcept {
  const std::lock_guard lock(mutex_);
  OffloadJob* job = part.returned;
  if (!job) return nullptr;
  unlink(part.returned, part.returned_last, *job);
  job->pool = nullptr;
  return job;
}

namespace {

constexpr worker::Tasks::Offloading kOffloading{
    [](OffloadJob& job) noexcept {
      TaskRoot& root = *job.waiting->root;
      if (!job.pool->take_back(job)) return false;
      root.job = nullptr;
      return true;
    },
    [](worker::Tasks& part) noexcept {
      if (part.pool) std::exchange(part.pool, nullptr)->release();
    }};

void take_returned(net::Mail*, void* worker) {
  worker::Tasks& part = *static_cast<worker::Worker*>(worker)->parts.find<worker::Tasks>();
  part.pool->take_mail(part);
  while (OffloadJob* job = part.pool->next_returned(part)) {
    TaskRoot& root = *job->waiting->root;
    root.job = nullptr;
    root.destroyed_later ? part.destroy(root) : go_on(*job->waiting, root.calls.resume);
  }
}

}  // namespace

bool begin_offload(OffloadJob& job) noexcept {
  TaskRoot& root = needed(*job.waiting);
  worker::Tasks& part = root.part;
  part.offloading = &kOffloading;
  if (!part.pool) {
    part.returned_mail.run = take_returned;
    part.returned_mail.drop = [](net::Mail*) {};
    part.pool = OffloadPool::acquire(part.worker.first, part.worker.options.offload_threads);
  }
  if (!part.pool || !part.pool->submit(job)) return false;
  root.job = &job;
  return true;
}

void end_offload(OffloadJob& job) noexcept {
  TaskRoot& root = *job.waiting->root;
  job.pool->withdraw(job);
  root.job = nullptr;
}

void refuse_offload(TaskRoot* root) noexcept { worker::note_due(*root, worker::Due::refused); }

}  // namespace detail

}  // namespace martlet
