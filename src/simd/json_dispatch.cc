// Picks the set of JSON kernels, once, as dispatch.cc does for the others (and says why). A file of its own: who does
// not name json_kernels links neither this nor what it names.
#include "simd/choose.h"
#include "simd/json_sets.h"

namespace martlet::simd {

namespace {

// Widest first.
constexpr Candidate<JsonKernels> kCandidates[] = {
#if MARTLET_SIMD_X86
    {&json_kernels_avx512, cpu_has_json_avx512},
    {&json_kernels_avx2, cpu_has_json_avx2},
    {&json_kernels_sse2, always},
#endif
#if MARTLET_SIMD_NEON
    {&json_kernels_neon, always},
#endif
    {&json_kernels_scalar, always},
};

}  // namespace

JsonKernelList available_json_kernels() noexcept {
  static const Available available(kCandidates);
  return {available.sets, available.sets + available.count};
}

constinit const JsonKernels* json_kernels = &json_kernels_scalar;

namespace {
[[maybe_unused]] const bool chosen = (json_kernels = choose(available_json_kernels()), true);
}  // namespace

}  // namespace martlet::simd
