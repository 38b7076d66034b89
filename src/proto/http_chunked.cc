// The chunked decoder of http_chunked.h: a state machine over bytes; only payload is handed on as a run.
//
// What is read over (extensions, trailers) is read over strictly, as RFC 9112 §7.1 has it: a line end or a size that
// another server would read differently is how requests are smuggled inside a body. A quoted string of an extension is
// where such servers part: one looks for the end of the line only, the other takes a ';' or a CR in it for text.
#include "proto/http_chunked.h"

#include "base/text.h"
#include "proto/http_chars.h"

namespace martlet::proto {

namespace {

constexpr uint8_t kFreeDigits = 16;  // enough for any size; more of them are zeros, and paid for

int hex_value(uint8_t c) noexcept { return base::hex_digit_value(static_cast<char>(c)); }
bool is_blank(uint8_t c) noexcept { return c == ' ' || c == '\t'; }

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::next(base::ByteSpan input) noexcept {
  size_t at = 0;
  for (; at < input.size() && state_ != State::spent; at++) {
    if (state_ == State::data) return take_data(input, at);
    state_ = take_byte(input[at]);
    if (state_ == State::failed) return {Event::error, at + 1, {}};
  }
  if (state_ != State::spent || input.empty()) return {Event::need_more, at, {}};
  if (at > 0) return {Event::done, at, {}};
  refuse(400, "Bytes for a decoder that is spent.");
  return {Event::error, 0, {}};
}

// Payload from input[at] on.
ChunkedDecoder::Step ChunkedDecoder::take_data(base::ByteSpan input, size_t at) noexcept {
  const size_t here = remaining_ < input.size() - at ? static_cast<size_t>(remaining_) : input.size() - at;
  remaining_ -= here;
  if (remaining_ == 0) state_ = State::data_cr;
  return {Event::data, at + here, input.subspan(at, here)};
}

ChunkedDecoder::State ChunkedDecoder::refuse(uint16_t status, const char* cause) noexcept {
  error_ = {status, cause};
  return State::failed;
}

bool ChunkedDecoder::lower_limit(uint64_t body_bytes) noexcept {
  const uint64_t announced = limits_.body_bytes - body_left_;
  if (announced > body_bytes) return false;
  if (body_bytes < limits_.body_bytes) {
    limits_.body_bytes = body_bytes;
    body_left_ = body_bytes - announced;
  }
  return true;
}

// The state after one byte that is not payload; switch-shaped.
ChunkedDecoder::State ChunkedDecoder::take_byte(uint8_t c) noexcept {
  switch (state_) {
    case State::size_first:
      if (hex_value(c) < 0) return refuse(400, "A chunk size that does not begin with a digit.");
      remaining_ = static_cast<uint64_t>(hex_value(c));
      digits_ = 1;
      return State::size;
    case State::size:
      return take_size(c);
    case State::ext_start:
    case State::ext_name:
    case State::ext_name_end:
    case State::ext_equals:
    case State::ext_value:
    case State::ext_quoted:
    case State::ext_escape:
    case State::ext_quoted_end:
    case State::ext_end:
      return take_extension(c);
    case State::size_lf:
      return c == '\n' ? begin_chunk() : refuse(400, "A CR without LF after a chunk size.");
    case State::data_cr:
      return c == '\r' ? State::data_lf : refuse(400, "A chunk that is longer than its size.");
    case State::data_lf:
      return c == '\n' ? State::size_first : refuse(400, "A CR without LF after a chunk.");
    case State::trailer_start:
    case State::trailer_name:
    case State::trailer_value:
    case State::trailer_lf:
      return take_trailer(c);
    case State::end_lf:
      return c == '\n' ? State::spent : refuse(400, "A CR without LF at the end of a chunked body.");
    case State::data:
    case State::spent:
    case State::failed:
      break;
  }
  return State::failed;
}

// A byte of a chunk size behind its first digit.
ChunkedDecoder::State ChunkedDecoder::take_size(uint8_t c) noexcept {
  if (c == '\r') return State::size_lf;
  if (c == ';' || is_blank(c)) return take_extension(c);
  if (hex_value(c) < 0) return refuse(400, "A chunk size that is not hexadecimal.");
  if (remaining_ >> 60) return refuse(400, "A chunk size of more than 64 bits.");
  remaining_ = remaining_ << 4 | static_cast<uint64_t>(hex_value(c));
  if (digits_ < kFreeDigits) {
    digits_++;
  } else if (++overhead_bytes_ > limits_.extension_bytes) {
    return refuse(400, "A chunk size of too many digits.");
  }
  return State::size;
}

// A byte behind the size (RFC 9112 §7.1.1; blanks are "bad" white space, RFC 9110 §5.6.3: they stand before and behind
// ';' and '=', not at the end of the line):
//
//   *( BWS ";" BWS name [ BWS "=" BWS value ] )    value: a token, or a string in quotes
ChunkedDecoder::State ChunkedDecoder::take_extension(uint8_t c) noexcept {
  if (c == '\r' && (state_ == State::ext_name || state_ == State::ext_value || state_ == State::ext_quoted_end)) {
    return State::size_lf;
  }
  if (++overhead_bytes_ > limits_.extension_bytes) return refuse(400, "Chunk extensions are too long.");
  const State next = after_extension_byte(state_, c);
  return next == State::failed ? refuse(400, "A malformed chunk extension.") : next;
}

// The state behind a byte of an extension, failed where it may not stand; switch-shaped.
ChunkedDecoder::State ChunkedDecoder::after_extension_byte(State state, uint8_t c) noexcept {
  const bool token = has_class(c, char_class::token);
  switch (state) {
    case State::ext_start:
      return token ? State::ext_name : is_blank(c) ? state : State::failed;
    case State::ext_name:
      if (token) return state;
      [[fallthrough]];
    case State::ext_name_end:
      if (c == '=') return State::ext_equals;
      return c == ';' ? State::ext_start : is_blank(c) ? State::ext_name_end : State::failed;
    case State::ext_equals:
      if (c == '"') return State::ext_quoted;
      return token ? State::ext_value : is_blank(c) ? state : State::failed;
    case State::ext_quoted:
      if (c == '"') return State::ext_quoted_end;
      if (c == '\\') return State::ext_escape;
      [[fallthrough]];
    case State::ext_escape:  // whatever a field's value may have (RFC 9110 §5.6.4)
      return has_class(c, char_class::field_value) ? State::ext_quoted : State::failed;
    case State::ext_value:
      if (token) return state;
      [[fallthrough]];
    default:  // behind the size, a value, or blanks that follow one of them
      return c == ';' ? State::ext_start : is_blank(c) ? State::ext_end : State::failed;
  }
}

// The line of a chunk has ended.
ChunkedDecoder::State ChunkedDecoder::begin_chunk() noexcept {
  if (remaining_ > body_left_) return refuse(413, "The body is larger than this server takes.");
  body_left_ -= remaining_;
  return remaining_ ? State::data : State::trailer_start;
}

// A byte of the trailers: field lines in shape (RFC 9112 §7.1.2), which nobody reads.
ChunkedDecoder::State ChunkedDecoder::take_trailer(uint8_t c) noexcept {
  if (state_ == State::trailer_start && c == '\r') return State::end_lf;
  if (++trailer_bytes_ > limits_.trailer_bytes) return refuse(431, "The trailers are longer than this server takes.");
  if (state_ == State::trailer_lf) {
    return c == '\n' ? State::trailer_start : refuse(400, "A CR without LF in a trailer.");
  }
  if (state_ == State::trailer_value) {
    if (c == '\r') return State::trailer_lf;
    return has_class(c, char_class::field_value) ? State::trailer_value
                                                 : refuse(400, "A control character in a trailer.");
  }
  if (c == ':' && state_ == State::trailer_name) return State::trailer_value;
  return has_class(c, char_class::token) ? State::trailer_name : refuse(400, "A trailer without a name and a colon.");
}

}  // namespace martlet::proto
