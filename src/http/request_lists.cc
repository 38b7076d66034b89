// What comes several times in a request, one by one: in memory of the request's.
#include <martlet/request.h>

#include "base/text.h"
#include "http/decoded.h"

namespace martlet {

std::span<const std::string_view> Request::query_all(std::string_view name) const noexcept {
  session::Exchange& e = *exchange_;
  std::string_view key, value;
  size_t count = 0;
  for (codec::QueryPairs pairs(query_string()); pairs.next(key, value);) count += proto::form_text_equals(key, name);
  auto* const values = count ? e.room_for<std::string_view>(count) : nullptr;
  if (!values) return {};
  size_t filled = 0;
  for (codec::QueryPairs pairs(query_string()); pairs.next(key, value) && filled < count;) {
    if (proto::form_text_equals(key, name)) new (&values[filled++]) std::string_view(http::decoded_form(e, value).value_or(value));
  }
  return {values, filled};
}

std::span<const std::string_view> Request::header_all(std::string_view name) const noexcept {
  session::Exchange& e = *exchange_;
  const auto is_it = [&](size_t i) { return base::same_text(e.head.name(e.base, e.head.fields[i]), name); };
  size_t count = 0;
  for (size_t i = 0; i < e.head.field_count; i++) count += is_it(i);
  auto* const values = count ? e.room_for<std::string_view>(count) : nullptr;
  if (!values) return {};
  size_t filled = 0;
  for (size_t i = 0; i < e.head.field_count; i++) {
    if (is_it(i)) new (&values[filled++]) std::string_view(e.head.value(e.base, e.head.fields[i]));
  }
  return {values, filled};
}

}  // namespace martlet
