// SHA-512 and SHA-384 (FIPS 180-4), for signatures (hmac.h). No allocation; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

using Sha512Digest = std::array<uint8_t, 64>;
using Sha384Digest = std::array<uint8_t, 48>;

// What has been worked out of whole blocks, as Sha256State.
using Sha512State = std::array<uint64_t, 8>;

class Sha512 {
 public:
  static constexpr size_t kBlockBytes = 128;
  using Digest = Sha512Digest;
  using State = Sha512State;

  Sha512() noexcept = default;
  // Goes on where another stood after `blocks` whole blocks.
  Sha512(const Sha512State& state, uint64_t blocks) noexcept : state_(state), bytes_(blocks * kBlockBytes) {}

  void update(base::ByteSpan bytes) noexcept;
  // Of the whole blocks so far; what is left over is not in it.
  const Sha512State& state() const noexcept { return state_; }
  // The digest of all that was given. The object is spent afterwards.
  Sha512Digest finish() noexcept;

 private:
  Sha512State state_ = {
      0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
      0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179};
  uint64_t bytes_ = 0;
  uint8_t pending_[kBlockBytes];
};

// The same from another start, and cut off.
class Sha384 : public Sha512 {
 public:
  using Digest = Sha384Digest;

  Sha384() noexcept : Sha512(kStart, 0) {}
  Sha384(const Sha512State& state, uint64_t blocks) noexcept : Sha512(state, blocks) {}
  Sha384Digest finish() noexcept;

 private:
  static constexpr Sha512State kStart = {
      0xCBBB9D5DC1059ED8, 0x629A292A367CD507, 0x9159015A3070DD17, 0x152FECD8F70E5939,
      0x67332667FFC00B31, 0x8EB44A8768581511, 0xDB0C2E0D64F98FA7, 0x47B5481DBEFA4FA4};
};

Sha512Digest sha512(base::ByteSpan bytes) noexcept;
Sha384Digest sha384(base::ByteSpan bytes) noexcept;

}  // namespace martlet::codec
