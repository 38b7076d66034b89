// The log: a level, a sink, and a limit for lines that peers can cause.
#include <martlet/log.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <string>

#include "sys/clock.h"
#include "sys/log_line.h"

namespace martlet {

namespace {

std::atomic<LogLevel> level_in_force{LogLevel::warn};
std::mutex sink_mutex;

Function<void(LogLevel, std::string_view)>& sink() {
  static Function<void(LogLevel, std::string_view)> instance;
  return instance;
}

const char* name_of_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
    case LogLevel::off: break;
  }
  return "off";
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void hand_on(LogLevel level, std::string_view line) noexcept {
  if (sink()) {
    sink()(level, line);
  } else {
    std::fprintf(stderr, "martlet %s: %.*s\n", name_of_level(level), static_cast<int>(line.size()), line.data());
  }
}

// What is said by peers makes no lines of its own. Where memory is out the line ends there.
void hand_on_without_controls(LogLevel level, std::string_view line, const char* first) noexcept {
  const std::unique_ptr<char[]> copy(new (std::nothrow) char[line.size()]);
  if (!copy) return hand_on(level, line.substr(0, static_cast<size_t>(first - line.data())));
  std::replace_copy_if(line.begin(), line.end(), copy.get(), is_control, '.');
  hand_on(level, {copy.get(), line.size()});
}

}  // namespace

void set_log_level(LogLevel level) noexcept { level_in_force.store(level, std::memory_order_relaxed); }

LogLevel log_level() noexcept { return level_in_force.load(std::memory_order_relaxed); }

void set_log_sink(Function<void(LogLevel, std::string_view)> new_sink) {
  const std::lock_guard lock(sink_mutex);
  sink() = std::move(new_sink);
}

void log(LogLevel level, std::string_view line) noexcept {
  if (level < log_level() || level == LogLevel::off) return;
  const std::lock_guard lock(sink_mutex);
  const char* const end = line.data() + line.size();
  const char* const first = std::find_if(line.data(), end, is_control);
  first == end ? hand_on(level, line) : hand_on_without_controls(level, line, first);
}

namespace sys {

void log_line(LogLevel level, std::string_view line) noexcept { martlet::log(level, line); }

void log_limited(LogLevel level, const char* what, std::string_view detail) noexcept {
  if (level < log_level()) return;
  // Ten lines a second, all causes together; then silence until the next second, with a count.
  static std::atomic<uint64_t> window{0};
  static std::atomic<uint32_t> lines{0};
  const uint64_t second = sys::monotonic_ns() / 1'000'000'000;
  if (window.exchange(second, std::memory_order_relaxed) != second) {
    const uint32_t before = lines.exchange(0, std::memory_order_relaxed);
    if (before > kLinesPerSecond) {
      char line[64];
      const int size = std::snprintf(line, sizeof line, "%u lines were left out", before - kLinesPerSecond);
      martlet::log(level, {line, static_cast<size_t>(size)});
    }
  }
  if (lines.fetch_add(1, std::memory_order_relaxed) >= kLinesPerSecond) return;
  char line[400];
  const int most = static_cast<int>(detail.size() < 300 ? detail.size() : 300);
  const int size = std::snprintf(line, sizeof line, "%s: %.*s", what, most, detail.data());
  std::replace_if(line, line + size, is_control, '.');  // here, so that log() needs no memory
  martlet::log(level, {line, static_cast<size_t>(size)});
}

}  // namespace sys

}  // namespace martlet
