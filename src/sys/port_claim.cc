// See port_claim.h. The name is "martlet.port." and what local_name() says. A claim is a datagram socket, as connect() to
// such a name tells whether it is there without being seen by its holder.
//
// No instant is left open: the claim is there before its holder's sockets let others join (listeners.cc), and who joins
// looks for it after his own socket is bound.
#include "sys/port_claim.h"

#include "sys/platform.h"
#include "sys/socket.h"

#if defined(__linux__)
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string_view>

#include "sys/syscalls.h"
#endif

namespace martlet::sys {

#if defined(__linux__)

namespace {

constexpr std::string_view kPrefix{"\0martlet.port.", 14};

struct ClaimName {
  explicit ClaimName(std::string_view name) noexcept {
    address.sun_family = AF_UNIX;
    kPrefix.copy(address.sun_path, kPrefix.size());
    const size_t bytes = kPrefix.size() + name.copy(address.sun_path + kPrefix.size(), sizeof address.sun_path - kPrefix.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes);
  }
  const sockaddr* any() const noexcept { return reinterpret_cast<const sockaddr*>(&address); }
  sockaddr_un address{};
  socklen_t size;
};

int new_claim() noexcept { return syscalls.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

bool is_held(std::string_view name) noexcept {
  const int fd = new_claim();
  if (fd < 0) return false;
  const ClaimName claim(name);
  const bool held = syscalls.connect(fd, claim.any(), claim.size) == 0;
  syscalls.close(fd);
  return held;
}

// Two sockets for all addresses of IPv6 do not mean the same: one of them takes IPv4, too.
std::string name_of(int listener) {
  std::string name = local_name(listener);
  int only = 0;
  socklen_t size = sizeof only;
  if (name.starts_with("[::]") && syscalls.getsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && only) {
    name += " only";
  }
  return name;
}

}  // namespace

int claim_port(int listener) noexcept {
  const int fd = new_claim();
  if (fd < 0) return -1;
  const ClaimName claim(name_of(listener));
  if (syscalls.bind(fd, claim.any(), claim.size) == 0) return fd;
  syscalls.close(fd);
  return -1;
}

bool is_claimed(const std::string& name) noexcept {
  const size_t colon = name.rfind(':');
  if (name.starts_with("unix:") || colon == name.npos) return false;
  const std::string port = name.substr(colon);
  if (is_held(name) || is_held("[::]" + port) || is_held("0.0.0.0" + port)) return true;
  return name.starts_with('[') && is_held("[::]" + port + " only");
}

bool is_claimed(int listener) noexcept { return is_claimed(local_name(listener)); }

bool is_claim(int fd) noexcept {
  sockaddr_un name;
  socklen_t size = sizeof name;
  if (syscalls.getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 || name.sun_family != AF_UNIX) return false;
  constexpr size_t kHead = offsetof(sockaddr_un, sun_path);
  return size >= kHead + kPrefix.size() && std::memcmp(name.sun_path, kPrefix.data(), kPrefix.size()) == 0;
}

#else

int claim_port(int) noexcept { return -1; }
bool is_claimed(int) noexcept { return false; }
bool is_claimed(const std::string&) noexcept { return false; }
bool is_claim(int) noexcept { return false; }

#endif

}  // namespace martlet::sys
