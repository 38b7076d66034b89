// The protocol of sd_notify(3): one datagram of text to a Unix socket named by the environment. The manager knows us by
// the credentials that the kernel adds.
#include "sys/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "sys/clock.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

#if defined(MSG_NOSIGNAL)
constexpr int kDatagramFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int kDatagramFlags = MSG_DONTWAIT;  // macOS raises SIGPIPE for streams only
#endif

#if defined(SOCK_CLOEXEC)
constexpr int kDatagramSocket = SOCK_DGRAM | SOCK_CLOEXEC;
#else
constexpr int kDatagramSocket = SOCK_DGRAM;  // closed again a few lines further on
#endif

#if defined(__linux__)
constexpr bool kHasAbstractNames = true;
#else
constexpr bool kHasAbstractNames = false;
#endif

// The address of $NOTIFY_SOCKET; 0 when there is none that we can send to.
socklen_t manager_address(sockaddr_un& out) noexcept {
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (!name || !(name[0] == '/' || (kHasAbstractNames && name[0] == '@'))) return 0;
  const size_t size = std::strlen(name);
  if (size < 2 || size >= sizeof out.sun_path) return 0;
  std::memset(&out, 0, sizeof out);
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, name, size);
  if (name[0] == '@') out.sun_path[0] = '\0';  // and no byte after the name, which would be part of it
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (name[0] == '/'));
}

iovec piece(std::string_view text) noexcept { return {const_cast<char*>(text.data()), text.size()}; }

bool send_to_manager(std::string_view first, std::string_view second) noexcept {
  sockaddr_un address;
  const socklen_t address_size = manager_address(address);
  if (address_size == 0) return false;
  const int fd = syscalls.socket(AF_UNIX, kDatagramSocket, 0);
  if (fd < 0) return false;
  iovec pieces[] = {piece(first), piece(second)};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = address_size;
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  const bool sent = syscalls.sendmsg(fd, &message, kDatagramFlags) == static_cast<ssize_t>(first.size() + second.size());
  syscalls.close(fd);
  return sent;
}

// The text of a number, in a buffer of its own.
struct Figures {
  char text[20];
  size_t size;
  explicit Figures(uint64_t number) noexcept
      : size(static_cast<size_t>(std::to_chars(text, text + sizeof text, number).ptr - text)) {}
  std::string_view view() const noexcept { return {text, size}; }
};

// The number in an environment variable; false when it is unset or none.
bool number_of(const char* name, uint64_t& out) noexcept {
  const char* text = std::getenv(name);
  if (!text) return false;
  const char* end = text + std::strlen(text);
  const auto [stop, failure] = std::from_chars(text, end, out);
  return failure == std::errc() && stop == end;
}

}  // namespace

bool notify_service_manager(std::string_view state) noexcept { return send_to_manager(state, {}); }

bool notify_reloading() noexcept {
  return send_to_manager("RELOADING=1\nMONOTONIC_USEC=", Figures(monotonic_ns() / 1000).view());
}

bool notify_main_pid(int pid) noexcept {
  return pid > 0 && send_to_manager("MAINPID=", Figures(static_cast<uint64_t>(pid)).view());
}

bool notify_status(std::string_view text) noexcept {
  return send_to_manager("STATUS=", text.substr(0, text.find('\n')));
}

uint64_t service_watchdog_us() noexcept {
  uint64_t pid = 0;
  if (std::getenv("WATCHDOG_PID") &&
      (!number_of("WATCHDOG_PID", pid) || pid != static_cast<uint64_t>(::getpid()))) {
    return 0;
  }
  uint64_t patience_us = 0;
  if (!number_of("WATCHDOG_USEC", patience_us) || patience_us == UINT64_MAX) return 0;  // the largest is "never"
  return patience_us;
}

}  // namespace martlet::sys
