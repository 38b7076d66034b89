// See children.h.
#include "sys/children.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "sys/clock.h"
#include "sys/log_line.h"
#include "sys/process.h"
#include "sys/syscalls.h"
#include "sys/thread.h"

namespace martlet::sys {

const int child_signal = SIGCHLD;
const int kill_signal = SIGKILL;

namespace {

bool supervised = false;  // written by the only thread of a new process

constexpr size_t kWatchStackBytes = size_t{128} << 10;

// Until something is to be read, which here is the end.
void wait_for_end(int fd) noexcept {
  pollfd end{fd, POLLIN, 0};
  while (::poll(&end, 1, -1) < 0 && errno == EINTR) {
  }
}

void wait_ms(uint64_t ms) noexcept {
  const uint64_t until_ns = monotonic_ns() + ms * 1'000'000;
  for (uint64_t now = monotonic_ns(); now < until_ns; now = monotonic_ns()) {
    const uint64_t left_ms = (until_ns - now) / 1'000'000 + 1;
    (void)::poll(nullptr, 0, static_cast<int>(left_ms < 60'000 ? left_ms : 60'000));
  }
}

}  // namespace

struct SignalsHeld::Mask {
  sigset_t before;
};

SignalsHeld::SignalsHeld() noexcept {
  static_assert(sizeof(Mask) <= sizeof mask_);
  auto* mask = new (mask_) Mask;
  sigset_t all;
  sigfillset(&all);  // a macro where Apple made it
  ::pthread_sigmask(SIG_SETMASK, &all, &mask->before);
}

SignalsHeld::~SignalsHeld() {
  ::pthread_sigmask(SIG_SETMASK, &std::launder(reinterpret_cast<Mask*>(mask_))->before, nullptr);
}

// Of the child's thread; never freed, as that may still run when the program's own destructors do.
struct Lifeline::Watch {
  int fd;
  uint64_t patience_ms;
  Thread thread;

  void run() const noexcept {
    wait_for_end(fd);
    log_line(LogLevel::warn, "supervise: the parent has died, this process ends");
    ::kill(::getpid(), SIGTERM);
    wait_ms(patience_ms);
    ::kill(::getpid(), SIGKILL);
  }
};

Lifeline::~Lifeline() {
  if (read_fd_ >= 0) syscalls.close(read_fd_);
  if (write_fd_ >= 0) syscalls.close(write_fd_);
}

Error Lifeline::open(uint64_t patience_ms) noexcept {
  int ends[2];
  if (syscalls.pipe(ends) < 0) return Error("pipe", errno);
  read_fd_ = ends[0];
  write_fd_ = ends[1];
  patience_ms_ = patience_ms;
  if (syscalls.set_flags(read_fd_) < 0 || syscalls.set_flags(write_fd_) < 0) return Error("pipe flags", errno);
  return {};
}

Error Lifeline::hold() noexcept {
  syscalls.close(std::exchange(write_fd_, -1));  // else we would keep ourselves and our siblings alive
  static Watch* watch;  // where leak checkers see it
  watch = new (std::nothrow) Watch{read_fd_, patience_ms_, {}};
  if (!watch) return Error("no memory to watch the parent");
  read_fd_ = -1;
  return watch->thread.start([](void* w) { static_cast<Watch*>(w)->run(); }, watch, kWatchStackBytes);
}

Result<int> fork_child() noexcept {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return Error("fork", errno);
  if (pid > 0) return static_cast<int>(pid);
  supervised = true;
  restore_descriptor_limit();
  ::setpgid(0, 0);
  return 0;
}

void exit_child(int status) noexcept {
  std::fflush(nullptr);
  ::_exit(status);
}

void send_signal(int pid, int number) noexcept { ::kill(pid, number); }

Ended collect(int pid) noexcept {
  int status = 0;
  pid_t got;
  do {
    got = ::waitpid(pid, &status, WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got != pid) return {};
  if (WIFSIGNALED(status)) return {.pid = pid, .status = 0, .signal = WTERMSIG(status)};
  return {.pid = pid, .status = WEXITSTATUS(status), .signal = 0};
}

bool is_supervised() noexcept { return supervised; }

}  // namespace martlet::sys
