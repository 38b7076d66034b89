// Who the client is, as tables: peer, fields, and what is believed. 10.0.0.0/8, fd00::/8 and Unix sockets are trusted.
#include "proto/forwarded.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/parameters.h"
#include "support/guarded.h"
#include "support/heads.h"

namespace martlet {

namespace {

using proto::ClientOrigin;
using proto::ForwardedFamily;
using proto::ForwardedPolicy;
using proto::Scheme;

const codec::IpRanges& proxies() {
  static const codec::IpRanges ranges = [] {
    codec::IpRanges all;
    REQUIRE(all.add("10.0.0.0/8, fd00::/8, unix"));
    return all;
  }();
  return ranges;
}

std::string text_of(const codec::IpAddress& address) {
  char text[codec::kIpAddressText];
  return {text, codec::format_ip_address(address, text)};
}

// "client | ips | scheme host port", without what is unsaid.
std::string text_of(const ClientOrigin& origin) {
  std::string all = (origin.client ? text_of(*origin.client) : "-") + " |";
  for (size_t i = 0; i < origin.hop_count; i++) all += " " + text_of(origin.ip(i));
  all += " |";
  if (origin.scheme != Scheme::unsaid) all += origin.scheme == Scheme::https ? " https" : " http";
  if (!origin.host.empty()) all += " " + std::string(origin.host);
  if (origin.port) all += " #" + std::to_string(origin.port);
  return all;
}

std::string client_of(const std::string& fields, const char* peer = "10.0.0.1", ForwardedPolicy policy = {}) {
  const test::ParsedHead p = test::parse_head("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
  REQUIRE(p.done());
  const test::Guarded bytes(p.text);
  if (!policy.trusted) policy.trusted = &proxies();
  const proto::Peer other_end{codec::parse_ip_address(peer), peer == std::string_view("unix")};
  return text_of(proto::find_client(other_end, policy, p.head, bytes.data()));
}

std::string x_for(const std::string& value) { return client_of("X-Forwarded-For: " + value + "\r\n"); }

std::string forwarded(const std::string& value) {
  return client_of("Forwarded: " + value + "\r\n", "10.0.0.1", {.family = ForwardedFamily::forwarded});
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += text;
  return all;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("forwarded: nothing is believed of a peer that is not trusted") {
  const std::string fields = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n"
                             "Forwarded: for=1.2.3.4;proto=https;host=evil\r\n";
  for (const ForwardedFamily family : {ForwardedFamily::nobody, ForwardedFamily::x_forwarded, ForwardedFamily::forwarded}) {
    for (const char* peer : {"11.0.0.1", "9.255.255.255", "::1", "2001:db8::1"}) {
      CHECK(client_of(fields, peer, {.family = family}) == std::string(peer) + " | |");
    }
    const codec::IpRanges none;
    CHECK(client_of(fields, "10.0.0.1", {.trusted = &none, .family = family}) == "10.0.0.1 | |");
    CHECK(client_of(fields, "unix", {.trusted = &none, .family = family}) == "- | |");
  }
  const ClientOrigin untrusted = proto::find_client({codec::parse_ipv4("10.0.0.1")}, {}, {});
  CHECK_FALSE(untrusted.peer_trusted);
  CHECK(text_of(untrusted) == "10.0.0.1 | |");
  CHECK(client_of(fields, "10.0.0.1", {.family = ForwardedFamily::nobody}) == "10.0.0.1 | |");
}

TEST_CASE("forwarded: the family that is not believed injects nothing") {
  const std::string x = "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: x.example\r\nX-Forwarded-Port: 81\r\n";
  const std::string standard = "Forwarded: for=2.2.2.2;proto=http;host=f.example\r\n";
  CHECK(client_of(x + standard) == "1.1.1.1 | 1.1.1.1 | https x.example #81");
  CHECK(client_of(standard) == "10.0.0.1 | |");
  CHECK(client_of(x + standard, "10.0.0.1", {.family = ForwardedFamily::forwarded}) == "2.2.2.2 | 2.2.2.2 | http f.example");
  CHECK(client_of(x, "10.0.0.1", {.family = ForwardedFamily::forwarded}) == "10.0.0.1 | |");
  CHECK(client_of(x, "10.0.0.1", {.believes_proto = false}) == "1.1.1.1 | 1.1.1.1 | x.example #81");
  CHECK(client_of(x, "10.0.0.1", {.believes_host = false}) == "1.1.1.1 | 1.1.1.1 | https");
  CHECK(client_of(standard, "10.0.0.1", {.family = ForwardedFamily::forwarded, .believes_proto = false}) == "2.2.2.2 | 2.2.2.2 | f.example");
  CHECK(client_of(standard, "10.0.0.1", {.family = ForwardedFamily::forwarded, .believes_host = false}) == "2.2.2.2 | 2.2.2.2 | http");
}

TEST_CASE("forwarded: X-Forwarded-For is walked from its end to the first address that is not trusted") {
  const Rows rows = {
      {"", "10.0.0.1 | |"},
      {" , ,", "10.0.0.1 | |"},
      {"1.1.1.1", "1.1.1.1 | 1.1.1.1 |"},
      {"6.6.6.6, 1.1.1.1", "1.1.1.1 | 1.1.1.1 |"},
      {"6.6.6.6, 10.9.9.9, 1.1.1.1", "1.1.1.1 | 1.1.1.1 |"},
      {"6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1 | 1.1.1.1 10.0.0.2 |"},
      {"1.1.1.1,10.0.0.3 ,\t10.0.0.2", "1.1.1.1 | 1.1.1.1 10.0.0.3 10.0.0.2 |"},
      {"10.0.0.3, 10.0.0.2", "10.0.0.3 | 10.0.0.3 10.0.0.2 |"},  // all trusted: the first
      {"1.1.1.1,, 10.0.0.2,", "1.1.1.1 | 1.1.1.1 10.0.0.2 |"},
      {"2001:db8::1", "2001:db8::1 | 2001:db8::1 |"},
      {"2001:DB8::1, fd00::5", "2001:db8::1 | 2001:db8::1 fd00::5 |"},
      {"[2001:db8::1]:443, [fd00::5]", "2001:db8::1 | 2001:db8::1 fd00::5 |"},
      {"1.1.1.1:5678", "1.1.1.1 | 1.1.1.1 |"},
      {"1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1 | 1.1.1.1 10.0.0.2 |"},
      {"1.1.1.1, ::ffff:a00:2", "1.1.1.1 | 1.1.1.1 10.0.0.2 |"},
      // What hides or is malformed ends the walk where it is.
      {"unknown", "10.0.0.1 | |"},
      {"1.1.1.1, unknown, 10.0.0.2", "10.0.0.2 | 10.0.0.2 |"},
      {"1.1.1.1, _proxy, 10.0.0.2", "10.0.0.2 | 10.0.0.2 |"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CHECK(x_for(row.first) == row.second);
  }
  for (const char* bad : {"x", "1.1.1", "01.1.1.1", "1.1.1.1.1", "1.1.1.1:", "1.1.1.1:x", "1.1.1.1:65536", "1.1.1.1:123456", "1.1.1.1 2.2.2.2", "[1.1.1.1]", "[::1", "::1]",
                          "[::1]x", "[::1]:", "[]", "[", ":", "::1%eth0", "\"1.1.1.1\"", "<script>", "for=1.1.1.1", "1.1.1.1;2.2.2.2", "_", "_a b", "unknown:x", "localhost"}) {
    CAPTURE(std::string(bad));
    CHECK(x_for(bad) == "10.0.0.1 | |");
    CHECK(x_for("1.1.1.1, " + std::string(bad) + ", 10.0.0.2") == "10.0.0.2 | 10.0.0.2 |");
    CHECK(x_for(std::string(bad) + ", 1.1.1.1") == "1.1.1.1 | 1.1.1.1 |");
  }
}

TEST_CASE("forwarded: several lines are one list") {
  const std::string line = "X-Forwarded-For: ";
  CHECK(client_of(line + "6.6.6.6\r\nx-forwarded-for: 1.1.1.1, 10.0.0.3\r\n" + line + "10.0.0.2\r\n") == "1.1.1.1 | 1.1.1.1 10.0.0.3 10.0.0.2 |");
  CHECK(client_of(line + "6.6.6.6\r\n" + line + "1.1.1.1\r\n" + line + "\r\n") == "1.1.1.1 | 1.1.1.1 |");
  CHECK(client_of("Forwarded: for=6.6.6.6, for=\"\r\nForwarded: for=1.1.1.1, for=10.0.0.2\r\n", "10.0.0.1", {.family = ForwardedFamily::forwarded}) ==
        "1.1.1.1 | 1.1.1.1 10.0.0.2 |");
  // Of more lines than are kept, the last ones: it is the proxies' that count.
  CHECK(client_of(repeated(line + "6.6.6.6\r\n", 40) + line + "1.1.1.1\r\n") == "1.1.1.1 | 1.1.1.1 |");
}

TEST_CASE("forwarded: as many hops as are walked") {
  const std::string most = repeated(", 10.0.0.2", proto::kMaxForwardedHops - 1);
  CHECK(x_for("1.1.1.1" + most).starts_with("1.1.1.1 | 1.1.1.1 10.0.0.2 "));
  CHECK(x_for("1.1.1.1, 10.0.0.3" + most).starts_with("10.0.0.3 | 10.0.0.3 10.0.0.2 "));
  CHECK(forwarded("for=1.1.1.1" + repeated(", for=10.0.0.2", proto::kMaxForwardedHops - 1)).starts_with("1.1.1.1 |"));
  CHECK(forwarded("for=1.1.1.1, for=10.0.0.3" + repeated(", for=10.0.0.2", proto::kMaxForwardedHops - 1)).starts_with("10.0.0.3 |"));
}

TEST_CASE("forwarded: peers on Unix sockets") {
  const std::string fields = "X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\nX-Forwarded-Proto: https\r\n";
  CHECK(client_of(fields, "unix") == "1.1.1.1 | 1.1.1.1 | https");
  CHECK(client_of("", "unix") == "- | |");
  CHECK(client_of(fields, "") == "- | |");  // an unknown peer is not one of them
  codec::IpRanges ten;
  REQUIRE(ten.add("10.0.0.0/8"));
  CHECK(client_of(fields, "unix", {.trusted = &ten}) == "- | |");
}

TEST_CASE("forwarded: X-Forwarded-Proto, -Host and -Port") {
  const auto beside = [](const std::string& list, const std::string& name, const std::string& value) {
    const std::string all = client_of("X-Forwarded-For: " + list + "\r\nX-Forwarded-" + name + ": " + value + "\r\n");
    const std::string said = all.substr(all.rfind('|') + 1);
    return said.empty() ? "-" : said.substr(1);
  };
  const Rows schemes = {{"https", "https"}, {"http", "http"}, {"HTTPS", "https"}, {"wss", "https"}, {"ws", "http"}, {"", "-"}, {"ftp", "-"}, {"https:", "-"},
                        {"https, http", "http"}, {"http, https", "https"}, {"https x", "-"}, {"\"https\"", "-"}, {"https\t", "https"}};
  for (const auto& row : schemes) CHECK(beside("1.1.1.1", "Proto", row.first) == row.second);
  const Rows hosts = {{"a.example", "a.example"}, {"a.example:8080", "a.example:8080"}, {"[::1]:80", "[::1]:80"}, {"", "-"}, {"a b", "-"}, {"a/b", "-"}, {"a\"b", "-"},
                      {"<a>", "-"}, {"a@b", "-"}, {"a:b", "-"}, {"a\\b", "-"}, {"\xC3\xA9", "-"}, {"a?b", "-"}, {"a#b", "-"}, {":80", "-"},
                      {"evil.example, a.example", "a.example"}, {"http://a.example", "-"}};
  for (const auto& row : hosts) CHECK(beside("1.1.1.1", "Host", row.first) == row.second);
  const Rows ports = {{"443", "#443"}, {"65535", "#65535"}, {"65536", "-"}, {"0", "-"}, {"", "-"}, {"x", "-"}, {"80, 443", "#443"}, {"-1", "-"}, {"000443", "-"}};
  for (const auto& row : ports) CHECK(beside("1.1.1.1", "Port", row.first) == row.second);
  // As many as addresses: the one beside the client's.
  CHECK(beside("1.1.1.1, 10.0.0.2", "Proto", "https, http") == "https");
  CHECK(beside("6.6.6.6, 1.1.1.1, 10.0.0.2", "Proto", "ftp, https, http") == "https");
  CHECK(beside("6.6.6.6, 1.1.1.1", "Host", "evil, a.example") == "a.example");
  CHECK(beside("1.1.1.1, 10.0.0.2", "Host", "a.example, inner") == "a.example");
  CHECK(beside("1.1.1.1, 10.0.0.2", "Host", "a b, inner") == "-");
  // Not as many: the peer's.
  CHECK(beside("1.1.1.1, 10.0.0.2", "Proto", "https") == "https");
  CHECK(beside("6.6.6.6, 1.1.1.1, 10.0.0.2", "Host", "evil, a.example") == "a.example");
  CHECK(beside("1.1.1.1", "Host", "evil, a.example") == "a.example");
  // Where the walk ends at a hidden address, its hop has still written the rest; where it ends at nonsense, the one before.
  CHECK(beside("1.1.1.1, unknown, 10.0.0.2", "Proto", "ftp, https, http") == "https");
  CHECK(beside("1.1.1.1, nonsense, 10.0.0.2", "Proto", "https, https, http") == "http");
  CHECK(beside("nonsense", "Proto", "https") == "https");
  CHECK(client_of("X-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n") == "10.0.0.1 | | https a.example");
  CHECK(client_of("X-Forwarded-Host: evil\r\nX-Forwarded-Host: a.example\r\n") == "10.0.0.1 | | a.example");
}

TEST_CASE("forwarded: elements of Forwarded") {
  const Rows rows = {
      {"for=1.1.1.1", "1.1.1.1 | 1.1.1.1 |"},
      {"For=\"1.1.1.1\"", "1.1.1.1 | 1.1.1.1 |"},
      {"for=\"1.1.1.1:4711\"", "1.1.1.1 | 1.1.1.1 |"},
      {"for=\"1.1.1.1:_port\"", "1.1.1.1 | 1.1.1.1 |"},
      {"For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17 | 2001:db8:cafe::17 |"},
      {"for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17 | 2001:db8:cafe::17 |"},
      {"for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 | 192.0.2.60 | http"},
      {"for=192.0.2.43, for=198.51.100.17", "198.51.100.17 | 198.51.100.17 |"},
      {"for=6.6.6.6;host=evil;proto=https, for=1.1.1.1;host=a.example;proto=https, for=10.0.0.2;host=inner;proto=http", "1.1.1.1 | 1.1.1.1 10.0.0.2 | https a.example"},
      {"for=1.1.1.1, for=10.0.0.2;host=inner;proto=http", "1.1.1.1 | 1.1.1.1 10.0.0.2 | http inner"},  // who says it
      {"for=1.1.1.1;proto=https, for=10.0.0.2;host=inner;proto=http", "1.1.1.1 | 1.1.1.1 10.0.0.2 | https inner"},
      {"for=1.1.1.1;host=\"a b\", for=10.0.0.2;host=inner", "1.1.1.1 | 1.1.1.1 10.0.0.2 | inner"},
      {"for=1.1.1.1;host=\"[::1]:8080\"", "1.1.1.1 | 1.1.1.1 | [::1]:8080"},
      {"for=1.1.1.1 ; proto=https ; host=a.example", "1.1.1.1 | 1.1.1.1 | https a.example"},
      {";;for=1.1.1.1;;proto=https;", "1.1.1.1 | 1.1.1.1 | https"},
      {"for=1.1.1.1;secret=\"a,b;c\\\"d\"", "1.1.1.1 | 1.1.1.1 |"},
      {"for=6.6.6.6, for=1.1.1.1;secret=\"for=2.2.2.2, for=3.3.3.3\", for=10.0.0.2", "1.1.1.1 | 1.1.1.1 10.0.0.2 |"},
      {"for=1.1.1.1;secret=\"\\\\\", for=10.0.0.2;secret=\"\\\\\\\"\"", "1.1.1.1 | 1.1.1.1 10.0.0.2 |"},
      {"for=1.1.1.1;proto=gopher", "1.1.1.1 | 1.1.1.1 |"},
      // What hides ends the walk, and says the rest.
      {"for=1.1.1.1, for=unknown;proto=https", "10.0.0.1 | | https"},
      {"for=1.1.1.1, for=UNKNOWN", "10.0.0.1 | |"},
      {"for=1.1.1.1, for=\"unknown:80\"", "10.0.0.1 | |"},
      {"for=1.1.1.1, for=_hidden, for=10.0.0.2", "10.0.0.2 | 10.0.0.2 |"},
      {"for=1.1.1.1, for=\"_SEVKISEK:_x.y-z\"", "10.0.0.1 | |"},
      {"for=1.1.1.1, proto=https;host=a.example", "10.0.0.1 | | https a.example"},
      {"for=1.1.1.1, by=10.0.0.1", "10.0.0.1 | |"},
      {"", "10.0.0.1 | |"},
      {",,", "10.0.0.1 | |"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CHECK(forwarded(row.first) == row.second);
  }
}

TEST_CASE("forwarded: malformed elements of Forwarded end the walk and say nothing") {
  for (const char* bad : {"for", "for=", "=1.1.1.1", "for =1.1.1.1", "for= 1.1.1.1", "for=1.1.1.1:80", "for=[::1]", "for=::1", "for=\"::1\"", "for=\"[::1\"", "for=\"1.1.1.1", "for=\"1.1.1.1\"x",
                          "for=1.1.1.1;for=2.2.2.2", "for=1.1.1.1;FOR=\"\"", "for=1.1.1.1;proto=http;proto=https", "for=1.1.1.1;host=a;host=b", "for=1.1.1.1;by=a;by=b", "for=1.1.1", "for=01.1.1.1",
                          "for=\"1.1.1.1\\\"", "for=\"1.1.1.\\1\"", "for=localhost", "for=\"1.1.1.1:65536\"", "for=\"1.1.1.1:\"", "for=\"[1.1.1.1]\"", "for=\"_a b\"", "for=\"_\"", "for=\"\"",
                          "for=1.1.1.1;x", "for=1.1.1.1;x=\"", "for=1.1.1.1 proto=https", "1.1.1.1", "for=1.1.1.1;p@=1", "\"for=1.1.1.1\"", "for=\"[::1%eth0]\""}) {
    CAPTURE(std::string(bad));
    const std::string element = std::string(bad) + ";proto=https;host=evil";
    CHECK(forwarded(bad) == "10.0.0.1 | |");
    CHECK(forwarded(element) == "10.0.0.1 | |");
    // What a client writes before them does not reach the proxies' elements.
    CHECK(forwarded(element + ", for=1.1.1.1;proto=http, for=\"10.0.0.2\"") == "1.1.1.1 | 1.1.1.1 10.0.0.2 | http");
  }
  CHECK(forwarded("for=6.6.6.6, for=1.1.1, for=10.0.0.2;host=inner") == "10.0.0.2 | 10.0.0.2 | inner");
}

TEST_CASE("forwarded: what a client writes cannot swallow what a proxy appends") {
  for (const char* injected : {"for=\"", "for=6.6.6.6;x=\"", "for=6.6.6.6;x=\"\\", "for=6.6.6.6;x=\"\\\\", "\"", "\\", "\"\"\"", "for=6.6.6.6;x=\", for=\"", "for=\"[", "x=\"a\\\"", ",\",\","}) {
    CAPTURE(std::string(injected));
    CHECK(forwarded(std::string(injected) + ", for=1.1.1.1") == "1.1.1.1 | 1.1.1.1 |");
    CHECK(forwarded(std::string(injected) + ", for=\"1.1.1.1:80\";host=\"a.example\";proto=https, for=10.0.0.2") == "1.1.1.1 | 1.1.1.1 10.0.0.2 | https a.example");
  }
}

TEST_CASE("parameters: both directions find the same pieces") {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""}, {"a", "a|"}, {"a,b", "a|b|"}, {" a ,\tb ", "a|b|"}, {"a,,b", "a||b|"}, {"x=\"a,b\",c", "x=\"a,b\"|c|"}, {"x=\"\\\"\",c", "x=\"\\\"\"|c|"},
      {"x=\"\\\\\",c", "x=\"\\\\\"|c|"}, {"x=\",\",y=\",\\\",\"", "x=\",\"|y=\",\\\",\"|"}, {",a", "|a|"}, {"x=\",\\\\\",c", "x=\",\\\\\"|c|"},
  };
  for (const auto& row : rows) {
    const test::Guarded guarded{std::string_view(row.first)};
    std::string forward;
    for (std::string_view rest = base::as_text(guarded.span()); !rest.empty();) forward += std::string(proto::take_piece(rest, ',')) + "|";
    std::string backward;
    for (std::string_view rest = base::as_text(guarded.span()); !rest.empty();) backward = std::string(proto::take_last_piece(rest, ',')) + "|" + backward;
    CHECK(forward == row.second);
    if (row.first[0] != ',') CHECK(backward == row.second);
  }
  CHECK(proto::same_value("\"a\\b\"", "AB"));
  CHECK_FALSE(proto::same_value("\"ab\"", "abc"));
  CHECK(proto::unquoted("\"a\\\"\"") == "a\\\"");
}

}  // namespace martlet
