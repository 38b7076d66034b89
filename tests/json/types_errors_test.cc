// Own types as JSON: what is refused, where, and in which words; and that nothing passes which the parser of trees refuses.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sys/thread.h"

using namespace martlet;

namespace {

enum class Color { red, green };
MARTLET_JSON(Color, red, green)

struct Item {
  std::string name;
  int price = 0;
  std::optional<bool> sold;
};
MARTLET_JSON(Item, name, price, sold)

struct Cart {
  std::vector<Item> items;
  std::map<std::string, Item> by;
  std::array<int, 2> point{};
  std::pair<int, std::string> pair;
  Color color{};
  uint8_t small = 0;
  float real = 0;
  Json any;
  Item one{"one", 1, {}};
};
MARTLET_JSON(Cart, items, by, point, pair, color, small, real, any, one)

struct Node {
  std::vector<Node> c;
};
MARTLET_JSON(Node, c)

// Anything: by the calls of the reader, or skipped.
struct Walked {};
struct Skipped {};

std::string said(const JsonError& e) { return std::string(e.path) + "|" + std::to_string(e.position) + "|" + e.what; }

template <typename T>
std::string error_of(std::string_view text, const JsonOptions& options = {}) {
  const auto read = Json::to<T>(text, options);
  return read ? "" : said(read.error());
}

}  // namespace

template <>
struct martlet::JsonOf<Walked> {
  static bool read(JsonReader& in, Walked& to) {
    std::string_view text;
    bool flag = false;
    double number = 0;
    switch (in.kind()) {
      case JsonKind::object: return in.object([&](std::string_view) { return in.read(to); });
      case JsonKind::array: return in.array([&] { return in.read(to); });
      case JsonKind::string: return in.text(text);
      case JsonKind::boolean: return in.read(flag);
      case JsonKind::number: return in.read(number);
      default: return in.null() || in.skip();
    }
  }
};

template <>
struct martlet::JsonOf<Skipped> {
  static bool read(JsonReader& in, Skipped&) { return in.skip(); }
};

TEST_CASE("json types: a value of another kind is refused at its place") {
  CHECK(error_of<Cart>("[]") == "|0|an object is wanted");
  CHECK(error_of<Cart>(R"( {"items":{}})") == "/items|10|an array is wanted");
  CHECK(error_of<Cart>(R"({"items":[{},{"price":"1"}]})") == "/items/1/price|22|an integer is wanted");
  CHECK(error_of<Cart>(R"({"items":[{"name":null}]})") == "/items/0/name|18|a string is wanted");
  CHECK(error_of<Cart>(R"({"items":[{"sold":1}]})") == "/items/0/sold|18|true or false is wanted");
  CHECK(error_of<Cart>(R"({"items":[{"x":[1,{"y":2}],"price":1.5}]})") == "/items/0/price|35|an integer is wanted");
  CHECK(error_of<Cart>(R"({"by":{"a/b~c\n":{"price":true}}})") == "/by/a~1b~0c\n/price|26|an integer is wanted");
  CHECK(error_of<Cart>(R"({"by":{"":1}})") == "/by/|10|an object is wanted");
  CHECK(error_of<Cart>(R"({"real":"1"})") == "/real|8|a number is wanted");
  CHECK(error_of<Cart>(R"({"color":"blue"})") == "/color|9|one of these is wanted: red, green");
  CHECK(error_of<Cart>(R"({"color":0})") == "/color|9|a string is wanted");
  CHECK(error_of<Cart>(R"({"color":""})") == "/color|9|one of these is wanted: red, green");
  CHECK(error_of<Cart>(R"({"one":{"price":[]}})") == "/one/price|16|an integer is wanted");
  CHECK(Json::to<Cart>("\n{\"small\":\n \"x\"}").error().line == 3);
  CHECK(Json::to<Cart>("\n{\"small\":\n \"x\"}").error().column == 2);
}

TEST_CASE("json types: integers that do not fit") {
  CHECK(error_of<Cart>(R"({"small":255})") == "");
  CHECK(error_of<Cart>(R"({"small":256})") == "/small|9|the integer is too large");
  CHECK(error_of<Cart>(R"({"small":-1})") == "/small|9|the integer is too small");
  CHECK(error_of<Cart>(R"({"small":2.55e2})") == "");
  CHECK(error_of<Cart>(R"({"small":2.56e2})") == "/small|9|the integer is too large");
  CHECK(error_of<int8_t>("127") == "");
  CHECK(error_of<int8_t>("128") == "|0|the integer is too large");
  CHECK(error_of<int8_t>("-128") == "");
  CHECK(error_of<int8_t>("-129") == "|0|the integer is too small");
  CHECK(error_of<int64_t>("9223372036854775808") == "|0|the integer is too large");
  CHECK(error_of<int64_t>("-9223372036854775809") == "|0|the integer is too small");
  CHECK(error_of<uint64_t>("18446744073709551616") == "|0|the integer is too large");
  CHECK(error_of<uint64_t>("1e300") == "|0|the integer is too large");
  CHECK(error_of<int>("-1e300") == "|0|the integer is too small");
  CHECK(error_of<int>("1e400") == "|0|the number is too large for a double");
  CHECK(error_of<float>("3.4028234e38") == "");
  CHECK(error_of<float>("3.5e38") == "|0|the number is too large for a float");
}

TEST_CASE("json types: arrays of a fixed size have it") {
  CHECK(error_of<Cart>(R"({"point":[1,2]})") == "");
  CHECK(error_of<Cart>(R"({"point":[1]})") == "/point|9|the array has fewer elements than are wanted");
  CHECK(error_of<Cart>(R"({"point":[]})") == "/point|9|the array has fewer elements than are wanted");
  CHECK(error_of<Cart>(R"({"point":[1,2,3]})") == "/point/2|14|the array has more elements than are wanted");
  CHECK(error_of<Cart>(R"({"pair":[1]})") == "/pair|8|the array has fewer elements than are wanted");
  CHECK(error_of<Cart>(R"({"pair":[1,"a",2]})") == "/pair/2|15|the array has more elements than are wanted");
  CHECK(error_of<Cart>(R"({"pair":[1,2]})") == "/pair/1|11|a string is wanted");
  CHECK(error_of<Cart>(R"({"point":[1,2,]})") == "|14|a value is wanted here");
}

TEST_CASE("json types: require_all and refuse_unknown") {
  const JsonOptions all{.require_all = true}, known{.refuse_unknown = true};
  CHECK(error_of<Item>(R"({"name":"x"})") == "");
  CHECK(error_of<Item>(R"({"name":"x"})", all) == "/price|11|is missing");
  CHECK(error_of<Item>(R"({"name":"x","price":1})", all) == "");
  CHECK(error_of<Item>("{}", all) == "/name|1|is missing");
  CHECK(error_of<std::vector<Item>>(R"([{"name":"x","price":1},{"price":1}])", all) == "/1/name|34|is missing");
  CHECK(error_of<Item>(R"({"name":"x","nam":1})") == "");
  CHECK(error_of<Item>(R"({"name":"x","nam":1})", known) == "/nam|12|there is no such member");
  CHECK(error_of<Item>(R"({"n\u0061me":"x"})", known) == "");
  CHECK(error_of<std::vector<Item>>(R"([{},{"\u0061/":1}])", known) == "/1/a~1|5|there is no such member");
}

TEST_CASE("json types: names that come twice") {
  const std::string_view text = R"({"one":{"name":"a"},"x":1,"one":{"price":2},"x":2})";
  const auto last = Json::to<Cart>(text);
  CHECK(last->one.name == "");  // nothing is left of the first
  CHECK(last->one.price == 2);
  const auto first = Json::to<Cart>(text, {.duplicates = Duplicates::first});
  CHECK(first->one.name == "a");
  CHECK(first->one.price == 1);
  const JsonOptions refuse{.duplicates = Duplicates::refuse};
  CHECK(error_of<Cart>(text, refuse) == "/one|26|the object has this name already");
  CHECK(error_of<Cart>(R"({"x":1,"y":{"a":1,"a":2}})", refuse) == "/y/a|18|the object has this name already");
  CHECK(error_of<Cart>(R"({"x":1,"X":{"a":1,"b":2}})", refuse) == "");
  CHECK(error_of<Cart>(R"({"by":{"a":{},"\u0061":{}}})", refuse) == "/by/a|14|the object has this name already");
  const std::string_view map = R"({"by":{"a":{"price":1},"a":{"price":2}}})";
  CHECK(Json::to<Cart>(map)->by["a"].price == 2);
  CHECK(Json::to<Cart>(map, {.duplicates = Duplicates::first})->by["a"].price == 1);
}

TEST_CASE("json types: a long path is cut between characters") {
  std::string name = "x";
  for (int i = 0; i < 60; i++) name += "\xc3\xa9";
  const JsonError error = Json::to<std::map<std::string, int>>("{\"" + name + "\":{}}").error();
  CHECK(std::string(error.path) == "/" + name.substr(0, 93));
  std::string deep = "{}";
  for (int i = 0; i < 60; i++) deep = "{\"c\":[" + deep + "]}";
  deep.replace(deep.find("{}"), 2, "[]");
  CHECK(std::string(Json::to<Node>(deep, {.depth = 200}).error().path).size() <= 95);
}

TEST_CASE("json types: depth and length, to their limits") {
  const auto nested = [](size_t depth) {  // so many brackets of each kind
    std::string text;
    for (size_t i = 0; i < depth; i++) text += "{\"c\":[";
    for (size_t i = 0; i < depth; i++) text += "]}";
    return text;
  };
  CHECK(error_of<Node>(nested(32)) == "");
  CHECK(error_of<Node>(nested(33)) == "|192|arrays and objects are nested too deep");
  CHECK(error_of<Node>(nested(512), {.depth = 5000}) == "");
  CHECK(error_of<Node>(nested(513), {.depth = 5000}) == "|3072|arrays and objects are nested too deep");
  CHECK(error_of<Cart>("{\"any\":" + nested(31) + "}") == "");
  CHECK(error_of<Cart>("{\"x\":" + nested(31) + "}") == "");
  CHECK(error_of<Cart>("{\"any\":" + std::string(63, '[') + std::string(63, ']') + "}") == "");
  CHECK(error_of<Cart>("{\"any\":" + std::string(64, '[') + std::string(64, ']') + "}") == "|70|arrays and objects are nested too deep");
  CHECK(error_of<Cart>("{\"x\":" + std::string(64, '[') + std::string(64, ']') + "}") == "|68|arrays and objects are nested too deep");
  CHECK(error_of<Skipped>(std::string(100000, '[')) == "|64|arrays and objects are nested too deep");
  CHECK(error_of<Skipped>("[{}]", {.depth = 1}) == "|1|arrays and objects are nested too deep");
  CHECK(error_of<int>("12", {.max_bytes = 2}) == "");
  CHECK(error_of<int>("123", {.max_bytes = 2}) == "|0|the text is longer than allowed");
}

TEST_CASE("json types: the stack of a worker is enough for the deepest text") {
  static std::string text;
  for (int i = 0; i < 512; i++) text += "{\"c\":[";
  for (int i = 0; i < 512; i++) text += "]}";
  static bool same = false;
  sys::Thread thread;
  const auto run = [](void*) {
    const auto read = Json::to<Node>(text, {.depth = 1024});
    JsonWriter out;
    if (read) out.value(*read);
    same = out.text() == text;
  };
  REQUIRE(!thread.start(run, nullptr, size_t{1} << 20));
  thread.join();
  CHECK(same);
}

TEST_CASE("json types: what is no JSON is refused as the parser of trees does, read or skipped") {
  static constexpr const char* kTexts[] = {
      "", " ", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "[,]", "[1,]", "[1", "[1 2]", "[}", "{]", "{\"a\":]}", "[1}", "{\"a\" 1}", "{a:1}", "{1:1}",
      "1 2", "{} {}", "[]]", "nul", "nulll", "true1", "tru", "True", "01", "1.", "-", "+1", ".5", "1e", "1e400", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\t\"", "\"\x80\"", "[\"\xc3\"]",
      "\xef\xbb\xbf{}", "[1]\xff", "1\xff", "{}\x80", "[\"a\"\"b\"]", "\"a\"b", "1\"", "//", "[1]//", "'a'", "NaN", "\"\\", "{\"\\q\":1}", "{\"a\\u0000\":1}", "[[],{},[{}]]", "{\"a\":{},\"b\":[]}", "-0", "1E5"};
  for (const std::string_view text : kTexts) {
    CAPTURE(text);
    const auto tree = Json::parse(text);
    const std::string wanted = tree ? "" : said(tree.error());
    CHECK(error_of<Skipped>(text) == wanted);
    CHECK(error_of<Walked>(text) == wanted);
    CHECK(error_of<Json>(text) == wanted);
    const std::string member = "{\"unknown\":" + std::string(text) + "}";
    CHECK(error_of<Cart>(member).empty() == Json::parse(member).ok());
  }
}

TEST_CASE("json types: random edits of a text are refused alike by trees and by readers") {
  std::mt19937 random(7);
  const std::string good =
      R"({"a":[1,-2.5e3,true,false,null,"x\u00e9\n",{"b":{}}],"c":{"d":[],"e":[[1],[2]]},"long name of a member":"text that is long enough for a vector, and longer than sixty-four bytes"})";
  static constexpr std::string_view kBytes = "{}[]:,\"\\u0019.-eE tfn\n\x80\xc3";
  size_t refused = 0;
  for (int i = 0; i < 20000; i++) {
    std::string text = good;
    for (size_t edits = random() % 3 + 1; edits > 0; edits--) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = kBytes[random() % kBytes.size()]; break;
        case 1: text.erase(at, random() % 4); break;
        default: text.insert(at, 1, kBytes[random() % kBytes.size()]);
      }
      if (text.empty()) text = " ";
    }
    CAPTURE(text);
    const auto tree = Json::parse(text);
    const std::string wanted = tree ? "" : said(tree.error());
    refused += !tree;
    CHECK(error_of<Skipped>(text) == wanted);
    CHECK(error_of<Walked>(text) == wanted);
    CHECK(Json::to<Json>(text).ok() == tree.ok());
    static_cast<void>(Json::to<Cart>(text));
  }
  CHECK(refused > 10000);
}
