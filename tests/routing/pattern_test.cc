// src/routing/pattern.h and constraint.h: what may be registered, and what a parameter may be asked to be.
#include "routing/pattern.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace martlet;
using routing::Constraints;
using routing::Pattern;

TEST_CASE("pattern: letters are encoded as a request must send them") {
  Pattern pattern;
  REQUIRE(Pattern::parse("/caf\xC3\xA9/%7euser/%c3%a9/:\xC3\xA9", pattern) == nullptr);
  CHECK(pattern.text == "/caf%C3%A9/~user/%C3%A9");
  CHECK(pattern.params == std::vector<std::string>{"\xC3\xA9"});
  REQUIRE(pattern.segments().size() == 4);
  CHECK(pattern.text_of(pattern.segments()[0]) == "caf%C3%A9");
  CHECK(pattern.text_of(pattern.segments()[1]) == "~user");
  CHECK(pattern.segments()[3].kind == Pattern::Kind::param);
}

TEST_CASE("pattern: what is good, with its parameters") {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"/", {}}, {"//", {}}, {"*", {}}, {"/a", {}}, {"/:a", {"a"}}, {"/:a/b/:long_name/*", {"a", "long_name", "*"}}, {"/*", {"*"}},
      {"/a*", {}}, {"/a:b", {}}, {"/a[b]", {}}, {"/*x", {"x", "*"}}, {"/[a]", {"a"}}, {"/[a]/:b/[c]?", {"a", "b", "c"}}, {"/:a?", {"a"}},
      {"/:a<int>", {"a"}}, {"/:a<uuid>/:b<slug>/:c<alnum>?", {"a", "b", "c"}}, {"/[a<int>]", {"a"}}, {"/[a<int>]?", {"a"}}, {"/:A1_z", {"A1_z"}}};
  for (const auto& c : cases) {
    CAPTURE(std::string(c.first));
    Pattern pattern;
    CHECK(Pattern::parse(c.first, pattern) == nullptr);
    CHECK(pattern.written == c.first);
    CHECK(pattern.params == c.second);
    CHECK(pattern.optional == std::string_view(c.first).ends_with('?'));
  }
}

TEST_CASE("pattern: mistakes, and the sentence for each kind") {
  const std::pair<const char*, std::vector<const char*>> kinds[] = {
      {"a path begins with '/'", {"", "a", "**", "*/", ":a"}},
      {"a path holds no '?', '#', space or control character", {"/a?b", "/a?", "/a#b", "/a b", "/?", "/a\x7f", "/a\t"}},
      {"a path holds no '.' or '..' segment, no encoded NUL, and no '%' but in escapes",
       {"/a/../b", "/a/.", "/%2e%2e/x", "/a%00", "/%", "/a/%zz/:b", "/..;x/a", "/a%2f..", "/:a/.."}},
      {"'*' stands at the end of a path only", {"/*/a", "/*x/*/", "/*/", "/*rest/:a", "/*?/a"}},
      {"'*' takes an empty rest as it is, without '?'", {"/*?", "/a/*rest?"}},
      {"a parameter needs a name", {"/:", "/a/:/b", "/[]", "/:?", "/:<int>", "/[<int>]?"}},
      {"a parameter's name stands twice in a path", {"/:a/:a", "/:a/[a]", "/:a/*a", "/:a<int>/:a<slug>?"}},
      {"a parameter is a whole segment, and its name has letters, digits and '_'",
       {"/:a.json", "/:from-:to", "/:a*", "/**", "/*a.b", "/[...rest]", "/[[a]]", "/:a:b", "/:a>", "/:a<int", "/:a%20", "/:a?b", "/:a??"}},
      {"'?' stands behind the last parameter of a path only", {"/:a?/b", "/:a?/:b?", "/[a]?/", "/:?/b"}},
      {"'[' begins a parameter, [name], which ends with its segment", {"/[", "/[a", "/[a]b", "/[a<int>", "/[a]<int>"}},
      {"a constraint, :name<constraint>, ends its segment", {"/:a<int>b", "/:a<int>.json"}},
      {"no such constraint: there are int, uuid, slug, alnum, and those given to constraint() before", {"/:a<>", "/:a<even>", "/:a<Int>", "/:a<int><int>", "/:a<int >"}},
  };
  for (const auto& kind : kinds) {
    for (const char* bad : kind.second) {
      CAPTURE(std::string(bad));
      Pattern pattern;
      const char* wrong = Pattern::parse(bad, pattern);
      REQUIRE(wrong != nullptr);
      const bool unclosed = std::string_view(bad) == "/:a<int";
      CHECK(std::string_view(wrong) == (unclosed ? "a constraint, :name<constraint>, ends its segment" : kind.first));
    }
  }
}

TEST_CASE("pattern: sixteen parameters and a hundred segments, and no more") {
  const auto wrong = [](std::string_view piece, int count, std::string_view end) {
    std::string text;
    for (int i = 0; i < count; i++) text += piece == "/:p" ? "/:p" + std::to_string(i) : std::string(piece);
    Pattern pattern;
    const char* what = Pattern::parse(text.append(end), pattern);
    return std::string(what ? what : "");
  };
  constexpr const char* kParams = "a path has at most 16 parameters (a '*' with a name counts as two)";
  CHECK(wrong("/:p", 16, "") == "");
  CHECK(wrong("/:p", 17, "") == kParams);
  CHECK(wrong("/:p", 15, "/*") == "");
  CHECK(wrong("/:p", 16, "/*") == kParams);
  CHECK(wrong("/:p", 14, "/*rest") == "");
  CHECK(wrong("/:p", 15, "/*rest") == kParams);
  CHECK(wrong("/a", 100, "") == "");
  CHECK(wrong("/a", 101, "") == "a path has at most 100 segments");
}

TEST_CASE("constraint: the built-in ones") {
  struct Case {
    const char* name;
    std::vector<std::string> yes, no;
  };
  const Case cases[] = {
      {"int", {"0", "7", "-1", "007", "-0", "9223372036854775807", "-9223372036854775808"},
       {"", "-", "+1", "1.0", "0x1", "1e3", " 1", "1 ", "--1", "9223372036854775808", "-9223372036854775809", "%31", "1%20"}},
      {"uuid", {"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-42661417400F", "00000000-0000-0000-0000-000000000000"},
       {"", "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-4266141740000", "123e4567-e89b-12d3-a456-42661417400g",
        "123e4567ee89b-12d3-a456-426614174000", "{23e4567-e89b-12d3-a456-42661417400}", "123e4567-e89b-12d3-a456426614174000-", "--------------------------------3456"}},
      {"slug", {"a", "A-b_9", "-", "a--b"}, {"a.b", "a%20b", "\xC3\xA9", "a/b", "a~"}},
      {"alnum", {"a", "Z9", "0"}, {"a-b", "a_b", "%41", "a.b", "{", "@", "[", "`", ":", "/"}},
  };
  for (const Case& c : cases) {
    const routing::Constraint* constraint = Constraints().find(c.name);
    REQUIRE(constraint != nullptr);
    CAPTURE(std::string(c.name));
    for (const std::string& text : c.yes) {
      CAPTURE(text);
      CHECK(constraint->holds(text));
    }
    for (const std::string& text : c.no) {
      CAPTURE(text);
      CHECK(!constraint->holds(text));
    }
  }
}

TEST_CASE("constraint: a predicate sees the decoded segment, and says no when it throws") {
  Constraints own;
  std::string seen;
  CHECK(own.add("seen", Constraints::predicate_of([&](std::string_view text) { return (seen = text) != "no"; })) == nullptr);
  const routing::Constraint& constraint = *own.find("seen");
  CHECK(constraint.holds("plain"));
  CHECK(seen == "plain");
  CHECK(constraint.holds("a%20%C3%A9%2F"));
  CHECK(seen == "a \xC3\xA9/");
  CHECK(!constraint.holds("no"));
  CHECK(constraint.holds("%20" + std::string(routing::kMaxDecodedSegment - 3, 'x')));
  CHECK(seen.size() == routing::kMaxDecodedSegment - 2);
  CHECK(!constraint.holds("%20" + std::string(routing::kMaxDecodedSegment - 2, 'x')));
  CHECK(constraint.holds(std::string(60'000, 'x')));  // nothing to decode
#if MARTLET_HAS_EXCEPTIONS
  CHECK(own.add("throws", Constraints::predicate_of([](std::string_view text) -> bool { throw std::string(text); })) == nullptr);
  CHECK(!own.find("throws")->holds("x"));
#endif
}

TEST_CASE("constraint: names, and tables that are mounted") {
  const auto yes = [] { return Constraints::predicate_of([](std::string_view) { return true; }); };
  Constraints outer;
  CHECK(outer.add("even", yes()) == nullptr);
  CHECK(std::string(outer.add("even", yes())) == "there is a constraint of this name");
  CHECK(std::string(outer.add("int", yes())) == "this constraint is built in");
  for (const char* bad : {"", "a-b", "a>", " "}) CHECK(std::string(outer.add(bad, yes())) == "a constraint's name has letters, digits and '_'");
  CHECK(std::string(outer.add("none", routing::Predicate())) == "a constraint needs a predicate");
  Pattern pattern;
  {
    Constraints inner;
    CHECK(inner.find("even") == nullptr);
    inner.set_outer(&outer);
    CHECK(inner.find("even") == outer.find("even"));
    CHECK(inner.find("int") == Constraints::find_builtin("int"));
    CHECK(inner.add("even", yes()) == nullptr);
    CHECK(inner.find("even") != outer.find("even"));
    REQUIRE(Pattern::parse("/:x<even>", pattern, &inner) == nullptr);
    outer.adopt(std::move(inner));
  }
  CHECK(pattern.segments()[0].constraint->holds("x"));
  CHECK(pattern.segments()[0].constraint != outer.find("even"));
}
