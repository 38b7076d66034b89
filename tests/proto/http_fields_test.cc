// Field names by number, finding fields, and lists.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "proto/http_names.h"
#include "support/heads.h"

namespace martlet {

using proto::field_name_of;
using proto::FieldName;

TEST_CASE("http_fields: every known name has its number in any case, and no other has it") {
  for (size_t n = 1; n < proto::kFieldNameCount; n++) {
    const std::string name(proto::kFieldNames[n]);
    CAPTURE(name);
    CHECK(field_name_of(name) == static_cast<FieldName>(n));
    std::string upper = name;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    CHECK(field_name_of(upper) == static_cast<FieldName>(n));
    CHECK(field_name_of(name + "x") == FieldName::other);
    CHECK(field_name_of("x" + name) == FieldName::other);
    CHECK(field_name_of(name.substr(1)) == FieldName::other);
    for (size_t i = 0; i < name.size(); i++) {
      for (const char c : {'_', '\r', '0', '\x01'}) {
        std::string other = name;
        other[i] = c;
        CHECK(field_name_of(other) == FieldName::other);
      }
    }
  }
  CHECK(field_name_of("") == FieldName::other);
  CHECK(field_name_of(std::string(1000, 'a')) == FieldName::other);
}

TEST_CASE("http_fields: a head gives each name the same number") {
  for (size_t n = 1; n < proto::kFieldNameCount; n++) {
    const std::string name(proto::kFieldNames[n]);
    if (static_cast<FieldName>(n) == FieldName::host || static_cast<FieldName>(n) == FieldName::expect) continue;
    for (size_t i = 0; i <= name.size(); i++) {
      std::string sent = name;
      if (i < name.size()) sent[i] = sent[i] == '-' ? '_' : static_cast<char>(sent[i] - 32);
      const bool is_it = field_name_of(sent) == static_cast<FieldName>(n);
      const test::ParsedHead p = test::parse_head("A / HTTP/1.0\r\n" + sent + ": 1\r\n\r\n");
      CAPTURE(sent);
      if (!p.done()) continue;  // Transfer-Encoding: 1
      CHECK(p.head.fields[0].name == (is_it ? static_cast<FieldName>(n) : FieldName::other));
      CHECK(p.head.count(static_cast<FieldName>(n)) == is_it);
      CHECK((p.head.find(static_cast<FieldName>(n)) != nullptr) == is_it);
    }
  }
}

TEST_CASE("http_fields: a long name that only ends like a known one is another") {
  const test::ParsedHead p = test::parse_head(
      "GET / HTTP/1.1\r\nHost: a\r\nSXC-WebSocket-Extensions: 1\r\nSec-WebSocket-Extensions: 2\r\n"
      "SXC-WebSocket-Extensions: 3\r\nSex-WebSocket-Protocol: 4\r\n\r\n");
  REQUIRE(p.done());
  CHECK(p.head.count(FieldName::sec_websocket_extensions) == 1);
  CHECK(p.head.find(FieldName::sec_websocket_extensions) == &p.head.fields[2]);
  CHECK(p.head.find(FieldName::sec_websocket_protocol) == nullptr);
  CHECK(p.head.fields[1].name == FieldName::other);
  CHECK(p.value("sxc-websocket-extensions") == "1");
}

TEST_CASE("http_fields: the first of several fields is found, by number and by text") {
  const test::ParsedHead p = test::parse_head(
      "GET / HTTP/1.1\r\nHost: a\r\nCookie: 1\r\nX-One: 2\r\nCOOKIE: 3\r\nx-one: 4\r\nX-Ona: 5\r\n\r\n");
  REQUIRE(p.done());
  CHECK(p.head.count(FieldName::cookie) == 2);
  CHECK(p.head.find(FieldName::cookie) == &p.head.fields[1]);
  CHECK(p.head.find(FieldName::origin) == nullptr);
  CHECK(p.value("cookie") == "1");
  CHECK(p.value("X-ONE") == "2");
  CHECK(p.value("x-ona") == "5");
  CHECK(p.value("x-on") == "(none)");
  CHECK(p.value("") == "(none)");
}

TEST_CASE("http_fields: lists skip empty elements and white space") {
  const auto elements = [](std::string_view list) {
    std::string all;
    proto::TokenList tokens(list);
    for (std::string_view element; tokens.next(element);) all += '[' + std::string(element) + ']';
    return all;
  };
  CHECK(elements("") == "");
  CHECK(elements(" , ,\t,") == "");
  CHECK(elements("a") == "[a]");
  CHECK(elements(" a , b\t,c ") == "[a][b][c]");
  CHECK(elements(",a b,,c") == "[a b][c]");
  CHECK(elements("a;q=1, b") == "[a;q=1][b]");
}

}  // namespace martlet
