// HMAC-SHA-256 (RFC 2104, RFC 6234): a digest that only who has the key can work out. To check one, work it out again
// and compare in constant time (base/constant_time.h).
//
//   const HmacKey key = hmac_key(secret);                       once
//   HmacSha256 mac(key); mac.update(text); mac.finish()         for each message
//
// No allocation; any thread.
#pragma once

#include "codec/sha256.h"

namespace martlet::codec {

// A key of any length, with its block hashed already, inside and outside: a message costs two blocks less. As good as the
// key to whoever gets hold of it.
struct HmacKey {
  Sha256State inner;
  Sha256State outer;
};

HmacKey hmac_key(base::ByteSpan key) noexcept;

class HmacSha256 {
 public:
  explicit HmacSha256(const HmacKey& key) noexcept : outer_(key.outer), inside_(key.inner, 1) {}
  void update(base::ByteSpan bytes) noexcept { inside_.update(bytes); }
  // The object is spent afterwards.
  Sha256Digest finish() noexcept;

 private:
  Sha256State outer_;
  Sha256 inside_;
};

Sha256Digest hmac_sha256(const HmacKey& key, base::ByteSpan message) noexcept;

}  // namespace martlet::codec
