// A part of a test in a child process: for descriptors with given numbers, signals, and what stays changed afterwards.
// While no other thread runs.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

namespace martlet::test {

// Leaves the function with the number of the line, unless the condition holds.
#define MARTLET_EXPECT(condition) \
  do {                            \
    if (!(condition)) return __LINE__; \
  } while (0)

// Answers what the function answers in the child: 0, or the line of the expectation that failed; -1 when it died.
inline int in_child(const std::function<int()>& part) {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  // Out of the way of descriptors with given numbers.
  const int report = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
  ::close(ends[1]);
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int number : {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
    ::close(ends[0]);
    const int line = part();
    ::_exit(::write(report, &line, sizeof line) == sizeof line ? 0 : 1);
  }
  ::close(report);
  int line = -1;
  if (::read(ends[0], &line, sizeof line) != sizeof line) line = -1;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return line;
}

}  // namespace martlet::test
