// Products of 64 by 64 bits in full, by the compiler's integers of 128 bits where it has them, else in halves.
#pragma once

#include <cstdint>

namespace martlet::json {

struct Wide {
  uint64_t high, low;
};

// Without 128-bit integers: of machines of 32 bits. Here always, so that the tests compare the two.
constexpr Wide multiply_halves(uint64_t a, uint64_t b) noexcept {
  const uint64_t a0 = a & 0xFFFFFFFF, a1 = a >> 32, b0 = b & 0xFFFFFFFF, b1 = b >> 32;
  const uint64_t low = a0 * b0;
  const uint64_t middle = a1 * b0 + (low >> 32);
  const uint64_t other = a0 * b1 + (middle & 0xFFFFFFFF);
  return {a1 * b1 + (middle >> 32) + (other >> 32), other << 32 | (low & 0xFFFFFFFF)};
}

#ifdef __SIZEOF_INT128__
constexpr Wide multiply(uint64_t a, uint64_t b) noexcept {
  __extension__ using Product = unsigned __int128;
  const Product product = Product{a} * b;
  return {static_cast<uint64_t>(product >> 64), static_cast<uint64_t>(product)};
}
#else
constexpr Wide multiply(uint64_t a, uint64_t b) noexcept {
  return multiply_halves(a, b);
}
#endif

}  // namespace martlet::json
