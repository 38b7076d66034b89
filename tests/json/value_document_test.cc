// Json: values of parsed documents: their parts moved out and in, copied, changed and grown, whichever ends first. Under
// AddressSanitizer also that nothing is used after its end, and that all memory is given back: FailingAlloc counts it without.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "support/failing_alloc.h"

using namespace martlet;

namespace {

const std::string kLong = "a string that does not lie in the cell";

Json parse(std::string_view text) {
  JsonResult<Json> parsed = Json::parse(text);
  REQUIRE(parsed);
  return std::move(*parsed);
}

// {"a":{"s":long,"n":1},"list":[long,[1,long],{"x":long}],"z":long}
const std::string kText = R"({"a":{"s":")" + kLong + R"(","n":1},"list":[")" + kLong + R"(",[1,")" + kLong + R"("],{"x":")" + kLong + R"("}],"z":")" + kLong + R"("})";

// All that `body` allocates by the library's allocator is given back.
template <typename Body>
void gives_back(Body&& body) {
  test::FailingAlloc alloc;
  body();
  CHECK(alloc.held == 0);
}

}  // namespace

TEST_CASE("json document: parts outlive it, and it outlives parts") {
  gives_back([] {
    auto document = std::make_unique<Json>(parse(kText));
    Json list = std::move((*document)["list"]);
    CHECK((*document)["list"].is_null());
    const Json text = std::move((*document)["z"]);
    Json inner = std::move(list[2]);
    { const Json short_lived = std::move((*document)["a"]["s"]); }
    const Json copy = *document;
    CHECK(document->dump() == R"({"a":{"s":null,"n":1},"list":null,"z":null})");
    document.reset();
    CHECK(copy.dump() == R"({"a":{"s":null,"n":1},"list":null,"z":null})");
    CHECK(text.text_or("") == kLong);
    CHECK(list[1][1].text_or("") == kLong);
    list = 0;
    CHECK(inner["x"].text_or("") == kLong);
    inner["x"] = 5;
    inner["y"] = kLong;
    CHECK(inner.size() == 2);
  });
}

TEST_CASE("json document: what parts have come to own ends with them") {
  // A part that lies in the document, with something of its own in it, ends in each way there is.
  using Change = void (*)(Json&);
  const Change changes[] = {
      [](Json& d) { d["a"] = 1; },
      [](Json& d) { d["a"] = Json(kLong); },
      [](Json& d) { d["a"] = d["z"]; },
      [](Json& d) { d["a"] = std::move(d["z"]); },
      [](Json& d) { d["a"].clear(); },
      [](Json& d) { d.erase("a"); },
      [](Json& d) { d["list"].erase(2); },
      [](Json& d) { d["list"].erase(1); },
      [](Json& d) { d["list"].clear(); },
      [](Json& d) { d["list"] = std::move(d["list"][1]); },
      [](Json& d) { d["list"] = std::move(d["list"][2]["x"]); },
      [](Json& d) { std::swap(d["list"], d["a"]); },
      [](Json& d) { d.merge_patch({{"a", nullptr}, {"list", 1}}); },
      [](Json& d) { d.merge_patch({{"a", {{"s", nullptr}, {"more", nullptr}}}}); },
      [](Json& d) { d.set_pointer("/list/1", kLong); },
      [](Json& d) { d.clear(); },
      [](Json& d) { d = std::move(d["a"]); },
      [](Json& d) { d = d["list"]; },
      [](Json& d) { d = Json(); },
  };
  for (const Change change : changes) {
    gives_back([change] {
      Json document = parse(kText);
      document["a"]["s"] = kLong + "!";
      document["a"]["more"] = Json::array({kLong});
      *document.find_pointer("/list/1/1") = Json::array({kLong, parse(kText)});
      document["list"][2]["x"] = kLong + "?";
      change(document);
      (void)document.dump();
      Json copy = document;
      CHECK(copy == document);
    });
  }
}

TEST_CASE("json document: assigned to a part of itself, and a part to it") {
  gives_back([] {
    Json document = parse(kText);
    document["a"] = document;
    CHECK(document["a"]["a"]["n"].int_or(0) == 1);
    document["list"][1] = document["list"];
    CHECK(document["list"][1][2]["x"].text_or("") == kLong);
    document["list"].push_back(document["list"]);
    CHECK(document["list"].size() == 4);
    document["list"].push_back(std::move(document["list"][0]));
    CHECK(document["list"][0].is_null());
    CHECK(document["list"][4].text_or("") == kLong);
    Json& self = document;
    document = self;
    document = std::move(self);
    CHECK(document.size() == 3);
    document["z"] = std::move(document["list"]);
    CHECK(document["list"].is_null());
    document = std::move(document["z"]);
    CHECK(document.size() == 5);
    document = std::move(document[4]);
    CHECK(document == Json(kLong));
  });
}

TEST_CASE("json document: parts in another document's arrays and objects") {
  gives_back([] {
    Json a = parse(kText), b = parse(R"([[1,[2]],{"k":"v"}])");
    CHECK(b.push_back(std::move(a["list"])));
    b[0] = std::move(a["a"]);
    b[1]["k"] = std::move(a["z"]);
    a["list"] = std::move(b[1]);
    std::swap(a["a"], b[0]);
    std::swap(a, b);
    CHECK(a.dump() == R"([null,null,[")" + kLong + R"(",[1,")" + kLong + R"("],{"x":")" + kLong + R"("}]])");
    CHECK(b.dump() == R"({"a":{"s":")" + kLong + R"(","n":1},"list":{"k":")" + kLong + R"("},"z":null})");
    a = Json();
    CHECK(b["a"]["s"].text_or("") == kLong);
  });
}

TEST_CASE("json document: parsed arrays and objects grow") {
  gives_back([] {
    Json document = parse(R"({"e":[],"o":{},"l":[[1],["two"]],"m":{"name":"a long text, to lie elsewhere","p":{"q":[1]}}})");
    for (int i = 0; i < 100; i++) {
      CHECK(document["e"].push_back(i));
      document["o"][std::to_string(i)] = i;
      CHECK(document["l"].push_back(Json::array({i})));
      CHECK(document["l"][1].push_back(kLong));
      document["m"]["name " + std::to_string(i)] = i;
      document["m"]["p"]["q"].push_back(i);
    }
    document["new"] = 1;
    CHECK(document["e"].size() == 100);
    CHECK(document["o"]["99"].int_or(0) == 99);
    CHECK(document["l"].size() == 102);
    CHECK(document["l"][1][0].text_or("") == "two");
    CHECK(document["l"][1].size() == 101);
    CHECK(document["m"].size() == 102);
    Json moved = std::move(document["m"]);
    document = Json();
    CHECK(moved["name"].text_or("") == "a long text, to lie elsewhere");
    CHECK(moved["p"]["q"].size() == 101);
    Json inner = std::move(moved["p"]);
    moved = Json();
    CHECK(inner["q"][100].int_or(0) == 99);
  });
}

TEST_CASE("json document: is equal to what was built, and to copies") {
  const Json built = {{"list", Json::array({kLong, Json::array({1, kLong}), {{"x", kLong}}})}, {"z", kLong}, {"a", {{"n", 1.0}, {"s", kLong}}}};
  Json document = parse(kText);
  CHECK(document == built);
  CHECK(document == Json(document));
  document["list"][1][0] = 2;
  CHECK_FALSE(document == built);
}

TEST_CASE("json document: parts end on other threads") {
  gives_back([] {
    for (int round = 0; round < 50; round++) {
      Json document = parse(kText);
      Json a = std::move(document["a"]), list = std::move(document["list"]);
      std::thread one([a = std::move(a)]() mutable { a["s"] = kLong + "!"; });
      std::thread two([list = std::move(list)]() mutable { list[1].push_back(kLong); });
      document = Json();
      one.join();
      two.join();
    }
  });
}

TEST_CASE("json document: a very deep one by moves of parsed parts") {
  gives_back([] {
    Json deep = parse("[[1]]");
    for (int i = 0; i < 20'000; i++) {
      Json outer = parse(R"({"a":[[],"text"]})");
      outer["a"][0] = std::move(deep);
      deep = std::move(outer);
    }
    CHECK(deep["a"][1].text_or("") == "text");
  });
}

TEST_CASE("json document: where memory is out, it grows not, keeps what it has, and says so") {
  for (size_t allowed = 1; allowed < 12; allowed++) {
    Json document = parse(kText);
    {
      test::FailingAlloc alloc(allowed - 1);
      alloc.only_once = true;
      const bool pushed = document["list"].push_back(kLong);
      document["a"]["a name that is longer than a cell"] = kLong;
      const Json copy = document;
      CHECK((copy.complete() && pushed) == (alloc.failures == 0));
      CHECK(document["list"].size() == 3 + size_t{pushed});
      CHECK(document["list"][0].text_or("") == kLong);
      CHECK(document["a"]["n"].int_or(0) == 1);
    }
  }
}

// The parser's stack keeps what was on it before: here a text, where the null is then.
TEST_CASE("json document: a null that was parsed becomes an empty array or object") {
  const std::string text = R"({"list":["a text of more than fourteen"],"null":null,"more":[["a text of more than fourteen"],null]})";
  auto parsed = Json::parse(text);
  REQUIRE(parsed);
  CHECK((*parsed)["null"].push_back(1));
  (*parsed)["more"][1]["a"] = 1;
  CHECK(parsed->dump() == R"({"list":["a text of more than fourteen"],"null":[1],"more":[["a text of more than fourteen"],{"a":1}]})");
}
