// The kernels for x86-64 with AVX2. Short inputs are handled by two loads that overlap, long ones in blocks whose
// last one overlaps the block before it: checking a byte twice does no harm, as whether it is an error depends on
// itself and the three bytes before it only.
//
// All functions carry the target attribute, so nothing compiled for AVX2 can reach another file.
#include "simd/ends.h"
#include "simd/sets.h"

#if MARTLET_SIMD_X86

#include <immintrin.h>

#define MARTLET_AVX2 __attribute__((target("avx2,bmi2")))
#define MARTLET_AVX2_INLINE __attribute__((target("avx2,bmi2"), always_inline)) inline

namespace martlet::simd {

namespace {

constexpr size_t kVector = 32;

MARTLET_AVX2_INLINE __m256i load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
MARTLET_AVX2_INLINE void store(uint8_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
MARTLET_AVX2_INLINE __m128i load16(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
MARTLET_AVX2_INLINE void store16(uint8_t* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
MARTLET_AVX2_INLINE __m256i spread(uint32_t key) { return _mm256_set1_epi32(static_cast<int>(key)); }
MARTLET_AVX2_INLINE __m256i low_nibbles(__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(0x0F)); }
MARTLET_AVX2_INLINE uint32_t high_bits(__m256i v) { return static_cast<uint32_t>(_mm256_movemask_epi8(v)); }

MARTLET_AVX2_INLINE __m256i table(const uint8_t* nibbles) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(nibbles)));
}

// Unmasks 16 to 63 bytes, each in two vectors that overlap. Returns whether there is a byte over 7F.
MARTLET_AVX2_INLINE bool unmask_medium(uint8_t* data, size_t size, uint32_t key) {
  uint8_t* const end = data + size;
  const uint32_t end_key = rotate_key(key, size);
  if (size < kVector) {
    const __m128i first = _mm_xor_si128(load16(data), _mm256_castsi256_si128(spread(key)));
    const __m128i last = _mm_xor_si128(load16(end - 16), _mm256_castsi256_si128(spread(end_key)));
    store16(data, first);
    store16(end - 16, last);
    return _mm_movemask_epi8(_mm_or_si128(first, last)) != 0;
  }
  const __m256i first = _mm256_xor_si256(load(data), spread(key));
  const __m256i last = _mm256_xor_si256(load(end - kVector), spread(end_key));
  store(data, first);
  store(end - kVector, last);
  return high_bits(_mm256_or_si256(first, last)) != 0;
}

MARTLET_AVX2 void unmask(uint8_t* data, size_t size, uint32_t key) {
  if (size < 16) {
    unmask_short(data, size, key);
    return;
  }
  if (size < 2 * kVector) {
    unmask_medium(data, size, key);
    return;
  }
  // Both ends are loaded before the loop and stored after it; the loop in between is aligned.
  uint8_t* const tail = data + size - kVector;
  const __m256i first = _mm256_xor_si256(load(data), spread(key));
  const __m256i last = _mm256_xor_si256(load(tail), spread(rotate_key(key, size)));
  uint8_t* const head = data;
  const size_t skip = kVector - (reinterpret_cast<uintptr_t>(data) & (kVector - 1));
  const __m256i k = spread(rotate_key(key, skip));
  data += skip;
  size -= skip;
  for (; size >= 4 * kVector; data += 4 * kVector, size -= 4 * kVector) {
    for (size_t i = 0; i < 4 * kVector; i += kVector) store(data + i, _mm256_xor_si256(load(data + i), k));
  }
  for (; size >= kVector; data += kVector, size -= kVector) store(data, _mm256_xor_si256(load(data), k));
  store(head, first);
  store(tail, last);
}

// The vector check: the tables, what came before, and the errors so far.
struct Check {
  __m256i first_high, first_low, second_high;
  __m256i before;  // the 32 bytes before the next ones
  __m256i errors;
};

MARTLET_AVX2_INLINE Check begin_check() {
  return {table(utf8_nibbles.first_high), table(utf8_nibbles.first_low), table(utf8_nibbles.second_high),
          _mm256_setzero_si256(), _mm256_setzero_si256()};
}

MARTLET_AVX2_INLINE void check(Check& c, __m256i text) {
  const __m256i joint = _mm256_permute2x128_si256(c.before, text, 0x21);
  const __m256i back1 = _mm256_alignr_epi8(text, joint, 15);
  const __m256i back2 = _mm256_alignr_epi8(text, joint, 14);
  const __m256i back3 = _mm256_alignr_epi8(text, joint, 13);
  const __m256i pair =
      _mm256_and_si256(_mm256_and_si256(_mm256_shuffle_epi8(c.first_high, low_nibbles(_mm256_srli_epi16(back1, 4))),
                                        _mm256_shuffle_epi8(c.first_low, low_nibbles(back1))),
                       _mm256_shuffle_epi8(c.second_high, low_nibbles(_mm256_srli_epi16(text, 4))));
  // Bit 7 where a third or fourth byte must stand: two back is E0 and above, or three back is F0 and above.
  const __m256i inside = _mm256_or_si256(_mm256_subs_epu8(back2, _mm256_set1_epi8(0xE0 - 0x80)),
                                         _mm256_subs_epu8(back3, _mm256_set1_epi8(0xF0 - 0x80)));
  const __m256i expected = _mm256_and_si256(inside, _mm256_set1_epi8(static_cast<char>(0x80)));
  c.errors = _mm256_or_si256(c.errors, _mm256_xor_si256(expected, pair));
  c.before = text;
}

// What check() finds in ASCII: a character that the bytes before left open.
MARTLET_AVX2_INLINE void check_ascii(Check& c, __m256i text) {
  alignas(kVector) static constexpr uint8_t kClosed[kVector] = {
      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0xDF, 0xBF};
  c.errors = _mm256_or_si256(c.errors, _mm256_subs_epu8(c.before, load(kClosed)));
  c.before = text;
}

// Unmasks (unless only checking) and checks 64 bytes and more that begin at a boundary between characters.
template <bool kUnmask>
MARTLET_AVX2 uint32_t check_long(uint8_t* data, size_t size, uint32_t key) {
  const __m256i k = spread(key);
  uint8_t* const tail = data + size - kVector;  // overlaps the loop: loaded before it, stored after it
  const __m256i end_key = spread(rotate_key(key, size));
  const __m256i before_tail = _mm256_xor_si256(load(tail - kVector), end_key);
  const __m256i last = _mm256_xor_si256(load(tail), end_key);
  const uint32_t last_four = load32(tail + kVector - 4) ^ rotate_key(key, size);
  Check c = begin_check();
  for (; size >= 2 * kVector; data += 2 * kVector, size -= 2 * kVector) {
    const __m256i first = _mm256_xor_si256(load(data), k);
    const __m256i second = _mm256_xor_si256(load(data + kVector), k);
    if (kUnmask) {
      store(data, first);
      store(data + kVector, second);
    }
    if (high_bits(_mm256_or_si256(first, second))) {
      check(c, first);
      check(c, second);
    } else {
      check_ascii(c, first);
      c.before = second;
    }
  }
  if (size >= kVector) {
    const __m256i text = _mm256_xor_si256(load(data), k);
    if (kUnmask) store(data, text);
    check(c, text);
  }
  c.before = before_tail;
  check(c, last);
  if (kUnmask) store(tail, last);
  if (!_mm256_testz_si256(c.errors, c.errors)) return kReject;
  return utf8_state_at_end(last_four);
}

// Checks less than 64 bytes.
MARTLET_AVX2 uint32_t check_short(const uint8_t* data, size_t size) {
  if (size < kVector) return utf8_run(kBoundary, data, size);
  Check c = begin_check();
  check(c, load(data));
  if (!_mm256_testz_si256(c.errors, c.errors)) return kReject;
  return utf8_run(utf8_state_at_end(load32(data + kVector - 4)), data + kVector, size - kVector);
}

MARTLET_AVX2 bool validate_utf8(Utf8State* state, const uint8_t* data, size_t size) {
  uint32_t dfa = state->dfa;
  if (dfa != kBoundary) {
    const size_t taken = utf8_finish_open(&dfa, const_cast<uint8_t*>(data), size, 0);
    if (dfa != kBoundary) return utf8_answer(state, dfa);
    data += taken;
    size -= taken;
  }
  if (size >= 2 * kVector) return utf8_answer(state, check_long<false>(const_cast<uint8_t*>(data), size, 0));
  bool ascii;
  if (size >= kVector) {
    ascii = high_bits(_mm256_or_si256(load(data), load(data + size - kVector))) == 0;
  } else if (size >= 16) {
    ascii = _mm_movemask_epi8(_mm_or_si128(load16(data), load16(data + size - 16))) == 0;
  } else {
    ascii = is_ascii(gather_short(data, size));
  }
  return utf8_answer(state, ascii ? kBoundary : check_short(data, size));
}

MARTLET_AVX2 bool unmask_validate(Utf8State* state, uint8_t* data, size_t size, uint32_t key) {
  uint32_t dfa = state->dfa;
  if (dfa != kBoundary) {
    const size_t taken = utf8_finish_open(&dfa, data, size, key);
    if (dfa != kBoundary) return utf8_answer(state, dfa);
    data += taken;
    size -= taken;
    key = rotate_key(key, taken);
  }
  if (size >= 2 * kVector) return utf8_answer(state, check_long<true>(data, size, key));
  const bool ascii = size < 16 ? is_ascii(unmask_short(data, size, key)) : !unmask_medium(data, size, key);
  return utf8_answer(state, ascii ? kBoundary : check_short(data, size));
}

MARTLET_AVX2_INLINE uint32_t find(__m256i by_low, __m256i by_high, __m256i low, __m256i high) {
  // vpshufb gives 0 for an index over 7F, so bytes from 0x80 on belong to no class.
  const __m256i hit = _mm256_and_si256(_mm256_shuffle_epi8(by_low, low), _mm256_shuffle_epi8(by_high, high));
  return ~high_bits(_mm256_cmpeq_epi8(hit, _mm256_setzero_si256()));
}

MARTLET_AVX2 HeadBits classify_block(const uint8_t* data) {
  const __m256i token = table(head_nibbles.token);
  const __m256i control = table(head_nibbles.control);
  const __m256i by_high = table(head_nibbles.high_bits);
  HeadBits bits{0, 0};
  for (size_t i = 0; i < 64; i += kVector) {
    const __m256i bytes = load(data + i);
    const __m256i high = low_nibbles(_mm256_srli_epi16(bytes, 4));
    bits.not_value |= uint64_t{find(control, by_high, bytes, high)} << i;
    bits.not_token |= uint64_t{~find(token, by_high, bytes, high)} << i;
  }
  return bits;
}

MARTLET_AVX2 void classify_head(const uint8_t* data, size_t size, HeadBits* out) {
  if (size < 64) {  // zeros stand in both bitmaps
    alignas(kVector) uint8_t block[64] = {};
    __builtin_memcpy(block, data, size);
    if (size > 0) *out = classify_block(block);
    return;
  }
  for (; size >= 64; data += 64, size -= 64) *out++ = classify_block(data);
  if (size > 0) *out = head_rest(classify_block(data + size - 64), size);
}

}  // namespace

constexpr Kernels kernels_avx2{"avx2", unmask, validate_utf8, unmask_validate, classify_head};

}  // namespace martlet::simd

#endif
