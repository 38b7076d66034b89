// Who is at the other end, where that is more than the socket knows: clients behind trusted proxies, by what these say in
// fields or before the first request (PROXY protocol). Filled by who knows proxies (http/proxies.cc), when an option asks
// for it; without it there is none, and nobody looks further than the socket. The worker's thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/ip_address.h"
#include "proto/forwarded.h"
#include "proto/proxy_header.h"

namespace martlet::net {
struct Connection;
}

namespace martlet::session {

struct Exchange;
struct Sessions;

// An address as text; without one, empty.
struct AddressText {
  char text[codec::kIpAddressText];
  uint8_t size = 0;
  std::string_view view() const noexcept { return {text, size}; }
};

// Of one request, found out when it is first asked for.
struct Origin {
  proto::ClientOrigin client;  // but for the host:
  uint16_t host_at = 0, host_length = 0;  // it lies in the head, which may move
  AddressText address;
};

struct OriginFinder {
  void* context;
  // Null when memory is out.
  const Origin* (*find)(void* context, Exchange& e) noexcept;
  // A connection was accepted that begins with a PROXY header: binds what reads it, or aborts.
  void (*accept)(void* context, net::Connection& c) noexcept;
  // Keeps who the header says that the peer is. False when memory is out.
  bool (*note)(void* context, net::Connection& c, const proto::ProxyHeader& header) noexcept;
  // Who a PROXY header has said that the peer of a connection is. False: nobody has said so.
  bool (*proxied)(void* context, const net::Connection& c, AddressText& address) noexcept;
};

}  // namespace martlet::session
