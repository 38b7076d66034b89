// The whole-text check and the cut; the kernels behind the check have tests of their own.
#include "codec/utf8.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::codec::cut_utf8;
using martlet::codec::is_valid_utf8;
using martlet::test::Guarded;

TEST_CASE("utf8: whole texts of every length of character are valid") {
  for (const char* text : {"", "plain", "\xC2\x80\xDF\xBF", "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"}) {
    const Guarded guarded(text);
    CHECK(is_valid_utf8(guarded.span()));
  }
  CHECK(is_valid_utf8(as_bytes(std::string_view("\0", 1))));
}

TEST_CASE("utf8: a text that ends inside a character is not valid") {
  const std::string text = "long enough for the vectors, then one \xF0\x9F\x98\x80";
  CHECK(is_valid_utf8(as_bytes(text)));
  for (size_t missing = 1; missing < 4; missing++) {
    CHECK(!is_valid_utf8(as_bytes(std::string_view(text).substr(0, text.size() - missing))));
  }
}

TEST_CASE("utf8: surrogates, overlong forms and what is above U+10FFFF are not valid") {
  for (const char* text :
       {"\xED\xA0\x80", "\xC0\x80", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xFF"}) {
    CHECK(!is_valid_utf8(as_bytes(text)));
  }
}

TEST_CASE("utf8: a cut ends between two characters and is as long as it can be") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  const size_t boundaries[] = {0, 1, 3, 6, 10, 11};
  for (size_t limit = 0; limit <= text.size() + 3; limit++) {
    size_t expected = 0;
    for (const size_t boundary : boundaries) {
      if (boundary <= limit) expected = boundary;
    }
    const std::string_view cut = cut_utf8(text, limit);
    CHECK(cut.size() == expected);
    CHECK(cut.data() == text.data());
  }
  CHECK(cut_utf8("", 5).empty());
}

TEST_CASE("utf8: a cut of text that fits looks at nothing behind it") {
  const Guarded guarded(std::string_view("\xE2\x82\xAC"));
  const std::string_view text = martlet::base::as_text(guarded.span());
  CHECK(cut_utf8(text, 3).size() == 3);
  CHECK(cut_utf8(text, 2).empty());
}
