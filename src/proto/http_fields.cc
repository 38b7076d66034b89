// Field names by number, the finding of fields in a head, and the walk over lists in their values.
//
// What the parser does for every field of every head is in http_names.h and exact only in combination with
// settle_head(); this is for those who ask afterwards, and is exact by itself. No allocation; any thread.
#include <algorithm>

#include "proto/http_names.h"

namespace martlet::proto {

FieldName field_name_of(std::string_view name) noexcept {
  if (name.empty() || name.size() > kLongestFieldName) return FieldName::other;
  uint8_t padded[8 + kLongestFieldName] = {};
  std::memcpy(padded + 8, name.data(), name.size());
  const FieldName found = probe_field_name(padded, 8, name.size());
  // The probe compares tokens: it takes CR for '-'.
  return base::equals_lower(name, kFieldNames[static_cast<size_t>(found)]) ? found : FieldName::other;
}

const Field* RequestHead::find_first(FieldName wanted) const noexcept {
  for (size_t i = 0; i < field_count; i++) {
    if (fields[i].name == wanted) return &fields[i];
  }
  return nullptr;
}

const Field* RequestHead::find(const uint8_t* base, std::string_view wanted) const noexcept {
  const FieldName known = field_name_of(wanted);
  if (known != FieldName::other) return find(known);
  for (size_t i = 0; i < field_count; i++) {
    if (fields[i].name != FieldName::other || fields[i].name_length != wanted.size()) continue;
    const std::string_view found = name(base, fields[i]);
    size_t same = 0;
    while (same < wanted.size() && base::ascii_lower(found[same]) == base::ascii_lower(wanted[same])) same++;
    if (same == wanted.size()) return &fields[i];
  }
  return nullptr;
}

bool TokenList::next(std::string_view& element) noexcept {
  const size_t first = rest_.find_first_not_of(" \t,");
  if (first == std::string_view::npos) {
    rest_ = {};
    return false;
  }
  const size_t comma = std::min(rest_.find(',', first), rest_.size());
  element = rest_.substr(first, comma - first);
  rest_.remove_prefix(comma);
  while (element.back() == ' ' || element.back() == '\t') element.remove_suffix(1);
  return true;
}

}  // namespace martlet::proto
