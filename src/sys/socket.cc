// The sockets of socket.h, with the differences between the systems kept here.
//
//             new sockets                 no SIGPIPE                no delay         connections spread over listeners
//   Linux     accept4, SOCK_NONBLOCK      MSG_NOSIGNAL              inherited        SO_REUSEPORT
//   FreeBSD   accept4, SOCK_NONBLOCK      MSG_NOSIGNAL              set on each      SO_REUSEPORT_LB
//   others    accept4, SOCK_NONBLOCK      MSG_NOSIGNAL              set on each      DragonFly: SO_REUSEPORT; else not
//   macOS     accept and fcntl            SO_NOSIGPIPE, inherited   set on each      not
//
// Inherited is what a connection has from its listener: with no delay, accept is one system call. SO_NOSIGPIPE must be:
// macOS takes no option for a connection that has ended, and one may have before it is accepted.
//
// The functions that move bytes are a call through the table and a few compares; they are called a million times a
// second. Everything else happens once per connection or once per listener. One thread per socket.
//
// Contents: errno to status · moving bytes · addresses · options · listening · accepting · ending · names · connecting
#include "sys/socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

static_assert(sizeof(IoPiece) == sizeof(iovec) && offsetof(IoPiece, data) == offsetof(iovec, iov_base) &&
                  offsetof(IoPiece, size) == offsetof(iovec, iov_len),
              "pieces are handed to the kernel as they are");

namespace {

#if defined(__APPLE__)
constexpr int kSendFlags = 0;  // SO_NOSIGPIPE instead: the flag is younger than the systems we run on
#else
constexpr int kSendFlags = MSG_NOSIGNAL;
#endif

#if defined(SOCK_NONBLOCK)
constexpr int kNewSocketFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
#else
constexpr int kNewSocketFlags = 0;
#endif

#if defined(__linux__)
constexpr bool kAcceptedInheritNoDelay = true;
#else
constexpr bool kAcceptedInheritNoDelay = false;
#endif

#if defined(SO_REUSEPORT_LB)
constexpr int kReusePort = SO_REUSEPORT_LB;  // FreeBSD's plain SO_REUSEPORT gives everything to one socket
#else
constexpr int kReusePort = SO_REUSEPORT;
#endif

constexpr std::string_view kUnixPrefix = "unix:";

[[gnu::cold, gnu::noinline]] IoResult refuse(int code) noexcept {
  const bool wait = code == EAGAIN || code == EWOULDBLOCK;
  return {.bytes = 0, .os_code = wait ? 0 : code, .status = wait ? IoStatus::would_block : IoStatus::failed};
}

// `call` answers as a system call does; a signal is no reason to go round the loop.
template <typename Call>
inline IoResult move_bytes(Call call) noexcept {
  for (;;) {
    const ssize_t moved = call();
    if (moved >= 0) [[likely]] return {.bytes = static_cast<size_t>(moved), .os_code = 0, .status = IoStatus::ok};
    if (errno != EINTR) return refuse(errno);
  }
}

}  // namespace

IoResult receive(int fd, void* data, size_t size) noexcept {
  return move_bytes([&] { return syscalls.recv(fd, data, size, 0); });
}

IoResult receive_pieces(int fd, const IoPiece* pieces, int count) noexcept {
  return move_bytes([&] { return syscalls.readv(fd, reinterpret_cast<const iovec*>(pieces), count); });
}

IoResult transmit(int fd, const void* data, size_t size) noexcept {
  return move_bytes([&] { return syscalls.send(fd, data, size, kSendFlags); });
}

IoResult transmit_pieces(int fd, const IoPiece* pieces, int count) noexcept {
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(const_cast<IoPiece*>(pieces));  // sendmsg does not write to it
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  return move_bytes([&] { return syscalls.sendmsg(fd, &message, kSendFlags); });
}

namespace {

struct Address {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
  };
  socklen_t size;
  Address() noexcept { std::memset(static_cast<void*>(this), 0, sizeof *this); }
  int family() const noexcept { return any.sa_family; }
};

constexpr Error no_address("no address");

Error parse_unix_path(std::string_view path, Address& out) noexcept {
  if (path.empty() || path.find('\0') != path.npos) return no_address;
  if (path.size() >= sizeof out.local.sun_path) return Error("path of a unix socket is too long", ENAMETOOLONG);
  out.local.sun_family = AF_UNIX;
  std::memcpy(out.local.sun_path, path.data(), path.size());
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return {};
}

// The zone of "fe80::1%eth0", by number or by interface name; 0 when there is no such zone.
uint32_t parse_zone(const char* zone) noexcept {
  uint32_t number = 0;
  const char* end = zone + std::strlen(zone);
  const auto [stop, failure] = std::from_chars(zone, end, number);
  return failure == std::errc() && stop == end ? number : ::if_nametoindex(zone);
}

// "unix:/path", an IPv4 or IPv6 address in figures, or localhost (which is 127.0.0.1 here: there is no resolver).
Error parse_address(std::string_view host, uint16_t port, Address& out) noexcept {
  if (host.substr(0, kUnixPrefix.size()) == kUnixPrefix) return parse_unix_path(host.substr(kUnixPrefix.size()), out);
  if (host == "localhost") host = "127.0.0.1";
  char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
  if (host.size() >= sizeof text || host.find('\0') != host.npos) return no_address;
  std::memcpy(text, host.data(), host.size());
  text[host.size()] = '\0';
  if (::inet_pton(AF_INET, text, &out.v4.sin_addr) == 1) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(port);
    out.size = sizeof out.v4;
    return {};
  }
  char* zone = std::strchr(text, '%');
  if (zone) *zone = '\0';
  const uint32_t scope = zone ? parse_zone(zone + 1) : 0;
  if (::inet_pton(AF_INET6, text, &out.v6.sin6_addr) != 1 || (zone && scope == 0)) return no_address;
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(port);
  out.v6.sin6_scope_id = scope;
  out.size = sizeof out.v6;
  return {};
}

uint16_t port_of(const Address& address) noexcept {
  if (address.family() == AF_INET) return ntohs(address.v4.sin_port);
  if (address.family() == AF_INET6) return ntohs(address.v6.sin6_port);
  return 0;
}

// The same, with an error that names it.
Error parse_address_to(const char* verb, std::string_view host, uint16_t port, Address& out) noexcept {
  const Error error = parse_address(host, port, out);
  if (!error) return {};
  if (error.os_code()) return Error::of({verb, ": ", error.what(), ": ", host}, error.os_code());
  return Error::of({verb, ": '", host, "' is no address"});
}

// "127.0.0.1:3000", "[::1]:3000", "unix:/path"; empty when it is none of these.
class AddressText {
 public:
  explicit AddressText(const Address& address) noexcept {
    if (address.family() == AF_UNIX) {
      constexpr socklen_t kHead = offsetof(sockaddr_un, sun_path);
      const size_t most = address.size > kHead ? address.size - kHead : 0;
      add(kUnixPrefix);
      add(std::string_view(address.local.sun_path, ::strnlen(address.local.sun_path, most)));
      return;
    }
    const bool six = address.family() == AF_INET6;
    const void* number = six ? static_cast<const void*>(&address.v6.sin6_addr) : &address.v4.sin_addr;
    char figures[INET6_ADDRSTRLEN];
    if ((!six && address.family() != AF_INET) || !::inet_ntop(address.family(), number, figures, sizeof figures)) return;
    add(six ? std::string_view("[") : std::string_view());
    add(std::string_view(figures));
    if (six && address.v6.sin6_scope_id) {
      add(std::string_view("%"));
      add(address.v6.sin6_scope_id);
    }
    add(std::string_view(six ? "]:" : ":"));
    add(uint32_t{port_of(address)});
  }
  std::string_view view() const noexcept { return {text_, size_}; }

 private:
  void add(uint32_t number) noexcept {
    size_ = static_cast<size_t>(std::to_chars(text_ + size_, text_ + sizeof text_, number).ptr - text_);
  }
  void add(std::string_view piece) noexcept { size_ += piece.copy(text_ + size_, sizeof text_ - size_); }

  char text_[kUnixPrefix.size() + sizeof(sockaddr_un)];
  size_t size_ = 0;
};

// The address of our end or of the peer's; `out.size` is 0 when there is none.
Address name_of(int (*call)(int, sockaddr*, socklen_t*), int fd) noexcept {
  Address out;
  out.size = offsetof(Address, size);
  if (call(fd, &out.any, &out.size) != 0) {
    out.any.sa_family = AF_UNSPEC;
    out.size = 0;
  }
  return out;
}

bool set_option(int fd, int level, int option, int value) noexcept {
  return syscalls.setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// It fails for a Unix socket (no delay to switch off) and for one whose peer has gone; neither is of interest here.
void switch_delay_off(int fd) noexcept { (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

Result<int> new_socket(int family) noexcept {
  const int fd = syscalls.socket(family, SOCK_STREAM | kNewSocketFlags, 0);
  if (fd < 0) return Error("socket", errno);
  if (kNewSocketFlags == 0 && syscalls.set_flags(fd) != 0) {
    const Error error("socket flags", errno);
    syscalls.close(fd);
    return error;
  }
#if defined(__APPLE__)
  (void)set_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
  return fd;
}

Error set_listen_options(int fd, int family, const ListenAddress& wanted) noexcept {
  if (family == AF_UNIX) return {};
  // With it, Linux would give the port away to anybody who sets it, too, as long as nobody listens.
  if (wanted.listens && !set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return Error("SO_REUSEADDR", errno);
  if (wanted.reuse_port && !set_option(fd, SOL_SOCKET, kReusePort, 1)) return Error("SO_REUSEPORT", errno);
  // OpenBSD has no dual stack and refuses to be asked for it; an IPv6 listener is what there is then.
  if (family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, wanted.only_ipv6) && wanted.only_ipv6) {
    return Error("IPV6_V6ONLY", errno);
  }
  if (!set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return Error("TCP_NODELAY", errno);
  return {};
}

// True when the file at this address is a socket on which nobody listens: its process died without removing it. The
// type is looked at first, since connecting to a plain file is refused in just the same way.
bool is_stale_socket_file(const Address& address) noexcept {
  struct stat status;
  if (::lstat(address.local.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  Result<int> probe = new_socket(AF_UNIX);
  if (!probe) return false;
  const bool refused = syscalls.connect(*probe, &address.any, address.size) != 0 && errno == ECONNREFUSED;
  syscalls.close(*probe);
  return refused;
}

Error bind_to(int fd, const Address& address, int unix_mode) noexcept {
  int bound = syscalls.bind(fd, &address.any, address.size);
  if (bound != 0 && address.family() == AF_UNIX && errno == EADDRINUSE) {
    if (is_stale_socket_file(address) && ::unlink(address.local.sun_path) == 0) {
      bound = syscalls.bind(fd, &address.any, address.size);
    } else {
      errno = EADDRINUSE;  // the probe has overwritten it
    }
  }
  if (bound != 0) return Error::of({"bind ", AddressText(address).view()}, errno);
  // Before listen(), so that nobody connects under the umask's permissions.
  if (address.family() == AF_UNIX && unix_mode >= 0 &&
      ::chmod(address.local.sun_path, static_cast<mode_t>(unix_mode)) != 0) {
    return Error::of({"chmod ", address.local.sun_path}, errno);
  }
  return {};
}

}  // namespace

Result<int> listen_on(const ListenAddress& wanted) noexcept {
  Address address;
  if (Error error = parse_address_to("listen", wanted.host, wanted.port, address)) return error;
  Result<int> made = new_socket(address.family());
  if (!made) return made.error();
  const int fd = *made;
  Error error = set_listen_options(fd, address.family(), wanted);
  if (!error) error = bind_to(fd, address, wanted.unix_mode);
  if (!error && wanted.listens && syscalls.listen(fd, wanted.backlog) != 0) {
    error = Error::of({"listen on ", AddressText(address).view()}, errno);
  }
  if (!error) return fd;
  syscalls.close(fd);
  return error;
}

bool bound_socket_holds_port() noexcept {
#if defined(__linux__)
  return true;
#else
  return false;
#endif
}

bool reuse_port_balances() noexcept {
#if defined(__linux__) || defined(SO_REUSEPORT_LB) || defined(__DragonFly__)
  return true;
#else
  return false;
#endif
}

bool shares_port(int fd) noexcept {
  int shares = 0;
  socklen_t size = sizeof shares;
  return syscalls.getsockopt(fd, SOL_SOCKET, kReusePort, &shares, &size) == 0 && shares != 0;
}

bool share_port(int fd) noexcept {
#if defined(__linux__)
  return set_option(fd, SOL_SOCKET, kReusePort, 1);
#else
  (void)fd;
  return false;
#endif
}

std::string local_name(int fd) { return std::string(AddressText(name_of(syscalls.getsockname, fd)).view()); }

uint16_t local_port(int fd) noexcept { return port_of(name_of(syscalls.getsockname, fd)); }

namespace {

// Linux reports errors that already wait on the new connection as errors of accept(2); they say nothing about the
// listener. EPERM is a firewall's no.
AcceptStatus classify_accept_error(int code) noexcept {
  if (code == EAGAIN || code == EWOULDBLOCK) return AcceptStatus::empty;
  switch (code) {
    case EMFILE:
    case ENFILE:
      return AcceptStatus::no_descriptors;
    case ENOBUFS:
    case ENOMEM:
      return AcceptStatus::no_memory;
    case EINTR:
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ETIMEDOUT:
      return AcceptStatus::again;
    default:
      return AcceptStatus::failed;
  }
}

AcceptResult refuse_accept(int code) noexcept {
  return {.fd = -1, .os_code = code, .status = classify_accept_error(code)};
}

}  // namespace

AcceptResult accept_one(int listener) noexcept {
#if defined(SOCK_NONBLOCK)
  const int fd = syscalls.accept4(listener, nullptr, nullptr, kNewSocketFlags);
  if (fd < 0) return refuse_accept(errno);
#else
  const int fd = syscalls.accept(listener, nullptr, nullptr);
  if (fd < 0) return refuse_accept(errno);
  if (syscalls.set_flags(fd) != 0) {
    const int code = errno;
    syscalls.close(fd);
    return {.fd = -1, .os_code = code, .status = AcceptStatus::again};
  }
#endif
  if (!kAcceptedInheritNoDelay) switch_delay_off(fd);
  return {.fd = fd, .os_code = 0, .status = AcceptStatus::ok};
}

void close_socket(int fd) noexcept {
  (void)syscalls.close(fd);  // never again after EINTR: the number may be somebody else's by then
}

void reset_socket(int fd) noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)syscalls.setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close_socket(fd);
}

void shutdown_sending(int fd) noexcept { (void)syscalls.shutdown(fd, SHUT_WR); }

std::string peer_address(int fd) {
  const Address peer = name_of(syscalls.getpeername, fd);
  const void* number = nullptr;
  int family = peer.family();
  if (family == AF_INET) {
    number = &peer.v4.sin_addr;
  } else if (family == AF_INET6) {
    number = &peer.v6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr)) {
      family = AF_INET;
      number = peer.v6.sin6_addr.s6_addr + 12;
    }
  }
  char text[INET6_ADDRSTRLEN];
  return number && ::inet_ntop(family, number, text, sizeof text) ? std::string(text) : std::string();
}

PeerAddress peer_of(int fd) noexcept {
  const Address peer = name_of(syscalls.getpeername, fd);
  PeerAddress address;
  if (peer.family() == AF_INET) {
    address.kind = PeerAddress::Kind::ip;
    address.bytes[10] = address.bytes[11] = 0xFF;
    std::memcpy(address.bytes + 12, &peer.v4.sin_addr, 4);
  } else if (peer.family() == AF_INET6) {
    address.kind = PeerAddress::Kind::ip;
    std::memcpy(address.bytes, &peer.v6.sin6_addr, 16);
  } else if (peer.family() == AF_UNIX) {
    address.kind = PeerAddress::Kind::unix_socket;
  }
  return address;
}

uint16_t peer_port(int fd) noexcept { return port_of(name_of(syscalls.getpeername, fd)); }

Result<int> connect_to(std::string_view host, uint16_t port) noexcept {
  Address address;
  if (Error error = parse_address_to("connect", host, port, address)) return error;
  Result<int> made = new_socket(address.family());
  if (!made) return made.error();
  const int fd = *made;
  if (address.family() != AF_UNIX) switch_delay_off(fd);
  const int connected = syscalls.connect(fd, &address.any, address.size);
  // After EINTR the connection goes on being made, as after EINPROGRESS.
  if (connected == 0 || errno == EINPROGRESS || errno == EINTR) return fd;
  const Error error = Error::of({"connect ", AddressText(address).view()}, errno);
  syscalls.close(fd);
  return error;
}

}  // namespace martlet::sys
