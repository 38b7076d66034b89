// The parser of trees: the corpus beside it, each text whole, cut by the scanner's windows at each of its bytes, at an unmapped
// page, by each set of kernels; the options at both sides of each limit; deep texts on small stacks.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "json/parser_corpus.h"
#include "simd/json_kernels.h"
#include "simd/kernels.h"
#include "support/guarded.h"
#include "sys/thread.h"

using namespace martlet;
using namespace martlet::test;

static_assert(std::is_trivially_copyable_v<JsonError>);

namespace {

constexpr size_t kWindow = simd::kJsonWindow;

// Runs with each set of kernels that this machine has, both tables.
template <typename Body>
void for_each_kernels(Body body) {
  const simd::JsonKernels* const chosen = simd::json_kernels;
  const simd::Kernels* const others = simd::kernels;
  auto utf8 = simd::available_kernels().begin();
  for (const simd::JsonKernels* set : simd::available_json_kernels()) {
    simd::json_kernels = set;
    simd::kernels = *utf8;
    if (utf8 + 1 != simd::available_kernels().end()) utf8++;
    body();
  }
  simd::json_kernels = chosen;
  simd::kernels = others;
}

// What the parser says of a text that ends at an unmapped page: the dump, or "position line column what".
std::string said_by_this(std::string_view text, const JsonOptions& options = {}) {
  static const GuardedRoom room(size_t{1} << 20);
  const bool fits = text.size() <= room.size();
  uint8_t* const at = room.place(fits ? text.size() : 0, GuardedRoom::Side::end);
  if (fits && !text.empty()) std::memcpy(at, text.data(), text.size());
  const auto parsed = Json::parse(fits ? std::string_view(reinterpret_cast<const char*>(at), text.size()) : text, options);
  if (parsed) return parsed->dump();
  const JsonError& e = parsed.error();
  CHECK(e.path[0] == 0);
  return std::to_string(e.position) + ' ' + std::to_string(e.line) + ' ' + std::to_string(e.column) + ' ' + e.what;
}

// By all sets, which must agree.
std::string said(std::string_view text, const JsonOptions& options = {}) {
  std::string first;
  size_t asked = 0;
  for_each_kernels([&] {
    const std::string here = said_by_this(text, options);
    if (asked++ == 0) first = here;
    CAPTURE(std::string(simd::json_kernels->name));
    CHECK(here == first);
  });
  return first;
}

std::string error_at(std::string_view text, size_t position, std::string_view what) {
  size_t line = 1, begin = 0;
  for (size_t i = 0; i < position; i++) {
    if (text[i] == '\n') line++, begin = i + 1;
  }
  return std::to_string(position) + ' ' + std::to_string(line) + ' ' + std::to_string(position - begin + 1) + ' ' + std::string(what);
}

// White space before a text so that a window ends at each of its bytes in turn, and right behind it. Some of it in lines.
template <typename Body>
void at_each_cut(std::string_view text, Body body) {
  for (size_t cut = 0; cut <= text.size(); cut++) {
    std::string padded(kWindow - cut, ' ');
    if (cut % 3 == 0) padded[cut % 500] = '\n';
    if (cut % 5 == 0) padded.back() = '\n';
    body(padded += text);
  }
}

void check_good(const GoodText& c) {
  CAPTURE(std::string(c.text));
  CHECK(said(c.text) == c.dump);
  for_each_kernels([&] {
    at_each_cut(c.text, [&](const std::string& text) { CHECK(said_by_this(text) == c.dump); });
  });
}

void check_bad(const BadText& c) {
  CAPTURE(std::string(c.text));
  const size_t position = c.position == kAtEnd ? c.text.size() : c.position;
  CHECK(said(c.text) == error_at(c.text, position, c.what));
  for_each_kernels([&] {
    at_each_cut(c.text, [&](const std::string& text) { CHECK(said_by_this(text) == error_at(text, position + text.size() - c.text.size(), c.what)); });
  });
}

std::string repeat(std::string_view piece, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; i++) all += piece;
  return all;
}

std::string nested(size_t depth, std::string_view open = "[", std::string_view inside = "", std::string_view close = "]") {
  return repeat(open, depth) + std::string(inside) + repeat(close, depth);
}

// Runs on a thread with a stack of so many bytes.
template <typename Body>
void on_stack(size_t bytes, Body body) {
  sys::Thread thread;
  REQUIRE(!thread.start([](void* context) { (*static_cast<Body*>(context))(); }, &body, bytes));
  thread.join();
}

constexpr Duplicates kPolicies[] = {Duplicates::last, Duplicates::first, Duplicates::refuse};

}  // namespace

TEST_CASE("json corpus: what must be accepted") {
  for (const GoodText& c : kMustAccept) check_good(c);
}

TEST_CASE("json corpus: what must be refused, where and in which words") {
  for (const BadText& c : kMustRefuse) check_bad(c);
}

TEST_CASE("json corpus: what was decided") {
  for (const GoodText& c : kDecidedToAccept) check_good(c);
  for (const BadText& c : kDecidedToRefuse) check_bad(c);
}

TEST_CASE("json corpus: the corpus is large enough") {
  CHECK(std::size(kMustAccept) + std::size(kMustRefuse) + std::size(kDecidedToAccept) + std::size(kDecidedToRefuse) >= 320);
}

TEST_CASE("json corpus: a text that is cut ends too early, wherever that is") {
  const std::string_view text = "{\"a\\u00e9\\ud83d\\ude00\":[true,false,null,{\"b\":\"\xc3\xa9\xf0\x9d\x84\x9e\"}],\"a name of more than fourteen\":{}}";
  for (size_t size = 0; size < text.size(); size++) {
    const auto cut = Json::parse(text.substr(0, size));
    CAPTURE(size);
    REQUIRE(!cut);
    CHECK(cut.error().position == size);
    const bool in_character = size > 0 && (text[size] & 0xC0) == 0x80;
    CHECK(cut.error().what == (in_character ? kNotUtf8 : kCut));
  }
}

TEST_CASE("json corpus: each byte where a value may stand, and in a string") {
  for (int byte = 0; byte < 256; byte++) {
    const char c = static_cast<char>(byte);
    CAPTURE(byte);
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    const std::string before = std::string(1, c) + "1";
    CHECK(Json::parse(before).ok() == (space || c == '-' || (c >= '1' && c <= '9')));
    const std::string behind = std::string("[1]") + c;
    CHECK(Json::parse(behind).ok() == space);
    const std::string between = std::string("[1") + c + "1]";
    CHECK(Json::parse(between).ok() == (c == ',' || c == '.' || c == 'e' || c == 'E' || (c >= '0' && c <= '9')));
    const std::string string = std::string("\"") + c + "\"";
    CHECK(Json::parse(string).ok() == (byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\'));
    const std::string escaped = std::string("\"\\") + c + "\"";
    CHECK(Json::parse(escaped).ok() == (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos));
  }
}

TEST_CASE("json corpus: every escape of four digits") {
  char text[] = "\"\\u0000\"";
  for (uint32_t c = 0; c < 0x10000; c++) {
    std::snprintf(text, sizeof text, "\"\\u%04x\"", c);
    const auto parsed = Json::parse(text);
    REQUIRE(parsed.ok() == (c < 0xD800 || c > 0xDFFF));
    if (!parsed) continue;
    const std::string_view utf8 = parsed->text_or("");
    uint32_t back = static_cast<uint8_t>(utf8[0]);
    if (utf8.size() == 2) back &= 0x1F;
    if (utf8.size() == 3) back &= 0x0F;
    for (size_t i = 1; i < utf8.size(); i++) back = back << 6 | (static_cast<uint8_t>(utf8[i]) & 0x3F);
    REQUIRE(utf8.size() == (c < 0x80 ? 1 : c < 0x800 ? 2 : 3));
    REQUIRE(back == c);
  }
}

TEST_CASE("json corpus: lines and columns") {
  CHECK(said("\n\n  x") == "4 3 3 a value is wanted here");
  CHECK(said("[1,\r\n2,\r\n]") == "9 3 1 a value is wanted here");
  CHECK(said("[\"\xc3\xa9\xc3\xa9\" 1]") == "8 1 9 a comma or ']' is wanted here");
  CHECK(said("[1,\n") == "4 2 1 the text ends too early");
  CHECK(said("\"a\nb") == "2 1 3 a control character must be escaped in a string");
  CHECK(said(repeat("\n", 3000) + "?") == "3000 3001 1 a value is wanted here");
  CHECK(said(repeat(" ", 3000) + "?") == "3000 1 3001 a value is wanted here");
  JsonError error;
  error.line = 3;
  error.column = 7;
  error.what = "a comma or ']' is wanted here";
  CHECK(error.message() == "line 3, column 7: a comma or ']' is wanted here");
  std::strcpy(error.path, "/likes");
  CHECK(error.message() == "/likes: a comma or ']' is wanted here");
}

TEST_CASE("json corpus: depth, both sides") {
  struct {
    uint32_t depth;
    size_t allowed;
  } rows[] = {{0, 0}, {1, 1}, {2, 2}, {63, 63}, {64, 64}, {65, 65}, {1023, 1023}, {1024, 1024}, {1025, 1024}, {UINT32_MAX, 1024}};
  for (const auto& row : rows) {
    CAPTURE(row.depth);
    for (const std::string_view open : {"[", "{\"a\":", "[{\"a\":"}) {
      const size_t levels = open.size() == 6 ? 2 : 1;
      const std::string_view close = open == "[" ? "]" : levels == 2 ? "}]" : "}";
      const size_t fit = row.allowed / levels;
      const std::string good = nested(fit, open, "1", close);
      CHECK(said(good, {.depth = row.depth}) == good);
      const std::string bad = nested(fit + 1, open, "1", close);
      const size_t at = levels == 1 ? row.allowed * open.size() : fit * 6 + row.allowed % 2;
      CHECK(said(bad, {.depth = row.depth}) == error_at(bad, at, kTooDeep));
    }
  }
  CHECK(said(nested(64)) == nested(64));
  CHECK(said(nested(65)) == error_at(nested(65), 64, kTooDeep));
  CHECK(said("1", {.depth = 0}) == "1");
  CHECK(said("\"a\"", {.depth = 0}) == "\"a\"");
  const std::string wide = "[" + repeat("[[]],", 2000) + "[]]";
  CHECK(said(wide, {.depth = 3}) == wide);
}

// Reading does not recurse; what is done with a tree does, in the stack of a worker.
TEST_CASE("json corpus: no stack is too small for a deep text") {
  const std::string text = repeat("[{\"a\":", 512) + "1" + repeat("}]", 512);
  std::string good;
  bool same = false, longer = false;
  on_stack(size_t{1} << 20, [&] {
    const auto parsed = Json::parse(text, {.depth = 1024});
    if (!parsed) return;
    const Json copy = *parsed;
    good = copy.dump();
    same = copy == *parsed && copy.complete();
    longer = copy.dump(1).size() > good.size();
  });
  CHECK(good == text);
  CHECK(same);
  CHECK(longer);
  for (const size_t stack : {size_t{128} << 10, size_t{1} << 20}) {
    bool whole = false;
    std::string deep, open, objects;
    on_stack(stack, [&] {
      whole = Json::parse(text, {.depth = 1024}).ok();
      deep = said_by_this(nested(100'000));
      open = said_by_this(repeat("[", 100'000), {.depth = UINT32_MAX});
      objects = said_by_this(repeat("{\"a\":", 100'000), {.depth = 1024});
    });
    CHECK(whole);
    CHECK(deep == std::string("64 1 65 ") + std::string(kTooDeep));
    CHECK(open == std::string("1024 1 1025 ") + std::string(kTooDeep));
    CHECK(objects == std::string("5120 1 5121 ") + std::string(kTooDeep));
  }
}

TEST_CASE("json corpus: names that come twice") {
  // "last" keeps the place of the first.
  struct {
    std::string_view text, last, first;
    size_t refused;
  } rows[] = {
      {"{\"a\":1,\"a\":2}", "{\"a\":2}", "{\"a\":1}", 7},
      {"{\"a\":1,\"b\":2,\"a\":3,\"c\":4,\"b\":5}", "{\"a\":3,\"b\":5,\"c\":4}", "{\"a\":1,\"b\":2,\"c\":4}", 13},
      {"{\"a\":1,\"\\u0061\":2}", "{\"a\":2}", "{\"a\":1}", 7},
      {"{\"\\u0061\":\"\\\"\\\\\",\"a\":2}", "{\"a\":2}", "{\"a\":\"\\\"\\\\\"}", 17},
      {"{\"a name of more than fourteen\":1,\"a name of more than fourtee\\u006e\":2}", "{\"a name of more than fourteen\":2}", "{\"a name of more than fourteen\":1}", 34},
      {"{\"x\":{\"a\":[{\"b\":1,\"b\":2}]},\"x\":[]}", "{\"x\":[]}", "{\"x\":{\"a\":[{\"b\":1}]}}", 18},
      {"[\"a\",\"a\",{\"c\":\"c\",\"d\":\"d\", \"d\" :1}]", "[\"a\",\"a\",{\"c\":\"c\",\"d\":1}]", "[\"a\",\"a\",{\"c\":\"c\",\"d\":\"d\"}]", 27},
      {"{\"\":1,\"\":2}", "{\"\":2}", "{\"\":1}", 6},
      {"{\"a\":[1,2,{\"q\":1}],\"a\":{\"a\":\"a\"}}", "{\"a\":{\"a\":\"a\"}}", "{\"a\":[1,2,{\"q\":1}]}", 19},
  };
  for (const auto& row : rows) {
    CAPTURE(std::string(row.text));
    CHECK(said(row.text) == row.last);
    CHECK(said(row.text, {.duplicates = Duplicates::last}) == row.last);
    CHECK(said(row.text, {.duplicates = Duplicates::first}) == row.first);
    CHECK(said(row.text, {.duplicates = Duplicates::refuse}) == error_at(row.text, row.refused, kTwice));
    at_each_cut(row.text, [&](const std::string& text) {
      CHECK(said_by_this(text, {.duplicates = Duplicates::refuse}) == error_at(text, row.refused + text.size() - row.text.size(), kTwice));
      CHECK(said_by_this(text) == row.last);
    });
  }
  for (const std::string_view text : {"{\"a\":1,\"A\":2}", "{\"a\":{\"a\":{\"a\":1}}}", "[{\"a\":1},{\"a\":1}]", "{\"a\":\"a\",\"b\":\"a\"}", "{\"a\\u0000\":1,\"a\":2}", "{\"ab\":1,\"a\":2,\"\":3}"}) {
    CAPTURE(std::string(text));
    for (const Duplicates policy : kPolicies) CHECK(said(text, {.duplicates = policy}) == Json::parse(text)->dump());
  }
}

// A plain model of the three policies, for objects of few and of many members.
TEST_CASE("json corpus: names that come twice, few and many, against a model") {
  std::mt19937 rng(8259);
  for (const size_t count : {2u, 3u, 17u, 47u, 48u, 49u, 50u, 64u, 100u, 1000u}) {
    for (int round = 0; round < (count > 100 ? 5 : 40); round++) {
      std::string text = "{", last = "{", first = "{";
      std::vector<std::string> names;
      std::vector<std::pair<size_t, size_t>> values;
      size_t refused = kAtEnd;
      for (size_t i = 0; i < count; i++) {
        const size_t number = rng() % (round % 2 ? count : count * count);
        const std::string name = (number % 3 ? "n" : "a name of more than fourteen bytes ") + std::to_string(number);
        text += i ? "," : "";
        size_t same = 0;
        while (same < names.size() && names[same] != name) same++;
        if (same < names.size()) {
          if (refused == kAtEnd) refused = text.size();
          values[same].second = i;
        } else {
          names.push_back(name);
          values.emplace_back(i, i);
        }
        text += "\"" + (rng() % 4 ? name : "\\u00" + std::string(name[0] == 'n' ? "6e" : "61") + name.substr(1)) + "\":" + std::to_string(i);
      }
      text += "}";
      for (size_t i = 0; i < names.size(); i++) {
        first += (i ? ",\"" : "\"") + names[i] + "\":" + std::to_string(values[i].first);
        last += (i ? ",\"" : "\"") + names[i] + "\":" + std::to_string(values[i].second);
      }
      REQUIRE(said_by_this(text, {.duplicates = Duplicates::first}) == first + "}");
      REQUIRE(said_by_this(text) == last + "}");
      REQUIRE(said_by_this(text, {.duplicates = Duplicates::refuse}) == (refused == kAtEnd ? last + "}" : error_at(text, refused, kTwice)));
    }
  }
}

TEST_CASE("json corpus: how long a text may be, both sides") {
  const std::string_view text = " [1, 2] ";
  CHECK(said(text, {.max_bytes = text.size()}) == "[1,2]");
  CHECK(said(text, {.max_bytes = text.size() - 1}) == error_at(text, 0, kTooLong));
  CHECK(said("", {.max_bytes = 0}) == error_at("", 0, kCut));
  CHECK(said("1", {.max_bytes = 0}) == error_at("1", 0, kTooLong));
  CHECK(said("\xff", {.max_bytes = 0}) == error_at("1", 0, kTooLong));
  CHECK(said("1", {.max_bytes = SIZE_MAX}) == "1");
  CHECK(JsonOptions{}.max_bytes == size_t{256} << 20);
}

TEST_CASE("json corpus: strings of every size, at every place of a window, with and without escapes") {
  for (size_t size = 0; size < 80; size++) {
    for (const std::string_view tail : {"", "\\n", "\xc3\xa9", "\\\"", "\\\\"}) {
      const std::string text = "[\"" + std::string(size, 'x') + std::string(tail) + "\",\"" + std::string(size, 'y') + "\"]";
      for (const size_t pad : {size_t{0}, kWindow - size / 2 - 1, kWindow - size - 3}) CHECK(said(std::string(pad, ' ') + text) == text);
    }
  }
  for (const size_t size : {1000u, 1022u, 1023u, 1024u, 1025u, 2047u, 2048u, 2049u, 5000u, 70000u}) {
    const std::string plain = "\"" + std::string(size, 'x') + "\"", escapes = "\"" + repeat("\\n\\u0001", size) + "\"", accents = "\"" + repeat("\xe2\x82\xac", size) + "\"";
    CHECK(said(plain) == plain);
    CHECK(said(escapes) == escapes);
    CHECK(said(accents) == accents);
  }
}

TEST_CASE("json corpus: characters that are not UTF-8 are found wherever the windows cut them") {
  const std::string_view bad[] = {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xff", "\x80", "\xe2\x82", "\xf0\x9d\x84"};
  for (const std::string_view bytes : bad) {
    for (size_t before = kWindow - 8; before < kWindow + 3; before++) {
      for (const std::string_view wide : {"", "\xc3\xa9\xf0\x9d\x84\x9e"}) {
        const std::string start = "\"" + std::string(wide);
        const std::string text = start + std::string(before - start.size(), 'a') + std::string(bytes) + "a\"";
        size_t good = 0;  // bytes of it that may begin a character
        while (Json::parse(start + std::string(bytes.substr(0, good + 1))).error().position == start.size() + good + 1) good++;
        CHECK(said(text) == error_at(text, before + good, kNotUtf8));
      }
    }
  }
}

TEST_CASE("json corpus: large texts of all kinds, by all sets") {
  std::string text = "[";
  for (int i = 0; i < 3000; i++) {
    text += "{\"id\":" + std::to_string(i * 7919) + ",\"name\":\"user \\u00e9 " + std::to_string(i) + "\",\"tags\":[\"a\",\"\xc3\xa9\",\"" + std::string(static_cast<size_t>(i % 70), 't') +
            "\"],\"x\":" + std::to_string(i) + ".25,\"ok\":" + (i % 2 ? "true" : "false") + ",\"none\":null},";
  }
  text.back() = ']';
  const std::string dump = said(text);
  REQUIRE(dump.front() == '[');
  CHECK(said(dump) == dump);
  CHECK(Json::parse(text)->size() == 3000);
}

TEST_CASE("json corpus: elements far behind others in one document are found again") {
  // The array is larger than what a cell can say of its place in its memory.
  constexpr size_t kMany = (size_t{17} << 20);
  std::string text = "[\"a text of more than fourteen bytes\",[";
  text.reserve(2 * kMany + 200);
  for (size_t i = 0; i < kMany; i++) text += "0,";
  text.back() = ']';
  text += ",\"fifteen bytes..\",[1],[\"sixteen bytes...\"]]";
  auto parsed = Json::parse(text);
  REQUIRE(parsed);
  Json string = std::move((*parsed)[2]), array = std::move((*parsed)[3]), last = std::move((*parsed)[4]);
  CHECK((*parsed)[1].size() == kMany);
  *parsed = Json();
  CHECK(string == Json("fifteen bytes.."));
  CHECK(array.dump() == "[1]");
  CHECK(last.dump() == "[\"sixteen bytes...\"]");
}
