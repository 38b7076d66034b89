// codec/deflate: whatever the settings, however the calls are cut and flushed, a walker that looks at each distance,
// codec/inflate, and zlib where it is installed, give it back; no call writes more than bound() says.
//
// The input is small and windows are not: a piece may be repeated, and noise put behind it. Control bytes pick the
// settings, the cuts, and what happens to each piece.
#include "codec/deflate.h"

#include "codec/inflate.h"
#include "fuzz/fuzz.h"
#include "support/deflate_walker.h"

#if MARTLET_TEST_ZLIB
#include "support/zlib_streams.h"
#endif

namespace martlet::codec {

struct DeflateTest {
  static void set_position(Deflate& deflate, uint32_t position) { deflate.position_ = position; }
};

}  // namespace martlet::codec

using namespace martlet;
using codec::Deflate;
using codec::DeflateFlush;

namespace {

constexpr uint32_t kLastPosition = 0xE0000000;

struct Stream {
  std::vector<uint8_t> bytes;
  std::string text;
  std::vector<size_t> starts;
  bool finished = false;
};

struct Free {
  void operator()(Deflate* deflate) const { Deflate::destroy(deflate); }
  void operator()(codec::DeflateScratch* scratch) const { codec::DeflateScratch::destroy(scratch); }
};

class Session {
 public:
  explicit Session(const codec::DeflateSettings& settings) : settings_(settings), deflate_(Deflate::make(settings)) {}

  Deflate& deflate() { return *deflate_; }
  void reset() {
    deflate_->reset();
    streams_.back().starts.push_back(streams_.back().text.size());
  }
  void call(const std::string& text, DeflateFlush flush) {
    static const std::unique_ptr<codec::DeflateScratch, Free> scratch(codec::DeflateScratch::make());
    const fuzz::Exact in(base::as_bytes(text));
    const fuzz::Exact out(base::as_bytes(std::string(Deflate::bound(text.size()), 'x')));
    const size_t size = deflate_->compress(in.span(), out.data(), flush, *scratch);
    FUZZ_CHECK(size <= out.size());
    Stream& stream = streams_.back();
    if (!settings_.keep_context) stream.starts.push_back(stream.text.size());
    stream.bytes.insert(stream.bytes.end(), out.data(), out.data() + size);
    stream.text += text;
    if (flush == DeflateFlush::finish) {
      stream.finished = true;
      streams_.emplace_back();
    }
  }
  void check() {
    call({}, DeflateFlush::sync);
    for (const Stream& stream : streams_) {
      const test::Walked walked = test::DeflateWalker(stream.bytes, settings_.window_bits, stream.starts).walk();
      if (!walked.fault.empty()) std::fprintf(stderr, "%s\n", walked.fault.c_str());
      FUZZ_CHECK(walked.fault.empty() && walked.output == stream.text);
      read_back(stream);
#if MARTLET_TEST_ZLIB
      read_zlibs(stream.text);
#endif
    }
  }

 private:
#if MARTLET_TEST_ZLIB
  // What zlib makes of the same text, in pieces; the text's length picks how.
  void read_zlibs(const std::string& text) {
    const auto pick = [&](size_t divisor, size_t choices) { return static_cast<int>(text.size() / divisor % choices); };
    const test::ZlibSettings theirs{.level = pick(1, 10), .window_bits = std::max(settings_.window_bits, 9),
                                    .mem_level = 1 + pick(7, 9), .strategy = pick(3, 5)};  // the last one is Z_FIXED
    const auto bytes = test::zlib_deflate(text, theirs, 1 + text.size() / 3, {Z_SYNC_FLUSH, Z_PARTIAL_FLUSH, Z_FULL_FLUSH});
    const size_t piece = 1 + bytes.size() / 5;
    const auto inflate = std::make_unique<codec::Inflate>();
    inflate->reset(theirs.window_bits);
    std::string output(text.size() + 1, 0);
    auto* const begin = reinterpret_cast<uint8_t*>(output.data());
    uint8_t* out = begin;
    auto status = codec::InflateStatus::need_input;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const fuzz::Exact source(base::ByteSpan(bytes).subspan(at, std::min(piece, bytes.size() - at)));
      const uint8_t* in = source.data();
      status = inflate->run(in, source.data() + source.size(), begin, out, begin + output.size());
      FUZZ_CHECK(in == source.data() + source.size());
    }
    FUZZ_CHECK(status == codec::InflateStatus::done && static_cast<size_t>(out - begin) == text.size());
    FUZZ_CHECK(output.compare(0, text.size(), text) == 0);
  }
#endif
  void read_back(const Stream& stream) {
    const auto inflate = std::make_unique<codec::Inflate>();
    inflate->reset(codec::DeflateFormat::raw, settings_.window_bits);
    std::string output(stream.text.size() + 1, 0);
    const uint8_t* in = stream.bytes.data();
    auto* const begin = reinterpret_cast<uint8_t*>(output.data());
    uint8_t* out = begin;
    const auto status = inflate->run(in, in + stream.bytes.size(), begin, out, begin + output.size());
    FUZZ_CHECK(status == (stream.finished ? codec::InflateStatus::done : codec::InflateStatus::need_input));
    FUZZ_CHECK(in == stream.bytes.data() + stream.bytes.size());
    FUZZ_CHECK(stream.finished || inflate->at_flush_point());
    output.resize(static_cast<size_t>(out - begin));
    FUZZ_CHECK(output == stream.text);
#if MARTLET_TEST_ZLIB
    const test::ZlibInflated theirs = test::zlib_inflate(stream.bytes, codec::DeflateFormat::raw);
    FUZZ_CHECK(!theirs.error && theirs.done == stream.finished && theirs.consumed == stream.bytes.size());
    FUZZ_CHECK(theirs.output == stream.text);
#endif
  }

  codec::DeflateSettings settings_;
  std::unique_ptr<Deflate, Free> deflate_;
  std::vector<Stream> streams_{1};
};

// The piece, so many times, and as much noise as `noise` says, but hardly more than `most`.
std::string expanded(base::ByteSpan piece, size_t times, size_t noise, size_t most, uint32_t& seed) {
  std::string text(base::as_text(piece));
  for (; times > 1 && text.size() < most; times--) text += base::as_text(piece);
  for (; noise > 0 && text.size() < most; noise--) {
    seed = seed * 1664525 + 1013904223;
    text += static_cast<char>(seed >> 24);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t mode = input.control();
  Session session({.level = mode & 1 ? codec::DeflateLevel::better : codec::DeflateLevel::fast,
                   .window_bits = 8 + (mode >> 1 & 7),
                   .keep_context = !(mode & 16)});
  if (mode & 32) codec::DeflateTest::set_position(session.deflate(), kLastPosition - static_cast<uint32_t>(input.control_below(5000)));
  struct Step {
    uint8_t how;
    size_t noise;
  };
  std::vector<Step> steps;
  const size_t count = 1 + input.control() % 8;
  for (size_t n = 0; n < count; n++) {
    const uint8_t how = input.control();
    steps.push_back({how, how & 64 ? input.control_below(40'000) : 0});
  }
  const std::vector<size_t> cuts = input.cuts();
  uint32_t seed = mode;
  size_t from = 0, left = mode & 64 ? 40'000 : 4'000;  // large texts take long, and find little
  for (size_t n = 0; n < cuts.size(); n++) {
    const Step& step = steps[n % count];
    const base::ByteSpan piece = input.rest().subspan(from, cuts[n] - from);
    from = cuts[n];
    if (step.how & 128) session.reset();
    const size_t times = step.how & 32 ? size_t{16} << 2 * (step.how >> 3 & 3) : 1;
    const std::string text = expanded(piece, times, step.noise, left, seed);
    left -= std::min(left, text.size());
    session.call(text, static_cast<DeflateFlush>((step.how & 7) % 3));
  }
  session.check();
  return 0;
}
