// clock.h: times as messages have them: milliseconds since 1970, or a text of ISO 8601.
#pragma once

#include <martlet/martlet.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

namespace gallery {

using SystemTime = std::chrono::system_clock::time_point;

inline int64_t ms_of(SystemTime time) { return std::chrono::duration_cast<martlet::milliseconds>(time.time_since_epoch()).count(); }
inline int64_t now_ms() { return ms_of(std::chrono::system_clock::now()); }

// "2026-03-01T12:00:00.123Z".
inline std::string iso(SystemTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%FT%T", &utc);
  return std::string(text, size) + "." + std::to_string(1000 + ms_of(time) % 1000).substr(1) + "Z";
}
inline std::string iso_now() { return iso(std::chrono::system_clock::now()); }

}  // namespace gallery
