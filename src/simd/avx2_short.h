// Unmasking inputs of 16 to 63 bytes on x86-64, for the AVX2 and the AVX-512 kernels: two vectors that overlap, both
// loaded before one is stored. AVX-512 does not use masked stores for it, because a later load that touches the 64
// bytes of one waits until it has left the store buffer; in a run of small messages that is each of them (measured:
// 9 ns against 3).
//
// Everything is `static` and carries a target attribute, as in ends.h.
#pragma once

#include <immintrin.h>

#include "simd/ends.h"

#define MARTLET_AVX2 __attribute__((target("avx2,bmi2")))
#define MARTLET_AVX2_INLINE __attribute__((target("avx2,bmi2"), always_inline)) static inline

namespace martlet::simd {

MARTLET_AVX2_INLINE __m128i load_xmm(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
MARTLET_AVX2_INLINE void store_xmm(uint8_t* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
MARTLET_AVX2_INLINE __m128i spread_xmm(uint32_t key) { return _mm_set1_epi32(static_cast<int>(key)); }
MARTLET_AVX2_INLINE uint32_t high_bits(__m128i v) { return static_cast<uint32_t>(_mm_movemask_epi8(v)); }

MARTLET_AVX2_INLINE __m256i load_ymm(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
MARTLET_AVX2_INLINE void store_ymm(uint8_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
MARTLET_AVX2_INLINE __m256i spread_ymm(uint32_t key) { return _mm256_set1_epi32(static_cast<int>(key)); }
MARTLET_AVX2_INLINE uint32_t high_bits(__m256i v) { return static_cast<uint32_t>(_mm256_movemask_epi8(v)); }

// Unmasks 16 to 64 bytes. Whether there is a byte over 7F among them.
MARTLET_AVX2_INLINE bool unmask_medium(uint8_t* data, size_t size, uint32_t key) {
  const uint32_t end_key = rotate_key(key, size);
  if (size < 32) {
    uint8_t* const tail = data + size - 16;
    const __m128i first = _mm_xor_si128(load_xmm(data), spread_xmm(key));
    const __m128i last = _mm_xor_si128(load_xmm(tail), spread_xmm(end_key));
    store_xmm(data, first);
    store_xmm(tail, last);
    return high_bits(_mm_or_si128(first, last)) != 0;
  }
  uint8_t* const tail = data + size - 32;
  const __m256i first = _mm256_xor_si256(load_ymm(data), spread_ymm(key));
  const __m256i last = _mm256_xor_si256(load_ymm(tail), spread_ymm(end_key));
  store_ymm(data, first);
  store_ymm(tail, last);
  return high_bits(_mm256_or_si256(first, last)) != 0;
}

}  // namespace martlet::simd
