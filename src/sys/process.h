// The process around us: descriptors allowed, signals, random bytes.
#pragma once

#include <martlet/error.h>

#include <cstddef>
#include <cstdint>

namespace martlet::sys {

// RLIMIT_NOFILE, the soft limit in force.
uint64_t descriptor_limit() noexcept;

// Raises it for somebody who needs this many, in addition to what others have claimed and not released, as far as the hard
// limit lets; kAllDescriptors: to that. It is never lowered. Answers the limit in force. Any thread.
inline constexpr uint64_t kAllDescriptors = uint64_t{1} << 40;
uint64_t claim_descriptors(uint64_t count) noexcept;
void release_descriptors(uint64_t count) noexcept;

// In a new process: the soft limit is what it was before we first raised it. May be called between fork and exec.
void restore_descriptor_limit() noexcept;

// Unpredictable bytes from the system.
void random_bytes(void* out, size_t size) noexcept;

// Blocks SIGPIPE in the calling thread: a write to a closed pipe is an error value, not a death.
void block_sigpipe() noexcept;

// The numbers of SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2.
extern const int terminate_signal;
extern const int interrupt_signal;
extern const int hangup_signal;
extern const int user1_signal;
extern const int user2_signal;

// Signals as events of a loop. watch() installs a handler that writes the number into a pipe; the former action is kept, and
// restored when the last watcher of that signal goes. Several watchers of a process, on any threads, may watch the same
// signal: each is told.
class SignalWatcher {
 public:
  SignalWatcher() noexcept = default;
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  static constexpr int kMost = 256;  // watchers of a process that watch anything

  Error open() noexcept;
  // One that was ignored before anybody watched it stays ignored (nohup, a shell's `&`): no error; see ignored().
  Error watch(int signal_number) noexcept;
  // The same, though it was ignored: of signals that say what others do to us, not what they want from us.
  Error watch_always(int signal_number) noexcept;
  // Whether watch() has left this signal ignored.
  bool ignored(int signal_number) const noexcept;
  int fd() const noexcept { return read_fd_; }
  // The next signal that came, or 0.
  int next() noexcept;

 private:
  Error add(int signal_number, bool always) noexcept;
  bool take_slot() noexcept;

  int read_fd_ = -1;
  int write_fd_ = -1;
  int slot_ = -1;
  uint64_t watched_ = 0;  // bit per signal number
  uint64_t ignored_ = 0;
};

}  // namespace martlet::sys
