// Forms and query strings: pairs in order, decoding that cannot fail, names compared while encoded, the limit on pairs.
#include "proto/form.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/guarded.h"

using namespace martlet::proto;
using martlet::test::Guarded;

namespace {

// Decodes beside and in place, at the end of a page that is followed by none.
std::string decoded(std::string_view text) {
  const Guarded guarded(text);
  const std::string_view view = martlet::base::as_text(guarded.span());
  const size_t size = decoded_form_size(view);
  std::string beside(text.size(), '#');
  CHECK(decode_form_text(view, beside.data()) == size);
  beside.resize(size);
  CHECK(form_text_equals(view, beside));
  CHECK(!form_text_equals(view, beside + "x"));
  CHECK(decode_form_text(view, reinterpret_cast<char*>(guarded.data())) == size);
  CHECK(view.substr(0, size) == beside);
  return beside;
}

// Decoded, as name=value|name=value, with what ended the walk.
std::string walked(std::string_view text, uint32_t max_pairs = kMaxFormPairs) {
  const Guarded guarded(text);
  FormScanner scanner(martlet::base::as_text(guarded.span()), max_pairs);
  std::string all;
  FormPair pair;
  FormStep step;
  while ((step = scanner.next(pair)) == FormStep::pair) all += decoded(pair.name) + "=" + decoded(pair.value) + "|";
  CHECK(scanner.next(pair) == step);
  return all + (step == FormStep::end ? "" : "too many");
}

std::string values(std::string_view text, std::string_view name, uint32_t max_pairs = kMaxFormPairs) {
  FormValues walk(text, name, max_pairs);
  std::string all;
  for (std::string_view value; walk.next(value);) all += decoded(value) + "|";
  return all + (walk.too_many() ? "too many" : "");
}

std::string repeated(size_t times, std::string_view text) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += text;
  return all;
}

}  // namespace

TEST_CASE("form: pairs in order, by the cases of WHATWG's parser") {
  struct Case {
    std::string_view text, pairs;
  };
  for (const Case& c : {
           Case{"", ""},
           {"a=1", "a=1|"},
           {"a=1&b=2&a=3", "a=1|b=2|a=3|"},
           {"a", "a=|"},
           {"a=", "a=|"},
           {"=a", "=a|"},
           {"=", "=|"},
           {"&", ""},
           {"&&&", ""},
           {"&a=1&&b=2&", "a=1|b=2|"},
           {"a=b=c", "a=b=c|"},
           {"a==", "a==|"},
           {"a[b]=1&a[]=2&a.b=3", "a[b]=1|a[]=2|a.b=3|"},
           {"a%5Bb%5d=1", "a[b]=1|"},
           {"a;b=1;c", "a;b=1;c|"},
           {"?a=1", "?a=1|"},
           {"a+b=c+d", "a b=c d|"},
           {"a%2Bb=%2b", "a+b=+|"},
           {"a%26=%3D%26", "a&==&|"},
           {"%E2%82%AC=\xE2\x82\xAC", "\xE2\x82\xAC=\xE2\x82\xAC|"},
           {"__proto__=1&a=%00", {"__proto__=1|a=\0|", 16}},
           {" a = 1 ", " a = 1 |"},
           {"a=\r\n", "a=\r\n|"},
       }) {
    CAPTURE(c.text);
    CHECK(walked(c.text) == c.pairs);
  }
}

TEST_CASE("form: what is no escape stays as it is, and the rest is decoded all the same") {
  struct Case {
    std::string_view text, plain;
  };
  for (const Case& c : {
           Case{"%", "%"},
           {"%4", "%4"},
           {"a%", "a%"},
           {"%%", "%%"},
           {"%%41", "%A"},
           {"%4%41", "%4A"},
           {"%zz%41+", "%zzA "},
           {"%4g%g4", "%4g%g4"},
           {"100%+sure", "100% sure"},
           {"%2525", "%25"},
           {"%+41", "% 41"},
           {"%-1% 4%0x%:0%/0%@0%G0%`0", "%-1% 4%0x%:0%/0%@0%G0%`0"},
           {"%0/%0:%0@%0G%0`", "%0/%0:%0@%0G%0`"},
           {"%\xC1\xC1", "%\xC1\xC1"},
           {"%ff\xff", "\xff\xff"},
           {"%EF%BB%BFa", "\xEF\xBB\xBF\x61"},
       }) {
    CAPTURE(c.text);
    CHECK(decoded(c.text) == c.plain);
  }
  static const char kUpper[] = "0123456789ABCDEF";
  static const char kLower[] = "0123456789abcdef";
  for (size_t c = 0; c < 256; c++) {
    const std::string byte(1, static_cast<char>(c));
    CHECK(decoded(std::string{'%', kUpper[c >> 4], kLower[c & 15]}) == byte);
    if (c != '%' && c != '+') CHECK(decoded(byte) == byte);
  }
}

TEST_CASE("form: an encoded name is compared with a plain one") {
  struct Case {
    std::string_view encoded, plain;
    bool equal;
  };
  for (const Case& c : {
           Case{"", "", true},
           {"a", "", false},
           {"", "a", false},
           {"tag", "tag", true},
           {"tag", "tags", false},
           {"tags", "tag", false},
           {"t%61g", "tag", true},
           {"%74%61%67", "tag", true},
           {"%74%61%67s", "tag", false},
           {"Tag", "tag", false},
           {"a+b", "a b", true},
           {"a+b", "a+b", false},
           {"a%2bb", "a+b", true},
           {"a%2", "a%2", true},
           {"a%2", "a", false},
           {"a%25", "a%25", false},
           {"%61%", "a%", true},
           {"%e2%82%ac", "\xE2\x82\xAC", true},
       }) {
    CAPTURE(c.encoded);
    CAPTURE(c.plain);
    const Guarded encoded(c.encoded);
    const Guarded plain(c.plain);
    CHECK(form_text_equals(martlet::base::as_text(encoded.span()), martlet::base::as_text(plain.span())) == c.equal);
  }
  CHECK(form_text_equals("a%00b", std::string_view("a\0b", 3)));
}

TEST_CASE("form: all values of one name, or the first") {
  const std::string_view text = "tag=a&x=1&t%61g=b+c&TAG=no&tag&tagg=no&=e&tag=%26";
  CHECK(values(text, "tag") == "a|b c||&|");
  CHECK(count_form_values(text, "tag") == 4);
  CHECK(find_form_value(text, "tag") == std::string_view("a"));
  CHECK(find_form_value(text, "x") == std::string_view("1"));
  CHECK(find_form_value("a=1&t%61g=b+c&tag=d", "tag") == std::string_view("b+c"));
  CHECK(find_form_value(text, "") == std::string_view("e"));
  CHECK(!find_form_value(text, "none"));
  CHECK(values(text, "none") == "");
  CHECK(count_form_values("", "") == 0);
}

TEST_CASE("form: as many pairs as the limit, and one more") {
  CHECK(walked("a=1&b=2", 2) == "a=1|b=2|");
  CHECK(walked("a=1&b=2&c", 2) == "a=1|b=2|too many");
  CHECK(walked("&a=1&&b=2&&", 2) == "a=1|b=2|");
  CHECK(walked("", 0) == "");
  CHECK(walked("&&", 0) == "");
  CHECK(walked("a", 0) == "too many");
  CHECK(values("a=1&b=2&a=3", "a", 3) == "1|3|");
  CHECK(values("a=1&b=2&a=3", "a", 2) == "1|too many");
  CHECK(count_form_values("a=1&b=2&a=3", "a", 2) == 1);
  CHECK(!find_form_value("a=1&b=2&c=3", "c", 2));
  CHECK(count_form_pairs("a&&b&c&") == 3);
  CHECK(count_form_pairs("") == 0);
}

TEST_CASE("form: a thousand pairs unless told otherwise, as in Express") {
  const std::string most = repeated(1000, "a&");
  FormPair pair;
  FormScanner whole(most);
  size_t count = 0;
  while (whole.next(pair) == FormStep::pair) count++;
  CHECK(count == 1000);
  CHECK(whole.next(pair) == FormStep::end);
  const std::string over = most + "b";
  FormScanner cut(over);
  for (count = 0; cut.next(pair) == FormStep::pair;) count++;
  CHECK(count == 1000);
  CHECK(cut.next(pair) == FormStep::too_many);
  CHECK(count_form_pairs(over) == 1001);
}
