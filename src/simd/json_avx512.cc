// The JSON kernels for x86-64 with AVX-512 F, BW, VL, VBMI and VBMI2 (Ice Lake, Zen 4 and later). A block is one
// vector, its classes are masks, and the places of the bits of a mask are the numbers 0 to 63 compressed by it.
//
// All functions carry the target attribute, so nothing compiled for AVX-512 can reach another file.
#include "simd/json_blocks.h"

#if MARTLET_SIMD_X86

#include "simd/avx2_short.h"

// GCC 12 reports the deliberately undefined pass-through operand inside its own intrinsics (GCC PR 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#define MARTLET_JSON_AVX512_TARGET target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt,pclmul")
#define MARTLET_JSON_AVX512 __attribute__((MARTLET_JSON_AVX512_TARGET))
#define MARTLET_JSON_AVX512_INLINE __attribute__((MARTLET_JSON_AVX512_TARGET, always_inline)) inline

namespace martlet::simd {

namespace {

constexpr size_t kVector = 64;

MARTLET_JSON_AVX512_INLINE __mmask64 first_bytes(size_t n) { return _bzhi_u64(~uint64_t{0}, static_cast<unsigned>(n)); }

MARTLET_JSON_AVX512_INLINE __mmask64 equal(__m512i bytes, char c) {
  return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(c));
}

MARTLET_JSON_AVX512_INLINE __mmask64 is_control(__m512i bytes) {
  return _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
}

MARTLET_JSON_AVX512_INLINE __m512i four_times(char b0, char b9, char bA, char bB, char bC, char bD) {
  return _mm512_broadcast_i32x4(_mm_setr_epi8(b0, 0, 0, 0, 0, 0, 0, 0, 0, b9, bA, bB, bC, bD, 0, 0));
}

MARTLET_JSON_AVX512_INLINE JsonBlock classify(__m512i bytes) {
  // vpshufb gives 0 for an index over 7F. Where the table has 0, no byte equals it: that of index 0 has the space.
  const __m512i space = _mm512_shuffle_epi8(four_times(' ', '\t', '\n', 0, 0, '\r'), bytes);
  const __m512i structural = _mm512_shuffle_epi8(four_times(0, 0, ':', '{', ',', '}'), bytes);
  // '[' and ']' become '{' and '}'; two control characters become ',' and ':' and are taken out again.
  const __m512i folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
  const __mmask64 control = is_control(bytes);
  return {equal(bytes, '"'), equal(bytes, '\\'), _mm512_cmpeq_epi8_mask(structural, folded) & ~control,
          _mm512_cmpeq_epi8_mask(space, bytes), control};
}

// Bit i is the XOR of all bits up to i: a carry-less product with all ones.
MARTLET_JSON_AVX512_INLINE uint64_t prefix_xor(uint64_t bits) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(bits)), _mm_set1_epi8(-1), 0);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(product));
}

MARTLET_JSON_AVX512_INLINE uint16_t* flatten(uint64_t bits, size_t at, uint16_t* out) {
  alignas(kVector) static constexpr uint8_t kCount[kVector] = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
      22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
      44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  const __m512i places = _mm512_maskz_compress_epi8(bits, _mm512_load_si512(kCount));
  const __m512i base = _mm512_set1_epi16(static_cast<short>(at));
  const __m512i low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(places));
  _mm512_storeu_si512(out, _mm512_add_epi16(low, base));
  const int64_t count = _mm_popcnt_u64(bits);
  if (count > 32) {
    const __m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(places, 1));
    _mm512_storeu_si512(out + 32, _mm512_add_epi16(high, base));
  }
  return out + count;
}

MARTLET_JSON_AVX512 JsonIndexed index(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out) {
  JsonIndexState s = *state;
  __m512i all = _mm512_setzero_si512();
  uint16_t* to = out;
  for (size_t at = 0; at < size; at += 64) {
    const size_t here = size - at < 64 ? size - at : 64;
    // What the mask leaves out is not read and cannot fault.
    const __m512i bytes = _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), first_bytes(here), data + at);
    all = _mm512_or_si512(all, bytes);
    const JsonBlock b = classify(bytes);
    const JsonQuotes q = json_quotes(s, b);
    uint64_t entries;
    if (json_entries(&s, b, q, prefix_xor(q.quote), here, &entries)) {
      to = flatten(entries, at, to);
    } else {
      *state = s;
      to = json_index_scalar(state, data, at, here, to);
      s = *state;
    }
  }
  *state = s;
  return {static_cast<uint32_t>(to - out), _mm512_movepi8_mask(all) == 0};
}

MARTLET_JSON_AVX512_INLINE uint64_t not_plain(__m512i bytes) {
  return is_control(bytes) | equal(bytes, '"') | equal(bytes, '\\');
}

MARTLET_JSON_AVX512_INLINE uint32_t not_plain(__m256i bytes) {
  return _mm256_cmplt_epu8_mask(bytes, _mm256_set1_epi8(0x20)) | _mm256_cmpeq_epi8_mask(bytes, _mm256_set1_epi8('"')) |
         _mm256_cmpeq_epi8_mask(bytes, _mm256_set1_epi8('\\'));
}

// copy_plain for 16 to 63 bytes. Both vectors, which may overlap, are loaded before one is stored.
MARTLET_JSON_AVX512_INLINE size_t copy_medium(uint8_t* to, const uint8_t* from, size_t size) {
  if (size < 32) {
    const __m128i first = load_xmm(from);
    const __m128i last = load_xmm(from + size - 16);
    store_xmm(to, first);
    store_xmm(to + size - 16, last);
    const size_t at = _tzcnt_u32(not_plain(_mm256_set_m128i(last, first)));
    return at < 16 ? at : size - 32 + at;
  }
  const __m256i first = load_ymm(from);
  const __m256i last = load_ymm(from + size - 32);
  store_ymm(to, first);
  store_ymm(to + size - 32, last);
  const size_t at = _tzcnt_u32(not_plain(first));
  return at < 32 ? at : size - 32 + _tzcnt_u32(not_plain(last));
}

MARTLET_JSON_AVX512 size_t copy_plain(uint8_t* to, const uint8_t* from, size_t size) {
  if (size < 16) return json_copy_short(to, from, size);
  if (size < kVector) return copy_medium(to, from, size);
  for (size_t at = 0;; at += kVector) {
    if (at + kVector > size) at = size - kVector;  // the last overlaps the one before it
    const __m512i bytes = _mm512_loadu_si512(from + at);
    _mm512_storeu_si512(to + at, bytes);
    if (const uint64_t stop = not_plain(bytes)) return at + _tzcnt_u64(stop);
    if (at + kVector == size) return size;
  }
}

}  // namespace

constexpr JsonKernels json_kernels_avx512{"avx512", index, copy_plain};

}  // namespace martlet::simd

#endif
