// A thread with a stack of a chosen size, on a processor of choice, that takes none of the program's signals: SIGTERM
// reaches the thread that waits for it. The object belongs to the thread that started it; it stays where it is while
// the thread runs.
#pragma once

#include <martlet/error.h>
#include <pthread.h>

#include <cstddef>

namespace martlet::sys {

class Thread {
 public:
  using Run = void (*)(void* context);
  static constexpr int kAnyProcessor = -1;

  Thread() noexcept = default;
  ~Thread();  // of a thread that has been joined or never started; anything else is a programmer's error
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Runs `run(context)` on a new thread. `stack_bytes` is rounded up to whole pages and to what the system needs; 0 is
  // the system's default. `processor` is the number of the one processor to run on, as allowed_processors() lists them.
  // A processor that cannot be had is no error: see pinned(). All signals are blocked in the thread, except those that
  // a fault of its own raises (SIGSEGV and the like). After an error nothing runs, and start() may be tried again.
  Error start(Run run, void* context, size_t stack_bytes = 0, int processor = kAnyProcessor) noexcept;

  // Whether there is a thread that join() has not waited for yet.
  bool joinable() const noexcept { return joinable_; }
  // Waits until `run` has returned. Of a joinable thread only.
  void join() noexcept;

  // Whether the thread runs on the processor asked for, and no other. Known when start() returns; false for
  // kAnyProcessor, and on systems without such masks (all but Linux and FreeBSD).
  bool pinned() const noexcept { return pinned_; }

 private:
  static void* enter(void* self) noexcept;

  Run run_ = nullptr;
  void* context_ = nullptr;
  pthread_mutex_t gate_ = PTHREAD_MUTEX_INITIALIZER;  // held by start() until the thread is where it belongs
  pthread_t thread_{};
  bool joinable_ = false;
  bool pinned_ = false;
};

}  // namespace martlet::sys
