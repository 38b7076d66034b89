// What is written to standard error until take(), which gives it and lets the rest through: for tests of report() and of what
// calls it. As much as a pipe holds.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace martlet::test {

class StderrText {
 public:
  StderrText() {
    int ends[2];
    if (::pipe(ends) != 0) return;
    read_ = ends[0];
    ::fcntl(read_, F_SETFL, O_NONBLOCK);
    before_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  StderrText(const StderrText&) = delete;
  StderrText& operator=(const StderrText&) = delete;
  ~StderrText() { (void)take(); }

  std::string take() {
    std::string text;
    if (before_ < 0) return text;
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    before_ = -1;
    char bytes[512];
    for (ssize_t got; (got = ::read(read_, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<size_t>(got));
    ::close(read_);
    return text;
  }

 private:
  int read_ = -1;
  int before_ = -1;
};

}  // namespace martlet::test
