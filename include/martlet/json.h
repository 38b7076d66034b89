// martlet/json.h: JSON (RFC 8259): a value, reading it, writing it. Without a value: JsonWriter in json_writer.h, and your
// own types in json_types.h.
//
//   Json user = {{"name", "Ann"}, {"age", 41}, {"tags", Json::array({"a", "b"})}};
//   user["age"] = 42;
//   auto parsed = Json::parse(text);
//   if (!parsed) return report(parsed.error().message());
//   std::string_view name = (*parsed)["name"].text_or("?");
//
// Nothing here throws. Where memory is out, what did not fit is not there, and the value says so: complete().
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>
#include <martlet/json_writer.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// What becomes of a member whose name the object has had already (RFC 8259 §4 leaves it open).
enum class Duplicates : uint8_t {
  last,    // the last one counts, at the place of the first: as JSON.parse of JavaScript
  first,   // the first one counts
  refuse,  // an error, found when the object ends: what is wrong before that is told first
};

// How a text is read, and what it may cost.
struct JsonOptions {
  // How deep arrays and objects may nest; at most 1,024 are allowed. Reading a Json does not recurse. Own types do: 1,024
  // levels of them take less than 400 kB of stack.
  uint32_t depth = 64;
  Duplicates duplicates = Duplicates::last;
  // How long the text may be; at most 4 GiB - 1.
  size_t max_bytes = size_t{256} << 20;
  // Own types only: what has no member in the type is an error, not ignored.
  bool refuse_unknown = false;
  // Own types only: a member that is not optional must be there; else it keeps what its initialiser gives.
  bool require_all = false;
};

// Why a text was refused. Trivially copyable. `what` is a literal: good for ever.
struct JsonError {
  static constexpr size_t kPathBytes = 96;

  size_t position = 0;      // in bytes, from 0: the first byte that cannot be; the size of the text when it ends too early
  uint32_t line = 0;        // from 1; lines end with \n
  uint32_t column = 0;      // from 1, in bytes
  const char* what = "";    // "a comma or ']' is wanted here"
  char path[kPathBytes] = {};  // own types: where in the document ("/items/3/price"), cut when it is long; else empty

  // "line 3, column 7: a comma or ']' is wanted here", or "/likes: an integer is wanted". Allocates the string.
  std::string message() const;
};

namespace json {

struct Access;

// The sixteen bytes of a value. The text of a short string lies in the first fourteen, its length behind them.
struct alignas(8) Cell {
  union {
    int64_t integer;
    uint64_t natural;
    double real;
    const char* text;
    Cell* cells;
  };
  uint32_t size = 0;
  uint8_t distance[3] = {};  // of the memory from the start of its chunk, in units of 16 bytes
  uint8_t tag = 0;           // the kind, and whose the memory is

  constexpr Cell() noexcept : natural(0) {}
};
static_assert(sizeof(Cell) == 16);

enum : uint8_t {
  kNull, kBoolean, kInteger, kNatural, kReal, kString, kArray, kObject,
  kKind = 0x07,
  kPlain = 0x08,       // a string that is written as it is. Of a short one it always says so: equal strings are equal cells
  kShort = 0x10,       // a string that lies in the cell
  kIncomplete = 0x10,  // an array or object that memory was out for
  kBorrowed = 0x20,    // memory of a parsed document, which outlives this cell
  kCounted = 0x40,     // memory of a parsed document, with a reference to it
  kOwned = 0x80,       // memory of its own
  kMemory = kBorrowed | kCounted | kOwned,
  kNobodys = kBorrowed,  // a null that nothing is ever put into
};

inline constexpr uint32_t kShortBytes = 14;

void destroy(Cell& cell) noexcept;
const Cell* find_member(const Cell& object, std::string_view name) noexcept;

}  // namespace json

// A JSON value: null, a boolean, a number, a string, an array or an object. Objects keep the order of their members.
// Sixteen bytes; strings of up to 14 bytes lie inside. Moving is cheap and never fails; copying copies all of it.
// One thread at a time; different values may be on different threads, also when they come from one parsed text.
//
// References, views and spans into a value are good until that value, or one that it lies in, is changed or ends.
// Numbers are exact 64-bit integers where they are integers that fit, doubles otherwise.
class Json {
 public:
  using Kind = JsonKind;  // null, boolean, number, string, array, object

  // A member in braces: {"name", value}.
  using Member = JsonMember;
  // An element in braces of array().
  struct Item;
  // What members() walks over.
  template <typename Value>
  struct MemberRef {
    std::string_view name;
    Value& value;
  };
  template <typename Value>
  class Members;

  Json() noexcept {}
  Json(std::nullptr_t) noexcept {}
  template <std::same_as<bool> T>
  Json(T value) noexcept {
    cell_.natural = value;
    cell_.tag = json::kBoolean;
  }
  template <json::Integer T>
  Json(T value) noexcept {
    cell_.natural = static_cast<uint64_t>(value);
    cell_.tag = std::is_unsigned_v<T> && cell_.natural > INT64_MAX ? json::kNatural : json::kInteger;
  }
  // NaN and the infinities, which JSON has not, are written as null.
  template <std::floating_point T>
  Json(T value) noexcept {
    cell_.real = static_cast<double>(value);
    cell_.tag = json::kReal;
  }
  // Text is UTF-8 and is copied. What is not UTF-8 stays as it is: no peer can parse what dump() then gives.
  template <json::Text T>
  Json(const T& text) noexcept {
    set_text(std::string_view(text));
  }
  // An object; of members with the same name the last counts.
  Json(std::initializer_list<Member> members) noexcept;
  // An own type (json_types.h).
  template <typename T>
    requires JsonWritable<T>
  Json(const T& value) noexcept;

  Json(const Json& other) noexcept { copy_from(other); }
  Json(Json&& other) noexcept { take(other); }
  Json& operator=(const Json& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  ~Json() {
    if (cell_.tag & json::kMemory) json::destroy(cell_);
  }

  static Json array() noexcept;
  static Json array(std::initializer_list<Item> items) noexcept;
  static Json object() noexcept;

  // Reads a text, all of it, by RFC 8259 and nothing beside it: no comments, no byte order mark, no trailing commas; strings
  // are UTF-8 with paired surrogates. Numbers beyond the range of a double, and all that exceeds the options, are errors. The text is not kept.
  static JsonResult<Json> parse(std::string_view text, const JsonOptions& options = {}) noexcept;
  // Reads an own type, without a tree in between (json_types.h).
  template <typename T>
  MARTLET_THUNK static JsonResult<T> to(std::string_view text, const JsonOptions& options = {});

  // What it is -------------------------------------------------------------------------------------------------------

  Kind kind() const noexcept;
  bool is_null() const noexcept { return tag() == json::kNull; }
  bool is_bool() const noexcept { return tag() == json::kBoolean; }
  bool is_number() const noexcept { return tag() >= json::kInteger && tag() <= json::kReal; }
  // A number that was written, or made, as an integer of 64 bits: 1, not 1.0.
  bool is_integer() const noexcept { return tag() == json::kInteger || tag() == json::kNatural; }
  bool is_string() const noexcept { return tag() == json::kString; }
  bool is_array() const noexcept { return tag() == json::kArray; }
  bool is_object() const noexcept { return tag() == json::kObject; }

  // The value as a T, or nothing when it is none: bool; integers, also from a double that is one below 2^53, where they fit; float and
  // double (nearest, where that is finite); std::string and std::string_view (into this value); own types.
  template <typename T>
  std::optional<T> as() const;
  // The value, or what stands in brackets when it is of another kind.
  std::string_view text_or(std::string_view other) const noexcept { return is_string() ? text() : other; }
  template <std::same_as<std::string> T>
  std::string_view text_or(T&& other) const noexcept = delete;  // the view would be of what is gone
  int64_t int_or(int64_t other) const noexcept;
  double number_or(double other) const noexcept;
  bool bool_or(bool other) const noexcept { return is_bool() ? cell_.natural != 0 : other; }

  // Arrays and objects -----------------------------------------------------------------------------------------------

  // Of an array or object; 0 otherwise.
  size_t size() const noexcept { return tag() >= json::kArray ? cell_.size : 0; }
  bool empty() const noexcept { return size() == 0; }
  // The member, which is looked for one by one; a null, which is nobody's, when it is absent or this is no object.
  const Json& operator[](std::string_view name) const noexcept;
  // The member, which is put there as null when it is absent; a null becomes an object. What is neither stays as it is; the
  // answer is then, as when memory is out, a null that nothing can be put into: what is assigned to it is lost.
  Json& operator[](std::string_view name) noexcept;
  // The element; behind the end that null.
  template <json::Integer T>
  const Json& operator[](T index) const noexcept {
    return item(static_cast<size_t>(index));
  }
  template <json::Integer T>
  Json& operator[](T index) noexcept {
    return item(static_cast<size_t>(index));
  }
  bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }
  const Json* find(std::string_view name) const noexcept;
  Json* find(std::string_view name) noexcept;
  // True when it was there.
  bool erase(std::string_view name) noexcept;
  bool erase(size_t index) noexcept;
  // At the end of an array; a null becomes one. False when this is something else, or memory is out.
  bool push_back(Json value) noexcept;
  void clear() noexcept;
  // The elements of an array; nothing otherwise.
  std::span<const Json> items() const noexcept;
  std::span<Json> items() noexcept;
  // for (auto [name, value] : user.members())
  Members<const Json> members() const noexcept;
  Members<Json> members() noexcept;

  // By place ---------------------------------------------------------------------------------------------------------

  // What a JSON pointer (RFC 6901: "/tags/0") names; null when it names nothing.
  const Json* find_pointer(std::string_view pointer) const noexcept;
  Json* find_pointer(std::string_view pointer) noexcept;
  // The same; a null, which is nobody's, when it names nothing.
  const Json& pointer(std::string_view pointer) const noexcept;
  // Puts a value where the pointer says: its parent must be there; "-" is behind the end of an array. False otherwise.
  bool set_pointer(std::string_view pointer, Json value) noexcept;
  // Applies a merge patch (RFC 7396): members of null are removed, objects are merged, all else is replaced.
  void merge_patch(const Json& patch) noexcept;

  // Out --------------------------------------------------------------------------------------------------------------

  // The text, UTF-8; compact, or with so many spaces for each level and a line for each member. Doubles in the shortest form that reads
  // back as the same; control characters escaped.
  std::string dump(uint32_t indent = 0) const;
  std::string dump(const JsonFormat& format) const;

  // A value that is moved into a part of itself is in a ring that nobody can reach, and its memory is lost.

  // False when memory was out while this value, or something in it, was made or copied: something is missing.
  bool complete() const noexcept;

  // Objects are equal when they have the same members in any order; numbers when they are the same number.
  friend bool operator==(const Json& a, const Json& b) noexcept { return a.equals(b); }

 private:
  friend struct json::Access;
  uint8_t tag() const noexcept { return cell_.tag & json::kKind; }
  std::string_view text() const noexcept {
    return cell_.tag & json::kShort ? std::string_view(reinterpret_cast<const char*>(&cell_), cell_.distance[2])
                                    : std::string_view(cell_.text, cell_.size);
  }
  // What this was is not destroyed.
  void take(Json& other) noexcept {
    if (other.cell_.tag & json::kBorrowed) return take_borrowed(other);
    cell_ = other.cell_;
    other.cell_ = json::Cell();
  }
  void take_borrowed(Json& other) noexcept;
  void copy_from(const Json& other) noexcept;
  void set_text(std::string_view text) noexcept;
  bool integer_in(int64_t least, uint64_t most, uint64_t& value) const noexcept;
  const Json& item(size_t index) const noexcept;
  Json& item(size_t index) noexcept;
  bool equals(const Json& other) const noexcept;

  json::Cell cell_{};
};

struct JsonMember {
  std::string_view name;
  mutable Json value;  // moved from, as the list is used once
};

struct Json::Item {
  template <typename T>
    requires std::constructible_from<Json, T&&>
  Item(T&& from) noexcept : value(std::forward<T>(from)) {}
  Item(std::initializer_list<Member> members) noexcept : value(members) {}
  mutable Json value;
};

template <typename Value>
class Json::Members {
 public:
  class Iterator {
   public:
    explicit Iterator(Value* at) noexcept : at_(at) {}
    MemberRef<Value> operator*() const noexcept { return {at_[0].text(), at_[1]}; }
    Iterator& operator++() noexcept { return at_ += 2, *this; }
    bool operator==(const Iterator&) const noexcept = default;

   private:
    Value* at_;
  };
  Members(Value* begin, size_t size) noexcept : begin_(begin), size_(size) {}
  Iterator begin() const noexcept { return Iterator(begin_); }
  Iterator end() const noexcept { return Iterator(begin_ + 2 * size_); }
  size_t size() const noexcept { return size_; }

 private:
  Value* begin_;
  size_t size_;
};

namespace json {
[[noreturn]] void fail_access(const JsonError& error) noexcept;
}

// A value, or why there is none. Asking for the value of an error aborts with its message.
template <typename T>
class [[nodiscard]] JsonResult {
 public:
  // What Json::parse or, of own types, Json::to answers.
  MARTLET_THUNK static JsonResult parse(std::string_view text, const JsonOptions& options = {}) {
    if constexpr (std::same_as<T, Json>) {
      return Json::parse(text, options);
    } else {
      return Json::to<T>(text, options);
    }
  }
  JsonResult(T value) noexcept : ok_(true), value_(std::move(value)) {}
  JsonResult(const JsonError& error) noexcept : error_(error) {}

  bool ok() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  T& operator*() & noexcept { return expect_value(), value_; }
  const T& operator*() const& noexcept { return expect_value(), value_; }
  T&& operator*() && noexcept { return expect_value(), std::move(value_); }
  T* operator->() noexcept { return expect_value(), &value_; }
  const T* operator->() const noexcept { return expect_value(), &value_; }
  // Of no meaning when there is a value.
  const JsonError& error() const noexcept { return error_; }

 private:
  void expect_value() const noexcept {
    if (!ok_) json::fail_access(error_);
  }
  bool ok_ = false;
  T value_{};
  JsonError error_;
};

template <typename T>
std::optional<T> Json::as() const {
  if constexpr (std::same_as<T, bool>) {
    if (is_bool()) return cell_.natural != 0;
  } else if constexpr (json::Integer<T>) {
    constexpr T kLeast = std::is_signed_v<T> ? static_cast<T>(T{1} << (sizeof(T) * 8 - 1)) : T{0};
    uint64_t value = 0;
    if (integer_in(static_cast<int64_t>(kLeast), static_cast<uint64_t>(static_cast<T>(~kLeast)), value)) return static_cast<T>(value);
  } else if constexpr (std::floating_point<T>) {
    // Not by way of a double, which rounds as well.
    if (tag() == json::kInteger) return static_cast<T>(cell_.integer);
    if (tag() == json::kNatural) return static_cast<T>(cell_.natural);
    if (tag() == json::kReal) {
      const T nearest = static_cast<T>(cell_.real);
      if (!__builtin_isinf(nearest) || __builtin_isinf(cell_.real)) return nearest;  // 1e300 is no float
    }
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    if (is_string()) return T(text());
  } else if constexpr (std::same_as<T, Json>) {
    return *this;
  } else {
    JsonResult<T> read = to<T>(dump(), {.depth = 1024, .max_bytes = SIZE_MAX});  // no less than a tree can be
    if (read) return std::move(*read);
  }
  return std::nullopt;
}

// JSON to be sent, as calls that send take it: a Json, the members of an object in braces, an own type, or what a JsonWriter
// has written. It is encoded when it is made, and meant to be used in the same expression.
class JsonText {
 public:
  JsonText(const Json& value) noexcept : own_() { own_.value(value); }
  JsonText(std::initializer_list<JsonMember> members) noexcept : JsonText(Json(members)) {}
  template <JsonWritable T>
    requires(!std::convertible_to<const T&, std::span<const std::byte>>)  // bytes are sent as they are
  JsonText(const T& value) : own_() {
    own_.value(value);
  }
  JsonText(const JsonWriter& written) noexcept : other_(&written) {}
  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;
  ~JsonText() {
    if (!other_) own_.~JsonWriter();
  }

  std::string_view text() const noexcept { return writer().text(); }
  // False when memory was out.
  bool ok() const noexcept { return writer().ok(); }

 private:
  friend struct json::Access;
  const JsonWriter& writer() const noexcept { return other_ ? *other_ : own_; }
  const JsonWriter* other_ = nullptr;
  union {
    JsonWriter own_;  // where there is no other
  };
};

}  // namespace martlet

#include <martlet/json_types.h>
