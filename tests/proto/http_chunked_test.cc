// The chunked decoder: whole, split at every byte, and against an unmapped page.
#include <doctest/doctest.h>

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
      {"5;a=b;c=\"d e\"\t\r\nhello\r\n0;x\r\n\r\n", "hello"},
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

TEST_CASE("http_chunked: malformed bodies") {
  for (const std::string text : {"\r\nhello",
                                 ";a\r\nhello",
                                 " 5\r\nhello",
                                 "+5\r\nhello",
                                 "-5\r\nhello",
                                 "x\r\nhello",
                                 "0x5\r\nhello",
                                 "5 \r\nhello",
                                 "5 ;a\r\nhello",
                                 "5\t;a\r\nhello",
                                 "5g\r\nhello",
                                 "5\nhello\r\n0\r\n\r\n",
                                 "5\rhello",
                                 "5\r\rhello",
                                 "5;a\nhello\r\n",
                                 "5;a\rb\r\nhello",
                                 "5;\x01\r\nhello",
                                 "5;\x7F\r\nhello",
                                 "00000000000000005\r\nhello",
                                 "10000000000000000\r\nhello",
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

TEST_CASE("http_chunked: extensions of all chunks together are bounded") {
  const ChunkedDecoder::Limits limits{.extension_bytes = 10, .trailer_bytes = 0};
  CHECK(decode_every_way("1;12345\r\na\r\n1;12345\r\nb\r\n0\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("1;12345\r\na\r\n1;123456\r\nb\r\n0\r\n\r\n", limits).answer == 400);
  CHECK(decode_every_way("1;1234567890\r\na\r\n0;\r\n\r\n", limits).answer == 0);
  CHECK(decode_every_way("1;1234567890\r\na\r\n0;1\r\n\r\n", limits).answer == 400);
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
