// The loop that does nearly all of the work. One iteration is up to three literals and a match, or four literals.
//
// The bit buffer is refilled without a branch by eight bytes at a time, of which as many count as it has room for: 56
// bits at least. Four literals of the first index use 44 of them; three and a length, 33 + 20; a distance, 28. The next
// symbol is looked up before a match is copied, so that the two overlap.
//
// `left` counts modulo 64: whole entries are subtracted from it, whose low six bits are what they use up.
#include "codec/inflate_cursor.h"

namespace martlet::codec {

namespace {

// What a copy may write behind the match.
constexpr size_t kSlack = 32;

inline void copy16(uint8_t* to, const uint8_t* from) { std::memcpy(to, from, 16); }
inline void copy8(uint8_t* to, const uint8_t* from) { std::memcpy(to, from, 8); }

// Distances below 8: the first bytes one at a time, then eight from a multiple of the distance that is 8 or more.
[[gnu::noinline]] void copy_close(uint8_t* out, size_t distance, size_t length) {
  const uint8_t* const end = out + length;
  if (distance == 1) {
    const int byte = out[-1];
    std::memset(out, byte, 16);
    for (out += 16; out < end; out += 16) std::memset(out, byte, 16);
    return;
  }
  for (size_t i = 0; i < 8; i++) out[i] = *(out + i - distance);
  const size_t multiple = (7 / distance + 1) * distance;
  for (out += 8; out < end; out += 8) copy8(out, out - multiple);
}

inline void copy_match(uint8_t* out, size_t distance, size_t length) {
  const uint8_t* from = out - distance;
  if (distance >= 16) [[likely]] {
    copy16(out, from);
    copy16(out + 16, from + 16);
    for (size_t done = 32; done < length; done += 16) copy16(out + done, from + done);
  } else if (distance >= 8) {
    copy8(out, from);
    for (size_t done = 8; done < length; done += 8) copy8(out + done, from + done);
  } else {
    copy_close(out, distance, length);
  }
}

struct BitBuffer {
  const uint8_t* in;
  uint64_t bits;
  uint64_t left;

  void refill() noexcept {
    bits |= base::load_le64(in) << (left & 63);
    in += (63 - (left & 63)) >> 3;
    left |= 56;
  }
  void use(CodeEntry entry) noexcept {
    bits >>= used_bits(entry);
    left -= entry;
  }
};

}  // namespace

const char* inflate_fast(InflateCursor& cursor, const InflateCodes& codes, InflateMatch& match) noexcept {
  const CodeEntry* const litlen = codes.litlen;
  const CodeEntry* const distances = codes.distances;
  const uint64_t litlen_mask = (1u << codes.litlen_bits) - 1;
  const uint64_t distance_mask = (1u << codes.distance_bits) - 1;
  const uint8_t* const in_stop = cursor.in_end - kInflateFastInput;
  uint8_t* const out_stop = cursor.out_end - kInflateFastOutput;
  uint8_t* out = cursor.out;
  BitBuffer b{cursor.in, cursor.bits, cursor.left};
  const char* cause = nullptr;
  b.refill();
  CodeEntry entry = litlen[b.bits & litlen_mask];
  do {
    for (int n = 0; n < 3 && entry & kLiteralEntry; n++) {
      b.use(entry);
      *out++ = static_cast<uint8_t>(entry >> 16);
      entry = litlen[b.bits & litlen_mask];
    }
    if (entry & kSubtableEntry) entry = in_subtable(litlen, entry, b.bits);
    if (entry & kLiteralEntry) {
      b.use(entry);
      *out++ = static_cast<uint8_t>(entry >> 16);
      b.refill();
      entry = litlen[b.bits & litlen_mask];
      continue;
    }
    if (entry & kSpecialEntry) break;
    const size_t length = length_of(entry, b.bits);
    b.use(entry);
    b.refill();
    entry = distances[b.bits & distance_mask];
    if (entry & kSpecialEntry) {
      if (entry & kSubtableEntry) entry = in_subtable(distances, entry, b.bits);
      if (entry & kSpecialEntry) {
        cause = cause_of_distance(entry);
        break;
      }
    }
    const size_t distance = distance_of(entry, b.bits);
    b.use(entry);
    if (distance > static_cast<size_t>(out - cursor.begin) || length + kSlack > static_cast<size_t>(cursor.out_end - out)) {
      match = {static_cast<uint32_t>(length), static_cast<uint32_t>(distance)};
      break;
    }
    entry = litlen[b.bits & litlen_mask];
    b.refill();
    copy_match(out, distance, length);
    out += length;
  } while (b.in <= in_stop && out <= out_stop);
  cursor.in = b.in;
  cursor.bits = b.bits;
  cursor.left = static_cast<unsigned>(b.left & 63);
  cursor.out = out;
  return cause;
}

}  // namespace martlet::codec
