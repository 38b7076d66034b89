// src/sys/listeners.h: what a host stands for, one port for both families, and ports that are ours alone although several
// sockets share them.
#include "sys/listeners.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "sys/port_claim.h"
#include "sys/syscalls.h"

using namespace martlet;
using namespace martlet::sys;

namespace {

// Open until the end of the scope.
struct Opened {
  explicit Opened(const ListenAddress& address, uint32_t each = 1) {
    Result<HostSockets> made = listen_on_host(address, each);
    error = made.error();
    if (made) sockets = std::move(*made);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() { close(); }
  void close() {
    for (const int fd : sockets.listeners) close_socket(fd);
    for (const int fd : sockets.claims) close_socket(fd);
    sockets = {};
  }
  uint16_t port(size_t i = 0) const { return local_port(sockets.listeners.at(i)); }
  std::string name(size_t i) const { return local_name(sockets.listeners.at(i)); }
  size_t count() const { return sockets.listeners.size(); }
  bool taken() const { return error.os_code() == EADDRINUSE; }

  HostSockets sockets;
  Error error;
};

bool connects(const char* host, uint16_t port) {
  Result<int> fd = connect_to(host, port);
  if (!fd) return false;
  // On loopback it is known at once.
  IoResult sent = transmit(*fd, "x", 1);
  close_socket(*fd);
  return sent.status == IoStatus::ok;
}

bool has_ipv6() {
  Result<int> fd = listen_on({.host = "::1"});
  if (fd) close_socket(*fd);
  return fd.ok();
}

// A machine without one of the families.
struct Without {
  explicit Without(int family, int code = EAFNOSUPPORT) : before(syscalls) {
    missing = family;
    error = code;
    syscalls.socket = [](int wanted, int type, int protocol) {
      if (wanted != missing) return ::socket(wanted, type, protocol);
      errno = error;
      return -1;
    };
  }
  ~Without() { syscalls = before; }
  Syscalls before;
  static inline int missing = 0;
  static inline int error = 0;
};

}  // namespace

TEST_CASE("listeners: localhost is both families on one port, nobody else's address") {
  if (!has_ipv6()) return;
  const Opened both({.host = "localhost"});
  REQUIRE(both.count() == 2);
  CHECK(both.port(0) == both.port(1));
  CHECK(both.name(0) == "127.0.0.1:" + std::to_string(both.port()));
  CHECK(both.name(1) == "[::1]:" + std::to_string(both.port()));
  CHECK(connects("127.0.0.1", both.port()));
  CHECK(connects("::1", both.port()));
  CHECK(describe_listeners("localhost", both.sockets.listeners) == "http://localhost:" + std::to_string(both.port()));
  const Opened six({.host = "localhost", .only_ipv6 = true});
  REQUIRE(six.count() == 1);
  CHECK(six.name(0) == "[::1]:" + std::to_string(six.port()));
}

TEST_CASE("listeners: * and nothing are all addresses, in both families") {
  for (const char* host : {"*", ""}) {
    const Opened all({.host = host});
    REQUIRE(!all.error);
    CHECK(connects("127.0.0.1", all.port()));
    if (has_ipv6()) CHECK(connects("::1", all.port()));
    const std::string text = describe_listeners(host, all.sockets.listeners);
    CHECK(text.starts_with("http://localhost:" + std::to_string(all.port()) + " (all "));
  }
}

TEST_CASE("listeners: other hosts are what they say") {
  const Opened four({.host = "127.0.0.1"});
  REQUIRE(four.count() == 1);
  CHECK(describe_listeners("127.0.0.1", four.sockets.listeners) == "http://" + four.name(0));
  CHECK(Opened({.host = "foo"}).error.message() == "listen: 'foo' is no address");
  CHECK(Opened({.host = "**"}).error.message() == "listen: '**' is no address");
  const Opened all({.host = "0.0.0.0"});
  REQUIRE(all.count() == 1);
  CHECK(all.name(0).starts_with("0.0.0.0:"));
  CHECK(describe_listeners("localhost", all.sockets.listeners).ends_with(" (all IPv4 addresses of this machine)"));
}

TEST_CASE("listeners: where a family is missing the other one serves") {
  for (const int code : {EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT}) {
    const Without six(AF_INET6, code);
    const Opened local({.host = "localhost"});
    REQUIRE(local.count() == 1);
    CHECK(local.name(0).starts_with("127.0.0.1:"));
    const Opened all({.host = "*"});
    REQUIRE(all.count() == 1);
    CHECK(all.name(0).starts_with("0.0.0.0:"));
    CHECK(Opened({.host = "::1"}).error.os_code() == code);
    CHECK(Opened({.host = "*", .only_ipv6 = true}).error.os_code() == code);
  }
  if (!has_ipv6()) return;
  const Without four(AF_INET);
  const Opened local({.host = "localhost"});
  REQUIRE(local.count() == 1);
  CHECK(local.name(0).starts_with("[::1]:"));
}

TEST_CASE("listeners: any other failure of one family is an error, and leaves nothing open") {
  if (!has_ipv6()) return;
  {
    const Without six(AF_INET6, EMFILE);
    const Opened local({.host = "localhost"});
    CHECK(local.error.os_code() == EMFILE);
    CHECK(local.count() == 0);
  }
  const Opened six({.host = "::1"});
  const Opened local({.host = "localhost", .port = six.port()});
  CHECK(local.taken());
  CHECK(local.error.what() == "bind [::1]:" + std::to_string(six.port()));
  CHECK_FALSE(connects("127.0.0.1", six.port()));
}

TEST_CASE("listeners: any free port is one that is free in both families") {
  if (!has_ipv6()) return;
  // The first ports that are found free for 127.0.0.1 are taken on ::1, by this bind() that says so.
  static int refusals;
  refusals = 5;
  const Syscalls before = syscalls;
  syscalls.bind = [](int fd, const sockaddr* address, socklen_t size) {
    if (address->sa_family != AF_INET6 || refusals-- <= 0) return ::bind(fd, address, size);
    errno = EADDRINUSE;
    return -1;
  };
  const Opened found({.host = "localhost"}, 2);
  CHECK(found.count() == 4);
  refusals = 1 << 30;
  const Opened never({.host = "localhost"});
  syscalls = before;
  CHECK(never.taken());
  CHECK((1 << 30) - refusals < 100);
}

TEST_CASE("listeners: several sockets share a port that is theirs alone") {
  for (const char* host : {"127.0.0.1", "localhost", "*", "0.0.0.0"}) {
    CAPTURE(host);
    for (const uint32_t each : {1u, 2u, 4u}) {
      Opened mine({.host = host}, each);
      REQUIRE(!mine.error);
      const size_t families = mine.count() / each;
      CHECK(mine.count() == families * each);
      for (size_t i = 0; i < mine.count(); i++) {
        CHECK(mine.port(i) == mine.port());
        CHECK(mine.name(i) == mine.name(i / each * each));
      }
      for (const uint32_t others : {1u, 2u}) {
        CHECK(Opened({.host = host, .port = mine.port()}, others).taken());
#if defined(__linux__)
        CHECK(Opened({.host = host, .port = mine.port(), .reuse_port = true}, others).taken());
        CHECK(Opened({.host = "127.0.0.1", .port = mine.port(), .reuse_port = true}, others).taken());
#endif
      }
      const uint16_t port = mine.port();
      mine.close();
      CHECK(!Opened({.host = host, .port = port}, each).error);  // free again
    }
  }
}

TEST_CASE("listeners: those who all want to share a port do, and nobody else") {
  const Opened one({.host = "127.0.0.1", .reuse_port = true}, 1);
  const Opened two({.host = "127.0.0.1", .port = one.port(), .reuse_port = true}, 2);
  CHECK(!one.error);
  CHECK(!two.error);
  CHECK(two.port() == one.port());
  CHECK(Opened({.host = "127.0.0.1", .port = one.port()}, 1).taken());
  CHECK(Opened({.host = "127.0.0.1", .port = one.port()}, 2).taken());
}

TEST_CASE("listeners: of those who start at the same time, one has the port") {
  for (int round = 0; round < 200; round++) {
    const uint16_t port = Opened({.host = "127.0.0.1"}).port();
    std::atomic<int> ready = 0, won = 0, done = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++) {
      threads.emplace_back([&, t] {
        ready++;
        while (ready < 3) {
        }
        // Two that want it alone, and one that would share it.
        const Opened mine({.host = "127.0.0.1", .port = port, .reuse_port = t == 2}, 2);
        if (!mine.error) won++;
        done++;
        while (done < 3) std::this_thread::yield();
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(won <= 1);
  }
}

#if defined(__linux__)
TEST_CASE("listeners: more sockets are bound beside one") {
  Opened mine({.host = "127.0.0.1"}, 2);
  std::vector<int> more;
  CHECK(!listen_beside(mine.sockets.listeners[0], {.host = "whatever it was", .port = 1}, 2, more));
  REQUIRE(more.size() == 2);
  CHECK(local_name(more[1]) == mine.name(0));
  for (const int fd : more) close_socket(fd);
}

TEST_CASE("port_claim: held by name, of one address or of all with that port, until it is closed") {
  const Opened four({.host = "127.0.0.1"});
  const int listener = four.sockets.listeners[0];
  const std::string port = std::to_string(four.port());
  CHECK_FALSE(is_claimed(listener));
  const int claim = claim_port(listener);
  REQUIRE(claim >= 0);
  CHECK(is_claim(claim));
  CHECK_FALSE(is_claim(listener));
  CHECK_FALSE(is_claim(-1));
  CHECK(is_claimed(listener));
  CHECK(is_claimed("127.0.0.1:" + port));
  CHECK_FALSE(is_claimed("127.0.0.2:" + port));
  CHECK_FALSE(is_claimed("127.0.0.1:" + port + "0"));
  CHECK_FALSE(is_claimed("unix:/127.0.0.1:" + port));
  CHECK_FALSE(is_claimed(""));
  CHECK(claim_port(listener) == -1);  // somebody has it
  close_socket(claim);
  CHECK_FALSE(is_claimed(listener));
}

TEST_CASE("port_claim: all addresses of IPv6 are IPv4's, too, unless it is IPv6 alone") {
  if (!has_ipv6()) return;
  for (const bool only : {false, true}) {
    const Opened six({.host = "::", .only_ipv6 = only});
    const std::string port = ":" + std::to_string(six.port());
    const int claim = claim_port(six.sockets.listeners[0]);
    CHECK(is_claimed("127.0.0.1" + port) == !only);
    CHECK(is_claimed("[::1]" + port));
    close_socket(claim);
  }
}
#endif
