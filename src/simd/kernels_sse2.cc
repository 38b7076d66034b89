// The kernels for every x86-64. SSE2 has no byte shuffle, so ASCII is checked by vectors and all else by the automaton;
// machines with fast text checks have AVX2. No target attribute: SSE2 is the baseline.
#include "simd/ends.h"
#include "simd/sets.h"

#if MARTLET_SIMD_X86

#include <emmintrin.h>

namespace martlet::simd {

namespace {

inline __m128i load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline void store(uint8_t* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
inline __m128i spread(uint32_t key) { return _mm_set1_epi32(static_cast<int>(key)); }
inline uint32_t high_bits(__m128i v) { return static_cast<uint32_t>(_mm_movemask_epi8(v)); }

void unmask(uint8_t* data, size_t size, uint32_t key) {
  if (size < 16) {
    unmask_short(data, size, key);
    return;
  }
  const __m128i k = spread(key);
  uint8_t* const tail = data + size - 16;  // overlaps the loop: loaded before it, stored after it
  const __m128i last = _mm_xor_si128(load(tail), spread(rotate_key(key, size)));
  for (; size >= 64; data += 64, size -= 64) {
    for (size_t i = 0; i < 64; i += 16) store(data + i, _mm_xor_si128(load(data + i), k));
  }
  for (; size >= 16; data += 16, size -= 16) store(data, _mm_xor_si128(load(data), k));
  store(tail, last);
}

bool validate_utf8(Utf8State* state, const uint8_t* data, size_t size) {
  uint32_t dfa = state->dfa;
  for (; size >= 16; data += 16, size -= 16) {
    if (dfa == kBoundary) {
      for (; size >= 64; data += 64, size -= 64) {
        if (high_bits(_mm_or_si128(_mm_or_si128(load(data), load(data + 16)),
                                   _mm_or_si128(load(data + 32), load(data + 48))))) {
          break;
        }
      }
      if (size < 16) break;
      if (!high_bits(load(data))) continue;
    }
    dfa = utf8_run(dfa, data, 16);
    if (dfa == kReject) return utf8_answer(state, dfa);
  }
  if (dfa != kBoundary || !is_ascii(gather_short(data, size))) dfa = utf8_run(dfa, data, size);
  return utf8_answer(state, dfa);
}

bool unmask_validate(Utf8State* state, uint8_t* data, size_t size, uint32_t key) {
  const __m128i k = spread(key);
  uint32_t dfa = state->dfa;
  for (; size >= 16; data += 16, size -= 16) {
    const __m128i text = _mm_xor_si128(load(data), k);
    store(data, text);
    if (dfa == kBoundary && !high_bits(text)) continue;
    dfa = utf8_run(dfa, data, 16);
    if (dfa == kReject) return utf8_answer(state, dfa);
  }
  if (!is_ascii(unmask_short(data, size, key)) || dfa != kBoundary) dfa = utf8_run(dfa, data, size);
  return utf8_answer(state, dfa);
}

// All ones where first <= byte <= last.
inline __m128i within(__m128i bytes, char first, char last) {
  const __m128i offset = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(last - first))), offset);
}

inline __m128i equal(__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); }

inline __m128i is_control(__m128i bytes) {
  return _mm_or_si128(_mm_andnot_si128(equal(bytes, '\t'), within(bytes, 0, 0x1F)), equal(bytes, 0x7F));
}

inline __m128i is_token(__m128i bytes) {
  const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));  // 'A'..'Z' become 'a'..'z', nothing else does
  __m128i token = _mm_or_si128(within(folded, 'a', 'z'), within(bytes, '0', '9'));
  token = _mm_or_si128(token, _mm_or_si128(equal(bytes, '!'), within(bytes, '#', '\'')));
  token = _mm_or_si128(token, _mm_or_si128(within(bytes, '*', '+'), within(bytes, '-', '.')));
  token = _mm_or_si128(token, _mm_or_si128(within(bytes, '^', '`'), equal(bytes, '|')));
  return _mm_or_si128(token, equal(bytes, '~'));
}

// ORs the bits of 16 bytes into those of a block, at their place.
inline void classify_vector(HeadBits& bits, const uint8_t* data, size_t at) {
  const __m128i bytes = load(data + at);
  bits.not_value |= uint64_t{high_bits(is_control(bytes))} << at;
  bits.not_token |= uint64_t{high_bits(is_token(bytes)) ^ 0xFFFF} << at;
}

HeadBits classify_block(const uint8_t* data) {
  HeadBits bits{0, 0};
  for (size_t at = 0; at < 64; at += 16) classify_vector(bits, data, at);
  return bits;
}

// Less than 64 bytes; from 16 on, the last vector overlaps the one before it.
HeadBits classify_short(const uint8_t* data, size_t size) {
  HeadBits bits{0, 0};
  if (size < 16) {
    alignas(16) uint8_t block[16] = {};
    __builtin_memcpy(block, data, size);
    classify_vector(bits, block, 0);
  } else {
    for (size_t at = 0; at + 16 < size; at += 16) classify_vector(bits, data, at);
    classify_vector(bits, data, size - 16);
  }
  return head_until(bits, size);
}

void classify_head(const uint8_t* data, size_t size, HeadBits* out) {
  if (size >= 64) {
    for (; size >= 64; data += 64, size -= 64) *out++ = classify_block(data);
    if (size > 0) *out = head_rest(classify_block(data + size - 64), size);
  } else if (size > 0) {
    *out = classify_short(data, size);
  }
}

}  // namespace

constexpr Kernels kernels_sse2{"sse2", unmask, validate_utf8, unmask_validate, classify_head};

}  // namespace martlet::simd

#endif
