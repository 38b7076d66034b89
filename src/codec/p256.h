// Checks of ECDSA signatures on the curve P-256 (FIPS 186-4 §6.4, SP 800-186). Public keys only: there is nothing to be kept
// secret, and nothing is done in constant time, but each check takes about the same. No allocation; any thread.
#pragma once

#include <cstdint>

#include "codec/limbs.h"
#include "codec/sha256.h"

namespace martlet::codec {

class P256PublicKey {
 public:
  static constexpr size_t kBytes = 32;  // of a coordinate, and of each half of a signature

  // From the two coordinates, big-endian, kBytes each. False, and the key is of no use, when they are not those of a point of
  // the curve: with another one, signatures could be made by who has no key.
  bool set(base::ByteSpan x, base::ByteSpan y) noexcept;
  // Whether this signature, r and s behind each other (IEEE P1363; RFC 7518 §3.4), is of what has this digest.
  bool verify(const Sha256Digest& digest, base::ByteSpan signature) const noexcept;

  static constexpr size_t kLimbs = limbs_of_bits(256);
  struct Number {
    Limb limb[kLimbs];
  };
  struct Point {  // not the one at infinity, which has no coordinates: `none`
    Number x, y;
    bool none;
  };

 private:
  // i G + j Q at 4 j + i, for i and j below 4, where G is the curve's own point and Q the key.
  Point sums_[16];
};

}  // namespace martlet::codec
