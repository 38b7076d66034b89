// src/sys/successor.h: shell scripts as successors, for what a successor gets and for those that fail; and this test
// program itself, started anew in a role of its own, for a real handing-over and for replaced binaries.
#include "sys/successor.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/environment.h"
#include "support/in_child.h"
#include "sys/inherit.h"
#include "sys/program.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

using namespace martlet::sys;
using martlet::test::Client;
using martlet::test::in_child;
using martlet::test::TemporaryFolder;
using martlet::test::Variable;
using State = Successor::State;

namespace {

// Sets $ready to the descriptor to report on.
constexpr char kFindReady[] = "t=$MARTLET_TAKE_OVER; t=${t#*:}; ready=${t%%:*}; ";
constexpr char kReport[] = "printf R >/dev/fd/$ready; ";

void remember_script(const std::string& script, uint64_t ignored_signals = 0) {
  remember_program_as({.path = "/bin/sh",
                       .arguments = {"sh", "-c", kFindReady + script, "name", "an argument"},
                       .ignored_signals = ignored_signals});
}

// Waits until it says something; what it says.
State outcome(Successor& successor, int patience_ms = 20'000) {
  pollfd one{.fd = successor.ready_fd(), .events = POLLIN, .revents = 0};
  if (successor.state() == State::waiting && ::poll(&one, 1, patience_ms) != 1) return State::waiting;
  return successor.read();
}

State run_script(Successor& successor, const std::string& script) {
  remember_script(script);
  const martlet::Error error = successor.start(nullptr, 0);
  REQUIRE_MESSAGE(!error, error.message());
  return outcome(successor);
}

bool is_child(int pid) { return ::waitpid(pid, nullptr, WNOHANG) == 0; }
bool is_reaped(int pid) { return ::waitpid(pid, nullptr, WNOHANG) == -1 && errno == ECHILD; }

void end_child(int pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

int lowest_free_descriptor() {
  const int fd = ::dup(0);
  ::close(fd);
  return fd;
}

int listener_or_fail() {
  auto made = listen_on({.host = "127.0.0.1"});
  REQUIRE_MESSAGE(made.ok(), made.error().message());
  return *made;
}

std::set<int> numbers(const std::string& text) {
  std::istringstream words(text);
  std::set<int> found;
  for (int number; words >> number;) found.insert(number);
  return found;
}

}  // namespace

TEST_CASE("successor: one that reports is ready, and outlives the object") {
  int pid = 0;
  const int free_before = lowest_free_descriptor();
  {
    Successor successor;
    CHECK(successor.state() == State::none);
    CHECK(successor.read() == State::none);
    CHECK(successor.ready_fd() == -1);
    CHECK(successor.pid() == 0);
    CHECK(run_script(successor, kReport + std::string("exec sleep 1000")) == State::ready);
    CHECK(!successor.error());
    CHECK(successor.exit_status() == -1);
    CHECK(successor.ready_fd() == -1);
    CHECK(successor.read() == State::ready);
    pid = successor.pid();
    successor.kill();  // too late
    CHECK(successor.state() == State::ready);
  }
  CHECK(lowest_free_descriptor() == free_before);
  CHECK(is_child(pid));
  end_child(pid);
}

TEST_CASE("successor: waiting until it reports") {
  const TemporaryFolder folder;
  const std::string fifo = folder / "go";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  remember_script("read line <'" + fifo + "'; " + kReport + "exit 0");
  Successor successor;
  REQUIRE(!successor.start(nullptr, 0));
  CHECK(successor.state() == State::waiting);
  CHECK(successor.read() == State::waiting);
  CHECK(outcome(successor, 0) == State::waiting);
  const int go = ::open(fifo.c_str(), O_WRONLY);
  REQUIRE(::write(go, "go\n", 3) == 3);
  ::close(go);
  CHECK(outcome(successor) == State::ready);
  ::waitpid(successor.pid(), nullptr, 0);
}

TEST_CASE("successor: one that ends without a word has failed and is reaped, and another may be started") {
  Successor successor;
  const int free_before = lowest_free_descriptor();
  const struct {
    const char* script;
    int status;
  } ways[] = {{"exit 3", 3}, {"exit 0", 0}, {"kill -9 $$", 137}, {"kill -15 $$", 143}};
  for (const auto& way : ways) {
    CAPTURE(way.script);
    remember_script(way.script);
    REQUIRE(!successor.start(nullptr, 0));
    const int pid = successor.pid();
    CHECK(outcome(successor) == State::failed);
    CHECK(successor.exit_status() == way.status);
    CHECK(!successor.error().what().empty());
    CHECK(successor.error().os_code() == 0);
    CHECK(successor.pid() == 0);
    CHECK(successor.ready_fd() == -1);
    CHECK(is_reaped(pid));
  }
  CHECK(lowest_free_descriptor() == free_before);
  CHECK(run_script(successor, kReport) == State::ready);
  CHECK(!successor.error());
  CHECK(successor.exit_status() == -1);
  ::waitpid(successor.pid(), nullptr, 0);
}

TEST_CASE("successor: one that hangs is killed, by request or with the object") {
  remember_script("exec sleep 1000");
  {
    Successor successor;
    successor.kill();  // nothing to kill
    CHECK(successor.state() == State::none);
    REQUIRE(!successor.start(nullptr, 0));
    const int pid = successor.pid();
    CHECK(successor.read() == State::waiting);
    successor.kill();
    CHECK(successor.state() == State::failed);
    CHECK(successor.exit_status() == 128 + SIGKILL);
    CHECK(successor.error());
    CHECK(is_reaped(pid));
  }
  int pid = 0;
  {
    Successor successor;
    REQUIRE(!successor.start(nullptr, 0));
    pid = successor.pid();
  }
  CHECK(is_reaped(pid));
}

TEST_CASE("successor: exec's error comes back") {
  const TemporaryFolder folder;
  folder.write("text", "no program");
  const struct {
    std::string path;
    int code;
  } cases[] = {{folder / "nothing", ENOENT}, {folder / "text", EACCES}};
  for (const auto& c : cases) {
    CAPTURE(c.path);
    remember_program_as({.path = c.path, .arguments = {"x"}});
    Successor successor;
    REQUIRE(!successor.start(nullptr, 0));
    const int pid = successor.pid();
    CHECK(outcome(successor) == State::failed);
    CHECK(successor.error().os_code() == c.code);
    CHECK(successor.exit_status() > 0);  // 127, or what a tool that watches processes makes of it
    CHECK(successor.exit_status() != 128 + SIGKILL);
    CHECK(is_reaped(pid));
  }
}

TEST_CASE("successor: a child that somebody else has waited for") {
  Successor successor;
  remember_script("exit 3");
  REQUIRE(!successor.start(nullptr, 0));
  ::waitpid(successor.pid(), nullptr, 0);
  CHECK(outcome(successor) == State::failed);
  CHECK(successor.exit_status() == -1);
}

TEST_CASE("successor: no pipe is an error, and nothing is left open") {
  remember_script("exit 0");
  const Syscalls saved = syscalls;
  const int free_before = lowest_free_descriptor();
  Successor successor;
  syscalls.pipe = [](int*) {
    errno = EMFILE;
    return -1;
  };
  CHECK(successor.start(nullptr, 0).os_code() == EMFILE);
  syscalls.pipe = saved.pipe;
  syscalls.set_flags = [](int) {
    errno = EPERM;
    return -1;
  };
  CHECK(successor.start(nullptr, 0).os_code() == EPERM);
  syscalls = saved;
  CHECK(successor.state() == State::none);
  CHECK(lowest_free_descriptor() == free_before);
}

TEST_CASE("successor: the environment is ours, less what is not for it") {
  const TemporaryFolder folder;
  const Variable kept("MARTLET_TEST_KEPT", "kept value");
  const Variable fds("LISTEN_FDS", "3"), pid("LISTEN_PID", std::to_string(::getpid())), names("LISTEN_FDNAMES", "a:b");
  const Variable notify("NOTIFY_SOCKET", "/nowhere"), patience("WATCHDOG_USEC", "5000");
  const std::string write = "env >'" + (folder / "env") + "'; echo \"$$ $0 $1\" >'" + (folder / "self") + "'; " + kReport;
  const auto line = [&](const std::string& start) {
    std::istringstream lines(folder.read("env"));
    for (std::string text; std::getline(lines, text);) {
      if (text.starts_with(start + "=")) return text.substr(start.size() + 1);
    }
    return std::string("(unset)");
  };
  const Variable stale(kTakeOverVariable, "0000000001:2:3");  // of a predecessor of our own
  {
    const Variable watchdog("WATCHDOG_PID", std::to_string(::getpid()));
    Successor successor;
    REQUIRE(run_script(successor, write) == State::ready);
    ::waitpid(successor.pid(), nullptr, 0);
    CHECK(line("MARTLET_TEST_KEPT") == "kept value");
    CHECK(line("NOTIFY_SOCKET") == "/nowhere");
    CHECK(line("WATCHDOG_USEC") == "5000");
    CHECK(line("WATCHDOG_PID") == "(unset)");  // else the new process would think that nobody waits for it
    CHECK(line("LISTEN_FDS") == "(unset)");
    CHECK(line("LISTEN_PID") == "(unset)");
    CHECK(line("LISTEN_FDNAMES") == "(unset)");
    const std::string own = std::to_string(successor.pid());
    CHECK(folder.read("self") == own + " name an argument\n");
    const std::string figures = std::string(kTakeOverPidDigits - own.size(), '0') + own;
    CHECK(line(kTakeOverVariable).substr(0, figures.size() + 1) == figures + ":");
    const std::string text = folder.read("env");
    CHECK(text.find(kTakeOverVariable) == text.rfind(kTakeOverVariable));  // once
  }
  const Variable watchdog("WATCHDOG_PID", "1");
  Successor successor;
  REQUIRE(run_script(successor, write) == State::ready);
  ::waitpid(successor.pid(), nullptr, 0);
  CHECK(line("WATCHDOG_PID") == "1");
}

#if defined(__linux__)  // /proc tells what a process has

namespace {

// Starts a script that lists its descriptors. Expects exactly the standard ones, the listeners, and the pipe; 0 or a line.
int expect_exact_descriptors(const TemporaryFolder& folder) {
  // As a program may have them: a file and a connection without close-on-exec, far apart.
  const int forgotten = ::open("/dev/null", O_RDONLY);
  const int far_away = ::fcntl(forgotten, F_DUPFD, 700);
  auto first = listen_on({.host = "127.0.0.1"}), second = listen_on({.host = "127.0.0.1"});
  MARTLET_EXPECT(first.ok() && second.ok() && far_away >= 700);
  const int high = ::fcntl(*second, F_DUPFD_CLOEXEC, 600);
  const int listeners[] = {high, *first};
  // By exec, since a shell may keep the former descriptor while a command is redirected.
  remember_script("exec >'" + (folder / "fds") + "'; ls /proc/$$/fd; exec >'" + (folder / "take") +
                  "'; echo \"$MARTLET_TAKE_OVER\"; " + kReport + "exit 0");
  Successor successor;
  MARTLET_EXPECT(!successor.start(listeners, 2));
  MARTLET_EXPECT(outcome(successor) == State::ready);
  ::waitpid(successor.pid(), nullptr, 0);
  const std::string take = folder.read("take");
  const size_t colon = take.find(':'), next = take.find(':', colon + 1);
  const int ready = std::atoi(take.c_str() + colon + 1);
  MARTLET_EXPECT(take.substr(next + 1) == std::to_string(high) + "," + std::to_string(*first) + "\n");
  MARTLET_EXPECT(numbers(folder.read("fds")) == std::set<int>({0, 1, 2, *first, high, ready}));
  // Ours are as they were.
  MARTLET_EXPECT(::fcntl(*first, F_GETFD) == FD_CLOEXEC && ::fcntl(high, F_GETFD) == FD_CLOEXEC);
  MARTLET_EXPECT(::fcntl(forgotten, F_GETFD) == 0 && ::fcntl(far_away, F_GETFD) == 0);
  for (const int fd : {forgotten, far_away, *first, *second, high}) ::close(fd);
  return 0;
}

// From here on the kernel does not know close_range().
bool deny_close_range() {
  sock_filter program[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},  // the number of the call
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_close_range},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog attached{4, program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &attached, 0, 0) == 0;
}

}  // namespace

TEST_CASE("successor: it has the listeners, the pipe and the standard descriptors, and no other") {
  const TemporaryFolder folder;
  CHECK(in_child([&] { return expect_exact_descriptors(folder); }) == 0);
}

TEST_CASE("successor: the same on a kernel without close_range") {
  const TemporaryFolder folder;
  CHECK(in_child([&] {
    MARTLET_EXPECT(deny_close_range());
    return expect_exact_descriptors(folder);
  }) == 0);
}

namespace {
// A mask of /proc/.../status, without the signals that the C library keeps to itself; all ones when it is not there.
uint64_t signal_mask(const std::string& status, const std::string& name) {
  const size_t at = status.find("\n" + name);
  if (at == status.npos) return UINT64_MAX;
  return std::strtoull(status.c_str() + at + 1 + name.size(), nullptr, 16) & 0x7fffffff;
}
}  // namespace

TEST_CASE("successor: its signals are those of a fresh process") {
  const TemporaryFolder folder;
  CHECK(in_child([&] {
    ::signal(SIGUSR1, SIG_IGN);   // since the start of the server
    ::signal(SIGHUP, [](int) {});  // ignored when we were started, caught since
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    sigaddset(&some, SIGTERM);
    MARTLET_EXPECT(::pthread_sigmask(SIG_BLOCK, &some, nullptr) == 0);
    // Nothing is started meanwhile: a shell may block signals while it does.
    remember_script("while read -r name mask; do echo $name $mask; done </proc/$$/status >'" + (folder / "signals") +
                        "'; " + kReport + "exit 0",
                    uint64_t{1} << (SIGHUP - 1));
    Successor successor;
    MARTLET_EXPECT(!successor.start(nullptr, 0));
    MARTLET_EXPECT(outcome(successor) == State::ready);
    ::waitpid(successor.pid(), nullptr, 0);
    sigset_t now;
    MARTLET_EXPECT(::pthread_sigmask(SIG_SETMASK, nullptr, &now) == 0);
    MARTLET_EXPECT(sigismember(&now, SIGUSR2) && sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR1));
    return 0;
  }) == 0);
  CHECK(signal_mask(folder.read("signals"), "SigBlk: ") == 0);
  CHECK(signal_mask(folder.read("signals"), "SigIgn: ") == 1);
}

// The test program as its own successor ------------------------------------------------------------------------------

namespace {

constexpr char kOneArgument[] = "one argument";
constexpr char kAnother[] = "--another";

std::string this_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

// Another name for the test program's file, or a copy where the folders lie on different file systems.
void link_program(const std::string& name) {
  std::error_code failed;
  std::filesystem::create_hard_link(this_program(), name, failed);
  if (failed) std::filesystem::copy_file(this_program(), name);
}

// The roles of the test program when it is started by a case below.

void serve_one_each() {
  int listeners[8];
  const int count = take_over(listeners, 8);
  report_ready();
  for (int i = 0; i < count; i++) {
    pollfd one{.fd = listeners[i], .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, 10'000) != 1) ::_exit(1);
    const AcceptResult accepted = accept_one(listeners[i]);
    const std::string text = "socket " + std::to_string(i) + " of " + std::to_string(count);
    if (!transmit(accepted.fd, text.data(), text.size()).bytes) ::_exit(2);
  }
  ::_exit(0);
}

void let_go_and_hang() {
  const std::string variable = std::getenv(kTakeOverVariable);
  ::close(std::atoi(variable.c_str() + variable.find(':') + 1));
  for (;;) ::pause();
}

// Says over descriptor 0 when the program is remembered, waits there for a word, starts a successor.
void remember_and_restart() {
  char byte = 'm';
  if (remember_program() || ::write(0, &byte, 1) != 1 || ::read(0, &byte, 1) != 1) ::_exit(10);
  Successor successor;
  if (successor.start(nullptr, 0)) ::_exit(11);
  if (outcome(successor) != State::ready) ::_exit(12);
  ::waitpid(successor.pid(), nullptr, 0);
  ::_exit(0);
}

// Before main(): a process with a role runs no tests.
[[maybe_unused]] const bool has_no_role = [] {
  const char* role = std::getenv("MARTLET_TEST_ROLE");
  const std::string name = role ? role : "";
  if (name == "serve") serve_one_each();
  if (name == "let go") let_go_and_hang();
  if (name == "restart") remember_and_restart();
  return true;
}();

// Starts a program in that last role, which remembers itself; `meanwhile` happens before it restarts. Its exit status.
template <typename F>
int restart_after(const std::string& folder, const std::string& name, F meanwhile) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
  const Variable role("MARTLET_TEST_ROLE", "restart");
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(ends[1], 0);
    ::dup2(null, 1);
    ::close(ends[0]);
    ::close(ends[1]);
    if (::chdir(folder.c_str()) != 0) ::_exit(20);
    ::execl(name.c_str(), name.c_str(), kOneArgument, kAnother, nullptr);
    ::_exit(21);
  }
  ::close(ends[1]);
  char byte = 0;
  if (::read(ends[0], &byte, 1) == 1 && byte == 'm') {
    meanwhile();
    (void)!::write(ends[0], "g", 1);
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The new release: leaves what it was started as in a file, and reports.
void write_release(const TemporaryFolder& folder, const std::string& name) {
  folder.write(name, "#!/bin/sh\n" + std::string(kFindReady) + "echo \"$0 $*\" >'" + (folder / "started") + "'\n" + kReport);
  std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
}

}  // namespace

TEST_CASE("successor: a real one takes the sockets over, with the connections that wait in them") {
  const Variable role("MARTLET_TEST_ROLE", "serve");
  const int first = listener_or_fail(), second = listener_or_fail();
  Client to_first(local_port(first)), to_second(local_port(second));
  REQUIRE((to_first.connected() && to_second.connected()));
  remember_program_as({.path = this_program(), .arguments = {"test"}});
  const int listeners[] = {second, first};
  Successor successor;
  REQUIRE(!successor.start(listeners, 2));
  CHECK(outcome(successor) == State::ready);
  close_socket(first);
  close_socket(second);
  CHECK(to_first.read_until("socket 1 of 2"));
  CHECK(to_second.read_until("socket 0 of 2"));
  int status = -1;
  CHECK(::waitpid(successor.pid(), &status, 0) == successor.pid());
  CHECK(status == 0);
}

TEST_CASE("successor: one that lets go of the pipe without a word is ended: it has our sockets") {
  const Variable role("MARTLET_TEST_ROLE", "let go");
  remember_program_as({.path = this_program(), .arguments = {"test"}});
  Successor successor;
  REQUIRE(!successor.start(nullptr, 0));
  const int pid = successor.pid();
  CHECK(outcome(successor) == State::failed);
  CHECK(successor.exit_status() == 128 + SIGKILL);
  CHECK(is_reaped(pid));
}

TEST_CASE("successor: a binary that has been replaced is started in its new form, with the same arguments") {
  const TemporaryFolder folder;
  link_program(folder / "app");
  for (const std::string& name : {folder / "app", std::string("./app")}) {
    CAPTURE(name);
    std::filesystem::remove(folder / "app");
    link_program(folder / "app");
    CHECK(restart_after(folder.path(), name, [&] {
      write_release(folder, "new");
      std::filesystem::rename(folder / "new", folder / "app");
    }) == 0);
    std::string started = folder.read("started");
    CHECK(started.ends_with("/app one argument --another\n"));
    std::filesystem::remove(folder / "started");
  }
}

TEST_CASE("successor: a link that leads to another release meanwhile is followed") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "1");
  link_program(folder / "1/app");
  write_release(folder, "2/app");
  for (const std::string& name : {folder / "current/app", std::string("current/app")}) {
    CAPTURE(name);
    std::filesystem::remove(folder / "current");
    std::filesystem::create_symlink("1", folder / "current");
    CHECK(restart_after(folder.path(), name, [&] {
      std::filesystem::create_symlink("2", folder / "next");
      std::filesystem::rename(folder / "next", folder / "current");
    }) == 0);
    CHECK(folder.read("started").starts_with(folder / "current/app "));
    folder.write("started", "");
  }
}

#endif
