// Percent-decoding, in place and beside; and the walk over query strings.
#include "codec/percent.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/guarded.h"

using martlet::codec::decode_percent;
using martlet::codec::is_plain;
using martlet::codec::Plus;
using martlet::codec::QueryPairs;
using martlet::test::Guarded;

namespace {

// Decodes beside and in place, against an unmapped page, and compares the two.
std::optional<std::string> decoded(std::string_view text) {
  const Guarded guarded(text);
  const std::string_view view = martlet::base::as_text(guarded.span());
  std::string out(text.size(), '\0');
  const std::optional<size_t> beside = decode_percent(view, out.data());
  const std::optional<size_t> in_place = decode_percent(view, reinterpret_cast<char*>(guarded.data()));
  CHECK(beside == in_place);
  if (!beside) return std::nullopt;
  out.resize(*beside);
  CHECK(out == view.substr(0, *in_place));
  return out;
}

std::vector<std::string> pairs(std::string_view query) {
  std::vector<std::string> found;
  QueryPairs walk(query);
  std::string_view key;
  std::string_view value;
  while (walk.next(key, value)) found.push_back(std::string(key) + "=" + std::string(value));
  CHECK(!walk.next(key, value));
  return found;
}

}  // namespace

TEST_CASE("percent: every byte, in upper and lower case digits") {
  static const char kUpper[] = "0123456789ABCDEF";
  static const char kLower[] = "0123456789abcdef";
  for (size_t c = 0; c < 256; c++) {
    const std::string expected(1, static_cast<char>(c));
    CHECK(decoded(std::string{'%', kUpper[c >> 4], kUpper[c & 15]}) == expected);
    CHECK(decoded(std::string{'%', kLower[c >> 4], kLower[c & 15]}) == expected);
  }
}

TEST_CASE("percent: text without escapes stays as it is") {
  CHECK(decoded("") == std::string());
  CHECK(decoded("a-b_c.d~e/f") == std::string("a-b_c.d~e/f"));
  CHECK(decoded("%41b%43") == std::string("AbC"));
  CHECK(decoded("%2525") == std::string("%25"));
}

TEST_CASE("percent: a plus is a plus") { CHECK(decoded("a+b%2Bc") == std::string("a+b+c")); }

TEST_CASE("percent: an escape that is cut off or has other digits is refused") {
  for (const char* text : {"%",   "%4",  "a%",  "a%4", "%%41", "%4%41", "%zz", "%4g", "%g4", "% 4", "%+4", "%/0",
                           "%:0", "%@0", "%G0", "%`0", "%0/",  "%0:",   "%0@", "%0G", "%0`", "%-1", "%0x"}) {
    CHECK_MESSAGE(!decoded(text), text);
  }
  CHECK(!decoded("%\xC1\xC1"));
  CHECK(!decoded(std::string_view("%\0000", 3)));
}

TEST_CASE("percent: plain is what decoding would not change") {
  CHECK(is_plain(""));
  CHECK(is_plain(std::string_view()));
  CHECK(is_plain("a+b"));
  CHECK(!is_plain("a+b", Plus::is_space));
  CHECK(is_plain("ab", Plus::is_space));
  CHECK(!is_plain("a%20b"));
  CHECK(!is_plain("a%", Plus::is_space));
}

TEST_CASE("percent: query pairs come in order, still encoded") {
  using Found = std::vector<std::string>;
  CHECK(pairs("a=1&b=2") == Found{"a=1", "b=2"});
  CHECK(pairs("a=%26&b+c=d+e") == Found{"a=%26", "b+c=d+e"});
  CHECK(pairs("a=1&a=2&a=") == Found{"a=1", "a=2", "a="});
  CHECK(pairs("a=b=c&flag&=v&=") == Found{"a=b=c", "flag=", "=v", "="});
  CHECK(pairs("").empty());
  CHECK(pairs("&&&").empty());
  CHECK(pairs("&a=1&&b=2&") == Found{"a=1", "b=2"});
}
