// Names that an object has more than once. Most objects have none: a filter of 512 bits tells it in a few instructions for
// each name, and what it cannot tell is looked at. Objects of many members get a table by a keyed hash, so that nobody can make
// names that take long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/alloc.h"
#include "json/cells.h"

namespace martlet::json {

// How deep options may allow.
inline constexpr uint32_t kMostDepth = 1024;
inline constexpr std::string_view kNameTwice = "the object has this name already";

struct NamesOutcome {
  uint32_t left = 0;              // members that are left, in order
  uint32_t refused = UINT32_MAX;  // the first that came again, where that is refused
  bool no_memory = false;
};

// Settles the members {name, value} by the policy. Values that go own nothing.
NamesOutcome settle_names(Cell* members, uint32_t count, Duplicates policy) noexcept;

// Where in a good text the name number `index` of the object at `object` is: for an error, slowly.
size_t place_of_name(std::string_view text, size_t object, uint32_t index) noexcept;

// Whether two cells hold the same string.
inline bool same_text(const Cell& a, const Cell& b) noexcept {
  if ((a.tag | b.tag) & kShort) return a.tag == b.tag && std::memcmp(&a, &b, sizeof(Cell)) == 0;
  return a.size == b.size && std::memcmp(a.text, b.text, a.size) == 0;
}

// Finds names in large objects: a table of places by a keyed hash. One use.
class NameTable {
 public:
  NameTable() noexcept = default;
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;
  ~NameTable() { base::deallocate(slots_); }

  // For so many names at most. False when memory is out.
  bool reserve(uint32_t names) noexcept;
  // The place of this name, or UINT32_MAX after it was put there with `place`. `members` holds {name, value} by place.
  uint32_t find_or_put(const Cell* members, const Cell& name, uint32_t place) noexcept;
  uint32_t find(const Cell* members, const Cell& name) const noexcept;

 private:
  uint32_t* slot_of(const Cell* members, const Cell& name) const noexcept;

  uint32_t* slots_ = nullptr;  // place + 1, or 0
  size_t mask_ = 0;
  uint64_t key_ = 0;
};

}  // namespace martlet::json
