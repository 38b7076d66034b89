// Lists and parameters as many fields have them (RFC 9110 §5.6): pieces between separators that do not stand in quoted
// strings, blanks around them, and name=value where a value may be quoted. Whoever reads them splits first and judges each
// piece for itself, so that one malformed piece does not cost the others.
// Views into the text; no allocation; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace martlet::proto {

// Takes the piece before the next separator from the front of `text`, trimmed. A quoted string that does not end takes all
// that is left.
std::string_view take_piece(std::string_view& text, char separator) noexcept;

// The same from the end of `text`. Both find the same pieces in what is well-formed; where it is not, each reads what stands
// on its own side of the damage as it was meant. For fields to which every hop appends: what a client wrote before them
// cannot swallow what a proxy wrote behind it.
std::string_view take_last_piece(std::string_view& text, char separator) noexcept;

// token "=" ( token / quoted-string ), the value as it is written.
struct Parameter {
  std::string_view name, value;
};

// False when the text, which has no blanks around it, is no parameter.
bool split_parameter(std::string_view text, Parameter& parameter) noexcept;

// What is between the quotes of a quoted value, its quoted pairs as they are written; another value itself.
std::string_view unquoted(std::string_view value) noexcept;

// Whether two values mean the same but for the case of letters, quoted or not.
bool same_value(std::string_view a, std::string_view b) noexcept;

}  // namespace martlet::proto
