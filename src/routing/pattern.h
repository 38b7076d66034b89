// What a route is registered for, in parts.
//
//   /users/:id/*      a parameter is a whole segment that is not empty; "*" at the end is all the rest, which may be empty
//   /room/[roomId]    a synonym of :roomId
//   /posts/:id<int>   with a constraint (constraint.h); [id<int>] as well
//   /files/:name?     two patterns in one: /files and /files/:name
//   /static/*rest     the rest has the name "rest", and "*" still
//   *                 the target of OPTIONS * (RFC 9112 §3.2.4), which is no path
//
// Set-up only: it allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/constraint.h"

namespace martlet::routing {

struct Pattern {
  static constexpr size_t kMaxParams = 16;
  static constexpr size_t kMaxSegments = 100;  // a tree of them is walked by recursion

  enum class Kind : uint8_t { text, param, wildcard };
  struct Segment {
    Kind kind;
    uint32_t at, size;             // of a text: where in `text`
    const Constraint* constraint;  // of a parameter; null where it has none
  };

  std::string_view written;         // as it was registered; the caller's
  std::string text;                 // its texts, judged (path.h), each behind a slash
  std::vector<std::string> params;  // names in order; the wildcard's last one is "*"
  bool optional = false;            // the last parameter
  size_t segment_count = 0;
  Segment list[kMaxSegments];

  // Of "/a/:b": a and b. None of "*".
  std::span<const Segment> segments() const noexcept { return {list, segment_count}; }
  std::string_view text_of(const Segment& segment) const noexcept {
    return std::string_view(text).substr(segment.at, segment.size);
  }

  // Null when good, else what is wrong with it (a static sentence). Constraints are those of the table, or the built-in ones.
  static const char* parse(std::string_view written, Pattern& pattern, const Constraints* constraints = nullptr);

 private:
  const char* parse(const Constraints* constraints);
  const char* add_segment(std::string_view segment, bool is_last, const Constraints* constraints);
  const char* add_param(std::string_view segment, bool is_last, const Constraints* constraints);
  const char* add_name(std::string_view name);
};

// Cuts the first segment off "/a/b": gives "a" and leaves "/b". Not for an empty text.
inline std::string_view cut_segment(std::string_view& rest) noexcept {
  rest.remove_prefix(1);
  const size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(segment.size());
  return segment;
}

}  // namespace martlet::routing
