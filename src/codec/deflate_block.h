// Writing blocks (RFC 1951 §3.2.3): of the three kinds the one that is shortest, by exact count.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "codec/deflate_match.h"

namespace martlet::codec {

// Bits to bytes, the first bit lowest. Writes eight bytes at a time: there must be room for that behind what counts.
class BitWriter {
 public:
  BitWriter(uint8_t* out, uint64_t bits, unsigned count) noexcept : out_(out), bits_(bits), count_(count) {}

  // At most 56 bits between two calls of flush().
  void put(uint64_t value, unsigned bits) noexcept {
    bits_ |= value << count_;
    count_ += bits;
  }
  // Leaves at most 7 bits.
  void flush() noexcept {
    const uint64_t word = std::endian::native == std::endian::little ? bits_ : __builtin_bswap64(bits_);
    std::memcpy(out_, &word, sizeof word);
    out_ += count_ >> 3;
    bits_ >>= count_ & ~7u;
    count_ &= 7;
  }
  // To the next whole byte.
  void align() noexcept {
    count_ = (count_ + 7) & ~7u;
    flush();
  }
  // Whole bytes; the writer is aligned.
  void copy(const uint8_t* bytes, size_t size) noexcept {
    if (size) std::memcpy(out_, bytes, size);
    out_ += size;
  }

  uint8_t* out() const noexcept { return out_; }
  uint64_t bits() const noexcept { return bits_; }
  unsigned count() const noexcept { return count_; }

 private:
  uint8_t* out_;
  uint64_t bits_;
  unsigned count_;
};

// What a block is made with.
struct BlockWorkspace {
  Sequence sequences[kMostSequences];
  Parsed parsed;
  uint8_t lengths[288 + 32];  // of the dynamic code: literals and lengths, then distances
  uint16_t codes[288 + 32];
};

// Writes the block of input [from, from + size), which the workspace has parsed. A dynamic code is not tried for fewer than
// `least_for_dynamic` symbols: it takes longer to make than all the rest of a short message, and seldom gains.
void write_block(BitWriter& writer, BlockWorkspace& work, const uint8_t* from, size_t size, bool final,
                 uint32_t least_for_dynamic) noexcept;
// Stored blocks, as many as it takes; one of size 0 is an empty block.
void write_stored(BitWriter& writer, const uint8_t* from, size_t size, bool final) noexcept;

}  // namespace martlet::codec
