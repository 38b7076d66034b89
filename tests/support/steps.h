// How many instructions a function takes: a child process is stepped through it one by one, which repeats exactly, as time does
// not. Linux, without sanitizers; elsewhere, and where processes cannot be stepped, the answer is 0.
#pragma once

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define MARTLET_TEST_CAN_STEP 1
#endif
#else
#define MARTLET_TEST_CAN_STEP 1
#endif
#endif

#if defined(MARTLET_TEST_CAN_STEP)
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace martlet::test {

#if defined(MARTLET_TEST_CAN_STEP)

// `fn` is called twice: what the loader does for a first call is not counted. Includes what the two stops take.
template <typename F>
long count_steps(const F& fn) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(3);
    fn();
    ::raise(SIGSTOP);
    fn();
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  const auto stopped_by = [](int status, int signal) { return WIFSTOPPED(status) && WSTOPSIG(status) == signal; };
  int status = 0;
  long count = 0;
  if (::waitpid(child, &status, 0) == child && stopped_by(status, SIGSTOP)) {
    while (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0 && ::waitpid(child, &status, 0) == child && stopped_by(status, SIGTRAP)) count++;
    if (!stopped_by(status, SIGSTOP)) count = 0;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return count;
}

#else

template <typename F>
long count_steps(const F&) {
  return 0;
}

#endif

}  // namespace martlet::test
