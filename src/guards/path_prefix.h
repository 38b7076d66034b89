// The `skip` lists of guards. No spelling but the plain one is below a prefix here: what is skipped is guarded less.
#pragma once

#include <string_view>

namespace martlet::guards {

inline bool lies_below(std::string_view path, std::string_view prefix) noexcept {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace martlet::guards
