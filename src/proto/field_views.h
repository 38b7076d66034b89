// The values of the lines of one field, one view for each: for fields that are lists (RFC 9110 §5.3), whose readers go from
// line to line instead of having them joined (field_lines.h) in memory of somebody's.
//
// Holds kMost lines; of more, the first or the last of them, as the reader asks. Views into the head's bytes; no allocation;
// any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "proto/http_parser.h"

namespace martlet::proto {

class FieldViews {
 public:
  static constexpr size_t kMost = 16;

  // `lower` is the field's name in lower case.
  static FieldViews first(const RequestHead& head, const uint8_t* base, std::string_view lower) noexcept {
    FieldViews views;
    const Name name{lower, field_name_of(lower)};
    for (size_t i = 0; i < head.field_count && views.count_ < kMost; i++) views.take(head, base, i, name);
    return views;
  }
  static FieldViews last(const RequestHead& head, const uint8_t* base, std::string_view lower) noexcept {
    FieldViews views;
    const Name name{lower, field_name_of(lower)};
    for (size_t i = head.field_count; i > 0 && views.count_ < kMost; i--) views.take(head, base, i - 1, name);
    std::reverse(views.lines_, views.lines_ + views.count_);
    return views;
  }

  // In the order of arrival; empty when there is no such field.
  std::span<const std::string_view> lines() const noexcept { return {lines_, count_}; }

 private:
  struct Name {
    std::string_view lower;
    FieldName number;
  };

  void take(const RequestHead& head, const uint8_t* base, size_t i, const Name& name) noexcept {
    const Field& field = head.fields[i];
    if (field.name != name.number) return;
    if (name.number == FieldName::other && !base::equals_lower(head.name(base, field), name.lower)) return;
    lines_[count_++] = head.value(base, field);
  }

  std::string_view lines_[kMost];
  size_t count_ = 0;
};

}  // namespace martlet::proto
