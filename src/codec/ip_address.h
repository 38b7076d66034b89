// IP addresses and ranges of them, as text and as bytes.
//
// One form for both families: sixteen bytes, an IPv4 address as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). So a mapped address is
// the IPv4 address, wherever it came from: a socket that listens on both families, a proxy's field, a PROXY header. Two
// spellings of one address are equal, and a list of ranges has no second door.
//
// Reading is strict, as what one reader takes for 010.0.0.1 another takes for 8.0.0.1: IPv4 is four decimal numbers
// without leading zeros; IPv6 as in RFC 4291 §2.2, without brackets and without a zone (which means something on one host
// only). Writing is RFC 5952. No allocation unless said; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace martlet::codec {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // in network order

  // Of 4 or 16 bytes in network order, as a sockaddr has them.
  static constexpr IpAddress v4(const uint8_t* four) noexcept {
    IpAddress address;
    address.bytes[10] = address.bytes[11] = 0xFF;
    for (size_t i = 0; i < 4; i++) address.bytes[12 + i] = four[i];
    return address;
  }
  static constexpr IpAddress v6(const uint8_t* sixteen) noexcept {
    IpAddress address;
    for (size_t i = 0; i < 16; i++) address.bytes[i] = sixteen[i];
    return address;
  }

  constexpr bool is_v4() const noexcept {
    for (size_t i = 0; i < 10; i++) {
      if (bytes[i] != 0) return false;
    }
    return bytes[10] == 0xFF && bytes[11] == 0xFF;
  }
  bool operator==(const IpAddress&) const = default;
};

inline constexpr size_t kIpAddressText = 39;  // of the longest text that is written

// Nothing when the text is not exactly one address of that family.
std::optional<IpAddress> parse_ipv4(std::string_view text) noexcept;
std::optional<IpAddress> parse_ipv6(std::string_view text) noexcept;
std::optional<IpAddress> parse_ip_address(std::string_view text) noexcept;

// Writes the address to `out` (kIpAddressText bytes of room); answers how many characters. There is one text for each.
size_t format_ip_address(const IpAddress& address, char* out) noexcept;

// The addresses whose first bits are those of one address. A range of one family holds no address of the other:
// "::/0" is not everybody who comes by IPv4.
class IpRange {
 public:
  // `bits` of the sixteen bytes: 96 and more, 120 for 10.0.0.0/24.
  constexpr IpRange(const IpAddress& first, uint8_t bits) noexcept : first_(first), bits_(bits) {}

  // "10.0.0.0/8", "fc00::/7", or an address, which is a range of one. Bits behind the prefix are ignored. Nothing when it is
  // anything else: a length with a leading zero or beyond the family's, a mapped address with less than its 96 bits.
  static std::optional<IpRange> parse(std::string_view text) noexcept;

  bool contains(const IpAddress& address) const noexcept;

 private:
  IpAddress first_;
  uint8_t bits_;
};

// What a name stands for, the names being those of Express's `trust proxy`; empty for all other names.
//   "loopback"     127.0.0.0/8, ::1
//   "linklocal"    169.254.0.0/16, fe80::/10
//   "uniquelocal"  10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7
std::span<const IpRange> named_ip_ranges(std::string_view name) noexcept;

// A list of ranges that is made at the start and asked later. Adding allocates.
class IpRanges {
 public:
  // Ranges, addresses and names, with commas between them; and "unix", which stands for peers without an address, those of a
  // Unix socket. False, and nothing was added, when one of them is malformed or when there is none.
  bool add(std::string_view list);

  bool empty() const noexcept { return ranges_.empty() && !unix_; }
  bool contains(const IpAddress& address) const noexcept;
  bool contains_unix() const noexcept { return unix_; }

 private:
  bool add_one(std::string_view entry);

  std::vector<IpRange> ranges_;
  bool unix_ = false;
};

}  // namespace martlet::codec
