// Who the client of a request is when there are proxies before the server: what Forwarded (RFC 7239), or X-Forwarded-For,
// -Proto, -Host and -Port, say, as far as it can be believed.
//
//   client --> edge --> inner --> server        X-Forwarded-For: whatever the client wrote, client, edge
//                                               peer: inner
//
// Every hop appends the address it was reached from. So the list is read from its end: the peer is trusted or nothing is
// believed at all; it wrote the last element; if the address in that one is trusted, too, its owner wrote the one before, and
// so on. The first address that is not trusted is the client's: what stands before it may be invented. The walk ends earlier
// where an element hides the address ("unknown", "_hidden", none) or is malformed: then the client is who is known last.
//
// One family of fields is believed, and which one is a setting, not what a request has in it: a proxy that writes one family
// passes the other on as the client has written it. The default is X-Forwarded, as what proxies write unless they are told
// otherwise.
//
// kMaxForwardedHops elements of a list are walked; time is linear in the lines. No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "codec/ip_address.h"
#include "proto/http_parser.h"

namespace martlet::proto {

inline constexpr size_t kMaxForwardedHops = 32;

enum class ForwardedFamily : uint8_t { nobody, x_forwarded, forwarded };

struct ForwardedPolicy {
  const codec::IpRanges* trusted = nullptr;  // the proxies; null: nobody
  ForwardedFamily family = ForwardedFamily::x_forwarded;
  // Off for a proxy that writes X-Forwarded-For alone: it passes -Proto, or -Host and -Port, on as the client wrote them.
  bool believes_proto = true;
  bool believes_host = true;
};

// The values of the fields' lines, in the order of arrival.
struct ForwardedLines {
  using Views = std::span<const std::string_view>;
  Views forwarded = {}, x_for = {}, x_proto = {}, x_host = {}, x_port = {};
};

enum class Scheme : uint8_t { unsaid, http, https };

struct ClientOrigin {
  bool peer_trusted = false;                // else nothing here comes from a field
  Scheme scheme = Scheme::unsaid;           // "ws" and "wss" are http and https
  uint16_t port = 0;                        // of X-Forwarded-Port; 0: unsaid
  std::string_view host;                    // uri-host [":" port], a view into the field; empty: unsaid
  std::optional<codec::IpAddress> client;   // nothing where the peer has no address and no field tells one
  size_t hop_count = 0;
  codec::IpAddress hops[kMaxForwardedHops];  // the addresses that were believed, the peer's neighbour first

  // The same in the order of Express's req.ips: the client first, without the peer.
  const codec::IpAddress& ip(size_t i) const noexcept { return hops[hop_count - 1 - i]; }
};

// The other end of the socket, or who a PROXY header says it is. Without an address it is trusted only when it is known to
// have come by a Unix socket, and the ranges have "unix": a connection that was reset has no address any more, either.
struct Peer {
  std::optional<codec::IpAddress> address;
  bool by_unix_socket = false;

  bool is_in(const codec::IpRanges& ranges) const noexcept {
    return address ? ranges.contains(*address) : by_unix_socket && ranges.contains_unix();
  }
};

// Scheme and host are those of the hop nearest to the client that says them and is believed. X-Forwarded-Proto, -Host and
// -Port are lists of their own: where they have as many elements as X-Forwarded-For, each belongs to the one in its place;
// else the last is taken, which the peer has written. One that is no known scheme, no host, no port says nothing.
ClientOrigin find_client(const Peer& peer, const ForwardedPolicy& policy, const ForwardedLines& lines) noexcept;

// The same, of the fields in a head.
ClientOrigin find_client(const Peer& peer, const ForwardedPolicy& policy, const RequestHead& head,
                         const uint8_t* base) noexcept;

}  // namespace martlet::proto
