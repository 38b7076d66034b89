// Texts of clients in lines, and the formats of requests.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <cstring>
#include <random>
#include <string>

#include "codec/utf8.h"
#include "codec/ip_address.h"
#include "guards/log_format.h"
#include "guards/log_text.h"

using namespace martlet;
using namespace martlet::guards;

namespace {

std::string escaped(std::string_view text) {
  std::string line;
  append_escaped(line, text);
  return line;
}

std::string as_json(std::string_view text) {
  std::string line;
  append_json(line, text);
  return line;
}

std::string record_of(RequestLog log, const std::string (&texts)[kLogTexts]) {
  std::string all;
  if (const auto ip = codec::parse_ip_address(texts[0])) log.ip = ip->bytes;
  for (size_t i = 1; i < kLogTexts; i++) log.sizes[i] = static_cast<uint16_t>(texts[i].size()), all += texts[i];
  all.insert(0, reinterpret_cast<const char*>(&log), sizeof log);
  return all;
}

const std::string kTexts[kLogTexts] = {"192.0.2.7", "ann", "GET", "/a?b", "https://r.example/", "agent \"7\"", "id-1", "/a"};
// 2026-03-04T05:06:07.089Z
const std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1772600767089)};

std::string written(std::string_view tokens, const std::string (&texts)[kLogTexts] = kTexts) {
  RequestFormat format;
  REQUIRE(!RequestFormat::parse(tokens, format));
  std::string line;
  format.write(LogRecord{kTime, record_of({.bytes = 12, .duration_ns = 1'234'999, .status = 200}, texts)}, line);
  return line;
}

std::string mistake_of(std::string_view tokens) {
  RequestFormat format;
  return std::string(RequestFormat::parse(tokens, format).what());
}

}  // namespace

TEST_CASE("log_text: control bytes, quotes and what is no UTF-8 are escaped, the rest is as it was") {
  CHECK(escaped("plain text ~!") == "plain text ~!");
  CHECK(escaped("zażółć 日本 𝄞") == "zażółć 日本 𝄞");
  CHECK(escaped("a\nb\r\t\x1b[31m\x7f") == "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
  CHECK(escaped(std::string_view("\0", 1)) == "\\x00");
  CHECK(escaped("\"\\") == "\\x22\\x5c");
  CHECK(escaped("\xff\xc3") == "\\xff\\xc3");
  CHECK(escaped("\xc0\xaf") == "\\xc0\\xaf");                  // overlong
  CHECK(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");          // a surrogate
  CHECK(escaped("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(escaped("\xc2\x9b" "31m") == "\\xc2\\x9b31m");          // a control of C1
  CHECK(escaped("\xe2\x80\xa8") == "\\xe2\\x80\\xa8");          // a separator of lines
}

TEST_CASE("log_text: JSON strings are read again as what they were, as far as it was UTF-8") {
  CHECK(as_json("a\"b\\c\nd") == "\"a\\\"b\\\\c\\u000ad\"");
  CHECK(as_json("\xff") == "\"\xEF\xBF\xBD\"");
  CHECK(as_json("日本") == "\"日本\"");
}

TEST_CASE("log_text: of whatever bytes, a line has no control byte and no quote, and JSON is JSON") {
  std::mt19937 random(18);
  for (int i = 0; i < 20'000; i++) {
    std::string text(random() % 12, '\0');
    for (char& c : text) c = static_cast<char>(random() % 3 ? random() : "\xe2\x80\xa8\xc2\x9b\xf0\x90"[random() % 7]);
    const std::string line = escaped(text);
    for (const char c : line) REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"'));
    REQUIRE(codec::is_valid_utf8({reinterpret_cast<const uint8_t*>(line.data()), line.size()}));
    REQUIRE(Json::parse(as_json(text)).ok());
  }
}

TEST_CASE("log_text: the first characters are whole ones") {
  CHECK(first_characters("日本語", 2) == "日本");
  CHECK(first_characters("ab", 100) == "ab");
  CHECK(first_characters("ab", 0) == "");
  CHECK(first_characters("\xff\xff\xff", 2) == "\xff\xff");
}

TEST_CASE("log_format: tokens") {
  CHECK(written(":remote-addr - :remote-user [:date[clf]] \":method :url HTTP/:http-version\" :status :bytes") ==
        "192.0.2.7 - ann [04/Mar/2026:05:06:07 +0000] \"GET /a?b HTTP/1.1\" 200 12");
  CHECK(written(":date[iso] :response-time :id :route :aborted") == "2026-03-04T05:06:07.089Z 1.234 id-1 /a -");
  CHECK(written("\":referrer\" \":user-agent\"") == "\"https://r.example/\" \"agent \\x227\\x22\"");
  CHECK(written("a %: :1") == "a %: :1");
  const std::string none[kLogTexts] = {};
  CHECK(written(":remote-addr :remote-user :id", none) == "- - -");
  CHECK(mistake_of(":nothing here") == "logger: no such token: :nothing");
  CHECK(mistake_of("a\nb") == "logger: a format is one line");
}

TEST_CASE("log_format: an object a line") {
  RequestFormat format = RequestFormat::json();
  std::string line;
  format.write(LogRecord{kTime, record_of({.bytes = 12, .duration_ns = 1'234'999, .status = 200, .aborted = true}, kTexts)}, line);
  CHECK(line == R"({"time":"2026-03-04T05:06:07.089Z","ip":"192.0.2.7","user":"ann","method":"GET","url":"/a?b","referrer":"https://r.example/",)"
                R"("userAgent":"agent \"7\"","id":"id-1","route":"/a","status":200,"bytes":12,"ms":1.234,"aborted":true})");
}
