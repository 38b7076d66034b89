// The header of the PROXY protocol, versions 1 and 2: what a proxy that relays bytes says about its client, before the
// first byte of the client's.
//
//   v1  PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 CR LF                          at most 107 bytes
//   v2  12 bytes of signature | version, command | family, transport | length 2 | addresses | TLVs    at most 536 bytes
//
// A listener either speaks it or does not (§2 of HAProxy's document): who guesses lets clients write the header, and so
// their address, themselves. A peer that is no trusted proxy must not be asked for a header, and its bytes not given to this.
//
// The parser is given all bytes of the connection so far, and has no state. A signature, and the fixed bytes of v2, are
// refused with the first byte that is wrong; a v1 line when it has ended or is too long. Both limits are those of the
// document: v2 is to fit in the smallest segment, 576 - 40 bytes, and one that says it is longer is refused when its length
// is there. Work is linear in the header; no allocation; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "codec/ip_address.h"
#include "proto/http_parser.h"

namespace martlet::proto {

inline constexpr size_t kMaxProxyHeaderV1 = 107;
inline constexpr size_t kMaxProxyHeaderV2 = 536;

enum class ProxiedFrom : uint8_t {
  // LOCAL (the proxy itself, a health check), UNKNOWN, UNSPEC: the socket's own addresses count, as if there were no header.
  socket,
  ip,
  unix_socket,
};

struct ProxyHeader {
  uint16_t size = 0;       // how many bytes it takes; behind them are the client's
  uint8_t version = 0;     // 1 or 2
  ProxiedFrom from = ProxiedFrom::socket;
  bool datagram = false;   // the client came by UDP: a proxy that speaks QUIC
  codec::IpAddress source, destination;                    // of ip
  uint16_t source_port = 0, destination_port = 0;
  std::string_view source_path, destination_path;          // of unix_socket; views into the bytes, empty without a name
};

// done: `header` is filled. need_more: the bytes so far are the beginning of a header. error: `cause` is one static
// sentence, for the log, and the connection is to be aborted; nothing may be sent.
//
// Checked is every field that is looked at: in v1 addresses of the family named, ports, spaces, the line's end; in v2
// version, command, family and transport, that the addresses fit in the length, that TLVs fill the rest exactly, and the
// checksum (PP2_TYPE_CRC32C) where there is one. The values of other TLVs are passed over, as is what stands behind LOCAL and
// UNSPEC.
ParseStatus parse_proxy_header(base::ByteSpan bytes, ProxyHeader& header, const char*& cause) noexcept;

// CRC-32C (RFC 9260, appendix A) of `bytes`, continued from `crc`, which is 0 at first.
uint32_t crc32c(uint32_t crc, base::ByteSpan bytes) noexcept;

}  // namespace martlet::proto
