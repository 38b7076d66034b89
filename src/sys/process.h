// The process around us: descriptors allowed, signals, random bytes.
#pragma once

#include <martlet/error.h>

#include <cstddef>
#include <cstdint>

namespace martlet::sys {

// Raises RLIMIT_NOFILE to its hard limit; answers the limit in force.
uint64_t raise_descriptor_limit() noexcept;

// Unpredictable bytes from the system.
void random_bytes(void* out, size_t size) noexcept;

// Blocks SIGPIPE in the calling thread: a write to a closed pipe is an error value, not a death.
void block_sigpipe() noexcept;

// The numbers of SIGTERM, SIGINT, SIGHUP and SIGUSR2.
extern const int terminate_signal;
extern const int interrupt_signal;
extern const int hangup_signal;
extern const int user2_signal;

// Signals as events of a loop. watch() installs a handler that writes the number into a pipe (the former action is kept
// and restored by the destructor); one watcher per process may watch a given signal.
class SignalWatcher {
 public:
  SignalWatcher() noexcept = default;
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  Error open() noexcept;
  Error watch(int signal_number) noexcept;
  int fd() const noexcept { return read_fd_; }
  // The next signal that came, or 0.
  int next() noexcept;

 private:
  int read_fd_ = -1;
  int write_fd_ = -1;
  uint64_t watched_ = 0;  // bit per signal number
};

}  // namespace martlet::sys
