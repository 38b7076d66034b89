// What the library logs from here to the end of the scope, at a level.
#pragma once

#include <martlet/log.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::test {

class LogLines {
 public:
  explicit LogLines(LogLevel level) : before_(log_level()) {
    set_log_level(level);
    set_log_sink([this](LogLevel of, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(of, line);
    });
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  ~LogLines() {
    set_log_sink({});
    set_log_level(before_);
  }

  std::vector<std::pair<LogLevel, std::string>> all() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  // The first one of this level that has the text; empty when there is none.
  std::string find(LogLevel level, std::string_view text) {
    for (const auto& [of, line] : all()) {
      if (of == level && line.find(text) != line.npos) return line;
    }
    return {};
  }
  size_t count(LogLevel level, std::string_view text) {
    size_t found = 0;
    for (const auto& [of, line] : all()) found += of == level && line.find(text) != line.npos;
    return found;
  }

 private:
  const LogLevel before_;
  std::mutex mutex_;
  std::vector<std::pair<LogLevel, std::string>> lines_;
};

// Nothing in it that would be another line, or an order to a terminal; whole UTF-8 is for the eye of the caller.
inline bool is_harmless(std::string_view line) {
  for (const char c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

}  // namespace martlet::test
