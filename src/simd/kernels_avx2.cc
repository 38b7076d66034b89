// The kernels for x86-64 with AVX2. Short inputs are handled by two loads that overlap, long ones in blocks whose
// last one overlaps the block before it: checking a byte twice does no harm, as whether it is an error depends on
// itself and the three bytes before it only.
//
// All functions carry the target attribute, so nothing compiled for AVX2 can reach another file.
#include "simd/ends.h"
#include "simd/sets.h"

#if MARTLET_SIMD_X86

#include "simd/avx2_short.h"

namespace martlet::simd {

namespace {

constexpr size_t kVector = 32;

MARTLET_AVX2_INLINE __m256i low_nibbles(__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(0x0F)); }

MARTLET_AVX2_INLINE __m256i table(const uint8_t* nibbles) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(nibbles)));
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
  const __m256i first = _mm256_xor_si256(load_ymm(data), spread_ymm(key));
  const __m256i last = _mm256_xor_si256(load_ymm(tail), spread_ymm(rotate_key(key, size)));
  uint8_t* const head = data;
  const size_t skip = kVector - (reinterpret_cast<uintptr_t>(data) & (kVector - 1));
  const __m256i k = spread_ymm(rotate_key(key, skip));
  data += skip;
  size -= skip;
  for (; size >= 4 * kVector; data += 4 * kVector, size -= 4 * kVector) {
    for (size_t i = 0; i < 4 * kVector; i += kVector) store_ymm(data + i, _mm256_xor_si256(load_ymm(data + i), k));
  }
  for (; size >= kVector; data += kVector, size -= kVector) store_ymm(data, _mm256_xor_si256(load_ymm(data), k));
  store_ymm(head, first);
  store_ymm(tail, last);
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
MARTLET_AVX2_INLINE void check_ascii(Check& c) {
  alignas(kVector) static constexpr uint8_t kClosed[kVector] = {
      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0xDF, 0xBF};
  c.errors = _mm256_or_si256(c.errors, _mm256_subs_epu8(c.before, load_ymm(kClosed)));
  c.before = _mm256_setzero_si256();  // as good as the text: nothing is open
}

MARTLET_AVX2_INLINE void check_any(Check& c, __m256i text) {
  if (high_bits(text)) {
    check(c, text);
  } else {
    check_ascii(c);
  }
}

// Unmasks (unless only checking) and checks 64 bytes and more that begin at a boundary between characters.
template <bool kUnmask>
MARTLET_AVX2 uint32_t check_long(uint8_t* data, size_t size, uint32_t key) {
  const __m256i k = spread_ymm(key);
  uint8_t* const tail = data + size - kVector;  // overlaps the loop: loaded before it, stored after it
  const uint32_t end_key = rotate_key(key, size);
  const __m256i before_tail = _mm256_xor_si256(load_ymm(tail - kVector), spread_ymm(end_key));
  const __m256i last = _mm256_xor_si256(load_ymm(tail), spread_ymm(end_key));
  const uint32_t last_four = load32(tail + kVector - 4) ^ end_key;
  Check c = begin_check();
  for (; size >= 2 * kVector; data += 2 * kVector, size -= 2 * kVector) {
    const __m256i first = _mm256_xor_si256(load_ymm(data), k);
    const __m256i second = _mm256_xor_si256(load_ymm(data + kVector), k);
    if (kUnmask) {
      store_ymm(data, first);
      store_ymm(data + kVector, second);
    }
    if (high_bits(_mm256_or_si256(first, second))) {
      check(c, first);
      check(c, second);
    } else {
      check_ascii(c);
    }
  }
  if (size >= kVector) {
    const __m256i text = _mm256_xor_si256(load_ymm(data), k);
    if (kUnmask) store_ymm(data, text);
    check_any(c, text);
  }
  if (kUnmask) store_ymm(tail, last);
  c.before = before_tail;
  check_any(c, last);
  if (!_mm256_testz_si256(c.errors, c.errors)) return kReject;
  return utf8_state_at_end(last_four);
}

// Checks less than 64 bytes.
MARTLET_AVX2 uint32_t check_short(const uint8_t* data, size_t size) {
  if (size < kVector) return utf8_run(kBoundary, data, size);
  Check c = begin_check();
  check(c, load_ymm(data));
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
    ascii = high_bits(_mm256_or_si256(load_ymm(data), load_ymm(data + size - kVector))) == 0;
  } else if (size >= 16) {
    ascii = high_bits(_mm_or_si128(load_xmm(data), load_xmm(data + size - 16))) == 0;
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

MARTLET_AVX2_INLINE HeadBits classify_vector(const uint8_t* data) {
  const __m256i bytes = load_ymm(data);
  const __m256i high = low_nibbles(_mm256_srli_epi16(bytes, 4));
  const __m256i by_high = table(head_nibbles.high_bits);
  return {find(table(head_nibbles.control), by_high, bytes, high),
          static_cast<uint32_t>(~find(table(head_nibbles.token), by_high, bytes, high))};
}

// 64 bytes, or 32 to 63 whose second half overlaps the first; `at` is where it begins.
MARTLET_AVX2_INLINE HeadBits classify_two(const uint8_t* data, size_t at) {
  const HeadBits first = classify_vector(data);
  const HeadBits second = classify_vector(data + at);
  return {first.not_value | second.not_value << at, first.not_token | second.not_token << at};
}

MARTLET_AVX2 void classify_head(const uint8_t* data, size_t size, HeadBits* out) {
  if (size >= 64) {
    for (; size >= 64; data += 64, size -= 64) *out++ = classify_two(data, kVector);
    if (size > 0) *out = head_rest(classify_two(data + size - 64, kVector), size);
  } else if (size >= kVector) {
    *out = head_until(classify_two(data, size - kVector), size);
  } else if (size > 0) {
    alignas(kVector) uint8_t block[kVector] = {};
    __builtin_memcpy(block, data, size);
    *out = head_until(classify_vector(block), size);
  }
}

}  // namespace

constexpr Kernels kernels_avx2{"avx2", unmask, validate_utf8, unmask_validate, classify_head};

}  // namespace martlet::simd

#endif
