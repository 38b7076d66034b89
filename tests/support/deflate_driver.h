// Runs codec/deflate: input and output of each call end at unmapped pages, the output as long as bound() says. What came
// out is read back by a walker that looks at every distance, by codec/inflate, and by zlib where it is installed.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "codec/deflate.h"
#include "support/deflate_walker.h"
#include "support/guarded.h"
#include "support/inflate_driver.h"

#if MARTLET_TEST_ZLIB
#include "support/zlib_streams.h"
#endif

namespace martlet::test {

struct FreeDeflate {
  void operator()(codec::Deflate* deflate) const { codec::Deflate::destroy(deflate); }
  void operator()(codec::DeflateScratch* scratch) const { codec::DeflateScratch::destroy(scratch); }
};

// Up to a flush or an end, then more; each finished one is followed by another.
struct DeflatedStream {
  std::vector<uint8_t> bytes;
  std::string text;
  std::vector<size_t> starts;  // of what may be referred to
  bool finished = false;
};

class Compressor {
 public:
  explicit Compressor(const codec::DeflateSettings& settings)
      : settings(settings), deflate(codec::Deflate::make(settings)), scratch_(codec::DeflateScratch::make()), streams(1) {}

  // Answers how many bytes that gave.
  size_t call(std::string_view text, codec::DeflateFlush flush) {
    static std::unique_ptr<GuardedRoom> input_room, output_room;
    const auto side = side_ ? GuardedRoom::Side::begin : GuardedRoom::Side::end;
    side_ = !side_;
    uint8_t* const in = inflating::room_for(input_room, text.size(), side);
    if (!text.empty()) std::memcpy(in, text.data(), text.size());
    const size_t room = codec::Deflate::bound(text.size());
    uint8_t* const out = inflating::room_for(output_room, room, GuardedRoom::Side::end);
    const size_t size = deflate->compress({in, text.size()}, out, flush, *scratch_);
    if (size > room) FAIL("more than bound()");
    if (text != base::as_text({in, text.size()})) FAIL("the input was changed");
    DeflatedStream& stream = streams.back();
    if (!settings.keep_context) stream.starts.push_back(stream.text.size());
    stream.bytes.insert(stream.bytes.end(), out, out + size);
    stream.text += text;
    if (flush == codec::DeflateFlush::finish) {
      stream.finished = true;
      streams.emplace_back();
    }
    return size;
  }
  std::string bytes_of(std::string_view text, codec::DeflateFlush flush) {
    const size_t size = call(text, flush);
    const auto& bytes = (flush == codec::DeflateFlush::finish ? *(streams.end() - 2) : streams.back()).bytes;
    return std::string(bytes.end() - static_cast<ptrdiff_t>(size), bytes.end());
  }
  void reset() {
    deflate->reset();
    streams.back().starts.push_back(streams.back().text.size());
  }
  // Flushes what waits, and reads everything back.
  void check() {
    if (!streams.back().text.empty()) call({}, codec::DeflateFlush::sync);
    for (const DeflatedStream& stream : streams) check_stream(stream);
  }

  codec::DeflateSettings settings;
  std::unique_ptr<codec::Deflate, FreeDeflate> deflate;

 private:
  void check_stream(const DeflatedStream& stream) {
    const Walked walked = DeflateWalker(stream.bytes, settings.window_bits, stream.starts).walk();
    CHECK(walked.fault == "");
    CHECK((walked.output == stream.text));
    InflatePlan plan{.window_bits = settings.window_bits};
    plan.ring = uint32_t{1} << settings.window_bits;
    const Inflated ours = inflate_all(stream.bytes, plan);
    CHECK(ours.cause == "");
    CHECK((ours.output == stream.text));
    if (!stream.bytes.empty()) CHECK((ours.status == codec::InflateStatus::done) == stream.finished);
    check_with_zlib(stream);
  }

#if MARTLET_TEST_ZLIB
  // Its window is no larger than ours. It is asked for little at a time, else it would take the output for a window.
  void check_with_zlib(const DeflatedStream& stream) {
    z_stream z{};
    REQUIRE(inflateInit2(&z, -settings.window_bits) == Z_OK);
    z.next_in = const_cast<Bytef*>(stream.bytes.data());
    z.avail_in = static_cast<uInt>(stream.bytes.size());
    std::vector<Bytef> buffer(100 + (size_t{1} << settings.window_bits) / 4);
    std::string output;
    int status = Z_OK;
    while (status == Z_OK) {
      z.next_out = buffer.data();
      z.avail_out = static_cast<uInt>(buffer.size());
      status = inflate(&z, Z_SYNC_FLUSH);
      output.append(reinterpret_cast<char*>(buffer.data()), static_cast<size_t>(z.next_out - buffer.data()));
    }
    CHECK(status == (stream.finished ? Z_STREAM_END : Z_BUF_ERROR));
    CHECK(z.avail_in == 0);
    CHECK((output == stream.text));
    inflateEnd(&z);
  }
#else
  void check_with_zlib(const DeflatedStream&) {}
#endif

  std::unique_ptr<codec::DeflateScratch, FreeDeflate> scratch_;
  bool side_ = false;

 public:
  std::vector<DeflatedStream> streams;
};

// Texts -----------------------------------------------------------------------------------------------------------------

inline std::string random_bytes(std::mt19937& random, size_t size, unsigned below = 256) {
  std::string text(size, 0);
  for (char& c : text) c = static_cast<char>(random() % below);
  return text;
}

// Words and numbers, and now and then something from before, from far away too.
inline std::string random_text(std::mt19937& random, size_t size) {
  static const char* const kWords[] = {"{\"id\":", "\"user\":\"", "</td><td class=\"x\">", "return ", "the ", "of ",
                                       "\n",       "message",     "true},",                "0.5,",    "and ", "not "};
  std::string text;
  while (text.size() < size) {
    const size_t n = random() % 20;
    if (n < std::size(kWords)) text += kWords[n];
    if (n == 12 || n == 13) text += std::to_string(random() % 100000);
    if (n == 14) text += random_bytes(random, random() % 6);
    if (n == 15 && random() % 8 == 0) text += std::string(random() % 600, static_cast<char>('a' + random() % 3));
    if (n > 15 && !text.empty()) text += text.substr(random() % text.size(), random() % 40);
  }
  text.resize(size);
  return text;
}

inline std::string periodic(std::mt19937& random, size_t period, size_t size) {
  std::string text = random_bytes(random, period);
  while (text.size() < size) text += text.substr(0, size - text.size());
  text.resize(size);
  return text;
}

}  // namespace martlet::test
