// The parser of heads: lines, limits, and that no way of cutting the bytes changes the answer. What fields mean is in
// http_rules_test.cc.
#include <doctest/doctest.h>

#include <cctype>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "support/heads.h"

namespace martlet {

namespace {

using proto::FieldName;
using proto::HeadLimits;
using proto::Method;
using proto::ParseStatus;
using test::parse_every_way;
using test::parse_head;
using test::ParsedHead;

const std::string kLoadgen = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: loadgen\r\nAccept: */*\r\n\r\n";

std::string with_line(const std::string& line) { return "GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n"; }
std::string with_request_line(const std::string& line) { return line + "\r\nHost: a\r\n\r\n"; }

struct Case {
  const char* what;
  std::string text;
  int answer;
};

void check_table(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(std::string(c.what));
    const ParsedHead parsed = parse_every_way(c.text);
    CAPTURE(std::string(parsed.error.cause));
    CHECK(parsed.answer() == c.answer);
    if (parsed.status == ParseStatus::error) CHECK(std::string(parsed.error.cause).back() == '.');
  }
}

// Runs with each set of kernels that this machine has.
template <typename Body>
void for_each_kernels(Body body) {
  const simd::Kernels* const chosen = simd::kernels;
  for (const simd::Kernels* set : simd::available_kernels()) {
    CAPTURE(std::string(set->name));
    simd::kernels = set;
    body();
  }
  simd::kernels = chosen;
}

}  // namespace

TEST_CASE("http_parser: a plain GET") {
  const ParsedHead p = parse_every_way(kLoadgen);
  REQUIRE(p.done());
  CHECK(p.head.head_bytes == kLoadgen.size());
  CHECK(p.head.method == Method::get);
  CHECK(p.head.minor_version == 1);
  CHECK(p.path() == "/");
  CHECK(p.query() == "");
  REQUIRE(p.head.field_count == 3);
  CHECK(p.name(0) == "Host");
  CHECK(p.value(0) == "127.0.0.1:9001");
  CHECK(p.name(2) == "Accept");
  CHECK(p.value(2) == "*/*");
  CHECK(p.head.fields[1].name == FieldName::user_agent);
  CHECK(p.head.host_field == 0);
}

TEST_CASE("http_parser: a pipeline is taken head by head") {
  std::string text;
  std::vector<size_t> sizes;
  for (int i = 0; i < 20; i++) {
    const std::string padding(static_cast<size_t>(i * 37), 'x');
    text += "GET /" + padding + "?" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nX: " + padding + "\r\n\r\n";
    sizes.push_back(text.size());
  }
  const test::Guarded bytes(text);
  size_t at = 0;
  for (size_t i = 0; i < sizes.size(); i++) {
    ParsedHead p;
    uint32_t scanned = 0;
    REQUIRE(test::shared_parser().parse_request_head(bytes.span().subspan(at), {}, scanned, p.head, p.error) ==
            ParseStatus::done);
    CHECK(p.head.query(bytes.data() + at) == std::to_string(i));
    at += p.head.head_bytes;
    CHECK(at == sizes[i]);
  }
}

TEST_CASE("http_parser: every method has its number, others their text") {
  const std::vector<std::pair<std::string, Method>> methods = {
      {"GET", Method::get},        {"HEAD", Method::head},     {"POST", Method::post},   {"PUT", Method::put},
      {"PATCH", Method::patch},    {"DELETE", Method::del},    {"TRACE", Method::trace}, {"OPTIONS", Method::options},
      {"PROPFIND", Method::other}, {"G", Method::other},       {"get", Method::other},   {"GETS", Method::other},
      {"GE", Method::other},       {"M-SEARCH", Method::other}};
  for (const auto& row : methods) {
    const auto& [name, method] = row;
    const ParsedHead p = parse_every_way(with_request_line(name + " / HTTP/1.1"));
    CAPTURE(row.first);
    REQUIRE(p.done());
    CHECK(p.head.method == method);
    CHECK(proto::RequestHead::slice(p.base(), p.head.method_at, p.head.method_length) == name);
    CHECK(proto::method_name(p.head.method) == (method == Method::other ? "" : name));
  }
}

TEST_CASE("http_parser: later minor versions are read as HTTP/1.1") {
  for (char minor = '0'; minor <= '9'; minor++) {
    CAPTURE(minor);
    const std::string version = std::string("HTTP/1.") + minor;
    const ParsedHead p = parse_every_way(with_request_line("GET /path?query " + version));
    REQUIRE(p.done());
    CHECK(p.head.minor_version == (minor == '0' ? 0 : 1));
    CHECK(p.head.keep_alive == (minor != '0'));
    CHECK(p.path() == "/path");
    CHECK(p.query() == "query");
    // Framing as in HTTP/1.1, too.
    const std::string chunked = "POST / " + version + "\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(parse_every_way(chunked).answer() == (minor == '0' ? 400 : 0));
  }
}

TEST_CASE("http_parser: malformed request lines") {
  check_table({
      {"no version", with_request_line("GET /"), 400},
      {"no target", with_request_line("GET HTTP/1.1"), 400},
      {"no target, two spaces", with_request_line("GET  HTTP/1.1"), 400},
      {"empty", with_request_line(" "), 400},
      {"nothing but a method", with_request_line("GET"), 400},
      {"space before the method", with_request_line(" GET / HTTP/1.1"), 400},
      {"two spaces before the target", with_request_line("GET  / HTTP/1.1"), 400},
      {"two spaces behind the target", with_request_line("GET /  HTTP/1.1"), 400},
      {"space behind the version", with_request_line("GET / HTTP/1.1 "), 400},
      {"tab for a space", with_request_line("GET\t/ HTTP/1.1"), 400},
      {"tab before the version", with_request_line("GET /\tHTTP/1.1"), 400},
      {"tab in the target", with_request_line("GET /a\tb HTTP/1.1"), 400},
      {"space in the target", with_request_line("GET /a b HTTP/1.1"), 400},
      {"fragment", with_request_line("GET /a#b HTTP/1.1"), 400},
      {"fragment in the query", with_request_line("GET /a?b#c HTTP/1.1"), 400},
      {"byte above 0x7F in the target", with_request_line("GET /\xC3\xA4 HTTP/1.1"), 400},
      {"0x80 in the target", with_request_line("GET /1234567\x80 HTTP/1.1"), 400},
      {"DEL in the target", with_request_line("GET /a\x7F HTTP/1.1"), 400},
      {"NUL in the target", with_request_line(std::string("GET /a\0b HTTP/1.1", 17)), 400},
      {"target without a slash", with_request_line("GET a HTTP/1.1"), 400},
      {"lower-case version", with_request_line("GET / http/1.1"), 400},
      {"version of three digits", with_request_line("GET / HTTP/1.10"), 400},
      {"version without a minor", with_request_line("GET / HTTP/1"), 400},
      {"version with a comma", with_request_line("GET / HTTP/1,1"), 400},
      {"HTTP/2.0", with_request_line("GET / HTTP/2.0"), 505},
      {"HTTP/3.1", with_request_line("GET / HTTP/3.1"), 505},
      {"HTTP/9.9", with_request_line("GET / HTTP/9.9"), 505},
      {"HTTP/0.9", with_request_line("GET / HTTP/0.9"), 505},
      {"HTTP/0.1", with_request_line("GET / HTTP/0.1"), 505},
      {"no target, a later minor version", with_request_line("GET HTTP/1.2"), 400},
      {"no target, another major version", with_request_line("GET HTTP/2.0"), 400},
      {"a later minor version behind a tab", with_request_line("GET /\tHTTP/1.2"), 400},
      {"a later minor version, two spaces", with_request_line("GET /  HTTP/1.2"), 400},
      {"a later minor version, lower case", with_request_line("GET / http/1.2"), 400},
      {"a minor version beside the digits", with_request_line("GET / HTTP/1.:"), 400},
      {"a minor version before the digits", with_request_line("GET / HTTP/1./"), 400},
      {"HTTP/1.2 without Host", "GET / HTTP/1.2\r\n\r\n", 400},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"a character no method has", with_request_line("G@T / HTTP/1.1"), 400},
      {"a colon in the method", with_request_line("GET: / HTTP/1.1"), 400},
      {"a method above 0x7F", with_request_line("GET\xFF / HTTP/1.1"), 400},
      {"bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
      {"no fields at all in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", 400},
      {"no fields at all in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0},
      {"the shortest head", "A / HTTP/1.0\r\n\r\n", 0},
      {"the shortest head with a field", "A / HTTP/1.0\r\nB:\r\n\r\n", 0},
  });
}

TEST_CASE("http_parser: malformed field lines") {
  check_table({
      {"space before the colon", with_line("A : b"), 400},
      {"tab before the colon", with_line("A\t: b"), 400},
      {"no colon", with_line("Abc"), 400},
      {"no colon but a space", with_line("Abc def"), 400},
      {"empty name", with_line(": b"), 400},
      {"folded line", with_line("A: b\r\n c"), 400},
      {"folded line, tab", with_line("A: b\r\n\tc"), 400},
      {"white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"a line of white space", with_line(" "), 400},
      {"NUL in a name", with_line(std::string("A\0B: c", 6)), 400},
      {"NUL in a value", with_line(std::string("A: b\0c", 6)), 400},
      {"NUL ends a value", with_line(std::string("A: b\0", 5)), 400},
      {"control character in a value", with_line("A: b\x01"), 400},
      {"DEL in a value", with_line("A: \x7F"), 400},
      {"bare CR in a value", with_line("A: b\rc"), 400},
      {"bare LF in a value", with_line("A: b\nc: d"), 400},
      {"bare LF behind a value", "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", 400},
      {"the end is LF LF", "GET / HTTP/1.1\r\nHost: a\n\nGET", 400},
      {"the end is CR LF LF", "GET / HTTP/1.1\r\nHost: a\r\n\nGET / ", 400},
      {"the end is LF CR LF", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"the end is CR LF CR CR", "GET / HTTP/1.1\r\nHost: a\r\n\r\rGET /\n", 400},
      {"the empty line is a bare CR", "GET / HTTP/1.1\r\nHost: a\r\n\rB: c\r\n\r\n", 400},
      {"a separator in a name", with_line("A(b): c"), 400},
      {"a name above 0x7F", with_line("\xC3\xA4: c"), 400},
      {"a name above 0x7F, inside", with_line("A\xE9: c"), 400},
  });
}

TEST_CASE("http_parser: field lines that are good") {
  const std::vector<std::pair<std::string, std::string>> cases = {{"Abc: d", "d"},
                                                                  {"Abc:d", "d"},
                                                                  {"Abc:", ""},
                                                                  {"Abc: ", ""},
                                                                  {"Abc: \t ", ""},
                                                                  {"Abc:  d", "d"},
                                                                  {"Abc:\td", "d"},
                                                                  {"Abc: d ", "d"},
                                                                  {"Abc: d \t ", "d"},
                                                                  {"Abc: d e\tf", "d e\tf"},
                                                                  {"Abc: \x80\xFF", "\x80\xFF"},
                                                                  {"Abc: :d:", ":d:"},
                                                                  {"!#$%&'*+-.^_`|~09azAZ: d", "d"}};
  for (const auto& row : cases) {
    const auto& [line, value] = row;
    CAPTURE(row.first);
    const ParsedHead p = parse_every_way(with_line(line));
    REQUIRE(p.done());
    REQUIRE(p.head.field_count == 2);
    CHECK(p.name(1) == line.substr(0, line.find(':')));
    CHECK(p.value(1) == value);
  }
}

TEST_CASE("http_parser: names and values of every length, at every place in a block") {
  for (size_t length = 1; length < 300; length += length < 140 ? 1 : 13) {
    const std::string target = "/" + std::string(length % 97, 't');
    const std::string name(length, 'n');
    const std::string value(length * 7 % 300, 'v');
    const ParsedHead p = parse_head("GET " + target + " HTTP/1.1\r\n" + name + ": " + value + "\r\nHost: a\r\n\r\n");
    CAPTURE(length);
    REQUIRE(p.done());
    CHECK(p.path() == target);
    CHECK(p.name(0) == name);
    CHECK(p.value(0) == value);
    CHECK(p.head.host_field == 1);
  }
}

TEST_CASE("http_parser: a question mark at every place of the target") {
  for (size_t length = 1; length < 40; length++) {
    for (size_t at = 1; at <= length; at++) {
      std::string target(length + 1, 'a');
      target[0] = '/';
      target[at] = '?';
      if (at + 2 < target.size()) target[at + 2] = '?';
      const ParsedHead p = parse_head(with_request_line("GET " + target + " HTTP/1.1"));
      REQUIRE(p.done());
      CHECK(p.path() == target.substr(0, at));
      CHECK(p.query() == target.substr(at + 1));
    }
  }
}

TEST_CASE("http_parser: each byte in the target, in a name and in a value") {
  for (int byte = 0; byte < 256; byte++) {
    const std::string c(1, static_cast<char>(byte));
    const bool is_text = byte > 0x20 && byte < 0x7F;
    CAPTURE(byte);
    CHECK(parse_head(with_request_line("GET /12345" + c + "6789 HTTP/1.1")).done() == (is_text && c != "#"));
    const bool is_token = is_text && std::string("\"(),/:;<=>?@[\\]{}").find(c) == std::string::npos;
    CHECK(parse_head(with_line("Abc" + c + "d: e")).done() == (is_token || c == ":"));
    CHECK(parse_head(with_line("Abc: d" + c + "e")).done() == ((byte >= 0x20 && byte != 0x7F) || byte == '\t'));
  }
}

TEST_CASE("http_parser: empty lines before a request") {
  std::string lines;
  for (int count = 1; count <= 4; count++) {
    lines += "\r\n";
    const ParsedHead p = parse_every_way(lines + kLoadgen);
    REQUIRE(p.done());
    CHECK(p.head.head_bytes == lines.size() + kLoadgen.size());
    CHECK(p.value(0) == "127.0.0.1:9001");
    CHECK(p.path() == "/");
    CHECK(parse_every_way(lines).answer() == -1);
  }
  CHECK(parse_every_way(lines + "\r\n" + kLoadgen).answer() == 400);
  CHECK(parse_every_way("\r" + kLoadgen).answer() == 400);
  CHECK(parse_every_way("\n" + kLoadgen).answer() == 400);
  CHECK(parse_every_way("\r\n\n" + kLoadgen).answer() == 400);
}

TEST_CASE("http_parser: what is clearly no request is refused before it ends") {
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11);
  CHECK(parse_head(hello).answer() == 400);
  CHECK(parse_head("\x80garbage").answer() == 400);
  CHECK(parse_head("{\"json\": true}").answer() == 400);
  CHECK(parse_head("GET / HTTP/1.1\nHost").answer() == 400);
  CHECK(parse_head(std::string(33, 'M')).answer() == 501);
  CHECK(parse_head(std::string(32, 'M')).answer() == -1);
  CHECK(parse_head("GET").answer() == -1);
  CHECK(parse_head("GET /abc").answer() == -1);
  CHECK(parse_head("").answer() == -1);
}

TEST_CASE("http_parser: a method of 33 characters is 501") {
  CHECK(parse_every_way(with_request_line(std::string(32, 'M') + " / HTTP/1.1")).done());
  CHECK(parse_every_way(with_request_line(std::string(33, 'M') + " / HTTP/1.1")).answer() == 501);
  CHECK(parse_every_way(with_request_line(std::string(200, 'M') + " / HTTP/1.1")).answer() == 501);
}

TEST_CASE("http_parser: a head over the limit is 431, a target over it 414") {
  const auto head = [](size_t bytes) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return begin + std::string(bytes - begin.size() - 4, 'x') + "\r\n\r\n";
  };
  const HeadLimits limits{.head_bytes = 200};
  CHECK(parse_every_way(head(200), limits).done());
  CHECK(parse_every_way(head(201), limits).answer() == 431);
  CHECK(parse_every_way(head(300), limits).answer() == 431);
  CHECK(parse_every_way(head(300).substr(0, 200), limits).answer() == 431);
  CHECK(parse_every_way(head(300).substr(0, 199), limits).answer() == -1);
  CHECK(parse_every_way(head(198) + "more of it", limits).done());
  CHECK(parse_every_way("\r\n" + head(199), limits).answer() == 431);
  CHECK(parse_every_way("\r\n" + head(198), limits).done());
  CHECK(parse_every_way(with_request_line("GET /" + std::string(200, 'a') + " HTTP/1.1"), limits).answer() == 414);
  CHECK(parse_every_way("GET /" + std::string(195, 'a'), limits).answer() == 414);
  CHECK(parse_every_way("GET /" + std::string(194, 'a'), limits).answer() == -1);
}

TEST_CASE("http_parser: offsets have room for the largest head") {
  for (const size_t bytes : {size_t{65535}, size_t{65536}}) {
    const std::string begin = "GET / HTTP/1.1\r\nCookie: ";
    const std::string end = "\r\nHost: a\r\nLast: z\r\n\r\n";
    const std::string text = begin + std::string(bytes - begin.size() - end.size(), 'c') + end;
    const ParsedHead p = parse_head(text, {.head_bytes = 1 << 20});
    CHECK(p.answer() == (bytes == 65535 ? 0 : 431));
    if (!p.done()) continue;
    CHECK(p.head.fields[0].value_length == bytes - begin.size() - end.size());
    CHECK(p.value("last") == "z");
    CHECK(p.value("HOST") == "a");
  }
}

TEST_CASE("http_parser: fields over the limit are 431") {
  const auto head = [](size_t fields) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (size_t i = 1; i < fields; i++) text += "N" + std::to_string(i) + ": v\r\n";
    return text + "\r\n";
  };
  CHECK(parse_every_way(head(100)).done());
  CHECK(parse_head(head(100)).head.field_count == 100);
  CHECK(parse_every_way(head(101)).answer() == 431);
  CHECK(parse_head(head(1000)).answer() == 431);
  CHECK(parse_head(head(101), {.fields = 1000}).answer() == 431);
  CHECK(parse_every_way(head(3), {.fields = 3}).done());
  CHECK(parse_every_way(head(4), {.fields = 3}).answer() == 431);
}

TEST_CASE("http_parser: a dripped head is looked at a bounded number of times") {
  static size_t classified;
  static const simd::Kernels* const chosen = simd::kernels;
  simd::Kernels counting = *chosen;
  counting.classify_head = [](const uint8_t* data, size_t size, simd::HeadBits* out) {
    classified += size;
    chosen->classify_head(data, size, out);
  };
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 90; i++) text += "Name-" + std::to_string(i) + ": " + std::string(150, 'v') + "\r\n";
  text += "\r\n";
  simd::kernels = &counting;
  const auto parser = std::make_unique<proto::HttpParser>();
  ParsedHead p;
  uint32_t scanned = 0;
  for (size_t size = 1; size <= text.size(); size++) {
    p.status = parser->parse_request_head(base::as_bytes(text).first(size), {}, scanned, p.head, p.error);
    REQUIRE(p.status == (size == text.size() ? ParseStatus::done : ParseStatus::need_more));
  }
  simd::kernels = chosen;
  CHECK(classified <= 2 * text.size());
}

namespace {

// The grammar once more, byte by byte: how many fields, or -1 for 400.
int plain_field_count(std::string_view text) {
  const auto is_token = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || (c && std::strchr("!#$%&'*+-.^_`|~", c));
  };
  int lines = -1;  // the request line is none of them
  for (size_t line = 0;; lines++) {
    size_t end = line;
    while (static_cast<unsigned char>(text[end]) >= 0x20 ? text[end] != 0x7F : text[end] == '\t') end++;
    if (text.substr(end, 2) != "\r\n") return -1;
    if (end == line) return lines;
    if (lines >= 0) {
      size_t colon = line;
      while (is_token(text[colon])) colon++;
      if (colon == line || text[colon] != ':') return -1;
    }
    line = end + 2;
  }
}

}  // namespace

TEST_CASE("http_parser: heads with a byte changed are judged as by a plain parser") {
  for_each_kernels([] {
    std::mt19937 random(20);
    size_t good = 0;
    for (int round = 0; round < 4000; round++) {
      std::string text = "GET /" + std::string(random() % 70, 'p') + " HTTP/1.1\r\nHost: a\r\n";
      const size_t fixed = text.size();
      for (size_t fields = random() % 12; fields > 0; fields--) {
        text += "N" + std::string(random() % 20, '-') + ":" + std::string(random() % 3, ' ') +
                std::string(random() % 90, 'v') + "\r\n";
      }
      text += "\r\n";
      const size_t size = text.size();
      text += "GET / HTTP/1.1\r\n\r\n";  // whatever became of the head, it ends somewhere
      if (size > fixed + 2) text[fixed + random() % (size - fixed)] = "\r\n\t :a\x01\x7F\x80"[random() % 9];
      const ParsedHead p = parse_head(text);
      const int expected = plain_field_count(text);
      CAPTURE(text);
      REQUIRE((p.done() ? p.head.field_count : -1) == expected);
      good += p.done();
    }
    CHECK(good > 500);
  });
}

}  // namespace martlet
