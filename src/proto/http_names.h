// The field names that the library knows by number: one table, one probe, no branch that a peer's mix of names could
// make unpredictable.
//
// Length and first letter choose the slot; no two known names share one (checked when compiling). A name is then
// compared in three words of eight bytes, aligned to its end, as
//
//      c o n t e n t - l e n g t h
//     |- - - -|. . . . . . . .|. . . . . . . .|      '-' is masked out; words[0] is the last one
//
// so a lookup reads up to 24 bytes before the name's end, never one after it. No state; any thread.
#pragma once

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
  uint64_t words[3];
  uint64_t masks[3];
  uint32_t length;  // 0: nothing here
  FieldName name;
};

inline constexpr size_t kLongestFieldName = 24;
inline constexpr size_t kFieldNameSlots = 128;

constexpr size_t field_name_slot(size_t length, uint8_t first) noexcept {
  return ((first | 0x20u) * 3 + length * 4) % kFieldNameSlots;
}

constexpr std::array<FieldNameSlot, kFieldNameSlots> make_field_name_slots() noexcept {
  std::array<FieldNameSlot, kFieldNameSlots> slots{};
  for (size_t n = 1; n < kFieldNameCount; n++) {
    const std::string_view name = kFieldNames[n];
    FieldNameSlot& slot = slots[field_name_slot(name.size(), static_cast<uint8_t>(name[0]))];
    slot.length = static_cast<uint32_t>(name.size());
    slot.name = static_cast<FieldName>(n);
    std::array<char, kLongestFieldName> text{};
    std::array<char, kLongestFieldName> mask{};
    for (size_t i = 0; i < name.size(); i++) {
      text[kLongestFieldName - name.size() + i] = name[i];
      mask[kLongestFieldName - name.size() + i] = static_cast<char>(0xDF);  // any case
    }
    for (size_t word = 0; word < 3; word++) {
      slot.words[word] = raw_word<uint64_t>({text.data() + 16 - 8 * word, 8});
      slot.masks[word] = raw_word<uint64_t>({mask.data() + 16 - 8 * word, 8});
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

// The number of the name base[at, at + length), which is a token. Reads base[0, at + length) only, and needs
// at + length >= 8.
inline FieldName field_name_at(const uint8_t* base, size_t at, size_t length) noexcept {
  const FieldNameSlot& slot = kFieldNameSlotTable[field_name_slot(length, base[at])];
  const size_t end = at + length;
  const uint64_t last = load_raw<uint64_t>(base + end - 8);
  const uint64_t before = load_raw<uint64_t>(base + (end < 16 ? 0 : end - 16));
  const uint64_t difference =
      ((last ^ slot.words[0]) & slot.masks[0]) | ((before ^ slot.words[1]) & slot.masks[1]) | (length ^ slot.length);
  // Not a choice but a mask: which names are known to us is nothing that a branch could predict.
  return static_cast<FieldName>(static_cast<uint32_t>(slot.name) & (difference == 0 ? ~0u : 0u));
}

}  // namespace martlet::proto
