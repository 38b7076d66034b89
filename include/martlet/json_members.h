// martlet/json_members.h: structs and enums with MARTLET_JSON, as json_types.h tells: what that macro says of them becomes a table for the
// reader, which looks names up in it, and straight code for the writer, each member in turn.
#pragma once

#include <martlet/config.h>
#include <martlet/json_types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet::json {

// Where in the names each of them begins; there is one place more at their end.
template <size_t Count>
struct NamePlaces {
  size_t at[Count + 1] = {};

  explicit consteval NamePlaces(const char* names) noexcept {
    for (size_t i = 0; i < Count; i++) {
      at[i + 1] = at[i];
      while (names[at[i + 1]++] != ':') {}
    }
  }
};

template <typename T>
inline constexpr auto kDescribed = martlet_json_form(static_cast<const T*>(nullptr));

template <typename T, auto Pointer>
MARTLET_THUNK bool read_member(JsonReader& in, void* object, bool again) noexcept {
  auto& member = static_cast<T*>(object)->*Pointer;
  using Of = std::remove_reference_t<decltype(member)>;
  if constexpr (std::is_arithmetic_v<Of>) {
    return read_value(in, member);
  } else {
    return read_safely(in, [&] {
      if (again) forget_value(member);
      return read_value(in, member);
    });
  }
}

consteval MemberReader make_member(const char* names, size_t begin, size_t end, bool (*read)(JsonReader&, void*, bool)) noexcept {
  MemberReader info{names + begin + 1, static_cast<uint32_t>(end - begin - 3), read, 0, 0};
  for (uint32_t i = 0; i < info.size && i < 8; i++) {
    const int shift = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? static_cast<int>(8 * i) : static_cast<int>(56 - 8 * i);
    info.word |= uint64_t{static_cast<uint8_t>(info.name[i])} << shift;
    info.mask |= uint64_t{0xFF} << shift;
  }
  return info;
}

template <bool... Flags>
consteval uint64_t bits_of_false() noexcept {
  uint64_t bits = 0, bit = 1;
  ((bits |= Flags ? 0 : bit, bit <<= 1), ...);
  return bits;
}

template <typename T, typename Listed>
struct MARTLET_THUNK MembersOf;

template <typename T, auto... Pointers>
struct MembersOf<T, Members<T, Pointers...>> {
  static_assert(sizeof...(Pointers) <= 64, "MARTLET_JSON takes at most 64 members of a struct: group some in a struct of their own");
  static constexpr size_t kCount = sizeof...(Pointers);
  static constexpr const char* kNames = kDescribed<T>.names;
  static constexpr NamePlaces<kCount> kPlaces{kNames};
  template <auto Pointer>
  static constexpr bool kMayBeEmpty = may_be_empty<std::remove_cvref_t<decltype(std::declval<T&>().*Pointer)>>;

  template <auto Pointer, size_t I>
  static char* put_member(JsonWriter& out, char* at, const T& from) {
    constexpr size_t kSize = kPlaces.at[I + 1] - kPlaces.at[I];
    const auto& member = from.*Pointer;
    if constexpr (kMayBeEmpty<Pointer>) {
      if (!member) return at;
    }
    at = Put::room(out, at, kSize);
    if (!at) return nullptr;
    std::memcpy(at, kNames + kPlaces.at[I], kSize);
    at = Put::value(out, at + kSize, member);
    if (at) *at++ = ',';
    return at;
  }
  template <size_t... I>
  static char* put(JsonWriter& out, char* at, const T& from, std::index_sequence<I...>) {
    *at++ = '{';
    if (!((at = put_member<Pointers, I>(out, at, from)) && ...)) return nullptr;
    if (at[-1] == ',') at--;
    *at++ = '}';
    return Put::room(out, at, 0);
  }
  template <auto Pointer, size_t I>
  static void write_member(JsonWriter& out, const T& from) {
    if constexpr (kMayBeEmpty<Pointer>) {
      if (!(from.*Pointer)) return;
    }
    out.key(std::string_view(kNames + kPlaces.at[I] + 1, kPlaces.at[I + 1] - kPlaces.at[I] - 3));
    write_value(out, from.*Pointer);
  }
  template <size_t... I>
  static void write(JsonWriter& out, const T& from, std::index_sequence<I...>) {
    out.begin_object();
    (write_member<Pointers, I>(out, from), ...);
    out.end_object();
  }
};

// What the reader looks names up in: apart from the above, so that a type which can only be written is.
template <typename T, typename Listed>
struct MARTLET_THUNK ReadTable;

template <typename T, auto... Pointers>
struct ReadTable<T, Members<T, Pointers...>> {
  using Of = MembersOf<T, Members<T, Pointers...>>;

  template <size_t... I>
  static consteval auto make_list(std::index_sequence<I...>) noexcept {
    struct List {
      MemberReader at[Of::kCount + 1];
    };
    return List{{make_member(Of::kNames, Of::kPlaces.at[I], Of::kPlaces.at[I + 1], &read_member<T, Pointers>)..., MemberReader{"", 0, nullptr, 0, 0}}};
  }
  static constexpr auto kList = make_list(std::make_index_sequence<Of::kCount>());
  static constexpr MemberTable kTable{kList.at, Of::kCount, bits_of_false<Of::template kMayBeEmpty<Pointers>...>()};
};

template <typename T>
struct OfForm<T, Form::members> {
  using Listed = std::remove_const_t<decltype(kDescribed<T>)>;
  using Of = MembersOf<T, Listed>;
  using Each = std::make_index_sequence<Of::kCount>;

  static bool read(JsonReader& in, T& to) noexcept { return ReadParts::members(in, &to, ReadTable<T, Listed>::kTable); }
  static char* put(JsonWriter& out, char* at, const T& from) { return Of::put(out, at, from, Each()); }
  static void write(JsonWriter& out, const T& from) {
    if (Put::compact(out)) return Put::all(out, from);
    Of::write(out, from, Each());
  }
};

// The values of an enum that have a name.
template <typename T, T... Values>
struct OfEnumerators {
  static constexpr size_t kCount = sizeof...(Values);
  static constexpr const char* kNames = kDescribed<T>.names;
  static constexpr NamePlaces<kCount> kPlaces{kNames};
  static constexpr T kValues[] = {Values...};

  // In quotes.
  static constexpr std::string_view quoted(size_t i) noexcept { return {kNames + kPlaces.at[i], kPlaces.at[i + 1] - kPlaces.at[i] - 1}; }
  static constexpr size_t find(T value) noexcept {
    size_t i = 0;
    while (i < kCount && kValues[i] != value) i++;
    return i;
  }
  static bool read(std::string_view name, T& to) noexcept {
    for (size_t i = 0; i < kCount; i++) {
      const std::string_view known = quoted(i);
      if (known.size() != name.size() + 2 || std::memcmp(known.data() + 1, name.data(), name.size()) != 0) continue;
      to = kValues[i];
      return true;
    }
    return false;
  }
};

template <typename T, T... Values>
OfEnumerators<T, Values...> enumerators_of(const Enumerators<T, Values...>&) noexcept;

template <typename T>
struct OfForm<T, Form::names> {
  using Of = decltype(enumerators_of(kDescribed<T>));

  static bool read(JsonReader& in, T& to) noexcept {
    std::string_view name;
    if (!in.text(name)) return false;
    return Of::read(name, to) || in.fail(kDescribed<T>.wanted);
  }
  static char* put(JsonWriter& out, char* at, T value) noexcept {
    const size_t i = Of::find(value);
    if (i == Of::kCount) return write_integer(at, static_cast<int64_t>(value));
    const std::string_view name = Of::quoted(i);
    at = Put::room(out, at, name.size());
    if (!at) return nullptr;
    std::memcpy(at, name.data(), name.size());
    return at + name.size();
  }
  static void write(JsonWriter& out, T value) noexcept { Put::all(out, value); }
};

}  // namespace martlet::json
