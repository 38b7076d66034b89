// The field names that the library knows by number: one table and one probe, without a branch that a peer's mix of
// names could make unpredictable.
//
// Length and first letter choose the slot; no two known names share one (checked when compiling). A name is then
// compared by its length and its last 16 characters, in two words of eight bytes that end where the name ends:
//
//      c o n t e n t - l e n g t h
//     |. . . . . . . .|. . . . . . . .|      '.' are compared, the two before the name are masked out
//
// Equal lengths in one slot mean equal first letters, so this is exact for names of up to 17 characters. The three
// known names that are longer are only likely after the probe: is_long() tells them, and settle_head() compares them
// once more. A lookup reads up to 16 bytes before the name's end and none after it.
//
// Header-only, no state; any thread.
#pragma once

#include <algorithm>
#include <string_view>

#include "proto/http_chars.h"
#include "proto/http_parser.h"

namespace martlet::proto {

inline constexpr std::string_view kFieldNames[kFieldNameCount] = {
    "", "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie",
    "expect", "host", "if-modified-since", "if-none-match", "origin", "range", "referer", "sec-websocket-extensions",
    "sec-websocket-key", "sec-websocket-protocol", "sec-websocket-version", "te", "transfer-encoding", "upgrade",
    "user-agent", "x-forwarded-for",
};

struct alignas(64) FieldNameSlot {
  uint64_t words[2];  // words[0] is the last
  uint64_t masks[2];  // without the bit that tells upper from lower case
  uint64_t length;    // 0: nothing here
  FieldName name;
};

inline constexpr size_t kLongestFieldName = 24;
inline constexpr size_t kExactFieldName = 17;
inline constexpr size_t kFieldNameSlots = 128;

constexpr size_t field_name_slot(size_t length, uint8_t first) noexcept {
  return ((size_t{first} | 0x20) * 3 + length * 4) % kFieldNameSlots;
}

constexpr std::array<FieldNameSlot, kFieldNameSlots> make_field_name_slots() noexcept {
  std::array<FieldNameSlot, kFieldNameSlots> slots{};
  for (size_t n = 1; n < kFieldNameCount; n++) {
    const std::string_view name = kFieldNames[n];
    FieldNameSlot& slot = slots[field_name_slot(name.size(), static_cast<uint8_t>(name[0]))];
    slot.length = name.size();
    slot.name = static_cast<FieldName>(n);
    std::array<char, 16> text{};
    std::array<char, 16> mask{};
    for (size_t i = 0; i < std::min(name.size(), text.size()); i++) {
      text[15 - i] = static_cast<char>(name[name.size() - 1 - i] & 0xDF);
      mask[15 - i] = static_cast<char>(0xDF);
    }
    for (size_t word = 0; word < 2; word++) {
      slot.words[word] = raw_word<uint64_t>({text.data() + 8 - 8 * word, 8});
      slot.masks[word] = raw_word<uint64_t>({mask.data() + 8 - 8 * word, 8});
    }
  }
  return slots;
}

inline constexpr std::array<FieldNameSlot, kFieldNameSlots> kFieldNameSlotTable = make_field_name_slots();

constexpr bool every_name_has_its_slot() noexcept {
  for (size_t n = 1; n < kFieldNameCount; n++) {
    const std::string_view name = kFieldNames[n];
    const size_t slot = field_name_slot(name.size(), static_cast<uint8_t>(name[0]));
    if (kFieldNameSlotTable[slot].name != static_cast<FieldName>(n)) return false;
  }
  return true;
}
static_assert(every_name_has_its_slot());

inline bool is_long(FieldName name) noexcept { return kFieldNames[static_cast<size_t>(name)].size() > kExactFieldName; }

// The likely number of the name base[at, at + length), which is a token. Needs at >= 8.
inline FieldName probe_field_name(const uint8_t* base, size_t at, size_t length) noexcept {
  const FieldNameSlot& slot = kFieldNameSlotTable[field_name_slot(length, base[at])];
  const uint8_t* end = base + at + length;
  const uint64_t last = load_raw<uint64_t>(end - 8);
  const uint64_t before = load_raw<uint64_t>(at + length >= 16 ? end - 16 : base);
  const uint64_t difference =
      ((last & slot.masks[0]) ^ slot.words[0]) | ((before & slot.masks[1]) ^ slot.words[1]) | (length ^ slot.length);
  // Not a choice but a mask: which names are known to us is nothing that a branch could predict.
  return static_cast<FieldName>(static_cast<uint32_t>(slot.name) & -static_cast<uint32_t>(difference == 0));
}

}  // namespace martlet::proto
