// DEFLATE streams that are errors, each with its cause; and the wrappings of zlib and gzip, good and bad.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "codec/checksum.h"
#include "support/deflate_writer.h"
#include "support/inflate_driver.h"

using namespace martlet::test;
using martlet::base::as_bytes;
using martlet::base::ByteSpan;
using martlet::codec::DeflateFormat;
using martlet::codec::Inflate;
using martlet::codec::InflateStatus;

namespace {

// However it is cut, and whatever follows; and no shorter input is done.
void check_error(const DeflateWriter& stream, const char* cause, InflatePlan plan = {}) {
  CAPTURE(cause);
  const Inflated result = inflate_every_way(stream.span(), plan);
  CHECK(result.status == InflateStatus::error);
  CHECK(result.cause == cause);
  CHECK((result.output == stream.output));
  std::vector<uint8_t> more = stream.bytes;
  more.insert(more.end(), 100, 0x55);
  const Inflated followed = inflate_all(more, plan);
  CHECK(followed.cause == cause);
  CHECK((followed.output == stream.output));
  bool early = false;
  for (size_t size = 0; size < stream.bytes.size(); size++) {
    early |= inflate_all(stream.span().first(size), plan).status == InflateStatus::done;
  }
  CHECK_FALSE(early);
}

// Good symbols first, so that what follows is read far from the ends of input and output, or near.
DeflateWriter& begin_fixed(DeflateWriter& stream, int literals) {
  stream.fixed(true);
  for (int i = 0; i < literals; i++) stream.literal('z');
  return stream;
}

// The head of a block of type 2 with a code of code lengths that has these lengths.
PrefixCode write_lengths_code(DeflateWriter& stream, size_t litlen, size_t distances, std::vector<uint8_t> of_lengths) {
  of_lengths.resize(19);
  stream.head(true, 2).counts(litlen, distances, 19);
  for (const size_t s : {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}) stream.bits(of_lengths[s], 3);
  return PrefixCode(of_lengths);
}

std::vector<uint8_t> litlen_lengths(std::vector<std::pair<size_t, uint8_t>> some, size_t count = 257) {
  std::vector<uint8_t> lengths(count);
  for (const auto& [symbol, length] : some) lengths[symbol] = length;
  return lengths;
}

}  // namespace

TEST_CASE("inflate: errors of blocks") {
  check_error(DeflateWriter().head(false, 3), "A block of type 3.");
  check_error(DeflateWriter().stored("abc").head(true, 3), "A block of type 3.");
  const char* const mismatch = "The length of a stored block and its complement do not match.";
  check_error(DeflateWriter().head(true, 0).align().bits(1, 16).bits(0xFFFF, 16), mismatch);
  check_error(DeflateWriter().head(true, 0).align().bits(0, 16).bits(0, 16), mismatch);
  check_error(DeflateWriter().head(true, 0).align().bits(0x8000, 16).bits(0xFFFF, 16), mismatch);
}

TEST_CASE("inflate: errors of the counts and of the code of the code lengths") {
  check_error(DeflateWriter().head(true, 2).counts(287, 30, 19), "More than 286 codes of literals and lengths.");
  check_error(DeflateWriter().head(true, 2).counts(288, 1, 4), "More than 286 codes of literals and lengths.");
  check_error(DeflateWriter().head(true, 2).counts(286, 31, 19), "More than 30 codes of distances.");
  check_error(DeflateWriter().head(true, 2).counts(257, 32, 4), "More than 30 codes of distances.");
  const auto with = [](std::vector<uint8_t> of_lengths) {
    DeflateWriter stream;
    write_lengths_code(stream, 257, 1, of_lengths);
    return stream;
  };
  check_error(with({1, 1, 1}), "The code of the code lengths is over-subscribed.");
  check_error(with(std::vector<uint8_t>(19, 4)), "The code of the code lengths is over-subscribed.");
  check_error(with({1, 2}), "The code of the code lengths is incomplete.");
  check_error(with({1}), "The code of the code lengths is incomplete.");
  check_error(with({}), "The code of the code lengths is incomplete.");
}

TEST_CASE("inflate: errors of repeated code lengths") {
  const std::vector<uint8_t> of_lengths{2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 3};
  DeflateWriter first;
  PrefixCode code = write_lengths_code(first, 257, 1, of_lengths);
  check_error(first.symbol(code, 16).bits(0, 2), "A repeated code length with none before it.");
  // 258 lengths; 138 + 116 are 254, and then there are four.
  for (const auto& [symbol, bits, good] : std::vector<std::tuple<size_t, unsigned, uint32_t>>{{16, 2, 1}, {17, 3, 1}}) {
    for (const uint32_t more : {1, 2}) {
      DeflateWriter stream;
      code = write_lengths_code(stream, 257, 1, of_lengths);
      stream.symbol(code, 18).bits(127, 7).symbol(code, 18).bits(116 - 11, 7).symbol(code, symbol).bits(good + more, bits);
      check_error(stream, "Repeated code lengths run past the end.");
    }
    DeflateWriter stream;
    code = write_lengths_code(stream, 257, 1, of_lengths);
    stream.symbol(code, 18).bits(127, 7).symbol(code, 18).bits(116 - 11, 7).symbol(code, symbol).bits(good, bits);
    check_error(stream, "The code has no end of block.");
  }
  DeflateWriter stream;
  code = write_lengths_code(stream, 257, 1, of_lengths);
  stream.symbol(code, 18).bits(127, 7).symbol(code, 18).bits(127, 7);
  check_error(stream, "Repeated code lengths run past the end.");
}

TEST_CASE("inflate: errors of the codes") {
  check_error(DeflateWriter().dynamic(litlen_lengths({{'a', 1}, {'b', 1}}), {1}, true), "The code has no end of block.");
  check_error(DeflateWriter().dynamic(litlen_lengths({}), {0}, true), "The code has no end of block.");
  const char* const over = "The code of literals and lengths is over-subscribed.";
  check_error(DeflateWriter().dynamic(litlen_lengths({{'a', 1}, {'b', 1}, {256, 1}}), {1}, true), over);
  check_error(DeflateWriter().dynamic(litlen_lengths({{'a', 1}, {'b', 1}, {256, 15}}), {1}, true), over);
  check_error(DeflateWriter().dynamic(std::vector<uint8_t>(286, 8), {1}, true), over);
  const char* const incomplete = "The code of literals and lengths is incomplete.";
  check_error(DeflateWriter().dynamic(litlen_lengths({{'a', 1}, {256, 2}}), {1}, true), incomplete);
  check_error(DeflateWriter().dynamic(litlen_lengths({{256, 2}}), {1}, true), incomplete);
  check_error(DeflateWriter().dynamic(std::vector<uint8_t>(286, 9), {1}, true), incomplete);
  const std::vector<uint8_t> good = litlen_lengths({{'a', 1}, {256, 1}});
  check_error(DeflateWriter().dynamic(good, {1, 1, 1}, true), "The code of distances is over-subscribed.");
  check_error(DeflateWriter().dynamic(good, std::vector<uint8_t>(30, 4), true), "The code of distances is over-subscribed.");
  check_error(DeflateWriter().dynamic(good, {2}, true), "The code of distances is incomplete.");
  check_error(DeflateWriter().dynamic(good, {1, 2}, true), "The code of distances is incomplete.");
  check_error(DeflateWriter().dynamic(good, std::vector<uint8_t>(30, 5), true), "The code of distances is incomplete.");
}

TEST_CASE("inflate: symbols that do not exist, near the ends and far from them") {
  const char* const no_length = "A length code that does not exist.";
  const char* const no_distance = "A distance code that does not exist.";
  for (const int before : {1, 60}) {
    for (const int behind : {0, 60}) {
      const auto with = [&](auto write) {
        DeflateWriter stream;
        write(begin_fixed(stream, before));
        const std::string output = stream.output;
        for (int i = 0; i < behind; i++) stream.literal('q');
        stream.output = output;
        return stream;
      };
      check_error(with([](DeflateWriter& s) { s.litlen_symbol(286); }), no_length);
      check_error(with([](DeflateWriter& s) { s.litlen_symbol(287); }), no_length);
      check_error(with([](DeflateWriter& s) { s.litlen_symbol(257).distance_code(30); }), no_distance);
      check_error(with([](DeflateWriter& s) { s.litlen_symbol(285).distance_code(31); }), no_distance);
      check_error(with([&](DeflateWriter& s) { s.bad_match(3, static_cast<unsigned>(before) + 1); }),
                  "A distance beyond the start of the output.");
      check_error(with([](DeflateWriter& s) { s.bad_match(258, 32768); }), "A distance beyond the start of the output.");
    }
  }
  // The other bit of a code that has one symbol, and a code that has none.
  const std::vector<uint8_t> with_match = litlen_lengths({{'a', 2}, {256, 2}, {257, 1}}, 258);
  for (const std::vector<uint8_t>& distances : {std::vector<uint8_t>{1}, std::vector<uint8_t>{0}}) {
    check_error(DeflateWriter().dynamic(with_match, distances, true).literal('a').litlen_symbol(257).bits(1, 1), no_distance);
  }
  check_error(DeflateWriter().dynamic(with_match, {0}, true).literal('a').litlen_symbol(257).bits(0, 1), no_distance);
  check_error(DeflateWriter().dynamic(litlen_lengths({{256, 1}}), {0}, true).bits(1, 1), no_length);
}

TEST_CASE("inflate: distances beyond the window, by every kind of code") {
  std::mt19937 random(3);
  for (int window_bits = 8; window_bits <= 15; window_bits++) {
    CAPTURE(window_bits);
    const unsigned window = 1u << window_bits;
    std::string before(window + 2, 'x');
    for (char& c : before) c = static_cast<char>(random());
    for (const bool fixed : {true, false}) {
      for (const bool beyond : {false, true}) {
        if (beyond && window_bits == 15) continue;
        DeflateWriter stream;
        stream.stored(before);
        if (fixed) stream.fixed(true);
        if (!fixed) {
          std::vector<uint8_t> lengths(30, 5);
          lengths[0] = lengths[1] = 4;
          stream.dynamic(litlen_lengths({{'a', 1}, {256, 2}, {257, 2}}, 258), lengths, true);
        }
        if (!beyond) stream.match(3, window).end();
        if (beyond) stream.bad_match(3, window + 1);
        for (const size_t piece : {size_t{100}, before.size() + 1000}) {
          const Inflated result = inflate_all(stream.span(), {.window_bits = window_bits, .output_piece = always(piece)});
          CHECK(result.status == (beyond ? InflateStatus::error : InflateStatus::done));
          CHECK(result.cause == (beyond ? "A distance beyond the window." : ""));
          CHECK((result.output == stream.output));
        }
      }
    }
  }
}

TEST_CASE("inflate: a distance beyond what a history has is an error, the last byte of it is not") {
  for (const uint32_t size : {256, 1024, 32768}) {
    for (const uint32_t filled : {0u, 1u, 100u, size - 1, size}) {
      const std::vector<uint8_t> bytes(filled, 'h');
      std::vector<uint8_t> ring(size);
      martlet::codec::InflateHistory history{ring.data(), size, 0, 0};
      history.append(bytes);
      for (const unsigned more : {0, 1}) {
        for (const int behind : {0, 60}) {  // near the end of the input, and far from it
          if (filled + 1 + more > 32768) continue;
          DeflateWriter stream;
          stream.output = std::string(filled, 'h');
          stream.fixed(true).literal('a');
          if (more) stream.bad_match(3, filled + 2);
          if (!more) stream.match(3, filled + 1);
          for (int i = 0; i < behind; i++) stream.literal('q');
          stream.end();
          Inflate inflate;
          std::string buffer(200, 0);
          uint8_t* const begin = reinterpret_cast<uint8_t*>(buffer.data());
          uint8_t* out = begin;
          const uint8_t* in = stream.bytes.data();
          const InflateStatus status = inflate.run(in, in + stream.bytes.size(), begin, out, begin + 200, &history);
          CHECK(status == (more ? InflateStatus::error : InflateStatus::done));
          CHECK(std::string(inflate.cause()) == (more ? "A distance beyond the start of the output." : ""));
          CHECK(buffer.substr(0, static_cast<size_t>(out - begin)) == (more ? "a" : stream.output.substr(filled)));
        }
      }
    }
  }
}

TEST_CASE("inflate: an error stays one until reset()") {
  Inflate inflate;
  const uint8_t bytes[] = {7, 0, 0};
  const uint8_t* in = bytes;
  uint8_t room[4];
  uint8_t* out = room;
  for (int i = 0; i < 3; i++) {
    CHECK(inflate.run(in, bytes + 3, room, out, room + 4) == InflateStatus::error);
    CHECK(std::string(inflate.cause()) == "A block of type 3.");
    CHECK_FALSE(inflate.at_flush_point());
  }
}

namespace {

const std::string kText = "a zlib stream, a zlib stream";

void write_content(DeflateWriter& stream) {
  stream.align().fixed(true);
  for (const char c : kText.substr(0, 15)) stream.literal(static_cast<uint8_t>(c));
  stream.match(13, 15).end().align();
}

DeflateWriter zlib_stream(uint8_t first, uint8_t second, uint32_t change_check = 0) {
  DeflateWriter stream;
  write_content(stream.byte(first).byte(second));
  const uint32_t check = martlet::codec::adler32(1, as_bytes(kText)) ^ change_check;
  for (int shift = 24; shift >= 0; shift -= 8) stream.byte(static_cast<uint8_t>(check >> shift));
  return stream;
}

// The second byte that makes both a multiple of 31.
uint8_t second_byte(uint8_t first, uint8_t flags = 0) {
  const unsigned value = first << 8 | flags;
  return static_cast<uint8_t>(flags + (31 - value % 31) % 31);
}

DeflateWriter gzip_stream(uint8_t flags, uint32_t change_head = 0, uint32_t change_check = 0, uint32_t change_size = 0) {
  DeflateWriter stream;
  stream.text("\x1f\x8b\x08").byte(flags).text("time").byte(2).byte(3);
  if (flags & 4) stream.byte(5).byte(1).text(std::string(261, 'e'));
  if (flags & 8) stream.text("name").byte(0);
  if (flags & 16) stream.text("comment").byte(0);
  if (flags & 2) stream.bits((martlet::codec::crc32(0, stream.span()) & 0xFFFF) ^ change_head, 16);
  write_content(stream);
  stream.bits(martlet::codec::crc32(0, as_bytes(kText)) ^ change_check, 32);
  return stream.bits(static_cast<uint32_t>(kText.size()) ^ change_size, 32);
}

void check_good(const DeflateWriter& stream, const InflatePlan& plan) {
  const Inflated result = inflate_every_way(stream.span(), plan);
  CHECK(result.cause == "");
  CHECK(result.status == InflateStatus::done);
  CHECK(result.output == kText);
  CHECK(result.consumed == stream.bytes.size());
}

// The bytes before the content only.
DeflateWriter head_of(const std::string& bytes) {
  DeflateWriter stream;
  return stream.text(bytes);
}

}  // namespace

TEST_CASE("inflate: zlib's heads and trailers") {
  const InflatePlan plan{.format = DeflateFormat::zlib};
  check_good(zlib_stream(0x78, 0x9C), plan);
  for (uint8_t window = 0; window < 8; window++) {
    const auto first = static_cast<uint8_t>(window << 4 | 8);
    check_good(zlib_stream(first, second_byte(first, 0xC0)), plan);
    InflatePlan narrow = plan;
    narrow.window_bits = 11;
    if (window <= 3) {
      check_good(zlib_stream(first, second_byte(first)), narrow);
    } else {
      DeflateWriter stream;
      check_error(stream.byte(first).byte(second_byte(first)), "A window that is larger than allowed.", narrow);
    }
  }
  check_error(head_of("\x78\x9D"), "Not a zlib header.", plan);
  check_error(head_of("\x1f\x8b"), "Not a zlib header.", plan);
  check_error(DeflateWriter().byte(0x77).byte(second_byte(0x77)), "An unknown compression method.", plan);
  check_error(DeflateWriter().byte(0x79).byte(second_byte(0x79)), "An unknown compression method.", plan);
  check_error(DeflateWriter().byte(0x88).byte(second_byte(0x88)), "A window that is larger than allowed.", plan);
  check_error(DeflateWriter().byte(0x78).byte(second_byte(0x78, 0x20)), "A preset dictionary is asked for.", plan);
  for (const uint32_t change : {1u, 0x100u, 0x80000000u}) {
    check_error(zlib_stream(0x78, 0x9C, change), "The checksum does not match.", plan);
  }
}

TEST_CASE("inflate: gzip's heads and trailers") {
  const InflatePlan plan{.format = DeflateFormat::gzip};
  for (const uint8_t flags : {0, 1, 2, 4, 6, 8, 10, 16, 18, 24, 31}) check_good(gzip_stream(flags), plan);
  check_error(head_of("\x78\x9C"), "Not a gzip header.", plan);
  check_error(head_of("\x1f\x8c"), "Not a gzip header.", plan);
  check_error(head_of(std::string("\x1f\x8b\x07\x00", 4)), "An unknown compression method.", plan);
  for (const int reserved : {0x20, 0x40, 0x80}) {
    check_error(head_of("\x1f\x8b\x08").byte(static_cast<uint8_t>(reserved)), "Reserved flags of gzip are set.", plan);
  }
  for (const uint8_t flags : {2, 31}) {
    for (const uint32_t change : {1, 0x8000}) {
      DeflateWriter stream = gzip_stream(flags, change);
      stream.output.clear();
      stream.bytes.resize(stream.bytes.size() - 8);  // what follows the head is not looked at
      check_error(stream, "The check of the gzip header does not match.", plan);
    }
  }
  for (const uint32_t change : {1u, 0x80000000u}) {
    check_error(gzip_stream(0, 0, change), "The checksum does not match.", plan);
    check_error(gzip_stream(0, 0, 0, change), "The length does not match.", plan);
  }
}
