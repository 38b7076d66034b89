// What the vector sets of the JSON kernels share: from the classes of 64 bytes, one bitmap each, to the bytes at which
// a parser stops, and short texts that no vector fits. Little-endian machines only.
//
// Everything here is `static` and becomes part of its caller (ends.h says why).
#pragma once

#include <bit>

#include "simd/ends.h"
#include "simd/json_sets.h"

#define MARTLET_JSON_INLINE __attribute__((always_inline)) static inline

namespace martlet::simd {

// The classes of a block; bit i is byte i. Nothing else looks at its bytes.
struct JsonBlock {
  uint64_t quote;
  uint64_t backslash;
  uint64_t structural;
  uint64_t space;
  uint64_t control;
};

// The block of `size` < 64 bytes: what lies past its end counts as spaces.
MARTLET_JSON_INLINE JsonBlock json_until(JsonBlock b, size_t size) {
  const uint64_t past_end = ~uint64_t{0} << size;
  return {b.quote & ~past_end, b.backslash & ~past_end, b.structural & ~past_end, b.space | past_end,
          b.control & ~past_end};
}

// The block of the last `rest` < 64 bytes, from the 64 that end with them.
MARTLET_JSON_INLINE JsonBlock json_rest(JsonBlock last, size_t rest) {
  const size_t before = 64 - rest;
  return {last.quote >> before, last.backslash >> before, last.structural >> before,
          last.space >> before | ~uint64_t{0} << rest, last.control >> before};
}

// The 64 bytes from data + at on. If that is past the end they are the last 64 bytes; if there are not as many, a copy.
MARTLET_JSON_INLINE const uint8_t* json_block_at(const uint8_t* data, size_t size, size_t at, uint8_t (&copy)[64]) {
  if (at + 64 <= size) return data + at;
  if (size >= 64) return data + size - 64;
  __builtin_memset(copy, 0, 64);
  __builtin_memcpy(copy, data, size);
  return copy;
}

// The classes of the `here` bytes from data + at on, from those of json_block_at().
MARTLET_JSON_INLINE JsonBlock json_block_of(JsonBlock b, size_t size, size_t here) {
  if (here == 64) return b;
  return size >= 64 ? json_rest(b, here) : json_until(b, here);
}

// One block from two that overlap, the second of which begins at byte `at`.
MARTLET_JSON_INLINE JsonBlock json_join(JsonBlock a, JsonBlock b, size_t at) {
  return {a.quote | b.quote << at, a.backslash | b.backslash << at, a.structural | b.structural << at,
          a.space | b.space << at, a.control | b.control << at};
}

// The backslashes of a block that begin an escape, were all of them inside strings. In a run of backslashes that is
// every other one, from its first on. Adding the first bit of a run clears the run and carries to the bit behind it.
MARTLET_JSON_INLINE uint64_t json_escapes(uint64_t backslash, uint64_t first_is_escaped) {
  constexpr uint64_t kEven = 0x5555555555555555u;
  const uint64_t runs = backslash & ~first_is_escaped;
  const uint64_t first = runs & ~(runs << 1);
  const uint64_t from_even = runs & ~(runs + (first & kEven));  // the runs whose first bit is an even one
  return runs & (from_even ^ ~kEven);
}

// Bit i is the XOR of all bits up to i.
MARTLET_JSON_INLINE uint64_t json_prefix_xor(uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

// A block is looked at in two steps. Between them the set finds, for each byte, whether the number of quotes up to it
// is odd (json_prefix_xor or a better way). The first step:
struct JsonQuotes {
  uint64_t escape;   // backslashes that begin an escape
  uint64_t escaped;  // what they escape
  uint64_t quote;    // quotes that begin or end a string
};

MARTLET_JSON_INLINE JsonQuotes json_quotes(const JsonIndexState& state, const JsonBlock& b) {
  if ((b.backslash | state.escaped) == 0) return {0, 0, b.quote};
  const uint64_t escape = json_escapes(b.backslash, state.escaped);
  const uint64_t escaped = escape << 1 | state.escaped;
  return {escape, escaped, b.quote & ~escaped};
}

// The second. False, and nothing has changed, if a backslash stands outside strings: json_quotes() was wrong to count
// it then. If none does it was right, as can be seen byte by byte: what is right up to a byte makes that byte right.
MARTLET_JSON_INLINE bool json_entries(JsonIndexState* state, const JsonBlock& b, const JsonQuotes& q, uint64_t odd,
                                      size_t size, uint64_t* entries) {
  const uint64_t in_string = odd ^ state->in_string;  // an opening quote is, a closing one is not
  if (b.backslash & ~in_string) return false;
  const uint64_t outside = ~(in_string | q.quote);
  const uint64_t scalar = outside & ~(b.structural | b.space);
  *entries = q.quote | q.escape | (b.structural & outside) | (scalar & ~(scalar << 1 | state->in_scalar)) |
             (b.control & in_string & ~q.escaped);
  state->in_string = static_cast<uint64_t>(static_cast<int64_t>(in_string) >> 63);
  state->escaped = q.escape >> (size - 1) & 1;
  state->in_scalar = scalar >> (size - 1) & 1;
  return true;
}

// 1 to 15 bytes as they lie in memory, zeros behind them.
struct JsonShort {
  uint64_t low, high;
};

MARTLET_JSON_INLINE JsonShort json_load_short(const uint8_t* p, size_t size) {
  if (size > 8) return {load64(p), load64(p + size - 8) >> 8 * (16 - size)};
  if (size == 8) return {load64(p), 0};
  if (size >= 4) return {load32(p) | uint64_t{load32(p + size - 4)} << 8 * (size - 4), 0};
  return {p[0] | uint64_t{p[size / 2]} << 8 * (size / 2) | uint64_t{p[size - 1]} << 8 * (size - 1), 0};
}

// copy_plain for less than 16 bytes. Two words that may overlap are both loaded before one is stored.
MARTLET_JSON_INLINE size_t json_copy_short(uint8_t* to, const uint8_t* from, size_t size) {
  if (size >= 8) {
    const uint64_t first = load64(from);
    const uint64_t last = load64(from + size - 8);
    __builtin_memcpy(to, &first, 8);
    __builtin_memcpy(to + size - 8, &last, 8);
    if (const uint64_t stop = json_not_plain(first)) return static_cast<size_t>(std::countr_zero(stop)) / 8;
    const uint64_t stop = json_not_plain(last);
    return stop ? size - 8 + static_cast<size_t>(std::countr_zero(stop)) / 8 : size;
  }
  size_t i = 0;
  for (; i < size && (json_classes.of[from[i]] & kJsonNotPlain) == 0; i++) to[i] = from[i];
  return i;
}

}  // namespace martlet::simd
