// The value of a field in several lines, on heads as the parser gives them.
#include <doctest/doctest.h>

#include <string>

#include "proto/field_lines.h"
#include "support/heads.h"

namespace martlet {

namespace {

std::string value_of(std::string_view name, const std::string& lines) {
  const test::ParsedHead p = test::parse_head("GET / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n");
  REQUIRE(p.done());
  const test::Guarded bytes(p.text);
  const uint8_t* base = bytes.span().data();
  const proto::Field* first = p.head.find(base, name);
  if (!first) return "(none)";
  const size_t size = proto::joined_size(p.head, base, *first);
  if (size == first->value_length) return std::string(p.head.value(base, *first));
  // To the end of a page that faults: one character too many would be seen.
  test::Guarded room(std::string(size, '#'));
  proto::join_lines(p.head, base, *first, reinterpret_cast<char*>(room.data()));
  return {reinterpret_cast<const char*>(room.data()), size};
}

}  // namespace

TEST_CASE("field_lines: lists are joined with a comma, Cookie with a semicolon, in the order of the lines") {
  CHECK(value_of("accept", "Accept: a\r\n") == "a");
  CHECK(value_of("ACCEPT", "Accept: a\r\naccept: b;q=1, c\r\nX: y\r\nACCEPT:\td \r\n") == "a, b;q=1, c, d");
  CHECK(value_of("x-forwarded-for", "X-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\n") == "1, 2");
  CHECK(value_of("x-own", "X-Own: 1\r\nX-Owm: 2\r\nx-oWn: 3\r\nX-Own2: 4\r\nX-Ow: 5\r\n") == "1, 3");
  CHECK(value_of("cookie", "Cookie: a=1\r\nCOOKIE: b=2; c=3\r\n") == "a=1; b=2; c=3");
  CHECK(value_of("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n") == "a, b");
  CHECK(value_of("none", "X: y\r\n") == "(none)");
}

TEST_CASE("field_lines: empty lines are lines") {
  CHECK(value_of("x", "X:\r\n") == "");
  CHECK(value_of("x", "X:\r\nX:\r\n") == ", ");
  CHECK(value_of("x", "X:\r\nX: b\r\nX:\r\n") == ", b, ");
  CHECK(value_of("cookie", "Cookie:\r\nCookie: b=2\r\n") == "; b=2");
}

TEST_CASE("field_lines: a field that cannot be a list has its first line's value, Set-Cookie too") {
  for (const std::string name : {"Authorization", "Content-Type", "Origin", "Referer", "User-Agent", "Range", "If-Modified-Since",
                                 "If-Range", "Proxy-Authorization", "From", "Max-Forwards", "Sec-WebSocket-Key",
                                 "Sec-WebSocket-Version", "Set-Cookie", "SET-COOKIE", "Last-Event-ID"}) {
    CAPTURE(name);
    CHECK(value_of(name, name + ": one\r\nX: y\r\n" + name + ": two\r\n") == "one");
  }
  for (const std::string name : {"If-None-Match", "If-Match", "Via", "Forwarded", "Cache-Control", "TE", "Set-Cookie2"}) {
    CAPTURE(name);
    CHECK(value_of(name, name + ": one\r\nX: y\r\n" + name + ": two\r\n") == "one, two");
  }
}

TEST_CASE("field_lines: as many lines as a head may have") {
  std::string lines, wanted;
  for (int i = 0; i < 99; i++) {
    lines += "X: " + std::to_string(i) + "\r\n";
    wanted += (i ? ", " : "") + std::to_string(i);
  }
  CHECK(value_of("x", lines) == wanted);
}

}  // namespace martlet
