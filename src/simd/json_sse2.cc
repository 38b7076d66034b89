// The JSON kernels for every x86-64. SSE2 has no byte shuffle: each class is a few compares. No target attribute: SSE2
// is the baseline.
#include "simd/json_blocks.h"

#if MARTLET_SIMD_X86

#include <emmintrin.h>

namespace martlet::simd {

namespace {

constexpr size_t kVector = 16;

inline __m128i load(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline void store(uint8_t* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
inline uint64_t high_bits(__m128i v) { return static_cast<uint32_t>(_mm_movemask_epi8(v)); }
inline __m128i equal(__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); }
inline __m128i either(__m128i a, __m128i b) { return _mm_or_si128(a, b); }

inline __m128i is_control(__m128i bytes) { return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes); }

inline __m128i is_structural(__m128i bytes) {
  const __m128i folded = either(bytes, _mm_set1_epi8(0x20));  // '[' and ']' become '{' and '}', nothing else does
  return either(either(equal(folded, '{'), equal(folded, '}')), either(equal(bytes, ':'), equal(bytes, ',')));
}

inline __m128i is_space(__m128i bytes) {
  return either(either(equal(bytes, ' '), equal(bytes, '\t')), either(equal(bytes, '\n'), equal(bytes, '\r')));
}

// ORs the classes of 16 bytes into those of a block, at their place.
inline void add(JsonBlock& b, __m128i bytes, size_t at) {
  b.quote |= high_bits(equal(bytes, '"')) << at;
  b.backslash |= high_bits(equal(bytes, '\\')) << at;
  b.structural |= high_bits(is_structural(bytes)) << at;
  b.space |= high_bits(is_space(bytes)) << at;
  b.control |= high_bits(is_control(bytes)) << at;
}

inline JsonBlock classify(const uint8_t* data, __m128i& all) {
  JsonBlock b{};
  for (size_t at = 0; at < 64; at += kVector) {
    const __m128i bytes = load(data + at);
    all = either(all, bytes);
    add(b, bytes, at);
  }
  return b;
}

// The places of the set bits, eight at a time whether there are as many or not.
inline uint16_t* flatten(uint64_t bits, size_t at, uint16_t* out) {
  uint16_t* const end = out + std::popcount(bits);
  for (; bits != 0; out += 8) {
    for (size_t i = 0; i < 8; i++) {
      out[i] = static_cast<uint16_t>(at + static_cast<size_t>(__builtin_ctzll(bits | uint64_t{1} << 63)));
      bits &= bits - 1;
    }
  }
  return end;
}

JsonIndexed index(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out) {
  JsonIndexState s = *state;
  __m128i all = _mm_setzero_si128();
  uint16_t* to = out;
  for (size_t at = 0; at < size; at += 64) {
    const size_t here = size - at < 64 ? size - at : 64;
    alignas(kVector) uint8_t copy[64];
    const JsonBlock b = json_block_of(classify(json_block_at(data, size, at, copy), all), size, here);
    const JsonQuotes q = json_quotes(s, b);
    uint64_t entries;
    if (json_entries(&s, b, q, json_prefix_xor(q.quote), here, &entries)) {
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

inline uint64_t not_plain(__m128i bytes) {
  return high_bits(either(is_control(bytes), either(equal(bytes, '"'), equal(bytes, '\\'))));
}

size_t copy_plain(uint8_t* to, const uint8_t* from, size_t size) {
  if (size < kVector) return json_copy_short(to, from, size);
  for (size_t at = 0;; at += kVector) {
    if (at + kVector > size) at = size - kVector;  // the last overlaps the one before it
    const __m128i bytes = load(from + at);
    store(to + at, bytes);
    if (const uint64_t stop = not_plain(bytes)) return at + static_cast<size_t>(std::countr_zero(stop));
    if (at + kVector == size) return size;
  }
}

}  // namespace

constexpr JsonKernels json_kernels_sse2{"sse2", index, copy_plain};

}  // namespace martlet::simd

#endif
