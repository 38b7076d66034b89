// The sets of JSON kernels by name, and what they share with the scalar one. Which exist is told in sets.h.
#pragma once

#include "simd/json_kernels.h"
#include "simd/sets.h"

namespace martlet::simd {

extern const JsonKernels json_kernels_scalar;
extern const JsonKernels json_kernels_sse2;
extern const JsonKernels json_kernels_avx2;
extern const JsonKernels json_kernels_avx512;
extern const JsonKernels json_kernels_neon;

// In json_cpu_x86.cc, for builds with MARTLET_SIMD_X86. All the features that the set of this name uses.
bool cpu_has_json_avx2() noexcept;
bool cpu_has_json_avx512() noexcept;

// The scalar index of data[at..at + size), its offsets counted from data. Where the entries end.
uint16_t* json_index_scalar(JsonIndexState* state, const uint8_t* data, size_t at, size_t size, uint16_t* out) noexcept;

// The classes of bytes.
enum : uint8_t {
  kJsonScalar = 0,
  kJsonSpace = 1,
  kJsonStructural = 2,
  kJsonQuote = 4,
  kJsonBackslash = 8,
  kJsonControl = 16,
  kJsonNotPlain = kJsonQuote | kJsonBackslash | kJsonControl,  // what a string must escape
};
struct alignas(64) JsonClasses {
  uint8_t of[256];
};
extern const JsonClasses json_classes;

}  // namespace martlet::simd
