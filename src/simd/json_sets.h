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

// The classes of bytes. Each is a scalar's, stops the parser, or is white space; some are something else besides.
enum : uint8_t {
  kJsonScalar = 1,
  kJsonStop = 2,  // structural, or a quote
  kJsonQuote = 4,
  kJsonBackslash = 8,
  kJsonControl = 16,
  kJsonNotPlain = kJsonQuote | kJsonBackslash | kJsonControl,  // what a string must escape
};
struct alignas(64) JsonClasses {
  uint8_t of[256];
};
extern const JsonClasses json_classes;

// Eight bytes as they lie in memory: 0 if a string need not escape any. Else, on a little-endian machine, the lowest
// bit set is the high bit of the first that it must.
static inline uint64_t json_not_plain(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  const uint64_t quote = bytes ^ kOnes * '"';
  const uint64_t backslash = bytes ^ kOnes * '\\';
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | ((bytes - kOnes * 0x20) & ~bytes)) &
         kOnes * 0x80;
}

}  // namespace martlet::simd
