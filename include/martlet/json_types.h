// martlet/json_types.h: own types as JSON, read straight from the text and written straight to the output: no tree in between.
//
//   struct Post {
//     std::string title;
//     int likes = 0;
//     std::optional<std::string> link;
//   };
//   MARTLET_JSON(Post, title, likes, link)
//   enum class Color { red, green };
//   MARTLET_JSON(Color, red, green)
//
//   auto post = Json::to<Post>(text);                // or req.json<Post>(), message.json<Post>()
//   if (!post) log(post.error().message());          // "/likes: an integer is wanted"
//   res.json(*post);  ws.send(*post);  Json tree = *post;  writer.value(*post);
//
// An aggregate without the macro has none: its members' names by structured bindings and the compiler's own words were tried,
// and do not link with g++ 11 and 12 and clang 14.
//
// These have a JSON form:
//   bool, integers, float, double     An integer must fit; 1.0 and 1e3 are integers, too. NaN and the infinities are written as null.
//   std::string                       What is only a view (std::string_view) is written, not read.
//   Json                              any value
//   enums with MARTLET_JSON           by name, as a string. A value without a name is written as a number, and not read.
//   structs with MARTLET_JSON         objects
//   types with a JsonOf of their own  as that says
//   std::optional, std::unique_ptr    null when empty; as a member of a struct they are left out then, and may be absent or null in the text
//   std::vector, deque, list, …       arrays: what has push_back() or emplace_back(), and clear()
//   std::array, T[N]                  arrays of exactly as many elements
//   std::pair                         arrays of two
//   std::set, …                       arrays: what has insert() and a key_type
//   std::map, unordered_map, …        objects: what has a key_type that is made from a std::string_view, and a mapped_type
//   other ranges (std::span)          are written as arrays, not read
// Runs of std::byte have none: they are sent as they are.
//
// How objects are read: members in any order (that of the type is the quickest); of names that come twice as JsonOptions::duplicates says (with
// `refuse`, the text is gone over twice); names that the type has not are skipped, or refused with refuse_unknown. A member that is not in the
// text keeps what its initialiser gave it, or is an error with require_all, unless it may be empty. Everything that Json::parse refuses is refused
// here as well, also in what is skipped; for errors of the text JsonError::path is empty, for values that are not what
// is wanted it says where they are. Reading recurses as deep as the text nests, which JsonOptions::depth bounds.
//
// Nothing throws: std::bad_alloc, of a container say, becomes the error "memory is out", and what else a type throws while it is
// read "an exception was thrown".
#pragma once

#include <martlet/config.h>
#include <martlet/json.h>
#include <martlet/json_reader.h>
#include <martlet/json_writer.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// Says which members of a struct, or names of an enum, make its JSON form: at most 64 members, 250 names. It stands in the
// namespace of the type, right behind it. The members must be public; a `Type` with a comma in it needs an alias.
#define MARTLET_JSON(Type, ...)                                                                                          \
  template <std::same_as<Type> MartletType>                                                                              \
  constexpr auto martlet_json_form(const MartletType*) noexcept {                                                        \
    if constexpr (std::is_enum_v<MartletType>) {                                                                         \
      return ::martlet::json::Enumerators<MartletType MARTLET_JSON_EACH(MARTLET_JSON_VALUE, __VA_ARGS__)>{               \
          "" MARTLET_JSON_EACH(MARTLET_JSON_KEY, __VA_ARGS__), "one of these is wanted: " #__VA_ARGS__};                 \
    } else {                                                                                                             \
      return ::martlet::json::Members<MartletType MARTLET_JSON_EACH(MARTLET_JSON_MEMBER, __VA_ARGS__)>{                  \
          "" MARTLET_JSON_EACH(MARTLET_JSON_KEY, __VA_ARGS__)};                                                          \
    }                                                                                                                    \
  }

#define MARTLET_JSON_KEY(name) "\"" #name "\":"
#define MARTLET_JSON_VALUE(name) , MartletType::name
#define MARTLET_JSON_MEMBER(name) , &MartletType::name
#define MARTLET_JSON_EACH(macro, ...) __VA_OPT__(MARTLET_JSON_4(MARTLET_JSON_NEXT(macro, __VA_ARGS__)))
#define MARTLET_JSON_NEXT(macro, name, ...) macro(name) __VA_OPT__(MARTLET_JSON_AGAIN MARTLET_JSON_NONE()(macro, __VA_ARGS__))
#define MARTLET_JSON_AGAIN() MARTLET_JSON_NEXT
#define MARTLET_JSON_NONE
#define MARTLET_JSON_4(...) MARTLET_JSON_3(MARTLET_JSON_3(MARTLET_JSON_3(MARTLET_JSON_3(__VA_ARGS__))))
#define MARTLET_JSON_3(...) MARTLET_JSON_2(MARTLET_JSON_2(MARTLET_JSON_2(MARTLET_JSON_2(__VA_ARGS__))))
#define MARTLET_JSON_2(...) MARTLET_JSON_1(MARTLET_JSON_1(MARTLET_JSON_1(MARTLET_JSON_1(__VA_ARGS__))))
#define MARTLET_JSON_1(...) MARTLET_JSON_0(MARTLET_JSON_0(MARTLET_JSON_0(MARTLET_JSON_0(__VA_ARGS__))))
#define MARTLET_JSON_0(...) __VA_ARGS__

namespace martlet {

namespace json {

// What MARTLET_JSON says of a type. The names are one text: "title":"likes":"link":
template <typename T, auto... Pointers>
struct Members {
  const char* names;
};
template <typename T, T... Values>
struct Enumerators {
  const char* names;
  const char* wanted;
};

enum class Form : uint8_t { none, boolean, integer, real, text, tree, members, names, optional, pointer, pair, fixed, list, map, set, range };

template <typename T>
concept Described = requires(const T* type) { martlet_json_form(type); };
template <typename T>
concept Optional = requires(T& to) { typename T::value_type; { to.has_value() } -> std::same_as<bool>; to.emplace(); to.reset(); *to; };
template <typename T>
concept Pointer = requires(T& to) { typename T::element_type; typename T::deleter_type; to.reset(to.get()); };
template <typename T>
concept Pair = requires(T& to) { typename T::first_type; typename T::second_type; to.first; to.second; };
template <typename T>
concept Range = requires(const T& from) { typename T::value_type; from.begin(); from.end(); } && !std::same_as<typename T::value_type, T> &&
                !std::same_as<std::remove_cv_t<typename T::value_type>, std::byte>;
template <typename T>
concept Fixed = (std::is_array_v<T> && !std::same_as<std::remove_cv_t<std::remove_all_extents_t<T>>, std::byte>) || (Range<T> && requires(T& to) { std::tuple_size<T>::value; to[0]; });
template <typename T>
concept Back = requires(T& to) { to.emplace_back(); } || requires(T& to, typename T::value_type& item) { to.push_back(std::move(item)); };
template <typename T>
concept List = Range<T> && Back<T> && requires(T& to) { to.clear(); };
template <typename T>
concept Map = Range<T> && std::constructible_from<typename T::key_type, std::string_view> && Text<typename T::key_type> &&
              requires(T& to, typename T::key_type& key) { typename T::mapped_type; to.find(key); to.clear(); to[key]; };
template <typename T>
concept Set = Range<T> && requires(T& to, typename T::key_type& key) { to.insert(std::move(key)); to.clear(); } && !requires { typename T::mapped_type; };

template <typename T>
consteval Form form_of() noexcept {
  if constexpr (std::same_as<T, bool>) return Form::boolean;
  else if constexpr (Integer<T>) return Form::integer;
  else if constexpr (std::floating_point<T>) return Form::real;
  else if constexpr (std::same_as<T, Json>) return Form::tree;
  else if constexpr (std::is_scalar_v<T> && !std::is_enum_v<T> && !Text<T>) return Form::none;
  else if constexpr (Described<T>) return std::is_enum_v<T> ? Form::names : Form::members;
  else if constexpr (Text<T>) return Form::text;
  else if constexpr (Optional<T>) return Form::optional;
  else if constexpr (Pointer<T>) return Form::pointer;
  else if constexpr (Pair<T>) return Form::pair;
  else if constexpr (Fixed<T>) return Form::fixed;
  else if constexpr (List<T>) return Form::list;
  else if constexpr (Map<T>) return Form::map;
  else if constexpr (Set<T>) return Form::set;
  else return Range<T> ? Form::range : Form::none;
}

template <typename T, Form form>
struct MARTLET_THUNK OfForm;

}  // namespace json

// The forms above. A specialisation of yours for a type goes before them.
template <typename T>
  requires(json::form_of<T>() != json::Form::none)
struct JsonOf<T> : json::OfForm<T, json::form_of<T>()> {};

// Types that have a JSON form which can be read.
template <typename T>
concept JsonReadable = requires(JsonReader& in, T& to) {
  { JsonOf<T>::read(in, to) } -> std::same_as<bool>;
};

namespace json {

// Whether JsonOf<T> is one of those here.
template <typename T>
concept Ours = std::derived_from<JsonOf<T>, OfForm<T, form_of<T>()>>;

template <typename T>
constexpr bool may_be_empty = form_of<T>() == Form::optional || form_of<T>() == Form::pointer;

// The part of the reader that the forms use.
struct ReadParts {
  static bool boolean(JsonReader& in, bool& to) noexcept { return in.boolean(to); }
  template <typename T>
  static bool integer(JsonReader& in, T& to) noexcept {
    constexpr auto kBits = sizeof(T) * 8 - std::is_signed_v<T>;
    constexpr uint64_t kMost = ~uint64_t{0} >> (64 - kBits);
    uint64_t value = 0;
    if (!in.integer(std::is_signed_v<T> ? -static_cast<int64_t>(kMost) - 1 : 0, kMost, value)) return false;
    to = static_cast<T>(value);
    return true;
  }
  static bool real(JsonReader& in, float& to) noexcept { return in.single(to); }
  static bool real(JsonReader& in, double& to) noexcept { return in.real(to); }
  static bool real(JsonReader& in, long double& to) noexcept {
    double value = 0;
    if (!in.real(value)) return false;
    to = value;
    return true;
  }
  static bool tree(JsonReader& in, Json& to) noexcept { return in.tree(to); }
  static bool members(JsonReader& in, void* object, const MemberTable& table) noexcept { return in.members(object, table); }
  static bool fail_next(JsonReader& in, const char* what) noexcept { return in.fail_next(what); }
};

// Calls read() and makes an error of what it throws. The library between two such calls has no exceptions.
#if MARTLET_HAS_EXCEPTIONS
template <typename Read>
MARTLET_THUNK bool read_safely(JsonReader& in, Read&& read) noexcept {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return in.fail("memory is out");
  } catch (...) {
    return in.fail("an exception was thrown");
  }
}
#else
template <typename Read>
MARTLET_THUNK bool read_safely(JsonReader&, Read&& read) noexcept {
  return read();
}
#endif

// Writes in the compact form, with the end of the text in a register: each call takes it and answers the new one, null when
// memory is out. At each value there are kBeside bytes of room, and behind it still some for a comma and a bracket.
struct Put {
  static bool compact(const JsonWriter& out) noexcept { return !(out.format_.html || out.format_.indent); }
  static char* room(JsonWriter& out, char* at, size_t size) noexcept {
    if (static_cast<size_t>(out.end_ - at) >= size + JsonWriter::kBeside) [[likely]] return at;
    return more(out, at, size);
  }
  static char* more(JsonWriter& out, char* at, size_t size) noexcept;
  // In quotes, when there is room for it.
  static char* text(JsonWriter& out, char* at, std::string_view text) noexcept;
  // A name that may need escapes, with its colon: there is room for the value behind it.
  static char* name(JsonWriter& out, char* at, std::string_view name) noexcept;
  template <size_t Size>
  static char* literal(char* at, const char (&text)[Size]) noexcept {
    std::memcpy(at, text, Size - 1);
    return at + Size - 1;
  }
  // A value by the writer's own calls.
  template <typename T>
  static char* other(JsonWriter& out, char* at, const T& value) {
    out.at_ = at;
    out.before_ = JsonWriter::kNothing;
    out.value(value);
    return out.failed_ ? nullptr : room(out, out.at_, 0);
  }
  template <typename T>
  static char* value(JsonWriter& out, char* at, const T& value);
  // Begins and ends what a writer's call writes in this way.
  template <typename T>
  static void all(JsonWriter& out, const T& value) {
    if (!out.lead(0)) return;
    if (char* end = Put::value(out, out.at_, value)) out.at_ = end;
  }
};

template <typename T>
constexpr bool has_json_form() noexcept {
  if constexpr (Text<T> || std::is_arithmetic_v<T>) return form_of<T>() != Form::none;
  else return JsonWritable<T> || std::same_as<T, Json>;
}

template <typename T>
void write_value(JsonWriter& out, const T& value) {
  static_assert(has_json_form<T>(), "this type has no JSON form: MARTLET_JSON(Type, members...) behind it gives it one, or a JsonOf<Type>");
  if constexpr (has_json_form<T>()) out.value(value);
}

template <typename T>
char* Put::value(JsonWriter& out, char* at, const T& value) {
  static_assert(has_json_form<T>(), "this type has no JSON form: MARTLET_JSON(Type, members...) behind it gives it one, or a JsonOf<Type>");
  if constexpr (!has_json_form<T>()) return nullptr;
  else if constexpr (Ours<T>) return OfForm<T, form_of<T>()>::put(out, at, value);
  else return other(out, at, value);
}

template <typename T>
MARTLET_THUNK bool read_value(JsonReader& in, T& to) {
  static_assert(!std::same_as<T, std::string_view>, "a std::string_view cannot be read, as the text it would be of ends: read a std::string");
  static_assert(JsonReadable<T> || std::same_as<T, std::string_view>, "this type cannot be read from JSON: MARTLET_JSON(Type, members...) behind it makes that so, or a JsonOf<Type>");
  if constexpr (JsonReadable<T>) return JsonOf<T>::read(in, to);
  else return false;
}

// As if it had not been read: only what keeps something when it is read once more.
template <typename T>
void forget_value(T& value) {
  if constexpr (std::is_array_v<T>) {
    for (auto& item : value) forget_value(item);
  } else if constexpr (form_of<T>() == Form::members || form_of<T>() == Form::pair || form_of<T>() == Form::fixed || !Ours<T>) {
    if constexpr (requires { value = T(); }) value = T();
  }
}

// Scalars -------------------------------------------------------------------------------------------------------------

template <typename T>
struct OfForm<T, Form::boolean> {
  static bool read(JsonReader& in, bool& to) noexcept { return ReadParts::boolean(in, to); }
  static void write(JsonWriter& out, bool value) noexcept { out.value(value); }
  static char* put(JsonWriter&, char* at, bool value) noexcept { return value ? Put::literal(at, "true") : Put::literal(at, "false"); }
};

template <typename T>
struct OfForm<T, Form::integer> {
  static bool read(JsonReader& in, T& to) noexcept { return ReadParts::integer(in, to); }
  static void write(JsonWriter& out, T value) noexcept { out.value(value); }
  static char* put(JsonWriter&, char* at, T value) noexcept {
    if constexpr (std::is_signed_v<T>) return write_integer(at, value);
    else return write_natural(at, value);
  }
};

template <typename T>
struct OfForm<T, Form::real> {
  static bool read(JsonReader& in, T& to) noexcept { return ReadParts::real(in, to); }
  static void write(JsonWriter& out, T value) noexcept { out.value(value); }
  static char* put(JsonWriter&, char* at, T value) noexcept { return write_real(at, static_cast<double>(value)); }
};

template <typename T>
struct OfForm<T, Form::tree> {
  static bool read(JsonReader& in, Json& to) noexcept { return ReadParts::tree(in, to); }
  static void write(JsonWriter& out, const Json& value) noexcept { out.value(value); }
  static char* put(JsonWriter& out, char* at, const Json& value) noexcept { return Put::other(out, at, value); }
};

template <typename T>
struct OfForm<T, Form::text> {
  static bool read(JsonReader& in, T& to)
    requires requires(std::string_view text) { to.assign(text.data(), text.size()); }
  {
    std::string_view text;
    if (!in.text(text)) return false;
    to.assign(text.data(), text.size());
    return true;
  }
  static void write(JsonWriter& out, const T& value) { out.value(value); }
  static char* put(JsonWriter& out, char* at, const T& value) {
    const std::string_view text(value);
    at = Put::room(out, at, text.size());
    return at ? Put::text(out, at, text) : nullptr;
  }
};

void read_back(const JsonWriter& written, Json& to) noexcept;

// A list of plain values in UTF-8, read where it stands: text without escapes, integers of up to 18 digits, true and false, without
// white space between them. What is not like that is for a JsonReader, which knows all; nothing is wrong with it.
class PlainList {
 public:
  explicit PlainList(std::string_view list) noexcept : at_(list.data()), begin_(at_), end_(at_ + list.size()) {}
  bool take(char letter) noexcept { return at_ != end_ && *at_ == letter ? (at_++, true) : false; }
  bool ended() const noexcept { return end_ - at_ == 1 && *at_ == ']'; }
  bool read(std::string_view& to) noexcept;
  bool read(bool& to) noexcept;
  bool integer(bool& negative, uint64_t& magnitude) noexcept;
  bool read(std::string& to) {
    std::string_view text;
    return read(text) && (to.assign(text.data(), text.size()), true);
  }
  template <Integer T>
  bool read(T& to) noexcept {
    bool negative = false;
    uint64_t magnitude = 0;
    if (!integer(negative, magnitude)) return false;
    to = static_cast<T>(negative ? 0 - magnitude : magnitude);
    return negative ? std::is_signed_v<T> && static_cast<int64_t>(to) == -static_cast<int64_t>(magnitude)
                    : to >= 0 && static_cast<uint64_t>(to) == magnitude;
  }

 private:
  const char* at_;
  const char* begin_;
  const char* end_;
};

template <typename T>
constexpr bool is_plain_type = std::is_same_v<T, std::string_view> || std::is_same_v<T, std::string> || std::is_same_v<T, bool> || Integer<T>;

}  // namespace json

template <typename T>
MARTLET_THUNK bool JsonReader::read(T& to) {
  return json::read_value(*this, to);
}

template <typename T>
JsonResult<T> Json::to(std::string_view text, const JsonOptions& options) {
  T value{};
  JsonError error;
  json::TextReader in(text, options);
  const bool read = in.begin() && json::read_safely(in.reader(), [&] { return json::read_value(in.reader(), value); });
  if (in.finish(read, error)) return JsonResult<T>(std::move(value));
  return error;
}

template <typename T>
  requires JsonWritable<T>
Json::Json(const T& value) noexcept {
  JsonWriter written;
  written.value(value);
  json::read_back(written, *this);
}

}  // namespace martlet

#include <martlet/json_containers.h>
#include <martlet/json_members.h>
