// SHA-1 in portable code, unrolled by the compiler. A handshake hashes 60 bytes, two blocks, once per connection, so
// the instructions that newer CPUs have for it are not worth a file.
//
// The 80 words of the message schedule live in a ring of 16: word t is made in the place of word t - 16.
#include "codec/sha1.h"

#include <bit>
#include <cstring>

namespace martlet::codec {

namespace {

constexpr size_t kBlock = 64;
constexpr size_t kLengthAt = 56;  // the last eight bytes of the last block hold the length in bits

struct Working {
  uint32_t a, b, c, d, e;
};

// One of the 80 steps (FIPS 180-4 §6.1.2), with f and k of its quarter.
inline void step(Working& v, uint32_t f, uint32_t k, uint32_t word) {
  const uint32_t next = std::rotl(v.a, 5) + f + v.e + k + word;
  v.e = v.d;
  v.d = v.c;
  v.c = std::rotl(v.b, 30);
  v.b = v.a;
  v.a = next;
}

inline uint32_t word(uint32_t (&w)[16], unsigned t) {
  if (t >= 16) w[t & 15] = std::rotl(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
  return w[t & 15];
}

}  // namespace

void Sha1::block(const uint8_t* p) noexcept {
  uint32_t w[16];
  for (unsigned t = 0; t < 16; t++) w[t] = base::load_be32(p + 4 * t);
  Working v{state_[0], state_[1], state_[2], state_[3], state_[4]};
  for (unsigned t = 0; t < 20; t++) step(v, v.d ^ (v.b & (v.c ^ v.d)), 0x5A827999, word(w, t));
  for (unsigned t = 20; t < 40; t++) step(v, v.b ^ v.c ^ v.d, 0x6ED9EBA1, word(w, t));
  for (unsigned t = 40; t < 60; t++) step(v, (v.b & v.c) | (v.d & (v.b | v.c)), 0x8F1BBCDC, word(w, t));
  for (unsigned t = 60; t < 80; t++) step(v, v.b ^ v.c ^ v.d, 0xCA62C1D6, word(w, t));
  state_[0] += v.a;
  state_[1] += v.b;
  state_[2] += v.c;
  state_[3] += v.d;
  state_[4] += v.e;
}

void Sha1::update(base::ByteSpan bytes) noexcept {
  if (bytes.empty()) return;
  const size_t pending = bytes_ % kBlock;
  bytes_ += bytes.size();
  if (pending > 0) {
    const size_t room = kBlock - pending;
    const size_t taken = bytes.size() < room ? bytes.size() : room;
    std::memcpy(pending_ + pending, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    if (taken < room) return;
    block(pending_);
  }
  for (; bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) block(bytes.data());
  if (!bytes.empty()) std::memcpy(pending_, bytes.data(), bytes.size());
}

Sha1Digest Sha1::finish() noexcept {
  size_t pending = bytes_ % kBlock;
  pending_[pending++] = 0x80;
  if (pending > kLengthAt) {
    std::memset(pending_ + pending, 0, kBlock - pending);
    block(pending_);
    pending = 0;
  }
  std::memset(pending_ + pending, 0, kLengthAt - pending);
  base::store_be64(pending_ + kLengthAt, bytes_ * 8);
  block(pending_);
  Sha1Digest digest;
  for (size_t i = 0; i < 5; i++) base::store_be32(digest.data() + 4 * i, state_[i]);
  return digest;
}

Sha1Digest sha1(base::ByteSpan bytes) noexcept {
  Sha1 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace martlet::codec
