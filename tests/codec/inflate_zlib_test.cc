// codec/inflate reads what zlib writes, and judges broken streams as zlib does. Left out where zlib is not installed.
#if MARTLET_TEST_ZLIB

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "codec/checksum.h"
#include "support/inflate_driver.h"
#include "support/zlib_streams.h"

using namespace martlet::test;
using martlet::base::as_bytes;
using martlet::base::ByteSpan;
using martlet::codec::DeflateFormat;
using martlet::codec::InflateStatus;

namespace {

constexpr DeflateFormat kFormats[] = {DeflateFormat::raw, DeflateFormat::zlib, DeflateFormat::gzip};

// Words that come again, some of them often, with noise in between.
std::string prose(std::mt19937& random, size_t size) {
  static const char* const words[] = {"\"id\":", "{\"user\":\"", "<div class=\"item\">", "return ", "the ", "of ", "\n",
                                      "    if (", "message", "0123456789", "</div>\n", ", ", "true}", "static "};
  std::string text;
  while (text.size() < size) {
    const auto n = static_cast<size_t>(random() % 20);
    if (n < std::size(words)) text += words[n];
    if (n == 14) text += std::to_string(random());
    if (n == 15) text += static_cast<char>(random());
    if (n == 16) text += std::string(random() % 300, static_cast<char>('a' + random() % 3));
    if (n > 16 && !text.empty()) text += text.substr(random() % text.size(), random() % 60);
  }
  text.resize(size);
  return text;
}

std::string noise(std::mt19937& random, size_t size) {
  std::string text(size, 0);
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

void check_reads(const std::string& text, const std::vector<uint8_t>& bytes, const InflatePlan& plan) {
  const Inflated result = inflate_all(bytes, plan);
  CHECK(result.cause == "");
  CHECK(result.status == InflateStatus::done);
  CHECK(result.consumed == bytes.size());
  CHECK((result.output == text));
}

}  // namespace

TEST_CASE("inflate: all levels, strategies and windows of zlib") {
  std::mt19937 random(1);
  for (const size_t size : {0, 1, 10, 1000, 100000}) {
    const std::string text = prose(random, size);
    for (int level = 0; level <= 9; level++) {
      for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_FILTERED}) {
        const int window_bits = static_cast<int>(9 + random() % 7);
        CAPTURE(level);
        CAPTURE(strategy);
        CAPTURE(window_bits);
        const DeflateFormat format = kFormats[random() % 3];
        const auto bytes = zlib_deflate(text, {.level = level, .window_bits = window_bits, .strategy = strategy, .format = format});
        InflatePlan plan{.format = format, .window_bits = window_bits};
        plan.output_piece = always(text.size() + 1);
        check_reads(text, bytes, plan);
        plan.ring = 1u << window_bits;
        plan.output_piece = always(1 + random() % 30000);
        plan.input_piece = always(1 + random() % 30000);
        check_reads(text, bytes, plan);
      }
    }
  }
}

TEST_CASE("inflate: zlib's flushes, and pieces at random") {
  std::mt19937 random(2);
  for (int round = 0; round < 40; round++) {
    const std::string text = round % 8 == 0 ? noise(random, 100000) : prose(random, 1 + random() % 200000);
    const DeflateFormat format = kFormats[round % 3];
    const std::vector<std::vector<int>> patterns{{Z_SYNC_FLUSH}, {Z_FULL_FLUSH}, {Z_PARTIAL_FLUSH}, {Z_BLOCK},
                                                 {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK}};
    const ZlibSettings settings{.level = static_cast<int>(random() % 10), .mem_level = static_cast<int>(1 + random() % 9), .format = format};
    const auto bytes = zlib_deflate(text, settings, 1 + random() % 5000, patterns[static_cast<size_t>(round) % patterns.size()]);
    InflatePlan plan{.format = format};
    const size_t most_in = 1 + random() % 5000, most_out = 1 + random() % 20000;
    plan.input_piece = [&] { return random() % most_in; };
    plan.output_piece = [&] { return 1 + random() % most_out; };
    plan.ring = round % 2 ? 32768 : 0;
    check_reads(text, bytes, plan);
  }
}

TEST_CASE("inflate: small streams of zlib, cut at every byte") {
  std::mt19937 random(3);
  for (const DeflateFormat format : kFormats) {
    for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FIXED}) {
      const std::string text = prose(random, 700);
      const auto bytes = zlib_deflate(text, {.strategy = strategy, .format = format}, 300, {Z_SYNC_FLUSH});
      const Inflated result = inflate_every_way(bytes, {.format = format});
      CHECK(result.status == InflateStatus::done);
      CHECK(result.output == text);
      CHECK((inflate_every_way(bytes, {.format = format, .ring = 1024}) == result));
    }
  }
}

TEST_CASE("inflate: messages as permessage-deflate has them, with the context kept in a ring") {
  std::mt19937 random(4);
  for (int window_bits = 9; window_bits <= 15; window_bits++) {
    z_stream z{};
    REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    martlet::codec::Inflate inflate;
    inflate.reset(DeflateFormat::raw, window_bits);
    std::vector<uint8_t> ring(size_t{1} << window_bits);
    martlet::codec::InflateHistory history{ring.data(), 1u << window_bits, 0, 0};
    for (int n = 0; n < 100; n++) {
      const std::string text = prose(random, random() % 3000);
      std::vector<uint8_t> bytes(10000);
      z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
      z.avail_in = static_cast<uInt>(text.size());
      z.next_out = bytes.data();
      z.avail_out = static_cast<uInt>(bytes.size());
      deflate(&z, Z_SYNC_FLUSH);
      bytes.resize(static_cast<size_t>(z.next_out - bytes.data()));
      if (bytes.empty()) continue;  // a second flush of nothing writes nothing
      std::string output(text.size() + n % 40, 0);
      uint8_t* const begin = reinterpret_cast<uint8_t*>(output.data());
      uint8_t* out = begin;
      const uint8_t* in = bytes.data();
      CHECK(inflate.run(in, in + bytes.size(), begin, out, begin + output.size(), &history) == InflateStatus::need_input);
      CHECK(inflate.at_flush_point());
      output.resize(static_cast<size_t>(out - begin));
      CHECK((output == text));
      history.append(as_bytes(output));
    }
    deflateEnd(&z);
  }
}

TEST_CASE("inflate: the same verdict as zlib's on streams that were changed") {
  std::mt19937 random(5);
  int done = 0, errors = 0, unfinished = 0;
  for (int round = 0; round < 6000; round++) {
    const DeflateFormat format = kFormats[random() % 3];
    const std::string text = round % 10 == 0 ? noise(random, random() % 200) : prose(random, random() % 600);
    const ZlibSettings settings{.level = static_cast<int>(random() % 10), .strategy = static_cast<int>(random() % 5), .format = format};
    auto bytes = zlib_deflate(text, settings, 1 + random() % 300, {Z_SYNC_FLUSH, Z_NO_FLUSH});
    for (auto changes = random() % 4; changes > 0; changes--) {
      const size_t at = random() % bytes.size() % (random() % 2 ? 30 : 1000);
      bytes[at] = static_cast<uint8_t>(random() % 2 ? random() : bytes[at] ^ 1u << random() % 8);
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size() + 1);
    if (random() % 4 == 0) bytes.insert(bytes.end(), random() % 20, 0xA5);
    const ZlibInflated theirs = zlib_inflate(bytes, format);
    const Inflated ours = inflate_all(bytes, {.format = format, .input_piece = always(1 + random() % 200)});
    CAPTURE(round);
    CAPTURE(ours.cause);
    REQUIRE((ours.output == theirs.output));
    REQUIRE((ours.status == InflateStatus::done) == theirs.done);
    if (theirs.error) REQUIRE(ours.status == InflateStatus::error);
    if (theirs.done) REQUIRE(ours.consumed == theirs.consumed);
    // Where zlib waits for more before it says so: nothing that follows makes it good.
    if (ours.status == InflateStatus::error && !theirs.error) {
      bytes.insert(bytes.end(), 100, 0);
      REQUIRE(zlib_inflate(bytes, format).error);
    }
    (theirs.done ? done : theirs.error ? errors : unfinished)++;
  }
  // All three came often enough to mean something.
  CHECK(done > 500);
  CHECK(errors > 500);
  CHECK(unfinished > 500);
}

TEST_CASE("checksum: the same as zlib's") {
  std::mt19937 random(6);
  for (int round = 0; round < 200; round++) {
    const std::string text = noise(random, random() % 20000);
    const auto* data = reinterpret_cast<const Bytef*>(text.data());
    const auto size = static_cast<uInt>(text.size());
    CHECK(martlet::codec::crc32(0, as_bytes(text)) == crc32(0, data, size));
    CHECK(martlet::codec::adler32(1, as_bytes(text)) == adler32(1, data, size));
  }
}

#endif
