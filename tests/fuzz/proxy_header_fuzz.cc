// PROXY headers: at every length of the input the same answer or none yet, nothing read beyond the header, and what is done
// is what a plain reading of HAProxy's document says. A good header is written again and read again. The last byte of the
// input asks for a right checksum: else no input would find the way behind it.
#include "fuzz/fuzz.h"
#include "proto/proxy_header.h"

using namespace martlet;

namespace {

using proto::ParseStatus;
using proto::ProxiedFrom;
using proto::ProxyHeader;

struct Answer {
  ParseStatus status;
  ProxyHeader header;
  std::string cause;
};

Answer answer(base::ByteSpan bytes) {
  Answer all;
  const char* cause;
  all.status = proto::parse_proxy_header(bytes, all.header, cause);
  all.cause = cause;
  FUZZ_CHECK((all.status == ParseStatus::error) == !all.cause.empty());
  if (all.status == ParseStatus::done) FUZZ_CHECK(all.header.size <= bytes.size());
  return all;
}

bool same(const ProxyHeader& a, const ProxyHeader& b) {
  return a.size == b.size && a.version == b.version && a.from == b.from && a.datagram == b.datagram && a.source == b.source &&
         a.destination == b.destination && a.source_port == b.source_port && a.destination_port == b.destination_port &&
         a.source_path == b.source_path && a.destination_path == b.destination_path;
}

std::string text_of(const codec::IpAddress& address) {
  char text[codec::kIpAddressText];
  return {text, codec::format_ip_address(address, text)};
}

uint32_t slow_crc32c(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

// Where the value of the first TLV of this type stands in a header with TLVs from `at` on; 0 when there is none, or an
// earlier one is malformed.
size_t find_tlv(const std::string& bytes, size_t at, char type) {
  while (at + 3 <= bytes.size()) {
    const size_t size = static_cast<size_t>(static_cast<uint8_t>(bytes[at + 1]) << 8 | static_cast<uint8_t>(bytes[at + 2]));
    if (at + 3 + size > bytes.size()) return 0;
    if (bytes[at] == type) return size == 4 ? at + 3 : 0;
    at += 3 + size;
  }
  return 0;
}

size_t tlvs_at(const std::string& bytes) {
  const int family = bytes.size() < 16 ? 0 : bytes[13] >> 4 & 15;
  return 16 + (family == 1 ? 12u : family == 2 ? 36u : 216u);
}

void repair_checksum(std::string& bytes) {
  if (bytes.size() < 16) return;
  const size_t size = 16 + base::load_be16(base::as_bytes(bytes).data() + 14);
  if (size > bytes.size()) return;
  std::string header = bytes.substr(0, size);
  const size_t at = find_tlv(header, tlvs_at(header), 3);
  if (at == 0) return;
  header.replace(at, 4, 4, '\0');
  base::store_be32(reinterpret_cast<uint8_t*>(bytes.data()) + at, slow_crc32c(header));
}

// §2.1, from the parts: the line that says the same must be the same, but for how an address is written.
void check_v1(const std::string& bytes, const ProxyHeader& h) {
  const std::string line = bytes.substr(0, h.size);
  FUZZ_CHECK(line.ends_with("\r\n") && line.size() <= 107 && line.find_first_of("\r\n") == line.size() - 2);
  if (h.from == ProxiedFrom::socket) {
    FUZZ_CHECK(line.starts_with("PROXY UNKNOWN ") || line == "PROXY UNKNOWN\r\n");
    return;
  }
  FUZZ_CHECK(h.from == ProxiedFrom::ip && !h.datagram);
  const bool four = line.starts_with("PROXY TCP4 ");
  FUZZ_CHECK(four || line.starts_with("PROXY TCP6 "));
  FUZZ_CHECK(!four || (h.source.is_v4() && h.destination.is_v4()));
  const std::string ports = " " + std::to_string(h.source_port) + " " + std::to_string(h.destination_port) + "\r\n";
  FUZZ_CHECK(line.ends_with(ports));
  if (four) FUZZ_CHECK(line == "PROXY TCP4 " + text_of(h.source) + " " + text_of(h.destination) + ports);
}

// §2.2.
void check_v2(const std::string& bytes, const ProxyHeader& h) {
  const std::string header = bytes.substr(0, h.size);
  FUZZ_CHECK(header.size() >= 16 && header.size() <= 536 && bytes[12] >> 4 == 2 && (bytes[12] & 15) <= 1);
  FUZZ_CHECK(header.size() == size_t{16} + base::load_be16(base::as_bytes(header).data() + 14));
  const int family = bytes[13] >> 4 & 15;
  const bool said = (bytes[12] & 15) == 1 && family != 0 && (bytes[13] & 15) != 0;
  FUZZ_CHECK(said == (h.from != ProxiedFrom::socket));
  if (!said) return;
  FUZZ_CHECK(h.datagram == ((bytes[13] & 15) == 2) && (h.from == ProxiedFrom::unix_socket) == (family == 3));
  FUZZ_CHECK(header.size() >= tlvs_at(header));
  const size_t checksum = find_tlv(header, tlvs_at(header), 3);
  if (checksum) {
    std::string zeroed = header;
    zeroed.replace(checksum, 4, 4, '\0');
    FUZZ_CHECK(slow_crc32c(zeroed) == base::load_be32(base::as_bytes(header).data() + checksum));
  }
  if (family == 1) FUZZ_CHECK(h.source.is_v4() && std::equal(header.begin() + 16, header.begin() + 20, h.source.bytes.begin() + 12, [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }));
  if (family == 3) FUZZ_CHECK(h.source_path == std::string(header.c_str() + 16).substr(0, 108));
}

// The line of version 1 that says what a header of TCP says, read again.
void check_again(const ProxyHeader& h) {
  if (h.from != ProxiedFrom::ip || h.source.is_v4() != h.destination.is_v4()) return;
  const std::string line = std::string("PROXY ") + (h.source.is_v4() ? "TCP4 " : "TCP6 ") + text_of(h.source) + " " + text_of(h.destination) + " " +
                           std::to_string(h.source_port) + " " + std::to_string(h.destination_port) + "\r\n";
  Answer again = answer(fuzz::Exact(base::as_bytes(line)).span());
  FUZZ_CHECK(again.status == ParseStatus::done && again.header.size == line.size());
  again.header.size = h.size;
  again.header.version = h.version;
  again.header.datagram = h.datagram;
  FUZZ_CHECK(same(again.header, h));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const bool repair = input.control() & 1;
  std::string bytes(base::as_text(input.rest()));
  if (repair) repair_checksum(bytes);
  const fuzz::Exact all(base::as_bytes(bytes));
  const Answer whole = answer(all.span());
  const size_t most = std::min<size_t>(bytes.size(), 600);
  bool open = true;
  for (size_t length = 0; length <= most; length++) {
    const fuzz::Exact part(base::as_bytes(bytes).first(length));
    const Answer now = answer(part.span());
    if (now.status == ParseStatus::need_more) {
      FUZZ_CHECK(open && length < 536);
      continue;
    }
    open = false;  // decided, and it stays
    FUZZ_CHECK(now.status == whole.status && now.cause == whole.cause);
    if (now.status == ParseStatus::done) FUZZ_CHECK(same(now.header, whole.header) && length >= whole.header.size);
  }
  if (whole.status != ParseStatus::done) return 0;
  FUZZ_CHECK(whole.header.version == (bytes[0] == 'P' ? 1 : 2));
  whole.header.version == 1 ? check_v1(bytes, whole.header) : check_v2(bytes, whole.header);
  check_again(whole.header);
  return 0;
}
