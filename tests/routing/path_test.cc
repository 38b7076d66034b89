// src/routing/path.h: the one spelling of a path, what is refused, and what guards make of it.
#include "routing/path.h"

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "routing/router.h"

using namespace martlet;
using routing::Below;
using routing::below;
using routing::is_unusual;
using routing::judge_path;
using routing::lies_below;

namespace {

// What becomes of a path; nothing when it is refused.
std::optional<std::string> judged(std::string_view path) {
  std::string out(path.size(), '\0');
  size_t size = 0;
  if (!judge_path(path, out.data(), size)) return {};
  REQUIRE(size <= path.size());
  out.resize(size);
  return out;
}

}  // namespace

TEST_CASE("path: escapes of unreserved characters are decoded, the digits of the others are upper case") {
  CHECK(judged("/%68ello") == "/hello");
  CHECK(judged("/%61%62%2d%2e%5f%7e%5A%39") == "/ab-._~Z9");
  CHECK(judged("/caf%c3%a9") == "/caf%C3%A9");
  CHECK(judged("/a%2fb%3f%25") == "/a%2Fb%3F%25");
  CHECK(judged("/a%5cb") == "/a%5Cb");
  CHECK(judged("//a//b/") == "//a//b/");
  CHECK(judged("/...") == "/...");
  CHECK(judged("/.well-known/x.y..z") == "/.well-known/x.y..z");
  CHECK(judged("/..a/b../c") == "/..a/b../c");
  CHECK(judged("/a;../;..;./..%3B/b;x=%2e") == "/a;../;..;./..%3B/b;x=.");  // no segment of these is one of dots
  CHECK(judged("/%2541") == "/%2541");        // decoded once
  CHECK(judged("*") == "*");
}

TEST_CASE("path: dot segments, NUL and what is no escape are refused in any spelling") {
  for (const char* path :
       {"/%", "/%4", "/%zz", "/%4z", "/a%", "/%%41", "/%41%", "/%25%", "/.", "/..", "/./", "/../", "/a/./b", "/a/../b", "/a/..", "/%2e", "/%2E/b", "/.%2e/b", "/%2e%2E", "/a/%2e.", "/a%2f..",
        "/a%2f%2e%2e%2fb", "/a%2F.%2Fb", "/a\\..\\b", "/a%5c..%5Cb", "/..\\b", "/a//..//b", "/%00", "/a%00.html", "/%2e%5cb",
        "/..;/b", "/a/..;x=1/b", "/.;", "/a/%2e%2E;x", "/a/..;x%2fb", "/a;x/../b", "/a;%00", "/a;x%"}) {
    CAPTURE(path);
    CHECK(!judged(path));
    CHECK(is_unusual(path));
  }
}

TEST_CASE("path: what is usual needs no judging, at any place and length") {
  std::mt19937 random(7);
  for (size_t size = 0; size < 70; size++) {
    constexpr std::string_view kUsual = "abz/-_~09:@!$&'()*+,;=\"[]^`{|}<>";
    std::string path(size, 'x');
    for (char& c : path) c = kUsual[random() % kUsual.size()];
    CHECK(!is_unusual(path));
    CHECK(judged(path) == path);
    for (size_t at = 0; at < size; at++) {
      for (const char c : {'%', '.', '\\'}) {
        std::string one = path;
        one[at] = c;
        CAPTURE(one);
        REQUIRE(is_unusual(one));
      }
    }
  }
}

TEST_CASE("path: judging is idempotent, and never longer") {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; round++) {
    std::string path = "/";
    for (uint32_t n = random() % 12; n > 0; n--) {
      const char* pieces[] = {"a", "/", ".", "..", "%2e", "%2f", "%41", "%c3", "%zz", "%", "%0", "\\", "%5c", "%00", "~"};
      path += pieces[random() % 15];
    }
    CAPTURE(path);
    const auto once = judged(path);
    if (once) REQUIRE(judged(*once) == once);
  }
}

TEST_CASE("path: a path lies below a prefix by whole segments, however it is spelled") {
  for (const char* path : {"/admin", "/admin/", "/admin/x", "//admin/x", "/%61dmin", "/admin%2fx", "/admin%2Fx", "///admin///x",
                           "/admin%5cx", "/admin\\x", "\\admin\\x", "/%2fadmin", "/%41dmin", "/admin;", "/admin;x=1/y", "/;x/admin",
                           "/admin;x%2fy", "/;/;x//admin;y;z"}) {
    CAPTURE(path);
    CHECK(lies_below(path, "/admin") == (std::string_view(path) != "/%41dmin"));
  }
  for (const char* path : {"/", "", "*", "/admins", "/adm", "/x/admin", "/Admin", "/admin%20", "/a/dmin", "/admin%3B", "/adm;in", "/x;/admin", "/a;/dmin"}) {
    CAPTURE(path);
    CHECK(!lies_below(path, "/admin"));
  }
  CHECK(lies_below("/caf%C3%A9/x", "/caf\xC3\xA9"));
  CHECK(lies_below("/a//b/c", "/a/b"));
  CHECK(lies_below("/a/b/c", "/a//b/"));
  for (const char* all : {"/", "/%2F", "/\\", "/;x", "//"}) CHECK(lies_below("/a", all));  // whatever "/" is written as
}

TEST_CASE("path: patterns below a prefix: always, never, or to be asked for each request") {
  CHECK(below("/api/x", "/api") == Below::always);
  CHECK(below("/api", "/api") == Below::always);
  CHECK(below("/api/:id", "/api") == Below::always);
  CHECK(below("/apis", "/api") == Below::never);
  CHECK(below("/ap", "/api") == Below::never);
  CHECK(below("/x/*", "/api") == Below::never);
  CHECK(below("/*", "/api") == Below::perhaps);
  CHECK(below("/:a", "/api") == Below::perhaps);
  CHECK(below("/:a/y", "/api/x") == Below::perhaps);  // "/api%2Fx/y" matches it
  CHECK(below("/api/:a", "/api/x/y") == Below::perhaps);
  CHECK(below("//api/x", "/api") == Below::always);
  CHECK(below("/a//:id", "/a/b") == Below::perhaps);  // "/a//b" matches it
  CHECK(below("/a//*", "/a/b") == Below::perhaps);
  CHECK(below("//*", "/a") == Below::perhaps);
  CHECK(below("/a/\\/%5C//:id/x", "/a/b") == Below::perhaps);
  CHECK(below("/;x/:id", "/b") == Below::perhaps);  // "/;x/b" is one of its paths
  CHECK(below("/a;x/b", "/a/b") == Below::always);
  CHECK(below("/a;x", "/a") == Below::always);
  CHECK(below("/b;x", "/a") == Below::never);
  CHECK(below("/a//b", "/a/b") == Below::always);
  CHECK(below("/a//c", "/a/b") == Below::never);
  CHECK(below("/a//:id", "/a") == Below::always);
  CHECK(below("/a:pi", "/a") == Below::never);
  for (const char* any : {"/[a]", "/*rest", "/:a?", "/:a<int>", "/[a<int>]?"}) {
    CAPTURE(any);
    CHECK(below(any, "/api") == Below::perhaps);
    CHECK(below(std::string("/x") + any, "/x/api") == Below::perhaps);
    CHECK(below(std::string("/x") + any, "/x") == Below::always);
    CHECK(below(std::string("/x") + any, "/y") == Below::never);
  }
  CHECK(below("*", "") == Below::always);
  CHECK(below("*", "/api") == Below::never);
}

// What a pattern matches is asked of the router: a guard's answer for the pattern must never be wrong for one of its paths.
TEST_CASE("path: what is said of a pattern holds for every path of it") {
  std::mt19937 random(11);
  const auto join = [&](std::initializer_list<const char*> pieces, uint32_t most) {
    std::string text;
    for (uint32_t n = random() % most + 1; n > 0; n--) text += pieces.begin()[random() % pieces.size()];
    return text;
  };
  const std::string tails[] = {"", "", "", "/*", "/*r", "/[o]", "/:o?", "/:o<alnum>?"};
  int matched = 0, guarded = 0;
  for (int round = 0; round < 40'000; round++) {
    const std::string text = join({"/a", "/b", "/", "/:p", "/;x", "/a;x", "/a%2Fb", "/\\", "/%5C", "a"}, 4) + tails[random() % 8];
    const std::string prefix = join({"/a", "/b", "/", "/;x", "/b;y", "/a%2Fb"}, 3);
    const std::string path = join({"/a", "/b", "/", "/;x", "/a;x", "/a%2Fb", "%2F", "/\\", "/%5C", ";x", "a"}, 5);
    routing::Pattern pattern;
    if (text[0] != '/' || path[0] != '/' || routing::Pattern::parse(text, pattern) != nullptr) continue;
    routing::RouteTree router;
    REQUIRE(router.add(pattern, static_cast<uint8_t>(proto::Method::get), 0).what().empty());
    routing::RouteTree::Match match;
    router.find(path, proto::Method::get, match);
    if (match.route != 0) continue;
    CAPTURE(text);
    CAPTURE(prefix);
    CAPTURE(path);
    matched++;
    guarded += lies_below(path, prefix);
    if (lies_below(path, prefix)) REQUIRE(below(text, prefix) != Below::never);
    else REQUIRE(below(text, prefix) != Below::always);
  }
  CHECK(matched > 500);
  CHECK(guarded > 50);
}
