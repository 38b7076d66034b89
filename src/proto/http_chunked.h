// The chunked transfer coding (RFC 9112 §7.1), decoded by pulling one event per call.
//
//   chunk-size [;extensions] CRLF data CRLF … 0 CRLF [trailers] CRLF
//
// Extensions and trailers are read over by their grammar, and bounded; sizes are hexadecimal and fit 64 bits, whatever
// number of zeros stands before them. A chunk that the body's limit has no room for is refused when it is announced.
// Every event but need_more takes at least one byte, so pulling ends. No allocation; data is a view into the input.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "proto/http_parser.h"

namespace martlet::proto {

class ChunkedDecoder {
 public:
  enum class Event : uint8_t { need_more, data, done, error };
  struct Step {
    Event event;
    size_t consumed;      // bytes of the input that are spent
    base::ByteSpan data;  // for Event::data: payload within the input, never empty
  };

  struct Limits {
    uint64_t body_bytes = UINT64_MAX;  // of all chunks together; 413 above it
    uint32_t extension_bytes = 4096;   // what all chunk lines together have besides CRLF and 16 digits each; 400 above it
    uint32_t trailer_bytes = 8192;     // of the trailer lines, their CRLFs included; 431 above it
  };

  ChunkedDecoder() noexcept = default;
  explicit ChunkedDecoder(Limits limits) noexcept : limits_(limits), body_left_(limits.body_bytes) {}

  // The next event of the input. After need_more all input is consumed; after done or error the decoder is spent.
  Step next(base::ByteSpan input) noexcept;

  // Fewer bytes are taken from here on. False when more are announced, or have come, already.
  bool lower_limit(uint64_t body_bytes) noexcept;

  // Valid after Event::error.
  const HttpError& error() const noexcept { return error_; }

 private:
  enum class State : uint8_t { size_first, size, ext_start, ext_name, ext_name_end, ext_equals, ext_value, ext_quoted,
                               ext_escape, ext_quoted_end, ext_end, size_lf, data, data_cr, data_lf, trailer_start,
                               trailer_name, trailer_value, trailer_lf, end_lf, spent, failed };

  Step take_data(base::ByteSpan input, size_t at) noexcept;
  State take_byte(uint8_t c) noexcept;
  State take_size(uint8_t c) noexcept;
  State take_extension(uint8_t c) noexcept;
  State begin_chunk() noexcept;
  static State after_extension_byte(State state, uint8_t c) noexcept;
  State take_trailer(uint8_t c) noexcept;
  State refuse(uint16_t status, const char* cause) noexcept;

  Limits limits_;
  HttpError error_;
  uint64_t remaining_ = 0;           // of the chunk
  uint64_t body_left_ = UINT64_MAX;  // for the chunks behind it
  uint32_t overhead_bytes_ = 0;
  uint32_t trailer_bytes_ = 0;
  uint8_t digits_ = 0;
  State state_ = State::size_first;
};

}  // namespace martlet::proto
