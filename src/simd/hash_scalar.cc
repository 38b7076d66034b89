// SHA-256 in portable code, about 250 MB/s: the message schedule lives in a ring of 16 words, word t in the place of word
// t - 16.
#include <bit>

#include "base/bytes.h"
#include "simd/hash_sets.h"

namespace martlet::simd {

constexpr Sha256Rounds sha256_rounds = {{
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
}};

namespace {

inline uint32_t word(uint32_t (&w)[16], unsigned t) {
  if (t >= 16) {
    const uint32_t back15 = w[(t + 1) & 15];
    const uint32_t back2 = w[(t + 14) & 15];
    w[t & 15] += (std::rotr(back15, 7) ^ std::rotr(back15, 18) ^ back15 >> 3) + w[(t + 9) & 15] +
                 (std::rotr(back2, 17) ^ std::rotr(back2, 19) ^ back2 >> 10);
  }
  return w[t & 15];
}

// One of the 64 steps (FIPS 180-4 §6.2.2): v is a to h.
inline void step(uint32_t (&v)[8], uint32_t addend) {
  const uint32_t e = v[4];
  const uint32_t a = v[0];
  const uint32_t first = v[7] + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + (v[6] ^ (e & (v[5] ^ v[6]))) + addend;
  const uint32_t second = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & v[1]) | (v[2] & (a | v[1])));
  v[7] = v[6];
  v[6] = v[5];
  v[5] = e;
  v[4] = v[3] + first;
  v[3] = v[2];
  v[2] = v[1];
  v[1] = a;
  v[0] = first + second;
}

void sha256(uint32_t* state, const uint8_t* data, size_t blocks) {
  for (; blocks > 0; blocks--, data += 64) {
    uint32_t w[16];
    for (unsigned t = 0; t < 16; t++) w[t] = base::load_be32(data + 4 * t);
    uint32_t v[8];
    for (unsigned i = 0; i < 8; i++) v[i] = state[i];
    for (unsigned t = 0; t < 64; t++) step(v, sha256_rounds.of[t] + word(w, t));
    for (unsigned i = 0; i < 8; i++) state[i] += v[i];
  }
}

}  // namespace

constexpr HashKernels hash_kernels_scalar = {"scalar", sha256};

}  // namespace martlet::simd
