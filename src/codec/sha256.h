// SHA-256 (FIPS 180-4), for signatures (hmac.h) and digests of contents. The blocks are worked by the instructions that the
// CPU has for them, where it has (simd/hash_kernels.h). No allocation; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

using Sha256Digest = std::array<uint8_t, 32>;

// What has been worked out of whole blocks: hashing may go on from it as often as one likes.
using Sha256State = std::array<uint32_t, 8>;

class Sha256 {
 public:
  static constexpr size_t kBlockBytes = 64;
  using Digest = Sha256Digest;
  using State = Sha256State;

  Sha256() noexcept = default;
  // Goes on where another stood after `blocks` whole blocks.
  Sha256(const Sha256State& state, uint64_t blocks) noexcept : state_(state), bytes_(blocks * kBlockBytes) {}

  void update(base::ByteSpan bytes) noexcept;
  // Of the whole blocks so far; what is left over is not in it.
  const Sha256State& state() const noexcept { return state_; }
  // The digest of all that was given. The object is spent afterwards.
  Sha256Digest finish() noexcept;

 private:
  void work(const uint8_t* data, size_t blocks) noexcept;
  Sha256State state_ = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  uint64_t bytes_ = 0;
  uint8_t pending_[kBlockBytes];
};

Sha256Digest sha256(base::ByteSpan bytes) noexcept;

}  // namespace martlet::codec
