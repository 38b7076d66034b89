// Json: what a value is, its life and its end. What arrays and objects do is in members.cc.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/alloc.h"
#include "json/block.h"
#include "json/cells.h"
#include "json/document.h"
#include "json/parser.h"

namespace martlet::json {

constinit const Cell nobodys_cell = [] {
  Cell cell;
  cell.tag = kNull | kNobodys;
  return cell;
}();

namespace {

// Whether cells of this array or object can own something.
bool may_own(const Cell& cell) noexcept {
  if (!is_container(cell) || !(cell.tag & kMemory)) return false;
  return (cell.tag & kOwned) || document_of(cell)->touched.load(std::memory_order_relaxed);
}

// Gives back the memory of a cell, whose own cells have ended.
void release(const Cell& cell) noexcept {
  if (cell.tag & kCounted) {
    document_of(cell)->release();
  } else if (!(cell.tag & kOwned)) {
    return;
  } else if (kind_of(cell) == kString) {
    base::deallocate(const_cast<char*>(cell.text));
  } else {
    free_block(cell.cells);
  }
}

}  // namespace

// Trees can be deep: it does not recurse. While the cells below a cell are walked, from the last to the first, it holds, in
// place of what it held, the cell above it and its own place among its siblings. A root that is kBorrowed is a part that goes
// while its document stays: what has been put into it since it was parsed goes, too.
void destroy(Cell& root) noexcept {
  Cell* up = nullptr;
  Cell* cells = root.cells;
  auto left = static_cast<uint32_t>(may_own(root) ? cell_count(root) : 0);
  for (;;) {
    while (left > 0) {
      Cell& cell = cells[--left];
      if (!may_own(cell)) {
        release(cell);
        continue;
      }
      const auto count = static_cast<uint32_t>(cell_count(cell));
      Cell* const below = cell.cells;
      cell.cells = up;
      cell.size = left;
      up = &cell;
      cells = below;
      left = count;
    }
    if (!up) break;
    Cell* const done = up;
    left = done->size;
    up = done->cells;
    done->cells = cells;
    cells = done - left;
    release(*done);
  }
  release(root);
  root = Cell();
}

void fail_access(const JsonError& error) noexcept {
  std::fprintf(stderr, "martlet: the value of a JsonResult that has none: %s%s%s\n", error.path, error.path[0] ? ": " : "", error.what);
  std::abort();
}

bool exact_integer(double real, double limit, bool& negative, uint64_t& magnitude) noexcept {
  if (!(real > -limit && real < limit) || real != std::trunc(real)) return false;
  negative = real < 0;
  magnitude = static_cast<uint64_t>(negative ? -real : real);
  return true;
}

}  // namespace martlet::json

namespace martlet {

using json::Cell;

JsonResult<Json> Json::parse(std::string_view text, const JsonOptions& options) noexcept {
  json::Parser parser(text, options);
  Json value;
  JsonError error;
  if (parser.parse(value, error)) return value;
  return error;
}

std::string JsonError::message() const {
  if (path[0]) return std::string(path) + ": " + what;
  return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what;
}

Json& Json::operator=(const Json& other) noexcept {
  Json copy(other);
  return *this = std::move(copy);
}

// By way of a third: the other may lie inside this one.
Json& Json::operator=(Json&& other) noexcept {
  Json moved(std::move(other));
  if (cell_.tag & json::kMemory) {
    if (json::is_nobodys(cell_)) return *this;
    json::destroy(cell_);
  }
  std::swap(cell_, moved.cell_);
  return *this;
}

void Json::take_borrowed(Json& other) noexcept {
  if (json::is_nobodys(other.cell_)) return;
  cell_ = std::exchange(other.cell_, Cell());
  json::document_of(cell_)->retain();
  cell_.tag ^= json::kBorrowed | json::kCounted;
}

void Json::set_text(std::string_view text) noexcept {
  if (text.size() <= json::kShortBytes) return json::set_short(cell_, text.data(), text.size());
  char* memory = text.size() <= UINT32_MAX ? static_cast<char*>(base::allocate(text.size())) : nullptr;
  if (!memory) {
    cell_.tag = json::kNull | json::kIncomplete;
    return;
  }
  std::memcpy(memory, text.data(), text.size());
  cell_.text = memory;
  cell_.size = static_cast<uint32_t>(text.size());
  cell_.tag = json::kString | json::kOwned;
}

Json::Kind Json::kind() const noexcept {
  static constexpr Kind kKinds[] = {Kind::null, Kind::boolean, Kind::number, Kind::number, Kind::number, Kind::string, Kind::array, Kind::object};
  return kKinds[tag()];
}

int64_t Json::int_or(int64_t other) const noexcept {
  uint64_t value = 0;
  return integer_in(INT64_MIN, INT64_MAX, value) ? static_cast<int64_t>(value) : other;
}

double Json::number_or(double other) const noexcept {
  switch (tag()) {
    case json::kInteger: return static_cast<double>(cell_.integer);
    case json::kNatural: return static_cast<double>(cell_.natural);
    case json::kReal: return cell_.real;
    default: return other;
  }
}

bool Json::integer_in(int64_t least, uint64_t most, uint64_t& value) const noexcept {
  bool negative = false;
  uint64_t magnitude = cell_.natural;
  if (tag() == json::kReal) {
    if (!json::exact_integer(cell_.real, json::kSureIntegers, negative, magnitude)) return false;
  } else if (tag() == json::kInteger) {
    negative = cell_.integer < 0;
    if (negative) magnitude = 0 - magnitude;
  } else if (tag() != json::kNatural) {
    return false;
  }
  if (negative ? magnitude > 0 - static_cast<uint64_t>(least) : magnitude > most) return false;
  value = negative ? 0 - magnitude : magnitude;
  return true;
}

}  // namespace martlet
