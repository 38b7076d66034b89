// See names.h.
#include "json/names.h"

#include <bit>

#include "base/alloc.h"
#include "base/hash.h"
#include "json/scanner.h"

namespace martlet::json {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
// Up to here looking at each other name costs less than a table.
constexpr uint32_t kFewNames = 48;

uint64_t load(const char* p) noexcept {
  uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}

// Nine bits of a name, for the filter: of a short one all of it, of a long one its ends and its length.
uint32_t filter_bits(const Cell& name) noexcept {
  uint64_t mixed;
  if (name.tag & kShort) {
    const auto* bytes = reinterpret_cast<const char*>(&name);
    mixed = load(bytes) ^ std::rotl(load(bytes + 8), 29);
  } else {
    mixed = load(name.text) ^ std::rotl(load(name.text + name.size - 8), 29) ^ name.size;
  }
  return static_cast<uint32_t>((mixed * 0x9E3779B97F4A7C15u) >> 55);
}

uint32_t find_before(const Cell* members, uint32_t count, const Cell& name) noexcept {
  for (uint32_t i = 0; i < count; i++) {
    if (same_text(members[2 * i], name)) return i;
  }
  return kNone;
}

// Goes over the members from `first` on; those before are kept. find(kept, name) answers the place of an equal name among
// those kept so far.
template <typename Find>
NamesOutcome settle(Cell* members, uint32_t first, uint32_t count, Duplicates policy, Find&& find) noexcept {
  uint32_t kept = first;
  for (uint32_t i = first; i < count; i++) {
    const uint32_t same = find(kept, members[2 * i]);
    if (same == kNone) {
      if (kept != i) std::memcpy(static_cast<void*>(members + 2 * kept), members + 2 * i, 2 * sizeof(Cell));
      kept++;
    } else if (policy == Duplicates::refuse) {
      return {.refused = i};
    } else if (policy == Duplicates::last) {
      members[2 * same + 1] = members[2 * i + 1];
    }
  }
  return {.left = kept};
}

}  // namespace

NamesOutcome settle_names(Cell* members, uint32_t count, Duplicates policy) noexcept {
  if (count > kFewNames) {
    NameTable table;
    if (!table.reserve(count)) return {.no_memory = true};
    return settle(members, 0, count, policy, [&](uint32_t kept, const Cell& name) { return table.find_or_put(members, name, kept); });
  }
  uint64_t filter[8] = {};
  const auto is_new = [&](const Cell& name) {  // surely
    const uint32_t bits = filter_bits(name);
    const uint64_t bit = uint64_t{1} << (bits & 63);
    uint64_t& word = filter[bits >> 6];
    if (word & bit) return false;
    word |= bit;
    return true;
  };
  uint32_t first = 0;  // that may not be: mostly none
  while (first < count && is_new(members[2 * first])) first++;
  if (first == count) [[likely]] return {.left = count};
  return settle(members, first, count, policy, [&](uint32_t kept, const Cell& name) {
    return is_new(name) ? kNone : find_before(members, kept, name);
  });
}

size_t place_of_name(std::string_view text, size_t object, uint32_t index) noexcept {
  Scanner scanner(text.substr(object));
  uint32_t depth = 0, names = 0;
  for (;;) {
    const size_t place = scanner.next();
    const uint8_t c = scanner.byte(place);
    if (place >= scanner.limit()) return object + place;
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    if (c == ':' && depth == 1) names++;
    if (c != '"') continue;
    // The names of the object are the strings at its own depth that come in turn with the colons.
    if (depth == 1 && names == index) {
      size_t end = scanner.next();
      while (scanner.byte(end) == '\\') end = scanner.next();
      if (scanner.byte(scanner.peek()) == ':') return object + place;
      continue;
    }
    for (uint8_t stop = '\\'; stop == '\\';) stop = scanner.byte(scanner.next());
  }
}

bool NameTable::reserve(uint32_t names) noexcept {
  const size_t slots = std::bit_ceil(size_t{names} * 2);
  slots_ = static_cast<uint32_t*>(base::allocate(slots * sizeof(uint32_t)));
  if (!slots_) return false;
  std::memset(slots_, 0, slots * sizeof(uint32_t));
  mask_ = slots - 1;
  // Where stack and heap lie is random, and no peer sees it.
  key_ = base::mix64(reinterpret_cast<uintptr_t>(this)) ^ reinterpret_cast<uintptr_t>(slots_);
  return true;
}

uint32_t* NameTable::slot_of(const Cell* members, const Cell& name) const noexcept {
  for (size_t at = base::keyed_hash(text_of(name), key_);; at++) {
    uint32_t* slot = slots_ + (at & mask_);
    if (*slot == 0 || same_text(members[2 * (*slot - 1)], name)) return slot;
  }
}

uint32_t NameTable::find_or_put(const Cell* members, const Cell& name, uint32_t place) noexcept {
  uint32_t* slot = slot_of(members, name);
  if (*slot != 0) return *slot - 1;
  *slot = place + 1;
  return kNone;
}

uint32_t NameTable::find(const Cell* members, const Cell& name) const noexcept { return *slot_of(members, name) - 1; }

}  // namespace martlet::json
