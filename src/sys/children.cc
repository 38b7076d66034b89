// See children.h.
#include "sys/children.h"

#include "sys/process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#elif defined(__FreeBSD__)
#include <sys/procctl.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace martlet::sys {

const int child_signal = SIGCHLD;
const int kill_signal = SIGKILL;
const int user1_signal = SIGUSR1;

namespace {

bool supervised = false;  // written by the only thread of a new process

#if defined(__linux__)

void die_with_parent() noexcept { ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); }

#elif defined(__FreeBSD__)

void die_with_parent() noexcept {
  int number = SIGTERM;
  ::procctl(P_PID, 0, PROC_PDEATHSIG_CTL, &number);
}

#else

void die_with_parent() noexcept {}

#endif

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

Result<int> fork_child() noexcept {
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error("fork", errno);
  if (pid > 0) return static_cast<int>(pid);
  supervised = true;
  restore_descriptor_limit();
  ::setpgid(0, 0);
  die_with_parent();
  if (::getppid() != parent) ::_exit(1);  // it died before it could be watched
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
