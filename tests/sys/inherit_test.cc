// src/sys/inherit.h: what systemd and a predecessor hand over, with the environment set by hand. In child processes,
// since the descriptors have given numbers. successor_test.cc has both sides at once.
#include "sys/inherit.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "support/environment.h"
#include "support/in_child.h"
#include "sys/port_claim.h"

using namespace martlet::sys;
using martlet::test::in_child;

namespace {

// Blocking and kept over exec, as a parent hands them over.
int new_listener(int family = AF_INET) {
  const int fd = ::socket(family, SOCK_STREAM, 0);
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sa_family_t);  // autobind
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 8) != 0) return -1;
  return fd;
}

bool put_at(int number, int fd) { return fd >= 0 && ::dup2(fd, number) == number; }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
bool is_close_on_exec(int fd) { return ::fcntl(fd, F_GETFD) == FD_CLOEXEC; }
bool is_ready_to_use(int fd) { return is_close_on_exec(fd) && (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }
bool is_set(const char* name) { return std::getenv(name) != nullptr; }

void set_systemd(const std::string& pid, const std::string& count) {
  ::setenv("LISTEN_PID", pid.c_str(), 1);
  ::setenv("LISTEN_FDS", count.c_str(), 1);
  ::setenv("LISTEN_FDNAMES", "web", 1);
}

std::string own_pid() { return std::to_string(::getpid()); }

// As a predecessor writes it.
void set_take_over(int pid, const std::string& rest) {
  char figures[32];
  std::snprintf(figures, sizeof figures, "%0*d", kTakeOverPidDigits, pid);
  ::setenv(kTakeOverVariable, (figures + rest).c_str(), 1);
}

}  // namespace

#if defined(__linux__)  // Unix sockets that bind to any name
TEST_CASE("inherit: systemd's listening streams, in order, and nothing else") {
  CHECK(in_child([] {
    int pair[2], pipe_ends[2];
    const int first = ::fcntl(new_listener(), F_DUPFD, 50);
    const int second = ::fcntl(new_listener(AF_UNIX), F_DUPFD, 50);
    const int datagrams = ::fcntl(::socket(AF_INET, SOCK_DGRAM, 0), F_DUPFD, 50);
    MARTLET_EXPECT(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    const int connected = ::fcntl(pair[0], F_DUPFD, 50);
    MARTLET_EXPECT(::pipe(pipe_ends) == 0);
    const int pipe = ::fcntl(pipe_ends[0], F_DUPFD, 50);
    MARTLET_EXPECT(put_at(3, pipe) && put_at(4, first) && put_at(5, datagrams) && put_at(6, second) &&
                   put_at(7, connected) && put_at(8, first));
    set_systemd(own_pid(), "5");
    int out[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    MARTLET_EXPECT(inherited_listeners(out, 8) == 2);
    MARTLET_EXPECT(out[0] == 4 && out[1] == 6 && out[2] == -1);
    MARTLET_EXPECT(is_ready_to_use(4) && is_ready_to_use(6));
    MARTLET_EXPECT(is_close_on_exec(3) && is_close_on_exec(5) && is_close_on_exec(7));
    MARTLET_EXPECT(::fcntl(8, F_GETFD) == 0);  // not one of the five
    MARTLET_EXPECT(!is_set("LISTEN_PID") && !is_set("LISTEN_FDS") && !is_set("LISTEN_FDNAMES"));
    MARTLET_EXPECT(inherited_listeners(out, 8) == 0);
    return 0;
  }) == 0);
}
#endif

TEST_CASE("inherit: what systemd gave to another process is left alone") {
  CHECK(in_child([] {
    MARTLET_EXPECT(put_at(3, new_listener()));
    for (const std::string& pid : {std::to_string(::getpid() + 1), std::to_string(::getppid()), std::string(),
                                   std::string("x"), own_pid() + "x", " " + own_pid()}) {
      set_systemd(pid, "1");
      int out[1] = {-1};
      MARTLET_EXPECT(inherited_listeners(out, 1) == 0);
      MARTLET_EXPECT(out[0] == -1);
      MARTLET_EXPECT(::fcntl(3, F_GETFD) == 0);
      MARTLET_EXPECT(!is_set("LISTEN_PID") && !is_set("LISTEN_FDS"));
    }
    return 0;
  }) == 0);
}

TEST_CASE("inherit: odd counts") {
  CHECK(in_child([] {
    MARTLET_EXPECT(put_at(3, new_listener()));
    for (const char* count : {"", "0", "-1", "x", "1x", "99999999999999999999", "2147483647"}) {
      set_systemd(own_pid(), count);
      int out[1];
      MARTLET_EXPECT(inherited_listeners(out, 1) == 0);
      MARTLET_EXPECT(::fcntl(3, F_GETFD) == 0);
    }
    set_systemd(own_pid(), "2147483644");  // ends where the descriptors end
    ::close(4);
    int out[1];
    MARTLET_EXPECT(inherited_listeners(out, 1) == 1);
    MARTLET_EXPECT(out[0] == 3);
    return 0;
  }) == 0);
}

TEST_CASE("inherit: more listeners than wanted are closed") {
  CHECK(in_child([] {
    const int listener = ::fcntl(new_listener(), F_DUPFD, 50);
    MARTLET_EXPECT(put_at(3, listener) && put_at(4, listener) && put_at(5, listener));
    set_systemd(own_pid(), "3");
    int out[2] = {-1, -1};
    MARTLET_EXPECT(inherited_listeners(out, 1) == 1);
    MARTLET_EXPECT(out[0] == 3 && out[1] == -1);
    MARTLET_EXPECT(!is_open(4) && !is_open(5));
    return 0;
  }) == 0);
}

TEST_CASE("take over: the listeners in order, and a byte when we serve") {
  CHECK(in_child([] {
    int ends[2];
    MARTLET_EXPECT(::pipe(ends) == 0);
    const int a = new_listener(), b = new_listener(), c = new_listener();
    set_take_over(::getpid(), ":" + std::to_string(ends[1]) + ":" + std::to_string(c) + "," + std::to_string(a) + "," +
                                  std::to_string(b));
    int out[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    MARTLET_EXPECT(take_over(out, 8) == 3);
    MARTLET_EXPECT(out[0] == c && out[1] == a && out[2] == b && out[3] == -1);
    MARTLET_EXPECT(is_ready_to_use(a) && is_ready_to_use(b) && is_ready_to_use(c) && is_close_on_exec(ends[1]));
    MARTLET_EXPECT(!is_set(kTakeOverVariable));
    MARTLET_EXPECT(take_over(out, 8) == 0);
    MARTLET_EXPECT(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    unsigned char byte = 0;
    MARTLET_EXPECT(::read(ends[0], &byte, 1) == -1);  // nothing yet
    report_ready();
    MARTLET_EXPECT(::read(ends[0], &byte, 1) == 1 && byte == kReadyByte);
    MARTLET_EXPECT(::read(ends[0], &byte, 1) == 0);  // and our end is closed
    MARTLET_EXPECT(!is_open(ends[1]));
    report_ready();
    return 0;
  }) == 0);
}

TEST_CASE("take over: without listeners there is still somebody to report to") {
  CHECK(in_child([] {
    int ends[2];
    MARTLET_EXPECT(::pipe(ends) == 0);
    set_take_over(::getpid(), ":" + std::to_string(ends[1]) + ":");
    int out[1];
    MARTLET_EXPECT(take_over(out, 1) == 0);
    report_ready();
    unsigned char byte = 0;
    MARTLET_EXPECT(::read(ends[0], &byte, 1) == 1 && byte == kReadyByte);
    return 0;
  }) == 0);
}

TEST_CASE("take over: more than wanted are closed, and what is no listener is left out") {
  CHECK(in_child([] {
    int ends[2];
    MARTLET_EXPECT(::pipe(ends) == 0);
    const int a = new_listener(), b = new_listener();
    const int datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    set_take_over(::getpid(), ":" + std::to_string(ends[1]) + ":" + std::to_string(datagrams) + ",9999," +
                                  std::to_string(a) + "," + std::to_string(b));
    int out[2] = {-1, -1};
    MARTLET_EXPECT(take_over(out, 1) == 1);
    MARTLET_EXPECT(out[0] == a && out[1] == -1);
    MARTLET_EXPECT(is_open(datagrams) && !is_open(b));
    return 0;
  }) == 0);
}

#if defined(__linux__)
TEST_CASE("take over: the claims on ports come along") {
  CHECK(in_child([] {
    int ends[2];
    MARTLET_EXPECT(::pipe(ends) == 0);
    const int a = new_listener();
    const int claim = claim_port(a);
    MARTLET_EXPECT(claim >= 0 && ::fcntl(claim, F_SETFD, 0) == 0);
    set_take_over(::getpid(), ":" + std::to_string(ends[1]) + ":" + std::to_string(a) + "," + std::to_string(claim));
    int out[2] = {-1, -1};
    MARTLET_EXPECT(take_over(out, 2) == 1);
    MARTLET_EXPECT(out[0] == a);
    MARTLET_EXPECT(is_ready_to_use(claim));
    MARTLET_EXPECT(take_claims() == std::vector<int>{claim});
    MARTLET_EXPECT(take_claims().empty());
    return 0;
  }) == 0);
}
#endif

TEST_CASE("take over: a predecessor that died raises no signal") {
  CHECK(in_child([] {
    sigset_t pipe_only;  // an App that ran before has it blocked
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    MARTLET_EXPECT(::pthread_sigmask(SIG_UNBLOCK, &pipe_only, nullptr) == 0);
    for (const bool ignored : {false, true}) {
      ::signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
      int ends[2];
      MARTLET_EXPECT(::pipe(ends) == 0);
      set_take_over(::getpid(), ":" + std::to_string(ends[1]) + ":");
      int out[1];
      MARTLET_EXPECT(take_over(out, 1) == 0);
      ::close(ends[0]);
      report_ready();
      sigset_t set;
      MARTLET_EXPECT(::sigpending(&set) == 0 && !sigismember(&set, SIGPIPE));
      MARTLET_EXPECT(::pthread_sigmask(SIG_SETMASK, nullptr, &set) == 0 && !sigismember(&set, SIGPIPE));
    }
    return 0;
  }) == 0);
}

TEST_CASE("take over: what is not meant for this process, or makes no sense") {
  CHECK(in_child([] {
    int ends[2];
    MARTLET_EXPECT(::pipe(ends) == 0);
    const int a = new_listener();
    const std::string rest = ":" + std::to_string(ends[1]) + ":" + std::to_string(a);
    int out[1] = {-1};
    MARTLET_EXPECT(take_over(out, 1) == 0);  // unset
    for (const int pid : {::getpid() + 1, ::getppid(), 0}) {
      set_take_over(pid, rest);
      MARTLET_EXPECT(take_over(out, 1) == 0);
      MARTLET_EXPECT(!is_set(kTakeOverVariable));
    }
    const std::string us = own_pid();
    for (const std::string& text : {std::string(), std::string(":"), us, us + ":", us + "::", us + ":9999:3",
                                    us + ":-1:" + std::to_string(a), us + ":x:y", us + " " + rest, "-" + us + rest}) {
      ::setenv(kTakeOverVariable, text.c_str(), 1);
      MARTLET_EXPECT(take_over(out, 1) == 0);
      MARTLET_EXPECT(!is_set(kTakeOverVariable));
    }
    MARTLET_EXPECT(out[0] == -1 && ::fcntl(a, F_GETFD) == 0 && is_open(ends[1]));
    report_ready();
    MARTLET_EXPECT(is_open(ends[1]));
    return 0;
  }) == 0);
}
