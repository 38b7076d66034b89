// See deflate_match.h.
#include "codec/deflate_match.h"

#include <bit>
#include <cstring>

namespace martlet::codec {

namespace {

inline uint32_t load32(const uint8_t* p) noexcept {
  uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

inline uint64_t load64(const uint8_t* p) noexcept {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

inline uint32_t first_difference(uint64_t different) noexcept {
  const int bits = std::endian::native == std::endian::little ? std::countr_zero(different) : std::countl_zero(different);
  return static_cast<uint32_t>(bits) / 8;
}

// How many bytes from a and b on are equal, of which `known` are known to be, up to `most`.
inline uint32_t match_length(const uint8_t* a, const uint8_t* b, uint32_t known, uint32_t most) noexcept {
  uint32_t length = known;
  for (; length + 8 <= most; length += 8) {
    const uint64_t different = load64(a + length) ^ load64(b + length);
    if (different) return length + first_difference(different);
  }
  while (length < most && a[length] == b[length]) length++;
  return length;
}

// The numbers are read in the same way on every machine, so that all compress alike.
inline uint32_t hash_order(uint32_t word) noexcept {
  return std::endian::native == std::endian::little ? word : __builtin_bswap32(word);
}

inline uint32_t least(uint32_t a, uint32_t b) noexcept { return a < b ? a : b; }

// Writes sequences down and counts their symbols.
class Writer {
 public:
  Writer(const MatchInput& in, Sequence* sequences, Parsed& parsed) noexcept
      : base_(in.base), sequences_(sequences), parsed_(parsed), literals_from_(in.reach) {}

  bool full() const noexcept { return count_ + 1 >= kMostSequences; }
  void literal(uint32_t at) noexcept { parsed_.literals[base_[at]]++; }
  void literals(uint32_t from, uint32_t until) noexcept {
    for (; from < until; from++) literal(from);
  }
  // Behind literals that have been counted.
  void match(uint32_t at, uint32_t length, uint32_t distance) noexcept {
    sequences_[count_++] = {at - literals_from_, static_cast<uint16_t>(length), static_cast<uint16_t>(distance)};
    parsed_.literals[kEndOfBlock + 1 + kLengthCode[length]]++;
    parsed_.distances[distance_code(distance)]++;
    literals_from_ = at + length;
  }
  void end(uint32_t at) noexcept {
    sequences_[count_++] = {at - literals_from_, 0, 0};
    parsed_.sequences = count_;
  }

 private:
  const uint8_t* const base_;
  Sequence* const sequences_;
  Parsed& parsed_;
  uint32_t literals_from_;
  uint32_t count_ = 0;
};

constexpr uint32_t kFour = 4;  // bytes that are hashed

}  // namespace

// Fast ----------------------------------------------------------------------------------------------------------------

namespace {

// Places without a match before steps get longer, as powers of two: at first little can match, so it is looked for
// everywhere; later on, where some places have none, their neighbours seldom do.
constexpr uint32_t kPatient = 5;
constexpr uint32_t kImpatient = 1;
constexpr uint32_t kSettling = 4096;  // bytes

}  // namespace

// Takes the last place with the same four bytes. What does not compress is walked through in steps that grow.
uint32_t FastMatcher::parse(const MatchInput& in, Sequence* sequences, Parsed& parsed) noexcept {
  Writer writer(in, sequences, parsed);
  // Copies: what is stored below could change the originals, for all that the compiler knows.
  const uint8_t* const base = in.base;
  uint32_t* const heads = heads_;
  const uint32_t shift = shift_;
  const uint32_t position = in.position;
  const uint32_t window = in.window;
  const uint32_t end = in.end;
  const uint32_t settled = in.reach + kSettling;
  const auto head_of = [=](uint32_t word) -> uint32_t& { return heads[hash_order(word) * 0x9E3779B1u >> shift]; };
  uint32_t at = in.reach;
  uint32_t misses = 0;
  uint32_t patience = kPatient;
  while (at + kFour <= end) {
    const uint32_t word = load32(base + at);
    uint32_t& head = head_of(word);
    const uint32_t distance = position + at - head;
    head = position + at;
    if (distance > least(at, window) || load32(base + at - distance) != word) {
      const uint32_t step = 1 + (misses++ >> patience);
      writer.literal(at);
      if (step > 1) [[unlikely]] writer.literals(at + 1, least(at + step, end));
      at += step;
      continue;
    }
    misses = 0;
    patience = at < settled ? kPatient : kImpatient;
    const uint32_t length = match_length(base + at, base + at - distance, kFour, least(end - at, kMostMatch));
    writer.match(at, length, distance);
    const uint32_t next = at + length;
    if (next - 2 + kFour <= end) {
      head_of(load32(base + at + 1)) = position + at + 1;
      head_of(load32(base + next - 2)) = position + next - 2;
    }
    at = next;
    if (writer.full()) break;
  }
  if (!writer.full()) {
    writer.literals(least(at, end), end);
    at = end;
  }
  writer.end(at);
  return at;
}

// Better --------------------------------------------------------------------------------------------------------------

namespace {

constexpr uint32_t kDepth = 28;        // candidates looked at for one place
constexpr uint32_t kShortDepth = 64;   // when the stretch is short: most of it is in the context, if one looks for it
constexpr uint32_t kShort = 512;
constexpr uint32_t kStubborn = 8;      // places without a match before steps get longer, as a power of two
constexpr uint32_t kGoodEnough = 64;   // a match of this length is taken at once

}  // namespace

ChainMatcher::ChainMatcher(uint8_t* tables, int window_bits) noexcept
    : heads_(reinterpret_cast<uint32_t*>(tables)),
      steps_(reinterpret_cast<uint16_t*>(heads_ + (size_t{1} << head_bits(window_bits)))),
      head_shift_(static_cast<uint32_t>(32 - head_bits(window_bits))),
      mask_((uint32_t{1} << window_bits) - 1) {}

// Needs four bytes at `at`.
void ChainMatcher::insert(const MatchInput& in, uint32_t at) noexcept {
  const uint32_t here = in.position + at;
  uint32_t& head = heads_[hash_order(load32(in.base + at)) * 0x9E3779B1u >> head_shift_];
  const uint32_t step = here - head;
  steps_[here & mask_] = static_cast<uint16_t>(step <= in.window ? step & 0xffff : 0);
  head = here;
}

// Looks for a match and inserts the place. Needs four bytes at `at`.
ChainMatcher::Match ChainMatcher::find(const MatchInput& in, uint32_t at, uint32_t longer_than,
                                       uint32_t depth) noexcept {
  const uint8_t* const here = in.base + at;
  const uint32_t word = load32(here);
  const uint32_t position = in.position + at;
  const uint32_t reach = least(at, in.window);
  const uint32_t most = least(in.end - at, kMostMatch);
  uint32_t distance = position - heads_[hash_order(word) * 0x9E3779B1u >> head_shift_];
  insert(in, at);
  if (longer_than >= most) return {};
  Match best{longer_than, 0};
  // A longer match agrees in the byte behind the best so far, and in the three before that.
  uint32_t behind = best.length < kFour ? 0 : best.length - 3;
  uint32_t tail = load32(here + behind);
  for (; distance <= reach && depth > 0; depth--) {
    const uint8_t* const there = here - distance;
    const uint32_t step = steps_[(position - distance) & mask_];
    if (load32(there + behind) == tail && load32(there) == word) {
      const uint32_t length = match_length(here, there, kFour, most);
      if (length > best.length) {
        best = {length, distance};
        if (length >= kGoodEnough || length >= most) break;
        behind = length - 3;
        tail = load32(here + behind);
      }
    }
    if (step == 0) break;
    distance += step;
  }
  if (best.distance == 0) best.length = 0;
  return best;
}

// A match is held back while the next place has a better one.
uint32_t ChainMatcher::parse(const MatchInput& in, Sequence* sequences, Parsed& parsed) noexcept {
  Writer writer(in, sequences, parsed);
  const auto log2_of = [](uint32_t distance) { return 31 - std::countl_zero(distance); };
  const uint32_t depth = in.end - in.reach < kShort ? kShortDepth : kDepth;
  uint32_t at = in.reach;
  uint32_t misses = 0;
  while (at + kFour <= in.end) {
    Match match = find(in, at, 0, depth);
    if (match.length == 0) {
      const uint32_t next = least(at + 1 + (misses++ >> kStubborn), in.end);
      writer.literals(at, next);
      at = next;
      continue;
    }
    misses = 0;
    uint32_t inserted = at + 1;
    while (match.length < kGoodEnough && at + 1 + kFour <= in.end) {
      const Match next = find(in, at + 1, match.length - 1, match.length >= 16 ? depth / 4 : depth / 2);
      inserted = at + 2;
      if (next.length == 0) break;
      const int gain = 4 * (static_cast<int>(next.length) - static_cast<int>(match.length)) + log2_of(match.distance) -
                       log2_of(next.distance);
      if (gain <= 2) break;
      match = next;
      writer.literal(at++);
    }
    writer.match(at, match.length, match.distance);
    at += match.length;
    for (; inserted < at && inserted + kFour <= in.end; inserted++) insert(in, inserted);
    if (writer.full()) break;
  }
  if (!writer.full()) {
    writer.literals(at, in.end);
    at = in.end;
  }
  writer.end(at);
  return at;
}

}  // namespace martlet::codec
