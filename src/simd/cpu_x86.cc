// What an x86-64 CPU can run. Asked of CPUID directly: __builtin_cpu_supports needs a symbol of the compiler's runtime
// library (__cpu_model) that zig's does not have (ziglang/zig#18074), and zig is how people link against musl.
//
// A feature counts only when the operating system saves its registers too (XCR0; Intel SDM vol. 1 §14.3, §15.2).
#include "simd/sets.h"

#if MARTLET_SIMD_X86

#include <cpuid.h>

namespace martlet::simd {

namespace {

constexpr unsigned bit(int n) { return 1u << n; }

constexpr unsigned kOsxsaveAvx = bit(27) | bit(28);             // leaf 1, ecx
constexpr unsigned kAvx2Bmi2 = bit(5) | bit(8);                 // leaf 7, ebx
constexpr unsigned kAvx512FBwVl = bit(16) | bit(30) | bit(31);  // leaf 7, ebx
constexpr unsigned kAvx512Vbmi = bit(1);                        // leaf 7, ecx
constexpr unsigned kYmmState = bit(1) | bit(2);                 // XCR0
constexpr unsigned kZmmState = bit(5) | bit(6) | bit(7);        // XCR0

constexpr bool has(unsigned word, unsigned bits) { return (word & bits) == bits; }

// The low half of XCR0, 0 when the system saves nothing but SSE.
unsigned saved_state() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, kOsxsaveAvx)) return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

bool cpu_has_avx2() noexcept {
  unsigned a, b, c, d;
  return has(saved_state(), kYmmState) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && has(b, kAvx2Bmi2);
}

bool cpu_has_avx512() noexcept {
  unsigned a, b, c, d;
  return has(saved_state(), kYmmState | kZmmState) && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
         has(b, kAvx2Bmi2 | kAvx512FBwVl) && has(c, kAvx512Vbmi);
}

}  // namespace martlet::simd

#endif
