// One field that comes in several lines (RFC 9110 §5.3): what its value is.
//
// Lines of a list may be joined with a comma, in their order, and a gateway may have done or undone that on the way; so
// whoever looks at the first line only sees what somebody else chose to put there. Cookie's lines are joined with "; "
// (RFC 9113 §8.2.3). Fields that are no lists have one value: the first line's. Set-Cookie, which has lines and commas
// and is no list, is not joined either.
// No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/http_parser.h"

namespace martlet::proto {

// The size of the value of all lines of the field whose first line is `first`, a field of the head. As long as
// first.value_length when there is nothing to join.
size_t joined_size(const RequestHead& head, const uint8_t* base, const Field& first) noexcept;

// Writes that value to out, which has room for it.
void join_lines(const RequestHead& head, const uint8_t* base, const Field& first, char* out) noexcept;

}  // namespace martlet::proto
