// Picks the set of kernels, once.
//
// The pointer is scalar from load time on (constant initialisation), so a constructor of a static object anywhere may
// use it; the initialiser of `chosen` in this file then replaces it, before main() and so before any other thread.
// A plain pointer rather than ifunc or target_clones: musl has neither. A new set is one line in kCandidates.
#include "simd/choose.h"
#include "simd/sets.h"

namespace martlet::simd {

namespace {

// Widest first.
constexpr Candidate<Kernels> kCandidates[] = {
#if MARTLET_SIMD_X86
    {&kernels_avx512, cpu_has_avx512}, {&kernels_avx2, cpu_has_avx2}, {&kernels_sse2, always},
#endif
#if MARTLET_SIMD_NEON
    {&kernels_neon, always},
#endif
    {&kernels_scalar, always},
};

}  // namespace

KernelList available_kernels() noexcept {
  static const Available available(kCandidates);
  return {available.sets, available.sets + available.count};
}

constinit const Kernels* kernels = &kernels_scalar;

namespace {
[[maybe_unused]] const bool chosen = (kernels = choose(available_kernels()), true);
}  // namespace

}  // namespace martlet::simd
