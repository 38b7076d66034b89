// The entries of Deflate::broken_agents. No allocation; any thread.
#pragma once

#include <string_view>

namespace martlet::realtime {

// Whether a User-Agent contains an entry: the parts between its stars, one behind the other. An empty entry is in none.
inline bool contains_agent(std::string_view user_agent, std::string_view entry) noexcept {
  if (entry.empty()) return false;
  for (size_t at = 0;;) {
    const size_t star = entry.find('*');
    const std::string_view part = entry.substr(0, star);
    at = user_agent.find(part, at);
    if (at == std::string_view::npos) return false;
    if (star == std::string_view::npos) return true;
    at += part.size();
    entry.remove_prefix(star + 1);
  }
}

}  // namespace martlet::realtime
