// See hmac.h: H((key ^ opad) . H((key ^ ipad) . message)), where the key is filled up with zeros to one block, and one
// that is longer is hashed first (RFC 2104 §2).
#include "codec/hmac.h"

#include <cstring>

namespace martlet::codec {

namespace {

constexpr uint8_t kInnerPad = 0x36;
constexpr uint8_t kOuterPad = 0x5C;

Sha256State hash_padded(const uint8_t (&key)[Sha256::kBlockBytes], uint8_t pad) noexcept {
  uint8_t block[Sha256::kBlockBytes];
  for (size_t i = 0; i < Sha256::kBlockBytes; i++) block[i] = key[i] ^ pad;
  Sha256 hash;
  hash.update(block);
  return hash.state();
}

}  // namespace

HmacKey hmac_key(base::ByteSpan key) noexcept {
  Sha256Digest digest;
  if (key.size() > Sha256::kBlockBytes) {
    digest = sha256(key);
    key = digest;
  }
  uint8_t block[Sha256::kBlockBytes] = {};
  if (!key.empty()) std::memcpy(block, key.data(), key.size());
  return {.inner = hash_padded(block, kInnerPad), .outer = hash_padded(block, kOuterPad)};
}

Sha256Digest HmacSha256::finish() noexcept {
  const Sha256Digest inner = inside_.finish();
  Sha256 outside(outer_, 1);
  outside.update(inner);
  return outside.finish();
}

Sha256Digest hmac_sha256(const HmacKey& key, base::ByteSpan message) noexcept {
  HmacSha256 mac(key);
  mac.update(message);
  return mac.finish();
}

}  // namespace martlet::codec
