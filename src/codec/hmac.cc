// See hmac.h: H((key ^ opad) . H((key ^ ipad) . message)), where the key is filled up with zeros to one block, and one
// that is longer is hashed first (RFC 2104 §2). Each hash's is a function of its own, which the linker leaves out of
// programs that do not call it.
#include "codec/hmac.h"

#include <cstring>

namespace martlet::codec {

namespace {

constexpr uint8_t kInnerPad = 0x36;
constexpr uint8_t kOuterPad = 0x5C;

template <typename Hash>
typename Hash::State hash_padded(const uint8_t (&key)[Hash::kBlockBytes], uint8_t pad) noexcept {
  uint8_t block[Hash::kBlockBytes];
  for (size_t i = 0; i < Hash::kBlockBytes; i++) block[i] = key[i] ^ pad;
  Hash hash;
  hash.update(block);
  return hash.state();
}

}  // namespace

template <typename Hash>
HmacKeyOf<Hash> hmac_key_of(base::ByteSpan key) noexcept {
  uint8_t block[Hash::kBlockBytes] = {};
  if (key.size() > Hash::kBlockBytes) {
    Hash hash;
    hash.update(key);
    const typename Hash::Digest digest = hash.finish();
    std::memcpy(block, digest.data(), digest.size());
  } else if (!key.empty()) {
    std::memcpy(block, key.data(), key.size());
  }
  return {.inner = hash_padded<Hash>(block, kInnerPad), .outer = hash_padded<Hash>(block, kOuterPad)};
}

template HmacKeyOf<Sha256> hmac_key_of<Sha256>(base::ByteSpan) noexcept;
template HmacKeyOf<Sha384> hmac_key_of<Sha384>(base::ByteSpan) noexcept;
template HmacKeyOf<Sha512> hmac_key_of<Sha512>(base::ByteSpan) noexcept;

}  // namespace martlet::codec
