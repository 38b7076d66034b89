// The vectorised loops of the JSON parser and writer, behind a second table of pointers: a program that never names
// json_kernels links none of it.
//
// The table is chosen as the one of kernels.h is: the widest set the CPU has, once, before main(), or that of
// MARTLET_FORCE_KERNELS. Kernels never read or write outside what is named here. No state but what is passed in; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace martlet::simd {

// Where the index of a JSON text stands between two windows. Zero is the start of a text. All sets use it alike.
struct JsonIndexState {
  uint64_t in_string = 0;  // all ones inside a string
  uint64_t escaped = 0;    // 1: the next byte is escaped by a backslash
  uint64_t in_scalar = 0;  // 1: the byte before was part of a number, a literal or something unknown
};

struct JsonIndexed {
  uint32_t count;  // entries written
  bool ascii;      // all bytes are below 0x80
};

inline constexpr size_t kJsonWindow = 1024;  // the most bytes of one call: their index takes 2 KiB
inline constexpr size_t kJsonSlack = 64;     // entries that may be written (garbage) past the last one

struct JsonKernels {
  const char* name;

  // Writes, in order, the offsets of the bytes of data[0..size) at which a parser must stop:
  //   outside strings  { } [ ] : , and the opening quote, and the first byte of each scalar: a run of bytes that are
  //   not
  //                    white space (space, \t, \n, \r), not one of {}[]:, and not a quote;
  //   inside strings   the closing quote, each backslash that begins an escape (the byte after it, whatever it is, is
  //                    escaped: it neither ends nor begins anything and has no entry), and each other control character
  //                    (below 0x20).
  // So a scalar may begin right behind a closing quote, and a backslash outside strings is a byte of a scalar that
  // escapes nothing. size <= kJsonWindow; all windows of a text but the last are multiples of 64; `out` has room for
  // kJsonWindow + kJsonSlack. The state is right after the last window too: in_string tells an unfinished string.
  JsonIndexed (*index)(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out);

  // Copies bytes up to the first that a JSON string must escape: '"', '\\', below 0x20. How many were copied. Reads
  // only from[0..size), and may write (garbage) up to to[size]. The two do not overlap.
  size_t (*copy_plain)(uint8_t* to, const uint8_t* from, size_t size);
};

// The set in use. Never null: it is scalar from load time on, and the chosen set once the constructors of static
// objects have run. It does not change after that.
extern const JsonKernels* json_kernels;

// All sets that this build has and this CPU can run, widest first; scalar is always last. For tests and benchmarks.
struct JsonKernelList {
  const JsonKernels* const* begin_;
  const JsonKernels* const* end_;
  const JsonKernels* const* begin() const noexcept { return begin_; }
  const JsonKernels* const* end() const noexcept { return end_; }
};
JsonKernelList available_json_kernels() noexcept;

}  // namespace martlet::simd
