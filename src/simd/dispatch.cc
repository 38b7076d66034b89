// Picks the set of kernels, once.
//
// The pointer is scalar from load time on (constant initialisation), so a constructor of a static object anywhere may
// use it; the initialiser of `chosen` in this file then replaces it, before main() and so before any other thread.
// A plain pointer rather than ifunc or target_clones: musl has neither. A new set is one line in kCandidates.
#include <cstdlib>
#include <cstring>

#include "simd/sets.h"

namespace martlet::simd {

namespace {

struct Candidate {
  const Kernels* set;
  bool (*runs_here)() noexcept;
};

bool always() noexcept { return true; }

// Widest first.
constexpr Candidate kCandidates[] = {
#if MARTLET_SIMD_X86
    {&kernels_avx512, cpu_has_avx512}, {&kernels_avx2, cpu_has_avx2}, {&kernels_sse2, always},
#endif
#if MARTLET_SIMD_NEON
    {&kernels_neon, always},
#endif
    {&kernels_scalar, always},
};

struct Available {
  const Kernels* sets[sizeof kCandidates / sizeof kCandidates[0]];
  size_t count = 0;

  Available() noexcept {
    for (const Candidate& candidate : kCandidates) {
      if (candidate.runs_here()) sets[count++] = candidate.set;
    }
  }
};

const Kernels* choose() noexcept {
  const KernelList list = available_kernels();
  if (const char* forced = std::getenv("MARTLET_FORCE_KERNELS")) {
    for (const Kernels* set : list) {
      if (std::strcmp(set->name, forced) == 0) return set;
    }
  }
  return *list.begin();
}

}  // namespace

KernelList available_kernels() noexcept {
  static const Available available;
  return {available.sets, available.sets + available.count};
}

constinit const Kernels* kernels = &kernels_scalar;

namespace {
[[maybe_unused]] const bool chosen = (kernels = choose(), true);
}  // namespace

}  // namespace martlet::simd
