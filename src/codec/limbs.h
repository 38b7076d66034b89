// Whole numbers of any fixed size as limbs, the lowest first, and arithmetic modulo an odd number by Montgomery's method: what
// verifying signatures takes (rsa_verify.h, p256.h). Limbs have 64 bits where the compiler multiplies those in full.
//
// For public numbers only: how long it takes depends on them. No allocation, no state; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

#ifdef __SIZEOF_INT128__
using Limb = uint64_t;
__extension__ using WideLimb = unsigned __int128;
#else
using Limb = uint32_t;
using WideLimb = uint64_t;
#endif

inline constexpr size_t kLimbBits = sizeof(Limb) * 8;

constexpr size_t limbs_of_bits(size_t bits) noexcept { return (bits + kLimbBits - 1) / kLimbBits; }

constexpr bool limbs_less(const Limb* a, const Limb* b, size_t size) noexcept {
  for (size_t i = size; i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

constexpr bool limbs_equal(const Limb* a, const Limb* b, size_t size) noexcept {
  for (size_t i = 0; i < size; i++) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

constexpr bool limbs_zero(const Limb* a, size_t size) noexcept {
  for (size_t i = 0; i < size; i++) {
    if (a[i] != 0) return false;
  }
  return true;
}

// to = a + b; the carry.
constexpr Limb limbs_add(Limb* to, const Limb* a, const Limb* b, size_t size) noexcept {
  Limb carry = 0;
  for (size_t i = 0; i < size; i++) {
    const WideLimb sum = WideLimb{a[i]} + b[i] + carry;
    to[i] = static_cast<Limb>(sum);
    carry = static_cast<Limb>(sum >> kLimbBits);
  }
  return carry;
}

// to = a - b; the borrow.
constexpr Limb limbs_subtract(Limb* to, const Limb* a, const Limb* b, size_t size) noexcept {
  Limb borrow = 0;
  for (size_t i = 0; i < size; i++) {
    const WideLimb difference = WideLimb{a[i]} - b[i] - borrow;
    to[i] = static_cast<Limb>(difference);
    borrow = static_cast<Limb>(difference >> kLimbBits) & 1;
  }
  return borrow;
}

// to = 2 to modulo n, of a number below n.
constexpr void limbs_double_modulo(Limb* to, const Limb* n, size_t size) noexcept {
  const Limb carry = limbs_add(to, to, to, size);
  if (carry || !limbs_less(to, n, size)) limbs_subtract(to, to, n, size);
}

// From bytes, big-endian. False when they are more than fit.
inline bool limbs_from_bytes(Limb* to, size_t size, base::ByteSpan bytes) noexcept {
  while (!bytes.empty() && bytes.front() == 0) bytes = bytes.subspan(1);
  if (bytes.size() > size * sizeof(Limb)) return false;
  for (size_t i = 0; i < size; i++) to[i] = 0;
  for (size_t i = 0; i < bytes.size(); i++) {
    to[i / sizeof(Limb)] |= static_cast<Limb>(bytes[bytes.size() - 1 - i]) << i % sizeof(Limb) * 8;
  }
  return true;
}

// Into bytes.size() bytes, big-endian; what does not fit is left out.
inline void limbs_to_bytes(const Limb* from, size_t size, base::MutableByteSpan bytes) noexcept {
  for (size_t i = 0; i < bytes.size(); i++) {
    const Limb limb = i / sizeof(Limb) < size ? from[i / sizeof(Limb)] : 0;
    bytes[bytes.size() - 1 - i] = static_cast<uint8_t>(limb >> i % sizeof(Limb) * 8);
  }
}

// -1 / n modulo the size of a limb, of an odd n: each step doubles the bits that are right (three at first).
constexpr Limb montgomery_inverse(Limb n) noexcept {
  Limb inverse = n;
  for (size_t bits = 3; bits < kLimbBits; bits *= 2) inverse *= 2 - n * inverse;
  return 0 - inverse;
}

// to = a b / R modulo n, where R is 2 to the power of all bits of the limbs. One of a and b is below n, n is odd, size is at
// most kMost. `to` may be a or b. (Koç, Acar, Kaliski 1996: CIOS.)
template <size_t kMost>
constexpr void montgomery_multiply(Limb* to, const Limb* a, const Limb* b, const Limb* n, size_t size, Limb inverse) noexcept {
  Limb t[kMost + 2] = {};
  for (size_t i = 0; i < size; i++) {
    WideLimb sum = 0;
    for (size_t j = 0; j < size; j++) {
      sum = WideLimb{a[j]} * b[i] + t[j] + static_cast<Limb>(sum >> kLimbBits);
      t[j] = static_cast<Limb>(sum);
    }
    sum = WideLimb{t[size]} + static_cast<Limb>(sum >> kLimbBits);
    t[size] = static_cast<Limb>(sum);
    t[size + 1] = static_cast<Limb>(sum >> kLimbBits);
    const Limb factor = t[0] * inverse;
    sum = WideLimb{factor} * n[0] + t[0];
    for (size_t j = 1; j < size; j++) {
      sum = WideLimb{factor} * n[j] + t[j] + static_cast<Limb>(sum >> kLimbBits);
      t[j - 1] = static_cast<Limb>(sum);
    }
    sum = WideLimb{t[size]} + static_cast<Limb>(sum >> kLimbBits);
    t[size - 1] = static_cast<Limb>(sum);
    t[size] = t[size + 1] + static_cast<Limb>(sum >> kLimbBits);
  }
  if (t[size] || !limbs_less(t, n, size)) {
    limbs_subtract(to, t, n, size);
  } else {
    for (size_t i = 0; i < size; i++) to[i] = t[i];
  }
}

}  // namespace martlet::codec
