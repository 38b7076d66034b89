// Where in a JSON text a place is, as a JSON pointer (RFC 6901): found when it is asked for, so that reading keeps no account of it.
#pragma once

#include <cstddef>
#include <string_view>

namespace martlet::json {

// Writes the pointer of the value, or of the member whose name begins, at `place` of a text that is good up to there; then "/" and
// `member`, if there is one. With a NUL; cut, between characters, where it does not fit.
void write_path(std::string_view text, size_t place, std::string_view member, char* to, size_t size) noexcept;

}  // namespace martlet::json
