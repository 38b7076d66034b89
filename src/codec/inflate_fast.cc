// The loop that does nearly all of the work. One iteration is up to three literals and a match, or four literals.
//
// The bit buffer is refilled without a branch: eight bytes are read, of which as many count as there is room for, 56 bits
// at least. That is off the path on which one look-up waits for the other: a refill changes no bit that is there, and so
// the table is read with the bits from before it. For that the bits that do not count are good too. Right after a refill
// all 64 are; three literals of the first index and a length use 33 + 20 of them, and 11 are left for the index of the
// distance. A distance uses 28 of 56, and 28 are left for the index of the next symbol, which is looked up before the
// match is copied, so that the two overlap.
//
// `left` counts modulo 64: whole entries are subtracted from it, whose low six bits are what they use up.
#include "codec/inflate_cursor.h"

namespace martlet::codec {

namespace {

// What a copy may write behind the match.
constexpr size_t kSlack = 32;

inline void copy16(uint8_t* to, const uint8_t* from) { std::memcpy(to, from, 16); }
inline void copy8(uint8_t* to, const uint8_t* from) { std::memcpy(to, from, 8); }

// Distances below 8. Eight bytes of the pattern are put together by a multiplication, and written again and again, each
// time as many further as whole patterns fit.
[[gnu::noinline]] void copy_close(uint8_t* out, size_t distance, size_t length) {
  static constexpr uint64_t kRepeat[8] = {0,           0x0101010101010101, 0x0001000100010001, 0x0001000001000001,
                                          0x100000001, 0x10000000001,      0x1000000000001,    0x100000000000001};
  static constexpr uint8_t kWhole[8] = {0, 8, 8, 6, 8, 5, 6, 7};
  const uint8_t* const end = out + length;
  const uint64_t pattern = base::load_le64(out - distance) & ((uint64_t{1} << 8 * distance) - 1);
  const uint64_t eight = pattern * kRepeat[distance];
  for (const size_t whole = kWhole[distance]; out < end; out += whole) base::store_le64(out, eight);
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

// A match that begins in the history. False when it begins before it, or goes on behind it: that is rare.
[[gnu::noinline]] bool copy_far(const InflateHistory* history, uint8_t* out, size_t behind, size_t distance, size_t length) {
  const size_t back = distance - behind;
  if (!history || back > history->filled || length > back) return false;
  const size_t at = (history->at - back) & (history->size - 1);
  if (at + length + kSlack > history->size) {
    read_history(*history, back, out, length);
    return true;
  }
  const uint8_t* const from = history->bytes + at;
  for (size_t done = 0; done < length; done += 32) {
    copy16(out + done, from + done);
    copy16(out + done + 16, from + done + 16);
  }
  return true;
}

struct BitBuffer {
  const uint8_t* in;
  uint64_t bits;
  uint32_t left;

  void refill() noexcept {
    bits |= base::load_le64(in) << (left & 63);
    in += 7 - (left >> 3 & 7);
    left |= 56;
  }
  void use(CodeEntry entry) noexcept {
    bits >>= used_bits(entry);
    left -= entry;
  }
};

// Writes a literal and looks up what follows it.
inline CodeEntry put_literal(CodeEntry entry, BitBuffer& b, uint8_t*& out, const CodeEntry* litlen, uint64_t mask) {
  b.use(entry);
  *out++ = static_cast<uint8_t>(entry >> 16);
  return litlen[b.bits & mask];
}

}  // namespace

const char* inflate_fast(InflateCursor& cursor, const InflateCodes& codes, InflateMatch& match) noexcept {
  const CodeEntry* const litlen = codes.litlen;
  const CodeEntry* const distances = codes.distances;
  const uint64_t litlen_mask = (1u << codes.litlen_bits) - 1;
  const uint64_t distance_mask = (1u << codes.distance_bits) - 1;
  const uint8_t* const in_stop = cursor.in_end - kInflateFastInput;
  const uint8_t* const begin = cursor.begin;
  uint8_t* const out_end = cursor.out_end;
  uint8_t* const out_stop = out_end - kInflateFastOutput;
  uint8_t* out = cursor.out;
  BitBuffer b{cursor.in, cursor.bits, cursor.left};
  const char* cause = nullptr;
  b.refill();
  CodeEntry entry = litlen[b.bits & litlen_mask];
  while (b.in <= in_stop && out <= out_stop) {
    for (int n = 0; n < 3 && entry & kLiteralEntry; n++) entry = put_literal(entry, b, out, litlen, litlen_mask);
    if (entry & (kLiteralEntry | kSpecialEntry)) {
      if (entry & kSubtableEntry) entry = in_subtable(litlen, entry, b.bits);
      if (entry & kLiteralEntry) {
        entry = put_literal(entry, b, out, litlen, litlen_mask);
        b.refill();
        continue;
      }
      if (entry & kSpecialEntry) break;
    }
    const size_t length = length_of(entry, b.bits);
    b.use(entry);
    entry = distances[b.bits & distance_mask];
    b.refill();
    if (entry & kSpecialEntry) [[unlikely]] {
      if (entry & kSubtableEntry) entry = in_subtable(distances, entry, b.bits);
      if (entry & kSpecialEntry) {
        cause = cause_of_distance(entry);
        break;
      }
    }
    const size_t distance = distance_of(entry, b.bits);
    b.use(entry);
    const size_t behind = static_cast<size_t>(out - begin);
    if (length + kSlack > static_cast<size_t>(out_end - out) ||
        (distance > behind && !copy_far(cursor.history, out, behind, distance, length))) [[unlikely]] {
      match = {static_cast<uint32_t>(length), static_cast<uint32_t>(distance)};
      break;
    }
    entry = litlen[b.bits & litlen_mask];
    b.refill();
    if (distance <= behind) copy_match(out, distance, length);
    out += length;
  }
  cursor.in = b.in;
  cursor.bits = b.bits;
  cursor.left = b.left & 63;
  cursor.out = out;
  return cause;
}

}  // namespace martlet::codec
