// martlet/json_reader.h: JSON read piece by piece, straight from the text: what a JsonOf<T> of yours reads with (json_types.h).
//
//   template <> struct martlet::JsonOf<Money> {
//     static bool read(JsonReader& in, Money& to) {
//       std::string_view text;
//       if (!in.text(text)) return false;
//       return to.parse(text) || in.fail("an amount of money is wanted");
//     }
//     static void write(JsonWriter& out, const Money& value) { out.value(value.to_string()); }
//   };
//
// Each call reads one whole value, the one that comes next. One that answers false has noted why and where: answer false, too. The first
// such note is what Json::to answers; a reader goes on safely after it, but to no purpose.
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet {

namespace json {

class Reader;
class TextReader;
struct ReadParts;

// A member of an own type as the reader looks for it.
struct MemberReader {
  const char* name;
  uint32_t size;
  // Into the member of the object; `again`: it has been read before.
  bool (*read)(JsonReader& in, void* object, bool again);
  uint64_t word;  // the first eight bytes of the name as they lie in memory, and which of them it has
  uint64_t mask;
};

struct MemberTable {
  const MemberReader* members;
  uint32_t count;  // at most 64
  uint64_t required;  // a bit for each member that is not optional
};

}  // namespace json

// Made by the library only, for the time of one Json::to. One thread.
class JsonReader {
 public:
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  // Any value that has a JSON form: see json_types.h. After false `to` may have been changed in part.
  template <typename T>
  MARTLET_THUNK bool read(T& to);
  // A string. The view is good until the next call.
  bool text(std::string_view& to) noexcept;
  // An array: each() is called for each element and reads it, or answers false.
  template <typename Each>
  bool array(Each&& each);
  // An object: each(std::string_view name) is called for each member and reads its value, or skips it, or answers false. The
  // name is good until then. Names that come twice are handed over twice, unless the options refuse them.
  template <typename Each>
  bool object(Each&& each);
  // Reads any value and forgets it. It must be good JSON all the same.
  bool skip() noexcept;
  // Takes a null, if that is what comes next; false, without a note, when it is something else.
  bool null() noexcept;
  // What comes next; null also when nothing good does: reading it then says what is wrong.
  JsonKind kind() noexcept;
  // Notes what is wrong with the value that was read last, and answers false. `what` must live for ever: a literal.
  bool fail(const char* what) noexcept;
  const JsonOptions& options() const noexcept;

 private:
  friend class json::Reader;
  friend struct json::ReadParts;
  enum class Step : uint8_t { failed, more, end };

  JsonReader() noexcept = default;
  ~JsonReader() = default;

  json::Reader& self() noexcept;
  bool boolean(bool& to) noexcept;
  bool integer(int64_t least, uint64_t most, uint64_t& to) noexcept;
  bool real(double& to) noexcept;
  bool single(float& to) noexcept;
  bool tree(Json& to) noexcept;
  bool members(void* object, const json::MemberTable& table) noexcept;
  // Into an array or object: `place` is where it begins, and the same is given to the calls behind each element or member.
  Step enter_array(size_t& place) noexcept;
  Step after_element(size_t place) noexcept;
  Step enter_object(size_t& place, std::string_view& name) noexcept;
  Step after_member(size_t place, std::string_view& name) noexcept;
  // Notes what is wrong with the value that comes next.
  bool fail_next(const char* what) noexcept;
};

template <typename Each>
bool JsonReader::array(Each&& each) {
  size_t place = 0;
  Step step = enter_array(place);
  while (step == Step::more) {
    if (!each()) return false;
    step = after_element(place);
  }
  return step == Step::end;
}

template <typename Each>
bool JsonReader::object(Each&& each) {
  size_t place = 0;
  std::string_view name;
  Step step = enter_object(place, name);
  while (step == Step::more) {
    if (!each(name)) return false;
    step = after_member(place, name);
  }
  return step == Step::end;
}

namespace json {

// The reader of one text, in the frame of its caller.
class TextReader {
 public:
  TextReader(std::string_view text, const JsonOptions& options) noexcept;
  TextReader(const TextReader&) = delete;
  TextReader& operator=(const TextReader&) = delete;
  ~TextReader();

  JsonReader& reader() noexcept;
  // False when nothing needs to be read: the text is refused as it is.
  bool begin() noexcept;
  // After the value: whether all is well; else `error` says what is not.
  bool finish(bool read, JsonError& error) noexcept;

 private:
  alignas(16) unsigned char memory_[2560];  // not initialised
};

}  // namespace json

}  // namespace martlet
