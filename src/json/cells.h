// What the sixteen bytes of a value hold (Cell in martlet/json.h), and how they are made.
//
//   bytes 0–7       8–11      12–14                15
//   number or       length    distance from the    kind | whose the memory is
//   pointer         or count  start of the chunk
//   text of a short string (0–13), length (14)     kString | kShort
//
// A string that is not short lies elsewhere, without a NUL behind it. The cells of an array are its elements; those of an object are name,
// value, name, value. Memory of its own (kOwned) has a Block before the cells, and nothing before a text.
#pragma once

#include <martlet/json.h>

#include <bit>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "json/escape.h"

namespace martlet::json {

// From here down into the private half of a Json, and of a JsonWriter.
struct Access {
  static Cell& cell(Json& value) noexcept { return value.cell_; }
  static const Cell& cell(const Json& value) noexcept { return value.cell_; }
  static Json& value(Cell& cell) noexcept { return reinterpret_cast<Json&>(cell); }
  static const Json& value(const Cell& cell) noexcept { return reinterpret_cast<const Json&>(cell); }
  static void move_in(Json& value, Cell& from) noexcept { value.cell_ = std::exchange(from, Cell()); }

  static char* at(const JsonWriter& w) noexcept { return w.at_; }
  static char* end(const JsonWriter& w) noexcept { return w.end_; }
  // Room for so many bytes behind `at`, to which the text now goes; null when memory is out.
  static char* more(JsonWriter& w, char* at, size_t size) noexcept {
    w.at_ = at;
    return w.grow(size) ? w.at_ : nullptr;
  }
  static void set_end(JsonWriter& w, char* at) noexcept { w.at_ = at; }
  // In one line: 1 when a comma stands before the next value, else 0; and a value has been written up to here.
  static uint8_t comma(const JsonWriter& w) noexcept { return w.before_; }
  static void end_value(JsonWriter& w, char* at) noexcept { w.end_value(at); }
  static bool lead(JsonWriter& w) noexcept { return w.lead(0); }
  static void fail(JsonWriter& w) noexcept { w.fail(); }
  static const JsonFormat& format(const JsonWriter& w) noexcept { return w.format_; }
  // The memory of a text that has outgrown the writer, or null.
  static base::Block* block(const JsonText& text) noexcept { return text.writer().block_; }
};

static_assert(sizeof(Json) == sizeof(Cell) && alignof(Json) == alignof(Cell));

inline uint8_t kind_of(const Cell& cell) noexcept { return cell.tag & kKind; }
inline bool is_container(const Cell& cell) noexcept { return kind_of(cell) >= kArray; }
// How many cells an array or object has.
inline size_t cell_count(const Cell& cell) noexcept { return size_t{cell.size} << (kind_of(cell) == kObject); }

inline std::string_view text_of(const Cell& cell) noexcept {
  if (cell.tag & kShort) return {reinterpret_cast<const char*>(&cell), cell.distance[2]};
  return {cell.text, cell.size};
}

// Whether the text of a short string needs no escapes. `bytes` are those of the cell, zeros behind the text.
inline bool is_plain(const char* bytes, size_t size) noexcept {
  uint64_t words[2];
  std::memcpy(words, bytes, sizeof words);
  if constexpr (std::endian::native != std::endian::little) words[0] = __builtin_bswap64(words[0]), words[1] = __builtin_bswap64(words[1]);
  constexpr uint64_t kBlanks = 0x2020202020202020u;
  words[0] |= size < 8 ? kBlanks << 8 * size : 0;
  words[1] |= size > 8 ? kBlanks << 8 * (size - 8) : kBlanks;
  return (special_bytes(words[0]) | special_bytes(words[1])) == 0;
}

// A short string from fewer than 15 bytes.
inline void set_short(Cell& cell, const char* text, size_t size) noexcept {
  char bytes[sizeof(Cell)] = {};
  if (size >= 8) {  // two moves that may overlap
    std::memcpy(bytes, text, 8);
    std::memcpy(bytes + size - 8, text + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(bytes, text, 4);
    std::memcpy(bytes + size - 4, text + size - 4, 4);
  } else {
    for (size_t i = 0; i < size; i++) bytes[i] = text[i];
  }
  const uint8_t plain = is_plain(bytes, size) ? kPlain : 0;
  bytes[14] = static_cast<char>(size);
  bytes[15] = static_cast<char>(kString | kShort | plain);
  std::memcpy(static_cast<void*>(&cell), bytes, sizeof bytes);
}

// The same of what is plain, when 16 bytes may be read at `text`: without a branch.
inline void set_short_plain(Cell& cell, const char* text, size_t size) noexcept {
  if constexpr (std::endian::native != std::endian::little) return set_short(cell, text, size);
  uint64_t first, second;
  std::memcpy(&first, text, 8);
  std::memcpy(&second, text + 8, 8);
  const uint64_t bits = 8 * static_cast<uint64_t>(size);
  const uint64_t low = size < 8 ? (uint64_t{1} << (bits & 63)) - 1 : ~uint64_t{0};
  const uint64_t high = size > 8 ? (uint64_t{1} << ((bits - 64) & 63)) - 1 : 0;
  first &= low;
  second = (second & high) | static_cast<uint64_t>(size) << 48 | static_cast<uint64_t>(kString | kShort | kPlain) << 56;
  auto* bytes = reinterpret_cast<char*>(&cell);
  std::memcpy(bytes, &first, 8);
  std::memcpy(bytes + 8, &second, 8);
}

// A member more, of null: its value; null when memory is out, which the object then says. The name must be a new one.
Json* append_member(Cell& object, std::string_view name) noexcept;
// The value of a member that is there, or is put there.
Json* find_or_append(Json& object, std::string_view name) noexcept;

// From 2^53 on a double stands for several integers: what was read from a text may have been another one.
inline constexpr double kSureIntegers = 9007199254740992.0;
// Whether a double is an integer nearer to 0 than the limit, which is 2^64 at most.
bool exact_integer(double real, double limit, bool& negative, uint64_t& magnitude) noexcept;

// The null that is answered for what is not there. It lies in memory that cannot be written to, and is of kind kNobodys: whoever
// changes a value that may be a null looks for that.
extern const Cell nobodys_cell;
inline bool is_nobodys(const Cell& cell) noexcept { return cell.tag == (kNull | kNobodys); }
inline const Json& nobodys() noexcept { return Access::value(nobodys_cell); }

}  // namespace martlet::json
