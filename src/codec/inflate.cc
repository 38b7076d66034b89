// The blocks of DEFLATE (RFC 1951 §3.2) as a machine of small steps, each of which can be taken again when the input
// ended within it: a step uses up bits only when it has all that it needs.
//
// inflate_fast.cc decodes the symbols in the midst of input and output; symbols() here those near the ends, one at a time.
// The wrappings are in inflate_wrapper.cc, the tables in inflate_codes.cc.
#include "codec/inflate.h"

#include "base/check.h"
#include "codec/inflate_codes.h"
#include "codec/inflate_cursor.h"

namespace martlet::codec {

namespace {

constexpr unsigned kEndOfBlock = 256;
constexpr unsigned kMaxLitlen = 286;
constexpr unsigned kMaxDistances = 30;
constexpr uint64_t kEachByte = 0x0101010101010101;

// The order in which the code lengths' own code lengths come (§3.2.7).
constexpr uint8_t kLengthsOrder[kLengthsSymbols] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

// What is wrong with a code that has too many codes of some length or too few.
struct FaultCauses {
  const char* over_subscribed;
  const char* incomplete;
  const char* of(CodeFault fault) const { return fault == CodeFault::over_subscribed ? over_subscribed : incomplete; }
};

constexpr FaultCauses kLengthsFaults{"The code of the code lengths is over-subscribed.",
                                     "The code of the code lengths is incomplete."};
constexpr FaultCauses kLitlenFaults{"The code of literals and lengths is over-subscribed.",
                                    "The code of literals and lengths is incomplete."};
constexpr FaultCauses kDistanceFaults{"The code of distances is over-subscribed.",
                                      "The code of distances is incomplete."};

}  // namespace

const char* cause_of_distance(CodeEntry entry) noexcept {
  return entry & kBeyondEntry ? "A distance beyond the window." : "A distance code that does not exist.";
}

void InflateHistory::append(base::ByteSpan output) noexcept {
  if (output.empty() || size == 0) return;
  if (output.size() >= size) {
    std::memcpy(bytes, output.data() + (output.size() - size), size);
    at = 0;
    filled = size;
    return;
  }
  const size_t to_end = size - at;
  const size_t first = output.size() < to_end ? output.size() : to_end;
  std::memcpy(bytes + at, output.data(), first);
  if (first < output.size()) std::memcpy(bytes, output.data() + first, output.size() - first);
  at = static_cast<uint32_t>(at + output.size()) & (size - 1);
  filled = output.size() < size - filled ? static_cast<uint32_t>(filled + output.size()) : size;
}

void read_history(const InflateHistory& history, size_t back, uint8_t* out, size_t length) noexcept {
  const size_t from = (history.at - back) & (history.size - 1);
  const size_t to_end = history.size - from;
  const size_t first = length < to_end ? length : to_end;
  base::copy_short(out, history.bytes + from, first);
  if (first < length) base::copy_short(out + first, history.bytes, length - first);
}

void InflateCursor::copy(size_t distance, size_t length) noexcept {
  if (distance > behind()) {
    const size_t back = distance - behind();
    const size_t size = back < length ? back : length;
    read_history(*history, back, out, size);
    out += size;
    length -= size;
    if (length == 0) return;
  }
  const uint8_t* from = out - distance;
  if (distance >= length) {
    base::copy_short(out, from, length);
    out += length;
    return;
  }
  for (; length > 0; length--) *out++ = *from++;
}

void Inflate::reset(int window_bits) noexcept {
  MARTLET_CHECK(window_bits >= 8 && window_bits <= 15);
  wrapping_ = nullptr;
  format_ = DeflateFormat::raw;
  window_bits_ = static_cast<uint8_t>(window_bits);
  state_ = State::block;
  cause_ = "";
  bits_ = 0;
  left_ = 0;
  length_ = 0;
  final_ = false;
}

void Inflate::restart() noexcept {
  MARTLET_DCHECK(state_ == State::done && format_ == DeflateFormat::raw);
  state_ = State::block;
  final_ = false;
}

InflateStatus Inflate::run(const uint8_t*& in, const uint8_t* in_end, const uint8_t* begin, uint8_t*& out, uint8_t* out_end,
                           const InflateHistory* history) noexcept {
  InflateCursor c{.in = in, .in_end = in_end, .begin = begin, .out = out, .out_end = out_end, .history = history,
                  .summed = out, .bits = bits_, .left = left_};
  Step next;
  do next = step(c);
  while (next == Step::go_on);
  if (next != Step::need_input) c.unread_bytes(in);
  if (wrapping_) (this->*wrapping_->sum)(c);
  in = c.in;
  out = c.out;
  left_ = static_cast<uint8_t>(c.left);
  bits_ = c.bits & ((uint64_t{1} << c.left) - 1);
  return static_cast<InflateStatus>(next);
}

Inflate::Step Inflate::go_to(State state) noexcept {
  state_ = state;
  return Step::go_on;
}

Inflate::Step Inflate::fail(const char* cause) noexcept {
  cause_ = cause;
  state_ = State::error;
  return Step::error;
}

Inflate::Step Inflate::step(InflateCursor& c) noexcept {
  switch (state_) {
    case State::block: return block(c);
    case State::stored_size: return stored_size(c);
    case State::stored: return stored(c);
    case State::code_counts: return code_counts(c);
    case State::code_of_lengths: return code_of_lengths(c);
    case State::code_lengths: return code_lengths(c);
    case State::symbols: return symbols(c);
    case State::done: return Step::done;
    case State::error: return Step::error;
    default: break;
  }
  if (wrapping_) return (this->*wrapping_->step)(c);
  c.align();  // behind the final block
  return go_to(State::done);
}

Inflate::Step Inflate::end_of_block() noexcept { return go_to(final_ ? State::trailer : State::block); }

Inflate::Step Inflate::block(InflateCursor& c) noexcept {
  if (!c.need(3)) return Step::need_input;
  final_ = c.take(1) != 0;
  const uint32_t type = c.take(2);
  if (type == 3) return fail("A block of type 3.");
  fixed_ = type == 1;
  if (type == 0) c.align();
  return go_to(type == 0 ? State::stored_size : type == 1 ? State::symbols : State::code_counts);
}

Inflate::Step Inflate::stored_size(InflateCursor& c) noexcept {
  if (!c.need(32)) return Step::need_input;
  length_ = c.take(16);
  if (c.take(16) != (length_ ^ 0xFFFF)) return fail("The length of a stored block and its complement do not match.");
  return go_to(State::stored);
}

// The first bytes may be in the bit buffer already.
Inflate::Step Inflate::stored(InflateCursor& c) noexcept {
  for (; length_ > 0 && c.left > 0 && c.room() > 0; length_--) *c.out++ = static_cast<uint8_t>(c.take(8));
  if (length_ > 0 && c.left == 0) {
    c.bits = 0;  // what was above `left` is not what comes next, once bytes are taken past the buffer
    size_t size = length_;
    if (size > c.unread()) size = c.unread();
    if (size > c.room()) size = c.room();
    if (size > 0) std::memcpy(c.out, c.in, size);
    c.in += size;
    c.out += size;
    length_ -= static_cast<uint32_t>(size);
  }
  if (length_ == 0) return end_of_block();
  return c.left == 0 && c.unread() == 0 ? Step::need_input : Step::output_full;
}

Inflate::Step Inflate::code_counts(InflateCursor& c) noexcept {
  if (!c.need(14)) return Step::need_input;
  litlen_count_ = static_cast<uint16_t>(c.take(5) + 257);
  distance_count_ = static_cast<uint8_t>(c.take(5) + 1);
  lengths_count_ = static_cast<uint8_t>(c.take(4) + 4);
  if (litlen_count_ > kMaxLitlen) return fail("More than 286 codes of literals and lengths.");
  if (distance_count_ > kMaxDistances) return fail("More than 30 codes of distances.");
  std::memset(lengths_, 0, 24);
  at_ = 0;
  return go_to(State::code_of_lengths);
}

Inflate::Step Inflate::code_of_lengths(InflateCursor& c) noexcept {
  for (; at_ < lengths_count_; at_++) {
    if (!c.need(3)) return Step::need_input;
    lengths_[kLengthsOrder[at_]] = static_cast<uint8_t>(c.take(3));
  }
  const CodeFault fault = build_lengths_code(lengths_, distances_, distance_bits_);
  if (fault != CodeFault::none) return fail(kLengthsFaults.of(fault));
  std::memset(lengths_ + litlen_count_, 0, kDistanceSymbols);  // build_codes() wants zeros behind the last one
  at_ = 0;
  return go_to(State::code_lengths);
}

Inflate::Step Inflate::code_lengths(InflateCursor& cursor) noexcept {
  // Copies: as far as the compiler can tell, writing a length changes everything that is in memory.
  InflateCursor c = cursor;
  const unsigned total = litlen_count_ + unsigned{distance_count_};
  const unsigned mask = (1u << distance_bits_) - 1;
  unsigned at = at_;
  const char* fault = nullptr;
  while (at < total) {
    if (c.left < 14) c.fill();
    const CodeEntry entry = distances_[c.bits & mask];
    const unsigned used = used_bits(entry);
    const unsigned symbol = symbol_of(entry);
    if (symbol < 16) {
      if (c.left < used) break;
      c.drop(used);
      lengths_[at++] = static_cast<uint8_t>(symbol);
      continue;
    }
    // 16 repeats the length before 3 to 6 times, 17 and 18 repeat 0, 3 to 10 and 11 to 138 times.
    const unsigned extra = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
    if (c.left < used + extra) break;
    c.drop(used);
    const unsigned times = c.take(extra) + (symbol == 18 ? 11 : 3);
    if (symbol == 16 && at == 0) fault = "A repeated code length with none before it.";
    if (times > total - at) fault = "Repeated code lengths run past the end.";
    if (fault) break;
    // By eights, the last of which may go too far; a call of memset takes longer.
    const uint64_t eight = symbol == 16 ? lengths_[at - 1] * kEachByte : 0;
    for (unsigned n = 0; n < times; n += 8) std::memcpy(lengths_ + at + n, &eight, 8);
    at += times;
  }
  std::memset(lengths_ + at, 0, 8);
  at_ = static_cast<uint16_t>(at);
  cursor = c;
  if (fault) return fail(fault);
  return at < total ? Step::need_input : build_codes();
}

Inflate::Step Inflate::build_codes() noexcept {
  if (lengths_[kEndOfBlock] == 0) return fail("The code has no end of block.");
  // There are zeros behind the distances; behind the literals and lengths there are when the distances are out of the way.
  uint8_t of_distances[kDistanceSymbols];
  std::memcpy(of_distances, lengths_ + litlen_count_, sizeof of_distances);
  std::memset(lengths_ + litlen_count_, 0, 8);
  CodeFault fault = build_litlen_code(lengths_, litlen_count_, litlen_, litlen_bits_);
  if (fault != CodeFault::none) return fail(kLitlenFaults.of(fault));
  fault = build_distance_code(of_distances, distance_count_, window_bits_, distances_, distance_bits_);
  if (fault != CodeFault::none) return fail(kDistanceFaults.of(fault));
  return go_to(State::symbols);
}

// The rest of a match.
Inflate::Step Inflate::match(InflateCursor& c) noexcept {
  if (!c.reaches(distance_)) return fail(kBeyondOutput);
  const size_t size = length_ < c.room() ? length_ : c.room();
  if (size > 0) c.copy(distance_, size);
  length_ -= static_cast<uint32_t>(size);
  return length_ > 0 ? Step::output_full : Step::go_on;
}

Inflate::Step Inflate::symbols(InflateCursor& c) noexcept {
  const InflateCodes codes = fixed_ ? fixed_codes(window_bits_) : InflateCodes{litlen_, distances_, litlen_bits_, distance_bits_};
  for (;;) {
    if (length_ > 0) {
      const Step copied = match(c);
      if (copied != Step::go_on) return copied;
    }
    if (can_inflate_fast(c)) {
      InflateMatch rest;
      const char* const cause = inflate_fast(c, codes, rest);
      if (cause) return fail(cause);
      length_ = rest.length;
      distance_ = rest.distance;
      if (length_ > 0) continue;
    }
    // The bits that are there are mostly enough.
    CodeEntry entry = codes.find_litlen(c.bits);
    if (used_bits(entry) > c.left) {
      c.fill();
      entry = codes.find_litlen(c.bits);
      if (used_bits(entry) > c.left) return Step::need_input;
    }
    const unsigned used = used_bits(entry);
    if (entry & kLiteralEntry) {
      if (c.room() == 0) return Step::output_full;
      *c.out++ = static_cast<uint8_t>(symbol_of(entry));
      c.drop(used);
      continue;
    }
    if (entry & kSpecialEntry) {
      if (!(entry & kEndEntry)) return fail("A length code that does not exist.");
      c.drop(used);
      return end_of_block();
    }
    if (c.left < 48) c.fill();
    const CodeEntry distance = codes.find_distance(c.bits >> used);
    if (used + used_bits(distance) > c.left) return Step::need_input;
    if (distance & kSpecialEntry) return fail(cause_of_distance(distance));
    length_ = length_of(entry, c.bits);
    distance_ = distance_of(distance, c.bits >> used);
    c.drop(used + used_bits(distance));
  }
}

}  // namespace martlet::codec
