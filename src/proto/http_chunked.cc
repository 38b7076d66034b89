// The chunked decoder of http_chunked.h: a state machine over bytes; only payload is handed on as a run.
#include "proto/http_chunked.h"

namespace martlet::proto {

namespace {

constexpr uint8_t kMaxDigits = 16;

int hex_value(uint8_t c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const uint8_t lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// A byte that may stand in an extension or a trailer line: no control character but HTAB.
bool is_line_byte(uint8_t c) noexcept { return (c >= 0x20 && c != 0x7f) || c == '\t'; }

}  // namespace

// switch-shaped
ChunkedDecoder::Step ChunkedDecoder::next(base::ByteSpan input) noexcept {
  const uint8_t* p = input.data();
  const uint8_t* const end = p + input.size();
  const auto step = [&](Event event) { return Step{event, static_cast<size_t>(p - input.data()), {}}; };
  const auto fail = [&](uint16_t status, const char* cause) {
    error_ = {status, cause};
    state_ = State::spent;
    return step(Event::error);
  };
  while (p < end) {
    const uint8_t c = *p;
    switch (state_) {
      case State::size_first:
        if (hex_value(c) < 0) return fail(400, "A chunk size that does not begin with a digit.");
        remaining_ = digits_ = 0;
        state_ = State::size;
        continue;
      case State::size:
        if (const int digit = hex_value(c); digit >= 0) {
          if (++digits_ > kMaxDigits) return fail(400, "A chunk size of too many digits.");
          remaining_ = remaining_ << 4 | static_cast<uint64_t>(digit);
        } else if (c == '\r' || c == ';') {
          state_ = c == '\r' ? State::size_lf : State::extension;
        } else {
          return fail(400, "A chunk size that is not hexadecimal.");
        }
        break;
      case State::extension:
        if (++overhead_bytes_ > limits_.extension_bytes) return fail(400, "Chunk extensions are too long.");
        if (c == '\r') state_ = State::size_lf;
        else if (!is_line_byte(c)) return fail(400, "A control character in a chunk extension.");
        break;
      case State::size_lf:
        if (c != '\n') return fail(400, "A bare CR in a chunk header.");
        state_ = remaining_ ? State::data : State::trailer_start;
        break;
      case State::data: {
        const size_t here = remaining_ < static_cast<size_t>(end - p) ? static_cast<size_t>(remaining_)
                                                                      : static_cast<size_t>(end - p);
        const base::ByteSpan data(p, here);
        p += here;
        remaining_ -= here;
        if (remaining_ == 0) state_ = State::data_cr;
        return {Event::data, static_cast<size_t>(p - input.data()), data};
      }
      case State::data_cr:
        if (c != '\r') return fail(400, "A chunk that is longer than its size.");
        state_ = State::data_lf;
        break;
      case State::data_lf:
        if (c != '\n') return fail(400, "A bare CR behind a chunk.");
        state_ = State::size_first;
        break;
      case State::trailer_start:
        if (c == ' ' || c == '\t' || c == ':') return fail(400, "A malformed trailer line.");
        state_ = c == '\r' ? State::end_lf : State::trailer;
        if (state_ == State::trailer) continue;
        break;
      case State::trailer:
        if (++trailer_bytes_ > limits_.trailer_bytes) return fail(431, "Trailers are too long.");
        if (c == '\r') state_ = State::trailer_lf;
        else if (!is_line_byte(c)) return fail(400, "A control character in a trailer.");
        break;
      case State::trailer_lf:
        if (c != '\n') return fail(400, "A bare CR in a trailer.");
        state_ = State::trailer_start;
        break;
      case State::end_lf:
        p++;
        if (c != '\n') return fail(400, "A bare CR at the end of a chunked body.");
        state_ = State::spent;
        return step(Event::done);
      case State::spent: return fail(400, "Bytes for a decoder that is spent.");
    }
    p++;
  }
  return step(Event::need_more);
}

}  // namespace martlet::proto
