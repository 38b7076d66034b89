// SHA-256 around the kernel that works its blocks: bytes are gathered into blocks of 64, and the last ones end with a bit of
// one, zeros, and the length (FIPS 180-4 §5.1.1).
#include "codec/sha256.h"

#include <cstring>

#include "simd/hash_kernels.h"

namespace martlet::codec {

namespace {
constexpr size_t kLengthAt = 56;  // the last eight bytes of the last block hold the length in bits
}

void Sha256::work(const uint8_t* data, size_t blocks) noexcept { simd::hash_kernels->sha256(state_.data(), data, blocks); }

void Sha256::update(base::ByteSpan bytes) noexcept {
  if (bytes.empty()) return;
  const size_t pending = bytes_ % kBlockBytes;
  bytes_ += bytes.size();
  if (pending > 0) {
    const size_t room = kBlockBytes - pending;
    const size_t taken = bytes.size() < room ? bytes.size() : room;
    std::memcpy(pending_ + pending, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    if (taken < room) return;
    work(pending_, 1);
  }
  const size_t blocks = bytes.size() / kBlockBytes;
  if (blocks > 0) work(bytes.data(), blocks);
  bytes = bytes.subspan(blocks * kBlockBytes);
  if (!bytes.empty()) std::memcpy(pending_, bytes.data(), bytes.size());
}

Sha256Digest Sha256::finish() noexcept {
  size_t pending = bytes_ % kBlockBytes;
  pending_[pending++] = 0x80;
  if (pending > kLengthAt) {
    std::memset(pending_ + pending, 0, kBlockBytes - pending);
    work(pending_, 1);
    pending = 0;
  }
  std::memset(pending_ + pending, 0, kLengthAt - pending);
  base::store_be64(pending_ + kLengthAt, bytes_ * 8);
  work(pending_, 1);
  Sha256Digest digest;
  for (size_t i = 0; i < state_.size(); i++) base::store_be32(digest.data() + 4 * i, state_[i]);
  return digest;
}

Sha256Digest sha256(base::ByteSpan bytes) noexcept {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace martlet::codec
