// PROXY headers, each whole, at every length before it and with a request behind it, against an unmapped page.
#include "proto/proxy_header.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

namespace martlet {

namespace {

using proto::ParseStatus;
using proto::ProxiedFrom;
using proto::ProxyHeader;
using namespace std::literals;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kFour = "\xC0\0\x02\x07\xC6\x33\x64\x01\xDC\x04\x01\xBB"s;  // 192.0.2.7:56324, 198.51.100.1:443
const std::string kSix = "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\xFF\xFF"s;

std::string v2(char command, char family, const std::string& behind) {
  const size_t size = behind.size();
  return kSignature + command + family + static_cast<char>(size >> 8) + static_cast<char>(size) + behind;
}

std::string tlv(char type, const std::string& value) {
  return type + std::string{static_cast<char>(value.size() >> 8), static_cast<char>(value.size())} + value;
}

// A header of IPv4 with `before`, a checksum, which is made wrong by `error`, and `behind`.
std::string summed(const std::string& before, const std::string& behind, uint32_t error = 0) {
  std::string header = v2('\x21', '\x11', kFour + before + tlv(3, "\0\0\0\0"s) + behind);
  const uint32_t crc = proto::crc32c(0, base::as_bytes(header)) ^ error;
  base::store_be32(reinterpret_cast<uint8_t*>(header.data()) + 16 + 12 + before.size() + 3, crc);
  return header;
}

std::string unix_path(std::string path) {
  path.resize(108, '\0');
  return path;
}

std::string text_of(const codec::IpAddress& address) {
  char text[codec::kIpAddressText];
  return {text, codec::format_ip_address(address, text)};
}

std::string text_of(const ProxyHeader& h) {
  const std::string version = "v" + std::to_string(h.version) + (h.datagram ? " udp " : " ");
  if (h.from == ProxiedFrom::socket) return version + "socket";
  if (h.from == ProxiedFrom::unix_socket) return version + "unix " + std::string(h.source_path) + "|" + std::string(h.destination_path);
  return version + text_of(h.source) + " " + std::to_string(h.source_port) + " " + text_of(h.destination) + " " + std::to_string(h.destination_port);
}

// The answer of one call: what the header says and its size, "more", or the cause.
std::string answer(std::string_view bytes) {
  const test::Guarded guarded(bytes);
  ProxyHeader header;
  const char* cause;
  const ParseStatus status = proto::parse_proxy_header(guarded.span(), header, cause);
  CHECK((status == ParseStatus::error) == (cause[0] != 0));
  if (status != ParseStatus::done) return status == ParseStatus::error ? cause : "more";
  return text_of(header) + " #" + std::to_string(header.size);
}

std::string parsed(const std::string& bytes) {
  for (size_t size = 0; size < bytes.size(); size++) {
    CAPTURE(size);
    REQUIRE(answer(std::string_view(bytes).substr(0, size)) == "more");
  }
  const std::string whole = answer(bytes);
  for (const std::string behind : {"\r", "\n", "GET / HTTP/1.1\r\n\r\n", "PROXY "}) CHECK(answer(bytes + behind) == whole);
  const std::string size = " #" + std::to_string(bytes.size());
  REQUIRE(whole.ends_with(size));
  return whole.substr(0, whole.size() - size.size());
}

// With how many bytes it is refused; 0 when more are waited for.
size_t refused_at(const std::string& bytes) {
  for (size_t size = 0; size <= bytes.size(); size++) {
    const std::string now = answer(std::string_view(bytes).substr(0, size));
    if (now == "more") continue;
    CAPTURE(now);
    REQUIRE(now.back() == '.');
    REQUIRE(answer(bytes) == now);
    return size;
  }
  return 0;
}

}  // namespace

TEST_CASE("proxy_header: lines of version 1") {
  const std::pair<std::string, const char*> rows[] = {
      {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "v1 192.168.0.1 56324 192.168.0.11 443"},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "v1 255.255.255.255 65535 255.255.255.255 65535"},
      {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "v1 0.0.0.0 0 0.0.0.0 0"},
      {"PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", "v1 2001:db8::1 1 ::1 2"},
      {"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "v1 192.0.2.7 1 ::1 2"},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "v1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
      {"PROXY UNKNOWN\r\n", "v1 socket"},
      {"PROXY UNKNOWN \r\n", "v1 socket"},
      {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "v1 socket"},
      {"PROXY UNKNOWN\x20what it\0likes\r\n"s, "v1 socket"},
  };
  for (const auto& [line, expected] : rows) {
    CHECK(parsed(line) == expected);
  }
}

TEST_CASE("proxy_header: malformed lines of version 1") {
  const std::string rows[] = {
      "PROXY \r\n", "PROXY TCP\r\n", "PROXY TCP4\r\n", "PROXY TCP4 \r\n", "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
      "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 00 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 4294967297\r\n", "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
      "PROXY TCP4 ::ffff:1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP6 ::1%1 ::1 1 2\r\n", "PROXY TCP6 [::1] ::1 1 2\r\n",
      "PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n", "PROXY UNKNOWNS\r\n", "PROXY UNKNOWN\n", "PROXY UNKNOWN\r \n", "PROXY UNKNOWN\rx",
      "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\0\r\n"s, "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
  };
  for (const std::string& line : rows) {
    CAPTURE(line);
    CHECK(refused_at(line) > 0);
  }
}

TEST_CASE("proxy_header: a line has at most 107 bytes") {
  const std::string longest = "PROXY UNKNOWN " + std::string(107 - 16, 'x');
  CHECK(parsed(longest + "\r\n") == "v1 socket");
  CHECK(refused_at(longest + "x\r\n") == 107);
  CHECK(refused_at(longest + "xx\r\n") == 107);
  CHECK(refused_at(longest + std::string(5000, 'x')) == 107);
}

TEST_CASE("proxy_header: bytes that are no header are refused at once") {
  CHECK(refused_at("GET / HTTP/1.1\r\n") == 1);
  CHECK(refused_at("POST / HTTP/1.1\r\n") == 2);
  CHECK(refused_at("PROXZ") == 5);
  CHECK(refused_at("\x16\x03\x01") == 1);
  CHECK(refused_at("\r\n\r\nGET / HTTP/1.1\r\n") == 5);
  for (size_t i = 0; i < kSignature.size(); i++) {
    std::string wrong = kSignature;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    CHECK(refused_at(wrong) == i + 1);
  }
}

TEST_CASE("proxy_header: version 2") {
  const std::string paths = unix_path("/run/a") + unix_path("/run/b");
  const std::pair<std::string, const char*> rows[] = {
      {v2('\x21', '\x11', kFour), "v2 192.0.2.7 56324 198.51.100.1 443"},
      {v2('\x21', '\x12', kFour), "v2 udp 192.0.2.7 56324 198.51.100.1 443"},
      {v2('\x21', '\x21', kSix), "v2 2001:db8::1 1 2001:db8::2 65535"},
      {v2('\x21', '\x22', kSix), "v2 udp 2001:db8::1 1 2001:db8::2 65535"},
      {v2('\x21', '\x21', std::string(10, '\0').append("\xFF\xFF\x01\x02\x03\x04").append(20, '\0')), "v2 1.2.3.4 0 :: 0"},
      {v2('\x21', '\x31', paths), "v2 unix /run/a|/run/b"},
      {v2('\x21', '\x32', paths), "v2 udp unix /run/a|/run/b"},
      {v2('\x21', '\x31', unix_path("") + unix_path("\0abstract"s)), "v2 unix |"},
      {v2('\x21', '\x31', unix_path(std::string(108, 'x')) + unix_path("/b")), "v2 unix xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                                                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|/b"},
      // LOCAL: whatever the rest says.
      {v2('\x20', '\0', ""), "v2 socket"},
      {v2('\x20', '\x11', kFour), "v2 socket"},
      {v2('\x20', '\xFF', "what it likes"), "v2 socket"},
      // UNSPEC, whole or half.
      {v2('\x21', '\0', ""), "v2 socket"},
      {v2('\x21', '\0', "\x01"), "v2 socket"},
      {v2('\x21', '\x01', kFour), "v2 socket"},
      {v2('\x21', '\x10', ""), "v2 socket"},
      {v2('\x21', '\x30', kFour), "v2 socket"},
      {v2('\x21', '\x11', kFour + tlv(4, "") + tlv(1, "h2") + tlv('\xEA', std::string(300, 'x'))), "v2 192.0.2.7 56324 198.51.100.1 443"},
      {v2('\x21', '\x31', paths + tlv(2, "a.example")), "v2 unix /run/a|/run/b"},
  };
  for (const auto& [header, expected] : rows) {
    CHECK(parsed(header) == expected);
  }
}

TEST_CASE("proxy_header: malformed headers of version 2") {
  CHECK(refused_at(v2('\x11', '\x11', kFour)) == 13);
  CHECK(refused_at(v2('\x31', '\x11', kFour)) == 13);
  CHECK(refused_at(v2('\x22', '\x11', kFour)) == 13);
  CHECK(refused_at(v2('\x2F', '\x11', kFour)) == 13);
  CHECK(refused_at(v2('\x21', '\x41', kFour)) == 14);
  CHECK(refused_at(v2('\x21', '\x13', kFour)) == 14);
  CHECK(refused_at(v2('\x21', '\x11', "")) == 16);
  const std::pair<char, size_t> sizes[] = {{'\x11', 12}, {'\x21', 36}, {'\x31', 216}};
  for (const auto& [family, size] : sizes) {
    CHECK(refused_at(v2('\x21', family, std::string(size - 1, '\0'))) == 16 + size - 1);
    CHECK(parsed(v2('\x21', family, std::string(size, '\0'))).starts_with("v2 "));
    for (const std::string& rest : {"\x04"s, "\x04\0"s, "\x04\0\x01"s, "\x04\0\x02x"s, "\x04\0\0\x04"s, "\x04\xFF\xFFx"s}) {
      CHECK(refused_at(v2('\x21', family, std::string(size, '\0') + rest)) == 16 + size + rest.size());
    }
  }
}

TEST_CASE("proxy_header: version 2 has at most 536 bytes") {
  const std::string longest = kFour + tlv(4, std::string(536 - 16 - 12 - 3, '\0'));
  CHECK(parsed(v2('\x21', '\x11', longest)) == "v2 192.0.2.7 56324 198.51.100.1 443");
  CHECK(parsed(v2('\x20', '\0', std::string(520, 'x'))) == "v2 socket");
  CHECK(refused_at(v2('\x21', '\x11', longest + 'x')) == 16);
  CHECK(refused_at(v2('\x20', '\0', std::string(521, 'x'))) == 16);
  CHECK(refused_at(kSignature + "\x21\x11\xFF\xFF") == 16);
}

TEST_CASE("proxy_header: the checksum, where there is one") {
  CHECK(proto::crc32c(0, base::as_bytes("123456789")) == 0xE3069283);
  CHECK(proto::crc32c(proto::crc32c(0, base::as_bytes("1234")), base::as_bytes("56789")) == 0xE3069283);
  CHECK(proto::crc32c(0, base::as_bytes(std::string(32, '\0'))) == 0x8A9136AA);  // RFC 7143, A.4
  const char* const four = "v2 192.0.2.7 56324 198.51.100.1 443";
  CHECK(parsed(summed("", "")) == four);
  CHECK(parsed(summed(tlv(4, "abc"), tlv(1, "h2"))) == four);
  for (const uint32_t error : {1u, 0x80000000u, 0x00010000u}) CHECK(refused_at(summed("", "", error)) == 35);
  std::string other = summed("", tlv(1, "h2"));
  other[16] = static_cast<char>(other[16] ^ 1);
  CHECK(refused_at(other) == other.size());
  for (const std::string& value : {""s, "\0\0\0"s, "\0\0\0\0\0"s}) CHECK(refused_at(v2('\x21', '\x11', kFour + tlv(3, value))) > 0);
  CHECK(refused_at(summed("", tlv(3, "\0\0\0\0"s))) > 0);  // each of two is to hold
  // What a network load balancer of Amazon's sends.
  const std::string amazon = tlv('\xEA', "\x01vpce-08d2bf15fac5001c9") + tlv(4, std::string(36, '\0'));
  const std::string header = v2('\x21', '\x11', "\xAC\x1F\x07\x71\xAC\x1F\x0A\x1F\xC8\xF2\0\x50"s + tlv(3, "\xE8\xD6\x89\x2D") + amazon);
  CHECK(parsed(header) == "v2 172.31.7.113 51442 172.31.10.31 80");
}

}  // namespace martlet
