// The log: a level, a sink, and a limit for lines that peers can cause.
#include <martlet/log.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
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
std::atomic<UserNamer<Request>> namer_of_requests{nullptr};
std::atomic<UserNamer<WebSocket>> namer_of_sockets{nullptr};

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

bool debug_is_asked_for() noexcept {
  const char* text = std::getenv("MARTLET_DEBUG");
  return text && (std::string_view(text) == "true" || std::string_view(text) == "1");
}

std::string_view user_of(const Request& request) noexcept {
  const auto namer = namer_of_requests.load(std::memory_order_relaxed);
  return namer ? namer(request) : std::string_view();
}

std::string_view user_of(const WebSocket& socket) noexcept {
  const auto namer = namer_of_sockets.load(std::memory_order_relaxed);
  return namer ? namer(socket) : std::string_view();
}

void log_line(LogLevel level, std::string_view line) noexcept { martlet::log(level, line); }

bool may_log(LogLevel level) noexcept {
  if (level < log_level() || level == LogLevel::off) return false;
  // So many lines a second; then silence until the next one, with a count.
  struct Share {
    std::atomic<uint64_t> window{0};
    std::atomic<uint32_t> lines{0};
  };
  static Share shares[static_cast<size_t>(LogLevel::off)];
  Share& share = shares[static_cast<size_t>(level)];
  const uint64_t second = sys::monotonic_ns() / 1'000'000'000;
  if (share.window.exchange(second, std::memory_order_relaxed) != second) {
    const uint32_t before = share.lines.exchange(0, std::memory_order_relaxed);
    if (before > kLinesPerSecond) {
      char line[64];
      const int size = std::snprintf(line, sizeof line, "%u lines were left out", before - kLinesPerSecond);
      martlet::log(level, {line, static_cast<size_t>(size)});
    }
  }
  return share.lines.fetch_add(1, std::memory_order_relaxed) < kLinesPerSecond;
}

void log_limited(LogLevel level, const char* what, std::string_view detail) noexcept {
  if (!may_log(level)) return;
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

void name_users_in_log(UserNamer<Request> of_requests, UserNamer<WebSocket> of_sockets) noexcept {
  namer_of_requests.store(of_requests, std::memory_order_relaxed);
  namer_of_sockets.store(of_sockets, std::memory_order_relaxed);
}

}  // namespace martlet
