// The parser of trees against RFC 8259: what must be taken and what it then is, what must be refused and where, each with every
// set of kernels, cut by the scanner's window at every byte, and at the end of a page; limits on both sides; memory that runs out.
#include "json/parser.h"

#include <doctest/doctest.h>
#include <martlet/json.h>

#include <string>
#include <string_view>
#include <thread>

#include "simd/json_kernels.h"
#include "support/failing_alloc.h"
#include "support/guarded.h"
#include "sys/thread.h"

using namespace martlet;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

struct Row {
  std::string text;
  std::string dump;    // empty: it is refused …
  size_t position = 0;  // … here
};

const Row kTaken[] = {
    {"null", "null"}, {"true", "true"}, {"false", "false"}, {" \t\r\n1 \t\r\n", "1"}, {"[]", "[]"}, {"{}", "{}"}, {"[ ]", "[]"}, {"{ }", "{}"},
    {"[[],[[]],{}]", "[[],[[]],{}]"}, {R"({"a":{"b":[1,2,{"c":null}]}})", R"({"a":{"b":[1,2,{"c":null}]}})"}, {R"({"":0})", R"({"":0})"},
    {"0", "0"}, {"-0", "-0.0"}, {"-1", "-1"}, {"1.5", "1.5"}, {"1e2", "100.0"}, {"1E+2", "100.0"}, {"1e-2", "0.01"}, {"-0.0", "-0.0"}, {"1e-400", "0.0"},
    {"9223372036854775807", "9223372036854775807"}, {"9223372036854775808", "9223372036854775808"}, {"-9223372036854775808", "-9223372036854775808"},
    {"18446744073709551615", "18446744073709551615"}, {"18446744073709551616", "18446744073709552000.0"}, {"-9223372036854775809", "-9223372036854776000.0"},
    {"1.7976931348623157e308", "1.7976931348623157e308"}, {"5e-324", "5e-324"}, {"123456789012345678", "123456789012345678"}, {"[0.1,1.0,100]", "[0.1,1.0,100]"},
    {R"("")", R"("")"}, {R"("a")", R"("a")"}, {R"("fourteen bytes")", R"("fourteen bytes")"}, {R"("fifteen bytes..")", R"("fifteen bytes..")"},
    {R"("\"\\\/\b\f\n\r\t")", R"("\"\\/\b\f\n\r\t")"}, {R"("\u0041\u00e9\u20AC")", "\"A\xc3\xa9\xe2\x82\xac\""}, {R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""},
    {R"("\u0000")", R"("\u0000")"}, {R"("\u001f\u007f")", "\"\\u001f\x7f\""}, {R"("\uD800\uDC00\uDBFF\uDFFF")", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
    {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""}, {"\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"", "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\""},
    {R"("\\\\\\\"x")", R"("\\\\\\\"x")"}, {R"(["a","b\\"])", R"(["a","b\\"])"}, {R"({"a":1,"b":2,"a":3})", R"({"a":3,"b":2})"}, {R"({"\u0061":1,"a":2})", R"({"a":2})"},
    {R"({"a long name of a member":1,"a long name of a member":"x"})", R"({"a long name of a member":"x"})"}, {"\"\x7f\"", "\"\x7f\""},
};

const Row kRefused[] = {
    {"", "", 0}, {" ", "", 1}, {"\n\n", "", 2}, {"nul", "", 3}, {"nulll", "", 0}, {"True", "", 0}, {"TRUE", "", 0}, {"tru", "", 3}, {"undefined", "", 0}, {"NaN", "", 0}, {"Infinity", "", 0}, {"-Infinity", "", 1},
    {"01", "", 1}, {"-01", "", 2}, {"1.", "", 2}, {".5", "", 0}, {"1.e1", "", 2}, {"1e", "", 2}, {"1e+", "", 3}, {"-", "", 1}, {"+1", "", 0}, {"0x10", "", 1}, {"1_000", "", 1}, {"1a", "", 1}, {"1\"\"", "", 1}, {"--1", "", 1},
    {"1e400", "", 0}, {"-1e400", "", 0}, {"[1e400]", "", 1}, {"1 2", "", 2}, {"{} []", "", 3}, {"null,", "", 4}, {"[1]x", "", 3}, {"1\xc3\xa9", "", 1},
    {"[", "", 1}, {"{", "", 1}, {"[1", "", 2}, {"[1,", "", 3}, {"[1,]", "", 3}, {"[,1]", "", 1}, {"[1 2]", "", 3}, {"[1,,2]", "", 3}, {"]", "", 0}, {"}", "", 0}, {"[}", "", 1}, {"{]", "", 1}, {"[1}", "", 2}, {"[:]", "", 1},
    {R"({"a")", "", 4}, {R"({"a":)", "", 5}, {R"({"a":1)", "", 6}, {R"({"a":1,)", "", 7}, {R"({"a":1,})", "", 7}, {R"({"a" 1})", "", 5}, {R"({"a",1})", "", 4}, {R"({a:1})", "", 1}, {R"({'a':1})", "", 1}, {R"({1:2})", "", 1}, {R"({"a":1 "b":2})", "", 7}, {R"({"a"::1})", "", 5}, {R"({"a":1]})", "", 6},
    {R"(")", "", 1}, {R"("a)", "", 2}, {R"("\)", "", 2}, {R"("\")", "", 3}, {R"("\x")", "", 2}, {R"("\a")", "", 2}, {R"("\u")", "", 3}, {R"("\u12")", "", 5}, {R"("\u12g4")", "", 5}, {R"("\U0041")", "", 2}, {"'a'", "", 0}, {"`a`", "", 0},
    {R"("\ud800")", "", 1}, {R"("\udc00")", "", 1}, {R"("\ud800x")", "", 1}, {R"("\ud800\n")", "", 1}, {R"("\ud800\ud800")", "", 1}, {R"("\udc00\ud800")", "", 1}, {R"("x\ud83d\u0041")", "", 2}, {R"("\ud83d\ude0")", "", 1},
    {"\"\n\"", "", 1}, {"\"a\tb\"", "", 2}, {"\"\x1f\"", "", 1}, {"\"\0\""s, "", 1}, {"\0"s, "", 0}, {"[\0]"s, "", 1}, {"1\0"s, "", 1}, {"\v1", "", 0}, {"\f1", "", 0}, {"\xc2\xa0" "1", "", 0}, {"\xef\xbb\xbf" "1", "", 0}, {"/**/1", "", 0}, {"1//", "", 1}, {"#", "", 0},
    {"\"\x80\"", "", 1}, {"\"\xc3\"", "", 2}, {"\"\xc0\xaf\"", "", 1}, {"\"\xe0\x80\x80\"", "", 2}, {"\"\xed\xa0\x80\"", "", 2}, {"\"\xf4\x90\x80\x80\"", "", 2}, {"\"\xf8\x88\x80\x80\x80\"", "", 1}, {"\"\xff\"", "", 1}, {"\"\xe2\x82\"", "", 3}, {"\"\xe2\x82", "", 3}, {"\"\xf0\x9f\x98", "", 4}, {"[\"\xc3\x28\"]", "", 3}, {"1\xff", "", 1}, {"[1,2]\xff", "", 5},
};

// Each set of kernels in turn.
template <typename Run>
void with_each_set(Run&& run) {
  const simd::JsonKernels* const chosen = simd::json_kernels;
  for (const simd::JsonKernels* set : simd::available_json_kernels()) {
    simd::json_kernels = set;
    run(set->name);
  }
  simd::json_kernels = chosen;
}

void check(const Row& row, size_t blanks) {
  const std::string text = std::string(blanks, ' ') + row.text;
  CAPTURE(row.text);
  CAPTURE(blanks);
  const auto parsed = Json::parse(text);
  if (!row.dump.empty()) {
    REQUIRE(parsed.ok());
    CHECK(parsed->dump() == row.dump);
    CHECK(Json::parse(parsed->dump())->dump() == row.dump);
  } else {
    REQUIRE(!parsed.ok());
    CHECK(parsed.error().position == blanks + row.position);
    CHECK(std::string_view(parsed.error().what) != "");
  }
}

template <typename Run>
void for_each_row(Run&& run) {
  for (const Row& row : kTaken) run(row);
  for (const Row& row : kRefused) run(row);
}

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string members(int count, const char* more) {
  std::string text = "{";
  for (int i = 0; i < count; i++) text += "\"name " + std::to_string(i) + "\":" + std::to_string(i) + ",";
  return text + more + "}";
}

}  // namespace

TEST_CASE("json parser: what is taken and what is refused, with every set of kernels") {
  with_each_set([](const char* set) {
    CAPTURE(set);
    for_each_row([](const Row& row) { check(row, 0); });
  });
}

TEST_CASE("json parser: the same, cut by a window of the scanner at every byte") {
  with_each_set([](const char* set) {
    CAPTURE(set);
    for_each_row([](const Row& row) {
      for (size_t cut = 0; cut <= row.text.size(); cut++) check(row, simd::kJsonWindow - cut);
    });
  });
}

TEST_CASE("json parser: every text and every start of it is not read past its end") {
  with_each_set([](const char* set) {
    CAPTURE(set);
    for_each_row([](const Row& row) {
      for (size_t size = 0; size <= row.text.size(); size++) {
        const test::Guarded guarded(std::string_view(row.text).substr(0, size));
        const auto whole = Json::parse(base::as_text(guarded.span()));
        const auto copy = Json::parse(row.text.substr(0, size));
        CHECK(whole.ok() == copy.ok());
        CHECK(whole.error().position == copy.error().position);
      }
    });
  });
}

TEST_CASE("json parser: line and column") {
  const auto parsed = Json::parse("{\n  \"a\": [1,\n   x]}");
  REQUIRE(!parsed);
  CHECK(parsed.error().line == 3);
  CHECK(parsed.error().column == 4);
  CHECK(parsed.error().message() == "line 3, column 4: a value is wanted here");
}

TEST_CASE("json parser: the depth, on both sides of its limit") {
  CHECK(Json::parse(nested(64)).ok());
  CHECK(Json::parse(nested(65)).error().position == 64);
  CHECK(Json::parse("1", {.depth = 0}).ok());
  CHECK(!Json::parse("[]", {.depth = 0}));
  CHECK(Json::parse("[]", {.depth = 1}).ok());
  CHECK(Json::parse(nested(1024), {.depth = 5000})->dump() == nested(1024));
  CHECK(Json::parse(nested(1025), {.depth = 5000}).error().position == 1024);
}

TEST_CASE("json parser: 100,000 brackets on a small stack") {
  sys::Thread thread;
  struct Seen {
    bool by_default = true, by_option = true;
  } seen;
  const auto run = [](void* seen) {
    const std::string text(100'000, '[');
    static_cast<Seen*>(seen)->by_default = Json::parse(text).ok();
    static_cast<Seen*>(seen)->by_option = Json::parse(text, {.depth = 1'000'000}).ok();
  };
  REQUIRE(!thread.start(run, &seen, size_t{128} << 10));
  thread.join();
  CHECK(!seen.by_default);
  CHECK(!seen.by_option);
}

TEST_CASE("json parser: names that come again, in small objects and in large ones") {
  CHECK(Json::parse(R"({"a":1,"b":2,"a":3})", {.duplicates = Duplicates::first})->dump() == R"({"a":1,"b":2})");
  CHECK(Json::parse(R"({"a":1,"b":2,"a":3})", {.duplicates = Duplicates::refuse}).error().position == 13);
  CHECK(Json::parse(R"({"x":{"a":[{"a":"}"}],"b":"\"","a":3}})", {.duplicates = Duplicates::refuse}).error().position == 31);
  CHECK(Json::parse(R"({"a":{"a":1}})", {.duplicates = Duplicates::refuse}).ok());
  for (const int count : {47, 48, 49, 1000}) {
    CAPTURE(count);
    const std::string text = members(count, "\"name 7\":\"again\",\"last\":0");
    CHECK(Json::parse(text)->size() == static_cast<size_t>(count) + 1);
    CHECK((*Json::parse(text))["name 7"] == "again");
    CHECK((*Json::parse(text, {.duplicates = Duplicates::first}))["name 7"] == 7);
    CHECK(Json::parse(text, {.duplicates = Duplicates::refuse}).error().position == text.find("\"name 7\":\"again"));
  }
}

TEST_CASE("json parser: the length, on both sides of its limit") {
  CHECK(Json::parse("[1,2]", {.max_bytes = 5}).ok());
  CHECK(!Json::parse("[1,2]", {.max_bytes = 4}));
}

TEST_CASE("json parser: a document of 256 MiB, which is what is allowed unless an option says more") {
  constexpr size_t kMost = size_t{256} << 20, kItem = size_t{1} << 20;
  std::string text = "[";
  for (int i = 0; i < 200; i++) text += (i ? ",\"" : "\"") + std::string(kItem, static_cast<char>('a' + i % 26)) + "\"";
  text += "]";
  text.resize(kMost, ' ');
  {
    const auto parsed = Json::parse(text);
    REQUIRE(parsed.ok());
    CHECK(parsed->size() == 200);
    CHECK((*parsed)[199] == std::string(kItem, static_cast<char>('a' + 199 % 26)));
  }
  text += ' ';
  CHECK(Json::parse(text).error().position == 0);
  CHECK(Json::parse(text, {.max_bytes = kMost + 1}).ok());
}

TEST_CASE("json parser: memory that runs out at the Nth allocation is an error, and nothing is lost") {
  std::string more = "\"list\":[0";
  for (int i = 0; i < 300; i++) more += ",\"a text that does not fit into a cell\"";
  const std::string text = members(60, (more + "],\"\\n" + std::string(300, 'x') + "\":0").c_str());
  test::FailingAlloc alloc;
  bool good = false;
  int failures = 0;
  for (size_t allowed = 0; !good && allowed < 1000; allowed++) {
    test::FailingAlloc::left = allowed;
    const auto parsed = Json::parse(text);
    good = parsed.ok();
    if (!good) CHECK(std::string_view(parsed.error().what) == "memory is out");
    failures += !good;
  }
  CHECK(good);
  CHECK(failures > 3);
  test::FailingAlloc::left = SIZE_MAX;
  CHECK(test::FailingAlloc::held == 0);
}

// Each allocation alone fails, and those behind it succeed: an error that nobody looked at would give half a value.
TEST_CASE("json parser: one allocation that fails is an error, whichever it is, and nothing is lost") {
  std::string strings = "[", deep = nested(1024), escapes = "[";
  for (int i = 0; i < 300; i++) strings += "\"a text that does not fit into a cell\",";
  for (int i = 1; i < 20000; i *= 3) escapes += "\"\\u00e9" + std::string(static_cast<size_t>(i), 'x') + "\",";
  const std::string texts[] = {"[1]", R"("fifteen bytes..")", R"("\n")", R"({"a":1,"a":[2]})", strings + "1]", escapes + "1]", deep,
                               members(20, R"("a":1)"), members(60, R"("name 7":[1])"), "[" + members(60, R"("a":1)") + "," + members(60, R"("a":{})") + "]"};
  for (const std::string& text : texts) {
    for (const Duplicates duplicates : {Duplicates::last, Duplicates::first}) {
      const JsonOptions options{.depth = 1024, .duplicates = duplicates};
      const Json whole = std::move(*Json::parse(text, options));
      CAPTURE(text);
      test::FailingAlloc alloc;
      size_t allowed = 0;
      for (bool good = false; !good; allowed++) {
        CAPTURE(allowed);
        test::FailingAlloc::left = allowed;
        test::FailingAlloc::failures = 0;
        test::FailingAlloc::only_once = true;
        {
          const auto parsed = Json::parse(text, options);
          REQUIRE(parsed.ok() == (test::FailingAlloc::failures == 0));
          good = parsed.ok();
          if (good) CHECK(parsed->complete());
          if (good) CHECK(*parsed == whole);
          if (!good) CHECK(parsed.error().what == "memory is out"sv);
          if (!good) CHECK(parsed.error().position <= text.size());
        }
        REQUIRE(test::FailingAlloc::held == 0);
      }
      CHECK(allowed > 1);
    }
  }
}
