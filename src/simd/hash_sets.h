// The sets of hash kernels by name, which of them this build has, and the constants that all of them add.
#pragma once

#include "simd/hash_kernels.h"
#include "simd/sets.h"

// arm_neon.h of clang up to 15 has these instructions only where the whole unit may use them.
#if MARTLET_SIMD_NEON && (defined(__ARM_FEATURE_SHA2) || !defined(__clang__) || __clang_major__ >= 16)
#define MARTLET_SIMD_ARM_SHA 1
#else
#define MARTLET_SIMD_ARM_SHA 0
#endif

namespace martlet::simd {

extern const HashKernels hash_kernels_scalar;
extern const HashKernels hash_kernels_x86;
extern const HashKernels hash_kernels_arm;

// In hash_x86.cc and hash_cpu_arm.cc.
bool cpu_has_x86_sha() noexcept;
bool cpu_has_arm_sha() noexcept;

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4 §4.2.2).
struct alignas(16) Sha256Rounds {
  uint32_t of[64];
};
extern const Sha256Rounds sha256_rounds;

}  // namespace martlet::simd
