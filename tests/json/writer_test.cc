// JsonWriter and Json::dump, by the contract of martlet/json_writer.h: what they write in every format, and what becomes of it
// when memory is out. Numbers are in number_test.cc.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;

namespace {

// What RFC 8259 §7 asks for, and the header's words: byte for byte.
std::string quoted(std::string_view text, bool html = false) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    const size_t short_escape = std::string_view("\b\f\n\r\t\"\\").find(c);
    if (short_escape != std::string_view::npos) {
      out += {'\\', "bfnrt\"\\"[short_escape]};
    } else if (static_cast<uint8_t>(c) < 0x20 || (html && (c == '<' || c == '>' || c == '&'))) {
      out += "\\u00";
      out += {"0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    } else if (html && (text.substr(i, 3) == "\u2028" || text.substr(i, 3) == "\u2029")) {
      out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Something of everything, by every call.
void write_all(JsonWriter& w) {
  const std::string name = "a \"name\" of run time";
  w.object([&] {
    w.member("id", 7);
    w.key("tags");
    w.array([&] {
      w.value("a");
      w.value(nullptr);
      w.value(true);
      w.value(1.5);
      w.value(UINT64_MAX);
      w.array([] {});
      w.object([] {});
      w.raw("[1]");
    });
    w.member(name, Json({{"in", Json::array({1, Json::object(), Json::array()})}}));
    w.member("<&>\n", "\u2028");
    w.key(name + "2");
    w.value(std::vector<int>{1, 2});
    w.member("none", Json());
  });
}

const std::string kCompact = R"({"id":7,"tags":["a",null,true,1.5,18446744073709551615,[],{},[1]],"a \"name\" of run time":{"in":[1,{},[]]},)"
                             "\"<&>\\n\":\"\u2028\",\"a \\\"name\\\" of run time2\":[1,2],\"none\":null}";

Json deep_array(size_t levels) {
  Json value = Json::array();
  for (size_t i = 1; i < levels; i++) {
    Json outer = Json::array();
    outer.push_back(std::move(value));
    value = std::move(outer);
  }
  return value;
}

const JsonFormat kFormats[] = {{}, {.html = true}, {.indent = 2}, {.html = true, .indent = 1}, {.indent = 16}};

}  // namespace

TEST_CASE("json writer: all calls, compact") {
  JsonWriter w;
  write_all(w);
  CHECK(w.ok());
  CHECK(w.text() == kCompact);
  CHECK(Json::parse(w.text()).ok());
}

TEST_CASE("json writer: every format is the same value") {
  const Json value = *Json::parse(kCompact);
  for (const JsonFormat& format : kFormats) {
    JsonWriter w(format), tree(format);
    write_all(w);
    auto parsed = Json::parse(w.text());
    REQUIRE(parsed);
    CHECK(*parsed == value);
    tree.value(value);
    CHECK(tree.text() == value.dump(format));
    CHECK(*Json::parse(tree.text()) == value);
    if (format.html) CHECK(w.text().find_first_of("<>&\xe2") == std::string_view::npos);
  }
  CHECK(value.dump() == kCompact);
}

TEST_CASE("json writer: lines and spaces") {
  JsonWriter w({.indent = 2});
  w.begin_object();
  w.member("a", 1);
  w.key("b");
  w.begin_array();
  w.value(1);
  w.begin_array();
  w.end_array();
  w.begin_object();
  w.end_object();
  w.raw("{}");
  w.end_array();
  w.member(std::string("c"), Json({{"d", Json::array({Json::array({1})})}}));
  w.end_object();
  const std::string wanted =
      "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    [],\n    {},\n    {}\n  ],\n  \"c\": {\n    \"d\": [\n      [\n        1\n      ]\n    ]\n  }\n}";
  CHECK(w.text() == wanted);
  CHECK(Json::parse(wanted)->dump(2) == wanted);
  CHECK(Json::array({1}).dump(1) == "[\n 1\n]");
  CHECK(Json::array({1}).dump(16) == "[\n" + std::string(16, ' ') + "1\n]");
  CHECK(Json::array({1}).dump(17) == Json::array({1}).dump(16));
  CHECK(Json::array({1}).dump(UINT32_MAX) == Json::array({1}).dump(16));
  CHECK(Json::array().dump(4) == "[]");
  CHECK(Json(1).dump(4) == "1");
  CHECK(Json({{"a", Json::array()}}).dump(JsonFormat{.html = true}) == R"({"a":[]})");
}

TEST_CASE("json writer: every byte, at every place of a text, in each format") {
  for (size_t size : {1u, 7u, 8u, 9u, 14u, 15u, 16u, 17u, 31u, 63u, 64u, 65u, 200u}) {
    for (int c = 0; c < 256; c++) {
      for (size_t at = 0; at < size; at += size > 65 ? 33 : 1) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(c);
        JsonWriter w, pages({.html = true}), lines({.indent = 1});
        w.value(text), pages.value(text), lines.value(text);
        const std::string wanted = quoted(text);
        if (w.text() != wanted || lines.text() != wanted || pages.text() != quoted(text, true) || Json(text).dump() != wanted) FAIL(size << ' ' << c << ' ' << at);
        w.clear();
        w.object([&] { w.member(text, text); });
        if (w.text() != '{' + wanted + ':' + wanted + '}') FAIL(size << ' ' << c << ' ' << at);
        if (Json({{text, text}}).dump() != w.text()) FAIL(size << ' ' << c << ' ' << at);
        const auto write = [&](JsonWriter& out) {
          out.clear();
          out.object([&] { out.member("a", text), out.member("b", true), out.member("c", text), out.member("d", text); });
        };
        write(w), write(pages);
        if (w.text() != "{\"a\":" + wanted + ",\"b\":true,\"c\":" + wanted + ",\"d\":" + wanted + '}') FAIL(size << ' ' << c << ' ' << at);
        const std::string safe = quoted(text, true);
        if (pages.text() != "{\"a\":" + safe + ",\"b\":true,\"c\":" + safe + ",\"d\":" + safe + '}') FAIL(size << ' ' << c << ' ' << at);
      }
    }
  }
}

TEST_CASE("json writer: html escapes what a page or script would end at") {
  const Json value = {{"</script>", "<!-- & \u2028\u2029 \u2027\u202a \xe2\x80"}};
  const std::string text = value.dump(JsonFormat{.html = true});
  CHECK(text == "{\"\\u003c/script\\u003e\":\"\\u003c!-- \\u0026 \\u2028\\u2029 \u2027\u202a \xe2\x80\"}");
}

TEST_CASE("json writer: numbers that JSON has not are null") {
  for (const double none : {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    JsonWriter w;
    w.value(none);
    CHECK(w.text() == "null");
    CHECK(Json(none).dump() == "null");
    CHECK(Json(none).dump(1) == "null");
  }
  CHECK(Json::array({INT64_MIN, UINT64_MAX, int8_t{-128}, 0, -0.0, 1e300, 5e-324}).dump() == "[-9223372036854775808,18446744073709551615,-128,0,-0.0,1e300,5e-324]");
}

TEST_CASE("json writer: a text of every length across the writer's own memory") {
  for (size_t size = 0; size < 1200; size++) {
    const std::string text(size, 'a');
    test::FailingAlloc alloc;
    {
      JsonWriter w;
      w.array([&] { w.value(text), w.value(1); });
      CHECK(w.text() == "[\"" + text + "\",1]");
      if (size <= 390) CHECK(alloc.held == 0);
      w.clear();
      CHECK(w.text() == "");
      w.value(2);
      CHECK(w.text() == "2");
    }
    CHECK(alloc.held == 0);
  }
}

TEST_CASE("json writer: members of every kind across the writer's own memory") {
  for (size_t size = 330; size < 460; size++) {
    const std::string text(size, 'a');
    JsonWriter w;
    w.object([&] { w.member("t", text), w.member("s", std::string("fifteen letters")), w.member("b", false), w.member("n", INT64_MIN); });
    CHECK(w.text() == "{\"t\":\"" + text + "\",\"s\":\"fifteen letters\",\"b\":false,\"n\":-9223372036854775808}");
  }
}

TEST_CASE("json writer: grows by any piece, many times") {
  for (const JsonFormat& format : kFormats) {
    JsonWriter w(format);
    Json list = Json::array();
    w.array([&] {
      for (int i = 0; i < 20'000; i++) {
        w.value(i);
        list.push_back(i);
      }
      w.value(std::string(100'000, 'x'));
      list.push_back(std::string(100'000, 'x'));
    });
    CHECK(w.ok());
    CHECK(w.text() == list.dump(format));
    CHECK(*Json::parse(w.text()) == list);
  }
}

TEST_CASE("json writer: clear begins anew, with levels and memory") {
  for (const JsonFormat& format : kFormats) {
    JsonWriter w(format);
    w.begin_object();
    w.key("a");
    w.begin_array();
    w.value(std::string(1000, 'a'));
    w.clear();
    CHECK(w.text() == "");
    test::FailingAlloc none(0);
    w.array([&] { w.value(std::string(800, 'b')); });
    CHECK(w.ok());
    CHECK(w.text().find('b') == 1 + (format.indent ? 1 + format.indent : 0) + 1);
  }
}

TEST_CASE("json writer: a mebibyte of control characters") {
  const std::string text(1 << 20, '\x01');
  std::string wanted = "\"";
  for (size_t i = 0; i < text.size(); i++) wanted += "\\u0001";
  wanted += '"';
  for (const JsonFormat& format : kFormats) {
    JsonWriter w(format);
    w.value(text);
    CHECK(w.text() == wanted);
    CHECK(Json(text).dump(format) == wanted);
  }
}

TEST_CASE("json writer: when memory is out there is no text, whatever comes then") {
  const Json tree = *Json::parse(kCompact);
  const std::string big(600, 'x'), escapes(600, '\n');
  using Write = void (*)(JsonWriter&, const Json&, const std::string&, const std::string&);
  const Write writes[] = {
      [](JsonWriter& w, const Json&, const std::string& big, const std::string&) { w.value(big); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string& escapes) { w.value(escapes); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string& escapes) { w.object([&] { w.member(escapes, 1); }); },
      [](JsonWriter& w, const Json&, const std::string& big, const std::string&) { w.raw(big); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string& escapes) { w.value(Json({{escapes, escapes}})); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string& escapes) { w.value(std::vector<std::string>{escapes}); },
      [](JsonWriter& w, const Json& tree, const std::string&, const std::string&) { w.array([&] { for (int i = 0; i < 40; i++) w.value(tree); }); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string&) { w.array([&] { for (int i = 0; i < 5000; i++) w.value(i), w.value(0.1), w.value(true); }); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string&) { w.array([&] { for (int i = 0; i < 2000; i++) w.object([&] { w.member("key", nullptr); }); }); },
      [](JsonWriter& w, const Json&, const std::string&, const std::string&) {
        for (int i = 0; i < 300; i++) w.begin_array();
        for (int i = 0; i < 300; i++) w.end_array();
      },
      [](JsonWriter& w, const Json&, const std::string&, const std::string&) { w.value(deep_array(100)); },
  };
  for (const JsonFormat& format : kFormats) {
    for (const Write write : writes) {
      for (size_t allowed = 0; allowed < 12; allowed++) {
        test::FailingAlloc alloc;
        {
          JsonWriter w(format);
          w.value("before");
          test::FailingAlloc::left = allowed;
          write(w, tree, big, escapes);
          const bool failed = alloc.failures != 0 && !w.ok();
          if (alloc.failures == 0) CHECK(w.ok());
          test::FailingAlloc::left = SIZE_MAX;
          if (!w.ok()) {
            write(w, tree, big, escapes);  // nothing changes that
            write_all(w);
            CHECK(w.text().empty());
            CHECK(failed);
          }
          w.clear();
          CHECK(w.ok());
          write_all(w);
          CHECK(*Json::parse(w.text()) == tree);
        }
        CHECK(alloc.held == 0);
      }
    }
  }
}

TEST_CASE("json writer: arrays a thousand deep") {
  const Json deep = deep_array(1000);
  CHECK(deep.dump() == std::string(1000, '[') + std::string(1000, ']'));
  CHECK(deep.dump(JsonFormat{.html = true}) == deep.dump());
  const std::string pretty = deep.dump(1);
  CHECK(pretty.size() == 2000 + 1998 + 999 * 999 + 0 - 0);
  auto parsed = Json::parse(pretty, {.depth = 1024});
  REQUIRE(parsed);
  CHECK(*parsed == deep);
  CHECK(Json::parse(deep_array(1024).dump(16), {.depth = 1024}).ok());
  CHECK_FALSE(Json::parse(deep_array(1024).dump(), {.depth = 1023}).ok());
}
