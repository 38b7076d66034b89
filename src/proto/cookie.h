// Cookies (RFC 6265bis): reading Cookie fields, writing Set-Cookie fields. What the application is promised is in
// martlet/cookie.h; signed cookies are in cookie_signature.h.
//
// Reading cannot fail. Cookies are split as browsers join them (§5.8.3): pairs between semicolons, whatever is in quotes
// (who hides a ';' in quotes from one reader smuggles a cookie past it), white space around names and values taken off,
// the name up to the first '='. Commas are no separators. A pair without '=' is a value without a name, as is "=value".
// Empty pairs are passed over. Names are case-sensitive. The same name may come more than once.
// No allocation; views into the caller's bytes; any thread.
#pragma once

#include <martlet/cookie.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/http_parser.h"

namespace martlet::proto {

// Walks the pairs of one line, or of several joined with "; ".
class CookiePairs {
 public:
  explicit CookiePairs(std::string_view line) noexcept : rest_(line) {}
  // False at the end. The value is still encoded.
  bool next(std::string_view& name, std::string_view& value) noexcept;

 private:
  std::string_view rest_;
};

// Walks the pairs of all lines of a head, in their order.
class HeadCookies {
 public:
  HeadCookies(const RequestHead& head, const uint8_t* base) noexcept : head_(head), base_(base) {}
  bool next(std::string_view& name, std::string_view& value) noexcept;

 private:
  const RequestHead& head_;
  const uint8_t* base_;
  size_t next_field_ = 0;
  CookiePairs line_{{}};
};

// The value of the first cookie of this name, still encoded. The empty name finds one without a name.
std::optional<std::string_view> find_cookie(std::string_view line, std::string_view name) noexcept;
std::optional<std::string_view> find_cookie(const RequestHead& head, const uint8_t* base, std::string_view name) noexcept;

// The value percent-decoded into `room`, which has value.size() bytes and is not the value's own memory. The value itself,
// and what `room` then holds is not said, when there is nothing to decode or when an escape in it is none.
std::string_view decode_cookie_value(std::string_view value, char* room) noexcept;

// Why a cookie is not written.
enum class CookieError : uint8_t {
  none,
  bad_name,            // no token
  bad_value,           // CookieOptions::raw, and bytes that a value may not have
  bad_domain,          // no host name
  bad_path,            // does not begin with '/', or holds what a path of a request cannot
  secure_prefix,       // __Secure- without `secure`
  host_prefix,         // __Host- without `secure` or the path "/", or with a domain
  http_prefix,         // __Http- without `secure` or `http_only`
  same_site_none,      // without `secure`
  partitioned,         // without `secure`
  too_large,           // more than kSetCookieBytes
  no_keys,             // to sign with
};

// For the log.
const char* describe(CookieError error) noexcept;

// How long a Set-Cookie field's value may be, name, value and attributes together: what every user agent takes (RFC 6265
// §6.1). RFC 6265bis §5.6 counts the name and the value only, which would be no limit to write into.
inline constexpr size_t kSetCookieBytes = 4096;
using SetCookieRoom = std::span<char, kSetCookieBytes>;

// The value of a Set-Cookie field, in the room it was written to; or why not.
struct SetCookie {
  std::string_view text = {};
  CookieError error = CookieError::none;
};

SetCookie encode_set_cookie(std::string_view name, std::string_view value, const CookieOptions& options,
                            SetCookieRoom room) noexcept;

// The field that takes a cookie off: an empty value that ended in 1970. Of the options, `expires` and `max_age` are not
// looked at; `secure` and `http_only` are put there where the name's prefix asks for them.
SetCookie encode_cleared_cookie(std::string_view name, const CookieOptions& options, SetCookieRoom room) noexcept;

}  // namespace martlet::proto
