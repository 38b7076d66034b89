// How fast codec/deflate and codec/inflate are and how small they make things, beside zlib and libdeflate where those are
// installed. Prints Markdown tables.
//
//   taskset -c 1 build/bench/compression_bench [ROUNDS [ONLY [SOURCES]]]   seven rounds, all corpora, src/
//
// zlib is used as servers do: one deflateInit2(-15, memLevel 8) and one inflateInit2(-15), reused for each message,
// Z_SYNC_FLUSH. Without context each message is on its own; with context the coder goes on with what came before.
// libdeflate has no flush and no context: it stands beside, on its own. In a round each coder takes its turn, so that
// what else the machine does falls on all; figures are medians over rounds, those against zlib medians of the quotient
// of a round. Time is the process's CPU time; MB are 10^6 bytes, uncompressed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/compression_corpus.h"
#include "codec/deflate.h"
#include "codec/inflate.h"

#if MARTLET_TEST_ZLIB
#include <zlib.h>
#endif
#if MARTLET_BENCH_LIBDEFLATE
#include <libdeflate.h>
#endif

using namespace martlet;
using namespace martlet::bench;
using codec::DeflateFlush;
using codec::DeflateLevel;

namespace {

constexpr double kLeastSeconds = 0.04;  // of one coder in one round

using Streams = std::vector<std::vector<uint8_t>>;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "compression_bench: %s\n", what);
  std::exit(1);
}

// A coder under a name: codes message `index` of the corpus and answers how many bytes that gave.
struct Coder {
  std::string name;
  std::function<void()> begin;  // a pass over the corpus
  std::function<size_t(size_t index)> code;
  std::vector<double> speeds = {};  // one of each round, MB/s
  size_t output = 0;                // of one pass
};

void run_round(Coder& coder, const Corpus& corpus) {
  size_t passes = 0;
  const std::clock_t from = std::clock();
  double seconds = 0;
  while (seconds < kLeastSeconds) {
    coder.begin();
    coder.output = 0;
    for (size_t i = 0; i < corpus.messages.size(); i++) coder.output += coder.code(i);
    passes++;
    seconds = static_cast<double>(std::clock() - from) / CLOCKS_PER_SEC;
  }
  coder.speeds.push_back(static_cast<double>(corpus.bytes() * passes) / seconds / 1e6);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// How many times as fast as the other one.
double quotient(const Coder& coder, const Coder& other) {
  std::vector<double> of_rounds;
  for (size_t i = 0; i < coder.speeds.size(); i++) of_rounds.push_back(coder.speeds[i] / other.speeds[i]);
  return median(of_rounds);
}

// Coders ----------------------------------------------------------------------------------------------------------------

struct Free {
  void operator()(codec::Deflate* deflate) const { codec::Deflate::destroy(deflate); }
  void operator()(codec::DeflateScratch* scratch) const { codec::DeflateScratch::destroy(scratch); }
};

Coder martlet_deflate(const Corpus& corpus, DeflateLevel level, bool context, std::vector<uint8_t>& out) {
  std::shared_ptr<codec::Deflate> deflate(codec::Deflate::make({.level = level, .keep_context = context}), Free());
  std::shared_ptr<codec::DeflateScratch> scratch(codec::DeflateScratch::make(), Free());
  must(deflate && scratch, "no memory");
  return {level == DeflateLevel::fast ? "fast" : "better", [deflate] { deflate->reset(); },
          [&corpus, &out, deflate, scratch](size_t i) {
            return deflate->compress(base::as_bytes(corpus.messages[i]), out.data(), DeflateFlush::sync, *scratch);
          }};
}

Coder martlet_inflate(const Streams& streams, std::vector<uint8_t>& out) {
  auto inflate = std::make_shared<codec::Inflate>();
  return {"martlet", [] {}, [&streams, &out, inflate](size_t i) {
            inflate->reset();
            const uint8_t* in = streams[i].data();
            uint8_t* to = out.data();
            inflate->run(in, in + streams[i].size(), out.data(), to, out.data() + out.size());
            return static_cast<size_t>(to - out.data());
          }};
}

#if MARTLET_TEST_ZLIB

struct ZlibDeflate {
  z_stream z{};
  explicit ZlibDeflate(int level) { must(deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "no zlib"); }
  ZlibDeflate(const ZlibDeflate&) = delete;
  ZlibDeflate& operator=(const ZlibDeflate&) = delete;
  ~ZlibDeflate() { deflateEnd(&z); }
};
struct ZlibInflate {
  z_stream z{};
  ZlibInflate() { must(inflateInit2(&z, -15) == Z_OK, "no zlib"); }
  ZlibInflate(const ZlibInflate&) = delete;
  ZlibInflate& operator=(const ZlibInflate&) = delete;
  ~ZlibInflate() { inflateEnd(&z); }
};

Coder zlib_deflate(const Corpus& corpus, int level, bool context, std::vector<uint8_t>& out) {
  auto coder = std::make_shared<ZlibDeflate>(level);
  return {"zlib " + std::to_string(level), [coder] { deflateReset(&coder->z); },
          [&corpus, &out, coder, context](size_t i) {
            z_stream& z = coder->z;
            if (!context) deflateReset(&z);
            z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(corpus.messages[i].data()));
            z.avail_in = static_cast<uInt>(corpus.messages[i].size());
            z.next_out = out.data();
            z.avail_out = static_cast<uInt>(out.size());
            deflate(&z, Z_SYNC_FLUSH);
            return out.size() - z.avail_out;
          }};
}

Coder zlib_inflate(const Streams& streams, std::vector<uint8_t>& out) {
  auto coder = std::make_shared<ZlibInflate>();
  return {"zlib", [] {}, [&streams, &out, coder](size_t i) {
            z_stream& z = coder->z;
            inflateReset(&z);
            z.next_in = const_cast<Bytef*>(streams[i].data());
            z.avail_in = static_cast<uInt>(streams[i].size());
            z.next_out = out.data();
            z.avail_out = static_cast<uInt>(out.size());
            inflate(&z, Z_SYNC_FLUSH);
            return out.size() - z.avail_out;
          }};
}

void add_zlib_deflate(std::vector<Coder>& coders, const Corpus& corpus, int level, bool context, std::vector<uint8_t>& out) {
  coders.push_back(zlib_deflate(corpus, level, context, out));
}
void add_zlib_inflate(std::vector<Coder>& coders, const Streams& streams, std::vector<uint8_t>& out) {
  coders.push_back(zlib_inflate(streams, out));
}

#else

void add_zlib_deflate(std::vector<Coder>&, const Corpus&, int, bool, std::vector<uint8_t>&) {}
void add_zlib_inflate(std::vector<Coder>&, const Streams&, std::vector<uint8_t>&) {}

#endif

#if MARTLET_BENCH_LIBDEFLATE

void add_libdeflate(std::vector<Coder>& coders, const Corpus& corpus, int level, std::vector<uint8_t>& out) {
  std::shared_ptr<libdeflate_compressor> coder(libdeflate_alloc_compressor(level), libdeflate_free_compressor);
  coders.push_back({"libdeflate " + std::to_string(level), [] {}, [&corpus, &out, coder](size_t i) {
                      const std::string& text = corpus.messages[i];
                      return libdeflate_deflate_compress(coder.get(), text.data(), text.size(), out.data(), out.size());
                    }});
}

// It wants a final block; the others do not need that they end.
void add_libdeflate_inflate(std::vector<Coder>& coders, const Streams& streams, std::vector<uint8_t>& out) {
  auto ended = std::make_shared<Streams>(streams);
  for (std::vector<uint8_t>& stream : *ended) stream.insert(stream.end(), {3, 0});
  std::shared_ptr<libdeflate_decompressor> coder(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  coders.push_back({"libdeflate", [] {}, [ended, &out, coder](size_t i) {
                      size_t size = 0;
                      const std::vector<uint8_t>& stream = (*ended)[i];
                      const auto result =
                          libdeflate_deflate_decompress(coder.get(), stream.data(), stream.size(), out.data(), out.size(), &size);
                      must(result == LIBDEFLATE_SUCCESS, "libdeflate reads something else");
                      return size;
                    }});
}

#else

void add_libdeflate(std::vector<Coder>&, const Corpus&, int, std::vector<uint8_t>&) {}
void add_libdeflate_inflate(std::vector<Coder>&, const Streams&, std::vector<uint8_t>&) {}

#endif

// Tables ----------------------------------------------------------------------------------------------------------------

// The first coder is martlet's; the second is zlib's where there is one.
void print_head(const char* title, const std::vector<Coder>& coders, bool sizes) {
  std::printf("\n### %s\n\n| corpus |", title);
  for (const Coder& coder : coders) std::printf(sizes ? " %s, MB/s (ratio) |" : " %s, MB/s |", coder.name.c_str());
  for (size_t i = 1; i < coders.size(); i++) {
    std::printf(" speed × %s |", coders[i].name.c_str());
    if (sizes) std::printf(" size × %s |", coders[i].name.c_str());
  }
  std::printf("\n|---|");
  for (size_t i = coders.size() + (coders.size() - 1) * (sizes ? 2 : 1); i > 0; i--) std::printf("---|");
  std::printf("\n");
}

void print_row(const Corpus& corpus, const std::vector<Coder>& coders, bool sizes) {
  std::printf("| %s |", corpus.name.c_str());
  for (const Coder& coder : coders) {
    std::printf(" %.0f", median(coder.speeds));
    if (sizes) std::printf(" (%.2f)", static_cast<double>(corpus.bytes()) / static_cast<double>(coder.output));
    std::printf(" |");
  }
  for (size_t i = 1; i < coders.size(); i++) {
    std::printf(" %.2f |", quotient(coders[0], coders[i]));
    if (sizes) std::printf(" %.3f |", static_cast<double>(coders[0].output) / static_cast<double>(coders[i].output));
  }
  std::printf("\n");
  std::fflush(stdout);
}

void run_rounds(std::vector<Coder>& coders, const Corpus& corpus, int rounds) {
  for (int round = 0; round < rounds; round++) {
    for (Coder& coder : coders) run_round(coder, corpus);
  }
}

std::vector<uint8_t> room_for(const Corpus& corpus) {
  size_t longest = 0;
  for (const std::string& message : corpus.messages) longest = std::max(longest, message.size());
  return std::vector<uint8_t>(codec::Deflate::bound(longest) + 1024);
}

void deflate_table(const std::vector<Corpus>& corpora, DeflateLevel level, bool context, int rounds, const char* what) {
  const int zlib_level = level == DeflateLevel::fast ? 1 : 6;
  const std::string title = std::string("Deflate, ") + (level == DeflateLevel::fast ? "fast" : "better") +
                            ", " + what;
  bool begun = false;
  for (const Corpus& corpus : corpora) {
    if (context && corpus.messages[0].size() > 20'000) continue;  // a context adds nothing there
    std::vector<uint8_t> out = room_for(corpus);
    std::vector<Coder> coders{martlet_deflate(corpus, level, context, out)};
    add_zlib_deflate(coders, corpus, zlib_level, context, out);
    if (!context) add_libdeflate(coders, corpus, zlib_level, out);
    run_rounds(coders, corpus, rounds);
    if (!std::exchange(begun, true)) print_head(title.c_str(), coders, true);
    print_row(corpus, coders, true);
  }
}

// Streams as they come from a peer that uses zlib, where there is one.
Streams compressed(const Corpus& corpus) {
  std::vector<uint8_t> out = room_for(corpus);
  std::vector<Coder> coders{martlet_deflate(corpus, DeflateLevel::better, false, out)};
  add_zlib_deflate(coders, corpus, 6, false, out);
  Streams streams;
  for (size_t i = 0; i < corpus.messages.size(); i++) {
    const size_t size = coders.back().code(i);
    streams.emplace_back(out.begin(), out.begin() + static_cast<ptrdiff_t>(size));
  }
  return streams;
}

void inflate_table(const std::vector<Corpus>& corpora, int rounds) {
  bool begun = false;
  for (const Corpus& corpus : corpora) {
    const Streams streams = compressed(corpus);
    std::vector<uint8_t> out = room_for(corpus);
    std::vector<Coder> coders{martlet_inflate(streams, out)};
    add_zlib_inflate(coders, streams, out);
    add_libdeflate_inflate(coders, streams, out);
    run_rounds(coders, corpus, rounds);
    for (const Coder& coder : coders) must(coder.output == corpus.bytes(), "something else was read");
    if (!std::exchange(begun, true)) print_head("Inflate", coders, false);
    print_row(corpus, coders, false);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 7;
  std::vector<Corpus> corpora = make_corpora(argc > 3 ? argv[3] : "src");
  const std::string only = argc > 2 ? argv[2] : "";
  std::vector<Corpus> hostile = make_hostile_corpora();
  for (std::vector<Corpus>* list : {&corpora, &hostile}) {
    std::erase_if(*list, [&](const Corpus& corpus) { return corpus.name.find(only) == std::string::npos; });
  }
  for (const auto level : {DeflateLevel::fast, DeflateLevel::better}) {
    deflate_table(corpora, level, false, rounds, "each message on its own");
    deflate_table(corpora, level, true, rounds, "with context");
    deflate_table(hostile, level, false, rounds, "the worst that can come");
  }
  inflate_table(corpora, rounds);
}
