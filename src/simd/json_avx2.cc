// The JSON kernels for x86-64 with AVX2 (and BMI1, BMI2, POPCNT, PCLMUL, which all such CPUs have). The classes come
// from a shuffle by the low nibble: it yields the one byte of a class that has this nibble, to compare with the byte.
//
// All functions carry the target attribute, so nothing compiled for AVX2 can reach another file.
#include "simd/json_blocks.h"

#if MARTLET_SIMD_X86

#include "simd/avx2_short.h"

#define MARTLET_JSON_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,pclmul")))
#define MARTLET_JSON_AVX2_INLINE __attribute__((target("avx2,bmi,bmi2,popcnt,pclmul"), always_inline)) inline

namespace martlet::simd {

namespace {

constexpr size_t kVector = 32;

MARTLET_JSON_AVX2_INLINE __m256i equal(__m256i bytes, char c) { return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(c)); }
MARTLET_JSON_AVX2_INLINE __m256i either(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }

MARTLET_JSON_AVX2_INLINE __m256i is_control(__m256i bytes) {
  return _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1F)), bytes);
}

MARTLET_JSON_AVX2_INLINE JsonBlock classify(__m256i bytes) {
  // vpshufb gives 0 for an index over 7F. Where the table has 0, no byte equals it: that of index 0 has the space.
  const __m256i space_of = _mm256_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0,  //
                                            ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0);
  const __m256i structural_of = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0,  //
                                                 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0);
  // '[' and ']' become '{' and '}'; two control characters become ',' and ':' and are taken out again.
  const __m256i folded = either(bytes, _mm256_set1_epi8(0x20));
  const uint32_t control = high_bits(is_control(bytes));
  const uint32_t structural = high_bits(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(structural_of, bytes), folded));
  return {high_bits(equal(bytes, '"')), high_bits(equal(bytes, '\\')), structural & ~control,
          high_bits(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(space_of, bytes), bytes)), control};
}

// 64 bytes, or 32 to 63 whose second half overlaps the first; `at` is where it begins.
MARTLET_JSON_AVX2_INLINE JsonBlock classify_two(const uint8_t* data, size_t at, __m256i& all) {
  const __m256i first = load_ymm(data);
  const __m256i second = load_ymm(data + at);
  all = either(all, either(first, second));
  return json_join(classify(first), classify(second), at);
}

MARTLET_JSON_AVX2_INLINE JsonBlock classify_block(const uint8_t* data, __m256i& all) {
  return classify_two(data, kVector, all);
}

// The last `rest` < 64 bytes of `size`.
MARTLET_JSON_AVX2 JsonBlock classify_rest(const uint8_t* data, size_t size, size_t rest, __m256i& all) {
  if (size >= 64) return json_rest(classify_two(data + size - 64, kVector, all), rest);
  if (size >= kVector) return json_until(classify_two(data, size - kVector, all), size);
  if (size >= 16) {
    all = _mm256_set_m128i(load_xmm(data + size - 16), load_xmm(data));
    const JsonBlock b = classify(all);
    const uint64_t low = 0xFFFF;
    return json_until(
        json_join({b.quote & low, b.backslash & low, b.structural & low, b.space & low, b.control & low},
                  {b.quote >> 16, b.backslash >> 16, b.structural >> 16, b.space >> 16, b.control >> 16}, size - 16),
        size);
  }
  const JsonShort text = json_load_short(data, size);
  all = _mm256_set_epi64x(0, 0, static_cast<long long>(text.high), static_cast<long long>(text.low));
  return json_until(classify(all), size);
}

// Bit i is the XOR of all bits up to i: a carry-less product with all ones.
MARTLET_JSON_AVX2_INLINE uint64_t prefix_xor(uint64_t bits) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(bits)), _mm_set1_epi8(-1), 0);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(product));
}

// The places of the set bits, eight at a time whether there are as many or not.
MARTLET_JSON_AVX2_INLINE uint16_t* flatten(uint64_t bits, size_t at, uint16_t* out) {
  uint16_t* const end = out + _mm_popcnt_u64(bits);
  for (; bits != 0; out += 8) {
    for (size_t i = 0; i < 8; i++) {
      out[i] = static_cast<uint16_t>(at + _tzcnt_u64(bits));
      bits = _blsr_u64(bits);
    }
  }
  return end;
}

MARTLET_JSON_AVX2 JsonIndexed index(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out) {
  JsonIndexState s = *state;
  __m256i all = _mm256_setzero_si256();
  uint16_t* to = out;
  for (size_t at = 0; at < size; at += 64) {
    const size_t here = size - at < 64 ? size - at : 64;
    const JsonBlock b = here == 64 ? classify_block(data + at, all) : classify_rest(data, size, here, all);
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
  return {static_cast<uint32_t>(to - out), high_bits(all) == 0};
}

MARTLET_JSON_AVX2_INLINE uint32_t not_plain(__m256i bytes) {
  return high_bits(either(is_control(bytes), either(equal(bytes, '"'), equal(bytes, '\\'))));
}

// copy_plain for 16 to 31 bytes. Both vectors, which may overlap, are loaded before one is stored.
MARTLET_JSON_AVX2_INLINE size_t copy_medium(uint8_t* to, const uint8_t* from, size_t size) {
  const __m128i first = load_xmm(from);
  const __m128i last = load_xmm(from + size - 16);
  store_xmm(to, first);
  store_xmm(to + size - 16, last);
  const uint32_t stop = not_plain(_mm256_set_m128i(last, first));
  if (stop == 0) return size;
  const size_t at = _tzcnt_u32(stop);
  return at < 16 ? at : size - 32 + at;
}

MARTLET_JSON_AVX2 size_t copy_plain(uint8_t* to, const uint8_t* from, size_t size) {
  if (size < 16) return json_copy_short(to, from, size);
  if (size < kVector) return copy_medium(to, from, size);
  for (size_t at = 0;; at += kVector) {
    if (at + kVector > size) at = size - kVector;  // the last overlaps the one before it
    const __m256i bytes = load_ymm(from + at);
    store_ymm(to + at, bytes);
    if (const uint32_t stop = not_plain(bytes)) return at + _tzcnt_u32(stop);
    if (at + kVector == size) return size;
  }
}

}  // namespace

constexpr JsonKernels json_kernels_avx2{"avx2", index, copy_plain};

}  // namespace martlet::simd

#endif
