// src/routing/router.h: which route a path goes to, against the header's rules and against a naive router on random routes.
#include "routing/router.h"

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using routing::kAnyMethod;
using routing::Pattern;
using routing::Router;
using proto::Method;

namespace {

struct Route {
  std::string text;
  uint8_t method;
};

constexpr uint8_t number(Method method) { return static_cast<uint8_t>(method); }

struct Routed : Router {
  explicit Routed(const std::vector<Route>& routes) {
    for (uint32_t i = 0; i < routes.size(); i++) {
      Pattern pattern;
      REQUIRE(Pattern::parse(routes[i].text, pattern) == nullptr);
      add(pattern, routes[i].method, i);
    }
  }
};

struct Found {
  uint32_t route;
  std::vector<std::string> values;
  friend bool operator==(const Found&, const Found&) = default;
};

Found find(const Router& router, std::string_view path, Method method = Method::get) {
  Router::Match match;
  router.find(path, method, match);
  Found found{match.route, {}};
  for (int i = 0; match.route != Router::kNotFound && i < match.param_count; i++) {
    found.values.emplace_back(match.values[i].data, match.values[i].size);
  }
  return found;
}

const Found kNowhere{Router::kNotFound, {}};

std::vector<Route> gets(const std::vector<std::string>& patterns) {
  std::vector<Route> routes;
  for (const std::string& pattern : patterns) routes.push_back({pattern, number(Method::get)});
  return routes;
}

}  // namespace

TEST_CASE("router: static segments win over parameters, parameters over the wildcard, whatever the order") {
  const Routed router(gets({"/*", "/:a", "/a", "/:a/b", "/a/:b", "/a/*", "/:a/:b", "/a/b/c"}));
  CHECK(find(router, "/a") == Found{2, {}});
  CHECK(find(router, "/x") == Found{1, {"x"}});
  CHECK(find(router, "/a/b") == Found{4, {"b"}});
  CHECK(find(router, "/x/b") == Found{3, {"x"}});
  CHECK(find(router, "/x/y") == Found{6, {"x", "y"}});
  CHECK(find(router, "/a/b/c") == Found{7, {}});
  CHECK(find(router, "/a/b/d") == Found{5, {"b/d"}});
  CHECK(find(router, "/x/y/z") == Found{0, {"x/y/z"}});
  CHECK(find(router, "/") == Found{0, {""}});
}

TEST_CASE("router: it turns back where a static segment leads nowhere") {
  const Routed router(gets({"/a/b/c", "/:x/b/d", "/a/:y/e", "/*"}));
  CHECK(find(router, "/a/b/d") == Found{1, {"a"}});
  CHECK(find(router, "/a/b/e") == Found{2, {"b"}});
  CHECK(find(router, "/a/b/f") == Found{3, {"a/b/f"}});
}

TEST_CASE("router: a path counts as sent: case, trailing slash, empty segments, encoding") {
  const Routed router(gets({"/", "/a", "/a/", "/b/:x", "/c/*", "/d//e"}));
  CHECK(find(router, "/") == Found{0, {}});
  CHECK(find(router, "/a") == Found{1, {}});
  CHECK(find(router, "/a/") == Found{2, {}});
  CHECK(find(router, "/A") == kNowhere);
  CHECK(find(router, "/%61") == kNowhere);
  CHECK(find(router, "//a") == kNowhere);
  CHECK(find(router, "/b/") == kNowhere);
  CHECK(find(router, "/b/%20") == Found{3, {"%20"}});
  CHECK(find(router, "/b/x/") == kNowhere);
  CHECK(find(router, "/c") == kNowhere);
  CHECK(find(router, "/c/") == Found{4, {""}});
  CHECK(find(router, "/c/x/") == Found{4, {"x/"}});
  CHECK(find(router, "/c//x") == Found{4, {"/x"}});
  CHECK(find(router, "/d//e") == Found{5, {}});
  CHECK(find(router, "/d/e") == kNowhere);
  CHECK(find(router, "") == kNowhere);
  CHECK(find(router, "*") == kNowhere);
  CHECK(find(router, "a") == kNowhere);
}

TEST_CASE("router: among equals the first registered that takes the method; HEAD goes where GET goes") {
  const Routed router(std::vector<Route>{{"/a", number(Method::post)},
                                     {"/a", number(Method::get)},
                                     {"/a", kAnyMethod},
                                     {"/a", number(Method::put)},
                                     {"/b", number(Method::get)},
                                     {"/b", number(Method::head)},
                                     {"/:x", number(Method::del)},
                                     {"/c", number(Method::post)}});
  CHECK(find(router, "/a", Method::post).route == 0);
  CHECK(find(router, "/a", Method::get).route == 1);
  CHECK(find(router, "/a", Method::put).route == 2);
  CHECK(find(router, "/b", Method::head).route == 5);
  CHECK(find(router, "/b", Method::get).route == 4);
  CHECK(find(router, "/b", Method::del) == Found{6, {"b"}});
  CHECK(find(router, "/c", Method::head) == kNowhere);
  CHECK(find(router, "/c", Method::get) == kNowhere);
}

TEST_CASE("router: long and alike paths are told apart, and many of them") {
  std::vector<std::string> patterns;
  for (int i = 0; i < 2000; i++) patterns.push_back(std::string("/the/same/beginning/").append(std::to_string(i)).append("/and/the/same/end"));
  for (int i = 0; i < 40; i++) patterns.push_back(std::string("/").append(static_cast<size_t>(i) + 1, 'x'));
  const Routed router(gets(patterns));
  for (uint32_t i = 0; i < patterns.size(); i++) CHECK(find(router, patterns[i]) == Found{i, {}});
  CHECK(find(router, "/the/same/beginning/2000/and/the/same/end") == kNowhere);
  CHECK(find(router, std::string("/").append(41, 'x')) == kNowhere);
}

TEST_CASE("router: sixteen parameters, and a path much deeper than any pattern") {
  std::string pattern;
  std::string path;
  std::vector<std::string> values;
  for (int i = 0; i < 16; i++) {
    pattern += "/:p" + std::to_string(i);
    values.push_back("v" + std::to_string(i));
    path += "/" + values.back();
  }
  const Routed router(gets({pattern}));
  CHECK(find(router, path) == Found{0, values});
  CHECK(find(router, path + "/more") == kNowhere);
  std::string deep;
  for (int i = 0; i < 10'000; i++) deep += "/x";
  CHECK(find(router, deep) == kNowhere);
}

TEST_CASE("router: the methods of a path are those of all patterns that match it") {
  const Routed router(std::vector<Route>{{"/a", number(Method::get)}, {"/a", number(Method::post)}, {"/:x", number(Method::del)},
                                         {"/b/*", number(Method::put)}, {"/any", kAnyMethod}, {"*", number(Method::options)}});
  const auto bit = [](Method method) { return uint32_t{1} << number(method); };
  CHECK(router.methods_of("/a") == (bit(Method::get) | bit(Method::post) | bit(Method::del)));
  CHECK(router.methods_of("/c") == bit(Method::del));
  CHECK(router.methods_of("/b/") == bit(Method::put));
  CHECK(router.methods_of("/b/c/d") == bit(Method::put));
  CHECK(router.methods_of("/any") == ~uint32_t{0});
  CHECK(router.methods_of("*") == bit(Method::options));
  for (const char* none : {"/", "/a/", "/c/d", "", "a"}) {
    CAPTURE(none);
    CHECK(router.methods_of(none) == 0);
  }
}

TEST_CASE("router: a pattern's letters are encoded as a request must send them") {
  Pattern pattern;
  REQUIRE(Pattern::parse("/caf\xC3\xA9/%7euser/%c3%a9/:\xC3\xA9", pattern) == nullptr);
  CHECK(pattern.text == "/caf%C3%A9/~user/%C3%A9/:%C3%A9");
  CHECK(pattern.params == std::vector<std::string>{"\xC3\xA9"});
  for (const char* bad : {"/a/../b", "/a/.", "/%2e%2e/x", "/a%00"}) {
    CAPTURE(bad);
    CHECK(Pattern::parse(bad, pattern) != nullptr);
  }
}

TEST_CASE("router: patterns that are mistakes") {
  Pattern pattern;
  for (const char* bad : {"", "a", "**", "*/", "/a?b", "/a#b", "/a b", "/*/a", "/:", "/a/:/b", "/:a/:a", "/*x/*/"}) {
    CAPTURE(bad);
    CHECK(Pattern::parse(bad, pattern) != nullptr);
  }
  std::string many;
  for (int i = 0; i < 17; i++) many += "/:p" + std::to_string(i);
  CHECK(Pattern::parse(many, pattern) != nullptr);
  for (const char* good : {"/", "//", "*", "/a", "/:a", "/:a/b/:c/*", "/*", "/a*", "/a:b", "/*x"}) {
    CAPTURE(good);
    CHECK(Pattern::parse(good, pattern) == nullptr);
    CHECK(pattern.text == good);
  }
  REQUIRE(Pattern::parse("/:a/b/:long_name/*", pattern) == nullptr);
  CHECK(pattern.params == std::vector<std::string>{"a", "long_name", "*"});
}

namespace {

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  for (const char c : path) {
    if (c == '/') segments.emplace_back();
    else segments.back() += c;
  }
  return segments;
}

// The rank of each segment of a pattern for this path (0 static, 1 parameter, 2 wildcard), or nothing.
std::optional<std::string> rank(std::string_view pattern, std::string_view path, std::vector<std::string>& values) {
  const std::vector<std::string> want = segments_of(pattern);
  const std::vector<std::string> have = segments_of(path);
  std::string ranks;
  values.clear();
  for (size_t i = 0; i < want.size(); i++) {
    if (want[i] == "*") {
      if (i >= have.size()) return {};
      std::string rest = have[i];
      for (size_t j = i + 1; j < have.size(); j++) rest += "/" + have[j];
      values.push_back(rest);
      return ranks + '2';
    }
    if (i >= have.size()) return {};
    if (want[i].starts_with(':') ? have[i].empty() : want[i] != have[i]) return {};
    if (want[i].starts_with(':')) values.push_back(have[i]);
    ranks += want[i].starts_with(':') ? '1' : '0';
  }
  if (have.size() != want.size()) return {};
  return ranks;
}

Found naive(const std::vector<Route>& routes, std::string_view path, Method method) {
  Found best = kNowhere;
  std::string best_rank = "9";
  for (uint32_t i = 0; i < routes.size(); i++) {
    std::vector<std::string> values;
    if (routes[i].method != number(method) && routes[i].method != kAnyMethod) continue;
    const auto r = rank(routes[i].text, path, values);
    if (r && *r < best_rank) {
      best_rank = *r;
      best = {i, values};
    }
  }
  return best;
}

}  // namespace

TEST_CASE("router: random routes and paths against a naive router") {
  std::mt19937 random(1);
  const char* names[] = {"a", "b", "ab", "", ":x", ":y", "*"};
  for (int round = 0; round < 300; round++) {
    std::vector<Route> routes;
    for (uint32_t n = 1 + random() % 12; n > 0; n--) {
      std::string text;
      for (uint32_t depth = 1 + random() % 4; depth > 0; depth--) {
        std::string name = names[random() % 7];
        if (name.starts_with(':')) name += std::to_string(depth);
        text += "/" + name;
        if (name == "*") break;
      }
      const uint8_t methods[] = {number(Method::get), number(Method::post), kAnyMethod};
      routes.push_back({text, methods[random() % 3]});
    }
    const Routed router(routes);
    for (int i = 0; i < 60; i++) {
      std::string path;
      for (uint32_t depth = 1 + random() % 5; depth > 0; depth--) path += "/" + std::string(names[random() % 4]);
      const Method method = random() % 2 ? Method::get : Method::post;
      CAPTURE(path);
      REQUIRE(find(router, path, method) == naive(routes, path, method));
    }
  }
}

TEST_CASE("router: the target of OPTIONS * is no path") {
  const Routed paths({{"/*", kAnyMethod}});
  CHECK(find(paths, "*", Method::options) == kNowhere);
  const Routed both({{"/*", kAnyMethod}, {"*", number(Method::options)}});
  CHECK(find(both, "*", Method::options) == Found{1, {}});
  CHECK(find(both, "*", Method::get) == kNowhere);
  CHECK(find(both, "/x", Method::options) == Found{0, {"x"}});
}
