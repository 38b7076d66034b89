// DEFLATE streams written by hand: every kind of block, every length and distance, cut everywhere; histories; the
// examples of RFC 7692. Streams that are errors are in inflate_errors_test.cc, zlib's in inflate_zlib_test.cc.
#include "codec/inflate.h"

#include <doctest/doctest.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "support/deflate_writer.h"
#include "support/inflate_driver.h"

using namespace martlet::test;
using martlet::base::as_bytes;
using martlet::base::ByteSpan;
using martlet::codec::DeflateFormat;
using martlet::codec::Inflate;
using martlet::codec::InflateHistory;
using martlet::codec::InflateStatus;

static_assert(sizeof(Inflate) <= 13 * 1024);

namespace {

std::string noise(std::mt19937& random, size_t size) {
  std::string text(size, 0);
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::vector<size_t> first_symbols(size_t count) {
  std::vector<size_t> symbols(count);
  std::iota(symbols.begin(), symbols.end(), 0);
  return symbols;
}

void check_done(const DeflateWriter& stream, const Inflated& result) {
  CHECK(result.status == InflateStatus::done);
  CHECK(result.cause == "");
  CHECK(result.consumed == stream.bytes.size());
  CHECK((result.output == stream.output));
}

// Literals, matches of every kind and distances up to `window`, in the block that was begun.
void write_random_symbols(DeflateWriter& stream, std::mt19937& random, size_t count, size_t window) {
  for (size_t i = 0; i < count; i++) {
    const size_t most = std::min(stream.output.size(), window);
    if (most == 0 || random() % 3 == 0) {
      stream.literal(static_cast<uint8_t>(random()));
      continue;
    }
    const size_t near = random() % 4 == 0 ? most : std::min<size_t>(most, 1 + random() % 40);
    stream.match(static_cast<unsigned>(random() % 4 ? 3 + random() % 12 : 3 + random() % 256), static_cast<unsigned>(1 + random() % near));
  }
  stream.end();
}

// Blocks of all kinds, one after the other.
void write_random_blocks(DeflateWriter& stream, std::mt19937& random, size_t blocks, size_t symbols, size_t window) {
  for (size_t n = 0; n < blocks; n++) {
    const bool final = n + 1 == blocks;
    switch (random() % 4) {
      case 0:
        stream.stored(noise(random, random() % symbols), final);
        break;
      case 1:
        write_random_symbols(stream.fixed(final), random, symbols, window);
        break;
      default:
        stream.dynamic(random_lengths(random, first_symbols(286), 286, 15, static_cast<unsigned>(1 + random() % 12)),
                       random_lengths(random, first_symbols(30), 30, 15, static_cast<unsigned>(1 + random() % 12)), final);
        write_random_symbols(stream, random, symbols, window);
    }
  }
}

}  // namespace

TEST_CASE("inflate: stored blocks of every kind of size") {
  for (const size_t size : {0, 1, 2, 7, 8, 9, 31, 32, 33, 200}) {
    CAPTURE(size);
    DeflateWriter stream;
    stream.stored(std::string(size, 'a')).stored("").stored(std::string(size, 'b'), true);
    check_done(stream, inflate_every_way(stream.span()));
  }
  DeflateWriter stream;
  std::mt19937 random(1);
  stream.stored(noise(random, 65535)).stored("").stored(noise(random, 65534), true);
  check_done(stream, inflate_all(stream.span()));
  check_done(stream, inflate_all(stream.span(), {.input_piece = always(1000), .output_piece = always(777)}));
}

TEST_CASE("inflate: the bits between a stored block's head and its length are nobody's") {
  DeflateWriter stream;
  stream.fixed().literal('x').end().head(true, 0).bits(0xFF, 3).align().bits(1, 16).bits(0xFFFE, 16).text("y");
  stream.output += "y";
  check_done(stream, inflate_every_way(stream.span()));
}

TEST_CASE("inflate: every literal and every length in a fixed block") {
  DeflateWriter stream;
  stream.fixed(true);
  for (unsigned byte = 0; byte < 256; byte++) stream.literal(static_cast<uint8_t>(byte));
  for (unsigned length = 3; length <= 258; length++) stream.match(length, 1 + length % 7);
  stream.end();
  check_done(stream, inflate_all(stream.span()));
  check_done(stream, inflate_all(stream.span(), {.input_piece = always(1), .output_piece = always(1)}));
}

TEST_CASE("inflate: length symbol 284 with all extra bits set is 258, as zlib reads it") {
  for (const bool fast : {false, true}) {
    DeflateWriter stream;
    stream.fixed(true).literal('x').litlen_symbol(284).bits(31, 5).distance_code(0);
    stream.output += std::string(258, 'x');
    for (int i = 0; fast && i < 50; i++) stream.literal('y');
    stream.end();
    check_done(stream, inflate_all(stream.span()));
  }
}

TEST_CASE("inflate: every distance symbol with its lowest and its highest extra bits, and every short distance") {
  std::mt19937 random(2);
  const std::string before = noise(random, 32768);
  std::vector<unsigned> distances;
  for (unsigned d = 1; d < 70; d++) distances.push_back(d);
  for (unsigned smallest = 1, s = 0; s < 30; s++) {
    const unsigned extra = s < 2 ? 0 : (s - 2) / 2;
    distances.push_back(smallest);
    distances.push_back(smallest + (1u << extra) - 1);
    smallest += 1u << extra;
  }
  for (const bool fixed : {true, false}) {
    DeflateWriter stream;
    stream.stored(before);
    if (fixed) stream.fixed(true);
    if (!fixed) stream.dynamic(random_lengths(random, first_symbols(286), 286), random_lengths(random, first_symbols(30), 30, 15, 8), true);
    for (const unsigned distance : distances) {
      for (const unsigned length : {3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 34, 47, 48, 49, 63, 64, 65, 257, 258}) {
        stream.match(length, distance).literal('x');
      }
    }
    stream.end();
    check_done(stream, inflate_all(stream.span()));
    check_done(stream, inflate_all(stream.span(), {.output_piece = always(300)}));
    check_done(stream, inflate_all(stream.span(), {.output_piece = always(300), .ring = 32768}));
  }
}

TEST_CASE("inflate: random codes and random symbols, cut at every byte") {
  for (unsigned seed = 0; seed < 12; seed++) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    DeflateWriter stream;
    write_random_blocks(stream, random, 1 + seed % 3, 12, 32768);
    check_done(stream, inflate_every_way(stream.span()));
    check_done(stream, inflate_every_way(stream.span(), {.ring = 32768}));
  }
}

TEST_CASE("inflate: random codes and random symbols, cut at random") {
  for (unsigned seed = 0; seed < 60; seed++) {
    CAPTURE(seed);
    std::mt19937 random(seed + 100);
    DeflateWriter stream;
    write_random_blocks(stream, random, 1 + seed % 5, 1500, 32768);
    check_done(stream, inflate_all(stream.span(), {.output_piece = always(stream.output.size())}));
    InflatePlan plan;
    const unsigned most_in = 1 + random() % 2000, most_out = 1 + random() % 5000;
    plan.input_piece = [&] { return random() % most_in; };
    plan.output_piece = [&] { return random() % most_out; };
    plan.side = seed % 2 ? GuardedRoom::Side::end : GuardedRoom::Side::begin;
    check_done(stream, inflate_all(stream.span(), plan));
    plan.ring = 32768;
    check_done(stream, inflate_all(stream.span(), plan));
  }
}

TEST_CASE("inflate: the symbols with the most bits, against the end of the input") {
  // Codes of 1 to 15 bits: the literal has 11, what the fast loop takes three of at once; the length has 15 and five
  // extra bits, the distance 15 and 13. Together they use more bits than any other symbols.
  std::vector<uint8_t> litlen(286), distances(30);
  litlen[256] = 1;
  for (uint8_t bits = 2; bits < 15; bits++) litlen[size_t{'a'} + bits] = bits;
  litlen[284] = litlen['z'] = 15;
  for (uint8_t bits = 1; bits < 15; bits++) distances[bits] = bits;
  distances[0] = distances[29] = 15;
  std::mt19937 random(8);
  DeflateWriter stream;
  stream.stored(noise(random, 32768)).dynamic(litlen, distances, true);
  const size_t begin = stream.bytes.size();
  for (int i = 0; i < 12; i++) stream.literal('a' + 11).literal('a' + 11).literal('a' + 11).match(227 + 30, 32768 - static_cast<unsigned>(i));
  stream.end();
  check_done(stream, inflate_all(stream.span()));
  for (size_t size = begin; size < stream.bytes.size(); size++) {
    bool begun = false;
    check_done(stream, inflate_all(stream.span(), {.input_piece = [&] { return std::exchange(begun, true) ? SIZE_MAX : size; }}));
  }
}

TEST_CASE("inflate: an output that is exactly as large as it must be is done, not full") {
  DeflateWriter stream;
  stream.fixed().literal('a').match(100, 1).end().stored("").fixed().end().stored("xyz").fixed(true).end();
  for (const size_t more : {0, 1}) {
    check_done(stream, inflate_all(stream.span(), {.output_piece = always(stream.output.size() + more)}));
  }
  Inflate inflate;
  std::string buffer(stream.output.size() - 1, 0);
  uint8_t* out = reinterpret_cast<uint8_t*>(buffer.data());
  const uint8_t* in = stream.bytes.data();
  CHECK(inflate.run(in, in + stream.bytes.size(), out, out, out + buffer.size()) == InflateStatus::output_full);
  CHECK(in < stream.bytes.data() + stream.bytes.size());
  CHECK(buffer == stream.output.substr(0, buffer.size()));
}

TEST_CASE("inflate: with nothing to read and nowhere to write it waits for input") {
  Inflate inflate;
  const uint8_t* in = nullptr;
  uint8_t* out = nullptr;
  CHECK(inflate.run(in, nullptr, nullptr, out, nullptr) == InflateStatus::need_input);
  CHECK(inflate.at_flush_point());
  DeflateWriter stream;
  stream.stored("").fixed(true).end();
  in = stream.bytes.data();
  CHECK(inflate.run(in, in + stream.bytes.size(), nullptr, out, nullptr) == InflateStatus::done);
  CHECK(inflate.run(in, in, nullptr, out, nullptr) == InflateStatus::done);
}

TEST_CASE("inflate: codes of one symbol, and no code of distances") {
  std::vector<uint8_t> only_end(257);
  only_end[256] = 1;
  std::vector<uint8_t> two(257);
  two['x'] = two[256] = 1;
  std::vector<uint8_t> with_match(260);
  with_match['x'] = with_match[256] = 2;
  with_match[257] = 1;
  DeflateWriter stream;
  stream.dynamic(only_end, {0}).end();
  stream.dynamic(two, {0}).literal('x').literal('x').end();
  stream.dynamic(with_match, {1}).literal('x').match(3, 1).end();
  stream.dynamic(with_match, {0, 0, 0, 1}).match(3, 4).end();
  stream.dynamic(only_end, {1, 1}, true).end();
  check_done(stream, inflate_every_way(stream.span()));
}

TEST_CASE("inflate: repeats of code lengths, up to the last one") {
  // Symbols 0, 1 and 16 to 18 have codes. 'a' to 'd' have three bits each and so have 'e', 256 and two distances; 'a' is
  // written out and repeated by 16.
  std::vector<uint8_t> of_lengths(19);
  for (const size_t s : {0, 3, 16, 17}) of_lengths[s] = 3;
  of_lengths[18] = 1;
  const PrefixCode lengths(of_lengths);
  DeflateWriter stream;
  stream.head(true, 2).counts(257, 8, 19);
  for (const int s : {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}) stream.bits(of_lengths[static_cast<size_t>(s)], 3);
  stream.symbol(lengths, 18).bits(97 - 11, 7);                            // up to 'a'
  stream.symbol(lengths, 3).symbol(lengths, 16).bits(3, 2);               // seven letters
  stream.symbol(lengths, 18).bits(138 - 11, 7);                           // 138 zeros: 242
  stream.symbol(lengths, 17).bits(10 - 3, 3).symbol(lengths, 17).bits(0, 3);  // 13 zeros: 255
  stream.symbol(lengths, 0).symbol(lengths, 3);                           // 256 and then the distances
  stream.symbol(lengths, 16).bits(3, 2).symbol(lengths, 3).symbol(lengths, 3);
  DeflateWriter same;
  std::vector<uint8_t> litlen(257);
  for (size_t s = 'a'; s < 'a' + 7; s++) litlen[s] = 3;
  litlen[256] = 3;
  const PrefixCode code(litlen);
  for (const char c : std::string("gfedcba")) {
    stream.symbol(code, static_cast<uint8_t>(c));
    stream.output += c;
  }
  stream.symbol(code, 256);
  check_done(stream, inflate_every_way(stream.span()));
}

TEST_CASE("inflate: what is left of the input is not touched when the stream is done") {
  for (size_t literals = 0; literals < 90; literals++) {
    DeflateWriter stream;
    stream.fixed(true);
    for (size_t i = 0; i < literals; i++) stream.literal(static_cast<uint8_t>('a' + i % 26));
    stream.end();
    const size_t size = stream.bytes.size();
    std::vector<uint8_t> more = stream.bytes;
    more.insert(more.end(), 100, 0xAA);
    for (const size_t first : {size_t{1}, size / 2, size - 1, size, size + 1, size + 50}) {
      bool begun = false;
      const Inflated result = inflate_all(more, {.input_piece = [&] { return std::exchange(begun, true) ? SIZE_MAX : first; },
                                                 .output_piece = always(literals / 2 + 1)});
      CHECK(result.status == InflateStatus::done);
      CHECK(result.consumed == size);
      CHECK(result.output == stream.output);
    }
  }
}

namespace {

// A message of RFC 7692 §7.2.2: the payload, then 00 00 FF FF; final blocks in the midst.
std::string read_message(Inflate& inflate, std::string_view payload, std::string& before) {
  const std::string input = std::string(payload) + std::string("\0\0\xff\xff", 4);
  std::vector<uint8_t> buffer(before.begin(), before.end());
  buffer.resize(before.size() + 1000);
  uint8_t* out = buffer.data() + before.size();

  const uint8_t* in = as_bytes(input).data();
  const uint8_t* const in_end = in + input.size();
  InflateStatus status;
  while ((status = inflate.run(in, in_end, buffer.data(), out, buffer.data() + buffer.size())) == InflateStatus::done) inflate.restart();
  CHECK(status == InflateStatus::need_input);
  CHECK(inflate.at_flush_point());
  const std::string text(buffer.data() + before.size(), out);
  before += text;
  return text;
}

std::string hex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 3) bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return bytes;
}

}  // namespace

TEST_CASE("inflate: the examples of RFC 7692 section 7.2.3") {
  Inflate inflate;
  std::string before;
  CHECK(read_message(inflate, hex("f2 48 cd c9 c9 07 00"), before) == "Hello");
  CHECK(read_message(inflate, hex("f2 00 11 00 00"), before) == "Hello");  // refers to the first
  CHECK(read_message(inflate, hex("00 05 00 fa ff 48 65 6c 6c 6f 00"), before) == "Hello");
  CHECK(read_message(inflate, hex("f3 48 cd c9 c9 07 00 00"), before) == "Hello");  // BFINAL
  CHECK(read_message(inflate, hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), before) == "Hello");
  CHECK(read_message(inflate, hex("00"), before) == "");
  CHECK(read_message(inflate, hex("f2 00 11 00 00"), before) == "Hello");
}

TEST_CASE("inflate: restart() after done reads what it is given, not what was left of the input before") {
  for (const size_t literals : {3, 40}) {
    DeflateWriter first, second;
    first.fixed(true);
    second.output = std::string(literals, 'f');
    second.fixed(true);
    for (size_t i = 0; i < literals; i++) first.literal('f');
    for (size_t i = 0; i < literals; i++) second.literal('s');
    first.end();
    second.match(5, static_cast<unsigned>(literals) + 2).end();
    std::vector<uint8_t> input = first.bytes;
    input.insert(input.end(), 20, 0xFF);
    std::string buffer(400, 0);
    uint8_t* const begin = reinterpret_cast<uint8_t*>(buffer.data());
    uint8_t* out = begin;
    const uint8_t* in = input.data();
    Inflate inflate;
    CHECK(inflate.run(in, in + input.size(), begin, out, begin + buffer.size()) == InflateStatus::done);
    inflate.restart();
    in = second.bytes.data();
    CHECK(inflate.run(in, in + second.bytes.size(), begin, out, begin + buffer.size()) == InflateStatus::done);
    CHECK(buffer.substr(0, static_cast<size_t>(out - begin)) == second.output);
  }
}

TEST_CASE("inflate: a flush point is between two blocks and at the end of a byte") {
  DeflateWriter stream;
  stream.stored("").fixed().literal('a').literal('b').end().stored("xy").fixed(true).end();
  const size_t flushes[] = {0, 5, stream.bytes.size() - 2};
  std::vector<size_t> seen;
  for (size_t size = 0; size <= stream.bytes.size(); size++) {
    Inflate inflate;
    std::string buffer(100, 0);
    uint8_t* out = reinterpret_cast<uint8_t*>(buffer.data());
    const uint8_t* in = stream.bytes.data();
    inflate.run(in, in + size, out, out, out + buffer.size());
    if (inflate.at_flush_point()) seen.push_back(size);
  }
  CHECK(seen == std::vector<size_t>(std::begin(flushes), std::end(flushes)));
}

TEST_CASE("inflate: a history of every size, and windows that are as large") {
  for (int window_bits = 8; window_bits <= 15; window_bits++) {
    CAPTURE(window_bits);
    const size_t window = size_t{1} << window_bits;
    std::mt19937 random(static_cast<unsigned>(window_bits));
    DeflateWriter stream;
    stream.stored(noise(random, window)).fixed();
    stream.match(258, static_cast<unsigned>(window)).end();
    write_random_blocks(stream, random, 6, std::min<size_t>(4 * window, 3000), window);
    InflatePlan plan{.window_bits = window_bits, .ring = static_cast<uint32_t>(window)};
    check_done(stream, inflate_all(stream.span(), plan));
    for (const unsigned most : {3, 40, 700, 40000}) {
      plan.output_piece = [&] { return 1 + random() % most; };
      plan.input_piece = [&] { return 1 + random() % most; };
      check_done(stream, inflate_all(stream.span(), plan));
    }
  }
}

TEST_CASE("inflate: a history keeps the last bytes, however they come") {
  std::mt19937 random(7);
  for (uint32_t size = 256; size <= 32768; size *= 2) {
    std::vector<uint8_t> ring(size);
    InflateHistory history{ring.data(), size, 0, 0};
    std::string all;
    for (int i = 0; i < 40; i++) {
      const std::string piece = noise(random, random() % (i % 5 == 0 ? 3 * size : size / 3));
      history.append(as_bytes(piece));
      all += piece;
      REQUIRE(history.filled == std::min<size_t>(size, all.size()));
      bool same = true;
      for (uint32_t back = 1; back <= history.filled; back++) {
        same &= ring[(history.at - back) & (size - 1)] == static_cast<uint8_t>(all[all.size() - back]);
      }
      REQUIRE(same);
    }
  }
}

TEST_CASE("inflate: a preset dictionary is what lies before the first output, or a history that is not empty") {
  const std::string dictionary = "the quick brown fox";
  DeflateWriter stream;
  stream.output = dictionary;
  stream.fixed(true).match(9, 19).literal('!').match(3, 10).end();
  const std::string expected = stream.output.substr(dictionary.size());
  std::string buffer = dictionary + std::string(100, 0);
  uint8_t* const begin = reinterpret_cast<uint8_t*>(buffer.data());
  uint8_t* out = begin + dictionary.size();
  const uint8_t* in = stream.bytes.data();
  Inflate inflate;
  CHECK(inflate.run(in, in + stream.bytes.size(), begin, out, begin + buffer.size()) == InflateStatus::done);
  CHECK(std::string(begin + dictionary.size(), out) == expected);

  std::vector<uint8_t> ring(256);
  InflateHistory history{ring.data(), 256, 0, 0};
  history.append(as_bytes(dictionary));
  inflate.reset();
  in = stream.bytes.data();
  out = begin;
  CHECK(inflate.run(in, in + stream.bytes.size(), begin, out, begin + buffer.size(), &history) == InflateStatus::done);
  CHECK(std::string(begin, out) == expected);
}

TEST_CASE("inflate: after reset() nothing of an earlier stream is left") {
  DeflateWriter good;
  good.fixed(true).literal('a').match(50, 1).end();
  const auto inflate = std::make_unique<Inflate>();
  for (size_t size = 0; size < good.bytes.size(); size++) {
    inflate_on(*inflate, good.span().first(size), {});
    inflate->reset();
    check_done(good, inflate_on(*inflate, good.span(), {}));
    inflate->reset();
  }
  const uint8_t bad = 7;
  CHECK(inflate_on(*inflate, {&bad, 1}, {}).status == InflateStatus::error);
  inflate->reset();
  check_done(good, inflate_on(*inflate, good.span(), {}));
}
