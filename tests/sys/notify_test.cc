// src/sys/notify.h: what arrives at a service manager's socket, and when nothing is sent; the watchdog's variables.
#include "sys/notify.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "support/environment.h"
#include "sys/clock.h"
#include "sys/syscalls.h"

using namespace martlet::sys;
using martlet::test::TemporaryFolder;
using martlet::test::Variable;

namespace {

// The manager's end. `name` as in $NOTIFY_SOCKET.
class Manager {
 public:
  explicit Manager(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // The next message; "(none)" when none waits: what was sent has arrived when the sender returns.
  std::string next() {
    char bytes[4096];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    return got < 0 ? "(none)" : std::string(bytes, static_cast<size_t>(got));
  }

 private:
  int fd_ = -1;
};

int lowest_free_descriptor() {
  const int fd = ::dup(0);
  ::close(fd);
  return fd;
}

void check_messages(const std::string& name) {
  Manager manager(name);
  const Variable socket("NOTIFY_SOCKET", name);
  const int before = lowest_free_descriptor();
  CHECK(notify_service_manager(kNotifyReady));
  CHECK(manager.next() == "READY=1");
  CHECK(notify_service_manager(kNotifyStopping));
  CHECK(manager.next() == "STOPPING=1");
  CHECK(notify_service_manager(kNotifyWatchdog));
  CHECK(manager.next() == "WATCHDOG=1");
  CHECK(notify_service_manager("READY=1\nSTATUS=all is well\n"));
  CHECK(manager.next() == "READY=1\nSTATUS=all is well\n");
  CHECK(notify_main_pid(4711));
  CHECK(manager.next() == "MAINPID=4711");
  CHECK(!notify_main_pid(0));
  CHECK(!notify_main_pid(-1));
  CHECK(notify_status("3 workers"));
  CHECK(manager.next() == "STATUS=3 workers");
  CHECK(notify_status("one line\nMAINPID=1"));
  CHECK(manager.next() == "STATUS=one line");
  CHECK(notify_status(""));
  CHECK(manager.next() == "STATUS=");
  CHECK(manager.next() == "(none)");
  CHECK(lowest_free_descriptor() == before);
}

}  // namespace

TEST_CASE("notify: messages to a path") {
  const TemporaryFolder folder;
  check_messages(folder / "notify");
}

#if defined(__linux__)
TEST_CASE("notify: messages to an abstract name") {
  check_messages("@martlet-test-notify-" + std::to_string(::getpid()));
}

TEST_CASE("notify: a manager that does not read is not waited for") {
  const TemporaryFolder folder;
  Manager manager(folder / "notify");
  const Variable socket("NOTIFY_SOCKET", folder / "notify");
  int taken = 0;
  while (taken < 100000 && notify_service_manager(kNotifyWatchdog)) taken++;
  CHECK(taken > 0);
  CHECK(taken < 100000);
  CHECK(manager.next() == "WATCHDOG=1");
  CHECK(notify_service_manager(kNotifyReady));  // there is room again
}
#endif

TEST_CASE("notify: a reload carries the time of the monotonic clock") {
  const TemporaryFolder folder;
  Manager manager(folder / "notify");
  const Variable socket("NOTIFY_SOCKET", folder / "notify");
  const uint64_t before = monotonic_ns() / 1000;
  CHECK(notify_reloading());
  const uint64_t after = monotonic_ns() / 1000;
  const std::string message = manager.next();
  const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(message.substr(0, start.size()) == start);
  char* end = nullptr;
  const uint64_t said = std::strtoull(message.c_str() + start.size(), &end, 10);
  CHECK(*end == '\0');
  CHECK(said >= before);
  CHECK(said <= after);
}

TEST_CASE("notify: nobody to tell") {
  const TemporaryFolder folder;
  const std::string too_long = "/" + std::string(sizeof(sockaddr_un::sun_path), 'x');
  const std::string nobody = folder / "nobody";
  for (const char* name : {static_cast<const char*>(nullptr), "", "/", "@", "relative", "vsock:2:1", nobody.c_str(),
                           too_long.c_str(), "@martlet-test-nobody"}) {
    CAPTURE(name);
    const Variable socket("NOTIFY_SOCKET", name);
    CHECK(!notify_service_manager(kNotifyReady));
    CHECK(!notify_reloading());
    CHECK(!notify_status("unheard"));
  }
}

TEST_CASE("notify: without a descriptor to send from nothing is sent, and nothing breaks") {
  const TemporaryFolder folder;
  Manager manager(folder / "notify");
  const Variable socket("NOTIFY_SOCKET", folder / "notify");
  const Syscalls saved = syscalls;
  syscalls.socket = [](int, int, int) {
    errno = EMFILE;
    return -1;
  };
  CHECK(!notify_service_manager(kNotifyReady));
  syscalls = saved;
  CHECK(manager.next() == "(none)");
}

TEST_CASE("watchdog: how long it waits for this process") {
  const std::string us = std::to_string(::getpid());
  const std::string other = std::to_string(::getpid() + 1);
  struct {
    const char* patience;
    const char* pid;
    uint64_t want;
  } const cases[] = {
      {nullptr, nullptr, 0},
      {"30000000", nullptr, 30000000},
      {"30000000", us.c_str(), 30000000},
      {"30000000", other.c_str(), 0},
      {"30000000", "", 0},
      {"30000000", "x", 0},
      {nullptr, us.c_str(), 0},
      {"", us.c_str(), 0},
      {"0", us.c_str(), 0},
      {"-1", us.c_str(), 0},
      {"30s", us.c_str(), 0},
      {"18446744073709551615", us.c_str(), 0},  // "never"
      {"18446744073709551616", us.c_str(), 0},
      {"18446744073709551614", us.c_str(), 18446744073709551614u},
  };
  for (const auto& c : cases) {
    CAPTURE(c.patience);
    CAPTURE(c.pid);
    const Variable patience("WATCHDOG_USEC", c.patience);
    const Variable pid("WATCHDOG_PID", c.pid);
    CHECK(service_watchdog_us() == c.want);
  }
}
