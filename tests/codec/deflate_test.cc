// codec/deflate gives back what it was given, at every level, window, flush and context, however the calls are cut; and
// what it refers to is in the window and in the context. deflate_limits_test.cc has sizes, memory and the rest.
#include "codec/deflate.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "support/deflate_driver.h"

using namespace martlet::test;
using martlet::codec::Deflate;
using martlet::codec::DeflateFlush;
using martlet::codec::DeflateLevel;
using martlet::codec::DeflateSettings;

namespace {

constexpr DeflateLevel kLevels[] = {DeflateLevel::fast, DeflateLevel::better};

template <typename F>
void for_all_settings(F run) {
  for (const DeflateLevel level : kLevels) {
    for (int window_bits = 8; window_bits <= 15; window_bits++) {
      for (const bool keep_context : {false, true}) {
        CAPTURE(static_cast<int>(level));
        CAPTURE(window_bits);
        CAPTURE(keep_context);
        run(DeflateSettings{level, window_bits, keep_context});
      }
    }
  }
}

const std::vector<std::vector<DeflateFlush>> kPatterns{
    {DeflateFlush::none},
    {DeflateFlush::sync},
    {DeflateFlush::finish},
    {DeflateFlush::none, DeflateFlush::none, DeflateFlush::sync},
    {DeflateFlush::none, DeflateFlush::sync, DeflateFlush::none, DeflateFlush::finish, DeflateFlush::sync, DeflateFlush::finish},
};

void compress_in_pieces(Compressor& compressor, std::string_view text, const std::vector<DeflateFlush>& flushes,
                        std::mt19937& random, size_t most) {
  for (size_t n = 0; !text.empty(); n++) {
    const std::string_view piece = text.substr(0, random() % most);
    text.remove_prefix(piece.size());
    compressor.call(piece, flushes[n % flushes.size()]);
  }
}

}  // namespace

TEST_CASE("deflate: every level, window, context and pattern of flushes, cut at random") {
  std::mt19937 random(1);
  for_all_settings([&](const DeflateSettings& settings) {
    for (size_t pattern = 0; pattern < kPatterns.size(); pattern++) {
      CAPTURE(pattern);
      Compressor compressor(settings);
      const size_t window = size_t{1} << settings.window_bits;
      for (const size_t most : {size_t{9}, size_t{200}, window / 2, 3 * window}) {
        compress_in_pieces(compressor, random_text(random, 3 * most + 100), kPatterns[pattern], random, most);
        compress_in_pieces(compressor, random_bytes(random, most), kPatterns[pattern], random, most);
      }
      compressor.check();
    }
  });
}

TEST_CASE("deflate: messages of every size from 0 to 600") {
  std::mt19937 random(2);
  for (const DeflateLevel level : kLevels) {
    for (const bool keep_context : {false, true}) {
      for (const DeflateFlush flush : {DeflateFlush::none, DeflateFlush::sync, DeflateFlush::finish}) {
        CAPTURE(static_cast<int>(level));
        CAPTURE(keep_context);
        CAPTURE(static_cast<int>(flush));
        Compressor text({level, 15, keep_context}), noise({level, 11, keep_context}), run({level, 8, keep_context});
        for (size_t size = 0; size <= 600; size++) {
          text.call(random_text(random, size), flush);
          noise.call(random_bytes(random, size), flush);
          run.call(std::string(size, static_cast<char>(size)), flush);
        }
        text.check();
        noise.check();
        run.check();
      }
    }
  }
}

// A match that ends with the input, of every length: nothing behind it is looked at.
TEST_CASE("deflate: a short message that ends as it begins") {
  std::mt19937 random(3);
  for (const DeflateLevel level : kLevels) {
    Compressor compressor({level, 15, false});
    for (size_t length = 1; length < 80; length++) {
      for (size_t between = 0; between < 4; between++) {
        const std::string head = random_bytes(random, length);
        compressor.call(head + random_bytes(random, between) + head, DeflateFlush::sync);
        compressor.call(head + random_bytes(random, between) + head, DeflateFlush::sync);
      }
    }
    compressor.check();
  }
}

TEST_CASE("deflate: runs and periods of 1 to 300") {
  std::mt19937 random(4);
  for (const DeflateLevel level : kLevels) {
    for (const int window_bits : {8, 9, 15}) {
      CAPTURE(static_cast<int>(level));
      CAPTURE(window_bits);
      Compressor compressor({level, window_bits, true});
      for (size_t period = 1; period <= 300; period++) {
        const std::string text = periodic(random, period, period + random() % 1500);
        const size_t size = compressor.call(text, DeflateFlush::sync);
        // What comes again is said once; what is new takes at most nine bits. The fast level does not look at each place
        // of a match, so that in a small window it can lose sight of a period.
        if (window_bits == 15) CHECK(size <= period * 9 / 8 + 20 + (text.size() / 258 + 1) * 4);
      }
      compressor.check();
    }
  }
}

TEST_CASE("deflate: a message is found again at the greatest distance of each window, and not beyond") {
  std::mt19937 random(5);
  for_all_settings([&](const DeflateSettings& settings) {
    const size_t window = size_t{1} << settings.window_bits;
    for (const size_t distance : {window - 1, window, window + 1}) {
      CAPTURE(distance);
      const std::string mark = random_bytes(random, 40);
      const std::string before = mark + std::string(distance - mark.size(), 'x');
      Compressor whole(settings), cut(settings);
      whole.call(before + mark, DeflateFlush::sync);
      cut.call(before, DeflateFlush::sync);
      cut.call(mark, DeflateFlush::sync);
      for (Compressor* compressor : {&whole, &cut}) {
        compressor->check();
        const DeflatedStream& stream = compressor->streams.back();
        const Walked walked = DeflateWalker(stream.bytes, 15, stream.starts).walk();
        const bool reaches = distance <= window && (compressor == &whole || settings.keep_context);
        if (reaches) CHECK(walked.farthest == distance);
        if (!reaches) CHECK(walked.farthest < distance - mark.size());
      }
    }
  });
}

TEST_CASE("deflate: several MiB, with small messages before and behind") {
  std::mt19937 random(6);
  std::string text = random_text(random, 1 << 20);
  text += random_bytes(random, 400'000) + std::string(700'000, 'x') + random_bytes(random, 300'000, 3);
  text += random_text(random, 300'000);
  for (const DeflateLevel level : kLevels) {
    for (const int window_bits : {8, 12, 15}) {
      for (const bool keep_context : {false, true}) {
        CAPTURE(static_cast<int>(level));
        CAPTURE(window_bits);
        CAPTURE(keep_context);
        Compressor compressor({level, window_bits, keep_context});
        compressor.call(text.substr(0, 1000), DeflateFlush::none);
        compressor.call(text, DeflateFlush::sync);
        compressor.call(text.substr(text.size() - 3000), DeflateFlush::sync);
        compressor.call(text, DeflateFlush::finish);
        compressor.call(text.substr(text.size() - 3000), DeflateFlush::sync);
        compressor.check();
      }
    }
  }
}

// Each message as long as makes the window slide at another place.
TEST_CASE("deflate: a context that is moved along at every place") {
  std::mt19937 random(7);
  for (const DeflateLevel level : kLevels) {
    for (const int window_bits : {8, 10, 11}) {
      for (const size_t size : {1, 3, 511, 512, 513, 1023, 1024, 1025, 1279, 1280, 2047, 2048, 2049, 3073}) {
        CAPTURE(window_bits);
        CAPTURE(size);
        Compressor compressor({level, window_bits, true});
        const std::string text = random_text(random, 3000);
        for (size_t n = 0; n < 12; n++) compressor.call((text + text).substr((n * 700) % text.size(), size), DeflateFlush::sync);
        compressor.check();
      }
    }
  }
}

TEST_CASE("deflate: with a context, what was said before costs next to nothing") {
  std::mt19937 random(8);
  for_all_settings([&](const DeflateSettings& settings) {
    const std::string text = random_bytes(random, std::min<size_t>(200, (size_t{1} << settings.window_bits) / 2));
    Compressor compressor(settings);
    compressor.call(text, DeflateFlush::sync);
    const size_t again = compressor.call(text, DeflateFlush::sync);
    if (settings.keep_context) CHECK(again <= 16);
    if (!settings.keep_context) CHECK(again >= text.size());
    compressor.reset();
    CHECK(compressor.call(text, DeflateFlush::sync) >= text.size());
    compressor.check();
  });
}
