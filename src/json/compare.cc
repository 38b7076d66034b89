// Json: copies, equality, completeness. They recurse, no deeper than a text may be.
#include "json/block.h"
#include "json/cells.h"
#include "json/names.h"

namespace martlet::json {

namespace {

constexpr uint32_t kFewMembers = 16;

void copy_cell(Cell& to, const Cell& from, uint32_t depth) noexcept;

void copy_cells(Cell& to, const Cell& from, uint32_t depth) noexcept {
  const size_t count = cell_count(from);
  to.tag = from.tag & (kKind | kIncomplete);
  if (count == 0) return;
  Cell* cells = depth < kMostDepth ? make_block(count, nullptr) : nullptr;
  if (!cells) {
    to.tag |= kIncomplete;
    return;
  }
  for (size_t i = 0; i < count; i++) copy_cell(*new (cells + i) Cell, from.cells[i], depth + 1);
  to.cells = cells;
  to.size = from.size;
  to.tag |= kOwned;
}

void copy_cell(Cell& to, const Cell& from, uint32_t depth) noexcept {
  if (is_container(from)) return copy_cells(to, from, depth);
  if (kind_of(from) == kNull) {
    to.tag = from.tag & (kKind | kIncomplete);  // nobody's is an ordinary null in a copy
  } else if (kind_of(from) != kString || (from.tag & kShort)) {
    to = from;
  } else {
    Json text(text_of(from));
    to = std::exchange(Access::cell(text), Cell());
  }
}

bool same_cell(const Cell& a, const Cell& b, uint32_t depth) noexcept;

// Members in the same order are compared as they come; what is left is looked for.
bool same_members(const Cell& a, const Cell& b, uint32_t depth) noexcept {
  uint32_t i = 0;
  while (i < a.size && same_text(a.cells[2 * i], b.cells[2 * i])) {
    if (!same_cell(a.cells[2 * i + 1], b.cells[2 * i + 1], depth)) return false;
    i++;
  }
  NameTable table;
  const bool many = a.size - i > kFewMembers && table.reserve(b.size);  // without memory it takes longer
  if (many) {
    for (uint32_t k = 0; k < b.size; k++) table.find_or_put(b.cells, b.cells[2 * k], k);
  }
  for (; i < a.size; i++) {
    const Cell& name = a.cells[2 * i];
    uint32_t k = 0;
    if (many) {
      k = table.find(b.cells, name);
    } else {
      while (k < b.size && !same_text(b.cells[2 * k], name)) k++;
    }
    if (k >= b.size || !same_cell(a.cells[2 * i + 1], b.cells[2 * k + 1], depth)) return false;
  }
  return true;
}

bool same_number(const Cell& a, const Cell& b) noexcept {
  const uint8_t kind = kind_of(a);
  if (kind == kind_of(b)) return kind == kReal ? a.real == b.real : a.natural == b.natural;
  const Cell& real = kind == kReal ? a : b;
  const Cell& other = kind == kReal ? b : a;
  bool negative = false;
  uint64_t magnitude = 0;
  if (kind_of(real) != kReal || !exact_integer(real.real, 18446744073709551616.0, negative, magnitude)) return false;
  const bool other_negative = kind_of(other) == kInteger && other.integer < 0;
  return negative == other_negative && magnitude == (other_negative ? 0 - other.natural : other.natural);
}

bool is_number(const Cell& cell) noexcept { return kind_of(cell) >= kInteger && kind_of(cell) <= kReal; }

bool same_cell(const Cell& a, const Cell& b, uint32_t depth) noexcept {
  if (is_number(a)) return is_number(b) && same_number(a, b);
  if (kind_of(a) != kind_of(b)) return false;
  if (kind_of(a) == kString) return same_text(a, b);
  if (!is_container(a)) return a.natural == b.natural;
  if (a.size != b.size || depth >= kMostDepth) return false;
  if (kind_of(a) == kObject) return same_members(a, b, depth + 1);
  for (uint32_t i = 0; i < a.size; i++) {
    if (!same_cell(a.cells[i], b.cells[i], depth + 1)) return false;
  }
  return true;
}

bool is_complete(const Cell& cell, uint32_t depth) noexcept {
  if (kind_of(cell) == kNull) return !(cell.tag & kIncomplete);
  if (!is_container(cell)) return true;
  if ((cell.tag & kIncomplete) || depth >= kMostDepth) return false;
  for (size_t i = 0; i < cell_count(cell); i++) {
    if (!is_complete(cell.cells[i], depth + 1)) return false;
  }
  return true;
}

}  // namespace

}  // namespace martlet::json

namespace martlet {

void Json::copy_from(const Json& other) noexcept { json::copy_cell(cell_, other.cell_, 0); }

bool Json::equals(const Json& other) const noexcept { return json::same_cell(cell_, other.cell_, 0); }

bool Json::complete() const noexcept { return json::is_complete(cell_, 0); }

}  // namespace martlet
