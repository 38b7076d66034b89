// Checks of RSA signatures, RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.2). Public keys only: there is nothing to be kept
// secret, and nothing is done in constant time. A check takes about 19 multiplications with the usual exponent, and at most
// 64 with any. No allocation; any thread.
#pragma once

#include <cstdint>

#include "codec/limbs.h"
#include "codec/sha256.h"

namespace martlet::codec {

class RsaPublicKey {
 public:
  static constexpr size_t kLeastBits = 2048;  // less can be broken, or nearly (NIST SP 800-131A)
  static constexpr size_t kMostBits = 4096;

  // From the two numbers, big-endian. False, and the key is of no use, unless the modulus is odd and has kLeastBits to
  // kMostBits, and the exponent is odd, at least 3 and below 2 to the 32.
  bool set(base::ByteSpan modulus, base::ByteSpan exponent) noexcept;
  // Whether this signature is of what has this digest. It must be exactly as long as the modulus.
  bool verify(const Sha256Digest& digest, base::ByteSpan signature) const noexcept;

 private:
  static constexpr size_t kMostLimbs = limbs_of_bits(kMostBits);
  void multiply(Limb* to, const Limb* a, const Limb* b) const noexcept;
  void raise(Limb* to) const noexcept;
  Limb modulus_[kMostLimbs];
  Limb square_[kMostLimbs];  // R squared, modulo the modulus
  Limb inverse_;
  uint32_t exponent_;
  uint32_t bytes_;
  uint32_t limbs_;
};

}  // namespace martlet::codec
