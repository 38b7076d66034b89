// codec/inflate: however input and output are cut, it gives the same; and that is what zlib gives, where zlib is
// installed: the same verdict, the same output, the same number of bytes taken.
//
// Raw streams may follow one another, as in a message of permessage-deflate that has final blocks.
//
// The last byte picks the format, whether streams follow, and whether a wrapped stream gets the trailer that fits what it decodes to: no
// fuzzer guesses that.
#include "codec/inflate.h"

#include "codec/checksum.h"
#include "fuzz/fuzz.h"

#if MARTLET_TEST_ZLIB
#include "support/zlib_streams.h"
#endif

using namespace martlet;
using codec::DeflateFormat;
using codec::InflateStatus;

namespace {

constexpr size_t kMostOutput = 70'000;  // more than two windows

struct Read {
  InflateStatus status = InflateStatus::need_input;
  std::string output;
  size_t consumed = 0;
  std::string cause;
};

struct Plan {
  DeflateFormat format = DeflateFormat::raw;
  int window_bits = 15;
  std::vector<size_t> cuts;
  std::vector<size_t> rooms{6000};  // of the buffers for output, in turn
  uint32_t ring = 0;
  int streams = 1;
};

// One call, with a buffer that has what may be referred to in front, or a ring.
InflateStatus run_once(codec::Inflate& inflate, const Plan& plan, codec::InflateHistory& history, base::ByteSpan piece,
                       size_t room, Read& read) {
  const size_t kept = plan.ring ? 0 : std::min<size_t>(read.output.size(), 32768);
  const uint8_t* const before = base::as_bytes(read.output).data() + read.output.size() - kept;
  const fuzz::Exact buffer(kept + room);
  if (kept) std::memcpy(buffer.data(), before, kept);
  const fuzz::Exact source(piece);
  const uint8_t* in = source.data();
  uint8_t* out = buffer.data() + kept;
  uint8_t* const out_end = buffer.data() + buffer.size();
  const InflateStatus status =
      inflate.run(in, source.data() + source.size(), buffer.data(), out, out_end, plan.ring ? &history : nullptr);
  FUZZ_CHECK(in >= source.data() && in <= source.data() + source.size() && out >= buffer.data() + kept && out <= out_end);
  FUZZ_CHECK(status != InflateStatus::need_input || in == source.data() + source.size());
  FUZZ_CHECK(status != InflateStatus::output_full || out == out_end);
  FUZZ_CHECK((status == InflateStatus::error) == (*inflate.cause() != 0));
  FUZZ_CHECK(kept == 0 || std::memcmp(buffer.data(), before, kept) == 0);
  history.append({buffer.data() + kept, out});
  read.output.append(buffer.data() + kept, out);
  read.consumed += static_cast<size_t>(in - source.data());
  return status;
}

Read read_stream(base::ByteSpan bytes, const Plan& plan) {
  Read read;
  const auto inflate = std::make_unique<codec::Inflate>();
  inflate->reset(plan.format, plan.window_bits);
  std::vector<uint8_t> ring(plan.ring);
  codec::InflateHistory history{ring.data(), plan.ring, 0, 0};
  size_t cut = 0, idle = 0;
  int streams = plan.streams;
  for (size_t n = 0; read.output.size() < kMostOutput; n++) {
    const size_t before = read.consumed + read.output.size();
    // Small ones for a while: many calls with much behind them take long and find nothing more.
    const size_t wanted = plan.rooms[n % plan.rooms.size()] + (n > 200 ? read.output.size() : 0);
    const size_t room = std::min(wanted, kMostOutput - read.output.size());
    read.status = run_once(*inflate, plan, history, bytes.subspan(read.consumed, plan.cuts[cut] - read.consumed), room, read);
    if (read.status == InflateStatus::error || (read.status == InflateStatus::done && --streams == 0)) break;
    if (read.status == InflateStatus::done) inflate->restart();
    if (read.status == InflateStatus::need_input && ++cut == plan.cuts.size()) break;
    idle = read.consumed + read.output.size() == before ? idle + 1 : 0;
    FUZZ_CHECK(idle < 20);
  }
  read.cause = inflate->cause();
  return read;
}

#if MARTLET_TEST_ZLIB

// The trailer that fits, behind the content.
std::string with_trailer(base::ByteSpan bytes, DeflateFormat format) {
  static const std::string zlib_head("\x78\x9c", 2), gzip_head("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  const test::ZlibInflated content = test::zlib_inflate(bytes, DeflateFormat::raw, kMostOutput);
  std::string stream = format == DeflateFormat::zlib ? zlib_head : gzip_head;
  stream += base::as_text(bytes.first(content.consumed));
  const base::ByteSpan output = base::as_bytes(content.output);
  uint8_t trailer[8];
  const bool zlib = format == DeflateFormat::zlib;
  const uint32_t check = zlib ? codec::adler32(1, output) : codec::crc32(0, output);
  for (int i = 0; i < 4; i++) trailer[i] = static_cast<uint8_t>(check >> (zlib ? 24 - 8 * i : 8 * i));
  for (int i = 0; i < 4; i++) trailer[4 + i] = static_cast<uint8_t>(output.size() >> (8 * i));
  stream += base::as_text({trailer, zlib ? 4u : 8u});
  return stream + std::string(base::as_text(bytes.subspan(content.consumed)));
}

void compare_with_zlib(base::ByteSpan bytes, const Plan& plan, const Read& ours) {
  const test::ZlibInflated theirs = test::zlib_inflate(bytes, plan.format, kMostOutput, plan.streams);
  FUZZ_CHECK(ours.output == theirs.output);
  if (ours.output.size() == kMostOutput) return;
  FUZZ_CHECK((ours.status == InflateStatus::done) == theirs.done);
  if (theirs.error) FUZZ_CHECK(ours.status == InflateStatus::error);
  if (theirs.done) FUZZ_CHECK(ours.consumed == theirs.consumed);
  // zlib may wait for more before it says what is clear already.
  if (ours.status == InflateStatus::error && !theirs.error) {
    const std::string more = std::string(base::as_text(bytes)) + std::string(100, '\0');
    FUZZ_CHECK(test::zlib_inflate(base::as_bytes(more), plan.format, SIZE_MAX, plan.streams).error);
  }
}

#else

std::string with_trailer(base::ByteSpan bytes, DeflateFormat) { return std::string(base::as_text(bytes)); }
void compare_with_zlib(base::ByteSpan, const Plan&, const Read&) {}

#endif

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t mode = input.control();
  Plan plan{.format = static_cast<DeflateFormat>(mode % 3)};
  if (plan.format == DeflateFormat::raw && mode & 64) plan.streams = 4;
  const bool fits = plan.format != DeflateFormat::raw && mode & 64;
  const uint8_t how = input.control();
  Plan pieces = plan;
  pieces.ring = how & 1 ? 32768 : 0;
  pieces.rooms.clear();
  for (int n = how >> 1 & 3; n >= 0; n--) pieces.rooms.push_back(1 + input.control_below(how & 8 ? 3000 : 40));
  pieces.cuts = input.cuts();
  const std::string made = fits ? with_trailer(input.rest(), plan.format) : std::string(base::as_text(input.rest()));
  const fuzz::Exact exact(base::as_bytes(made));
  const base::ByteSpan bytes = exact.span();
  pieces.cuts.back() = bytes.size();

  plan.cuts = {bytes.size()};
  const Read whole = read_stream(bytes, plan);
  const Read cut = read_stream(bytes, pieces);
  FUZZ_CHECK(whole.output == cut.output && whole.cause == cut.cause);
  if (whole.output.size() < kMostOutput) {
    FUZZ_CHECK(whole.status == cut.status);
    FUZZ_CHECK(whole.status == InflateStatus::error || whole.consumed == cut.consumed);
  }
  compare_with_zlib(bytes, plan, whole);

  // A smaller window finds the same, or something to refuse.
  plan.window_bits = 8 + (how >> 4) % 8;
  const Read narrow = read_stream(bytes, plan);
  FUZZ_CHECK(whole.output.starts_with(narrow.output));
  FUZZ_CHECK(narrow.status == InflateStatus::error || (narrow.status == whole.status && narrow.output == whole.output));
  return 0;
}
