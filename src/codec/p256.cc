// See p256.h. Numbers modulo p, the curve's field, and modulo n, the order of its point, are kept as Montgomery's method wants
// them (limbs.h); points while they are added in Jacobian coordinates, X / Z² and Y / Z³, which need no division.
//
// A signature (r, s) of e is right when the x of (e/s) G + (r/s) Q is r modulo n. Both products are worked out together, two
// bits of each at a time, with a table of the sixteen sums that there are.
#include "codec/p256.h"

namespace martlet::codec {

namespace {

using Number = P256PublicKey::Number;
using Point = P256PublicKey::Point;
constexpr size_t kLimbs = P256PublicKey::kLimbs;

constexpr Number number_of(uint64_t w3, uint64_t w2, uint64_t w1, uint64_t w0) noexcept {
  const uint64_t words[] = {w0, w1, w2, w3};
  Number number{};
  for (size_t i = 0; i < kLimbs; i++) {
    number.limb[i] = static_cast<Limb>(words[i * sizeof(Limb) / 8] >> i * kLimbBits % 64);
  }
  return number;
}

constexpr bool equal(const Number& a, const Number& b) noexcept { return limbs_equal(a.limb, b.limb, kLimbs); }
constexpr bool less(const Number& a, const Number& b) noexcept { return limbs_less(a.limb, b.limb, kLimbs); }
constexpr bool zero(const Number& a) noexcept { return limbs_zero(a.limb, kLimbs); }

// Arithmetic modulo m. What is multiplied is in Montgomery's form: times R.
struct Modulus {
  Number m;
  Number square;  // R squared
  Limb inverse;

  constexpr explicit Modulus(const Number& modulus) noexcept
      : m(modulus), square(number_of(0, 0, 0, 1)), inverse(montgomery_inverse(modulus.limb[0])) {
    for (size_t i = 0; i < 512; i++) limbs_double_modulo(square.limb, m.limb, kLimbs);
  }
  // Not inlined, as the two below: there are some hundred calls.
  [[gnu::noinline]] constexpr Number multiply(const Number& a, const Number& b) const noexcept {
    Number to{};
    montgomery_multiply<kLimbs>(to.limb, a.limb, b.limb, m.limb, kLimbs, inverse);
    return to;
  }
  constexpr Number in(const Number& a) const noexcept { return multiply(a, square); }
  constexpr Number squared(const Number& a) const noexcept { return multiply(a, a); }
  [[gnu::noinline]] constexpr Number add(const Number& a, const Number& b) const noexcept {
    Number to{};
    const Limb carry = limbs_add(to.limb, a.limb, b.limb, kLimbs);
    if (carry || !limbs_less(to.limb, m.limb, kLimbs)) limbs_subtract(to.limb, to.limb, m.limb, kLimbs);
    return to;
  }
  [[gnu::noinline]] constexpr Number subtract(const Number& a, const Number& b) const noexcept {
    Number to{};
    if (limbs_subtract(to.limb, a.limb, b.limb, kLimbs)) limbs_add(to.limb, to.limb, m.limb, kLimbs);
    return to;
  }
  constexpr Number twice(const Number& a) const noexcept { return add(a, a); }
  // 1 / a, of a prime modulus (Fermat): a to the power of m - 2. Of 0 it is 0.
  constexpr Number invert(const Number& a) const noexcept {
    Number power{};
    const Number two = number_of(0, 0, 0, 2);
    limbs_subtract(power.limb, m.limb, two.limb, kLimbs);
    Number to = in(number_of(0, 0, 0, 1));
    for (size_t bit = 256; bit-- > 0;) {
      to = squared(to);
      if (power.limb[bit / kLimbBits] >> bit % kLimbBits & 1) to = multiply(to, a);
    }
    return to;
  }
};

// SP 800-186 §3.2.1.3.
constexpr Modulus kP(number_of(0xFFFFFFFF00000001, 0x0000000000000000, 0x00000000FFFFFFFF, 0xFFFFFFFFFFFFFFFF));
constexpr Modulus kN(number_of(0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFF, 0xBCE6FAADA7179E84, 0xF3B9CAC2FC632551));
constexpr Number kOne = kP.in(number_of(0, 0, 0, 1));
constexpr Number kB = kP.in(number_of(0x5AC635D8AA3A93E7, 0xB3EBBD55769886BC, 0x651D06B0CC53B0F6, 0x3BCE3C3E27D2604B));
constexpr Point kG = {kP.in(number_of(0x6B17D1F2E12C4247, 0xF8BCE6E563A440F2, 0x77037D812DEB33A0, 0xF4A13945D898C296)),
                      kP.in(number_of(0x4FE342E2FE1A7F9B, 0x8EE7EB4A7C0F9E16, 0x2BCE33576B315ECE, 0xCBB6406837BF51F5)), false};

// y² = x³ - 3 x + b
bool on_curve(const Number& x, const Number& y) noexcept {
  const Number cube = kP.multiply(kP.squared(x), x);
  const Number right = kP.add(kP.subtract(cube, kP.add(kP.twice(x), x)), kB);
  return equal(kP.squared(y), right);
}

struct Jacobian {
  Number x, y, z;  // z is 0 at infinity
};

constexpr Jacobian kInfinity = {kOne, kOne, Number{}};

// dbl-2001-b of the Explicit-Formulas Database, for curves with a = -3. Infinity stays there.
Jacobian twice(const Jacobian& a) noexcept {
  const Number delta = kP.squared(a.z);
  const Number gamma = kP.squared(a.y);
  const Number beta4 = kP.twice(kP.twice(kP.multiply(a.x, gamma)));
  const Number third = kP.multiply(kP.subtract(a.x, delta), kP.add(a.x, delta));
  const Number alpha = kP.add(kP.twice(third), third);
  Jacobian to;
  to.x = kP.subtract(kP.squared(alpha), kP.twice(beta4));
  to.z = kP.subtract(kP.subtract(kP.squared(kP.add(a.y, a.z)), gamma), delta);
  const Number gamma8 = kP.twice(kP.twice(kP.twice(kP.squared(gamma))));
  to.y = kP.subtract(kP.multiply(alpha, kP.subtract(beta4, to.x)), gamma8);
  return to;
}

// All sums, those of equal and of opposite points included.
Jacobian add(const Jacobian& a, const Point& b) noexcept {
  if (b.none) return a;
  if (zero(a.z)) return {b.x, b.y, kOne};
  const Number zz = kP.squared(a.z);
  const Number h = kP.subtract(kP.multiply(b.x, zz), a.x);
  const Number r = kP.subtract(kP.multiply(kP.multiply(b.y, a.z), zz), a.y);
  if (zero(h)) return zero(r) ? twice(a) : kInfinity;
  const Number hh = kP.squared(h);
  const Number hhh = kP.multiply(hh, h);
  const Number v = kP.multiply(a.x, hh);
  Jacobian to;
  to.x = kP.subtract(kP.subtract(kP.squared(r), hhh), kP.twice(v));
  to.y = kP.subtract(kP.multiply(r, kP.subtract(v, to.x)), kP.multiply(a.y, hhh));
  to.z = kP.multiply(a.z, h);
  return to;
}

Point point_of(const Jacobian& a) noexcept {
  if (zero(a.z)) return {{}, {}, true};
  const Number inverse = kP.invert(a.z);
  const Number square = kP.squared(inverse);
  return {kP.multiply(a.x, square), kP.multiply(a.y, kP.multiply(square, inverse)), false};
}

unsigned two_bits(const Number& a, size_t at) noexcept {
  return static_cast<unsigned>(a.limb[at / kLimbBits] >> at % kLimbBits & 3);
}

// Whether the x of this point, which is not at infinity, is that number below p, without a division: x = X / Z².
bool has_x(const Jacobian& point, const Number& x) noexcept {
  return equal(kP.multiply(kP.in(x), kP.squared(point.z)), point.x);
}

}  // namespace

bool P256PublicKey::set(base::ByteSpan x, base::ByteSpan y) noexcept {
  Number plain_x, plain_y;
  if (x.size() != kBytes || y.size() != kBytes) return false;
  if (!limbs_from_bytes(plain_x.limb, kLimbs, x) || !limbs_from_bytes(plain_y.limb, kLimbs, y)) return false;
  if (!less(plain_x, kP.m) || !less(plain_y, kP.m)) return false;
  const Point key = {kP.in(plain_x), kP.in(plain_y), false};
  if (!on_curve(key.x, key.y)) return false;
  Jacobian row = kInfinity;
  for (size_t j = 0; j < 4; j++, row = add(row, key)) {
    Jacobian sum = row;
    for (size_t i = 0; i < 4; i++, sum = add(sum, kG)) sums_[4 * j + i] = point_of(sum);
  }
  return true;
}

bool P256PublicKey::verify(const Sha256Digest& digest, base::ByteSpan signature) const noexcept {
  if (signature.size() != 2 * kBytes) return false;
  Number r, s, e;
  limbs_from_bytes(r.limb, kLimbs, signature.first(kBytes));
  limbs_from_bytes(s.limb, kLimbs, signature.last(kBytes));
  limbs_from_bytes(e.limb, kLimbs, digest);
  if (zero(r) || zero(s) || !less(r, kN.m) || !less(s, kN.m)) return false;
  // A product of a number in Montgomery's form and one that is not is not.
  const Number inverse = kN.invert(kN.in(s));
  const Number u1 = kN.multiply(e, inverse);
  const Number u2 = kN.multiply(r, inverse);
  Jacobian sum = kInfinity;
  for (size_t at = 256; at > 0;) {
    at -= 2;
    sum = add(twice(twice(sum)), sums_[4 * two_bits(u2, at) + two_bits(u1, at)]);
  }
  if (zero(sum.z)) return false;
  if (has_x(sum, r)) return true;
  // p is a little more than n: x may have been r + n.
  Number other;
  return limbs_add(other.limb, r.limb, kN.m.limb, kLimbs) == 0 && less(other, kP.m) && has_x(sum, other);
}

}  // namespace martlet::codec
