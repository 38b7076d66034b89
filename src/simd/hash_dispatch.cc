// Picks the set of hash kernels, once, as dispatch.cc does for the others (and says why). A file of its own: who does not
// name hash_kernels links neither this nor what it names.
#include "simd/choose.h"
#include "simd/hash_sets.h"

namespace martlet::simd {

namespace {

// The fastest first.
constexpr Candidate<HashKernels> kCandidates[] = {
#if MARTLET_SIMD_X86
    {&hash_kernels_x86, cpu_has_x86_sha},
#endif
#if MARTLET_SIMD_ARM_SHA
    {&hash_kernels_arm, cpu_has_arm_sha},
#endif
    {&hash_kernels_scalar, always},
};

}  // namespace

HashKernelList available_hash_kernels() noexcept {
  static const Available available(kCandidates);
  return {available.sets, available.sets + available.count};
}

constinit const HashKernels* hash_kernels = &hash_kernels_scalar;

namespace {
[[maybe_unused]] const bool chosen = (hash_kernels = choose(available_hash_kernels()), true);
}  // namespace

}  // namespace martlet::simd
