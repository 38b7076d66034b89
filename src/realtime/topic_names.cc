// See topic_names.h.
#include "realtime/topic_names.h"

#include <algorithm>

#include "codec/utf8.h"

namespace martlet::realtime {

namespace {

// §4.7.3: at least one character, and no NUL; §1.5.3: well-formed UTF-8.
bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.find('\0') == std::string_view::npos &&
         codec::is_valid_utf8(base::as_bytes(name));
}

}  // namespace

bool has_wildcards(std::string_view filter) noexcept { return filter.find_first_of("+#") != std::string_view::npos; }

// §4.7.1: wildcards must not be used within a topic name.
bool is_topic(std::string_view name) noexcept { return is_name(name) && !has_wildcards(name); }

bool is_filter(std::string_view name) noexcept {
  if (!is_name(name)) return false;
  bool rest = false;
  TopicLevels levels(name);
  for (std::string_view level; levels.next(level);) {
    if (rest) return false;  // §4.7.1.2: '#' is the last character
    rest = level == "#";
    if (level.size() > 1 && has_wildcards(level)) return false;  // §4.7.1.3: a wildcard occupies an entire level
  }
  return true;
}

uint32_t levels_of(std::string_view name) noexcept {
  return 1 + static_cast<uint32_t>(std::count(name.begin(), name.end(), '/'));
}

}  // namespace martlet::realtime
