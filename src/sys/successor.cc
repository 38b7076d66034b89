// Starting a successor: fork, then exec with nothing in between that may not be called in the child of a process with
// threads. So all text and all lists are made before, and the child only writes its process id into its place.
//
// Descriptors are named by number rather than moved to fixed places: moving them needs free numbers, which a server at
// its limit has not. All others are closed in the child, also those that the program forgot to make close-on-exec: a
// connection that stays open in the successor would never end for its peer.
//
// The pipe tells all: a byte for ready; a byte and an error number when exec failed; its end when the process ended.
#include "sys/successor.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#elif defined(__APPLE__)
#include <crt_externs.h>
#endif

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "sys/inherit.h"
#include "sys/process.h"
#include "sys/program.h"
#include "sys/syscalls.h"

#if !defined(__APPLE__)
extern char** environ;
#endif

namespace martlet::sys {

namespace {

constexpr unsigned char kExecFailedByte = 'E';  // an int follows: errno
constexpr int kExecFailedStatus = 127;          // what a shell answers for it

#if defined(__APPLE__)
char** environment() noexcept { return *::_NSGetEnviron(); }
#else
char** environment() noexcept { return ::environ; }
#endif

// Everything that the child needs, ready to use.
struct Launch {
  const char* path;
  std::vector<char*> arguments;    // null at the end
  std::vector<char*> environment;  // null at the end
  std::string take_over;           // our variable in it
  char* pid_figures = nullptr;     // where in `take_over` the child writes its process id
  std::vector<int> handed;         // listeners and `ready`, which lose close-on-exec
  std::vector<int> kept;           // these and the standard descriptors, ascending
  int ready = -1;
  int highest = 0;  // no descriptor above this one is open
  uint64_t ignored_signals = 0;
};

// Closes a range of descriptors, all of which may be closed already. In the child.
void close_each(int first, int last, int highest) noexcept {
  for (int fd = first; fd <= std::min(last, highest); fd++) ::close(fd);
}

#if defined(__linux__) && defined(SYS_close_range)
void close_all(int first, int last, int highest) noexcept {
  if (::syscall(SYS_close_range, static_cast<unsigned>(first), static_cast<unsigned>(last), 0u) != 0) {
    close_each(first, last, highest);  // before Linux 5.9, or a sandbox that does not know the call
  }
}
#elif defined(__FreeBSD__)
void close_all(int first, int last, int highest) noexcept {
  if (::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) != 0) close_each(first, last, highest);
}
#else
void close_all(int first, int last, int highest) noexcept { close_each(first, last, highest); }
#endif

// The highest descriptor that is open, or could be. In the parent, since it allocates.
int highest_descriptor() noexcept {
  DIR* directory = ::opendir("/proc/self/fd");
  if (!directory) {
    constexpr long kPatience = 1 << 20;  // limits may be "unlimited"; nobody opens more than this
    const long limit = ::sysconf(_SC_OPEN_MAX);
    return static_cast<int>(limit < 0 ? kPatience : std::min(limit, kPatience));
  }
  int highest = 0;
  while (const dirent* entry = ::readdir(directory)) highest = std::max(highest, std::atoi(entry->d_name));
  ::closedir(directory);
  return highest;
}

// What must not reach the successor: our own variable, descriptors that it does not have, and a watchdog that is said to
// look at this process only (without the variable it is for whoever reads it).
bool stays_behind(std::string_view variable) noexcept {
  const size_t equals = variable.find('=');
  const std::string_view name = variable.substr(0, equals);
  if (name == "WATCHDOG_PID") return variable.substr(equals + 1) == std::to_string(::getpid());
  return name == kTakeOverVariable || name == "LISTEN_PID" || name == "LISTEN_FDS" || name == "LISTEN_FDNAMES";
}

void prepare_environment(Launch& launch) noexcept {
  launch.take_over = std::string(kTakeOverVariable) + "=";
  const size_t figures_at = launch.take_over.size();
  launch.take_over.append(kTakeOverPidDigits, '0');
  launch.take_over += ':';
  launch.take_over += std::to_string(launch.ready);
  char before = ':';
  for (const int fd : launch.handed) {
    if (fd == launch.ready) continue;
    launch.take_over += before;
    launch.take_over += std::to_string(fd);
    before = ',';
  }
  if (before == ':') launch.take_over += ':';  // no listeners
  launch.pid_figures = launch.take_over.data() + figures_at;
  for (char** variable = environment(); variable && *variable; variable++) {
    if (!stays_behind(*variable)) launch.environment.push_back(*variable);
  }
  launch.environment.push_back(launch.take_over.data());
  launch.environment.push_back(nullptr);
}

void prepare(Launch& launch, const Program& program, const int* listeners, int count, int ready) noexcept {
  launch.path = program.path.c_str();
  launch.ignored_signals = program.ignored_signals;
  for (const std::string& argument : program.arguments) launch.arguments.push_back(const_cast<char*>(argument.c_str()));
  launch.arguments.push_back(nullptr);
  launch.ready = ready;
  launch.handed.assign(listeners, listeners + count);
  launch.handed.push_back(ready);
  launch.kept = launch.handed;
  launch.kept.insert(launch.kept.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
  std::sort(launch.kept.begin(), launch.kept.end());
  launch.highest = highest_descriptor();
  prepare_environment(launch);
}

// From here to become(): in the child. Only async-signal-safe calls, no allocation.

void write_pid(char* figures) noexcept {
  int pid = static_cast<int>(::getpid());
  for (int i = kTakeOverPidDigits - 1; i >= 0; i--, pid /= 10) figures[i] = static_cast<char>('0' + pid % 10);
}

// Actions first, then the mask: a signal that comes in between must not find a handler of ours.
void reset_signals(uint64_t ignored) noexcept {
  for (int number = 1; number <= 64; number++) {
    struct sigaction action {};
    action.sa_handler = (ignored >> (number - 1) & 1) ? SIG_IGN : SIG_DFL;
    sigemptyset(&action.sa_mask);
    (void)::sigaction(number, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

void close_others(const std::vector<int>& kept, int highest) noexcept {
  int next = 0;
  for (const int fd : kept) {
    if (fd > next) close_all(next, fd - 1, highest);
    next = std::max(next, fd + 1);
  }
  close_all(next, INT_MAX, highest);
}

[[noreturn]] void become(Launch& launch) noexcept {
  write_pid(launch.pid_figures);
  close_others(launch.kept, launch.highest);
  for (const int fd : launch.handed) (void)::fcntl(fd, F_SETFD, 0);
  reset_signals(launch.ignored_signals);
  restore_descriptor_limit();
  ::execve(launch.path, launch.arguments.data(), launch.environment.data());
  const int code = errno;
  unsigned char report[1 + sizeof code] = {kExecFailedByte};
  std::memcpy(report + 1, &code, sizeof code);
  (void)!::write(launch.ready, report, sizeof report);
  ::_exit(kExecFailedStatus);
}

// Signals are blocked around the fork, so that no handler of ours runs in the child, which shares its pipes with us.
pid_t fork_into(Launch& launch, int& code) noexcept {
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  code = errno;
  if (pid == 0) become(launch);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

pid_t wait_for(pid_t pid, int& status, int flags) noexcept {
  for (;;) {
    const pid_t got = ::waitpid(pid, &status, flags);
    if (got >= 0 || errno != EINTR) return got;
  }
}

// Makes sure that the child has ended, and answers how.
int finish(pid_t pid, bool by_force) noexcept {
  int status = 0;
  pid_t got = wait_for(pid, status, by_force ? WNOHANG : 0);
  if (got == 0) {
    ::kill(pid, SIGKILL);
    got = wait_for(pid, status, 0);
  }
  if (got != pid) return -1;  // somebody else has waited for it
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Successor::~Successor() { kill(); }

Error Successor::start(const int* listeners, int count) noexcept {
  MARTLET_CHECK(state_ == State::none || state_ == State::failed);
  const Program* program = remembered_program();
  if (!program) return Error("no program is remembered to start a successor of", ENOTSUP);
  int ends[2];
  if (syscalls.pipe(ends) != 0) return Error("pipe to a successor", errno);
  Error error;
  if (syscalls.set_flags(ends[0]) != 0 || syscalls.set_flags(ends[1]) != 0) error = Error("pipe flags", errno);
  if (!error) {
    Launch launch;
    prepare(launch, *program, listeners, count, ends[1]);
    int code = 0;
    const pid_t pid = fork_into(launch, code);
    if (pid < 0) error = Error("fork", code);
    else pid_ = static_cast<int>(pid);
  }
  syscalls.close(ends[1]);
  if (error) {
    syscalls.close(ends[0]);
    return error;
  }
  ready_fd_ = ends[0];
  error_ = {};
  exit_status_ = -1;
  state_ = State::waiting;
  return {};
}

Successor::State Successor::read() noexcept {
  if (state_ != State::waiting) return state_;
  unsigned char report[1 + sizeof(int)];
  ssize_t got;
  do {
    got = syscalls.read(ready_fd_, report, sizeof report);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return state_;
  if (got >= 1 && report[0] == kReadyByte) {
    let_go();
    state_ = State::ready;
  } else if (got == sizeof report && report[0] == kExecFailedByte) {
    int code;
    std::memcpy(&code, report + 1, sizeof code);
    const Program* program = remembered_program();
    fail(Error::of({"exec of the successor ", program ? std::string_view(program->path) : std::string_view()}, code), false);
  } else {
    // It is ending, as a rule. If it has only closed the pipe, it would go on with our sockets, beside us.
    fail(Error("the successor ended before it served"), true);
  }
  return state_;
}

void Successor::kill() noexcept {
  if (state_ == State::waiting) fail(Error("the successor was ended before it served"), true);
}

void Successor::fail(Error error, bool by_force) noexcept {
  exit_status_ = finish(pid_, by_force);
  let_go();
  pid_ = 0;
  error_ = error;
  state_ = State::failed;
}

void Successor::let_go() noexcept {
  syscalls.close(ready_fd_);
  ready_fd_ = -1;
}

}  // namespace martlet::sys
