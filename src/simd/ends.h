// What all sets of kernels share: tables (in tables.cc), the automaton of UTF-8, and short or ragged ends that no
// vector fits.
//
// Everything here is `static`: each kernel file compiles a copy of its own, so the linker can never give one file the
// code that another compiled for a wider CPU.
//
// The automaton is a table of 64-bit words, one per byte, that hold the next state of each state in six bits at the
// position of the state: a state is a shift count, and a step is one load and one shift (after Per Vognsen).
#pragma once

#include "simd/kernels.h"

namespace martlet::simd {

// The states, multiples of six. kBoundary must be 0 (Utf8State). kReject leads only to itself.
enum : uint32_t {
  kBoundary = 0,
  kOneMore = 6,     // one continuation byte is missing
  kTwoMore = 12,    // two
  kThreeMore = 18,  // three
  kAfterE0 = 24,    // two, the first A0..BF: else overlong
  kAfterED = 30,    // two, the first 80..9F: else a surrogate
  kAfterF0 = 36,    // three, the first 90..BF: else overlong
  kAfterF4 = 42,    // three, the first 80..8F: else above U+10FFFF
  kReject = 48,
};

struct Utf8Steps {
  uint64_t of[256];
};
extern const Utf8Steps utf8_steps;

// The tables of the vector check (Keiser & Lemire, "Validating UTF-8 in less than one instruction per byte", 2020).
// Each names the kinds of error that a nibble allows; what all three allow is one. kTwoContinuations is not always
// an error: the third and fourth bytes of a character must have it, and only they.
struct alignas(16) Utf8Nibbles {
  uint8_t first_high[16];   // by the high nibble of a byte
  uint8_t first_low[16];    // by its low nibble
  uint8_t second_high[16];  // by the high nibble of the byte after it
};
extern const Utf8Nibbles utf8_nibbles;

// The classes of bytes for classify_head.
enum : uint8_t { kHeadControl = 1, kHeadNotToken = 2 };
struct alignas(64) HeadClasses {
  uint8_t of[256];
};
extern const HeadClasses head_classes;

// The same by low nibble: bit h is set when the byte (h << 4 | low) belongs. No byte from 0x80 on belongs.
struct alignas(16) HeadNibbles {
  uint8_t token[16];      // is a tchar
  uint8_t control[16];    // must not stand in a field value
  uint8_t high_bits[16];  // by high nibble: 1 << h, or 0 from 0x80 on
};
extern const HeadNibbles head_nibbles;

static inline uint64_t load64(const uint8_t* p) {
  uint64_t v;
  __builtin_memcpy(&v, p, 8);
  return v;
}

static inline uint32_t load32(const uint8_t* p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}

static inline bool is_ascii(uint64_t bytes) { return (bytes & 0x8080808080808080u) == 0; }

static inline uint32_t utf8_step(uint32_t state, uint8_t byte) {
  return static_cast<uint32_t>(utf8_steps.of[byte] >> (state & 63)) & 63;
}

static inline uint32_t utf8_run(uint32_t state, const uint8_t* p, size_t size) {
  for (size_t i = 0; i < size; i++) state = utf8_step(state, p[i]);
  return state;
}

// Stores where the stream stands; the answer of validate_utf8.
static inline bool utf8_answer(Utf8State* state, uint32_t dfa) {
  state->dfa = dfa;
  return dfa != kReject;
}

// The state after text whose every complete character is known to be good. `last` is its last four bytes as they lie
// in memory of a little-endian machine. Only an unfinished character at the end decides: at most three bytes.
static inline uint32_t utf8_state_at_end(uint32_t last) {
  if (last < 0x80000000u) return kBoundary;
  size_t open = 0;
  if (last >= 0xC0000000u) {
    open = 1;
  } else if ((last >> 16 & 0xFF) >= 0xE0) {
    open = 2;
  } else if ((last >> 8 & 0xFF) >= 0xF0) {
    open = 3;
  }
  uint32_t dfa = kBoundary;
  for (; open > 0; open--) dfa = utf8_step(dfa, static_cast<uint8_t>(last >> (32 - 8 * open)));
  return dfa;
}

static inline uint64_t twice(uint32_t key) { return static_cast<uint64_t>(key) << 32 | key; }

// unmask for less than 16 bytes. Returns the OR of what it wrote, for is_ascii(). From four bytes on, two words that
// may overlap are both loaded before one is stored.
static inline uint64_t unmask_short(uint8_t* p, size_t size, uint32_t key) {
  if (size >= 8) {
    const uint64_t first = load64(p) ^ twice(key);
    const uint64_t last = load64(p + size - 8) ^ twice(rotate_key(key, size));
    __builtin_memcpy(p, &first, 8);
    __builtin_memcpy(p + size - 8, &last, 8);
    return first | last;
  }
  if (size >= 4) {
    const uint32_t first = load32(p) ^ key;
    const uint32_t last = load32(p + size - 4) ^ rotate_key(key, size);
    __builtin_memcpy(p, &first, 4);
    __builtin_memcpy(p + size - 4, &last, 4);
    return first | last;
  }
  uint8_t k[4];
  __builtin_memcpy(k, &key, 4);
  uint8_t all = 0;
  for (size_t i = 0; i < size; i++) all |= p[i] ^= k[i];
  return all;
}

// The OR of less than 16 bytes, for is_ascii().
static inline uint64_t gather_short(const uint8_t* p, size_t size) {
  if (size >= 8) return load64(p) | load64(p + size - 8);
  if (size >= 4) return load32(p) | load32(p + size - 4);
  uint8_t all = 0;
  for (size_t i = 0; i < size; i++) all |= p[i];
  return all;
}

// Finishes the character that an earlier chunk left open, unmasking its bytes. How many bytes that took; fewer than
// `size` only when the state is kBoundary or kReject.
static inline size_t utf8_finish_open(uint32_t* dfa, uint8_t* p, size_t size, uint32_t key) {
  uint8_t k[4];
  __builtin_memcpy(k, &key, 4);
  size_t i = 0;
  for (; i < size && *dfa != kBoundary && *dfa != kReject; i++) {
    if (key) p[i] ^= k[i & 3];
    *dfa = utf8_step(*dfa, p[i]);
  }
  return i;
}

// The bitmaps of a block that ends after `size` < 64 bytes: what lies past its end is set.
static inline HeadBits head_until(HeadBits bits, size_t size) {
  const uint64_t past_end = ~uint64_t{0} << size;
  return {bits.not_value | past_end, bits.not_token | past_end};
}

// The bitmaps of the last `rest` < 64 bytes, from those of the 64 bytes that end with them.
static inline HeadBits head_rest(HeadBits last, size_t rest) {
  return head_until({last.not_value >> (64 - rest), last.not_token >> (64 - rest)}, rest);
}

}  // namespace martlet::simd
