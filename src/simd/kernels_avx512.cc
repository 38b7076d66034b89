// The kernels for x86-64 with AVX-512 F, BW, VL and VBMI (Ice Lake, Zen 4 and later; earlier machines, whose clocks
// drop under 512-bit work, take AVX2). Masked loads take in short inputs at once: what the mask leaves out is not
// read, cannot fault, and counts as zeros, which are ASCII. Nothing is stored through a mask (avx2_short.h says why).
//
// All functions carry the target attribute, so nothing compiled for AVX-512 can reach another file.
#include "simd/ends.h"
#include "simd/sets.h"

#if MARTLET_SIMD_X86

#include "simd/avx2_short.h"

// GCC 12 reports the deliberately undefined pass-through operand inside its own intrinsics (GCC PR 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#define MARTLET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")))
#define MARTLET_AVX512_INLINE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi2"), always_inline)) inline

namespace martlet::simd {

namespace {

constexpr size_t kBlock = 64;

MARTLET_AVX512_INLINE __m512i spread(uint32_t key) { return _mm512_set1_epi32(static_cast<int>(key)); }
MARTLET_AVX512_INLINE __mmask64 first_bytes(size_t n) { return _bzhi_u64(~uint64_t{0}, static_cast<unsigned>(n)); }

MARTLET_AVX512_INLINE __m512i load(const uint8_t* p) { return _mm512_loadu_si512(p); }
MARTLET_AVX512_INLINE void store(uint8_t* p, __m512i v) { _mm512_storeu_si512(p, v); }

MARTLET_AVX512 void unmask(uint8_t* data, size_t size, uint32_t key) {
  if (size < 16) {
    unmask_short(data, size, key);
    return;
  }
  if (size <= kBlock) {
    unmask_medium(data, size, key);
    return;
  }
  // Both ends are loaded before the loop and stored after it; the loop in between is aligned.
  uint8_t* const head = data;
  uint8_t* const tail = data + size - kBlock;
  const __m512i first = _mm512_xor_si512(load(head), spread(key));
  const __m512i last = _mm512_xor_si512(load(tail), spread(rotate_key(key, size)));
  const size_t skip = kBlock - (reinterpret_cast<uintptr_t>(data) & (kBlock - 1));
  const __m512i k = spread(rotate_key(key, skip));
  data += skip;
  size -= skip;
  for (; size >= 4 * kBlock; data += 4 * kBlock, size -= 4 * kBlock) {
    for (size_t i = 0; i < 4 * kBlock; i += kBlock) {
      _mm512_store_si512(data + i, _mm512_xor_si512(_mm512_load_si512(data + i), k));
    }
  }
  for (; size >= kBlock; data += kBlock, size -= kBlock) {
    _mm512_store_si512(data, _mm512_xor_si512(_mm512_load_si512(data), k));
  }
  store(head, first);
  store(tail, last);
}

// The vector check: the tables, what came before, and the errors so far.
struct Check {
  __m512i first_high, first_low, second_high;
  __m512i before;  // the 64 bytes before the next ones
  __m512i errors;
};

MARTLET_AVX512_INLINE __m512i table(const uint8_t* nibbles) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(nibbles)));
}

MARTLET_AVX512_INLINE Check begin_check() {
  return {table(utf8_nibbles.first_high), table(utf8_nibbles.first_low), table(utf8_nibbles.second_high),
          _mm512_setzero_si512(), _mm512_setzero_si512()};
}

MARTLET_AVX512_INLINE void check(Check& c, __m512i text) {
  const __m512i joint = _mm512_alignr_epi32(text, c.before, 12);  // the bytes four before each
  const __m512i back1 = _mm512_alignr_epi8(text, joint, 15);
  const __m512i back2 = _mm512_alignr_epi8(text, joint, 14);
  const __m512i back3 = _mm512_alignr_epi8(text, joint, 13);
  // vpermb looks at six bits of an index; the table is there four times over, so the upper two need no clearing.
  const __m512i first_high = _mm512_permutexvar_epi8(_mm512_srli_epi16(back1, 4), c.first_high);
  const __m512i first_low = _mm512_permutexvar_epi8(back1, c.first_low);
  const __m512i second_high = _mm512_permutexvar_epi8(_mm512_srli_epi16(text, 4), c.second_high);
  // Bit 7 where a third or fourth byte must stand: two back is E0 and above, or three back is F0 and above.
  const __m512i third = _mm512_subs_epu8(back2, _mm512_set1_epi8(0xE0 - 0x80));
  const __m512i fourth = _mm512_subs_epu8(back3, _mm512_set1_epi8(0xF0 - 0x80));
  const __m512i pair = _mm512_ternarylogic_epi32(first_high, first_low, second_high, 0x80);  // a & b & c
  const __m512i expected =
      _mm512_ternarylogic_epi32(third, fourth, _mm512_set1_epi8(static_cast<char>(0x80)), 0xA8);  // (a | b) & c
  c.errors = _mm512_ternarylogic_epi32(c.errors, expected, pair, 0xF6);                           // a | (b ^ c)
  c.before = text;
}

// What check() finds in ASCII: a character that the bytes before left open.
MARTLET_AVX512_INLINE void check_ascii(Check& c) {
  const __m512i closed =
      _mm512_inserti32x4(_mm512_set1_epi8(-1), _mm_setr_epi32(-1, -1, -1, static_cast<int>(0xBFDFEFFF)), 3);
  c.errors = _mm512_or_si512(c.errors, _mm512_subs_epu8(c.before, closed));
  c.before = _mm512_setzero_si512();  // as good as the text: nothing is open
}

MARTLET_AVX512_INLINE void check_any(Check& c, __m512i text) {
  if (_mm512_movepi8_mask(text)) {
    check(c, text);
  } else {
    check_ascii(c);
  }
}

template <bool kUnmask>
MARTLET_AVX512_INLINE void check_four(Check& c, uint8_t* blocks, __m512i k) {
  __m512i text[4];
  for (size_t i = 0; i < 4; i++) {
    text[i] = _mm512_xor_si512(_mm512_load_si512(blocks + i * kBlock), k);
    if (kUnmask) _mm512_store_si512(blocks + i * kBlock, text[i]);
  }
  const __m512i all = _mm512_ternarylogic_epi32(_mm512_or_si512(text[0], text[1]), text[2], text[3], 0xFE);
  if (_mm512_movepi8_mask(all)) {
    for (size_t i = 0; i < 4; i++) check(c, text[i]);
  } else {
    check_ascii(c);
  }
}

// The 64 bytes before data + n, of which `first` holds those from data on; zeros for what lies before data.
MARTLET_AVX512_INLINE __m512i bytes_before(__m512i first, size_t n) {
  alignas(kBlock) static constexpr uint8_t kCount[kBlock] = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
      22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
      44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  const __m512i from = _mm512_add_epi8(_mm512_load_si512(kCount), _mm512_set1_epi8(static_cast<char>(n)));
  return _mm512_maskz_permutexvar_epi8(~first_bytes(kBlock - n), from, first);
}

// Unmasks (unless only checking) and checks more than 64 bytes that begin at a boundary between characters. As in
// unmask(), both ends are loaded before the loop and stored after it, and the loop takes the aligned blocks between.
template <bool kUnmask>
MARTLET_AVX512 uint32_t check_long(uint8_t* data, size_t size, uint32_t key) {
  uint8_t* const tail = data + size - kBlock;
  const __m512i end_key = spread(rotate_key(key, size));
  const __m512i first = _mm512_xor_si512(load(data), spread(key));
  const __m512i last = _mm512_xor_si512(load(tail), end_key);
  Check c = begin_check();
  check_any(c, first);
  if (size <= 2 * kBlock) {
    c.before = bytes_before(first, size - kBlock);
  } else {
    const __m512i before_tail = _mm512_xor_si512(load(tail - kBlock), end_key);
    const size_t skip = kBlock - (reinterpret_cast<uintptr_t>(data) & (kBlock - 1));
    const __m512i k = spread(rotate_key(key, skip));
    uint8_t* block = data + skip;
    size -= skip;
    c.before = bytes_before(first, skip);
    for (; size >= 4 * kBlock; block += 4 * kBlock, size -= 4 * kBlock) check_four<kUnmask>(c, block, k);
    for (; size >= kBlock; block += kBlock, size -= kBlock) {
      const __m512i text = _mm512_xor_si512(_mm512_load_si512(block), k);
      if (kUnmask) _mm512_store_si512(block, text);
      check_any(c, text);
    }
    c.before = before_tail;
  }
  if (kUnmask) {
    store(data, first);
    store(tail, last);
  }
  check_any(c, last);
  if (_mm512_test_epi8_mask(c.errors, c.errors)) return kReject;
  return utf8_state_at_end(static_cast<uint32_t>(_mm_extract_epi32(_mm512_extracti32x4_epi32(last, 3), 3)));
}

// Checks at most 64 bytes, in `text` (followed by anything there) and unmasked in memory.
MARTLET_AVX512 uint32_t check_short(__m512i text, const uint8_t* data, size_t size) {
  if (size < 4) return utf8_run(kBoundary, data, size);
  Check c = begin_check();
  check(c, text);
  if (_mm512_mask_test_epi8_mask(first_bytes(size), c.errors, c.errors)) return kReject;
  return utf8_state_at_end(load32(data + size - 4));
}

MARTLET_AVX512 bool validate_utf8(Utf8State* state, const uint8_t* data, size_t size) {
  uint32_t dfa = state->dfa;
  if (dfa != kBoundary) {
    const size_t taken = utf8_finish_open(&dfa, const_cast<uint8_t*>(data), size, 0);
    if (dfa != kBoundary) return utf8_answer(state, dfa);
    data += taken;
    size -= taken;
  }
  if (size > kBlock) return utf8_answer(state, check_long<false>(const_cast<uint8_t*>(data), size, 0));
  const __m512i text = _mm512_maskz_loadu_epi8(first_bytes(size), data);
  return utf8_answer(state, _mm512_movepi8_mask(text) ? check_short(text, data, size) : uint32_t{kBoundary});
}

MARTLET_AVX512 bool unmask_validate(Utf8State* state, uint8_t* data, size_t size, uint32_t key) {
  uint32_t dfa = state->dfa;
  if (dfa != kBoundary) {
    const size_t taken = utf8_finish_open(&dfa, data, size, key);
    if (dfa != kBoundary) return utf8_answer(state, dfa);
    data += taken;
    size -= taken;
    key = rotate_key(key, taken);
  }
  if (size > kBlock) return utf8_answer(state, check_long<true>(data, size, key));
  // Loaded before it is stored: a load after it would have to wait for the store.
  const __m512i text = _mm512_xor_si512(_mm512_maskz_loadu_epi8(first_bytes(size), data), spread(key));
  const bool ascii = size < 16 ? is_ascii(unmask_short(data, size, key)) : !unmask_medium(data, size, key);
  return utf8_answer(state, ascii ? uint32_t{kBoundary} : check_short(text, data, size));
}

MARTLET_AVX512 void classify_head(const uint8_t* data, size_t size, HeadBits* out) {
  const __m512i low_half = _mm512_load_si512(head_classes.of);
  const __m512i high_half = _mm512_load_si512(head_classes.of + 64);
  for (size_t done = 0; done < size; done += kBlock) {
    const size_t left = size - done;
    const __m512i bytes = _mm512_maskz_loadu_epi8(first_bytes(left < kBlock ? left : kBlock), data + done);
    const __m512i classes = _mm512_permutex2var_epi8(low_half, bytes, high_half);  // by the low seven bits
    const __mmask64 over_7f = _mm512_movepi8_mask(bytes);
    out->not_value = _mm512_test_epi8_mask(classes, _mm512_set1_epi8(kHeadControl)) & ~over_7f;
    out->not_token = _mm512_test_epi8_mask(classes, _mm512_set1_epi8(kHeadNotToken)) | over_7f;
    out++;
  }
}

}  // namespace

constexpr Kernels kernels_avx512{"avx512", unmask, validate_utf8, unmask_validate, classify_head};

}  // namespace martlet::simd

#endif
