// The checksums of zlib and gzip streams: Adler-32 (RFC 1950 §9) and CRC-32 (RFC 1952 §8). No allocation; any thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace martlet::codec {

inline constexpr uint32_t kAdlerOfNothing = 1;
inline constexpr uint32_t kCrcOfNothing = 0;

// The checksum of what `adler` or `crc` is the checksum of, followed by `bytes`.
uint32_t adler32(uint32_t adler, base::ByteSpan bytes) noexcept;
uint32_t crc32(uint32_t crc, base::ByteSpan bytes) noexcept;

}  // namespace martlet::codec
