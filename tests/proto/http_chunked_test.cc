// The chunked decoder: whole, split at every byte, and against an unmapped page.
#include <doctest/doctest.h>

#include <cctype>
#include <string>
#include <vector>

#include "proto/http_chunked.h"
#include "support/guarded.h"

namespace martlet {

namespace {

using proto::ChunkedDecoder;
using Event = ChunkedDecoder::Event;

struct Decoded {
  int answer = -1;  // 0 done, -1 unfinished, else the status of the refusal
  std::string data;
  size_t consumed = 0;
};

// Feeds one piece; false when the decoder is through.
bool feed(ChunkedDecoder& decoder, std::string_view piece, Decoded& decoded) {
  const test::Guarded bytes(piece);
  for (base::ByteSpan rest = bytes.span();;) {
    const ChunkedDecoder::Step step = decoder.next(rest);
    REQUIRE(step.consumed <= rest.size());
    decoded.consumed += step.consumed;
    rest = rest.subspan(step.consumed);
    switch (step.event) {
      case Event::need_more:
        CHECK(rest.empty());
        return true;
      case Event::done:
        decoded.answer = 0;
        return false;
      case Event::error:
        decoded.answer = decoder.error().status;
        return false;
      case Event::data:
        REQUIRE(!step.data.empty());
    }
    decoded.data += base::as_text(step.data);
  }
}

Decoded decode(std::string_view text, size_t first, size_t step, ChunkedDecoder::Limits limits) {
  ChunkedDecoder decoder(limits);
  Decoded decoded;
  bool more = feed(decoder, text.substr(0, first), decoded);
  for (size_t at = first; more && at < text.size(); at += step) more = feed(decoder, text.substr(at, step), decoded);
  return decoded;
}

Decoded decode_every_way(std::string_view text, ChunkedDecoder::Limits limits = {}) {
  const Decoded whole = decode(text, text.size(), 1, limits);
  for (size_t cut = 0; cut < text.size(); cut++) {
    CAPTURE(cut);
    const Decoded split = decode(text, cut, text.size(), limits);
    CHECK(split.answer == whole.answer);
    CHECK(split.data == whole.data);
    CHECK(split.consumed == whole.consumed);
  }
  CHECK(decode(text, 0, 1, limits).data == whole.data);
  return whole;
}

}  // namespace

TEST_CASE("http_chunked: good bodies") {
  struct Row {
    std::string text, data;
  };
  const std::vector<Row> rows = {
      {"0\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
      {"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"},
      {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
      {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
      {"000000000000000005\r\nhello\r\n000000000000000000\r\n\r\n", "hello"},
      {"5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "hello"},
      {"5\r\nhello\r\n0\r\nA: b\r\nC:\r\nD: \t\xFF\r\n\r\n", "hello"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Decoded decoded = decode_every_way(row.text + "GET /");
    CHECK(decoded.answer == 0);
    CHECK(decoded.data == row.data);
    CHECK(decoded.consumed == row.text.size());
  }
}

namespace {

// The answer to a body whose two chunk lines have this behind their sizes.
int with_extension(const std::string& extension) {
  const Decoded decoded = decode_every_way("5" + extension + "\r\nhello\r\n0" + extension + "\r\n\r\n");
  if (decoded.answer == 0) CHECK(decoded.data == "hello");
  return decoded.answer;
}

}  // namespace

TEST_CASE("http_chunked: extensions by their grammar, blanks before and behind ';' and '='") {
  for (const std::string good :
       {";a", ";a=b", ";a;b", ";a=b;c=d", " ;x=y", "\t;x=y", " \t ; \t x \t = \t y", ";x =y", ";x= y", ";x ;y", ";x=y ;z",
        ";!#$%&'*+-.^_`|~09azAZ=!#$%&'*+-.^_`|~09azAZ", ";5=0", ";a=\"\"", ";a=\"b c\"", ";a=\"b;c=d,e\"", ";a=\"b\\\"c\"",
        ";a=\"b\\\\\"", ";a=\"\\\t\\ \\x\\\x80\"", ";a=\"\x80\xFF\t !\x7E\"", ";a=\"b\";c", ";a=\"b\" \t;c=\"d\""}) {
    CAPTURE(good);
    CHECK(with_extension(good) == 0);
  }
  for (const std::string bad :
       {";", "; ", ";;", ";;a", ";a;", ";a; ", ";a;;b", ";=", ";=b", ";a=", ";a= ", ";a==b", ";a=b=c", ";a=;b", ";a b",
        ";a=b c", ";bad[=x", ";a=b[", ";a=b/c", ";a,b", ";a=b,c", ";\x80", ";a=\x80", ";a\xFF", ";a=\"b", ";a=\"b\\\"",
        ";a=\"b\\", ";a=\"", ";a=b\"c\"", ";a=\"b\"c", ";a=\"b\"\"c\"", ";\"a\"", ";\"a\"=b", ";a=\"\x01\"", ";a=\"\x7F\"",
        ";a=\"\\\x7F\"", ";a=\"\n\"", ";a=\"\r\"", ";a=\"\r\n\"", ";a=\"\\\r\n\"", ";a \r", ";a ", ";a=b ", ";a=\"b\" ",
        " ", "\t", " 0", " ;", "=a", " a", ",a", "\"a\"", ";\x01", ";a\x0B=b", ";a='b c'"}) {
    CAPTURE(bad);
    CHECK(with_extension(bad) == 400);
  }
  CHECK(with_extension(std::string(";a=\"\0\"", 6)) == 400);
  CHECK(with_extension(std::string(";\0", 2)) == 400);
}

TEST_CASE("http_chunked: each byte, where a name, a value and a quoted string want one") {
  for (int c = 0; c < 256; c++) {
    CAPTURE(c);
    const std::string byte(1, static_cast<char>(c));
    const bool token = c != 0 && (std::isalnum(c) || std::string("!#$%&'*+-.^_`|~").find(byte) != std::string::npos);
    const bool text = c == '\t' || (c >= ' ' && c != 0x7F);
    const bool blank = c == ' ' || c == '\t';
    CHECK((with_extension(";" + byte + "a") == 0) == (token || blank));
    CHECK((with_extension(";a=" + byte + "b") == 0) == (token || blank));
    CHECK((with_extension(";a=\"" + byte + "b\"") == 0) == (text && c != '"'));
    CHECK((with_extension(";a=\"\\" + byte + "b\"") == 0) == text);
  }
}

TEST_CASE("http_chunked: malformed bodies") {
  for (const std::string text : {"\r\nhello",
                                 ";a\r\nhello",
                                 " 5\r\nhello",
                                 "+5\r\nhello",
                                 "-5\r\nhello",
                                 "x\r\nhello",
                                 "0x5\r\nhello",
                                 "5 \r\nhello",
                                 "5;a \r\nhello",
                                 "5g\r\nhello",
                                 "5\nhello\r\n0\r\n\r\n",
                                 "5\rhello",
                                 "5\r\rhello",
                                 "5;a\nhello\r\n",
                                 "5;a\rb\r\nhello",
                                 "5;\x01\r\nhello",
                                 "5;\x7F\r\nhello",
                                 "5 0\r\nhello",
                                 "5 0;a\r\nhello",
                                 "10000000000000000\r\nhello",
                                 "0010000000000000000\r\nhello",
                                 "10000000000000005\r\nhello",
                                 "5\r\nhello0\r\n\r\n",
                                 "5\r\nhello!\r\n0\r\n\r\n",
                                 "5\r\nhello\n0\r\n\r\n",
                                 "5\r\nhello\r0\r\n\r\n",
                                 "5\r\nhello\r\n\r\n",
                                 "4\r\nhello\r\n0\r\n\r\n",
                                 "0\r\n\n",
                                 "0\r\n\r\r",
                                 "0\n\r\n",
                                 "0\r\nA\r\n\r\n",
                                 "0\r\n: b\r\n\r\n",
                                 "0\r\n A: b\r\n\r\n",
                                 "0\r\nA : b\r\n\r\n",
                                 "0\r\nA: b\n\r\n",
                                 "0\r\nA: b\rc\r\n\r\n",
                                 "0\r\nA: \x01\r\n\r\n",
                                 "0\r\nA: b\r\n c\r\n\r\n",
                                 "0\r\nA\x80: b\r\n\r\n"}) {
    CAPTURE(text);
    CHECK(decode_every_way(text).answer == 400);
  }
  CHECK(decode_every_way(std::string("0\r\nA: \0\r\n\r\n", 11)).answer == 400);
  CHECK(decode_every_way(std::string("5\0\r\nhello", 9)).answer == 400);
}

TEST_CASE("http_chunked: the largest size that 16 digits write is a size") {
  ChunkedDecoder decoder;
  const auto step = decoder.next(base::as_bytes("FFFFFFFFFFFFFFFF\r\nabc"));
  CHECK(step.event == Event::data);
  CHECK(base::as_text(step.data) == "abc");
  CHECK(step.consumed == 21);
}

TEST_CASE("http_chunked: zeros in front of a size say nothing, and are bounded like extensions") {
  const auto with_zeros = [](size_t zeros, const char* size) {
    return decode_every_way(std::string(zeros, '0') + size + "\r\nhello\r\n0\r\n\r\n", {.extension_bytes = 10}).answer;
  };
  for (const size_t zeros : {0, 1, 15, 16, 17, 25}) CHECK(with_zeros(zeros, "5") == 0);
  CHECK(with_zeros(26, "5") == 400);
  ChunkedDecoder decoder;
  const auto step = decoder.next(base::as_bytes("00FFFFFFFFFFFFFFFF\r\nabc"));  // 18 digits
  CHECK(step.event == Event::data);
  CHECK(base::as_text(step.data) == "abc");
}

TEST_CASE("http_chunked: extensions of all chunks together are bounded, blanks before them and ';' too") {
  const ChunkedDecoder::Limits limits{.extension_bytes = 12, .trailer_bytes = 0};
  CHECK(decode_every_way("1;12345\r\na\r\n1;12345\r\nb\r\n0\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("1;12345\r\na\r\n1;123456\r\nb\r\n0\r\n\r\n", limits).answer == 400);
  CHECK(decode_every_way("1;1234567890\r\na\r\n0\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("1;1234567890\r\na\r\n0;1\r\n\r\n", limits).answer == 400);
  CHECK(decode_every_way("1;123456789\r\na\r\n0;\r\n\r\n", limits).answer == 400);
  CHECK(decode_every_way("1" + std::string(10, ' ') + ";a\r\na\r\n0\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("1" + std::string(11, ' ') + ";a\r\na\r\n0\r\n\r\n", limits).answer == 400);
  CHECK(decode_every_way("1;a=\"" + std::string(7, ';') + "\"\r\na\r\n0\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("1;a=\"" + std::string(8, ';') + "\"\r\na\r\n0\r\n\r\n", limits).answer == 400);
}

TEST_CASE("http_chunked: a chunk that the body has no room for is refused when it is announced") {
  const ChunkedDecoder::Limits limits{.body_bytes = 10};
  CHECK(decode_every_way("a\r\n0123456789\r\n0\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("b\r\n", limits).answer == 413);
  CHECK(decode_every_way("ffffffffffffffff\r\n", limits).answer == 413);
  CHECK(decode_every_way("6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n", limits).answer == 0);
  const Decoded second = decode_every_way("6\r\n012345\r\n5\r\n", limits);
  CHECK(second.answer == 413);
  CHECK(second.data == "012345");
  // What is no size is malformed, however large.
  CHECK(decode_every_way("b", limits).answer == -1);
  CHECK(decode_every_way("bg\r\n", limits).answer == 400);
  CHECK(decode_every_way("10000000000000000\r\n", limits).answer == 400);
  CHECK(decode_every_way("0\r\n\r\n", {.body_bytes = 0}).answer == 0);
  CHECK(decode_every_way("1\r\n", {.body_bytes = 0}).answer == 413);
}

TEST_CASE("http_chunked: a limit that is lowered on the way counts what was announced") {
  ChunkedDecoder decoder({.body_bytes = 100});
  CHECK(decoder.next(base::as_bytes("5\r\nabc")).event == Event::data);
  CHECK(!decoder.lower_limit(4));
  CHECK(decoder.lower_limit(200));  // it is not raised
  CHECK(decoder.lower_limit(8));
  CHECK(decoder.next(base::as_bytes("de")).event == Event::data);
  ChunkedDecoder fits = decoder;
  CHECK(fits.next(base::as_bytes("\r\n3\r\nabc")).event == Event::data);
  CHECK(decoder.next(base::as_bytes("\r\n4\r\n")).event == Event::error);
  CHECK(decoder.error().status == 413);
}

TEST_CASE("http_chunked: trailers over the limit are 431") {
  const ChunkedDecoder::Limits limits{.extension_bytes = 0, .trailer_bytes = 12};
  CHECK(decode_every_way("0\r\nA: b\r\nC: d\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("0\r\nA: b\r\nC: de\r\n\r\n", limits).answer == 431);
  CHECK(decode_every_way("0\r\nAbcdefghijklm", limits).answer == 431);
  CHECK(decode_every_way("0\r\n\r\n", {.extension_bytes = 0, .trailer_bytes = 0}).answer == 0);
  CHECK(decode_every_way("0\r\nA:\r\n\r\n", {.extension_bytes = 0, .trailer_bytes = 0}).answer == 431);
}

TEST_CASE("http_chunked: a spent decoder takes nothing more") {
  ChunkedDecoder done;
  CHECK(done.next(base::as_bytes("0\r\n\r\n")).event == Event::done);
  CHECK(done.next(base::as_bytes("0")).event == Event::error);
  ChunkedDecoder failed;
  CHECK(failed.next(base::as_bytes("x")).event == Event::error);
  CHECK(failed.next(base::as_bytes("0\r\n\r\n")).event == Event::error);
  CHECK(failed.error().status == 400);
  ChunkedDecoder fresh;
  CHECK(fresh.next({}).event == Event::need_more);
}

}  // namespace martlet
