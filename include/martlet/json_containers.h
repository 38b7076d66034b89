// martlet/json_containers.h: optionals, pointers, pairs and containers as JSON: the table in json_types.h says which, and how. They are told
// by what they can do, so that none of their headers is needed here.
#pragma once

#include <martlet/config.h>
#include <martlet/json_types.h>

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet::json {

template <typename T>
struct OfForm<T, Form::optional> {
  static bool read(JsonReader& in, T& to) {
    if (in.null()) return to.reset(), true;
    return read_value(in, to.emplace());
  }
  static char* put(JsonWriter& out, char* at, const T& from) { return from ? Put::value(out, at, *from) : Put::literal(at, "null"); }
  static void write(JsonWriter& out, const T& from) {
    if (!from) return out.value(nullptr);
    write_value(out, *from);
  }
};

template <typename T>
struct OfForm<T, Form::pointer> : OfForm<T, Form::optional> {
  static bool read(JsonReader& in, T& to) {
    to.reset();
    if (in.null()) return true;
    to.reset(new typename T::element_type());
    return read_value(in, *to);
  }
};

// Arrays --------------------------------------------------------------------------------------------------------------

// What can be walked is written; the containers below are also read.
template <typename T>
struct OfForm<T, Form::range> {
  using Item = typename T::value_type;

  static char* put(JsonWriter& out, char* at, const T& from) {
    *at++ = '[';
    for (const Item& item : from) {
      at = Put::room(out, at, 0);
      if (at) at = Put::value(out, at, item);
      if (!at) return nullptr;
      *at++ = ',';
    }
    if (at[-1] == ',') at--;
    *at++ = ']';
    return Put::room(out, at, 0);
  }
  static void write(JsonWriter& out, const T& from) {
    if (Put::compact(out)) return Put::all(out, from);
    out.begin_array();
    for (const Item& item : from) write_value(out, item);
    out.end_array();
  }
};

template <typename T>
struct OfForm<T, Form::list> : OfForm<T, Form::range> {
  using Item = typename T::value_type;

  static bool read(JsonReader& in, T& to) {
    to.clear();
    return in.array([&] { return append(in, to); });
  }

 private:
  static bool append(JsonReader& in, T& to) {
    if constexpr (requires { { to.emplace_back() } -> std::same_as<Item&>; }) {
      return read_value(in, to.emplace_back());
    } else {
      Item item{};
      if (!read_value(in, item)) return false;
      to.push_back(std::move(item));
      return true;
    }
  }
};

template <typename T>
struct OfForm<T, Form::set> : OfForm<T, Form::range> {
  static bool read(JsonReader& in, T& to) {
    to.clear();
    return in.array([&] {
      typename T::key_type item{};
      if (!read_value(in, item)) return false;
      to.insert(std::move(item));
      return true;
    });
  }
};

// An array of so many elements; element(i) reads one.
template <typename Element>
bool read_fixed(JsonReader& in, size_t count, Element&& element) {
  size_t i = 0;
  const bool read = in.array([&] {
    if (i == count) return ReadParts::fail_next(in, "the array has more elements than are wanted");
    return element(i++);
  });
  return read && (i == count || in.fail("the array has fewer elements than are wanted"));
}

template <typename T>
struct OfForm<T, Form::pair> {
  static bool read(JsonReader& in, T& to) {
    return read_fixed(in, 2, [&](size_t i) { return i == 0 ? read_value(in, to.first) : read_value(in, to.second); });
  }
  static char* put(JsonWriter& out, char* at, const T& from) {
    *at++ = '[';
    at = Put::value(out, at, from.first);
    if (!at) return nullptr;
    *at++ = ',';
    at = Put::room(out, at, 0);
    if (at) at = Put::value(out, at, from.second);
    if (!at) return nullptr;
    *at++ = ']';
    return Put::room(out, at, 0);
  }
  static void write(JsonWriter& out, const T& from) {
    if (Put::compact(out)) return Put::all(out, from);
    out.begin_array();
    write_value(out, from.first);
    write_value(out, from.second);
    out.end_array();
  }
};

template <typename T>
struct FixedItems {
  static constexpr size_t kCount = std::tuple_size<T>::value;
  using value_type = typename T::value_type;
};
template <typename T, size_t Count>
struct FixedItems<T[Count]> {
  static constexpr size_t kCount = Count;
  using value_type = T;
};

template <typename T>
struct OfForm<T, Form::fixed> {
  using Items = FixedItems<T>;

  static bool read(JsonReader& in, T& to) {
    return read_fixed(in, Items::kCount, [&](size_t i) { return read_value(in, to[i]); });
  }
  static char* put(JsonWriter& out, char* at, const T& from) {
    *at++ = '[';
    for (size_t i = 0; i < Items::kCount; i++) {
      at = Put::room(out, at, 0);
      if (at) at = Put::value(out, at, from[i]);
      if (!at) return nullptr;
      *at++ = ',';
    }
    if (Items::kCount != 0) at--;
    *at++ = ']';
    return Put::room(out, at, 0);
  }
  static void write(JsonWriter& out, const T& from) {
    if (Put::compact(out)) return Put::all(out, from);
    out.begin_array();
    for (size_t i = 0; i < Items::kCount; i++) write_value(out, from[i]);
    out.end_array();
  }
};

// Objects of any names ------------------------------------------------------------------------------------------------

template <typename T>
struct OfForm<T, Form::map> {
  static bool read(JsonReader& in, T& to) {
    to.clear();
    return in.object([&](std::string_view name) { return member(in, to, typename T::key_type(name)); });
  }
  static char* put(JsonWriter& out, char* at, const T& from) {
    *at++ = '{';
    for (const auto& [name, value] : from) {
      at = Put::name(out, at, std::string_view(name));
      if (at) at = Put::value(out, at, value);
      if (!at) return nullptr;
      *at++ = ',';
    }
    if (at[-1] == ',') at--;
    *at++ = '}';
    return Put::room(out, at, 0);
  }
  static void write(JsonWriter& out, const T& from) {
    if (Put::compact(out)) return Put::all(out, from);
    out.begin_object();
    for (const auto& [name, value] : from) {
      out.key(std::string_view(name));
      write_value(out, value);
    }
    out.end_object();
  }

 private:
  static bool member(JsonReader& in, T& to, typename T::key_type&& name) {
    if (in.options().duplicates == Duplicates::first && to.find(name) != to.end()) return in.skip();
    typename T::mapped_type value{};
    if (!read_value(in, value)) return false;
    to[std::move(name)] = std::move(value);
    return true;
  }
};

}  // namespace martlet::json
