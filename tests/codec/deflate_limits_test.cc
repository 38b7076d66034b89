// codec/deflate: how much memory it takes and how many bytes it writes at most; that the same calls give the same bytes,
// whatever lies around the input; what it forgets; positions that run out.
#include "codec/deflate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/deflate_driver.h"
#include "support/failing_alloc.h"

namespace martlet::codec {

struct DeflateTest {
  static uint32_t& position(Deflate& deflate) { return deflate.position_; }
};

}  // namespace martlet::codec

using namespace martlet::test;
using martlet::codec::Deflate;
using martlet::codec::DeflateFlush;
using martlet::codec::DeflateLevel;
using martlet::codec::DeflateScratch;
using martlet::codec::DeflateSettings;
using martlet::codec::DeflateTest;

namespace {

constexpr DeflateLevel kLevels[] = {DeflateLevel::fast, DeflateLevel::better};
constexpr size_t kFlushBytes = 5;  // of an empty stored block that begins at a byte

std::vector<DeflateSettings> all_settings() {
  std::vector<DeflateSettings> all;
  for (const DeflateLevel level : kLevels) {
    for (int window_bits = 8; window_bits <= 15; window_bits++) {
      for (const bool keep_context : {false, true}) all.push_back({level, window_bits, keep_context});
    }
  }
  return all;
}

size_t stored_size(size_t size) { return size + 5 * ((size + Deflate::kMostStored - 1) / Deflate::kMostStored); }

// Every allocation ends at an unmapped page, and is full of rubbish.
class GuardedAlloc {
 public:
  GuardedAlloc() : before_(martlet::base::alloc_hooks) { martlet::base::alloc_hooks = {allocate, deallocate}; }
  GuardedAlloc(const GuardedAlloc&) = delete;
  GuardedAlloc& operator=(const GuardedAlloc&) = delete;
  ~GuardedAlloc() { martlet::base::alloc_hooks = before_; }

  static inline std::vector<size_t> sizes;

 private:
  static void* allocate(size_t bytes) {
    sizes.push_back(bytes);
    const std::string rubbish((bytes + 15) & ~size_t{15}, '\xA5');
    auto* guarded = new Guarded(rubbish);
    held_[guarded->data()] = guarded;
    return guarded->data();
  }
  static void deallocate(void* memory) {
    delete held_[memory];
    held_.erase(memory);
  }

  static inline std::map<void*, Guarded*> held_;
  martlet::base::AllocHooks before_;
};

}  // namespace

TEST_CASE("deflate: memory() is what is allocated, and the table in deflate.h is right") {
  static constexpr size_t kFast[] = {4, 4, 5, 8, 15, 29, 57, 113}, kBetter[] = {4, 5, 7, 12, 23, 45, 89, 177};
  for (const DeflateSettings& settings : all_settings()) {
    CAPTURE(settings.window_bits);
    CAPTURE(settings.keep_context);
    const size_t bytes = Deflate::memory(settings);
    GuardedAlloc::sizes.clear();
    const GuardedAlloc alloc;
    Deflate* const deflate = Deflate::make(settings);
    Deflate::destroy(deflate);
    CHECK((GuardedAlloc::sizes == std::vector<size_t>{bytes}));
    const auto& table = settings.level == DeflateLevel::fast ? kFast : kBetter;
    const size_t kib = table[settings.window_bits - 8];
    if (settings.keep_context) CHECK((bytes + 1023) / 1024 == kib);
    if (!settings.keep_context) CHECK(bytes < kib * 1024);
    if (settings.window_bits <= 9) CHECK(bytes <= 8 * 1024);
  }
}

// As much as has to be seen with these settings; more would only take time, minutes under a sanitizer.
static size_t several_windows(const DeflateSettings& settings) { return 4000 + (size_t{3} << settings.window_bits); }

TEST_CASE("deflate: stays within its memory, and does not mind what was there") {
  std::mt19937 random(1);
  for (const DeflateSettings& settings : all_settings()) {
    std::vector<std::string> messages;
    for (const size_t size : {3, 100, 700, 3000, 20000, 50000, 70000, 150}) {
      if (size < several_windows(settings)) messages.push_back(random_text(random, size));
    }
    std::string bytes[2];
    const auto run = [&](std::string& result) {
      Compressor compressor(settings);
      for (const std::string& message : messages) result += compressor.bytes_of(message, DeflateFlush::sync);
      compressor.check();
    };
    run(bytes[0]);
    const GuardedAlloc alloc;
    run(bytes[1]);
    CHECK((bytes[0] == bytes[1]));
  }
}

TEST_CASE("deflate: null when memory is out, and nothing is kept") {
  for (const DeflateSettings& settings : all_settings()) {
    const FailingAlloc alloc(0);
    CHECK(Deflate::make(settings) == nullptr);
    CHECK(DeflateScratch::make() == nullptr);
    CHECK(FailingAlloc::failures == 2);
  }
  const FailingAlloc alloc;
  Deflate* const deflate = Deflate::make({});
  DeflateScratch* const scratch = DeflateScratch::make();
  CHECK(FailingAlloc::held == 2);
  Deflate::destroy(deflate);
  DeflateScratch::destroy(scratch);
  Deflate::destroy(nullptr);
  DeflateScratch::destroy(nullptr);
  CHECK(FailingAlloc::held == 0);
}

// What stands behind a piece must not decide what is remembered of it.
TEST_CASE("deflate: the bytes around the input do not matter") {
  std::mt19937 random(2);
  const std::unique_ptr<DeflateScratch, FreeDeflate> scratch(DeflateScratch::make());
  for (const DeflateSettings& settings : all_settings()) {
    const std::unique_ptr<Deflate, FreeDeflate> one(Deflate::make(settings)), other(Deflate::make(settings));
    for (int n = 0; n < 300; n++) {
      const std::string text = random_bytes(random, random() % 12, 3) + random_text(random, random() % 40);
      const std::string padded[] = {"abcd" + text + "aaaabbbb", "zzzz" + text + text.substr(0, 8) + "zzzz"};
      std::vector<uint8_t> out[2];
      size_t sizes[2];
      for (int i = 0; i < 2; i++) {
        out[i].assign(Deflate::bound(text.size()), static_cast<uint8_t>(i));
        Deflate& deflate = i ? *other : *one;
        sizes[i] = deflate.compress(martlet::base::as_bytes(padded[i]).subspan(4, text.size()), out[i].data(), DeflateFlush::sync, *scratch);
        out[i].resize(sizes[i]);
      }
      if (out[0] != out[1]) FAIL("not the same bytes");
    }
  }
}

TEST_CASE("deflate: after reset() it is as new, and without a context after each call") {
  std::mt19937 random(3);
  for (const DeflateSettings& settings : all_settings()) {
    CAPTURE(settings.window_bits);
    Compressor used(settings);
    for (int n = 0; n < 10; n++) {
      used.call(random_text(random, random() % 5000), DeflateFlush::sync);
      const std::string text = random_text(random, random() % std::min<size_t>(several_windows(settings), 60000));
      used.call(text.substr(0, 3000), n % 2 ? DeflateFlush::sync : DeflateFlush::finish);
      if (settings.keep_context && n % 2) used.reset();
      Compressor fresh(settings);
      for (int again = 0; again < (settings.keep_context ? 3 : 1); again++) {
        const bool same = used.bytes_of(text, DeflateFlush::sync) == fresh.bytes_of(text, DeflateFlush::sync);
        CHECK(same);
      }
      if (settings.keep_context) used.reset();
    }
    used.check();
  }
}

TEST_CASE("deflate: nothing, flushed and finished") {
  for (const DeflateSettings& settings : all_settings()) {
    Compressor compressor(settings);
    CHECK(compressor.bytes_of("", DeflateFlush::none) == "");
    CHECK(compressor.bytes_of("", DeflateFlush::sync) == std::string("\0\0\0\xFF\xFF", 5));
    CHECK(compressor.bytes_of("", DeflateFlush::finish) == std::string("\3\0", 2));
    CHECK(compressor.bytes_of("", DeflateFlush::finish) == std::string("\3\0", 2));
    const std::string text = compressor.bytes_of("Hello, Hello, Hello", DeflateFlush::sync);
    CHECK(text.ends_with(std::string("\0\0\xFF\xFF", 4)));
    CHECK(compressor.call("", DeflateFlush::sync) == 5);
    CHECK(compressor.call("Hello", DeflateFlush::finish) > 0);
    compressor.check();
  }
}

TEST_CASE("deflate: what does not compress is stored, with five bytes for 65,535") {
  std::mt19937 random(4);
  for (const DeflateSettings& settings : all_settings()) {
    CAPTURE(settings.window_bits);
    CAPTURE(settings.keep_context);
    Compressor compressor(settings);
    for (const size_t size : {1, 2, 60, 91, 92, 100, 500, 1000, 5000, 16384, 16385, 65534, 65535, 65536, 131070, 262140, 262141, 600000}) {
      CAPTURE(size);
      // What is looked at in the window beside the context is in a block of its own: two at most.
      const size_t more = settings.keep_context && size > 1000 ? 2 * 5 : 0;
      CHECK(compressor.call(random_bytes(random, size), DeflateFlush::sync) <= stored_size(size) + more + kFlushBytes);
    }
    compressor.check();
    std::vector<WalkedBlock> blocks;
    for (const DeflatedStream& stream : compressor.streams) blocks = DeflateWalker(stream.bytes, 15).walk().blocks;
    CHECK(blocks[blocks.size() - 2].type == 0);
  }
}

TEST_CASE("deflate: no text takes more than stored blocks would") {
  std::mt19937 random(5);
  for (const DeflateSettings& settings : all_settings()) {
    Compressor compressor(settings);
    for (int n = 0; n < 200; n++) {
      const size_t size = random() % 1000;
      const std::string text = n % 2 ? random_bytes(random, size, 1 + random() % 256) : random_text(random, size);
      CHECK(compressor.call(text, DeflateFlush::sync) <= stored_size(size) + kFlushBytes);
    }
  }
}

TEST_CASE("deflate: positions run out, and nothing else changes") {
  static constexpr uint32_t kLast = 0xE0000000;
  std::mt19937 random(6);
  for (const DeflateSettings& settings : all_settings()) {
    CAPTURE(settings.window_bits);
    CAPTURE(settings.keep_context);
    for (const uint32_t before : {0u, 1u, 1000u, 300'000u}) {
      CAPTURE(before);
      Compressor compressor(settings);
      const std::string text = random_text(random, 90'000);
      compressor.call(text.substr(0, 40'000), DeflateFlush::sync);
      DeflateTest::position(*compressor.deflate) = kLast - before;
      bool wrapped = false;
      for (size_t n = 0; n < 40; n++) {
        compressor.call(text.substr(n * 300, n % 10 == 5 ? 60'000 : n * 7), DeflateFlush::sync);
        if (n == 30) compressor.call(text, n % 2 ? DeflateFlush::finish : DeflateFlush::none);
        wrapped = wrapped || DeflateTest::position(*compressor.deflate) < kLast / 2;
      }
      CHECK(wrapped);
      compressor.check();
    }
  }
}

TEST_CASE("deflate: one call over the end of the positions") {
  std::mt19937 random(7);
  const std::string text = random_text(random, 700'000);
  for (const DeflateLevel level : kLevels) {
    for (const bool keep_context : {false, true}) {
      Compressor compressor({level, 15, keep_context});
      DeflateTest::position(*compressor.deflate) = 0xE0000000;
      compressor.call(text, DeflateFlush::sync);
      CHECK(DeflateTest::position(*compressor.deflate) < 1'000'000);
      compressor.call(text.substr(690'000), DeflateFlush::finish);
      compressor.check();
    }
  }
}

// Texts that make one of the two levels do the most that it can; here, that they come back. That their time is bounded
// follows from how candidates are counted: a place has at most a fixed number of them, and each is compared with once, up
// to the length of a match. compression_bench measures it.
TEST_CASE("deflate: hostile texts") {
  std::mt19937 random(8);
  std::vector<std::string> texts{std::string(300'000, '\0'), random_bytes(random, 300'000, 2)};
  // Words of one hash: the multiplier's inverse takes them back.
  uint32_t inverse = 1;
  for (int n = 0; n < 5; n++) inverse *= 2 - 0x9E3779B1u * inverse;
  std::string colliding, growing;
  for (int n = 0; n < 60'000; n++) {
    const uint32_t word = inverse * (0x12340000u + random() % 0x10000);
    for (int i = 0; i < 4; i++) colliding += static_cast<char>(word >> 8 * i);
  }
  // Each place agrees in a few more bytes the further back it is.
  const std::string base = random_bytes(random, 64);
  while (growing.size() < 300'000) {
    for (size_t length = 62; length > 4; length--) growing += base.substr(0, length) + random_bytes(random, 2);
  }
  texts.push_back(colliding);
  texts.push_back(growing);
  for (const DeflateSettings& settings : all_settings()) {
    Compressor compressor(settings);
    for (const std::string& text : texts) compressor.call(text, DeflateFlush::sync);
    compressor.check();
  }
}
