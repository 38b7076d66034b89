// Mistakes that only the programmer can make abort: some always, some in debug builds.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

namespace martlet::test {

#if defined(MARTLET_DEBUG) && MARTLET_DEBUG
inline constexpr bool kDebugBuild = true;
#else
inline constexpr bool kDebugBuild = false;
#endif

// Whether a process that does this aborts (with a message, which is not shown). For calls while no other thread runs.
inline bool aborts(const std::function<void()>& mistake) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);
    if (!std::freopen("/dev/null", "w", stderr)) ::_exit(2);
    mistake();
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace martlet::test
