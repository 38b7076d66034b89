// See randomness.h. How many pairs of equal bytes there are in the sample: among n bytes of which each value is as likely
// as any other, one pair in 256; where each byte has 7 bits to tell, one in 128. For 256 bytes of noise that makes 127 of
// the 32,640 pairs, give or take 11; the line is drawn at 255.
#include "codec/randomness.h"

#include <cstddef>
#include <cstdint>

namespace martlet::codec {

namespace {

constexpr size_t kLeast = 64;
// Neighbours, from several places: bytes at regular distances may be those of one field of a record.
constexpr size_t kStretches = 8;
constexpr size_t kStretchBytes = 32;
constexpr size_t kSample = kStretches * kStretchBytes;

}  // namespace

bool looks_random(base::ByteSpan bytes) noexcept {
  if (bytes.size() < kLeast) return false;
  const size_t sample = bytes.size() < kSample ? bytes.size() : kSample;
  const size_t most_pairs = sample * (sample - 1) / 2 / 128;
  const size_t step = (bytes.size() - sample) / (kStretches - 1);  // between two stretches
  uint16_t seen[256] = {};
  size_t pairs = 0;
  for (size_t taken = 0, at = 0; taken < sample && pairs <= most_pairs; at += step) {
    for (size_t i = 0; i < kStretchBytes && taken < sample; i++, taken++) pairs += seen[bytes[at++]]++;
  }
  return pairs <= most_pairs;
}

}  // namespace martlet::codec
