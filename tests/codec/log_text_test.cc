// Lines of the log that are made of anybody's texts: what is escaped, where they are cut, and that they are cut between characters.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "codec/log_text.h"
#include "codec/utf8.h"
#include "base/bytes.h"
#include "support/log_lines.h"

using namespace martlet;
using codec::LogText;

namespace {

std::string escaped(std::string_view text, size_t most = LogText::kMost) { return std::string(LogText().add_escaped(text, most).text()); }
std::string sentence(std::string_view text) { return std::string(LogText().add_sentence(text).text()); }

}  // namespace

TEST_CASE("log text: what could be another line, another field or an order to a terminal is escaped") {
  CHECK(escaped("plain text ~!") == "plain text ~!");
  CHECK(escaped("zażółć 日本 𝄞") == "zażółć 日本 𝄞");
  CHECK(escaped("a\r\nmartlet error: b\x1b[31m\x7f") == "a\\x0d\\x0amartlet error: b\\x1b[31m\\x7f");
  CHECK(escaped("\" user=\"root\\") == "\\x22 user=\\x22root\\x5c");
  CHECK(escaped("\xc2\x9b" "31m") == "\\xc2\\x9b31m");                            // CSI of C1
  CHECK(escaped("a\xe2\x80\xa8" "b") == "a\\xe2\\x80\\xa8" "b");                  // U+2028
  CHECK(escaped("\xc0\xaf\xed\xa0\x80\xff") == "\\xc0\\xaf\\xed\\xa0\\x80\\xff");  // no UTF-8
  CHECK(escaped(std::string_view("\0", 1)) == "\\x00");
  CHECK(escaped("") == "");
  CHECK(sentence("no \"name\" in C:\\x\n") == "no \"name\" in C:\\x\\x0a");
  CHECK(LogText().add("GET ").add(uint64_t{18446744073709551615u}).add_field("id", "a\"b", 80).text() ==
        "GET 18446744073709551615 id=\"a\\x22b\"");
}

TEST_CASE("log text: cut where the limit is, between characters, and it shows") {
  CHECK(escaped("abcdefghij", 10) == "abcdefghij");
  CHECK(escaped("abcdefghijk", 10) == "abcdefg...");
  CHECK(escaped("abcdefg日", 10) == "abcdefg日");
  CHECK(escaped("abcdefgh日", 10) == "abcdefg...");
  CHECK(escaped("abc\n\n", 10) == "abc\\x0a...");
  CHECK(escaped("abc", 3) == "abc");
  CHECK(escaped("abcd", 3) == "...");
  CHECK(escaped("abcd", 2) == "");
  CHECK(escaped("abcd", 0) == "");
}

TEST_CASE("log text: a line has an end, whatever is put into it") {
  const std::string large(size_t{1} << 20, '\n');
  LogText line;
  for (int i = 0; i < 20; i++) line.add_field("value", large, 80);
  CHECK(line.text().size() <= LogText::kMost);
  line.add_sentence(large).add(large).add(uint64_t{7}).add_escaped(large, 4000);
  CHECK(line.text().size() == LogText::kMost);
  LogText words;
  CHECK(words.add(std::string(2000, 'x')).text().size() == LogText::kMost);
  CHECK(words.add("more").add_sentence("more").add_field("more", "more", 100).text().size() == LogText::kMost);
  CHECK(sentence(std::string(1000, 'x')) == std::string(1000, 'x'));
  CHECK(sentence(std::string(1001, 'x')) == std::string(997, 'x') + "...");
}

TEST_CASE("log text: random bytes, random limits: harmless, whole UTF-8, never longer than said") {
  std::mt19937 random(1);
  const std::string_view pieces[] = {"a", "\"", "\\", "\n", "\x1b", "é", "日", "𝄞", "\xc2\x85", "\xe2\x80\xa9", "\xf0\x9d", "\x80", "\xff"};
  for (int i = 0; i < 20'000; i++) {
    std::string text;
    for (auto n = random() % 12; n > 0; n--) text += pieces[random() % std::size(pieces)];
    const size_t most = random() % 40;
    const std::string line = escaped(text, most);
    CAPTURE(text);
    CAPTURE(most);
    REQUIRE(line.size() <= most);
    REQUIRE(test::is_harmless(line));
    REQUIRE(codec::is_valid_utf8(base::as_bytes(line)));
    REQUIRE(line.find('"') == line.npos);
    const std::string whole = escaped(text);
    if (whole.size() <= most) REQUIRE(line == whole);
    else if (most >= 3) REQUIRE(line.ends_with("..."));
    if (line.ends_with("...")) REQUIRE(whole.starts_with(line.substr(0, line.size() - 3)));
  }
}
