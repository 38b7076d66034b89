// The reader behind JsonReader: own types straight from the text. As strict as the parser of trees, and with its words.
//
// It recurses by way of the types that read with it, as deep as the text nests: the frames of a struct in an array in a struct are some
// hundred bytes. What is skipped does not recurse. Where in the document an error is, is found when there is one (path.h).
#pragma once

#include <martlet/json.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "json/scalar.h"
#include "json/scanner.h"
#include "json/unescape.h"

namespace martlet::json {

class Reader : public JsonReader {
 public:
  Reader(std::string_view text, const JsonOptions& options) noexcept;

  bool begin() noexcept;
  bool finish(bool read, JsonError& error) noexcept;
  // Of what comes next.
  size_t place() noexcept { return scanner_.peek(); }

 private:
  friend class martlet::JsonReader;
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Open;

  // The place of the value that comes next, which is then the last.
  size_t take() noexcept { return last_ = scanner_.next(); }
  // The string whose quote is at `place`. One without escapes is where it is in the text.
  bool string(size_t place, std::string_view& to, bool& plain) noexcept {
    const size_t stop = scanner_.next();
    plain = scanner_.byte(stop) == '"';
    if (!plain) [[unlikely]] return escaped_string(place + 1, stop, to);
    to = {text_.data() + place + 1, stop - place - 1};
    return true;
  }
  bool escaped_string(size_t begin, size_t stop, std::string_view& to) noexcept;
  // A name and its colon.
  bool name(size_t place, bool first, std::string_view& to, bool& plain) noexcept {
    if (scanner_.byte(place) != '"') [[unlikely]] return fail_name(place, first);
    if (!string(place, to, plain)) [[unlikely]] return false;
    const size_t colon = scanner_.next();
    return scanner_.byte(colon) == ':' || fail_wanted(colon, "a colon is wanted here");
  }
  bool fail_name(size_t place, bool first) noexcept;
  bool too_long() const noexcept { return text_.size() > (options_.max_bytes < UINT32_MAX ? options_.max_bytes : UINT32_MAX); }
  bool enter(size_t place) noexcept;
  bool leave(size_t place) noexcept;
  bool is_value(size_t place) const noexcept;
  bool range(bool negative, uint64_t magnitude, int64_t least, uint64_t most, uint64_t& to) noexcept;
  bool real_integer(double real, int64_t least, uint64_t most, uint64_t& to) noexcept;
  bool skip_scalar(size_t place) noexcept;
  Step skip_into(size_t& place, Open& open) noexcept;
  bool skip_out(size_t& place, Open& open) noexcept;

  uint32_t find(const MemberTable& table, std::string_view name, bool plain, uint32_t guess) const noexcept;
  static uint32_t find_any(const MemberTable& table, std::string_view name, size_t readable) noexcept;
  bool member(const MemberTable& table, void* object, uint32_t index, uint64_t& seen) noexcept;
  bool unknown(size_t place) noexcept;
  bool check_missing(const MemberTable& table, uint64_t seen, size_t place) noexcept;

  // The text is no JSON.
  bool fail_text(size_t place, const char* what) noexcept;
  bool fail_wanted(size_t place, const char* wanted) noexcept;
  // There is none of the values that are wanted.
  bool fail_no_value(size_t place, const char* wanted) noexcept;
  // It is, but not what is wanted.
  bool fail_value(size_t place, const char* what) noexcept;
  // There is another value than the one that is wanted, or none.
  bool wrong(size_t place, const char* wanted) noexcept;

  std::string_view text_;
  const JsonOptions& options_;
  const char* what_ = nullptr;
  size_t where_ = 0;
  std::string_view missing_;  // the member that is
  size_t last_ = 0;           // where the value begins that was read last
  uint32_t depth_ = 0;
  uint32_t max_depth_;
  bool has_path_ = false;
  Unescaped unescaped_;
  Scanner scanner_;
};

}  // namespace martlet::json
