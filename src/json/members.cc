// Json: arrays and objects, finding and changing what is in them.
#include <algorithm>

#include "json/block.h"
#include "json/cells.h"
#include "json/document.h"
#include "json/names.h"

namespace martlet::json {

namespace {

bool same_name(const Cell& cell, std::string_view name) noexcept { return text_of(cell) == name; }

// Short names are compared as the sixteen bytes that they are.
const Cell* find_short(const Cell& object, std::string_view name) noexcept {
  Cell wanted;
  set_short(wanted, name.data(), name.size());
  for (const Cell *cell = object.cells, *end = cell + cell_count(object); cell != end; cell += 2) {
    if (std::memcmp(cell, &wanted, sizeof wanted) == 0) return cell;
  }
  return nullptr;
}

size_t capacity_of(const Cell& cell) noexcept {
  if (cell.tag & kOwned) return head_of(cell.cells)->capacity;
  return cell_count(cell);
}

// A block for so many cells, with what the cell has. What was parsed leaves its document, and keeps it, as its own cells lie there.
bool grow(Cell& cell, size_t wanted) noexcept {
  const size_t used = cell_count(cell);
  const bool parsed = cell.tag & (kBorrowed | kCounted);
  Document* document = parsed ? document_of(cell) : cell.tag & kOwned ? head_of(cell.cells)->document : nullptr;
  Cell* cells = make_block(std::max(wanted, std::max<size_t>(used + used / 2, 4)), document);
  if (!cells) return cell.tag |= kIncomplete, false;
  if (used) std::memcpy(static_cast<void*>(cells), cell.cells, used * sizeof(Cell));
  if (cell.tag & kBorrowed) document->retain();  // kCounted has a reference, which goes to the block
  if (cell.tag & kOwned) base::deallocate(head_of(cell.cells));
  cell.cells = cells;
  cell.tag = static_cast<uint8_t>((cell.tag & (kKind | kIncomplete)) | kOwned);
  return true;
}

// Room for `more` cells behind the last; null when memory is out.
Cell* room(Cell& cell, size_t more) noexcept {
  const size_t used = cell_count(cell);
  if (capacity_of(cell) < used + more && !grow(cell, used + more)) return nullptr;
  touch(cell);
  return cell.cells + used;
}

// It is never written to.
Json& lost() noexcept { return const_cast<Json&>(nobodys()); }

// A null becomes an array or object.
bool become(Cell& cell, uint8_t kind) noexcept {
  if (kind_of(cell) == kNull && !is_nobodys(cell)) {
    const auto tag = static_cast<uint8_t>(kind | (cell.tag & kIncomplete));
    cell = Cell();  // of a null that was parsed only the tag is set
    cell.tag = tag;
  }
  return kind_of(cell) == kind;
}

// Takes cells out: what they own has ended.
void close_gap(Cell& cell, size_t at, size_t count) noexcept {
  std::memmove(static_cast<void*>(cell.cells + at), cell.cells + at + count, (cell_count(cell) - at - count) * sizeof(Cell));
  cell.size--;
}

}  // namespace

Json* append_member(Cell& object, std::string_view name) noexcept {
  Json text(name);
  Cell* member = text.is_string() ? room(object, 2) : nullptr;
  if (!member) return object.tag |= kIncomplete, nullptr;
  Access::move_in(*new (member) Json, Access::cell(text));
  object.size++;
  return new (member + 1) Json;
}

Json* find_or_append(Json& object, std::string_view name) noexcept {
  Json* member = object.find(name);
  return member ? member : append_member(Access::cell(object), name);
}

const Cell* find_member(const Cell& object, std::string_view name) noexcept {
  if (kind_of(object) != kObject) return nullptr;
  if (name.size() <= kShortBytes) return find_short(object, name);
  for (const Cell *cell = object.cells, *end = cell + cell_count(object); cell != end; cell += 2) {
    if (same_name(*cell, name)) return cell;
  }
  return nullptr;
}

}  // namespace martlet::json

namespace martlet {

using json::Access;
using json::Cell;

Json::Json(std::initializer_list<Member> members) noexcept {
  cell_.tag = json::kObject;
  if (members.size() > 0 && !json::grow(cell_, 2 * members.size())) return;
  for (const Member& member : members) {
    if (Json* value = json::find_or_append(*this, member.name)) *value = std::move(member.value);
  }
}

Json Json::array() noexcept {
  Json value;
  value.cell_.tag = json::kArray;
  return value;
}

Json Json::array(std::initializer_list<Item> items) noexcept {
  Json value = array();
  if (items.size() > 0 && !json::grow(value.cell_, items.size())) return value;
  for (const Item& item : items) value.push_back(std::move(item.value));
  return value;
}

Json Json::object() noexcept {
  Json value;
  value.cell_.tag = json::kObject;
  return value;
}

const Json* Json::find(std::string_view name) const noexcept {
  const Cell* member = json::find_member(cell_, name);
  return member ? &Access::value(member[1]) : nullptr;
}

Json* Json::find(std::string_view name) noexcept {
  const Json* found = std::as_const(*this).find(name);
  if (found) json::touch(cell_);
  return const_cast<Json*>(found);
}

const Json& Json::operator[](std::string_view name) const noexcept {
  const Json* found = find(name);
  return found ? *found : json::nobodys();
}

Json& Json::operator[](std::string_view name) noexcept {
  if (!json::become(cell_, json::kObject)) return json::lost();
  Json* member = json::find_or_append(*this, name);
  return member ? *member : json::lost();
}

const Json& Json::item(size_t index) const noexcept {
  return is_array() && index < cell_.size ? Access::value(cell_.cells[index]) : json::nobodys();
}

Json& Json::item(size_t index) noexcept {
  if (!is_array() || index >= cell_.size) return json::lost();
  json::touch(cell_);
  return Access::value(cell_.cells[index]);
}

bool Json::push_back(Json value) noexcept {
  if (!json::become(cell_, json::kArray)) return false;
  Cell* item = json::room(cell_, 1);
  if (!item) return false;
  new (item) Json(std::move(value));
  cell_.size++;
  return true;
}

bool Json::erase(std::string_view name) noexcept {
  Json* member = find(name);
  if (!member) return false;
  Cell* cell = &Access::cell(*member) - 1;
  Access::value(cell[0]).~Json();
  Access::value(cell[1]).~Json();
  json::close_gap(cell_, static_cast<size_t>(cell - cell_.cells), 2);
  return true;
}

bool Json::erase(size_t index) noexcept {
  if (!is_array() || index >= cell_.size) return false;
  Access::value(cell_.cells[index]).~Json();
  json::close_gap(cell_, index, 1);
  return true;
}

void Json::clear() noexcept {
  const uint8_t kind = tag();
  if (kind < json::kArray) return;
  *this = Json();
  cell_.tag = kind;
}

std::span<const Json> Json::items() const noexcept {
  return is_array() ? std::span<const Json>(reinterpret_cast<const Json*>(cell_.cells), cell_.size) : std::span<const Json>();
}

std::span<Json> Json::items() noexcept {
  if (!is_array()) return {};
  json::touch(cell_);
  return {reinterpret_cast<Json*>(cell_.cells), cell_.size};
}

Json::Members<const Json> Json::members() const noexcept {
  return {reinterpret_cast<const Json*>(cell_.cells), is_object() ? cell_.size : size_t{0}};
}

Json::Members<Json> Json::members() noexcept {
  if (is_object()) json::touch(cell_);
  return {reinterpret_cast<Json*>(cell_.cells), is_object() ? cell_.size : size_t{0}};
}

}  // namespace martlet
