// See media_type.h.
#include "proto/media_type.h"

#include "base/bytes.h"
#include "proto/http_chars.h"

namespace martlet::proto {

std::string_view MediaType::suffix() const noexcept {
  const std::string_view name = subtype();
  const size_t plus = name.rfind('+');
  return plus == name.npos ? std::string_view() : name.substr(plus + 1);
}

bool MediaType::is(std::string_view lower) const noexcept { return base::equals_lower(essence, lower); }

bool MediaType::is_json() const noexcept {
  return is("application/json") || base::equals_lower(suffix(), "json");
}

std::optional<MediaType> parse_media_type(std::string_view value) noexcept {
  MediaType found;
  found.essence = value.substr(0, value.find_first_of("; \t"));
  found.parameters = value.substr(found.essence.size());
  const bool good = found.essence.find('/') != value.npos && is_token(found.type()) && is_token(found.subtype()) &&
                    well_formed_parameters(found.parameters);
  if (!good) return std::nullopt;
  return found;
}

}  // namespace martlet::proto
