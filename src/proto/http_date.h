// The dates of HTTP (RFC 9110 §5.6.7): seconds since 1970-01-01 UTC to text and back.
//
//   Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate, the one that is written
//   Sunday, 06-Nov-94 08:49:37 GMT    of RFC 850, obsolete
//   Sun Nov  6 08:49:37 1994          of C's asctime(), obsolete
//
// The calendar is ours: the C library's reads the environment, and may speak another language. No clock, no allocation;
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace martlet::proto {

inline constexpr size_t kHttpDateBytes = 29;

// Writes the IMF-fixdate, kHttpDateBytes characters, to out. Years have four digits: what is before the year 0 or behind
// 9999 becomes the first or last second that can be said.
void encode_http_date(int64_t seconds, char* out) noexcept;

// Reads any of the three forms; nothing when the text is none of them to the letter (dates are case-sensitive), or says a
// day or time that does not exist. Second 60, a leap second, is the first of the next minute. Which day of the week it is
// said to be is not held against the calendar.
//
// RFC 850's years have two digits: the latest year that is no more than 50 years after `now`.
std::optional<int64_t> parse_http_date(std::string_view text, int64_t now) noexcept;

}  // namespace martlet::proto
