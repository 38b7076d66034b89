// Conditional requests (RFC 9110 §13): whether the answer is to be given, is still what the client has (304), or must not
// be given (412). It is told by entity tags (entity_tag.h) and by dates.
//
// A list that breaks the grammar never gives a 304 and never lets a change through: with such an If-None-Match, GET is answered
// in full and any other method with 412, as any is with such an If-Match. Dates that are none are as if not sent (§13.1.3).
// Fields that come in several lines are given joined with ", " (field_lines.h).
//
// No clock, no allocation, linear time; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/http_parser.h"

namespace martlet::proto {

// What GET would answer with, at this moment.
struct Representation {
  std::string_view etag = {};                 // as in its ETag field; empty, or no tag at all: it has none
  std::optional<int64_t> last_modified = {};  // seconds since 1970
  bool exists = true;                         // false: a PUT would create it
};

// The values of the request's fields that are there.
struct ConditionFields {
  std::optional<std::string_view> if_match = {}, if_none_match = {}, if_modified_since = {}, if_unmodified_since = {},
                                  if_range = {}, cache_control = {};
};

enum class Verdict : uint8_t { proceed, not_modified, precondition_failed };  // go on, 304, 412

// The order of RFC 9110 §13.2.2. To be asked when the answer would else be a success (§13.2.1), before anything is
// changed. `now` in seconds since 1970: for dates with years of two digits.
Verdict evaluate_conditions(Method method, const ConditionFields& fields, const Representation& current,
                            int64_t now) noexcept;

// Step 5 of that order: whether Range counts, or all is to be sent. True without If-Range. A tag counts by strong
// comparison; a date when it is exactly Last-Modified, and that second is over: of two changes within one second only a tag
// tells. Ask only when Verdict::proceed was the answer to a GET.
bool range_applies(const ConditionFields& fields, const Representation& current, int64_t now) noexcept;

// req.fresh of Express: an answer of this status to a GET or HEAD could be a 304, and the request has not said
// Cache-Control: no-cache, as a browser does that reloads.
bool is_fresh(Method method, int status, const ConditionFields& fields, const Representation& current, int64_t now) noexcept;

}  // namespace martlet::proto
