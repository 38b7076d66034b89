// SHA-256 around the kernel that works its blocks.
#include "codec/sha256.h"

#include "codec/block_bytes.h"
#include "simd/hash_kernels.h"

namespace martlet::codec {

void Sha256::work(const uint8_t* data, size_t blocks) noexcept { simd::hash_kernels->sha256(state_.data(), data, blocks); }

void Sha256::update(base::ByteSpan bytes) noexcept {
  feed_blocks(bytes, bytes_, pending_, [this](const uint8_t* data, size_t blocks) { work(data, blocks); });
}

Sha256Digest Sha256::finish() noexcept {
  end_blocks(bytes_, pending_, [this](const uint8_t* data, size_t blocks) { work(data, blocks); });
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
