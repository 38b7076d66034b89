// The listening sockets of a host: what stands for several addresses ("*", "localhost") and several sockets for one address,
// of the workers that share its port. One thread.
#pragma once

#include <martlet/error.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sys/socket.h"

namespace martlet::sys {

struct HostSockets {
  std::vector<int> listeners;  // all of the first address, then all of the second, as many of each; all on one port
  std::vector<int> claims;     // see port_claim.h; to be held while any of the listeners is open
};

// Binds `each` sockets for each address that the host stands for:
//
//   "*" and ""     all addresses of this machine: "::", which takes IPv4, too; "0.0.0.0" where there is no IPv6
//   "localhost"    127.0.0.1 and ::1, or the one of them that there is
//   all else       itself
//
// Without `reuse_port` it is an error when anybody listens there already, and who comes later cannot join, though several
// sockets of our own share the port. With it, others who want to share it can; it is an error when a claim says that
// somebody there does not. Nothing stays open after an error.
Result<HostSockets> listen_on_host(const ListenAddress& wanted, uint32_t each);

// The first socket of a port that we share with others who want that, too (`like` says reuse_port).
Result<int> join_others(const ListenAddress& like);

// Binds so many more sockets to the port and address of this one, which shares_port(). Appends them.
Error listen_beside(int listener, const ListenAddress& like, uint32_t more, std::vector<int>& out);

// Where these listen, for people: "http://localhost:3000", "http://[::1]:3000", "unix:/path".
std::string describe_listeners(std::string_view host, const std::vector<int>& listeners);

}  // namespace martlet::sys
