// The blocks of SHA-256 by the instructions that CPUs have for it, behind a third table of pointers: a program that never
// names hash_kernels links none of it.
//
// The table is chosen as the one of kernels.h is: the first that the CPU can run, once, before main(), or that of
// MARTLET_FORCE_KERNELS. No state but what is passed in; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace martlet::simd {

struct HashKernels {
  const char* name;

  // Works `blocks` blocks of 64 bytes into the eight words of the state (FIPS 180-4 §6.2.2).
  void (*sha256)(uint32_t* state, const uint8_t* data, size_t blocks);
};

// The set in use. Never null: it is scalar from load time on, and the chosen set once the constructors of static
// objects have run. It does not change after that.
extern const HashKernels* hash_kernels;

// All sets that this build has and this CPU can run, the fastest first; scalar is always last. For tests and benchmarks.
struct HashKernelList {
  const HashKernels* const* begin_;
  const HashKernels* const* end_;
  const HashKernels* const* begin() const noexcept { return begin_; }
  const HashKernels* const* end() const noexcept { return end_; }
};
HashKernelList available_hash_kernels() noexcept;

}  // namespace martlet::simd
