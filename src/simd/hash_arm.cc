// SHA-256 by the instructions of AArch64's cryptographic extension, which nearly all of these CPUs have, the first Raspberry
// Pis with 64 bits being those that have not. One instruction does four of the 64 steps for half of the state.
#include "simd/hash_sets.h"

#if MARTLET_SIMD_ARM_SHA

#include <arm_neon.h>

#define MARTLET_SHA [[gnu::target("+sha2")]]

namespace martlet::simd {

namespace {

MARTLET_SHA inline uint32x4_t load_words(const uint8_t* p) { return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p))); }

// Words t to t + 3 of the schedule, from the 16 before them.
MARTLET_SHA inline uint32x4_t next_words(uint32x4_t back16, uint32x4_t back12, uint32x4_t back8, uint32x4_t back4) {
  return vsha256su1q_u32(vsha256su0q_u32(back16, back12), back8, back4);
}

MARTLET_SHA inline void four_steps(uint32x4_t& abcd, uint32x4_t& efgh, uint32x4_t words, const uint32_t* rounds) {
  const uint32x4_t addends = vaddq_u32(words, vld1q_u32(rounds));
  const uint32x4_t before = abcd;
  abcd = vsha256hq_u32(abcd, efgh, addends);
  efgh = vsha256h2q_u32(efgh, before, addends);
}

MARTLET_SHA inline void one_block(uint32x4_t& abcd, uint32x4_t& efgh, const uint8_t* data) {
  uint32x4_t w0 = load_words(data), w1 = load_words(data + 16), w2 = load_words(data + 32), w3 = load_words(data + 48);
  const uint32_t* rounds = sha256_rounds.of;
  four_steps(abcd, efgh, w0, rounds);
  four_steps(abcd, efgh, w1, rounds + 4);
  four_steps(abcd, efgh, w2, rounds + 8);
  four_steps(abcd, efgh, w3, rounds + 12);
  for (int i = 0; i < 3; i++) {
    rounds += 16;
    w0 = next_words(w0, w1, w2, w3);
    four_steps(abcd, efgh, w0, rounds);
    w1 = next_words(w1, w2, w3, w0);
    four_steps(abcd, efgh, w1, rounds + 4);
    w2 = next_words(w2, w3, w0, w1);
    four_steps(abcd, efgh, w2, rounds + 8);
    w3 = next_words(w3, w0, w1, w2);
    four_steps(abcd, efgh, w3, rounds + 12);
  }
}

MARTLET_SHA void sha256(uint32_t* state, const uint8_t* data, size_t blocks) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks > 0; blocks--, data += 64) {
    const uint32x4_t abcd_before = abcd, efgh_before = efgh;
    one_block(abcd, efgh, data);
    abcd = vaddq_u32(abcd, abcd_before);
    efgh = vaddq_u32(efgh, efgh_before);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

}  // namespace

constexpr HashKernels hash_kernels_arm = {"arm_sha", sha256};

}  // namespace martlet::simd

#endif
