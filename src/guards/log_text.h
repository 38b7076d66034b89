// What clients have sent, made harmless for a line of a log. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace martlet::guards {

// Printable ASCII but '"' and '\', and whole UTF-8 but control characters (C1, too), as they are; each other byte as \xHH.
void append_escaped(std::string& line, std::string_view text);
// As a JSON string with its quotes; a byte that is no UTF-8 as U+FFFD.
void append_json(std::string& line, std::string_view text);
// The first so many characters: not in the middle of one.
std::string_view first_characters(std::string_view text, size_t most) noexcept;

}  // namespace martlet::guards
