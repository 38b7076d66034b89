// Whether an AArch64 CPU has the instructions for SHA-256. No instruction tells a program; systems do, each in its way. Linux
// hands it to every process when it starts. Elsewhere, the compiler decides: it takes them for granted for Apple's CPUs.
#include "simd/hash_sets.h"

#if MARTLET_SIMD_ARM_SHA

#if defined(__linux__) && !defined(__ARM_FEATURE_SHA2)

#include <sys/auxv.h>

namespace martlet::simd {

namespace {
constexpr unsigned long kSha2 = 1ul << 6;  // HWCAP_SHA2
}

bool cpu_has_arm_sha() noexcept { return (getauxval(AT_HWCAP) & kSha2) != 0; }

}  // namespace martlet::simd

#elif defined(__ARM_FEATURE_SHA2)

namespace martlet::simd {
bool cpu_has_arm_sha() noexcept { return true; }
}  // namespace martlet::simd

#else

namespace martlet::simd {
bool cpu_has_arm_sha() noexcept { return false; }
}  // namespace martlet::simd

#endif

#endif
