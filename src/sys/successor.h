// A new process of this program that takes the listening sockets over: the descriptors themselves, so that nothing that
// waits in an accept queue is lost. inherit.h is the other side. One thread; nothing here waits longer than it takes to
// fork, or to collect a process that has ended.
#pragma once

#include <martlet/error.h>

#include <cstdint>

namespace martlet::sys {

class Successor {
 public:
  enum class State : uint8_t {
    none,     // not started
    waiting,  // it has not reported yet
    ready,    // it serves: time to drain
    failed,   // it could not be started, or ended, or let go of the pipe, before it served; it is gone
  };

  Successor() noexcept = default;
  // A successor that is ready lives on. One that has not reported is killed: nobody would wait for it any more.
  ~Successor();
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  // Starts the remembered program (program.h) with the same arguments and our environment. The child has the given
  // sockets, the three standard descriptors and its end of a pipe, no other descriptor; an empty signal mask, default
  // actions but for the signals that were ignored when we were started, and the limit on descriptors of then. An error when it cannot fork; whether
  // the program could be run shows in read(). Not while one waits or is ready.
  Error start(const int* listeners, int count) noexcept;

  // Readable when read() has something to say; -1 when none waits.
  int ready_fd() const noexcept { return ready_fd_; }

  // What has become of it. A successor that failed has been reaped when this says so.
  State read() noexcept;
  State state() const noexcept { return state_; }

  // Why it failed: what exec said, or that it ended too early. No error in other states.
  Error error() const noexcept { return error_; }
  // Its exit status, 128 + the number of the signal that killed it, or -1 when it lives or nobody knows.
  int exit_status() const noexcept { return exit_status_; }

  // Its process id; 0 when there is none.
  int pid() const noexcept { return pid_; }

  // Ends one that takes too long, at once, and reaps it: failed. Nothing unless one waits.
  void kill() noexcept;

 private:
  void fail(Error error, bool by_force) noexcept;
  void let_go() noexcept;

  Error error_;
  int ready_fd_ = -1;
  int pid_ = 0;
  int exit_status_ = -1;
  State state_ = State::none;
};

}  // namespace martlet::sys
