// Cookie fields read, Set-Cookie fields written. What a browser makes of the latter is modelled in fuzz/cookie_fuzz.cc.
#include <doctest/doctest.h>

#include <cctype>
#include <string>
#include <vector>

#include "proto/cookie.h"
#include "support/heads.h"

namespace martlet {

namespace {

using namespace std::chrono_literals;
using proto::CookieError;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// "name=value" of each pair, one after the other: "[a=1][=nameless]".
template <typename Pairs>
std::string all_of(Pairs pairs) {
  std::string all;
  for (std::string_view name, value; pairs.next(name, value);) {
    all += "[" + std::string(name) + "=" + std::string(value) + "]";
  }
  return all;
}

std::string pairs_of(std::string_view line) {
  const test::Guarded guarded(line);
  return all_of(proto::CookiePairs(base::as_text(guarded.span())));
}

std::string find(std::string_view line, std::string_view name) {
  const test::Guarded guarded(line);
  const auto value = proto::find_cookie(base::as_text(guarded.span()), name);
  return value ? std::string(*value) : "(none)";
}

std::string decoded(std::string_view value) {
  const test::Guarded guarded(value);
  const test::Guarded room(std::string(value.size(), '#'));
  return std::string(proto::decode_cookie_value(base::as_text(guarded.span()), reinterpret_cast<char*>(room.data())));
}

std::string described(const proto::SetCookie& cookie) {
  if (cookie.error == CookieError::none) return std::string(cookie.text);
  CHECK(cookie.text.empty());
  return "refused: " + std::string(proto::describe(cookie.error));
}

// The room ends where the memory does.
class Room {
 public:
  operator proto::SetCookieRoom() const {
    return proto::SetCookieRoom(reinterpret_cast<char*>(bytes_.data()), proto::kSetCookieBytes);
  }

 private:
  test::Guarded bytes_{std::string(proto::kSetCookieBytes, '#')};
};

std::string set(std::string_view name, std::string_view value, const CookieOptions& options = {}) {
  const Room room;
  return described(proto::encode_set_cookie(name, value, options, room));
}

CookieError error_of(std::string_view name, std::string_view value, const CookieOptions& options = {}) {
  const Room room;
  return proto::encode_set_cookie(name, value, options, room).error;
}

std::string clear(std::string_view name, const CookieOptions& options = {}) {
  const Room room;
  return described(proto::encode_cleared_cookie(name, options, room));
}

}  // namespace

TEST_CASE("cookie: a line is split as browsers join it") {
  using namespace std::string_view_literals;
  const struct {
    std::string_view line;
    std::string_view pairs;
  } cases[] = {
      {"", ""},
      {";", ""},
      {" ;\t; ", ""},
      {"=", ""},
      {" = ; a=1", "[a=1]"},
      {"a=1", "[a=1]"},
      {"a=1; b=2", "[a=1][b=2]"},
      {"a=1;b=2;", "[a=1][b=2]"},
      {"; a=1;; b=2 ;", "[a=1][b=2]"},
      {" \ta\t = \t1 \t;\tb=2\t", "[a=1][b=2]"},
      {"a==1", "[a==1]"},
      {"a=b=c; d", "[a=b=c][=d]"},
      {"a=", "[a=]"},
      {"=v", "[=v]"},
      {"v", "[=v]"},
      {" = v ", "[=v]"},
      {"A=1; a=2; a=3", "[A=1][a=2][a=3]"},
      {"a b=c d", "[a b=c d]"},
      {"a=1, b=2", "[a=1, b=2]"},
      {"a=\"x\"; b=\" y \"", "[a=\"x\"][b=\" y \"]"},
      {"a=\"x; b=y\"; c=\\\"", "[a=\"x][b=y\"][c=\\\"]"},
      {"$Version=1; a=b; $Path=/", "[$Version=1][a=b][$Path=/]"},
      {"a=%3B%20; %61=b", "[a=%3B%20][%61=b]"},
      {"a=\0\x01\r\n\xFF; \xC3\xA4=\x7F"sv, "[a=\0\x01\r\n\xFF][\xC3\xA4=\x7F]"sv},
      {"a=1\v; b=2\xA0", "[a=1\v][b=2\xA0]"},
  };
  for (const auto& c : cases) {
    CAPTURE(std::string(c.line));
    CHECK(pairs_of(c.line) == c.pairs);
  }
}

TEST_CASE("cookie: the first of a name is found, in the same case of letters, and no part of another") {
  const std::string line = "sidx=0; xsid=1; Sid=2; sid=3; sid=4; =sid; \"sid\"=5; other=sid=6; empty=; sid";
  CHECK(find(line, "sid") == "3");
  CHECK(find(line, "Sid") == "2");
  CHECK(find(line, "SID") == "(none)");
  CHECK(find(line, "\"sid\"") == "5");
  CHECK(find(line, "other") == "sid=6");
  CHECK(find(line, "empty") == "");
  CHECK(find(line, "") == "sid");
  CHECK(find("a=1", "") == "(none)");
  CHECK(find("", "a") == "(none)");
  CHECK(find("a", "a") == "(none)");
}

TEST_CASE("cookie: the lines of a head") {
  const auto parsed = [](const std::string& lines) {
    test::ParsedHead p = test::parse_head("GET / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n");
    REQUIRE(p.done());
    return p;
  };
  const auto base = [](const test::ParsedHead& p) { return reinterpret_cast<const uint8_t*>(p.text.data()); };
  const test::ParsedHead some = parsed("COOKIE: a=1; b=2\r\nX: c=3\r\nCookie:\r\nCookie2: d=4\r\ncookie:;\r\ncookie: a=5;e=6 \r\n");
  CHECK(all_of(proto::HeadCookies(some.head, base(some))) == "[a=1][b=2][a=5][e=6]");
  CHECK(proto::find_cookie(some.head, base(some), "a") == "1");
  CHECK(proto::find_cookie(some.head, base(some), "e") == "6");
  CHECK_FALSE(proto::find_cookie(some.head, base(some), "c"));
  CHECK_FALSE(proto::find_cookie(some.head, base(some), "d"));
  const test::ParsedHead none = parsed("X: a=1\r\n");
  CHECK(all_of(proto::HeadCookies(none.head, base(none))) == "");
  CHECK_FALSE(proto::find_cookie(none.head, base(none), "a"));
}

TEST_CASE("cookie: values are decoded, or left as they are when they are not encoded") {
  CHECK(decoded("") == "");
  CHECK(decoded("plain+\"q\"") == "plain+\"q\"");
  CHECK(decoded("a%20b%3B%3d%25") == "a b;=%");
  CHECK(decoded("%e2%82%AC%00%ff") == std::string("\xE2\x82\xAC\0\xFF", 5));
  for (const char* kept : {"50%", "%", "%4", "%4g", "a%20b%", "%u20ac", "%%20"}) {
    CAPTURE(std::string(kept));
    CHECK(decoded(kept) == kept);
  }
  const std::string plain = "abc";
  CHECK(proto::decode_cookie_value(plain, nullptr).data() == plain.data());
}

TEST_CASE("cookie: what is written when nothing is said, and when everything is") {
  CHECK(set("a", "1") == "a=1; Path=/");
  CHECK(set("a", "", {.path = ""}) == "a=");
  CHECK(set("sid", "x", {.http_only = true, .max_age = 1h, .same_site = SameSite::lax, .secure = true}) ==
        "sid=x; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Lax");
  CHECK(set("!#$%&'*+-.^_`|~0aZ", "x", {.domain = "Example-1.com", .expires = sys_seconds(1700000000s), .http_only = true,
                                       .max_age = 5s, .partitioned = true, .path = "/a/b", .priority = CookiePriority::high,
                                       .same_site = SameSite::none, .secure = true}) ==
        "!#$%&'*+-.^_`|~0aZ=x; Max-Age=5; Expires=Tue, 14 Nov 2023 22:13:20 GMT; Domain=Example-1.com; Path=/a/b; HttpOnly; "
        "Secure; Partitioned; Priority=High; SameSite=None");
  CHECK(set("a", "1", {.priority = CookiePriority::low, .same_site = SameSite::strict}) ==
        "a=1; Path=/; Priority=Low; SameSite=Strict");
  CHECK(set("a", "1", {.priority = CookiePriority::medium}) == "a=1; Path=/; Priority=Medium");
}

TEST_CASE("cookie: names are tokens") {
  for (int c = 0; c < 256; c++) {
    const char byte = static_cast<char>(c);
    const bool good = (c < 128 && std::isalnum(c)) || (c && std::string_view("!#$%&'*+-.^_`|~").find(byte) != std::string_view::npos);
    CAPTURE(c);
    CHECK((error_of({&byte, 1}, "1") == CookieError::none) == good);
    CHECK((error_of("a" + std::string(1, byte) + "b", "1") == CookieError::none) == good);
  }
  CHECK(set("", "1") == "refused: the name is not a token");
  CHECK(set("a=b", "1") == "refused: the name is not a token");
}

TEST_CASE("cookie: values are encoded as encodeURIComponent does, byte by byte") {
  const std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
  std::string all;
  for (int c = 0; c < 256; c++) {
    const char byte = static_cast<char>(c);
    const std::string digits = {"0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};
    const std::string wanted = plain.find(byte) != std::string_view::npos ? std::string(1, byte) : "%" + digits;
    CAPTURE(c);
    CHECK(set("a", {&byte, 1}, {.path = {}}) == "a=" + wanted);
    all += byte;
  }
  CHECK(set("a", "\xC3\xBC \xE2\x82\xAC; \"x\", 100%", {.path = ""}) == "a=%C3%BC%20%E2%82%AC%3B%20%22x%22%2C%20100%25");
  const std::string field = set("a", all);
  CHECK(decoded(find(field, "a")) == all);
}

TEST_CASE("cookie: raw values have the bytes that values may have") {
  for (int c = 0; c < 256; c++) {
    const char byte = static_cast<char>(c);
    const bool good = c > ' ' && c < 0x7F && std::string_view("\",;\\").find(byte) == std::string_view::npos;
    const std::string value = "x" + std::string(1, byte) + "y";
    CAPTURE(c);
    CHECK(set("a", value, {.path = "", .raw = true}) ==
          (good ? "a=" + value : "refused: bytes that a value may not have"));
  }
  CHECK(set("a", "", {.raw = true}) == "a=; Path=/");
  CHECK(set("a", "\"x+y\"", {.raw = true}) == "a=\"x+y\"; Path=/");
  CHECK(set("a", "\"\"", {.raw = true}) == "a=\"\"; Path=/");
  for (const char* bad : {"\"", "\"x", "x\"", "\"\"\"", "\"x y\"", "x\"y\"", "a\r\nSet-Cookie: b"}) {
    CAPTURE(std::string(bad));
    CHECK(error_of("a", bad, {.raw = true}) == CookieError::bad_value);
  }
}

TEST_CASE("cookie: paths") {
  for (const char* good : {"", "/", "/a", "/a/b?c=\"d\",%3B", "//"}) {
    CAPTURE(std::string(good));
    CHECK(error_of("a", "1", {.path = good}) == CookieError::none);
  }
  for (const char* bad : {"a", "a/", " /", "/ ", "/a b", "/a;b", "/a; Domain=x", "/\x7F", "/\t", "/\r\nX: y", "/\xC3\xA4"}) {
    CAPTURE(std::string(bad));
    CHECK(error_of("a", "1", {.path = bad}) == CookieError::bad_path);
  }
  CHECK(error_of("a", "1", {.path = std::string_view("/\0", 2)}) == CookieError::bad_path);
  const std::string longest = "/" + std::string(1023, 'p');
  CHECK(error_of("a", "1", {.path = longest}) == CookieError::none);
  CHECK(error_of("a", "1", {.path = longest + "p"}) == CookieError::bad_path);
}

TEST_CASE("cookie: domains") {
  const std::string label(63, 'l');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'l');
  for (const std::string& good : {std::string("localhost"), std::string("example.com"), std::string("a.b-c.D"), std::string("127.0.0.1"),
                                  std::string("1.x"), std::string("xn--bcher-kva.example"), label + ".x", longest}) {
    CAPTURE(good);
    CHECK(set("a", "1", {.domain = good}) == "a=1; Domain=" + good + "; Path=/");
    CHECK(set("a", "1", {.domain = "." + good}) == "a=1; Domain=" + good + "; Path=/");
  }
  for (const std::string& bad : {std::string("."), std::string(".."), std::string("..a"), std::string("a."), std::string("a..b"), std::string("-a"),
                                 std::string("a-.b"), std::string("a_b"), std::string("a b"), std::string("a;b"), std::string("[::1]"),
                                 std::string("a:80"), std::string("b\xC3\xBC""cher.de"), std::string("a\r\n"), label + "l.x", longest + "l"}) {
    CAPTURE(bad);
    CHECK(error_of("a", "1", {.domain = bad}) == CookieError::bad_domain);
  }
}

TEST_CASE("cookie: ages are held between 0 and 400 days") {
  const auto aged = [](seconds age) { return set("a", "1", {.max_age = age, .path = ""}); };
  CHECK(aged(0s) == "a=1; Max-Age=0");
  CHECK(aged(-1s) == "a=1; Max-Age=0");
  CHECK(aged(seconds::min()) == "a=1; Max-Age=0");
  CHECK(aged(1s) == "a=1; Max-Age=1");
  CHECK(aged(24h * 400 - 1s) == "a=1; Max-Age=34559999");
  CHECK(aged(24h * 400) == "a=1; Max-Age=34560000");
  CHECK(aged(24h * 400 + 1s) == "a=1; Max-Age=34560000");
  CHECK(aged(seconds::max()) == "a=1; Max-Age=34560000");
}

TEST_CASE("cookie: dates") {
  using Time = std::chrono::system_clock::time_point;
  const auto dated = [](Time time) { return set("a", "1", {.expires = time, .path = ""}); };
  const struct {
    int64_t at;
    const char* text;
  } cases[] = {
      {-1, "Thu, 01 Jan 1970 00:00:00 GMT"},          {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
      {59, "Thu, 01 Jan 1970 00:00:59 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
      {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},   {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
      {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},  {4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"},
      {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},  {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.at);
    CHECK(dated(sys_seconds(seconds(c.at))) == std::string("a=1; Expires=") + c.text);
  }
  CHECK(dated(Time(1500ms)) == "a=1; Expires=Thu, 01 Jan 1970 00:00:01 GMT");
  CHECK(dated(Time::min()) == "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
  // The last one of the clock, or of the calendar of four digits: a year of four digits in any case.
  CHECK(dated(Time::max()).size() == std::string("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT").size());
}

TEST_CASE("cookie: what prefixes of names, SameSite::none and partitioned ask for") {
  const CookieOptions plain = {};
  const CookieOptions secure = {.secure = true};
  const CookieOptions elsewhere = {.path = "/a", .secure = true};
  const CookieOptions of_domain = {.domain = "example.com", .secure = true};
  const CookieOptions http_secure = {.http_only = true, .secure = true};
  const struct {
    const char* name;
    CookieOptions options;
    CookieError error;
  } cases[] = {
      {"__Secure-a", plain, CookieError::secure_prefix},
      {"__Secure-a", secure, CookieError::none},
      {"__Secure-a", elsewhere, CookieError::none},
      {"__Secure-a", of_domain, CookieError::none},
      {"__sEcUrE-a", plain, CookieError::secure_prefix},
      {"__Secure-", plain, CookieError::secure_prefix},
      {"__Secure", plain, CookieError::none},
      {"a__Secure-", plain, CookieError::none},
      {"_Secure-a", plain, CookieError::none},
      {"__Host-a", plain, CookieError::host_prefix},
      {"__Host-a", secure, CookieError::none},
      {"__HOST-a", plain, CookieError::host_prefix},
      {"__Host-a", elsewhere, CookieError::host_prefix},
      {"__Host-a", {.path = "", .secure = true}, CookieError::host_prefix},
      {"__Host-a", of_domain, CookieError::host_prefix},
      {"__Host-a", {.http_only = true}, CookieError::host_prefix},
      {"__Http-a", secure, CookieError::http_prefix},
      {"__Http-a", {.http_only = true}, CookieError::http_prefix},
      {"__http-a", plain, CookieError::http_prefix},
      {"__Http-a", http_secure, CookieError::none},
      {"__Host-Http-a", secure, CookieError::http_prefix},
      {"__Host-Http-a", {.http_only = true, .path = "/a", .secure = true}, CookieError::host_prefix},
      {"__host-HTTP-a", http_secure, CookieError::none},
      {"a", {.same_site = SameSite::none}, CookieError::same_site_none},
      {"a", {.same_site = SameSite::none, .secure = true}, CookieError::none},
      {"a", {.same_site = SameSite::lax}, CookieError::none},
      {"a", {.partitioned = true}, CookieError::partitioned},
      {"a", {.partitioned = true, .secure = true}, CookieError::none},
  };
  for (const auto& c : cases) {
    CAPTURE(std::string(c.name));
    CHECK(error_of(c.name, "1", c.options) == c.error);
  }
}

TEST_CASE("cookie: 4,096 bytes and no more, attributes and escapes included") {
  const auto fits = [](std::string_view name, std::string_view value, const CookieOptions& options = {}) {
    const CookieError error = error_of(name, value, options);
    CHECK((error == CookieError::none || error == CookieError::too_large));
    return error == CookieError::none;
  };
  const size_t rest = 4096 - std::string("a=; Path=/").size();
  CHECK(set("a", std::string(rest, 'v')).size() == 4096);
  CHECK(fits("a", std::string(rest, 'v')));
  CHECK_FALSE(fits("a", std::string(rest + 1, 'v')));
  CHECK(fits("a", std::string(rest, 'v'), {.raw = true}));
  CHECK_FALSE(fits("a", std::string(rest + 1, 'v'), {.raw = true}));
  CHECK(fits("a", std::string(rest / 3, ' ')));
  CHECK_FALSE(fits("a", std::string(rest / 3 + 1, ' ')));
  CHECK_FALSE(fits("a", std::string(rest, 'v'), {.secure = true}));
  CHECK(fits("a", std::string(rest - 8, 'v'), {.secure = true}));
  CHECK(fits(std::string(rest + 1, 'n'), ""));
  CHECK_FALSE(fits(std::string(rest + 2, 'n'), ""));
  CHECK_FALSE(fits("a", std::string(5000000, ' ')));
  CHECK_FALSE(fits(std::string(5000000, 'n'), "a"));
  // Each attribute at the end of the room.
  const CookieOptions all = {.domain = "example.com", .expires = sys_seconds(0s), .http_only = true, .max_age = 5s, .partitioned = true,
                             .path = "/a/b", .priority = CookiePriority::high, .same_site = SameSite::none, .secure = true};
  for (size_t size = 3800; size < 4200; size++) CHECK(fits("a", std::string(size, 'v'), all) == (size + set("a", "", all).size() <= 4096));
}

TEST_CASE("cookie: clearing one") {
  CHECK(clear("a") == "a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/");
  CHECK(clear("a", {.domain = "x.y", .expires = sys_seconds(1s), .http_only = true, .max_age = 1h, .path = "/b",
                    .same_site = SameSite::none, .secure = true}) ==
        "a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=x.y; Path=/b; HttpOnly; Secure; SameSite=None");
  CHECK(clear("__Host-a") == "__Host-a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure");
  CHECK(clear("__Secure-a") == "__Secure-a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure");
  CHECK(clear("__Http-a") == "__Http-a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure");
  CHECK(clear("__host-http-a") == "__host-http-a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure");
  CHECK(clear("a b") == "refused: the name is not a token");
  CHECK(clear("__Host-a", {.path = "/b"}) == "refused: __Host- needs secure, the path / and no domain");
  CHECK(clear("a", {.partitioned = true}) == "refused: partitioned needs secure");
}

}  // namespace martlet
