// SHA-1 (FIPS 180-4), for the WebSocket handshake only: it protects nothing. No allocation; any thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

using Sha1Digest = std::array<uint8_t, 20>;

class Sha1 {
 public:
  void update(base::ByteSpan bytes) noexcept;
  // The digest of all that was given. The object is spent afterwards.
  Sha1Digest finish() noexcept;

 private:
  void block(const uint8_t* p) noexcept;
  uint32_t state_[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint64_t bytes_ = 0;
  uint8_t pending_[64];
};

Sha1Digest sha1(base::ByteSpan bytes) noexcept;

}  // namespace martlet::codec
