// Origins as browsers send them, and the tokens of a double submit.
#include "guards/csrf_token.h"
#include "guards/request_origin.h"

#include <doctest/doctest.h>

#include <string>

#include "base/bytes.h"

using namespace martlet;

TEST_CASE("csrf: origins and hosts that are the same, and those that only look so") {
  CHECK(guards::is_of_host("https://a.example", "a.example"));
  CHECK(guards::is_of_host("https://a.example", "A.example:443"));
  CHECK(guards::is_of_host("http://a.example:80", "a.example"));
  CHECK(guards::is_of_host("http://[::1]:3000", "[::1]:3000"));
  CHECK(guards::is_of_host("HTTP://A.EXAMPLE", "a.example"));
  for (const auto& pair : {std::pair{"https://a.example", "b.example"}, {"https://a.example", "a.example:80"}, {"https://a.example:8443", "a.example"},
                                     {"https://a.example.evil.example", "a.example"}, {"https://evil.example/a.example", "a.example"}, {"null", "a.example"},
                                     {"https://", ""}, {"", ""}, {"https://u@a.example", "a.example"}, {"ftp://a.example", "a.example"}, {"https://a.example/", "a.example"},
                                     {"a.example", "a.example"}, {"https://a.example ", "a.example"}, {"https://a.example\\", "a.example\\"}}) {
    CAPTURE(pair.first);
    CHECK_FALSE(guards::is_of_host(pair.first, pair.second));
  }
  CHECK(guards::origin_of_url("https://a.example:1/x?y#z") == "https://a.example:1");
  CHECK(guards::origin_of_url("https://a.example?y") == "https://a.example");
  CHECK(guards::origin_of_url("http://a.example") == "http://a.example");
  CHECK(guards::origin_of_url("about:blank").empty());
  CHECK(guards::origin_of_url("https://").empty());
}

TEST_CASE("csrf: a token is good for whom it was made, with the keys that there are, unchanged") {
  const codec::HmacKey keys[] = {codec::hmac_key(base::as_bytes("a secret of the new one")), codec::hmac_key(base::as_bytes("a secret of the old one"))};
  const std::string token = guards::make_csrf_token(keys[0], "ann");
  CHECK(token.size() == 66);
  CHECK(token != guards::make_csrf_token(keys[0], "ann"));
  CHECK(guards::is_csrf_token(token, "ann", keys));
  CHECK(guards::is_csrf_token(guards::make_csrf_token(keys[1], "ann"), "ann", keys));
  CHECK_FALSE(guards::is_csrf_token(token, "bob", keys));
  CHECK_FALSE(guards::is_csrf_token(token, "", keys));
  CHECK_FALSE(guards::is_csrf_token(token, "ann", std::span(keys).subspan(1)));
  CHECK_FALSE(guards::is_csrf_token(token, "ann", {}));
  CHECK_FALSE(guards::is_csrf_token("", "ann", keys));
  CHECK_FALSE(guards::is_csrf_token(token + "A", "ann", keys));
  for (size_t i = 0; i < token.size(); i++) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(guards::is_csrf_token(changed, "ann", keys));
  }
  // What is signed has the length of whom it belongs to before it.
  CHECK_FALSE(guards::is_csrf_token(token, "an", keys));
}
