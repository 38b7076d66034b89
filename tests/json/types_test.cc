// Own types as JSON: what they look like, both ways. What is refused, and how, is in types_errors_test.cc.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <array>
#include <climits>
#include <cmath>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;

namespace shop {

enum class Color : uint8_t { red, green, blue };
MARTLET_JSON(Color, red, green)

struct Tag {
  std::string text;
  friend bool operator==(const Tag&, const Tag&) = default;
};
MARTLET_JSON(Tag, text)

struct Post {
  std::string title;
  int likes = 7;
  std::optional<std::string> link;
  friend bool operator==(const Post&, const Post&) = default;
};
MARTLET_JSON(Post, title, likes, link)

struct Node {
  std::string name;
  std::vector<Node> children;
  std::unique_ptr<Node> next;
};
MARTLET_JSON(Node, name, children, next);

struct Nothing {
  int kept = 1;
};
MARTLET_JSON(Nothing)

class Outer {
 public:
  struct Inner {
    int a = 0;
  };
  Inner inner;
};
MARTLET_JSON(Outer::Inner, a)
MARTLET_JSON(Outer, inner)

struct Base {
  int base = 0;
};
struct Derived : Base {
  int own = 0;
};
MARTLET_JSON(Derived, base, own)

struct Numbers {
  bool b = false;
  int8_t i8 = 0;
  uint8_t u8 = 0;
  int16_t i16 = 0;
  uint16_t u16 = 0;
  int32_t i32 = 0;
  uint32_t u32 = 0;
  long long i64 = 0;
  unsigned long u64 = 0;
  float f = 0;
  double d = 0;
  long double ld = 0;
  friend bool operator==(const Numbers&, const Numbers&) = default;
};
MARTLET_JSON(Numbers, b, i8, u8, i16, u16, i32, u32, i64, u64, f, d, ld)

struct Containers {
  std::vector<Post> posts;
  std::vector<bool> flags;
  std::deque<std::string> deque;
  std::list<double> list;
  std::set<int> set;
  std::unordered_set<std::string> names;
  std::map<std::string, std::vector<int>> map;
  std::map<std::string, Tag, std::less<>> tags;
  std::array<int, 3> three{};
  int two[2] = {};
  std::pair<std::string, Color> pair;
  std::vector<std::optional<int>> holes;
  std::unique_ptr<Tag> owned;
  Json any;
  std::optional<Json> perhaps;
};
MARTLET_JSON(Containers, posts, flags, deque, list, set, names, map, tags, three, two, pair, holes, owned, any, perhaps)

// A type that says in code how it is read and written.
struct Money {
  int64_t cents = 0;
};

struct Price {
  Money amount;
  std::vector<Money> others;
};
MARTLET_JSON(Price, amount, others)

// 64 members: the most.
#define TEN(x) x##0, x##1, x##2, x##3, x##4, x##5, x##6, x##7, x##8, x##9
struct Wide {
  int TEN(a), TEN(b), TEN(c), TEN(d), TEN(e), TEN(f), g0, g1, g2, g3;
};
MARTLET_JSON(Wide, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, d0, d1, d2, d3,
             d4, d5, d6, d7, d8, d9, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2, g3)

// Names of all lengths that are compared in different ways.
struct Names {
  int a = 0, ab = 0, seven_7 = 0, eight_88 = 0, nine_9999 = 0, sixteen_16161616 = 0, seventeen_17171717 = 0, seventeen_17x71717 = 0,
      twenty_four_242424242424 = 0, twenty_five_2525252525252 = 0, twenty_five_2525252x25252 = 0, thirty_three_33333333333333333333 = 0;
};
MARTLET_JSON(Names, a, ab, seven_7, eight_88, nine_9999, sixteen_16161616, seventeen_17171717, seventeen_17x71717, twenty_four_242424242424,
             twenty_five_2525252525252, twenty_five_2525252x25252, thirty_three_33333333333333333333)

}  // namespace shop

template <>
struct martlet::JsonOf<shop::Money> {
  static bool read(JsonReader& in, shop::Money& to) {
    std::string_view text;
    if (!in.text(text)) return false;
    to.cents = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return in.fail("an amount of money is wanted");
      to.cents = to.cents * 10 + (c - '0');
    }
    return true;
  }
  static void write(JsonWriter& out, const shop::Money& value) { out.value(std::to_string(value.cents)); }
};

namespace {

using namespace shop;

template <typename T>
std::string text_of(const T& value) {
  JsonWriter out;
  out.value(value);
  return std::string(out.text());
}

template <typename T>
std::string indented(const T& value) {
  JsonWriter out(JsonFormat{.indent = 2});
  out.value(value);
  return std::string(out.text());
}

// Read, and written again: the same text, also by way of a tree, indented, and read from that.
template <typename T>
T round_trip(std::string_view text) {
  auto read = Json::to<T>(text);
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  CHECK(text_of(*read) == text);
  const Json tree(*read);
  CHECK(tree.complete());
  CHECK(tree.dump() == text);
  CHECK(indented(*read) == tree.dump(2));
  auto again = Json::to<T>(indented(*read));
  REQUIRE_MESSAGE(again.ok(), again.error().message());
  CHECK(text_of(*again) == text);
  const std::optional<T> from_tree = tree.as<T>();
  REQUIRE(from_tree.has_value());
  CHECK(text_of(*from_tree) == text);
  return std::move(*read);
}

}  // namespace

TEST_CASE("json types: structs are objects, in the order of MARTLET_JSON") {
  CHECK(round_trip<Post>(R"({"title":"a\n\"b\"","likes":-3,"link":"x"})") == Post{"a\n\"b\"", -3, "x"});
  CHECK(text_of(Post{}) == R"({"title":"","likes":7})");
  CHECK(round_trip<Nothing>("{}").kept == 1);
  CHECK(round_trip<Outer>(R"({"inner":{"a":5}})").inner.a == 5);
  CHECK(round_trip<Derived>(R"({"base":1,"own":2})").base == 1);
}

TEST_CASE("json types: members come in any order, and what is absent keeps what its initialiser gave it") {
  CHECK(*Json::to<Post>(R"({"link":"x","title":"t"})") == Post{"t", 7, "x"});
  CHECK(*Json::to<Post>(R"({ "likes" : 1 , "link" : null , "title" : "t" })") == Post{"t", 1, {}});
  CHECK(*Json::to<Post>("{}") == Post{});
  CHECK(*Json::to<Post>(" \n{\t} ") == Post{});
}

TEST_CASE("json types: names with escapes are names like others") {
  CHECK(*Json::to<Post>(R"({"t\u0069tle":"t","\u006c\u0069\u006b\u0065\u0073":2})") == Post{"t", 2, {}});
  CHECK(*Json::to<Post>(R"({"titl\u0065s":"t","title\u0000":3})") == Post{});
  CHECK(Json::to<std::map<std::string, int>>(R"({"\u00e9\n":1})")->at("\xc3\xa9\n") == 1);
}

TEST_CASE("json types: names are told apart at any length") {
  const std::string text = text_of(Names{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Names names = round_trip<Names>(text);
  CHECK(names.twenty_five_2525252x25252 == 11);
  // From the last to the first, so that no guess is right.
  const Json tree = *Json::parse(text);
  std::string reversed;
  for (const auto& [name, value] : tree.members()) reversed = "\"" + std::string(name) + "\":" + value.dump() + (reversed.empty() ? "" : ",") + reversed;
  CHECK(text_of(*Json::to<Names>("{" + reversed + "}")) == text);
  // Each name with one letter changed, added or taken away is another.
  for (const auto& [name, value] : tree.members()) {
    for (size_t i = 0; i < name.size(); i++) {
      std::string other(name);
      other[i] = '!';
      CHECK(text_of(*Json::to<Names>("{\"" + other + "\":1}")) == text_of(Names{}));
      CHECK(!Json::to<Names>("{\"" + other + "\":1}", {.refuse_unknown = true}));
    }
    CHECK(!Json::to<Names>("{\"" + std::string(name) + "_\":1}", {.refuse_unknown = true}));
  }
}

TEST_CASE("json types: 64 members") {
  Wide wide{};
  wide.a0 = 1, wide.g3 = 64;
  const std::string text = text_of(wide);
  CHECK(round_trip<Wide>(text).g3 == 64);
  CHECK(Json::to<Wide>(text, {.require_all = true}).ok());
  std::string less = text;
  less.replace(less.find("\"g3\""), 4, "\"g4\"");
  CHECK(Json::to<Wide>(less, {.require_all = true}).error().message() == "/g3: is missing");
}

TEST_CASE("json types: enums are their names") {
  CHECK(round_trip<std::vector<Color>>(R"(["red","green"])") == std::vector<Color>{Color::red, Color::green});
  CHECK(*Json::to<Color>(R"("gr\u0065en")") == Color::green);
  CHECK(text_of(Color::blue) == "2");  // has none
  CHECK(indented(Color::red) == "\"red\"");
}

TEST_CASE("json types: numbers, to their limits") {
  round_trip<Numbers>(
      R"({"b":true,"i8":-128,"u8":255,"i16":-32768,"u16":65535,"i32":-2147483648,"u32":4294967295,"i64":-9223372036854775808,"u64":18446744073709551615,"f":1.5,"d":1e300,"ld":0.25})");
  round_trip<Numbers>(
      R"({"b":false,"i8":127,"u8":0,"i16":32767,"u16":0,"i32":2147483647,"u32":0,"i64":9223372036854775807,"u64":0,"f":-0.0,"d":5e-324,"ld":-1.0})");
  CHECK(*Json::to<int>("1.0") == 1);
  CHECK(*Json::to<int>("1e3") == 1000);
  CHECK(*Json::to<int>("-0") == 0);
  CHECK(*Json::to<unsigned>("-0.0") == 0);
  CHECK(*Json::to<uint64_t>("1e15") == 1000000000000000u);
  CHECK(*Json::to<uint64_t>("9007199254740991.0") == 9007199254740991u);
  CHECK(!Json::to<uint64_t>("9007199254740992.0"));  // it may have been 9007199254740993.0
  CHECK(*Json::to<double>("3") == 3.0);
  CHECK(*Json::to<double>("18446744073709551615") == 18446744073709551615.0);
  CHECK(text_of(std::vector<double>{NAN, INFINITY}) == "[null,null]");
}

TEST_CASE("json types: containers") {
  const Containers all = round_trip<Containers>(
      R"({"posts":[{"title":"t","likes":1},{"title":"u","likes":2,"link":"l"}],"flags":[true,false],"deque":["a","b"],"list":[1.5,2.0],"set":[1,2],"names":["x"],)"
      R"("map":{"a":[1,2],"b \"c\"":[]},"tags":{"k":{"text":"v"}},"three":[1,2,3],"two":[4,5],"pair":["p","green"],"holes":[1,null,3],"owned":{"text":"o"},"any":{"x":[1,{}]},"perhaps":[]})");
  CHECK(all.flags[0]);
  CHECK(all.map.at("a")[1] == 2);
  CHECK(all.two[1] == 5);
  CHECK(all.pair.second == Color::green);
  CHECK(!all.holes[1]);
  CHECK(all.owned->text == "o");
  round_trip<Containers>(
      R"({"posts":[],"flags":[],"deque":[],"list":[],"set":[],"names":[],"map":{},"tags":{},"three":[0,0,0],"two":[0,0],"pair":["","red"],"holes":[],"any":null})");
  round_trip<std::vector<std::vector<std::string>>>(R"([[],["a"],["b","c"]])");
  round_trip<std::optional<std::vector<int>>>("null");
  round_trip<std::optional<std::vector<int>>>("[1]");
  round_trip<std::unordered_map<std::string, Post>>(R"({"a":{"title":"t","likes":1}})");
  const int numbers[] = {1, 2};
  CHECK(text_of(std::span<const int>(numbers)) == "[1,2]");
  CHECK(text_of(std::vector<std::string_view>{"a"}) == R"(["a"])");
}

TEST_CASE("json types: what was in a container before is gone") {
  CHECK(Json::to<Post>(R"({"link":"a","link":null})")->link == std::nullopt);
  CHECK(*Json::to<std::map<std::string, int>>(R"({"a":1,"a":2})") == std::map<std::string, int>{{"a", 2}});
}

TEST_CASE("json types: a type of its own, through itself") {
  const Node node = round_trip<Node>(R"({"name":"a","children":[{"name":"b","children":[]},{"name":"c","children":[{"name":"d","children":[]}]}],"next":{"name":"e","children":[]}})");
  CHECK(node.children[1].children[0].name == "d");
  CHECK(node.next->name == "e");
}

TEST_CASE("json types: a JsonOf of its own goes before all else") {
  CHECK(round_trip<Price>(R"({"amount":"1250","others":["1","2"]})").amount.cents == 1250);
  CHECK(Json::to<Price>(R"({"others":["1","x"]})").error().message() == "/others/1: an amount of money is wanted");
  CHECK(Json::to<Price>(R"({"amount":12})").error().message() == "/amount: a string is wanted");
}

TEST_CASE("json types: everywhere that Json goes") {
  const Post post{"t", 1, {}};
  Json tree = {{"post", post}, {"color", Color::red}, {"list", std::vector<int>{1, 2}}, {"none", std::optional<int>()}};
  CHECK(tree.dump() == R"({"post":{"title":"t","likes":1},"color":"red","list":[1,2],"none":null})");
  CHECK(*tree["post"].as<Post>() == post);
  CHECK(*tree["color"].as<Color>() == Color::red);
  CHECK(!tree["color"].as<Post>());
  tree["post"] = Post{};
  CHECK(tree["post"]["likes"].int_or(0) == 7);
  CHECK(JsonText(post).text() == R"({"title":"t","likes":1})");
  JsonWriter out;
  out.object([&] {
    out.member("post", post);
    out.key("posts");
    out.array([&] {
      out.value(post);
      out.value(post);
    });
    out.member("after", 1);
  });
  CHECK(out.text() == R"({"post":{"title":"t","likes":1},"posts":[{"title":"t","likes":1},{"title":"t","likes":1}],"after":1})");
}

TEST_CASE("json types: safe in pages, and long") {
  JsonWriter out(JsonFormat{.html = true});
  out.value(Post{"</script>", 1, {}});
  CHECK(out.text() == R"({"title":"\u003c/script\u003e","likes":1})");
  for (const size_t size : {100, 380, 390, 400, 410, 420, 430, 440, 450, 3000, 4000, 5000, 100000}) {
    const std::string text = R"({"title":")" + std::string(size, 'x') + R"(","likes":1,"link":"\n)" + std::string(size, 'y') + "\"}";
    round_trip<Post>(text);
    std::string many = "[";
    for (size_t i = 0; i < size / 10; i++) many += i ? ",-1000000000" : "-1000000000";
    round_trip<std::vector<int>>(many + "]");
    round_trip<std::map<std::string, std::string>>("{\"" + std::string(size, 'k') + "\":\"" + std::string(size / 2, 'v') + "\\n\"}");
  }
}

TEST_CASE("json types: nested as deep as may be, brackets at every end of the writer's memory") {
  for (size_t depth = 1; depth < 250; depth++) {
    std::string text = R"({"name":"x","children":[]})";
    for (size_t i = 0; i < depth; i++) text = R"({"name":"","children":[)" + text + "]}";
    auto node = Json::to<Node>(text, {.depth = 1024});
    REQUIRE(node.ok());
    CHECK(text_of(*node) == text);
  }
}

TEST_CASE("json types: memory that is out at the Nth allocation is an error, and nothing leaks") {
  const std::string text = R"({"t\u0069tle":"\n","a":{"b":"\n"},"children":[{"name":"\t"}],"any":[1,"a string that is long"],"perhaps":{"a":["another string that is long"]}})";
  for (const Duplicates duplicates : {Duplicates::last, Duplicates::refuse}) {
    size_t failures = 0;
    for (size_t n = 0; n < 40; n++) {
      test::FailingAlloc alloc(n);
      {
        const auto read = Json::to<Containers>(text, {.duplicates = duplicates});
        if (!read) {
          CHECK(std::string_view(read.error().what) == "memory is out");
          failures++;
        }
      }
      CHECK(test::FailingAlloc::held == 0);
    }
    CHECK(failures > 2);
    CHECK(failures < 40);
  }
  const std::vector<std::string> large(100, std::string(100, 'x'));
  for (size_t n = 0; n < 8; n++) {
    test::FailingAlloc alloc(n);
    {
      JsonWriter out;
      out.value(large);
      CHECK(out.ok() == (n >= 3));
      if (!out.ok()) CHECK(out.text() == "");
      const Json tree(large);
      if (!tree.complete()) CHECK(tree.is_null());
    }
    CHECK(test::FailingAlloc::held == 0);
  }
}

#if MARTLET_HAS_EXCEPTIONS
namespace {
struct Thrower {
  int how = 0;
};
}  // namespace

template <>
struct martlet::JsonOf<Thrower> {
  static bool read(JsonReader& in, Thrower& to) {
    if (!in.read(to.how)) return false;
    if (to.how == 1) throw std::bad_alloc();
    if (to.how == 2) throw 2;
    return to.how != 3;
  }
};

TEST_CASE("json types: what reading throws is an error") {
  CHECK(Json::to<std::vector<Thrower>>("[0,0]").ok());
  CHECK(std::string_view(Json::to<std::vector<Thrower>>("[0,1]").error().what) == "memory is out");
  CHECK(Json::to<std::vector<Thrower>>("[0,2]").error().message() == "/1: an exception was thrown");
  CHECK(Json::to<std::vector<Thrower>>("[0,3]").error().message() == "/1: this is not what is wanted");
}
#endif
