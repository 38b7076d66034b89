// Bytes that come in any pieces, for a hash that works whole blocks: SHA-256 and SHA-512 alike (FIPS 180-4 §5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace martlet::codec {

// `work(data, blocks)` is called for whole blocks. `bytes` is how many there were before, which are counted on.
template <size_t kBlockBytes, typename Work>
inline void feed_blocks(base::ByteSpan given, uint64_t& bytes, uint8_t (&pending)[kBlockBytes], Work&& work) noexcept {
  if (given.empty()) return;
  const size_t waiting = bytes % kBlockBytes;
  bytes += given.size();
  if (waiting > 0) {
    const size_t room = kBlockBytes - waiting;
    const size_t taken = given.size() < room ? given.size() : room;
    std::memcpy(pending + waiting, given.data(), taken);
    given = given.subspan(taken);
    if (taken < room) return;
    work(pending, 1);
  }
  const size_t blocks = given.size() / kBlockBytes;
  if (blocks > 0) work(given.data(), blocks);
  given = given.subspan(blocks * kBlockBytes);
  if (!given.empty()) std::memcpy(pending, given.data(), given.size());
}

// The last block or two: a bit of one, zeros, and the length in bits, for which a block has an eighth of its bytes; more than the last
// 67 bits of it are never other than zero.
template <size_t kBlockBytes, typename Work>
inline void end_blocks(uint64_t bytes, uint8_t (&pending)[kBlockBytes], Work&& work) noexcept {
  constexpr size_t kLengthAt = kBlockBytes - kBlockBytes / 8;
  size_t waiting = bytes % kBlockBytes;
  pending[waiting++] = 0x80;
  if (waiting > kLengthAt) {
    std::memset(pending + waiting, 0, kBlockBytes - waiting);
    work(pending, 1);
    waiting = 0;
  }
  std::memset(pending + waiting, 0, kBlockBytes - 8 - waiting);
  base::store_be64(pending + kBlockBytes - 8, bytes << 3);
  if constexpr (kBlockBytes / 8 > 8) base::store_be64(pending + kLengthAt, bytes >> 61);
  work(pending, 1);
}

}  // namespace martlet::codec
