// The JSON kernels for little-endian AArch64, where NEON is the baseline: the classes of the AVX2 set in vectors of 16
// bytes.
#include "simd/json_blocks.h"

#if MARTLET_SIMD_NEON

#include <arm_neon.h>

namespace martlet::simd {

namespace {

constexpr size_t kVector = 16;

// One bit of each byte of four vectors that hold 00 or FF.
inline uint64_t bitmap(const uint8x16_t (&v)[4]) {
  static constexpr uint8_t kBits[kVector] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bits = vld1q_u8(kBits);
  const uint8x16_t low = vpaddq_u8(vandq_u8(v[0], bits), vandq_u8(v[1], bits));
  const uint8x16_t high = vpaddq_u8(vandq_u8(v[2], bits), vandq_u8(v[3], bits));
  const uint8x16_t sums = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
}

inline bool is_ascii(uint8x16_t v) { return vmaxvq_u8(v) < 0x80; }

// By the low nibble, the one byte of a class that has it. Where there is none, 0: no byte of that nibble equals it.
constexpr uint8_t kSpaceOf[kVector] = {' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0};
constexpr uint8_t kStructuralOf[kVector] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0};

inline JsonBlock classify(const uint8_t* data, uint8x16_t& all) {
  uint8x16_t quote[4], backslash[4], structural[4], space[4], control[4];
  for (size_t i = 0; i < 4; i++) {
    const uint8x16_t bytes = vld1q_u8(data + i * kVector);
    const uint8x16_t low = vandq_u8(bytes, vdupq_n_u8(0x0F));
    all = vorrq_u8(all, bytes);
    // '[' and ']' become '{' and '}'; two control characters become ',' and ':' and are taken out again.
    const uint8x16_t folded = vorrq_u8(bytes, vdupq_n_u8(0x20));
    quote[i] = vceqq_u8(bytes, vdupq_n_u8('"'));
    backslash[i] = vceqq_u8(bytes, vdupq_n_u8('\\'));
    control[i] = vcltq_u8(bytes, vdupq_n_u8(0x20));
    structural[i] = vbicq_u8(vceqq_u8(vqtbl1q_u8(vld1q_u8(kStructuralOf), low), folded), control[i]);
    space[i] = vceqq_u8(vqtbl1q_u8(vld1q_u8(kSpaceOf), low), bytes);
  }
  return {bitmap(quote), bitmap(backslash), bitmap(structural), bitmap(space), bitmap(control)};
}

// The places of the set bits, eight at a time whether there are as many or not.
inline uint16_t* flatten(uint64_t bits, size_t at, uint16_t* out) {
  uint16_t* const end = out + std::popcount(bits);
  for (; bits != 0; out += 8) {
    for (size_t i = 0; i < 8; i++) {
      out[i] = static_cast<uint16_t>(at + static_cast<size_t>(std::countr_zero(bits)));
      bits &= bits - 1;
    }
  }
  return end;
}

JsonIndexed index(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out) {
  JsonIndexState s = *state;
  uint8x16_t all = vdupq_n_u8(0);
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
  return {static_cast<uint32_t>(to - out), is_ascii(all)};
}

// Four bits of each byte that a string must escape.
inline uint64_t not_plain(uint8x16_t bytes) {
  const uint8x16_t marks = vorrq_u8(vcltq_u8(bytes, vdupq_n_u8(0x20)),
                                    vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('"')), vceqq_u8(bytes, vdupq_n_u8('\\'))));
  return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(marks), 4)), 0);
}

size_t copy_plain(uint8_t* to, const uint8_t* from, size_t size) {
  if (size < kVector) return json_copy_short(to, from, size);
  for (size_t at = 0;; at += kVector) {
    if (at + kVector > size) at = size - kVector;  // the last overlaps the one before it
    const uint8x16_t bytes = vld1q_u8(from + at);
    vst1q_u8(to + at, bytes);
    if (const uint64_t stop = not_plain(bytes)) return at + static_cast<size_t>(std::countr_zero(stop)) / 4;
    if (at + kVector == size) return size;
  }
}

}  // namespace

constexpr JsonKernels json_kernels_neon{"neon", index, copy_plain};

}  // namespace martlet::simd

#endif
