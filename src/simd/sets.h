// The sets of kernels by name, and which of them this build has. Each lives in the file of its name and is absent
// from builds for other machines; dispatch.cc finds out whether the CPU can run it.
#pragma once

#include "simd/kernels.h"

// Two architectures have vector sets: x86-64, and little-endian AArch64. All others use the scalar one.
#if defined(__x86_64__)
#define MARTLET_SIMD_X86 1
#else
#define MARTLET_SIMD_X86 0
#endif

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__AARCH64EL__)
#define MARTLET_SIMD_NEON 1
#else
#define MARTLET_SIMD_NEON 0
#endif

namespace martlet::simd {

extern const Kernels kernels_scalar;
extern const Kernels kernels_sse2;
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
extern const Kernels kernels_neon;

// In cpu_x86.cc, for builds with MARTLET_SIMD_X86. All the features that the set of this name uses.
bool cpu_has_avx2() noexcept;
bool cpu_has_avx512() noexcept;

}  // namespace martlet::simd
