// The blocks of SHA-256 and SHA-512 without instructions of their own (FIPS 180-4 §6.2.2, §6.4.2): one algorithm, with words of 32
// and of 64 bits, which differ in how far they turn.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::simd {

// §4.1.2 and §4.1.3: of a, of e, and of the words 15 and 2 before, whose last one is a shift.
template <typename Word>
struct Sha2Turns;
template <>
struct Sha2Turns<uint32_t> {
  static constexpr int kA[] = {2, 13, 22}, kE[] = {6, 11, 25}, kBack15[] = {7, 18, 3}, kBack2[] = {17, 19, 10};
  static uint32_t load(const uint8_t* p) noexcept { return base::load_be32(p); }
};
template <>
struct Sha2Turns<uint64_t> {
  static constexpr int kA[] = {28, 34, 39}, kE[] = {14, 18, 41}, kBack15[] = {1, 8, 7}, kBack2[] = {19, 61, 6};
  static uint64_t load(const uint8_t* p) noexcept { return base::load_be64(p); }
};

template <typename Word>
inline Word turned(Word x, const int (&by)[3]) noexcept {
  return std::rotr(x, by[0]) ^ std::rotr(x, by[1]) ^ std::rotr(x, by[2]);
}
template <typename Word>
inline Word turned_and_shifted(Word x, const int (&by)[3]) noexcept {
  return std::rotr(x, by[0]) ^ std::rotr(x, by[1]) ^ x >> by[2];
}

template <typename Word>
inline Word sha2_word(Word (&w)[16], unsigned t) noexcept {
  using Turns = Sha2Turns<Word>;
  if (t >= 16) {
    w[t & 15] += turned_and_shifted(w[(t + 1) & 15], Turns::kBack15) + w[(t + 9) & 15] + turned_and_shifted(w[(t + 14) & 15], Turns::kBack2);
  }
  return w[t & 15];
}

// One step: v is a to h.
template <typename Word>
inline void sha2_step(Word (&v)[8], Word addend) noexcept {
  using Turns = Sha2Turns<Word>;
  const Word e = v[4];
  const Word a = v[0];
  const Word first = v[7] + turned(e, Turns::kE) + (v[6] ^ (e & (v[5] ^ v[6]))) + addend;
  const Word second = turned(a, Turns::kA) + ((a & v[1]) | (v[2] & (a | v[1])));
  v[7] = v[6];
  v[6] = v[5];
  v[5] = e;
  v[4] = v[3] + first;
  v[3] = v[2];
  v[2] = v[1];
  v[1] = a;
  v[0] = first + second;
}

template <typename Word, size_t kSteps>
void sha2_blocks(Word* state, const uint8_t* data, size_t blocks, const Word (&rounds)[kSteps]) noexcept {
  for (; blocks > 0; blocks--, data += 16 * sizeof(Word)) {
    Word w[16];
    for (unsigned t = 0; t < 16; t++) w[t] = Sha2Turns<Word>::load(data + sizeof(Word) * t);
    Word v[8];
    for (unsigned i = 0; i < 8; i++) v[i] = state[i];
    for (unsigned t = 0; t < kSteps; t++) sha2_step<Word>(v, rounds[t] + sha2_word(w, t));
    for (unsigned i = 0; i < 8; i++) state[i] += v[i];
  }
}

}  // namespace martlet::simd
