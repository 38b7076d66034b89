// What is a topic, and what a filter: MQTT 3.1.1 §4.7, and §1.5.3 of their bytes. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace martlet::realtime {

// One or more bytes of UTF-8 without NUL, '+' and '#'.
bool is_topic(std::string_view name) noexcept;
// The same with wildcards where they may be: '+' as a whole level, '#' as the whole last one.
bool is_filter(std::string_view name) noexcept;
// Of a good filter: whether it has one.
bool has_wildcards(std::string_view filter) noexcept;
// One more than there are slashes.
uint32_t levels_of(std::string_view name) noexcept;

// The levels of a name, one after the other.
class TopicLevels {
 public:
  explicit TopicLevels(std::string_view name) noexcept : rest_(name) {}
  // False after the last one.
  bool next(std::string_view& level) noexcept {
    if (over_) return false;
    const size_t slash = rest_.find('/');
    level = rest_.substr(0, slash);
    over_ = slash == std::string_view::npos;
    if (!over_) rest_.remove_prefix(slash + 1);
    return true;
  }

 private:
  std::string_view rest_;
  bool over_ = false;
};

}  // namespace martlet::realtime
