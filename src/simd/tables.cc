// The tables that the kernels share, all computed at compile time: the automaton of UTF-8, the nibble tables of its
// vector check, and the classes of bytes in an HTTP head. ends.h says what each holds.
#include "simd/ends.h"

namespace martlet::simd {

namespace {

constexpr bool is_tchar(unsigned c) {  // RFC 9110 §5.6.2
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  for (char mark : "!#$%&'*+-.^_`|~") {
    if (mark != 0 && c == static_cast<unsigned char>(mark)) return true;
  }
  return false;
}

constexpr bool is_control(unsigned c) { return (c < 0x20 && c != '\t') || c == 0x7F; }

constexpr uint32_t after_lead(unsigned byte) {  // RFC 3629 §4
  if (byte < 0x80) return kBoundary;
  if (byte < 0xC2) return kReject;
  if (byte < 0xE0) return kOneMore;
  if (byte == 0xE0) return kAfterE0;
  if (byte == 0xED) return kAfterED;
  if (byte < 0xF0) return kTwoMore;
  if (byte == 0xF0) return kAfterF0;
  if (byte < 0xF4) return kThreeMore;
  return byte == 0xF4 ? kAfterF4 : kReject;
}

struct Inside {
  uint32_t state;
  unsigned lowest, highest;  // the bytes that may come
  uint32_t next;
};
constexpr Inside kInside[] = {
    {kOneMore, 0x80, 0xBF, kBoundary}, {kTwoMore, 0x80, 0xBF, kOneMore}, {kThreeMore, 0x80, 0xBF, kTwoMore},
    {kAfterE0, 0xA0, 0xBF, kOneMore},  {kAfterED, 0x80, 0x9F, kOneMore}, {kAfterF0, 0x90, 0xBF, kTwoMore},
    {kAfterF4, 0x80, 0x8F, kTwoMore},
};

constexpr uint64_t steps_of(unsigned byte) {
  uint64_t word = static_cast<uint64_t>(kReject) << kReject | static_cast<uint64_t>(after_lead(byte)) << kBoundary;
  for (const Inside& in : kInside) {
    const bool fits = byte >= in.lowest && byte <= in.highest;
    word |= static_cast<uint64_t>(fits ? in.next : kReject) << in.state;
  }
  return word;
}

constexpr Utf8Steps make_utf8_steps() {
  Utf8Steps steps{};
  for (unsigned byte = 0; byte < 256; byte++) steps.of[byte] = steps_of(byte);
  return steps;
}

constexpr HeadClasses make_head_classes() {
  HeadClasses classes{};
  for (unsigned c = 0; c < 256; c++) {
    classes.of[c] = static_cast<uint8_t>((is_control(c) ? kHeadControl : 0) | (is_tchar(c) ? 0 : kHeadNotToken));
  }
  return classes;
}

constexpr HeadNibbles make_head_nibbles() {
  HeadNibbles nibbles{};
  for (unsigned c = 0; c < 128; c++) {
    const auto bit = static_cast<uint8_t>(1u << (c >> 4));
    nibbles.high_bits[c >> 4] = bit;
    if (is_tchar(c)) nibbles.token[c & 15] |= bit;
    if (is_control(c)) nibbles.control[c & 15] |= bit;
  }
  return nibbles;
}

// The kinds of error in Utf8Nibbles.
enum : uint8_t {
  kTooShort = 1 << 0,          // a lead without its continuation
  kTooLong = 1 << 1,           // ASCII, then a continuation
  kOverlong3 = 1 << 2,         // E0, then 80..9F
  kTooLarge = 1 << 3,          // F4, then 90..BF; F5 and above
  kSurrogate = 1 << 4,         // ED, then A0..BF
  kOverlong2 = 1 << 5,         // C0 or C1
  kTooLarge1000 = 1 << 6,      // F5 and above, then 80..8F
  kOverlong4 = 1 << 6,         // F0, then 80..8F: the same bit, as no byte is both F0 and above F4
  kTwoContinuations = 1 << 7,  // right in the third and fourth bytes, wrong elsewhere
  kAnyLow = kTooShort | kTooLong | kTwoContinuations,
};

constexpr uint8_t first_high(unsigned nibble) {
  if (nibble < 0x8) return kTooLong;
  if (nibble < 0xC) return kTwoContinuations;
  if (nibble == 0xC) return kTooShort | kOverlong2;
  if (nibble == 0xD) return kTooShort;
  if (nibble == 0xE) return kTooShort | kOverlong3 | kSurrogate;
  return kTooShort | kTooLarge | kTooLarge1000 | kOverlong4;
}

constexpr uint8_t first_low(unsigned nibble) {
  if (nibble == 0x0) return kAnyLow | kOverlong2 | kOverlong3 | kOverlong4;
  if (nibble == 0x1) return kAnyLow | kOverlong2;
  if (nibble < 0x4) return kAnyLow;
  if (nibble == 0x4) return kAnyLow | kTooLarge;
  if (nibble == 0xD) return kAnyLow | kTooLarge | kTooLarge1000 | kSurrogate;
  return kAnyLow | kTooLarge | kTooLarge1000;
}

constexpr uint8_t second_high(unsigned nibble) {
  constexpr uint8_t any = kTooLong | kOverlong2 | kTwoContinuations;
  if (nibble < 0x8 || nibble >= 0xC) return kTooShort;
  if (nibble == 0x8) return any | kOverlong3 | kTooLarge1000 | kOverlong4;
  if (nibble == 0x9) return any | kOverlong3 | kTooLarge;
  return any | kSurrogate | kTooLarge;
}

constexpr Utf8Nibbles make_utf8_nibbles() {
  Utf8Nibbles nibbles{};
  for (unsigned n = 0; n < 16; n++) {
    nibbles.first_high[n] = first_high(n);
    nibbles.first_low[n] = first_low(n);
    nibbles.second_high[n] = second_high(n);
  }
  return nibbles;
}

}  // namespace

constexpr Utf8Steps utf8_steps = make_utf8_steps();
constexpr Utf8Nibbles utf8_nibbles = make_utf8_nibbles();
constexpr HeadClasses head_classes = make_head_classes();
constexpr HeadNibbles head_nibbles = make_head_nibbles();

}  // namespace martlet::simd
