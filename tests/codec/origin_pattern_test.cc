// Patterns of origins: what a pattern means, and which patterns are none.
#include "codec/origin_pattern.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using martlet::codec::is_origin;
using martlet::codec::wrong_origin;

TEST_CASE("origins: without a star, compared without case") {
  CHECK(is_origin("https://a.example", "https://a.example"));
  CHECK(is_origin("https://A.example", "HTTPS://a.EXAMPLE"));
  CHECK(is_origin("http://[::1]:3000", "http://[::1]:3000"));
  CHECK(is_origin("null", "null"));
  for (const char* other : {"http://a.example", "https://a.example:8443", "https://a.example/", "https://a.exampl", "https://a.example.evil.org",
                            "https://x.a.example", "null", "", "a.example", "https", "https:/", "https://"}) {
    CAPTURE(other);
    CHECK_FALSE(is_origin("https://a.example", other));
    CHECK(is_origin("*", other));
  }
  CHECK_FALSE(is_origin("null", ""));
  CHECK_FALSE(is_origin("null", "https://null"));
}

TEST_CASE("origins: a star before the host is one label or more, and nothing else") {
  const std::string_view pattern = "https://*.a.example";
  for (const char* good : {"https://x.a.example", "https://X.y.A.example", "https://x-1_2.a.example", "https://a.example.a.example"}) {
    CAPTURE(good);
    CHECK(is_origin(pattern, good));
  }
  for (const char* bad : {"https://a.example", "https://.a.example", "https://x..a.example", "https://.x.a.example", "https://xa.example",
                          "https://evil-a.example", "http://x.a.example", "https://x.a.example:8443", "https://x.a.example.evil.org",
                          "https://evil.org/.a.example", "https://evil.org#.a.example", "https://evil.org?x.a.example",
                          "https://evil.org\\.a.example", "https://me@x.a.example", "https://evil.org:1.a.example", "https://x y.a.example",
                          "https://*.a.example", "https://x%2e.a.example", "https://\x80.a.example", "null", ""}) {
    CAPTURE(bad);
    CHECK_FALSE(is_origin(pattern, bad));
  }
  CHECK(is_origin("https://*.a.example:8443", "https://x.a.example:8443"));
  CHECK_FALSE(is_origin("https://*.a.example:8443", "https://x.a.example"));
}

TEST_CASE("origins: a star as the port is any, and the scheme's own") {
  const std::string_view pattern = "http://localhost:*";
  for (const char* good : {"http://localhost", "http://localhost:1", "http://LOCALHOST:65535"}) {
    CAPTURE(good);
    CHECK(is_origin(pattern, good));
  }
  for (const char* bad : {"https://localhost:3000", "http://localhost:", "http://localhost:x", "http://localhost:30x", "http://localhost:1:2",
                          "http://localhost.evil.org:80", "http://localhost:80.evil.org", "http://localhost:80/", "http://localhostx"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_origin(pattern, bad));
  }
  CHECK(is_origin("http://[::1]:*", "http://[::1]:5173"));
  CHECK(is_origin("http://[::1]:*", "http://[::1]"));
  CHECK(is_origin("https://*.a.example:*", "https://x.a.example:8443"));
  CHECK(is_origin("https://*.a.example:*", "https://x.a.example"));
  CHECK_FALSE(is_origin("https://*.a.example:*", "https://a.example:8443"));
}

TEST_CASE("origins: what is none, and a star in another place, is a mistake") {
  for (const char* good : {"*", "null", "https://a.example", "http://localhost:3000", "http://localhost:*", "https://*.a.example", "https://*.a.example:*",
                           "chrome-extension://abcdef", "file://", "http://[::1]:*"}) {
    CAPTURE(good);
    CHECK(wrong_origin(good) == nullptr);
  }
  for (const char* bad : {"", "a.example", "*.a.example", "https://*", "https://*.", "https://*:*", "https://a.*", "https://a*.example", "https://*a.example",
                          "https://x.*.example", "https://*.*.example", "*://a.example", "http*://a.example", "http://a.example:80*", "http://a.example:**",
                          "https://a.example/", "https://a.example/path", "https://a.example ", "https://me@a.example", "**", "https:/a.example"}) {
    CAPTURE(bad);
    CHECK(wrong_origin(bad) != nullptr);
  }
}
