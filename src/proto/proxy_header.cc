// See proxy_header.h. Sections are those of HAProxy's doc/proxy-protocol.txt.
#include "proto/proxy_header.h"

#include <algorithm>
#include <array>

namespace martlet::proto {

namespace {

constexpr std::string_view kSignatureV1 = "PROXY ";
constexpr std::string_view kSignatureV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedV2 = 16;
constexpr size_t kUnixPath = 108;

ParseStatus refuse(const char*& cause, const char* why) noexcept {
  cause = why;
  return ParseStatus::error;
}

// Whether one of the two is the beginning of the other.
bool may_be(std::string_view bytes, std::string_view signature) noexcept {
  const size_t size = std::min(bytes.size(), signature.size());
  return bytes.substr(0, size) == signature.substr(0, size);
}

// §2.1: the words of the line, with exactly one space between two.
std::string_view take_word(std::string_view& line) noexcept {
  const size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

bool parse_port(std::string_view text, uint16_t& port) noexcept {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  uint32_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<uint32_t>(c - '0');
  }
  port = static_cast<uint16_t>(number);
  return number <= 65535;
}

// The line behind "PROXY TCP4 " or "PROXY TCP6 ".
bool parse_endpoints(std::string_view line, bool v4, ProxyHeader& header) noexcept {
  if (std::count(line.begin(), line.end(), ' ') != 3) return false;
  const auto parse = v4 ? codec::parse_ipv4 : codec::parse_ipv6;
  const auto source = parse(take_word(line));
  const auto destination = parse(take_word(line));
  if (!source || !destination) return false;
  header.source = *source;
  header.destination = *destination;
  return parse_port(take_word(line), header.source_port) && parse_port(line, header.destination_port);
}

// A whole line, without CR LF.
ParseStatus parse_line(std::string_view line, ProxyHeader& header, const char*& cause) noexcept {
  line.remove_prefix(kSignatureV1.size());
  const std::string_view protocol = line.substr(0, line.find(' '));
  if (protocol == "UNKNOWN") return ParseStatus::done;  // "the receiver must ignore anything presented before the CRLF"
  if (protocol != "TCP4" && protocol != "TCP6") return refuse(cause, "The protocol of a PROXY line is unknown.");
  take_word(line);
  if (!parse_endpoints(line, protocol == "TCP4", header)) return refuse(cause, "A malformed address in a PROXY line.");
  header.from = ProxiedFrom::ip;
  return ParseStatus::done;
}

ParseStatus parse_v1(std::string_view text, ProxyHeader& header, const char*& cause) noexcept {
  const std::string_view most = text.substr(0, kMaxProxyHeaderV1);
  const size_t end = most.find_first_of("\r\n");
  if (end == most.npos || (most[end] == '\r' && end + 1 == most.size())) {
    if (most.size() < kMaxProxyHeaderV1) return ParseStatus::need_more;
    return refuse(cause, "A PROXY line is too long.");
  }
  // "must not tolerate a single CR or LF"
  if (most.substr(end, 2) != "\r\n") return refuse(cause, "A malformed end of a PROXY line.");
  header.version = 1;
  header.size = static_cast<uint16_t>(end + 2);
  return parse_line(most.substr(0, end), header, cause);
}

constexpr std::array<uint32_t, 16> make_crc_table() noexcept {
  std::array<uint32_t, 16> table{};
  for (uint32_t i = 0; i < 16; i++) {
    table[i] = i;
    for (int bit = 0; bit < 4; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82F63B78 : 0);
  }
  return table;
}

constexpr std::array<uint32_t, 16> kCrcTable = make_crc_table();  // by four bits: it is looked at once in a connection

// §2.2.3: of the header with zeros where the checksum, at `value`, stands.
bool checksum_holds(base::ByteSpan whole, size_t value) noexcept {
  static constexpr uint8_t kZeros[4] = {};
  uint32_t crc = crc32c(0, whole.first(value));
  crc = crc32c(crc, kZeros);
  return crc32c(crc, whole.subspan(value + 4)) == base::load_be32(whole.data() + value);
}

// §2.2: | type 1 | length 2 | value |, from `at` to the end.
ParseStatus check_tlvs(base::ByteSpan whole, size_t at, const char*& cause) noexcept {
  constexpr size_t kHead = 3;
  constexpr uint8_t kCrc32c = 3;
  while (at < whole.size()) {
    if (whole.size() - at < kHead) return refuse(cause, "A malformed TLV in a PROXY header.");
    const uint8_t type = whole[at];
    const size_t length = base::load_be16(whole.data() + at + 1);
    at += kHead;
    if (whole.size() - at < length) return refuse(cause, "A malformed TLV in a PROXY header.");
    if (type == kCrc32c) {
      if (length != 4) return refuse(cause, "A malformed checksum in a PROXY header.");
      if (!checksum_holds(whole, at)) return refuse(cause, "The checksum of a PROXY header is wrong.");
    }
    at += length;
  }
  return ParseStatus::done;
}

std::string_view parse_path(const uint8_t* bytes) noexcept {
  const std::string_view room = base::as_text({bytes, kUnixPath});
  return room.substr(0, room.find('\0'));
}

enum Family : uint8_t { unspecified, inet, inet6, unix_family };

size_t addresses_size(uint8_t family) noexcept {
  return family == inet ? 2 * 4 + 2 * 2 : family == inet6 ? 2 * 16 + 2 * 2 : 2 * kUnixPath;
}

// §2.2: source, destination, and of inet the two ports.
void parse_addresses(const uint8_t* p, uint8_t family, ProxyHeader& header) noexcept {
  if (family == unix_family) {
    header.from = ProxiedFrom::unix_socket;
    header.source_path = parse_path(p);
    header.destination_path = parse_path(p + kUnixPath);
    return;
  }
  header.from = ProxiedFrom::ip;
  const size_t size = family == inet ? 4 : 16;
  const auto address = family == inet ? codec::IpAddress::v4 : codec::IpAddress::v6;
  header.source = address(p);
  header.destination = address(p + size);
  header.source_port = base::load_be16(p + 2 * size);
  header.destination_port = base::load_be16(p + 2 * size + 2);
}

// The bytes of a v2 header that are looked at before all have come; each as soon as it is there.
ParseStatus check_fixed(base::ByteSpan bytes, const char*& cause) noexcept {
  if (bytes.size() > 12 && bytes[12] >> 4 != 2) return refuse(cause, "The version of a PROXY header is unknown.");
  if (bytes.size() > 12 && (bytes[12] & 15) > 1) return refuse(cause, "The command of a PROXY header is unknown.");
  const bool local = bytes.size() > 12 && (bytes[12] & 15) == 0;
  if (bytes.size() > 13 && !local) {
    if (bytes[13] >> 4 > unix_family) return refuse(cause, "The address family of a PROXY header is unknown.");
    if ((bytes[13] & 15) > 2) return refuse(cause, "The transport of a PROXY header is unknown.");
  }
  if (bytes.size() < kFixedV2) return ParseStatus::need_more;
  const size_t length = base::load_be16(bytes.data() + 14);
  if (length > kMaxProxyHeaderV2 - kFixedV2) return refuse(cause, "A PROXY header is too long.");
  return bytes.size() < kFixedV2 + length ? ParseStatus::need_more : ParseStatus::done;
}

ParseStatus parse_v2(base::ByteSpan bytes, ProxyHeader& header, const char*& cause) noexcept {
  const ParseStatus whole = check_fixed(bytes, cause);
  if (whole != ParseStatus::done) return whole;
  const size_t size = kFixedV2 + base::load_be16(bytes.data() + 14);
  header.version = 2;
  header.size = static_cast<uint16_t>(size);
  const bool local = (bytes[12] & 15) == 0;
  const uint8_t family = bytes[13] >> 4;
  const uint8_t transport = bytes[13] & 15;
  // Of half-said ones (a family without a transport) nothing is said about what follows: they are UNSPEC, too.
  if (local || family == unspecified || transport == 0) return ParseStatus::done;
  const size_t addresses = addresses_size(family);
  if (size - kFixedV2 < addresses) return refuse(cause, "A PROXY header is too short for its addresses.");
  const ParseStatus tlvs = check_tlvs(bytes.first(size), kFixedV2 + addresses, cause);
  if (tlvs != ParseStatus::done) return tlvs;
  header.datagram = transport == 2;
  parse_addresses(bytes.data() + kFixedV2, family, header);
  return ParseStatus::done;
}

}  // namespace

uint32_t crc32c(uint32_t crc, base::ByteSpan bytes) noexcept {
  crc = ~crc;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    crc = crc >> 4 ^ kCrcTable[crc & 15];
    crc = crc >> 4 ^ kCrcTable[crc & 15];
  }
  return ~crc;
}

ParseStatus parse_proxy_header(base::ByteSpan bytes, ProxyHeader& header, const char*& cause) noexcept {
  const std::string_view text = base::as_text(bytes);
  header = {};
  cause = "";
  if (bytes.empty()) return ParseStatus::need_more;
  if (may_be(text, kSignatureV2)) return parse_v2(bytes, header, cause);
  if (may_be(text, kSignatureV1)) return parse_v1(text, header, cause);
  return refuse(cause, "Bytes that are no PROXY header.");
}

}  // namespace martlet::proto
