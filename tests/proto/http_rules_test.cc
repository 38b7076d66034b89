// What a head means: target, host, framing, connection, expectations. Lines and limits are in http_parser_test.cc.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "proto/http_rules.h"
#include "support/heads.h"

namespace martlet {

namespace {

using proto::BodyFraming;
using test::parse_every_way;
using test::parse_head;
using test::ParsedHead;

std::string post(const std::string& fields, const char* version = "1.1") {
  return std::string("POST / HTTP/") + version + "\r\nHost: a\r\n" + fields + "\r\n\r\n";
}

std::string get(const std::string& fields, const char* version = "1.1") {
  return std::string("GET / HTTP/") + version + "\r\nHost: a\r\n" + fields + (fields.empty() ? "\r\n" : "\r\n\r\n");
}

std::string asking(const std::string& request_line, const std::string& host = "h") {
  return request_line + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

struct Case {
  std::string text;
  int answer;
};

void check_table(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const ParsedHead p = parse_every_way(c.text);
    CAPTURE(std::string(p.error.cause));
    CHECK(p.answer() == c.answer);
  }
}

}  // namespace

TEST_CASE("http_rules: Host is there exactly once in HTTP/1.1, at most once in HTTP/1.0") {
  check_table({{"GET / HTTP/1.1\r\nA: b\r\n\r\n", 400},
               {"GET / HTTP/1.0\r\nA: b\r\n\r\n", 0},
               {get(""), 0},
               {get("", "1.0"), 0},
               {get("Host: a"), 400},
               {get("hOST: b"), 400},
               {get("Host: a", "1.0"), 400},
               {get("Host:"), 400},
               {get("X: y\r\nHost: a\r\nHost: a"), 400}});
}

TEST_CASE("http_rules: the value of Host") {
  for (const char* host : {"a", "example.com", "example.com:8080", "127.0.0.1", "[::1]", "[::1]:80",
                           "a-b_c~d!$&'()*+,;=", "%41b", "b%4a", "a:", "xn--bcher-kva.example", ""}) {
    CAPTURE(std::string(host));
    CHECK(parse_every_way(asking("GET /", host)).value("host") == host);
  }
  for (const char* host :
       {"a b", "a/b",  "a?b",    "a#b",     "user@a", "a:b", "a:80:80", "a:8a",     ":80",   "[::1",
        "::1", "[]",   "[::1]x", "[::1]:x", "[a/b]",  "a%",  "a%4",     "a%4g",     "%zz",   "a\"b",
        "a<b", "a\\b", "a^b",    "a`b",     "a{b",    "a|b", "a\tb",    "\xC3\xA4", "a\x80", "http://a"}) {
    CAPTURE(std::string(host));
    CHECK(parse_every_way(asking("GET /", host)).answer() == 400);
  }
}

TEST_CASE("http_rules: a known Host does not vouch for one that only looks like it") {
  const std::string long_host(80, 'h');
  for (int round = 0; round < 2; round++) {
    for (const std::string good : {"abc", "abcdefgh", "abcdefghijklmnop", "abcdefghijklmnopq", "", long_host.c_str()}) {
      const auto answer = [&](std::string host) {
        ParsedHead p;
        p.text = asking("GET /", host);
        uint32_t scanned = 0;
        p.status = test::shared_parser().parse_request_head(base::as_bytes(p.text), {}, scanned, p.head, p.error);
        return p.answer();
      };
      CHECK(answer(good) == 0);
      CHECK(answer(good) == 0);
      for (size_t i = 0; i < good.size(); i++) {
        std::string bad = good;
        bad[i] = '/';
        CHECK(answer(bad) == 400);
      }
      CHECK(answer(good + "/") == 400);
    }
  }
}

TEST_CASE("http_rules: Content-Length") {
  const std::vector<std::pair<std::string, uint64_t>> good = {
      {"0", 0}, {"5", 5}, {"007", 7}, {"18446744073709551615", UINT64_MAX}, {"0000000000000000000000000000001", 1}};
  for (const auto& [value, length] : good) {
    const ParsedHead p = parse_every_way(post("Content-Length: " + value));
    REQUIRE(p.done());
    CHECK(p.head.framing == BodyFraming::content_length);
    CHECK(p.head.content_length == length);
  }
  for (const char* value : {"", "+5", "-5", "5,5", "5, 5", "5 5", "0x5", "5a", "5.0", "1e3", "18446744073709551616",
                            "99999999999999999999", "184467440737095516150", "\xC2\xB2"}) {
    CAPTURE(std::string(value));
    CHECK(parse_every_way(post(std::string("Content-Length: ") + value)).answer() == 400);
  }
  check_table({{post("Content-Length: 5\r\nContent-Length: 5"), 400},
               {post("Content-Length: 5\r\ncontent-length: 6"), 400},
               {post("Content-Length : 5"), 400}});
}

TEST_CASE("http_rules: Transfer-Encoding") {
  for (const char* value : {"chunked", "Chunked", "CHUNKED", " chunked "}) {
    const ParsedHead p = parse_every_way(post(std::string("Transfer-Encoding:") + value));
    REQUIRE(p.done());
    CHECK(p.head.framing == BodyFraming::chunked);
  }
  check_table({{post("Transfer-Encoding: gzip, chunked"), 501},
               {post("Transfer-Encoding: gzip"), 501},
               {post("Transfer-Encoding: identity"), 501},
               {post("Transfer-Encoding: xchunked"), 501},
               {post("Transfer-Encoding: chunked;q=1"), 501},
               {post("Transfer-Encoding: \"chunked\""), 501},
               {post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), 501},
               {post("Transfer-Encoding: chunked, gzip"), 400},
               {post("Transfer-Encoding: chunked, chunked"), 400},
               {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
               {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"), 400},
               {post("Transfer-Encoding: chunked, identity"), 400},
               {post("Transfer-Encoding: , chunked"), 400},
               {post("Transfer-Encoding: chunked,"), 400},
               {post("Transfer-Encoding:"), 400},
               {post("Transfer-Encoding: ,"), 400},
               {post("Transfer-Encoding: \x0B"
                     "chunked"),
                400},
               {post("Transfer-Encoding: chunked", "1.0"), 400},
               {post("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400},
               {post("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400},
               {post("Content-Length: 0\r\nTransfer-Encoding: gzip"), 400},
               {post("Transfer_Encoding: chunked"), 0}});
  CHECK(parse_head(post("Transfer_Encoding: chunked")).head.framing == BodyFraming::none);
  CHECK(parse_head(post("A: b")).head.framing == BodyFraming::none);
}

TEST_CASE("http_rules: Connection decides whether the connection stays") {
  struct Row {
    const char* version;
    const char* fields;
    bool keep_alive, upgrade, asks = false;
  };
  const std::vector<Row> rows = {
      {"1.1", "", true, false},
      {"1.0", "", false, false},
      {"1.1", "Connection: close", false, false},
      {"1.1", "Connection: Close", false, false},
      {"1.1", "Connection: keep-alive", true, false, true},
      {"1.0", "Connection: keep-alive", true, false, true},
      {"1.0", "Connection: Keep-Alive", true, false, true},
      {"1.0", "Connection: keep-alivf", false, false},
      {"1.0", "Connection: keep_alive", false, false},
      {"1.1", "Connection: keep-alive, close", false, false, true},
      {"1.0", "Connection: keep-alive\r\nConnection: close", false, false, true},
      {"1.1", "Connection: keep-alive\r\nA: b\r\nConnection: close", false, false, true},
      {"1.1", "Connection: Upgrade", true, true},
      {"1.1", "Connection: keep-alive, Upgrade", true, true, true},
      {"1.1", "Connection: keep-alive\r\nConnection: upgrade", true, true, true},
      {"1.1", "Connection: ,, ,UPGRADE ,close", false, true},
      {"1.1", "Connection: closed, upgraded", true, false},
      {"1.1", "Connection:", true, false},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.fields));
    const ParsedHead p = parse_every_way(get(row.fields, row.version));
    REQUIRE(p.done());
    CHECK(p.head.keep_alive == row.keep_alive);
    CHECK(p.head.connection_upgrade == row.upgrade);
    CHECK(p.head.asks_keep_alive == row.asks);
  }
}

TEST_CASE("http_rules: Expect") {
  CHECK(parse_every_way(post("Expect: 100-continue")).head.expects_continue);
  CHECK(parse_every_way(post("Expect: 100-Continue")).head.expects_continue);
  CHECK_FALSE(parse_every_way(post("A: b")).head.expects_continue);
  CHECK_FALSE(parse_every_way(post("Expect: 100-continue", "1.0")).head.expects_continue);
  check_table({{post("Expect: 200-ok"), 417},
               {post("Expect: 100-continue, more"), 417},
               {post("Expect: 100-continue\r\nExpect: more"), 417},
               {post("Expect: 100-continue\r\nExpect: 100-continue"), 0},
               {post("Expect:"), 0}});
}

TEST_CASE("http_rules: forms of the target") {
  struct Row {
    const char* request_line;
    int answer;
    const char* path;
    const char* query;
    const char* host;
  };
  const std::vector<Row> rows = {
      {"GET /", 0, "/", "", "h"},
      {"GET /a?b=c?d", 0, "/a", "b=c?d", "h"},
      {"GET /?", 0, "/", "", "h"},
      {"GET //a//b", 0, "//a//b", "", "h"},
      {"GET /|{}^`\"<>\\", 0, "/|{}^`\"<>\\", "", "h"},
      {"OPTIONS *", 0, "*", "", "h"},
      {"OPTIONS /a", 0, "/a", "", "h"},
      {"GET *", 400, "", "", ""},
      {"OPTIONS *a", 400, "", "", ""},
      {"OPTIONS **", 400, "", "", ""},
      {"GET http://b/a?q", 0, "/a", "q", "b"},
      {"GET HTTP://b:80/a", 0, "/a", "", "b:80"},
      {"GET https://b", 0, "/", "", "b"},
      {"GET http://b?q=/x", 0, "/", "q=/x", "b"},
      {"GET http://b/?", 0, "/", "", "b"},
      {"GET http://[::1]:8/x", 0, "/x", "", "[::1]:8"},
      {"GET http://", 400, "", "", ""},
      {"GET http:///a", 400, "", "", ""},
      {"GET http://u@b/", 400, "", "", ""},
      {"GET http://b:x/", 400, "", "", ""},
      {"GET http:/b/", 400, "", "", ""},
      {"GET ftp://b/", 400, "", "", ""},
      {"GET b/a", 400, "", "", ""},
      {"GET ?a", 400, "", "", ""},
      {"GET b:80", 400, "", "", ""},
      {"CONNECT b:80", 0, "", "", "b:80"},
      {"CONNECT [::1]:80", 0, "", "", "[::1]:80"},
      {"CONNECT b", 400, "", "", ""},
      {"CONNECT b:", 400, "", "", ""},
      {"CONNECT [::1]", 400, "", "", ""},
      {"CONNECT :80", 400, "", "", ""},
      {"CONNECT /", 400, "", "", ""},
      {"CONNECT http://b/", 400, "", "", ""},
      {"CONNECT b:80?q", 400, "", "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.request_line));
    const ParsedHead p = parse_every_way(asking(row.request_line));
    CHECK(p.answer() == row.answer);
    if (!p.done()) continue;
    CHECK(p.path() == row.path);
    CHECK(p.query() == row.query);
    CHECK(p.value("Host") == row.host);
  }
  CHECK(parse_every_way("GET http://b/ HTTP/1.1\r\nA: b\r\n\r\n").answer() == 400);
  CHECK(parse_every_way("GET http://b/ HTTP/1.0\r\n\r\n").done());
}

}  // namespace martlet
