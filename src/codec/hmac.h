// HMAC (RFC 2104, RFC 6234) with SHA-256, SHA-384 and SHA-512: a digest that only who has the key can work out. To check one,
// work it out again and compare in constant time (base/constant_time.h).
//
//   const HmacKey key = hmac_key(secret);                       once
//   HmacSha256 mac(key); mac.update(text); mac.finish()         for each message
//
// The short names are those of SHA-256; HmacKeyOf<Sha512>, hmac_key_of<Sha512>() and HmacOf<Sha512> are the same of another
// hash. No allocation; any thread.
#pragma once

#include "codec/sha256.h"
#include "codec/sha512.h"

namespace martlet::codec {

// A key of any length, with its block hashed already, inside and outside: a message costs two blocks less. As good as the
// key to whoever gets hold of it.
template <typename Hash>
struct HmacKeyOf {
  typename Hash::State inner;
  typename Hash::State outer;
};

template <typename Hash>
HmacKeyOf<Hash> hmac_key_of(base::ByteSpan key) noexcept;

template <typename Hash>
class HmacOf {
 public:
  explicit HmacOf(const HmacKeyOf<Hash>& key) noexcept : outer_(key.outer), inside_(key.inner, 1) {}
  void update(base::ByteSpan bytes) noexcept { inside_.update(bytes); }
  // The object is spent afterwards.
  typename Hash::Digest finish() noexcept {
    const typename Hash::Digest inner = inside_.finish();
    Hash outside(outer_, 1);
    outside.update(inner);
    return outside.finish();
  }

 private:
  typename Hash::State outer_;
  Hash inside_;
};

template <typename Hash>
typename Hash::Digest hmac_of(const HmacKeyOf<Hash>& key, base::ByteSpan message) noexcept {
  HmacOf<Hash> mac(key);
  mac.update(message);
  return mac.finish();
}

using HmacKey = HmacKeyOf<Sha256>;
using HmacSha256 = HmacOf<Sha256>;

inline HmacKey hmac_key(base::ByteSpan key) noexcept { return hmac_key_of<Sha256>(key); }
inline Sha256Digest hmac_sha256(const HmacKey& key, base::ByteSpan message) noexcept { return hmac_of<Sha256>(key, message); }

}  // namespace martlet::codec
