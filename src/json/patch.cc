// Json: merge patches (RFC 7396). In linear time, as both may come from peers.
#include "json/cells.h"
#include "json/names.h"

namespace martlet::json {

namespace {

// From here on names are looked up in a table.
constexpr size_t kManyMembers = 32;

// A member whose value has this tag goes when the patch is through.
constexpr uint8_t kRemoved = kNull | kPlain;

// The value of a member among the first `size`, or null.
Cell* find_value(Json& object, uint32_t size, const NameTable* table, const Cell& name) noexcept {
  Cell cell = Access::cell(object);
  if (!table) {
    cell.size = size;
    const Cell* member = find_member(cell, text_of(name));
    return const_cast<Cell*>(member ? member + 1 : nullptr);
  }
  const uint32_t place = table->find(cell.cells, name);
  return place == UINT32_MAX ? nullptr : cell.cells + 2 * size_t{place} + 1;
}

// Closes the gaps of what was removed.
void sweep(Cell& object) noexcept {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < object.size; i++) {
    Cell* member = object.cells + 2 * size_t{i};
    if (member[1].tag == kRemoved) {
      destroy(member[0]);
    } else {
      if (kept != i) std::memcpy(static_cast<void*>(object.cells + 2 * size_t{kept}), member, 2 * sizeof(Cell));
      kept++;
    }
  }
  object.size = kept;
}

// What memory was out for: a name that is not known, or a value that is no null which removes.
bool is_missing(const Cell& cell) noexcept { return kind_of(cell) == kNull && (cell.tag & kIncomplete); }

// Names of a patch are there once each, so what it adds need not be found again.
void merge(Json& target, const Json& patch, uint32_t depth) noexcept {
  if (!patch.is_object() || depth >= kMostDepth) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = Json::object();
  if (!target.is_object()) return;  // nobody's
  Cell& object = Access::cell(target);
  const auto size = static_cast<uint32_t>(target.members().size());  // says that they change
  NameTable names;
  const bool many = patch.size() > kManyMembers && size > kManyMembers;
  if (many && !names.reserve(size)) {
    object.tag |= kIncomplete;
    return;
  }
  for (uint32_t i = 0; many && i < size; i++) names.find_or_put(object.cells, object.cells[2 * size_t{i}], i);
  bool removed = false;
  if (Access::cell(patch).tag & kIncomplete) object.tag |= kIncomplete;
  for (const auto& [name, value] : patch.members()) {
    const Cell* member = &Access::cell(value) - 1;
    if (is_missing(member[0]) || is_missing(member[1])) {
      object.tag |= kIncomplete;
      continue;
    }
    Cell* found = find_value(target, size, many ? &names : nullptr, member[0]);
    if (!value.is_null()) {
      Json* to = found ? &Access::value(*found) : append_member(object, name);
      if (to) merge(*to, value, depth + 1);
    } else if (found) {
      Access::value(*found) = Json();
      found->tag = kRemoved;
      removed = true;
    }
  }
  if (removed) sweep(object);
}

}  // namespace

}  // namespace martlet::json

namespace martlet {

void Json::merge_patch(const Json& patch) noexcept {
  const Json copy = patch;  // it may lie in here
  json::merge(*this, copy, 0);
}

}  // namespace martlet
