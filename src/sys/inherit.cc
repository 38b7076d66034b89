// Both ways in which listening sockets arrive have the same shape: the environment names descriptors and the process they
// are meant for. That process id is what keeps a grandchild, which inherits the environment but not the
// descriptors, from taking whatever has their numbers there.
#include "sys/inherit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sys/port_claim.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

constexpr int kFirstOfSystemd = 3;  // SD_LISTEN_FDS_START

int ready_pipe = -1;
std::vector<int> claims;  // that came with the listeners, until they are asked for

// The value of a variable, which is gone then; empty when it was unset.
std::string take_variable(const char* name) noexcept {
  const char* value = std::getenv(name);
  if (!value) return {};
  std::string text = value;
  ::unsetenv(name);
  return text;
}

// Reads a whole number that is not negative off the front of the text; -1 when there is none.
int take_number(std::string_view& text) noexcept {
  int number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || number < 0) return -1;
  text.remove_prefix(static_cast<size_t>(stop - text.data()));
  return number;
}

int whole_number(std::string_view text) noexcept {
  const int number = take_number(text);
  return text.empty() ? number : -1;
}

bool take_character(std::string_view& text, char wanted) noexcept {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

// macOS has no answer to SO_ACCEPTCONN; a stream socket without a peer passes there.
bool is_listening_stream(int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  if (syscalls.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return false;
  int listens = 0;
  size = sizeof listens;
  if (syscalls.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0) return listens != 0;
  sockaddr_storage peer;
  size = sizeof peer;
  return errno == ENOPROTOOPT && syscalls.getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0;
}

// Collects listening sockets, and the claims on their ports; what is neither is left alone.
struct Taken {
  int* out;
  int max;
  int count = 0;

  void add(int fd) noexcept {
    if (!is_listening_stream(fd)) return keep_claim(fd);
    if (count == max || syscalls.set_flags(fd) != 0) {
      syscalls.close(fd);
    } else {
      out[count++] = fd;
    }
  }
  static void keep_claim(int fd) noexcept {
    if (is_claim(fd) && syscalls.set_flags(fd) == 0) claims.push_back(fd);
  }
};

bool pipe_signal_waits() noexcept {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

}  // namespace

int inherited_listeners(int* out, int max) noexcept {
  const std::string pid = take_variable("LISTEN_PID");
  const std::string descriptors = take_variable("LISTEN_FDS");
  (void)take_variable("LISTEN_FDNAMES");
  if (pid.empty() || whole_number(pid) != static_cast<int>(::getpid())) return 0;
  const int count = whole_number(descriptors);
  if (count < 0 || count > INT_MAX - kFirstOfSystemd) return 0;
  Taken taken{.out = out, .max = max};
  for (int fd = kFirstOfSystemd; fd < kFirstOfSystemd + count; fd++) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) break;  // none of that number: the count is wrong, and could be any
    taken.add(fd);
  }
  return taken.count;
}

int take_over(int* listeners, int max) noexcept {
  const std::string variable = take_variable(kTakeOverVariable);
  std::string_view text = variable;
  if (take_number(text) != static_cast<int>(::getpid()) || !take_character(text, ':')) return 0;
  const int ready = take_number(text);
  if (ready < 0 || !take_character(text, ':') || syscalls.set_flags(ready) != 0) return 0;
  ready_pipe = ready;
  Taken taken{.out = listeners, .max = max};
  do {
    const int fd = take_number(text);
    if (fd < 0) break;
    taken.add(fd);
  } while (take_character(text, ','));
  return taken.count;
}

std::vector<int> take_claims() noexcept { return std::exchange(claims, {}); }

// The predecessor may be gone, and no signal must come of that. A SIGPIPE that our write has raised waits for this very
// thread, so it can be taken back.
void report_ready() noexcept {
  if (ready_pipe < 0) return;
  sigset_t pipe_only, before;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  const bool waited_before = pipe_signal_waits();
  ssize_t written;
  do {
    written = syscalls.write(ready_pipe, &kReadyByte, 1);
  } while (written < 0 && errno == EINTR);
  if (written < 0 && !waited_before && pipe_signal_waits()) {  // where it is ignored it may not wait
    int number;
    ::sigwait(&pipe_only, &number);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  syscalls.close(ready_pipe);
  ready_pipe = -1;
}

}  // namespace martlet::sys
