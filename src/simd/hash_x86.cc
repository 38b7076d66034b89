// SHA-256 by the SHA extensions of x86: Intel since Goldmont and Ice Lake, AMD since Zen. One instruction does two of the 64
// steps, two others most of the message schedule; what they want is the state in the order ABEF, CDGH. About 2 GB/s.
#include "simd/hash_sets.h"

#if MARTLET_SIMD_X86

#include <cpuid.h>
#include <immintrin.h>

#define MARTLET_SHA [[gnu::target("sha,sse4.1")]]

namespace martlet::simd {

namespace {

MARTLET_SHA inline __m128i load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }

// Four words of the message, whose bytes are big-endian.
MARTLET_SHA inline __m128i load_words(const uint8_t* p) {
  return _mm_shuffle_epi8(load(p), _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203));
}

// Words t to t + 3 of the schedule, from the 16 before them.
MARTLET_SHA inline __m128i next_words(__m128i back16, __m128i back12, __m128i back8, __m128i back4) {
  const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(back16, back12), _mm_alignr_epi8(back4, back8, 4));
  return _mm_sha256msg2_epu32(sum, back4);
}

MARTLET_SHA inline void four_steps(__m128i& abef, __m128i& cdgh, __m128i words, const uint32_t* rounds) {
  const __m128i addends = _mm_add_epi32(words, load(rounds));
  cdgh = _mm_sha256rnds2_epu32(cdgh, abef, addends);
  abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(addends, 0x0E));
}

MARTLET_SHA inline void one_block(__m128i& abef, __m128i& cdgh, const uint8_t* data) {
  __m128i w0 = load_words(data), w1 = load_words(data + 16), w2 = load_words(data + 32), w3 = load_words(data + 48);
  const uint32_t* rounds = sha256_rounds.of;
  four_steps(abef, cdgh, w0, rounds);
  four_steps(abef, cdgh, w1, rounds + 4);
  four_steps(abef, cdgh, w2, rounds + 8);
  four_steps(abef, cdgh, w3, rounds + 12);
  for (int i = 0; i < 3; i++) {
    rounds += 16;
    w0 = next_words(w0, w1, w2, w3);
    four_steps(abef, cdgh, w0, rounds);
    w1 = next_words(w1, w2, w3, w0);
    four_steps(abef, cdgh, w1, rounds + 4);
    w2 = next_words(w2, w3, w0, w1);
    four_steps(abef, cdgh, w2, rounds + 8);
    w3 = next_words(w3, w0, w1, w2);
    four_steps(abef, cdgh, w3, rounds + 12);
  }
}

MARTLET_SHA void sha256(uint32_t* state, const uint8_t* data, size_t blocks) {
  const __m128i badc = _mm_shuffle_epi32(load(state), 0xB1);
  const __m128i hgfe = _mm_shuffle_epi32(load(state + 4), 0x1B);
  __m128i abef = _mm_alignr_epi8(badc, hgfe, 8);
  __m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xF0);
  for (; blocks > 0; blocks--, data += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    one_block(abef, cdgh, data);
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

constexpr unsigned kSse41 = 1u << 19;  // leaf 1, ecx
constexpr unsigned kSha = 1u << 29;    // leaf 7, ebx

}  // namespace

// No state beyond SSE's, which every system saves.
bool cpu_has_x86_sha() noexcept {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kSse41)) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & kSha);
}

constexpr HashKernels hash_kernels_x86 = {"x86_sha", sha256};

}  // namespace martlet::simd

#endif
