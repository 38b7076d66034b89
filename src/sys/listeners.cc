// See listeners.h.
//
// A bind to a port fails when somebody else has it, unless both sockets have SO_REUSEPORT. So the first socket of a port that
// is to be ours alone is bound and listens without that; of two processes that start at the same time one fails in
// listen(2) at the latest. Then it is given the option, and its siblings join. Where the system wants the option before
// bind (FreeBSD, DragonFly), a first socket that is closed again finds out whether the port is free, which leaves an
// instant to others who do the same.
#include "sys/listeners.h"

#include <cerrno>
#include <utility>

#include "sys/port_claim.h"

namespace martlet::sys {

namespace {

constexpr int kFreePortTries = 32;  // for one that is free in both families

#if defined(__OpenBSD__)
constexpr bool kDualStack = false;
#else
constexpr bool kDualStack = true;
#endif

struct Host {
  std::string_view addresses[2] = {};
  bool instead = false;  // the second one only when there is no first
};

Host addresses_of(std::string_view host, bool only_ipv6) noexcept {
  if (host == "localhost") return only_ipv6 ? Host{{"::1"}} : Host{{"127.0.0.1", "::1"}};
  if (host != "*" && !host.empty()) return {{host}};
  return only_ipv6 ? Host{{"::"}} : kDualStack ? Host{{"::", "0.0.0.0"}, true} : Host{{"0.0.0.0", "::"}};
}

// The machine has no such address, or not that family at all.
bool is_missing(const Error& error) noexcept {
  const int code = error.os_code();
  return code == EAFNOSUPPORT || code == EADDRNOTAVAIL || code == EPROTONOSUPPORT;
}

void close_all(std::vector<int>& sockets) noexcept {
  for (const int fd : sockets) close_socket(fd);
  sockets.clear();
}

std::string name_of(const ListenAddress& address) {
  const bool six = address.host.find(':') != address.host.npos;
  std::string name;
  if (six) name += '[';
  name += address.host;
  if (six) name += ']';
  name += ':';
  return name + std::to_string(address.port);
}

Error taken(const std::string& name) noexcept { return Error::of({"bind ", name}, EADDRINUSE); }

// The first of several sockets of a port that is ours alone.
Result<int> lead(ListenAddress address, std::vector<int>& claims) {
  Result<int> fd = listen_on(address);
  if (!fd) return fd;
  const int claim = claim_port(*fd);
  if (claim >= 0) claims.push_back(claim);
  if (share_port(*fd)) return fd;
  address.port = local_port(*fd);
  address.reuse_port = true;
  close_socket(*fd);
  return listen_on(address);
}

// All sockets of one address. The first decides the port.
Error listen_on_address(ListenAddress address, uint32_t each, HostSockets& out) {
  Result<int> first = address.reuse_port ? join_others(address)
                      : each > 1         ? lead(address, out.claims)
                                         : listen_on(address);
  if (!first) return first.error();
  out.listeners.push_back(*first);
  return listen_beside(*first, address, each - 1, out.listeners);
}

Error listen_on_all(const Host& host, ListenAddress address, uint32_t each, HostSockets& out) {
  Error missing;
  for (const std::string_view one : host.addresses) {
    if (one.empty() || (host.instead && !out.listeners.empty())) break;
    address.host = one;
    if (!out.listeners.empty()) address.port = local_port(out.listeners[0]);
    const Error error = listen_on_address(address, each, out);
    if (error && !is_missing(error)) return error;
    if (error && !missing) missing = error;
  }
  return out.listeners.empty() ? missing : Error();
}

}  // namespace

Result<int> join_others(const ListenAddress& address) {
  if (address.port && is_claimed(name_of(address))) return taken(name_of(address));
  Result<int> fd = listen_on(address);
  if (!fd || !is_claimed(*fd)) return fd;
  const Error error = taken(local_name(*fd));
  close_socket(*fd);
  return error;
}

Result<HostSockets> listen_on_host(const ListenAddress& wanted, uint32_t each) {
  const Host host = addresses_of(wanted.host, wanted.only_ipv6);
  const bool both = !host.addresses[1].empty() && !host.instead;
  for (int tries = 1;; tries++) {
    HostSockets made;
    const Error error = listen_on_all(host, wanted, each, made);
    if (!error) return made;
    const bool second_taken = both && wanted.port == 0 && !made.listeners.empty() && error.os_code() == EADDRINUSE;
    close_all(made.listeners);
    close_all(made.claims);
    if (!second_taken || tries == kFreePortTries) return error;
  }
}

Error listen_beside(int listener, const ListenAddress& like, uint32_t more, std::vector<int>& out) {
  std::string name = local_name(listener);
  ListenAddress address = like;
  address.host = std::string_view(name).substr(0, name.rfind(':'));
  if (address.host.starts_with('[')) address.host = address.host.substr(1, address.host.size() - 2);
  address.port = local_port(listener);
  address.reuse_port = true;
  for (uint32_t i = 0; i < more; i++) {
    Result<int> fd = listen_on(address);
    if (!fd) return fd.error();
    out.push_back(*fd);
  }
  return {};
}

std::string describe_listeners(std::string_view host, const std::vector<int>& listeners) {
  const std::string name = listeners.empty() ? std::string() : local_name(listeners[0]);
  if (name.starts_with("unix:")) return name;
  const std::string port = name.substr(name.rfind(':') + 1);
  const bool loopback = name.starts_with("127.0.0.1:") || name.starts_with("[::1]:");  // not what systemd has bound instead
  if (host == "localhost" && loopback) return "http://localhost:" + port;
  if (name.starts_with("[::]")) return "http://localhost:" + port + " (all addresses of this machine)";
  if (name.starts_with("0.0.0.0:")) return "http://localhost:" + port + " (all IPv4 addresses of this machine)";
  return "http://" + name;
}

}  // namespace martlet::sys
