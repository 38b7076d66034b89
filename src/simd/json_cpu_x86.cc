// What the JSON kernels need of an x86-64 CPU beyond what cpu_x86.cc asks for. CPUs with AVX2 have all of it, virtual
// machines may hide some.
#include "simd/json_sets.h"

#if MARTLET_SIMD_X86

#include <cpuid.h>

namespace martlet::simd {

namespace {

constexpr unsigned bit(int n) { return 1u << n; }

constexpr unsigned kPclmulPopcnt = bit(1) | bit(23);  // leaf 1, ecx
constexpr unsigned kBmi1 = bit(3);                    // leaf 7, ebx
constexpr unsigned kAvx512Vbmi2 = bit(6);             // leaf 7, ecx

bool has(unsigned leaf1_ecx, unsigned leaf7_ebx, unsigned leaf7_ecx) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1_ecx) != leaf1_ecx) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & leaf7_ebx) == leaf7_ebx && (c & leaf7_ecx) == leaf7_ecx;
}

}  // namespace

bool cpu_has_json_avx2() noexcept { return cpu_has_avx2() && has(kPclmulPopcnt, kBmi1, 0); }
bool cpu_has_json_avx512() noexcept { return cpu_has_avx512() && has(kPclmulPopcnt, kBmi1, kAvx512Vbmi2); }

}  // namespace martlet::simd

#endif
