// Merge patches, beside the algorithm of RFC 7396 §2. Its table is in pointer_test.cc.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <string>
#include <utility>

#include "support/failing_alloc.h"

using namespace martlet;

namespace {

Json parse(std::string_view text) {
  JsonResult<Json> parsed = Json::parse(text, {.depth = 1024});
  REQUIRE(parsed);
  return std::move(*parsed);
}

const std::string kLong = "a string that does not lie in the cell";

// The algorithm of RFC 7396 §2, word for word.
Json merged(const Json& target, const Json& patch) {
  if (!patch.is_object()) return patch;
  Json result = target.is_object() ? target : Json::object();
  for (const auto& [name, value] : patch.members()) {
    if (value.is_null()) {
      result.erase(name);
    } else {
      const Json before = std::as_const(result)[name];
      result[name] = merged(before, value);
    }
  }
  return result;
}

Json many(int first, int count, int value) {
  std::string text = "{";
  for (int i = first; i < first + count; i++) text += (i > first ? ",\"member " : "\"member ") + std::to_string(i) + "\":" + (value ? std::to_string(value + i) : "null");
  return parse(text + "}");
}

}  // namespace

TEST_CASE("json patch: the example of RFC 7396 section 3") {
  Json document = parse(R"({"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"})");
  document.merge_patch(parse(R"({"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]})"));
  CHECK(document.dump() == R"({"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"})");
}

TEST_CASE("json patch: nulls in arrays stay, those in new objects go") {
  Json document;
  document.merge_patch(parse(R"({"a":[null,{"b":null}],"c":{"d":null,"e":{"f":null}},"g":null})"));
  CHECK(document.dump() == R"({"a":[null,{"b":null}],"c":{"e":{}}})");
}

TEST_CASE("json patch: a part patched by what it lies in") {
  Json document = parse(R"({"a":{"b":1},"c":2})");
  document["a"].merge_patch(document);
  CHECK(document.dump() == R"({"a":{"b":1,"a":{"b":1},"c":2},"c":2})");
}

TEST_CASE("json patch: both sides of where names are looked up in a table") {
  for (const int size : {1, 2, 31, 32, 33, 34, 65}) {
    for (const int patched : {1, 2, 31, 32, 33, 34, 65}) {
      for (const int first : {0, size / 2, size}) {
        test::FailingAlloc alloc;
        {
          Json document = many(0, size, 1);
          Json patch = many(first, patched, 1000);
          patch["member " + std::to_string(first + patched / 2)] = nullptr;
          patch["new"] = {{"x", nullptr}, {"y", kLong}};
          patch["absent"] = nullptr;
          const Json wanted = merged(document, patch);
          document.merge_patch(patch);
          CHECK(document.dump() == wanted.dump());
          document.merge_patch(many(0, size, 0));
          CHECK(document == merged(wanted, many(0, size, 0)));
        }
        CHECK(alloc.held == 0);
      }
    }
  }
}

TEST_CASE("json patch: as deep as a text may be") {
  std::string text;
  for (int i = 0; i < 1024; i++) text += "{\"a\":";
  const std::string deep = text.substr(0, text.size() - 4) + "\"b\":1" + std::string(1024, '}');
  Json document = parse(deep);
  document.merge_patch(parse(deep));
  CHECK(document.dump() == deep);
}

TEST_CASE("json patch: where memory is out, nothing is removed that was not to be, and the value says so") {
  const Json before = parse(R"({"a":"a text that is longer than a cell","b":{"c":1},"gone":1})");
  const Json patch = {{"a", kLong}, {"b", {{"c", kLong}, {"d", Json::array({kLong})}}}, {"gone", nullptr}, {"a name longer than a cell", 1}};
  const Json wanted = merged(before, patch);
  for (const bool once : {true, false}) {
    size_t allowed = 0;
    for (bool done = false; !done; allowed++) {
      Json document = before;
      {
        test::FailingAlloc alloc(allowed);
        alloc.only_once = once;
        document.merge_patch(patch);
        done = alloc.failures == 0;
      }
      CAPTURE(allowed);
      CHECK(document.complete() == done);
      CHECK(document.contains("a"));
      CHECK(document["b"].contains("c"));
      if (done) CHECK(document == wanted);
    }
    CHECK(allowed > 5);
  }
}
