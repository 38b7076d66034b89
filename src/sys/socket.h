// Sockets without errno: non-blocking, close-on-exec, SIGPIPE-free. Answers are an IoResult or an Error.
// Addresses are numeric only (no resolver is linked). One thread per socket.
#pragma once

#include <martlet/error.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace martlet::sys {

enum class IoStatus : uint8_t {
  ok,           // `bytes` were moved (0 from a read: end of stream)
  would_block,  // nothing moved; wait for readiness
  failed,       // the connection is broken; os_code says why
};

struct IoResult {
  size_t bytes = 0;
  int os_code = 0;
  IoStatus status = IoStatus::ok;
  bool end_of_stream() const noexcept { return status == IoStatus::ok && bytes == 0; }
};

// One piece of a gathered read or write. The layout is that of the system's iovec (socket.cc asserts it).
struct IoPiece {
  void* data;
  size_t size;
};
inline constexpr int kMaxPieces = 1024;  // IOV_MAX of every system we know; more is a programmer's error

IoResult receive(int fd, void* data, size_t size) noexcept;
IoResult receive_pieces(int fd, const IoPiece* pieces, int count) noexcept;
IoResult transmit(int fd, const void* data, size_t size) noexcept;
IoResult transmit_pieces(int fd, const IoPiece* pieces, int count) noexcept;

// Where to listen: "127.0.0.1", "::1", "::" (dual stack unless only_ipv6), "0.0.0.0", or "unix:/path". What stands for
// several addresses is the business of listeners.h.
struct ListenAddress {
  std::string_view host = "127.0.0.1";
  uint16_t port = 0;          // 0: any free port
  int backlog = 4096;
  bool reuse_port = false;    // SO_REUSEPORT (SO_REUSEPORT_LB on FreeBSD); else an error when anybody listens there
  bool only_ipv6 = false;
  int unix_mode = -1;         // permission bits of a Unix socket's file; -1: the umask's
  bool listens = true;        // false: the port is held, and nobody can connect
};

// A bound and listening socket. A Unix socket's stale file (nobody listens on it) is replaced. TCP_NODELAY is set on
// the listener where accepted sockets inherit it.
Result<int> listen_on(const ListenAddress& address) noexcept;

// Whether a socket that is bound with reuse_port and does not listen keeps a port for those that will, and gets no
// connection itself. Elsewhere it may be given connections, which nobody accepts.
bool bound_socket_holds_port() noexcept;

// Whether the kernel spreads new connections over all sockets that share a port (ListenAddress::reuse_port).
bool reuse_port_balances() noexcept;

// Whether another socket may be bound to this one's port (it was made with reuse_port).
bool shares_port(int fd) noexcept;

// Lets further sockets be bound (with reuse_port) to the port of one that was alone there and listens. False where the
// system wants to be told before bind: all but Linux.
bool share_port(int fd) noexcept;

// What a socket is bound to: "127.0.0.1:3000", "[::1]:3000", "unix:/path".
std::string local_name(int fd);

// The port a listening socket is bound to; 0 for a Unix socket.
uint16_t local_port(int fd) noexcept;

enum class AcceptStatus : uint8_t {
  ok,
  empty,           // nobody waits
  again,           // this one went away or a signal came: try the next
  no_descriptors,  // EMFILE, ENFILE
  no_memory,       // ENOBUFS, ENOMEM
  failed,          // the listener itself is broken
};
struct AcceptResult {
  int fd = -1;
  int os_code = 0;
  AcceptStatus status = AcceptStatus::empty;
};
// Accepts one connection, ready for use (non-blocking, close-on-exec, no delay, no SIGPIPE).
AcceptResult accept_one(int listener) noexcept;

void close_socket(int fd) noexcept;
// Ends with a reset instead of an orderly close: unsent bytes are dropped.
void reset_socket(int fd) noexcept;
// No more bytes from us; the peer still may send.
void shutdown_sending(int fd) noexcept;

// The peer's address as text ("203.0.113.7", "2001:db8::1"; IPv4-mapped addresses as IPv4; "" for a Unix socket or a
// socket that is gone) and port. Asks the kernel.
std::string peer_address(int fd);
uint16_t peer_port(int fd) noexcept;

// The same in sixteen bytes, an IPv4 address as ::ffff:a.b.c.d. A connection that was reset may have none any more.
struct PeerAddress {
  enum class Kind : uint8_t { none, ip, unix_socket } kind = Kind::none;
  uint8_t bytes[16] = {};
};
PeerAddress peer_of(int fd) noexcept;

// A connection to a numeric address or "unix:/path", still in progress when it answers (for tests and the client).
Result<int> connect_to(std::string_view host, uint16_t port) noexcept;

}  // namespace martlet::sys
