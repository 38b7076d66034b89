// martlet/json_writer.h: JSON written piece by piece, without a tree: for what is sent often.
//
//   JsonWriter w;
//   w.object([&] {
//     w.member("id", 7);
//     w.key("tags");
//     w.array([&] { for (const std::string& tag : tags) w.value(tag); });
//   });
//   res.json(w);
//
// It puts the commas, colons and quotes; that names and values alternate is the caller's to keep. Up to 400 bytes take no memory
// but the writer's own, longer texts a buffer that a worker's thread uses again. Nothing throws: when memory is out, ok() is
// false, and text() is empty from then on.
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

namespace base {
struct Block;
}

// How a type of yours is read and written: MARTLET_JSON (json_types.h) says it in a line; a specialisation says it in code:
//   template <> struct martlet::JsonOf<Money> {
//     static bool read(JsonReader& in, Money& to);               // false after in.fail("…")
//     static void write(JsonWriter& out, const Money& value);    // one value
//   };
template <typename T>
struct JsonOf;

// How a text looks.
struct JsonFormat {
  // '<', '>' and '&' as \u003c and so on, and U+2028 and U+2029 escaped: safe inside a <script> of a page.
  bool html = false;
  // Spaces for each level, at most 16, and a line for each member; 0: all in one line without spaces.
  uint32_t indent = 0;
};

namespace json {

struct Access;
struct Put;

template <typename T>
concept Text = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;
template <typename T>
concept Character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> || std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <typename T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !Character<T>;

// Text that is there at run time only: a literal is told by its type, an array of const.
template <typename T>
concept RuntimeText = Text<std::remove_cvref_t<T>> &&
                      !(std::is_array_v<std::remove_reference_t<T>> && std::is_const_v<std::remove_extent_t<std::remove_reference_t<T>>>);

constexpr bool needs_escape(char letter) noexcept { return static_cast<unsigned char>(letter) < 0x20 || letter == '"' || letter == '\\' || letter == '<' || letter == '>' || letter == '&'; }

char* write_integer(char* out, int64_t value) noexcept;
char* write_natural(char* out, uint64_t value) noexcept;
char* write_real(char* out, double value) noexcept;
// A text in quotes, with room for 18 bytes; null when it is longer than 15 bytes, or one of them must be escaped.
char* put_short_text(char* out, const char* text, size_t size) noexcept;

}  // namespace json

// Own types that can be written.
template <typename T>
concept JsonWritable = !json::Text<T> && !std::is_arithmetic_v<T> && !std::same_as<T, Json> && requires(JsonWriter& out, const T& value) { JsonOf<T>::write(out, value); };

// The name of a member, as a literal: that it needs no escapes is known when the program is compiled.
struct JsonName {
  template <size_t Size>
  consteval JsonName(const char (&literal)[Size]) noexcept : text(literal), size(Size - 1) {
    for (size_t i = 0; i < size; i++) plain = plain && !json::needs_escape(literal[i]) && (literal[i] & 0x80) == 0;
  }
  const char* text;
  size_t size;
  bool plain = true;
};

// One thread. Not copyable: it is used where it is made.
class JsonWriter {
 public:
  JsonWriter() noexcept : at_(small_), end_(small_ + sizeof small_), begin_(small_) {}
  explicit JsonWriter(const JsonFormat& format) noexcept;
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;
  ~JsonWriter() {
    if (block_) forget();
  }

  // { … }: inside, members or pairs of key() and a value.
  template <std::invocable Body>
  void object(Body&& body) {
    begin('{');
    body();
    finish('}');
  }
  // [ … ]: inside, values.
  template <std::invocable Body>
  void array(Body&& body) {
    begin('[');
    body();
    finish(']');
  }
  // The same in two calls each, for those who cannot nest.
  void begin_object() noexcept { begin('{'); }
  void end_object() noexcept { finish('}'); }
  void begin_array() noexcept { begin('['); }
  void end_array() noexcept { finish(']'); }

  // The name of the value that comes next.
  void key(JsonName name) noexcept {
    if (!name.plain) return key_of({name.text, name.size});
    if (lead(name.size)) put_plain_key(name);
  }
  template <json::RuntimeText T>
  void key(T&& name) noexcept {
    key_of(std::string_view(name));
  }
  template <typename T>
  void member(JsonName name, const T& of) {
    if (!name.plain || !simple_ || !room(name.size)) [[unlikely]] {
      key(name);
      return value(of);
    }
    // What is short is in the room that there is.
    char* at = put_compact_key(name);
    if constexpr (std::same_as<T, bool>) {
      end_value(put_flag(at, of));
    } else if constexpr (json::Integer<T>) {
      end_value(put_integer(at, of));
    } else if constexpr (json::Text<T>) {
      const std::string_view text(of);
      if (char* end = json::put_short_text(at, text.data(), text.size())) return end_value(end);
      begin_value(at);
      put_any_text(text);
    } else {
      begin_value(at);
      value(of);
    }
  }
  template <json::RuntimeText Name, typename T>
  void member(Name&& name, const T& of) {
    key_of(std::string_view(name));
    value(of);
  }

  // A value: null, a boolean, a number, text (UTF-8), a Json, an own type, or a container or optional of them (json_types.h).
  void value(std::nullptr_t) noexcept { raw("null"); }
  template <std::same_as<bool> T>
  void value(T flag) noexcept {
    if (lead(0)) at_ = put_flag(at_, flag);
  }
  template <json::Integer T>
  void value(T number) noexcept {
    if (!lead(0)) return;
    at_ = put_integer(at_, number);
  }
  template <std::floating_point T>
  void value(T number) noexcept {
    if (!lead(0)) return;
    at_ = json::write_real(at_, static_cast<double>(number));
  }
  template <json::Text T>
  void value(const T& text) noexcept {
    put_text(std::string_view(text));
  }
  void value(const Json& tree) noexcept;
  template <JsonWritable T>
  void value(const T& own) {
    JsonOf<T>::write(*this, own);
  }
  // A value that is JSON already; it is not looked at.
  void raw(std::string_view text) noexcept {
    if (!lead(text.size())) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  // What has been written; good until the next call.
  std::string_view text() const noexcept { return {begin_, static_cast<size_t>(at_ - begin_)}; }
  // False when memory was out.
  bool ok() const noexcept { return !failed_; }
  // From the start again, with the memory it has.
  void clear() noexcept;

 private:
  friend struct json::Access;
  friend struct json::Put;
  // What is wanted beside the text of a name or value: a number, a comma, quotes, a colon.
  static constexpr size_t kBeside = 40;
  static constexpr uint8_t kNothing = 0, kComma = 1, kLine = 2, kCommaAndLine = 3;

  bool room(size_t size) noexcept { return static_cast<size_t>(end_ - at_) >= size + kBeside || grow(size + kBeside); }
  bool grow(size_t size) noexcept;
  // What stands before a value or name of so many bytes, for which there is room then; from here on a comma does. False when
  // memory is out: then nothing may be written.
  bool lead(size_t size) noexcept {
    if (!room(size)) return false;
    if (before_ >= kLine) [[unlikely]] return lead_line(size);
    *at_ = ',';
    at_ += before_;
    before_ = after_;
    return true;
  }
  bool lead_line(size_t size) noexcept;
  // In locals, as stores of char could be to at_ or before_.
  char* put_compact_key(const JsonName& name) noexcept {
    char* at = at_;
    const uint8_t before = before_;
    *at = ',';
    at += before;
    *at = '"';
    std::memcpy(at + 1, name.text, name.size);
    std::memcpy(at + 1 + name.size, "\":", 2);
    return at + name.size + 3;
  }
  void begin_value(char* at) noexcept {
    at_ = at;
    before_ = kNothing;
  }
  void end_value(char* at) noexcept {
    at_ = at;
    before_ = kComma;
  }
  static char* put_flag(char* at, bool flag) noexcept {
    static constexpr char kWords[2][8] = {"false", "true"};
    std::memcpy(at, kWords[flag], 8);
    return at + 5 - flag;
  }
  template <json::Integer T>
  static char* put_integer(char* at, T number) noexcept {
    if (static_cast<std::make_unsigned_t<T>>(number) < 10) {
      *at = static_cast<char>('0' + number);
      return at + 1;
    }
    if constexpr (std::is_signed_v<T>) {
      return json::write_integer(at, number);
    } else {
      return json::write_natural(at, number);
    }
  }
  void put_plain_key(const JsonName& name) noexcept {
    *at_ = '"';
    std::memcpy(at_ + 1, name.text, name.size);
    at_ += name.size + 1;
    end_key();
  }
  void end_key() noexcept {
    std::memcpy(at_, "\": ", 3);
    at_ += format_.indent ? 3 : 2;
    before_ = kNothing;
  }
  void key_of(std::string_view name) noexcept;
  void put_text(std::string_view text) noexcept;
  void put_any_text(std::string_view text) noexcept;
  bool put_escaped(std::string_view text) noexcept;  // false when memory is out
  void begin(char bracket) noexcept {
    if (!lead(0)) return;
    char* at = at_;
    *at = bracket;
    begin_value(at + 1);
    if (after_ != kComma) [[unlikely]] begin_line();
  }
  void finish(char bracket) noexcept {
    if (after_ != kComma) [[unlikely]] return finish_line(bracket);
    if (!room(0)) return;
    char* at = at_;
    *at = bracket;
    end_value(at + 1);
  }
  void begin_line() noexcept;
  void finish_line(char bracket) noexcept;
  void fail() noexcept;
  void forget() noexcept;

  char* at_;
  char* end_;
  char* begin_;
  base::Block* block_ = nullptr;  // that begin_ lies in; null: in small_
  JsonFormat format_ = {};
  uint32_t level_ = 0;
  uint8_t before_ = kNothing;  // what stands before the next name or value
  uint8_t after_ = kComma;     // what stands before all but the first
  bool failed_ = false;
  bool simple_ = true;         // all in one line, and not for a page
  char small_[448];  // not initialised
};

}  // namespace martlet
