// JSON pointers (RFC 6901 §5) and merge patches (RFC 7396, appendix A), and patches of many members.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <chrono>
#include <string>
#include <utility>

#include "support/failing_alloc.h"

using namespace martlet;

namespace {

Json parse(std::string_view text) {
  auto parsed = Json::parse(text);
  REQUIRE(parsed.ok());
  return std::move(*parsed);
}

std::string patched(std::string_view target, std::string_view patch) {
  Json value = parse(target);
  value.merge_patch(parse(patch));
  return value.dump();
}

}  // namespace

TEST_CASE("json pointer: the document of RFC 6901") {
  const Json doc = parse(R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})");
  CHECK(doc.find_pointer("") == &doc);
  CHECK(doc.pointer("/foo").dump() == R"(["bar","baz"])");
  CHECK(doc.pointer("/foo/0") == "bar");
  int expected = 0;
  for (const char* pointer : {"/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"}) CHECK(doc.pointer(pointer) == expected++);
}

TEST_CASE("json pointer: what names nothing") {
  const Json doc = parse(R"({"foo":["bar",{"x":1}],"n":1,"~":2,"~1":3})");
  for (const char* pointer : {"foo", "/foo/2", "/foo/-", "/foo/01", "/foo/-1", "/foo/1a", "/foo/", "/foo/99999999999999999999", "/n/0", "/bar", "/~", "/~2", "/foo/0/x"}) {
    CAPTURE(pointer);
    CHECK(doc.find_pointer(pointer) == nullptr);
    CHECK(doc.pointer(pointer).is_null());
  }
  CHECK(doc.pointer("/foo/1/x") == 1);
  CHECK(doc.pointer("/~0") == 2);
  CHECK(doc.pointer("/~01") == 3);
}

TEST_CASE("json pointer: putting a value") {
  Json doc = parse(R"({"list":[1,2],"a":{}})");
  CHECK(doc.set_pointer("/list/0", "one"));
  CHECK(doc.set_pointer("/list/-", 3));
  CHECK(doc.set_pointer("/list/3", 4));
  CHECK(doc.set_pointer("/a/x~1y", nullptr));
  CHECK(!doc.set_pointer("/list/9", 0));
  CHECK(!doc.set_pointer("/none/x", 0));
  CHECK(!doc.set_pointer("/list/0/x", 0));
  CHECK(!doc.set_pointer("list", 0));
  CHECK(doc.dump() == R"({"list":["one",2,3,4],"a":{"x/y":null}})");
  Json* part = doc.find_pointer("/list/1");
  REQUIRE(part);
  *part = "a text that is long enough to need memory";
  CHECK(doc["list"][1].text_or("").size() == 41);
  CHECK(doc.set_pointer("", 7));
  CHECK(doc == 7);
}

TEST_CASE("json pointer: what is nearly a pointer, or an index") {
  const Json document = parse(R"({"a":{"b":[10,20,[30]],"":{"":1}},"~":1,"/":2,"~1":3,"01":4,"n":null,"s":"text"})");
  for (const std::string_view none : {"a", " ", "a/b", "#", "#/a", "/A", "/a/b/", "/a/b/3", "/a/b/-", "/a/b/-1", "/a/b/+1", "/a/b/00", "/a/b/01", "/a/b/1 ", "/a/b/ 1",
                                      "/a/b/1e0", "/a/b/0x0", "/a/b/1/", "/a/b/1/0", "/a/b/4294967296", "/a/b/18446744073709551616", "/a/b/99999999999999999999999", "/~", "/~2", "/~~",
                                      "/a~", "/a/b~", "/a/b/0~", "/s/0", "/n/x", "//", "/a/b/b", "/x/y/z"}) {
    CAPTURE(none);
    CHECK(document.find_pointer(none) == nullptr);
    CHECK(Json(document).find_pointer(none) == nullptr);
    CHECK(document.pointer(none).is_null());
  }
  const std::pair<std::string_view, int> there[] = {{"/~0", 1}, {"/~1", 2}, {"/~01", 3}, {"/01", 4}, {"/a/b/0", 10}, {"/a/b/1", 20}, {"/a/b/2/0", 30}, {"/a//", 1}};
  for (const auto& [pointer, wanted] : there) CHECK(document.pointer(pointer).int_or(0) == wanted);
  CHECK(document.find_pointer("/n"));
  CHECK(Json(7).find_pointer("")->int_or(0) == 7);
  CHECK(Json().find_pointer("/") == nullptr);
}

TEST_CASE("json pointer: every index of a long array, and names like indices") {
  Json list = Json::array();
  for (int i = 0; i < 1100; i++) list.push_back(i);
  for (int i = 0; i < 1100; i++) CHECK(list.pointer("/" + std::to_string(i)).int_or(-1) == i);
  CHECK(list.find_pointer("/1100") == nullptr);
  CHECK(parse(R"({"0":1,"-":2})").pointer("/0").int_or(0) == 1);
  CHECK(parse(R"({"0":1,"-":2})").pointer("/-").int_or(0) == 2);
}

TEST_CASE("json pointer: what is set in a parsed document ends with it") {
  test::FailingAlloc alloc;
  {
    Json document = parse(R"({"a":[[{"b":["a text that is longer than a cell"]}]]})");
    CHECK(document.set_pointer("/a/0/0/b/0", std::string(100, 'x')));
    CHECK(document.set_pointer("/a/0/0/c", std::string(100, 'y')));
    *document.find_pointer("/a/0/0/b/0") = std::string(100, 'z');
    CHECK(document.set_pointer("/a/0", 1));
  }
  CHECK(alloc.held == 0);
}

TEST_CASE("json patch: the table of RFC 7396") {
  const char* const rows[][3] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"}, {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"}, {R"({"a":"b"})", R"({"a":null})", "{}"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"}, {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"}, {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"}, {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"}, {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"}, {R"({"a":"foo"})", "null", "null"}, {R"({"a":"foo"})", R"("bar")", R"("bar")"}, {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {"[1,2]", R"({"a":"b","c":null})", R"({"a":"b"})"}, {"{}", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const auto& row : rows) CHECK(patched(row[0], row[1]) == row[2]);
}

TEST_CASE("json patch: a value patched by itself, and by a part of itself") {
  Json value = parse(R"({"a":{"b":null,"c":1},"d":2})");
  value.merge_patch(value["a"]);
  CHECK(value.dump() == R"({"a":{"b":null,"c":1},"d":2,"c":1})");
  value.merge_patch(value);
  CHECK(value.dump() == R"({"a":{"c":1},"d":2,"c":1})");
}

TEST_CASE("json patch: a hundred thousand members against as many do not take their product") {
  constexpr int kCount = 100'000;
  Json target = Json::object(), patch = Json::object();
  std::string text = "{", other = "{";
  for (int i = 0; i < kCount; i++) {
    text += (i ? "," : "") + ("\"name " + std::to_string(i)) + "\":" + std::to_string(i);
    other += (i ? "," : "") + ("\"name " + std::to_string(kCount / 2 + i)) + "\":" + (i % 2 ? "null" : "0");
  }
  target = parse(text + "}");
  target.merge_patch(parse(other + "}"));
  CHECK(target.size() == kCount / 2 + kCount / 4 + kCount / 4);
  CHECK(target["name 1"] == 1);
  CHECK(target["name 50000"] == 0);
  CHECK(!target.contains("name 50001"));
  CHECK(target.contains("name 149998"));
}

TEST_CASE("json patch: a hundred thousand members against few or none are found as quickly") {
  for (const int count : {0, 3, 32, 33}) {
    Json target = Json::object();
    for (int i = 0; i < count; i++) target["member number " + std::to_string(i)] = "old";
    std::string text = "{";
    for (int i = 0; i < 100'000; i++) text += "\"member number " + std::to_string(i) + "\":" + (i == 1 ? "null," : "0,");
    text.back() = '}';
    const auto patch = Json::parse(text);
    REQUIRE(patch);
    const auto begin = std::chrono::steady_clock::now();
    target.merge_patch(*patch);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));  // a minute, when each is looked for among those that were added
    CHECK(target.size() == 99'999);
    CHECK(target["member number 0"] == 0);
    CHECK(!target.contains("member number 1"));
    CHECK(target["member number 99999"] == 0);
  }
}

TEST_CASE("json pointer: what is put where memory is out is not there, and the answer says so") {
  Json value = Json::object();
  test::FailingAlloc alloc(0);
  CHECK(!value.set_pointer("/a", 1));
  CHECK(value.size() == 0);
  CHECK(!value.complete());
  test::FailingAlloc::left = 1;
  CHECK(value.set_pointer("/a", 1));
  CHECK(value["a"] == 1);
  value = Json();
}
