// The vectorised loops, behind one table of pointers.
//
// dispatch.cc picks the widest set the CPU has, once, before main(); MARTLET_FORCE_KERNELS=scalar (or sse2, avx2,
// avx512, neon) in the environment overrides it for tests, and a set that is not there changes nothing. Kernels never
// read or write outside the range they are given. No state but what is passed in; any thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace martlet::simd {

// Where a UTF-8 stream stands between two chunks: inside which sequence, and what may come next.
// Zero is the start of a stream and every boundary between characters. All sets use the same numbers (ends.h).
struct Utf8State {
  uint32_t dfa = 0;
  bool at_boundary() const noexcept { return dfa == 0; }
};

// Two bits for each byte of a head, in blocks of 64 bytes; bit i of a block is byte i.
struct HeadBits {
  uint64_t not_value;  // may not stand in a field value: every control character but HTAB, and DEL (RFC 9110 §5.5)
  uint64_t not_token;  // may not stand in a field name: everything but tchar (RFC 9110 §5.6.2)
};

struct Kernels {
  const char* name;

  // XORs data[i] with byte (i % 4) of the key, the key's bytes in memory order (RFC 6455 §5.3).
  void (*unmask)(uint8_t* data, size_t size, uint32_t key);

  // Continues a UTF-8 check (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF). False as soon as the bytes
  // so far cannot begin valid text; the state is then of no more use. An unfinished character at the end is not an
  // error here: the caller asks at_boundary() at the end of the text.
  bool (*validate_utf8)(Utf8State* state, const uint8_t* data, size_t size);

  // Both in one pass. On false the data may be unmasked in part.
  bool (*unmask_validate)(Utf8State* state, uint8_t* data, size_t size, uint32_t key);

  // Classifies `size` bytes for the HTTP parser into (size + 63) / 64 blocks; bits past the end are set in both.
  void (*classify_head)(const uint8_t* data, size_t size, HeadBits* out);
};

// The set in use. Never null: it is scalar from load time on, and the chosen set once the constructors of static
// objects have run. It does not change after that.
extern const Kernels* kernels;

// All sets that this build has and this CPU can run, widest first; scalar is always last. For tests and benchmarks.
struct KernelList {
  const Kernels* const* begin_;
  const Kernels* const* end_;
  const Kernels* const* begin() const noexcept { return begin_; }
  const Kernels* const* end() const noexcept { return end_; }
};
KernelList available_kernels() noexcept;

// The key for the bytes that follow `offset` masked ones.
inline uint32_t rotate_key(uint32_t key, size_t offset) noexcept {
  // Not std::rotr: its count is an int for one library and unsigned for the other, and -Wconversion tells them apart.
  const uint32_t bits = static_cast<uint32_t>(offset & 3) * 8;
  const uint32_t right = std::endian::native == std::endian::little ? bits : -bits & 31;
  return (key >> right) | (key << (-right & 31));
}

}  // namespace martlet::simd
