// The sets of kernels by name, and which of them this build has. Each lives in the file of its name and is absent
// from builds for other machines; whether the CPU can run it is found out in dispatch.cc.
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

}  // namespace martlet::simd
