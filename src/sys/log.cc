// The log: a level, a sink, and a limit for lines that peers can cause.
#include <martlet/log.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "sys/clock.h"
#include "sys/log_line.h"

namespace martlet {

namespace {

std::atomic<LogLevel> level_in_force{LogLevel::warn};
std::atomic<const sys::LogTarget*> target_in_force{nullptr};
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

// In one write, but for very long lines. What a peer has said may stand in it, and must not make lines of its own.
void print(LogLevel level, std::string_view line) noexcept {
  char out[1024];
  size_t size = static_cast<size_t>(std::snprintf(out, sizeof out, "martlet %s: ", name_of_level(level)));
  for (const char c : line) {
    if (size == sizeof out) std::fwrite(out, 1, std::exchange(size, 0), stderr);
    out[size++] = is_control(c) ? '.' : c;
  }
  if (size == sizeof out) std::fwrite(out, 1, std::exchange(size, 0), stderr);
  out[size++] = '\n';
  std::fwrite(out, 1, size, stderr);
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
  if (const sys::LogTarget* target = target_in_force.load(std::memory_order_acquire)) return target->write(target->to, level, line);
  const std::lock_guard lock(sink_mutex);
  if (sink()) {
    sink()(level, line);
  } else {
    print(level, line);
  }
}

namespace sys {

void set_log_target(const LogTarget* target) noexcept { target_in_force.store(target, std::memory_order_release); }

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
  for (int i = 0; i < size; i++) {  // what a peer sent must not make lines of its own
    if (is_control(line[i])) line[i] = '.';
  }
  martlet::log(level, {line, static_cast<size_t>(size)});
}

}  // namespace sys

void log_limited(LogLevel level, const char* what, std::string_view detail) noexcept { sys::log_limited(level, what, detail); }

}  // namespace martlet
