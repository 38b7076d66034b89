// DEFLATE (RFC 1951), the compressing side: raw blocks, with or without a context that is kept from call to call.
//
// A compressor owns what must stay between calls and nothing else; what a call works with is a DeflateScratch, of which
// a thread has one. A Deflate that keeps a context takes, in KiB (memory() has it exactly):
//
//   window bits   8     9     10    11    12    13    14    15
//   fast          4     4     5     8     15    29    57    113
//   better        4     5     7     12    23    45    89    177
//
// One that does not keep a context takes the tables alone, as it works where the bytes lie. Nothing here depends on
// anything but the input: the same calls give the same bytes on any machine. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

enum class DeflateLevel : uint8_t { fast, better };

// How a call of compress() ends.
enum class DeflateFlush : uint8_t {
  none,    // behind a block: up to 7 bits wait for the next call
  sync,    // with an empty stored block, so that the output ends with 00 00 FF FF at a byte boundary
  finish,  // with the final block; what comes next is another stream
};

struct DeflateSettings {
  DeflateLevel level = DeflateLevel::fast;
  int window_bits = 15;      // 8 to 15: no distance is above two to this power
  bool keep_context = true;  // later calls refer to what earlier ones compressed
};

struct DeflateScratch {
  // Null when memory is out.
  [[nodiscard]] static DeflateScratch* make() noexcept;
  static void destroy(DeflateScratch* scratch) noexcept;
};

class Deflate {
 public:
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  // Bytes of one compressor, all included.
  static size_t memory(const DeflateSettings& settings) noexcept;
  // Null when memory is out.
  [[nodiscard]] static Deflate* make(const DeflateSettings& settings) noexcept;
  static void destroy(Deflate* deflate) noexcept;

  // What compress() may write.
  static constexpr size_t bound(size_t size) noexcept { return size + 5 * (size / kMostStored) + 48; }
  // Compresses all of `in` to `out`, which has room for bound(in.size()); answers how many bytes that gave.
  size_t compress(base::ByteSpan in, uint8_t* out, DeflateFlush flush, DeflateScratch& scratch) noexcept;
  // Forgets the context. Clears nothing.
  void reset() noexcept { history_ = 0; }

  static constexpr size_t kMostStored = 65535;  // of one stored block

 private:
  friend struct DeflateTest;
  explicit Deflate(const DeflateSettings& settings) noexcept;
  ~Deflate() = default;
  uint8_t* tables() noexcept { return reinterpret_cast<uint8_t*>(this + 1); }
  void compress_with_context(base::ByteSpan in, DeflateFlush flush, DeflateScratch& scratch) noexcept;
  void compress_span(const uint8_t* base, size_t from, size_t end, bool last, DeflateScratch& scratch) noexcept;
  void slide(size_t room) noexcept;

  DeflateLevel level_;
  uint8_t window_bits_;
  bool keep_context_;
  uint8_t* window_ = nullptr;  // of one that keeps its context: history_ bytes before at_
  uint32_t window_bytes_ = 0;
  uint32_t at_ = 0;
  uint32_t history_ = 0;   // bytes before the next one that may be referred to
  uint32_t position_ = 1;  // of the next byte, in the tables' count; see deflate_match.h
  uint64_t bits_ = 0;      // what waits for a whole byte
  unsigned bit_count_ = 0;
  uint8_t* out_ = nullptr;  // of the call under way
};

}  // namespace martlet::codec
