// Child processes: forking, ending, and hearing of their end. From one thread, before there are others.
#pragma once

#include <martlet/error.h>

#include <cstdint>

namespace martlet::sys {

extern const int child_signal;  // SIGCHLD
extern const int kill_signal;

// While it lives no signal is delivered to this thread: what must not come between a fork and the child's first steps.
class SignalsHeld {
 public:
  SignalsHeld() noexcept;
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  struct Mask;
  alignas(16) unsigned char mask_[256];
};

// How children hear of their parent's death: a pipe that only the parent could write to, so that it ends with it, however
// it died and on every system. A thread of each child waits for that. It sends its process SIGTERM, and what has not
// ended after `patience_ms` it kills: a signal of the kernel's own for this (Linux, FreeBSD) is one, and can be ignored.
class Lifeline {
 public:
  Lifeline() noexcept = default;
  Lifeline(const Lifeline&) = delete;
  Lifeline& operator=(const Lifeline&) = delete;
  ~Lifeline();

  // In the parent, once; its children share it.
  Error open(uint64_t patience_ms) noexcept;
  // In the child, before anything else runs there. An error: it would outlive its parent.
  Error hold() noexcept;

 private:
  struct Watch;
  int read_fd_ = -1;
  int write_fd_ = -1;
  uint64_t patience_ms_ = 0;
};

// 0 in the child, which leads a process group of its own. Buffers of stdio are flushed before, so that nothing is printed
// twice.
Result<int> fork_child() noexcept;
// Ends the child at once: buffers of stdio are written, what the parent registered for its own end does not run.
[[noreturn]] void exit_child(int status) noexcept;

void send_signal(int pid, int number) noexcept;

// How a child ended.
struct Ended {
  int pid = 0;      // 0: none has
  int status = 0;   // its exit status, when `signal` is 0
  int signal = 0;   // that killed it
};
// Collects a child that has ended; does not wait.
Ended collect(int pid) noexcept;

// Whether this process, or one that it was forked from, came from fork_child().
bool is_supervised() noexcept;

}  // namespace martlet::sys
