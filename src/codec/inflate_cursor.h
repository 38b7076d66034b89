// What a call of Inflate::run() moves along: the input with its bit buffer, and the output with what can be referred to.
//
// `bits` holds at least `left` bits that were read, the next one lowest; above them there may be bits of the bytes that
// `in` points at, never anything else, so that reading those bytes again changes nothing.
#pragma once

#include <cstring>

#include "codec/inflate.h"
#include "codec/inflate_codes.h"

namespace martlet::codec {

struct InflateCursor {
  const uint8_t* in;
  const uint8_t* in_end;
  const uint8_t* begin;
  uint8_t* out;
  uint8_t* out_end;
  const InflateHistory* history;
  const uint8_t* summed;  // how far the output is in the checksum
  uint64_t bits;
  unsigned left;  // at most 63

  size_t room() const noexcept { return static_cast<size_t>(out_end - out); }
  size_t unread() const noexcept { return static_cast<size_t>(in_end - in); }
  size_t behind() const noexcept { return static_cast<size_t>(out - begin); }

  // Reads until there are 56 bits or the input ends. A symbol with all that belongs to it takes 48.
  void fill() noexcept {
    if (unread() >= 8) {
      bits |= base::load_le64(in) << left;
      in += (63 - left) >> 3;
      left |= 56;
      return;
    }
    for (; left < 56 && in < in_end; left += 8) bits |= uint64_t{*in++} << left;
  }
  // Whether there are n bits, at most 32; all input has been read when there are not.
  bool need(unsigned n) noexcept {
    if (left < n) fill();
    return left >= n;
  }
  void drop(unsigned n) noexcept {
    bits >>= n;
    left -= n;
  }
  uint32_t take(unsigned n) noexcept {
    const uint32_t value = static_cast<uint32_t>(bits & ((uint64_t{1} << n) - 1));
    drop(n);
    return value;
  }
  void align() noexcept { drop(left & 7); }

  // Whole bytes that were read too early go back to the input, as far as they are of this call's.
  void unread_bytes(const uint8_t* in_begin) noexcept {
    const size_t taken = static_cast<size_t>(in - in_begin);
    const size_t whole = left >> 3;
    const size_t back = whole < taken ? whole : taken;
    in -= back;
    left -= static_cast<unsigned>(back * 8);
  }

  // Whether there is output that far back.
  bool reaches(size_t distance) const noexcept {
    return distance <= behind() || (history && distance - behind() <= history->filled);
  }
  // Copies `length` bytes from `distance` back, which is there, to where there is room for them. Writes nothing else.
  void copy(size_t distance, size_t length) noexcept;
};

// Copies from the ring what of a match is there, `back` >= length bytes back.
void read_history(const InflateHistory& history, size_t back, uint8_t* out, size_t length) noexcept;

// Decodes symbols as long as neither the input nor the output is near its end, and stops before what is rare: an end of
// block, a code that is none, a match that does not fit. A match that was read but not copied is left in `length` and
// `distance`; `length` is 0 when there is none. The answer is the cause of an error, or null.
struct InflateMatch {
  uint32_t length = 0;
  uint32_t distance = 0;
};
const char* inflate_fast(InflateCursor& cursor, const InflateCodes& codes, InflateMatch& match) noexcept;

// What inflate_fast() wants in front of it at least. Before it looks again it reads eight bytes twice, the second time up to
// seven further, and writes four literals.
inline constexpr size_t kInflateFastInput = 15;
inline constexpr size_t kInflateFastOutput = 4;

inline bool can_inflate_fast(const InflateCursor& c) noexcept {
  return c.unread() >= kInflateFastInput && c.room() >= kInflateFastOutput;
}

// Errors that are found in more than one place.
const char* cause_of_distance(CodeEntry entry) noexcept;
inline constexpr char kBeyondOutput[] = "A distance beyond the start of the output.";

}  // namespace martlet::codec
