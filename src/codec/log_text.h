// A line of a log, made of texts that anybody may have sent: what would look like another line, another field or an order to a
// terminal is written as \xHH. In a buffer of its own: no allocation, and no work for more than it takes of a text. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::codec {

// How many bytes the character at `at` has (RFC 3629 §4); 0: it is none, or one of the controls C1 (U+0080 to U+009F).
size_t character_at(std::string_view text, size_t at) noexcept;
// U+2028 and U+2029, which some readers of lines take for their ends.
bool is_line_separator(std::string_view character) noexcept;
// The same where the character may stand in a line as it is, between quotes, too: 0 of controls, separators, '"' and '\' as well, of
// which the first byte is to be escaped.
size_t harmless_character(std::string_view text, size_t at) noexcept;
// A byte as \xHH.
inline constexpr size_t kEscapedBytes = 4;
void escape_byte(char byte, char* to) noexcept;

class LogText {
 public:
  // A quarter of the smallest ring of a Log, which takes no more of one record (log_destination.h).
  static constexpr size_t kMost = 1000;

  // Words of the library's own.
  LogText& add(std::string_view words) noexcept;
  LogText& add(uint64_t number) noexcept;
  // Made harmless, in at most so many bytes; "..." stands for what is left out.
  LogText& add_escaped(std::string_view text, size_t most) noexcept;
  // The same as ` name="text"`.
  LogText& add_field(std::string_view name, std::string_view text, size_t most) noexcept;
  // For people, to the end of the line: quotes and backslashes stay.
  LogText& add_sentence(std::string_view text) noexcept;

  std::string_view text() const noexcept { return {text_, size_}; }

 private:
  enum class Quotes : bool { escaped, kept };
  void put(std::string_view text, size_t most, Quotes quotes) noexcept;

  size_t size_ = 0;
  char text_[kMost];  // not initialised
};

}  // namespace martlet::codec
