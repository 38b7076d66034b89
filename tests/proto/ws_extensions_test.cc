// Sec-WebSocket-Extensions against the grammar of RFC 6455 §9.1, on heads as the parser gives them.
#include <doctest/doctest.h>

#include <cctype>
#include <string>
#include <vector>

#include "proto/ws_extensions.h"
#include "support/heads.h"

namespace martlet {

namespace {

bool well_formed(const std::vector<std::string>& fields) {
  std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& field : fields) request += "Sec-WebSocket-Extensions: " + field + "\r\n";
  const test::ParsedHead p = test::parse_head(request + "\r\n");
  REQUIRE(p.done());
  const test::Guarded bytes(p.text);  // nothing is read behind the head
  return proto::well_formed_extensions(p.head, bytes.span().data());
}
bool well_formed(const std::string& field) { return well_formed(std::vector<std::string>{field}); }

}  // namespace

TEST_CASE("ws_extensions: what keeps to the grammar") {
  CHECK(well_formed(std::vector<std::string>{}));
  for (const std::string good :
       {"permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"1\\5\"", "foo;bar=baz, foo;bar", "a ; b = c",
        "a;b=\"c\"", "a;\tb\t=\t\"c\" ,\td", "a;b;b;b", "a, a", "!#$%&'*+-.^_`|~;x=!", "mux; max-channels=4; flow-control",
        "a;b=\"\\c\\d\""}) {
    CAPTURE(good);
    CHECK(well_formed(good));
  }
}

TEST_CASE("ws_extensions: empty elements are passed over, and a list of nothing offers nothing") {
  for (const std::string empty : {"", ",", " , ,\t,", "a,", ",a", "a,,b", ", a ; b , ,"}) {
    CAPTURE(empty);
    CHECK(well_formed(empty));
  }
}

TEST_CASE("ws_extensions: what breaks the grammar") {
  for (const std::string bad :
       {";;;,=", ";", "=", "a;", "a;,b", "a;;b", "a;b=", "a;b=,c", "a;=b", "a=b", "a;b==c", "a;b=c=d", "a b", "a;b c", "a;b=c d",
        "\"a\"", "a;\"b\"", "a;b=\"c", "a;b=\"", "a;b=\"\"", "a;b=\"c d\"", "a;b=\"c,d\"", "a;b=\"c\"d", "a;b=\"c\"\"d\"",
        "a;b=\"c\\", "a;b=\"c\\\"", "a;b=\"\\\"\"", "a;b='c d'", "a/b", "a;b=c/d", "a@", "(a)", "a;b=[c]", "\x80", "a;b=\xC3\xA4",
        "a;b=\"\x80\"", "a, b;", "a,;b", "a;b,=", "a\\b"}) {
    CAPTURE(bad);
    CHECK_FALSE(well_formed(bad));
    CHECK_FALSE(well_formed("permessage-deflate, " + bad));
    CHECK_FALSE(well_formed({"permessage-deflate", bad}));
    CHECK_FALSE(well_formed({bad, "permessage-deflate"}));
  }
}

TEST_CASE("ws_extensions: each byte, as a name, a parameter, a value and within quotes") {
  for (int c = 0x20; c < 256; c++) {
    if (c == 0x7F) continue;  // such a head is no head
    CAPTURE(c);
    const std::string byte(1, static_cast<char>(c));
    const bool token = std::isalnum(c) || std::string("!#$%&'*+-.^_`|~").find(byte) != std::string::npos;
    CHECK(well_formed("a" + byte + "a") == (token || c == ',' || c == ';'));
    CHECK(well_formed("x;a" + byte + "a") == (token || c == ',' || c == ';' || c == '='));
    CHECK(well_formed("x;y=a" + byte + "a") == (token || c == ',' || c == ';'));
    CHECK(well_formed("x;y=\"a" + byte + "a\"") == (token || c == '\\'));
    CHECK(well_formed("x;y=\"\\" + byte + "\"") == token);
  }
}

}  // namespace martlet
