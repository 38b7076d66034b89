// src/sys/socket.h: listening, accepting, moving bytes and ending, over IPv4, IPv6 and Unix sockets; and the answers
// that only a replaced system call can provoke.
#include "sys/socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "sys/syscalls.h"

using namespace martlet::sys;

namespace {

struct RestoreSyscalls {
  Syscalls saved = syscalls;
  ~RestoreSyscalls() { syscalls = saved; }
};

bool wait_for(int fd, short events) {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  return ::poll(&one, 1, 5000) == 1;
}

int listen_or_fail(const ListenAddress& address) {
  auto made = listen_on(address);
  REQUIRE_MESSAGE(made.ok(), made.error().message());
  return *made;
}

int connect_or_fail(std::string_view host, uint16_t port) {
  auto made = connect_to(host, port);
  REQUIRE_MESSAGE(made.ok(), made.error().message());
  return *made;
}

int accept_or_fail(int listener) {
  REQUIRE(wait_for(listener, POLLIN));
  const AcceptResult accepted = accept_one(listener);
  REQUIRE(accepted.status == AcceptStatus::ok);
  return accepted.fd;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(::getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

// A listener on 127.0.0.1 and one connection to it.
struct Connected {
  int listener = listen_or_fail({});
  int client = connect_or_fail("127.0.0.1", local_port(listener));
  int server = accept_or_fail(listener);
  ~Connected() {
    for (int fd : {client, server, listener}) {
      if (fd >= 0) close_socket(fd);
    }
  }
};

struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    char name[] = "/tmp/martlet_socket_test_XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~TemporaryFolder() {
    ::unlink(file().c_str());
    ::rmdir(path.c_str());
  }
  std::string file() const { return path + "/s"; }
  std::string address() const { return "unix:" + file(); }
};

bool has_ipv6() {
  auto made = listen_on({.host = "::1"});
  if (!made.ok()) return false;
  close_socket(*made);
  return true;
}

std::string receive_text(int fd) {
  if (!wait_for(fd, POLLIN)) return "(nothing came)";
  char text[64];
  const IoResult got = receive(fd, text, sizeof text);
  return got.status == IoStatus::ok ? std::string(text, got.bytes) : "(failed)";
}

}  // namespace

TEST_CASE("socket: accepted sockets are non-blocking, close-on-exec, without delay") {
  Connected tcp;
  for (int fd : {tcp.server, tcp.client, tcp.listener}) {
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
  }
  CHECK(accept_one(tcp.listener).status == AcceptStatus::empty);
}

TEST_CASE("socket: addresses and ports") {
  Connected tcp;
  CHECK(local_port(tcp.listener) != 0);
  CHECK(local_port(tcp.server) == local_port(tcp.listener));
  CHECK(peer_address(tcp.server) == "127.0.0.1");
  CHECK(peer_port(tcp.server) == local_port(tcp.client));
  CHECK(peer_port(tcp.client) == local_port(tcp.listener));
  CHECK(peer_address(tcp.listener) == "");
  CHECK(peer_port(tcp.listener) == 0);
  CHECK(peer_address(-1) == "");
  CHECK(local_port(-1) == 0);
}

TEST_CASE("socket: what is not a numeric address") {
  const std::string nul("127.0.0.1\0x", 11);
  for (std::string_view host : {std::string_view(""), std::string_view("example.org"), std::string_view("127.0.0"),
                                std::string_view("1.2.3.4.5"), std::string_view("::1%"), std::string_view("::g"),
                                std::string_view(nul), std::string_view("unix:")}) {
    std::string name(host);
    std::replace(name.begin(), name.end(), '\0', '.');
    CHECK(listen_on({.host = host}).error().what() == "listen: '" + name + "' is no address");
    CHECK(connect_to(host, 1).error().what() == "connect: '" + name + "' is no address");
  }
  CHECK(listen_on({.host = std::string(300, '1')}).error().what().starts_with("listen: '1111"));
  CHECK(listen_on({.host = "unix:/" + std::string(300, 'x')}).error().os_code() == ENAMETOOLONG);
}

TEST_CASE("socket: an error names what it is about") {
  const int first = listen_or_fail({});
  const std::string name = "127.0.0.1:" + std::to_string(local_port(first));
  CHECK(local_name(first) == name);
  CHECK(listen_on({.port = local_port(first)}).error().what() == "bind " + name);
  CHECK(listen_on({.host = "192.0.2.7", .port = 81}).error().what() == "bind 192.0.2.7:81");
  CHECK(listen_on({.host = "2001:db8::1", .port = 81}).error().what().ends_with("[2001:db8::1]:81"));
  CHECK(listen_on({.host = "unix:/no/such/folder"}).error().what() == "bind unix:/no/such/folder");
  const std::string longest = "unix:/" + std::string(106, 'x');
  CHECK(listen_on({.host = longest + "/y"}).error().os_code() == ENAMETOOLONG);
  CHECK(local_name(-1) == "");
  close_socket(first);
}

#if defined(__linux__)
TEST_CASE("socket: a port that one socket had for itself can be shared from then on") {
  const int first = listen_or_fail({});
  CHECK_FALSE(shares_port(first));
  CHECK(listen_on({.port = local_port(first), .reuse_port = true}).error().os_code() == EADDRINUSE);
  CHECK(share_port(first));
  CHECK(shares_port(first));
  const int second = listen_or_fail({.port = local_port(first), .reuse_port = true});
  CHECK(listen_on({.port = local_port(first)}).error().os_code() == EADDRINUSE);
  close_socket(first);
  close_socket(second);
}
#endif

TEST_CASE("socket: localhost needs no resolver") {
  const int listener = listen_or_fail({.host = "localhost"});
  const int client = connect_or_fail("localhost", local_port(listener));
  const int server = accept_or_fail(listener);
  CHECK(peer_address(server) == "127.0.0.1");
  for (int fd : {client, server, listener}) close_socket(fd);
}

TEST_CASE("socket: a port that is taken is an error, unless it is shared") {
  const int first = listen_or_fail({});
  CHECK(listen_on({.port = local_port(first)}).error().os_code() == EADDRINUSE);
  close_socket(first);
  const int shared = listen_or_fail({.reuse_port = true});
  const int also = listen_or_fail({.port = local_port(shared), .reuse_port = true});
  CHECK(local_port(also) == local_port(shared));
  close_socket(shared);
  close_socket(also);
}

TEST_CASE("socket: a port is free again as soon as its listener has closed") {
  uint16_t port = 0;
  {
    Connected tcp;
    port = local_port(tcp.listener);
    close_socket(tcp.server);  // the server ends first: its side waits in TIME_WAIT
    tcp.server = -1;
    CHECK(receive_text(tcp.client) == "");
  }
  close_socket(listen_or_fail({.port = port}));
}

TEST_CASE("socket: IPv6, alone and as dual stack") {
  if (!has_ipv6()) return;
  SUBCASE("the loopback") {
    const int listener = listen_or_fail({.host = "::1"});
    const int client = connect_or_fail("::1", local_port(listener));
    const int server = accept_or_fail(listener);
    CHECK(peer_address(server) == "::1");
    CHECK(peer_port(server) == local_port(client));
    CHECK(option(server, IPPROTO_TCP, TCP_NODELAY) != 0);
    for (int fd : {client, server, listener}) close_socket(fd);
  }
#if !defined(__OpenBSD__)
  SUBCASE("dual stack takes IPv4 and shows it as IPv4") {
    const int listener = listen_or_fail({.host = "::"});
    const int client = connect_or_fail("127.0.0.1", local_port(listener));
    const int server = accept_or_fail(listener);
    CHECK(peer_address(server) == "127.0.0.1");
    CHECK(peer_port(server) == local_port(client));
    for (int fd : {client, server, listener}) close_socket(fd);
  }
#endif
  SUBCASE("IPv6 only leaves the port to an IPv4 listener") {
    const int six = listen_or_fail({.host = "::1", .only_ipv6 = true});
    CHECK(option(six, IPPROTO_IPV6, IPV6_V6ONLY) != 0);
    close_socket(six);
  }
}

TEST_CASE("socket: Unix sockets") {
  TemporaryFolder folder;
  const std::string address = folder.address();
  const int listener = listen_or_fail({.host = address, .unix_mode = 0620});
  struct stat status;
  REQUIRE(::stat(folder.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0620);
  const int client = connect_or_fail(address, 0);
  const int server = accept_or_fail(listener);
  CHECK((::fcntl(server, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(local_port(listener) == 0);
  CHECK(peer_address(server) == "");
  CHECK(peer_port(server) == 0);
  CHECK(transmit(client, "hello", 5).bytes == 5);
  CHECK(receive_text(server) == "hello");
  CHECK(listen_on({.host = address}).error().os_code() == EADDRINUSE);  // somebody listens
  for (int fd : {client, server, listener}) close_socket(fd);
}

TEST_CASE("socket: a stale Unix socket file is replaced, any other file is not") {
  TemporaryFolder folder;
  const std::string address = folder.address();
  close_socket(listen_or_fail({.host = address}));
  REQUIRE(::access(folder.file().c_str(), F_OK) == 0);  // closing does not remove it
  const int listener = listen_or_fail({.host = address});
  const int client = connect_or_fail(address, 0);
  close_socket(accept_or_fail(listener));
  close_socket(client);
  close_socket(listener);
  REQUIRE(::unlink(folder.file().c_str()) == 0);

  const int plain = ::open(folder.file().c_str(), O_CREAT | O_WRONLY, 0600);
  REQUIRE(plain >= 0);
  ::close(plain);
  CHECK(listen_on({.host = address}).error().os_code() == EADDRINUSE);
  CHECK(::access(folder.file().c_str(), F_OK) == 0);
  CHECK(connect_to(address, 0).error().os_code() == ECONNREFUSED);
}

TEST_CASE("socket: bytes go both ways, whole and in pieces") {
  Connected tcp;
  char text[16];
  CHECK(receive(tcp.server, text, sizeof text).status == IoStatus::would_block);
  CHECK(transmit(tcp.client, "abcdef", 6).bytes == 6);
  REQUIRE(wait_for(tcp.server, POLLIN));
  char one[2], two[8];
  const IoPiece in[] = {{one, sizeof one}, {two, sizeof two}};
  const IoResult got = receive_pieces(tcp.server, in, 2);
  CHECK(got.status == IoStatus::ok);
  CHECK(got.bytes == 6);
  CHECK(std::memcmp(one, "ab", 2) == 0);
  CHECK(std::memcmp(two, "cdef", 4) == 0);
  char x[] = "12", y[] = "345";
  const IoPiece out[] = {{x, 2}, {y, 3}};
  CHECK(transmit_pieces(tcp.server, out, 2).bytes == 5);
  CHECK(receive_text(tcp.client) == "12345");
}

TEST_CASE("socket: as many pieces as are promised") {
  Connected tcp;
  char byte = 'x';
  std::vector<IoPiece> pieces(kMaxPieces, IoPiece{&byte, 1});
  CHECK(transmit_pieces(tcp.server, pieces.data(), kMaxPieces).bytes == kMaxPieces);
}

TEST_CASE("socket: a full socket would block") {
  Connected tcp;
  const std::vector<char> block(1 << 20);
  IoResult sent;
  do sent = transmit(tcp.server, block.data(), block.size());
  while (sent.status == IoStatus::ok);
  CHECK(sent.status == IoStatus::would_block);
  CHECK(sent.os_code == 0);
}

TEST_CASE("socket: the three ways to end") {
  SUBCASE("shutdown is an end of stream, the other direction goes on") {
    Connected tcp;
    shutdown_sending(tcp.server);
    REQUIRE(wait_for(tcp.client, POLLIN));
    char byte;
    CHECK(receive(tcp.client, &byte, 1).end_of_stream());
    CHECK(transmit(tcp.client, "x", 1).bytes == 1);
    CHECK(receive_text(tcp.server) == "x");
  }
  SUBCASE("close is an end of stream") {
    Connected tcp;
    close_socket(tcp.server);
    tcp.server = -1;
    CHECK(receive_text(tcp.client) == "");
  }
  SUBCASE("reset breaks the connection, and sending then is no signal") {
    Connected tcp;
    reset_socket(tcp.server);
    tcp.server = -1;
    REQUIRE(wait_for(tcp.client, POLLIN));
    char byte;
    const IoResult got = receive(tcp.client, &byte, 1);
    CHECK(got.status == IoStatus::failed);
    CHECK(got.os_code == ECONNRESET);
    ::signal(SIGPIPE, SIG_DFL);
    const IoResult sent = transmit(tcp.client, "x", 1);
    CHECK(sent.status == IoStatus::failed);
    CHECK(sent.os_code == EPIPE);
    char x[] = "x";
    const IoPiece piece{x, 1};
    CHECK(transmit_pieces(tcp.client, &piece, 1).os_code == EPIPE);
  }
}

TEST_CASE("socket: a connection that nobody accepts is an error when it is used") {
  const int listener = listen_or_fail({});
  const uint16_t port = local_port(listener);
  close_socket(listener);
  auto made = connect_to("127.0.0.1", port);
  if (!made.ok()) return;  // some systems refuse at once
  REQUIRE(wait_for(*made, POLLOUT));
  char byte;
  CHECK(receive(*made, &byte, 1).os_code == ECONNREFUSED);
  close_socket(*made);
}

namespace {

int calls;
int next_errno;

template <int kTimes, typename Result, typename... Args>
Result interrupted(Args...) {
  calls++;
  errno = calls <= kTimes ? EINTR : next_errno;
  return -1;
}

}  // namespace

TEST_CASE("socket: signals are retried, errors are told apart") {
  RestoreSyscalls restore;
  syscalls.recv = interrupted<3, ssize_t, int, void*, size_t, int>;
  syscalls.readv = interrupted<3, ssize_t, int, const iovec*, int>;
  syscalls.send = interrupted<3, ssize_t, int, const void*, size_t, int>;
  syscalls.sendmsg = interrupted<3, ssize_t, int, const msghdr*, int>;
  char bytes[4];
  const IoPiece piece{bytes, 4};
  for (int code : {EAGAIN, EWOULDBLOCK, ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM}) {
    next_errno = code;
    const bool waits = code == EAGAIN || code == EWOULDBLOCK;
    for (int way = 0; way < 4; way++) {
      calls = 0;
      const IoResult result = way == 0   ? receive(0, bytes, 4)
                              : way == 1 ? receive_pieces(0, &piece, 1)
                              : way == 2 ? transmit(0, bytes, 4)
                                         : transmit_pieces(0, &piece, 1);
      CHECK(calls == 4);
      CHECK(result.bytes == 0);
      CHECK(result.status == (waits ? IoStatus::would_block : IoStatus::failed));
      CHECK(result.os_code == (waits ? 0 : code));
    }
  }
}

TEST_CASE("socket: every step of listening may fail, and leaves no descriptor") {
  RestoreSyscalls restore;
  static int opened, closed;
  opened = closed = 0;
  syscalls.close = [](int fd) {
    closed++;
    return ::close(fd);
  };
  syscalls.socket = [](int family, int type, int protocol) {
    opened++;
    return ::socket(family, type, protocol);
  };
  const Syscalls counting = syscalls;
  syscalls.setsockopt = interrupted<0, int, int, int, int, const void*, socklen_t>;
  next_errno = ENOBUFS;
  CHECK(listen_on({}).error().os_code() == ENOBUFS);
  syscalls = counting;
  syscalls.bind = interrupted<0, int, int, const sockaddr*, socklen_t>;
  next_errno = EACCES;
  CHECK(listen_on({}).error().os_code() == EACCES);
  syscalls = counting;
  syscalls.listen = interrupted<0, int, int, int>;
  next_errno = EADDRINUSE;
  CHECK(listen_on({}).error().os_code() == EADDRINUSE);
  syscalls = counting;
  syscalls.connect = interrupted<0, int, int, const sockaddr*, socklen_t>;
  next_errno = ENETUNREACH;
  CHECK(connect_to("127.0.0.1", 1).error().os_code() == ENETUNREACH);
  CHECK(opened == 4);
  CHECK(closed == 4);
  syscalls.socket = interrupted<0, int, int, int, int>;
  next_errno = EMFILE;
  CHECK(listen_on({}).error().os_code() == EMFILE);
}

#if defined(__linux__)

TEST_CASE("socket: accepting is one system call") {
  const int listener = listen_or_fail({});
  const int client = connect_or_fail("127.0.0.1", local_port(listener));
  REQUIRE(wait_for(listener, POLLIN));
  RestoreSyscalls restore;
  calls = 0;
  syscalls.accept4 = [](int fd, sockaddr* address, socklen_t* size, int flags) {
    calls++;
    return ::accept4(fd, address, size, flags);
  };
  syscalls.setsockopt = interrupted<0, int, int, int, int, const void*, socklen_t>;
  syscalls.set_flags = interrupted<0, int, int>;
  const AcceptResult accepted = accept_one(listener);
  CHECK(accepted.status == AcceptStatus::ok);
  CHECK(calls == 1);
  for (int fd : {client, accepted.fd, listener}) ::close(fd);
}

TEST_CASE("socket: what accepting may answer") {
  RestoreSyscalls restore;
  syscalls.accept4 = interrupted<0, int, int, sockaddr*, socklen_t*, int>;
  const struct {
    int code;
    AcceptStatus status;
  } cases[] = {{EAGAIN, AcceptStatus::empty},          {EINTR, AcceptStatus::again},
               {ECONNABORTED, AcceptStatus::again},    {EPROTO, AcceptStatus::again},
               {EHOSTUNREACH, AcceptStatus::again},    {EPERM, AcceptStatus::again},
               {EMFILE, AcceptStatus::no_descriptors}, {ENFILE, AcceptStatus::no_descriptors},
               {ENOBUFS, AcceptStatus::no_memory},     {ENOMEM, AcceptStatus::no_memory},
               {EBADF, AcceptStatus::failed},          {EINVAL, AcceptStatus::failed}};
  for (const auto& c : cases) {
    next_errno = c.code;
    const AcceptResult result = accept_one(0);
    CHECK(result.status == c.status);
    CHECK(result.os_code == c.code);
    CHECK(result.fd == -1);
  }
}

#endif
