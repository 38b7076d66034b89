// The kernels for little-endian AArch64, where NEON is the baseline. The shapes are those of the AVX2 set in vectors
// of 16 bytes: ends that overlap, loaded before the loop and stored after it; text in steps of 64 bytes.
#include "simd/ends.h"
#include "simd/sets.h"

#if MARTLET_SIMD_NEON

#include <arm_neon.h>

namespace martlet::simd {

namespace {

constexpr size_t kVector = 16;
constexpr size_t kStep = 4 * kVector;

inline uint8x16_t spread(uint32_t key) { return vreinterpretq_u8_u32(vdupq_n_u32(key)); }
inline bool has_non_ascii(uint8x16_t v) { return vmaxvq_u8(v) >= 0x80; }

inline uint8x16_t any_of(const uint8x16_t (&v)[4]) { return vorrq_u8(vorrq_u8(v[0], v[1]), vorrq_u8(v[2], v[3])); }

// Unmasks 16 to 31 bytes. Whether there is a byte over 7F among them.
inline bool unmask_medium(uint8_t* data, size_t size, uint32_t key) {
  uint8_t* const tail = data + size - kVector;
  const uint8x16_t first = veorq_u8(vld1q_u8(data), spread(key));
  const uint8x16_t last = veorq_u8(vld1q_u8(tail), spread(rotate_key(key, size)));
  vst1q_u8(data, first);
  vst1q_u8(tail, last);
  return has_non_ascii(vorrq_u8(first, last));
}

void unmask(uint8_t* data, size_t size, uint32_t key) {
  if (size < kVector) {
    unmask_short(data, size, key);
    return;
  }
  const uint8x16_t k = spread(key);
  uint8_t* const tail = data + size - kVector;  // overlaps the loop: loaded before it, stored after it
  const uint8x16_t last = veorq_u8(vld1q_u8(tail), spread(rotate_key(key, size)));
  for (; size >= kStep; data += kStep, size -= kStep) {
    for (size_t i = 0; i < kStep; i += kVector) vst1q_u8(data + i, veorq_u8(vld1q_u8(data + i), k));
  }
  for (; size >= kVector; data += kVector, size -= kVector) vst1q_u8(data, veorq_u8(vld1q_u8(data), k));
  vst1q_u8(tail, last);
}

// The vector check: the tables, what came before, and the errors so far.
struct Check {
  uint8x16_t first_high, first_low, second_high;
  uint8x16_t before;  // the 16 bytes before the next ones
  uint8x16_t errors;
};

inline Check begin_check() {
  return {vld1q_u8(utf8_nibbles.first_high), vld1q_u8(utf8_nibbles.first_low), vld1q_u8(utf8_nibbles.second_high),
          vdupq_n_u8(0), vdupq_n_u8(0)};
}

inline void check(Check& c, uint8x16_t text) {
  const uint8x16_t back1 = vextq_u8(c.before, text, 15);
  const uint8x16_t back2 = vextq_u8(c.before, text, 14);
  const uint8x16_t back3 = vextq_u8(c.before, text, 13);
  const uint8x16_t pair = vandq_u8(vandq_u8(vqtbl1q_u8(c.first_high, vshrq_n_u8(back1, 4)),
                                            vqtbl1q_u8(c.first_low, vandq_u8(back1, vdupq_n_u8(0x0F)))),
                                   vqtbl1q_u8(c.second_high, vshrq_n_u8(text, 4)));
  // Bit 7 where a third or fourth byte must stand: two back is E0 and above, or three back is F0 and above.
  const uint8x16_t inside =
      vorrq_u8(vqsubq_u8(back2, vdupq_n_u8(0xE0 - 0x80)), vqsubq_u8(back3, vdupq_n_u8(0xF0 - 0x80)));
  c.errors = vorrq_u8(c.errors, veorq_u8(vandq_u8(inside, vdupq_n_u8(0x80)), pair));
  c.before = text;
}

// What check() finds in ASCII: a character that the bytes before left open.
inline void check_ascii(Check& c) {
  static constexpr uint8_t kClosed[kVector] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                               0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0xDF, 0xBF};
  c.errors = vorrq_u8(c.errors, vqsubq_u8(c.before, vld1q_u8(kClosed)));
  c.before = vdupq_n_u8(0);  // as good as the text: nothing is open
}

// Unmasks (unless only checking) and checks 32 bytes and more that begin at a boundary between characters.
template <bool kUnmask>
uint32_t check_long(uint8_t* data, size_t size, uint32_t key) {
  const uint8x16_t k = spread(key);
  uint8_t* const tail = data + size - kVector;
  const uint32_t end_key = rotate_key(key, size);
  const uint8x16_t before_tail = veorq_u8(vld1q_u8(tail - kVector), spread(end_key));
  const uint8x16_t last = veorq_u8(vld1q_u8(tail), spread(end_key));
  const uint32_t last_four = load32(tail + kVector - 4) ^ end_key;
  Check c = begin_check();
  for (; size >= kStep; data += kStep, size -= kStep) {
    uint8x16_t text[4];
    for (size_t i = 0; i < 4; i++) {
      text[i] = veorq_u8(vld1q_u8(data + i * kVector), k);
      if (kUnmask) vst1q_u8(data + i * kVector, text[i]);
    }
    if (has_non_ascii(any_of(text))) {
      for (const uint8x16_t& part : text) check(c, part);
    } else {
      check_ascii(c);
    }
  }
  for (; size >= kVector; data += kVector, size -= kVector) {
    const uint8x16_t text = veorq_u8(vld1q_u8(data), k);
    if (kUnmask) vst1q_u8(data, text);
    check(c, text);
  }
  if (kUnmask) vst1q_u8(tail, last);
  c.before = before_tail;
  check(c, last);
  if (vmaxvq_u8(c.errors) != 0) return kReject;
  return utf8_state_at_end(last_four);
}

bool validate_utf8(Utf8State* state, const uint8_t* data, size_t size) {
  uint32_t dfa = state->dfa;
  if (dfa != kBoundary) {
    const size_t taken = utf8_finish_open(&dfa, const_cast<uint8_t*>(data), size, 0);
    if (dfa != kBoundary) return utf8_answer(state, dfa);
    data += taken;
    size -= taken;
  }
  if (size >= 2 * kVector) return utf8_answer(state, check_long<false>(const_cast<uint8_t*>(data), size, 0));
  const bool ascii = size < kVector ? is_ascii(gather_short(data, size))
                                    : !has_non_ascii(vorrq_u8(vld1q_u8(data), vld1q_u8(data + size - kVector)));
  return utf8_answer(state, ascii ? uint32_t{kBoundary} : utf8_run(kBoundary, data, size));
}

bool unmask_validate(Utf8State* state, uint8_t* data, size_t size, uint32_t key) {
  uint32_t dfa = state->dfa;
  if (dfa != kBoundary) {
    const size_t taken = utf8_finish_open(&dfa, data, size, key);
    if (dfa != kBoundary) return utf8_answer(state, dfa);
    data += taken;
    size -= taken;
    key = rotate_key(key, taken);
  }
  if (size >= 2 * kVector) return utf8_answer(state, check_long<true>(data, size, key));
  const bool ascii = size < kVector ? is_ascii(unmask_short(data, size, key)) : !unmask_medium(data, size, key);
  return utf8_answer(state, ascii ? uint32_t{kBoundary} : utf8_run(kBoundary, data, size));
}

// One bit of each byte of four vectors that hold 00 or FF.
inline uint64_t bitmap(const uint8x16_t (&v)[4]) {
  static constexpr uint8_t kBits[kVector] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bits = vld1q_u8(kBits);
  const uint8x16_t low = vpaddq_u8(vandq_u8(v[0], bits), vandq_u8(v[1], bits));
  const uint8x16_t high = vpaddq_u8(vandq_u8(v[2], bits), vandq_u8(v[3], bits));
  const uint8x16_t sums = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
}

HeadBits classify_block(const uint8_t* data) {
  const uint8x16_t token = vld1q_u8(head_nibbles.token);
  const uint8x16_t control = vld1q_u8(head_nibbles.control);
  const uint8x16_t by_high = vld1q_u8(head_nibbles.high_bits);
  uint8x16_t not_value[4];
  uint8x16_t tokens[4];
  for (size_t i = 0; i < 4; i++) {
    const uint8x16_t bytes = vld1q_u8(data + i * kVector);
    const uint8x16_t low = vandq_u8(bytes, vdupq_n_u8(0x0F));
    const uint8x16_t high = vqtbl1q_u8(by_high, vshrq_n_u8(bytes, 4));
    not_value[i] = vtstq_u8(vqtbl1q_u8(control, low), high);
    tokens[i] = vtstq_u8(vqtbl1q_u8(token, low), high);
  }
  return {bitmap(not_value), ~bitmap(tokens)};
}

void classify_head(const uint8_t* data, size_t size, HeadBits* out) {
  if (size >= 64) {
    for (; size >= 64; data += 64, size -= 64) *out++ = classify_block(data);
    if (size > 0) *out = head_rest(classify_block(data + size - 64), size);
  } else if (size > 0) {
    alignas(kVector) uint8_t block[64] = {};
    __builtin_memcpy(block, data, size);
    *out = head_until(classify_block(block), size);
  }
}

}  // namespace

constexpr Kernels kernels_neon{"neon", unmask, validate_utf8, unmask_validate, classify_head};

}  // namespace martlet::simd

#endif
