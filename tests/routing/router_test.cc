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
using routing::RouteTree;
using proto::Method;

namespace {

struct Route {
  std::string text;
  uint8_t method;
};

constexpr uint8_t number(Method method) { return static_cast<uint8_t>(method); }

struct Routed : RouteTree {
  Routed() = default;
  explicit Routed(const std::vector<Route>& routes, const routing::Constraints* constraints = nullptr) { add_all(routes, constraints); }
  void add_all(const std::vector<Route>& routes, const routing::Constraints* constraints = nullptr) {
    for (uint32_t i = 0; i < routes.size(); i++) {
      Pattern pattern;
      REQUIRE(Pattern::parse(routes[i].text, pattern, constraints) == nullptr);
      REQUIRE(add(pattern, routes[i].method, i).what() == "");
    }
  }
};

struct Found {
  uint32_t route;
  std::vector<std::string> values;
  friend bool operator==(const Found&, const Found&) = default;
};

Found find(const RouteTree& router, std::string_view path, Method method = Method::get) {
  RouteTree::Match match;
  router.find(path, method, match);
  Found found{match.route, {}};
  for (int i = 0; match.route != RouteTree::kNotFound && i < match.param_count; i++) {
    found.values.emplace_back(match.values[i].data, match.values[i].size);
  }
  return found;
}

const Found kNowhere{RouteTree::kNotFound, {}};

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

TEST_CASE("router: constraints come before other parameters, in order; the rest is tried when they say no") {
  routing::Constraints own;
  int asked = 0;
  REQUIRE(own.add("even", routing::Constraints::predicate_of([&](std::string_view text) {
    asked++;
    return !text.empty() && (text.back() - '0') % 2 == 0;
  })) == nullptr);
  const Routed router(gets({"/u/*", "/u/:any", "/u/:n<even>", "/u/:n<int>", "/u/:n<int>/x", "/u/7", "/u/:s<slug>/:t<even>"}), &own);
  CHECK(find(router, "/u/7") == Found{5, {}});
  CHECK(asked == 0);
  CHECK(find(router, "/u/8") == Found{2, {"8"}});
  CHECK(find(router, "/u/9") == Found{3, {"9"}});
  CHECK(find(router, "/u/a") == Found{1, {"a"}});
  CHECK(find(router, "/u/8/x") == Found{4, {"8"}});
  CHECK(find(router, "/u/a-b/4") == Found{6, {"a-b", "4"}});
  CHECK(find(router, "/u/a-b/5") == Found{0, {"a-b/5"}});
  CHECK(find(router, "/u/") == Found{0, {""}});
}

TEST_CASE("router: an optional parameter, brackets, a wildcard with a name") {
  const Routed router(gets({"/files/:name?", "/:top?", "/room/[roomId]", "/n/:id<int>?", "/static/*rest", "/deep/:a/:b?"}));
  CHECK(find(router, "/files") == Found{0, {}});
  CHECK(find(router, "/files/x") == Found{0, {"x"}});
  CHECK(find(router, "/files/") == kNowhere);
  CHECK(find(router, "/files/x/y") == kNowhere);
  CHECK(find(router, "/") == Found{1, {}});
  CHECK(find(router, "/x") == Found{1, {"x"}});
  CHECK(find(router, "/room/7") == Found{2, {"7"}});
  CHECK(find(router, "/n") == Found{3, {}});
  CHECK(find(router, "/n/-5") == Found{3, {"-5"}});
  CHECK(find(router, "/n/x") == kNowhere);
  CHECK(find(router, "/static/") == Found{4, {"", ""}});
  CHECK(find(router, "/static/a/b") == Found{4, {"a/b", "a/b"}});  // "rest" and "*"
  CHECK(find(router, "/static") == Found{1, {"static"}});
  CHECK(find(router, "/deep/1") == Found{5, {"1"}});
  CHECK(find(router, "/deep/1/2") == Found{5, {"1", "2"}});
}

TEST_CASE("router: the methods of a path, with constraints, optional parameters and wildcards") {
  const Routed router(std::vector<Route>{{"/a/:x<int>", number(Method::get)}, {"/a/:x", number(Method::put)}, {"/a/:x?", number(Method::post)},
                                         {"/b/*rest", number(Method::del)}, {"/b/c/", number(Method::get)}});
  const auto bit = [](Method method) { return uint32_t{1} << number(method); };
  CHECK(router.methods_of("/a/1") == (bit(Method::get) | bit(Method::put) | bit(Method::post)));
  CHECK(router.methods_of("/a/x") == (bit(Method::put) | bit(Method::post)));
  CHECK(router.methods_of("/a") == bit(Method::post));
  CHECK(router.methods_of("/b/") == bit(Method::del));
  CHECK(router.methods_of("/b/c/") == (bit(Method::del) | bit(Method::get)));
  CHECK(router.methods_of("/b") == 0);
}

TEST_CASE("router: two routes of a method for the same paths are a mistake, which names the first and what to write") {
  struct Case {
    const char* first;
    const char* second;
    const char* says;  // nothing: both may be there
  };
  const Case cases[] = {
      {"/a/:x", "/a/:y", "GET \"/a/:x\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)"},
      {"/a/:x", "/a/[y]", "GET \"/a/:x\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)"},
      {"/caf\xC3\xA9", "/caf%c3%a9", "GET \"/caf\xC3\xA9\" takes the same paths and was registered first: write one route with both handlers"},
      {"/ab", "/a%62", "GET \"/ab\" takes the same paths and was registered first: write one route with both handlers"},
      {"/a/*", "/a/*rest", "GET \"/a/*\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)"},
      {"/a/:x/b", "/a/:y/b", "GET \"/a/:x/b\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)"},
      {"/a/:x<int>", "/a/:y<int>", "GET \"/a/:x<int>\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)"},
      {"/f", "/f/:x?", "GET \"/f\" takes the same paths and was registered first: write \"/f/:x\""},
      {"/f/:y", "/f/:x?", "GET \"/f/:y\" takes the same paths and was registered first: write \"/f\""},
      {"/f/:x?", "/f", "GET \"/f/:x?\" takes the same paths and was registered first: write \"/f/:x\" there"},
      {"/f/:x?", "/f/:y", "GET \"/f/:x?\" takes the same paths and was registered first: write \"/f\" there"},
      {"/", "/:x?", "GET \"/\" takes the same paths and was registered first: write \"/:x\""},
      {"/:y", "/:x?", "GET \"/:y\" takes the same paths and was registered first: write \"/\""},
      {"/f/:x?", "/f/:y?", "GET \"/f/:x?\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)"},
      {"*", "*", "GET \"*\" takes the same paths and was registered first: write one route with both handlers"},
      {"/a/:x<int>", "/a/:x", ""}, {"/a/:x<int>", "/a/:x<slug>", ""}, {"/a/:x", "/a/*", ""}, {"/a", "/a/", ""}, {"/a/:x<int>?", "/a/:x", ""},
      {"/a", "/A", ""}, {"/a/:x", "/:a/x", ""}, {"/a", "//a", ""}, {"/*", "/:x?", ""}, {"/%2F", "//", ""}, {"/a/:x/b", "/a/:y", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(c.first));
    CAPTURE(std::string(c.second));
    const std::string first = c.first;
    Routed router(gets({first}));
    Pattern pattern;
    REQUIRE(Pattern::parse(c.second, pattern) == nullptr);
    CHECK(router.add(pattern, number(Method::post), 1).what() == "");
    CHECK(router.add(pattern, number(Method::get), 2).what() == c.says);
    std::vector<std::string> all;
    router.each_route([&](uint8_t, std::string_view written, uint32_t) { all.emplace_back(written); });
    CHECK(all == (*c.says ? std::vector<std::string>{c.first, c.second} : std::vector<std::string>{c.first, c.second, c.second}));
    if (first.find_first_of(":*", 1) == std::string::npos) CHECK(find(router, first == "/caf\xC3\xA9" ? "/caf%C3%A9" : first).route == 0);
  }
}

TEST_CASE("router: methods of their own beside one for all are no mistake, two for all are") {
  Routed router(std::vector<Route>{{"/a", kAnyMethod}, {"/a", number(Method::get)}, {"/a", number(Method::head)}});
  Pattern pattern;
  REQUIRE(Pattern::parse("/a", pattern) == nullptr);
  CHECK(router.add(pattern, kAnyMethod, 3).what() == "all \"/a\" takes the same paths and was registered first: write one route with both handlers");
  CHECK(find(router, "/a").route == 0);
  CHECK(find(router, "/a", Method::head).route == 2);
  std::string all;
  router.each_route([&](uint8_t method, std::string_view written, uint32_t route) {
    all += std::to_string(method) + std::string(written) + std::to_string(route) + " ";
  });
  CHECK(all == "255/a0 0/a1 1/a2 ");
}

TEST_CASE("router: whether a path would be found with a slash more, or less") {
  const Routed router(gets({"/a", "/b/", "/c/*", "/d/:x", "/e/:x/", "/f/:x?", "/g/:n<int>/", "/"}));
  const auto other = [&](std::string_view path, Method method = Method::get) { return router.finds_other_slash(path, method); };
  for (const char* path : {"/a/", "/b", "/c", "/d/x/", "/e/x", "/f/", "/f/x/", "/g/7"}) {
    CAPTURE(std::string(path));
    CHECK(find(router, path) == kNowhere);
    CHECK(other(path));
    CHECK(other(path, Method::head));
    CHECK(!other(path, Method::post));
  }
  for (const char* path : {"/x", "/x/", "/a//", "/d", "/d/", "/e", "/e/", "/g/x", "", "*", "a", "/b///", "//"}) {
    CAPTURE(std::string(path));
    CHECK(!other(path));
  }
  const Routed hosts(gets({"//evil", "//evil/x/", "/\\evil", "//:host"}));  // a Location of these leads elsewhere
  for (const char* path : {"//evil/", "//evil/x", "/\\evil/", "//h/"}) {
    CAPTURE(std::string(path));
    CHECK(!hosts.finds_other_slash(path, Method::get));
  }
}

TEST_CASE("router: where a slash at the end makes no difference") {
  Routed router;
  router.ignore_trailing_slash();
  router.add_all(gets({"/a", "/b/", "/c/*", "/c", "/d/*r", "/e/:x?", "/*", "/"}));
  const std::pair<const char*, Found> cases[] = {
      {"/a", {0, {}}}, {"/a/", {0, {}}}, {"/b", {1, {}}}, {"/b/", {1, {}}}, {"/c", {3, {}}}, {"/c/", {3, {}}}, {"/c/x", {2, {"x"}}},
      {"/c/x/", {2, {"x/"}}}, {"/d", {4, {"", ""}}}, {"/d/", {4, {"", ""}}}, {"/e", {5, {}}}, {"/e/", {5, {}}}, {"/e/1", {5, {"1"}}},
      {"/e/1/", {5, {"1"}}}, {"/", {7, {}}}, {"//", {6, {"/"}}}, {"/a//", {6, {"a//"}}}};
  for (const auto& c : cases) {
    CAPTURE(std::string(c.first));
    CHECK(find(router, c.first) == c.second);
    CHECK(router.methods_of(c.first) == 1u << number(Method::get));
  }
  Routed doubled;
  doubled.ignore_trailing_slash();
  doubled.add_all(gets({"/:a//*"}));
  CHECK(find(doubled, "/h/") == Found{0, {"h", ""}});
  CHECK(find(doubled, "/h") == kNowhere);
  CHECK(doubled.finds_other_slash("/h", Method::get));
  Pattern pattern;
  REQUIRE(Pattern::parse("/a/", pattern) == nullptr);
  CHECK(router.add(pattern, number(Method::get), 9).what() == "GET \"/a\" takes the same paths and was registered first: write one route with both handlers");
}

// Every node of these stands below one parent: 2 to the power of the depth of them, each seen once. The constraint counts.
TEST_CASE("router: patterns that make it turn back everywhere cost a visit to each node, not more") {
  constexpr size_t kDepth = 10;
  routing::Constraints own;
  size_t asked = 0;
  REQUIRE(own.add("c", routing::Constraints::predicate_of([&](std::string_view) { return ++asked > 0; })) == nullptr);
  std::vector<std::string> patterns;
  for (size_t bits = 0; bits < 1u << kDepth; bits++) {
    std::string text;
    for (size_t i = 0; i < kDepth; i++) text += (bits >> i & 1) ? "/:p" + std::to_string(i) + "<c>" : "/a";
    patterns.push_back(text + "/end");
  }
  const Routed router(gets(patterns), &own);
  std::string path;
  for (size_t i = 0; i < kDepth; i++) path += "/a";
  CHECK(find(router, path + "/no") == kNowhere);
  CHECK(asked == (1u << kDepth) - 1);  // the inner nodes
  CHECK(router.methods_of(path + "/no") == 0);
  CHECK(asked == 2 * ((1u << kDepth) - 1));
  CHECK(find(router, path + "/end") == Found{0, {}});
}

namespace {

// A pattern in its forms, each a list of segments, in plain words.
struct Form {
  std::vector<std::string> want;  // a text, ":", ":<name>", "*"
  size_t names = 1;               // of the wildcard
};

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  for (const char c : path) {
    if (c == '/') segments.emplace_back();
    else segments.back() += c;
  }
  return segments;
}

std::vector<Form> forms_of(std::string_view pattern, bool ignores_slash) {
  Form form;
  const bool optional = pattern.ends_with('?');
  for (std::string segment : segments_of(optional ? pattern.substr(0, pattern.size() - 1) : pattern)) {
    if (segment.starts_with('*')) form.names = segment.size() > 1 ? 2 : 1;
    if (segment.starts_with('*')) segment = "*";
    if (segment.starts_with(':')) segment = segment.find('<') == std::string::npos ? ":" : ":" + segment.substr(segment.find('<'));
    form.want.push_back(segment);
  }
  std::vector<Form> forms{form};
  if (optional) {
    form.want.pop_back();
    if (form.want.empty()) form.want.push_back("");
    forms.push_back(form);
  }
  for (size_t n = ignores_slash ? forms.size() : 0; n > 0; n--) {
    Form other = forms[n - 1];
    if (other.want.back() == "*" || other.want == std::vector<std::string>{""}) continue;
    if (other.want.back().empty()) other.want.pop_back();
    else other.want.emplace_back();
    forms.push_back(other);
  }
  return forms;
}

std::string text_of(const std::vector<std::string>& want, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; i++) text += "/" + want[i];
  return text;
}

struct Naive {
  explicit Naive(bool ignores) : ignores_slash(ignores) {}
  void add(const Route& route) {
    routes.push_back(route);
    forms.push_back(forms_of(route.text, ignores_slash));
  }

  bool ignores_slash;
  std::vector<Route> routes;
  std::vector<std::vector<Form>> forms;  // of each route

  // Of all forms that have this constraint at this place, the number of the first.
  size_t first_with(const Form& form, size_t size) const {
    for (size_t i = 0; i < routes.size(); i++) {
      for (const Form& other : forms[i]) {
        if (other.want.size() >= size && text_of(other.want, size) == text_of(form.want, size)) return i;
      }
    }
    return routes.size();
  }

  bool conflicts(const Route& route) const {
    const std::vector<Form> of_route = forms_of(route.text, ignores_slash);
    for (size_t i = 0; i < routes.size(); i++) {
      if (routes[i].method != route.method) continue;
      for (const Form& a : forms[i]) {
        for (const Form& b : of_route) {
          if (a.want == b.want) return true;
        }
      }
    }
    return false;
  }

  // The rank of each segment of a form for this path, or nothing.
  std::optional<std::string> rank(const Form& form, const std::vector<std::string>& have, std::vector<std::string>& values) const {
    std::string ranks;
    values.clear();
    for (size_t i = 0; i < form.want.size(); i++) {
      const std::string& want = form.want[i];
      if (want == "*") {
        if (i > have.size() || (i == have.size() && !ignores_slash)) return {};
        std::string rest;
        for (size_t j = i; j < have.size(); j++) rest += (j > i ? "/" : "") + have[j];
        values.insert(values.end(), form.names, rest);
        return ranks + '3';
      }
      if (i >= have.size()) return {};
      if (!want.starts_with(':') && want != have[i]) return {};
      if (want.starts_with(':') && have[i].empty()) return {};
      if (want == ":<int>" && have[i].find_first_not_of("0123456789") != std::string::npos) return {};
      if (want == ":<alnum>" && have[i].find('-') != std::string::npos) return {};
      if (want.starts_with(':')) values.push_back(have[i]);
      if (want.size() > 1 && want[0] == ':') ranks += '1' + std::string(1, static_cast<char>('A' + first_with(form, i + 1)));
      else ranks += want == ":" ? '2' : '0';
    }
    if (have.size() != form.want.size()) return {};
    return ranks;
  }

  Found find(std::string_view path, Method method) const {
    Found best = kNowhere;
    std::string best_rank = "9";
    const std::vector<std::string> have = segments_of(path);
    for (uint32_t i = 0; i < routes.size(); i++) {
      if (routes[i].method != number(method) && routes[i].method != kAnyMethod) continue;
      for (const Form& form : forms[i]) {
        std::vector<std::string> values;
        const auto r = rank(form, have, values);
        if (!r || *r >= best_rank) continue;
        best_rank = *r;
        best = {i, values};
      }
    }
    return best;
  }

  uint32_t methods(std::string_view path) const {
    uint32_t all = 0;
    const std::vector<std::string> have = segments_of(path);
    for (size_t i = 0; i < routes.size(); i++) {
      std::vector<std::string> values;
      for (const Form& form : forms[i]) {
        if (rank(form, have, values)) all |= routes[i].method == kAnyMethod ? ~uint32_t{0} : 1u << routes[i].method;
      }
    }
    return all;
  }
};

std::string random_pattern(std::mt19937& random) {
  constexpr const char* kNames[] = {"a", "b", "7", "a-b", "", ":", ":", "*"};
  constexpr const char* kConstraints[] = {"", "<int>", "<alnum>"};
  std::string text;
  for (uint32_t depth = 1 + random() % 4; depth > 0; depth--) {
    std::string name = kNames[random() % 8];
    if (name == ":") name += "p" + std::to_string(depth) + kConstraints[random() % 3] + (depth == 1 && random() % 3 == 0 ? "?" : "");
    text += "/" + name;
    if (name == "*") return random() % 2 ? text : text + "rest";
  }
  return text;
}

}  // namespace

TEST_CASE("router: random routes and paths against a naive router") {
  std::mt19937 random(1);
  for (int round = 0; round < 60; round++) {
    Naive naive(round % 3 == 0);
    const auto make = [&] {
      Routed router;
      if (naive.ignores_slash) router.ignore_trailing_slash();
      router.add_all(naive.routes);
      return router;
    };
    for (uint32_t n = 1 + random() % 12; n > 0; n--) {
      const uint8_t methods[] = {number(Method::get), number(Method::post), kAnyMethod};
      const Route route{random_pattern(random), methods[random() % 3]};
      Pattern pattern;
      REQUIRE(Pattern::parse(route.text, pattern) == nullptr);
      CAPTURE(route.text);
      const bool wrong = make().add(pattern, route.method, 99).what() != "";
      REQUIRE(wrong == naive.conflicts(route));
      if (!wrong) naive.add(route);
    }
    const Routed router = make();
    for (int i = 0; i < 40; i++) {
      std::string path;
      constexpr const char* kSegments[] = {"a", "b", "7", "a-b", ""};
      for (uint32_t depth = 1 + random() % 5; depth > 0; depth--) path += std::string("/") + kSegments[random() % 5];
      const Method method = random() % 2 ? Method::get : Method::post;
      CAPTURE(path);
      const Found found = naive.find(path, method);
      REQUIRE(find(router, path, method) == found);
      REQUIRE(router.methods_of(path) == naive.methods(path));
      if (found.route != RouteTree::kNotFound || path.size() == 1 || path[1] == '/') continue;
      const std::string other = path.ends_with('/') ? path.substr(0, path.size() - 1) : path + "/";
      REQUIRE(router.finds_other_slash(path, method) == (naive.find(other, method).route != RouteTree::kNotFound));
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
