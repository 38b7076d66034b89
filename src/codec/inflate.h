// DEFLATE, the reading side (RFC 1951), bare or in the wrapping of zlib (RFC 1950) or gzip (RFC 1952).
//
// The input may be cut at any byte and the output at any byte; the object keeps what is between two calls, its code
// tables included (11.1 KiB in all), and nothing else: no window, no memory. What a stream refers back to is either
// still in front of the output or in a ring that the caller keeps. Accepted is exactly what zlib accepts.
//
// Time is bounded by input and output: a byte of output costs at most a few table look-ups, and a block, of which a
// hostile input can put one in some ten bytes, at most the filling of its tables (10 KiB).
//
// No allocation; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

enum class DeflateFormat : uint8_t { raw, zlib, gzip };  // RFC 1951, 1950, 1952

// The last bytes of a stream whose output buffer goes away: a ring. Not owned.
struct InflateHistory {
  uint8_t* bytes = nullptr;
  uint32_t size = 0;    // a power of two, 256 to 32768
  uint32_t at = 0;      // where the next byte goes
  uint32_t filled = 0;  // how many bytes are there

  // Keeps the last `size` bytes. For output that run() is not given any more: what is still in front of the output comes
  // after the history.
  void append(base::ByteSpan output) noexcept;
};

enum class InflateStatus : uint8_t {
  need_input,   // all input was taken, the stream goes on
  output_full,  // out has reached out_end, and the stream has more to write
  done,         // the final block and the trailer were read; what is left of the input is not the stream's
  error,        // cause() says what
};

struct InflateCursor;

class Inflate {
 public:
  Inflate() noexcept { reset(); }

  // A new stream, raw. Distances above 1 << window_bits (8 to 15) are errors. Clears no table.
  void reset(int window_bits = 15) noexcept;
  // The same in a wrapping. Who does not call this is linked without checksums and their tables.
  void reset(DeflateFormat format, int window_bits = 15) noexcept;

  // Decodes from [in, in_end) to [out, out_end), advancing both. What lies in [begin, out) is earlier output of the same
  // stream and can be referred to; what is further back is looked up in *history when there is one. The caller may move
  // the output elsewhere between calls (a larger buffer), as long as [begin, out) has the last 32 KiB of output or the
  // history has the rest. Before the first call, [begin, out) and history are what a preset dictionary would be.
  //
  // Of [out, out_end) as it was, bytes behind the new `out` may have been written to. When the output is full and the
  // rest of the stream writes nothing, the answer is not output_full. done and error are answered again until reset().
  InflateStatus run(const uint8_t*& in, const uint8_t* in_end, const uint8_t* begin, uint8_t*& out, uint8_t* out_end,
                    const InflateHistory* history = nullptr) noexcept;

  // Whether the input so far ended exactly between two blocks, at a byte boundary (as after the 00 00 FF FF of a flush).
  // So does a raw stream of which nothing was read yet.
  bool at_flush_point() const noexcept { return state_ == State::block && left_ == 0; }

  // After done of a raw stream: goes on with another one that may refer to the output so far.
  void restart() noexcept;

  // Why run() answered error: a static sentence. Empty when it did not.
  const char* cause() const noexcept { return cause_; }

 private:
  // Each names what is read next. The order within a format is that of the stream.
  enum class State : uint8_t {
    zlib_head, gzip_magic, gzip_flags, gzip_rest, gzip_extra_size, gzip_extra, gzip_name, gzip_comment, gzip_check,
    block, stored_size, stored, code_counts, code_of_lengths, code_lengths, symbols, trailer, trailer_size, done, error,
  };
  // What a step of the decoder leads to: what run() answers, or another step.
  enum class Step : uint8_t { need_input, output_full, done, error, go_on };

  Step step(InflateCursor& c) noexcept;
  Step block(InflateCursor& c) noexcept;
  Step stored_size(InflateCursor& c) noexcept;
  Step stored(InflateCursor& c) noexcept;
  Step code_counts(InflateCursor& c) noexcept;
  Step code_of_lengths(InflateCursor& c) noexcept;
  Step code_lengths(InflateCursor& cursor) noexcept;
  Step build_codes() noexcept;
  Step symbols(InflateCursor& c) noexcept;
  Step match(InflateCursor& c) noexcept;
  Step end_of_block() noexcept;
  // inflate_wrapper.cc, behind pointers that reset() sets
  struct Wrapping {
    Step (Inflate::*step)(InflateCursor& c) noexcept;
    void (Inflate::*sum)(InflateCursor& c) noexcept;
  };
  static const Wrapping kWrapping;
  Step wrapping_step(InflateCursor& c) noexcept;
  Step head(InflateCursor& c) noexcept;
  Step zlib_head(InflateCursor& c) noexcept;
  Step gzip_flags(InflateCursor& c) noexcept;
  Step gzip_text(InflateCursor& c, uint8_t flag, State then) noexcept;
  Step gzip_extra(InflateCursor& c) noexcept;
  Step trailer(InflateCursor& c) noexcept;
  uint32_t take_head(InflateCursor& c, unsigned bytes) noexcept;
  void sum(InflateCursor& c) noexcept;
  Step go_to(State state) noexcept;
  Step fail(const char* cause) noexcept;

  // What 11 and 8 index bits need at most, subtables included, for any complete code of 288 and 32 symbols.
  static constexpr size_t kLitlenEntries = 2342;
  static constexpr size_t kDistanceEntries = 402;

  const Wrapping* wrapping_;  // null: raw
  uint64_t bits_;         // read and not yet used, the next bit lowest
  const char* cause_;
  uint32_t length_;       // how much of a match or of a stored block has still to be copied
  uint32_t distance_;     // of that match
  uint32_t check_;        // of the output so far; of the head, while that is read
  uint32_t total_;        // output so far, modulo 2^32
  uint16_t at_;           // code lengths read so far; bytes of the head's extra field left
  uint16_t litlen_count_;
  uint8_t distance_count_;
  uint8_t lengths_count_;
  uint8_t left_;          // how many bits there are in bits_
  State state_;
  DeflateFormat format_;
  uint8_t window_bits_;
  uint8_t gzip_flags_;
  bool final_;            // this block is the last one
  bool fixed_;            // its code is the fixed one, which has tables of its own
  uint8_t litlen_bits_;   // index bits of the tables below
  uint8_t distance_bits_;
  uint8_t lengths_[328];  // of the two codes, one after the other; eight bytes more than they have at most
  uint32_t litlen_[kLitlenEntries];
  uint32_t distances_[kDistanceEntries];  // the code of the code lengths, while those are read
};

}  // namespace martlet::codec
