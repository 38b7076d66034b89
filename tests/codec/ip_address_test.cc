// Addresses against tables of texts, and against the system's inet_pton and inet_ntop on random ones; ranges and their
// lists on both sides of each edge.
#include "codec/ip_address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "support/guarded.h"

using namespace martlet::codec;
using martlet::test::Guarded;

namespace {

std::optional<IpAddress> parsed(std::string_view text) {
  const Guarded guarded(text);
  return parse_ip_address(martlet::base::as_text(guarded.span()));
}

std::string written(const IpAddress& address) {
  const Guarded room(std::string(kIpAddressText, '#'));
  std::string text(kIpAddressText, '\0');
  text.resize(format_ip_address(address, text.data()));
  CHECK(format_ip_address(address, reinterpret_cast<char*>(room.data() + kIpAddressText - text.size())) == text.size());
  return text;
}

std::string round(std::string_view text) {
  const auto address = parsed(text);
  return address ? written(*address) : "(malformed)";
}

std::optional<IpAddress> system_parsed(const std::string& text) {
  uint8_t bytes[16];
  if (text.find('\0') != text.npos) return std::nullopt;
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return IpAddress::v4(bytes);
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return IpAddress::v6(bytes);
  return std::nullopt;
}

bool in(std::string_view range, std::string_view address) {
  const auto parsed_range = IpRange::parse(range);
  REQUIRE(parsed_range);
  REQUIRE(parsed(address));
  return parsed_range->contains(*parsed(address));
}

bool listed(const IpRanges& ranges, std::string_view address) {
  REQUIRE(parsed(address));
  return ranges.contains(*parsed(address));
}

}  // namespace

TEST_CASE("ip_address: one text for each address (RFC 5952)") {
  const std::pair<const char*, const char*> rows[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"203.0.113.7", "203.0.113.7"},
      {"10.99.100.9", "10.99.100.9"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:db8::1", "2001:db8::1"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},   // one group is not shortened
      {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},            // the longest run,
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},      // and the first of two
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"1:0:0:4:5:6:0:0", "1::4:5:6:0:0"},
      {"0:0:3:4:5:0:0:0", "0:0:3:4:5::"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"::1.2.3.4", "::102:304"},
      {"::ffff:1.2.3.4", "1.2.3.4"},                      // mapped is IPv4
      {"::FFFF:102:304", "1.2.3.4"},
      {"0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"},
      {"::fffe:102:304", "::fffe:102:304"},
      {"::1:ffff:102:304", "::1:ffff:102:304"},
  };
  for (const auto& [text, expected] : rows) CHECK(round(text) == expected);
}

TEST_CASE("ip_address: what is no address") {
  using namespace std::literals;
  const std::string_view rows[] = {
      "", " ", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", ".1.2.3.4", "1..2.3", "256.0.0.1", "1.2.3.256", "1.2.3.1000",
      "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\0"sv, "0x7f.0.0.1", "0x7f000001", "2130706433",
      "127.1", "1.2.3.-4", "+1.2.3.4", "1.2.3.4:80", "1.2.3.4/8", "1,2,3,4", ":", ":::", ":1", "1:", "1:2", "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
      "1:2:3:4::5:6:7:8", "1::2::3", "::1::", "12345::", "::00001", "g::", "::g", "::1%eth0", "fe80::1%1", "[::1]", "::1]",
      "::1/128", "1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "::01.2.3.4", "::1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4",
      "::1 ", "1 ::", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  };
  for (const std::string_view text : rows) {
    CAPTURE(std::string(text));
    CHECK_FALSE(parsed(text));
  }
  CHECK_FALSE(parse_ipv4("::1"));
  CHECK_FALSE(parse_ipv4("::ffff:1.2.3.4"));
  CHECK_FALSE(parse_ipv6("1.2.3.4"));
  CHECK(parse_ipv6("::ffff:1.2.3.4") == parse_ipv4("1.2.3.4"));
}

TEST_CASE("ip_address: reads and writes what the system does") {
  std::mt19937 random(1);
  const std::string pieces[] = {"0", "1", "9", "f", "A", ":", ":", "::", ".", "25", "255", "256", "ffff", "01", "1.2.3.4", "::ffff:", "%", " "};
  for (int i = 0; i < 5000; i++) {
    std::string text;
    for (unsigned n = random() % 16; n > 0; n--) text += pieces[random() % std::size(pieces)];
    CAPTURE(text);
    REQUIRE(parsed(text) == system_parsed(text));
  }
  for (int i = 0; i < 1500; i++) {
    uint8_t bytes[16] = {};
    const auto filled = random();
    for (unsigned n = 0; n < 16; n++) bytes[n] = static_cast<uint8_t>(filled >> n & 1 ? random() >> (random() % 8) : 0);
    const IpAddress address = IpAddress::v6(bytes);
    char system[INET6_ADDRSTRLEN];
    REQUIRE(inet_ntop(AF_INET6, bytes, system, sizeof system));
    const std::string text = written(address);
    REQUIRE(parsed(text) == address);
    if (std::string_view(system).find('.') == std::string_view::npos) REQUIRE(text == system);
  }
}

TEST_CASE("ip_address: ranges hold what their prefix says") {
  CHECK(in("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  CHECK_FALSE(in("10.0.0.0/8", "9.255.255.255"));
  CHECK(in("172.16.0.0/12", "172.31.255.255"));
  CHECK_FALSE(in("172.16.0.0/12", "172.32.0.0"));
  CHECK(in("10.1.2.3/8", "10.9.9.9"));  // bits behind the prefix do not count
  CHECK(in("10.0.0.1", "10.0.0.1"));
  CHECK_FALSE(in("10.0.0.1", "10.0.0.2"));
  CHECK(in("10.0.0.1/31", "10.0.0.0"));
  CHECK(in("10.0.0.1/32", "::ffff:10.0.0.1"));
  CHECK(in("0.0.0.0/0", "255.1.2.3"));
  CHECK_FALSE(in("0.0.0.0/0", "::1"));
  CHECK_FALSE(in("::/0", "1.2.3.4"));
  CHECK_FALSE(in("::/0", "::ffff:1.2.3.4"));
  CHECK(in("::/0", "2001:db8::1"));
  CHECK(in("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK_FALSE(in("::ffff:10.0.0.0/104", "11.1.2.3"));
  CHECK(in("fe80::/10", "febf::1"));
  CHECK_FALSE(in("fe80::/10", "fec0::1"));
  CHECK(in("2001:db8::/127", "2001:db8::1"));
  CHECK_FALSE(in("2001:db8::/127", "2001:db8::2"));
  CHECK_FALSE(in("2001:db8::/128", "2001:db8::1"));
}

TEST_CASE("ip_address: what is no range") {
  for (const std::string_view text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "10/8",
                                      "10.0.0.0/255.0.0.0", "10.0.0.0 /8", "10.0.0.0/ 8", "::/129", "::1/", "::1/1280", "::ffff:0:0/95",
                                      "::ffff:10.0.0.0/8", "fe80::%1/10", "[::1]/128", "loopback"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(IpRange::parse(text));
  }
  CHECK(IpRange::parse("10.0.0.0/32"));
  CHECK(IpRange::parse("::/128"));
  CHECK(IpRange::parse("::ffff:0:0/96"));
}

TEST_CASE("ip_address: the names of lists") {
  struct Row {
    const char* name;
    const char* inside;
    const char* outside;
  };
  const Row rows[] = {
      {"loopback", "127.0.0.1", "128.0.0.0"},      {"loopback", "127.255.255.255", "126.255.255.255"},
      {"loopback", "::1", "::2"},                  {"loopback", "::ffff:127.0.0.1", "::"},
      {"linklocal", "169.254.9.9", "169.255.0.0"}, {"linklocal", "fe80::1", "fec0::1"},
      {"uniquelocal", "10.9.9.9", "11.0.0.0"},     {"uniquelocal", "172.16.0.1", "172.32.0.1"},
      {"uniquelocal", "192.168.255.1", "192.169.0.1"}, {"uniquelocal", "fd00::1", "fe00::1"},
  };
  for (const Row& row : rows) {
    IpRanges ranges;
    CHECK(ranges.add(row.name));
    CHECK(listed(ranges, row.inside));
    CHECK_FALSE(listed(ranges, row.outside));
  }
  CHECK(named_ip_ranges("Loopback").empty());
  CHECK(named_ip_ranges("unix").empty());
}

TEST_CASE("ip_address: lists of ranges") {
  IpRanges ranges;
  CHECK(ranges.empty());
  CHECK_FALSE(listed(ranges, "127.0.0.1"));
  CHECK(ranges.add("loopback, 203.0.113.0/24 ,2001:db8::1"));
  for (const char* bad : {"", " ", ",", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8, unix, nobody", "unix, 10.0.0.0/40"}) CHECK_FALSE(ranges.add(bad));
  CHECK(listed(ranges, "127.0.0.1"));
  CHECK(listed(ranges, "203.0.113.255"));
  CHECK(listed(ranges, "2001:db8::1"));
  CHECK_FALSE(listed(ranges, "203.0.114.0"));
  CHECK_FALSE(listed(ranges, "10.0.0.1"));  // what is malformed adds nothing
  CHECK_FALSE(ranges.contains_unix());
  CHECK(ranges.add("unix"));
  CHECK(ranges.contains_unix());
  CHECK_FALSE(listed(ranges, "10.0.0.1"));
  IpRanges only_unix;
  CHECK(only_unix.add("unix"));
  CHECK_FALSE(only_unix.empty());
}
