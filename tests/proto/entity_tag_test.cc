// Entity tags: one, lists, both comparisons, and tags made from bytes.
#include "proto/entity_tag.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/guarded.h"

using namespace martlet::proto;
using martlet::test::Guarded;

namespace {

std::string one(std::string_view text) {
  const Guarded guarded(text);
  const auto tag = parse_entity_tag(martlet::base::as_text(guarded.span()));
  return tag ? (tag->weak ? "W:" : "S:") + std::string(tag->opaque) : "no";
}

std::string listed(std::string_view list) {
  const Guarded guarded(list);
  EntityTagList tags(martlet::base::as_text(guarded.span()));
  std::string all;
  EntityTag tag;
  TagStep step;
  while ((step = tags.next(tag)) == TagStep::tag) all += (tag.weak ? "W:" : "S:") + std::string(tag.opaque) + "|";
  CHECK(tags.next(tag) == step);
  return all + (step == TagStep::malformed ? "malformed" : "");
}

std::string made(std::string_view body, Comparison strength = Comparison::strong) {
  const Guarded bytes(body);
  const Guarded room(std::string(kEntityTagBytes, '#'));
  auto* out = reinterpret_cast<char*>(room.data());
  return {out, encode_entity_tag(bytes.span(), strength, out)};
}

}  // namespace

TEST_CASE("entity_tag: one") {
  struct Case {
    std::string_view text, read;
  };
  for (const Case& c : {
           Case{"\"xyzzy\"", "S:xyzzy"}, {"W/\"xyzzy\"", "W:xyzzy"}, {"\"\"", "S:"}, {"W/\"\"", "W:"}, {"\"a,b\"", "S:a,b"},
           {"\"a\\\"", "S:a\\"}, {"\"W/\"", "S:W/"}, {"\"\xE9!~\"", "S:\xE9!~"}, {"\"*\"", "S:*"}, {"", "no"}, {"xyzzy", "no"},
           {"\"", "no"}, {"\"a", "no"}, {"a\"", "no"}, {"W/", "no"}, {"W", "no"}, {"W/\"", "no"}, {"W/a", "no"},
           {"w/\"a\"", "no"}, {"W /\"a\"", "no"}, {"\"a b\"", "no"}, {"\"a\tb\"", "no"}, {"\"a\x7F\"", "no"}, {"\"a\"b\"", "no"},
           {"\"a\" ", "no"}, {" \"a\"", "no"}, {"\"a\",\"b\"", "no"}, {"'a'", "no"}, {"*", "no"}, {{"\"\0\"", 3}, "no"},
       }) {
    CAPTURE(c.text);
    CHECK(one(c.text) == c.read);
  }
}

TEST_CASE("entity_tag: lists") {
  struct Case {
    std::string_view list, read;
  };
  for (const Case& c : {
           Case{"\"a\"", "S:a|"}, {"\"a\", W/\"b\",\"c\"\t,\t\"d\"", "S:a|W:b|S:c|S:d|"}, {", ,\"a\",,\"b\" , ", "S:a|S:b|"},
           {"\"a,b\",\"\"", "S:a,b|S:|"}, {"", "malformed"}, {" ", "malformed"}, {",", "malformed"}, {"*", "malformed"},
           {"\"a\" \"b\"", "S:a|malformed"}, {"\"a\"\"b\"", "S:a|malformed"}, {"\"a\", b, \"c\"", "S:a|malformed"},
           {"\"a\", *", "S:a|malformed"}, {"*, \"a\"", "malformed"}, {"\"a\", \"b", "S:a|malformed"}, {"a", "malformed"},
           {"\"a\";\"b\"", "S:a|malformed"}, {"W/ \"a\"", "malformed"}, {"\"a\", W/", "S:a|malformed"},
       }) {
    CAPTURE(c.list);
    CHECK(listed(c.list) == c.read);
  }
}

TEST_CASE("entity_tag: the table of RFC 9110 §8.8.3.2") {
  struct Case {
    std::string_view a, b;
    bool strong, weak;
  };
  for (const Case& c : {Case{"W/\"1\"", "W/\"1\"", false, true}, {"W/\"1\"", "W/\"2\"", false, false},
                        {"W/\"1\"", "\"1\"", false, true}, {"\"1\"", "\"1\"", true, true}, {"\"1\"", "\"A\"", false, false},
                        {"\"a\"", "\"A\"", false, false}, {"\"\"", "\"\"", true, true}, {"\"a\"", "\"ab\"", false, false}}) {
    const auto a = parse_entity_tag(c.a);
    const auto b = parse_entity_tag(c.b);
    REQUIRE((a && b));
    CHECK(same_tag(*a, *b, Comparison::strong) == c.strong);
    CHECK(same_tag(*b, *a, Comparison::strong) == c.strong);
    CHECK(same_tag(*a, *b, Comparison::weak) == c.weak);
    CHECK(same_tag(*b, *a, Comparison::weak) == c.weak);
  }
}

// Fixed, as clients keep them over the restarts of a server, and several hosts must say the same.
TEST_CASE("entity_tag: made from bytes, the same for ever") {
  CHECK(made("") == "\"0-45a5f9cb569c2836\"");
  CHECK(made("hello") == "\"5-210a563a6a0af3d0\"");
  CHECK(made("hello", Comparison::weak) == "W/" + made("hello"));
  CHECK(made(std::string(1000, 'x')) == "\"3e8-83d0e55cf9b3fe4a\"");
  CHECK(made(std::string(15, 'x')).starts_with("\"f-"));
  CHECK(made(std::string(16, 'x')).starts_with("\"10-"));
  CHECK(one(made("any")) == "S:" + made("any").substr(1, made("any").size() - 2));
}

TEST_CASE("entity_tag: bodies that are nearly the same have other tags") {
  std::set<std::string> tags;
  size_t bodies = 0;
  const auto add = [&](const std::string& body) {
    tags.insert(made(body));
    bodies++;
  };
  for (size_t size = 0; size < 100; size++) add(std::string(size, '\0'));
  const std::string base(77, 'a');
  for (size_t bit = 0; bit < base.size() * 8; bit++) {
    std::string body = base;
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ 1 << bit % 8);
    add(body);
  }
  for (size_t i = 0; i < base.size(); i++) {  // two neighbours, and two that are a block apart
    for (const size_t apart : {size_t{1}, size_t{8}, size_t{32}}) {
      std::string body = base;
      body[i] = 'b';
      if (i + apart < body.size()) body[i + apart] = 'c';
      if (i + apart < body.size()) add(body);
    }
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; i++) add(std::to_string(random() % 1000000000) + "," + std::to_string(i));
  CHECK(tags.size() == bodies);
}
