// The formats of logger(): tokens, and what a request leaves for them. Made during set-up; lines are made on a Log's thread.
#pragma once

#include <martlet/error.h>
#include <martlet/log_destination.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::guards {

// The texts of a line, in their order in a record; of the address there are the bytes in front.
enum class LogText : uint8_t { ip, user, method, url, referrer, agent, id, route };
inline constexpr size_t kLogTexts = 8;

// What stands before the texts of a record.
struct RequestLog {
  uint64_t bytes = 0;
  uint64_t duration_ns = 0;
  std::array<uint8_t, 16> ip{};  // its text is made by who writes it
  uint16_t sizes[kLogTexts] = {};
  uint16_t status = 0;
  uint8_t http_minor = 1;
  bool aborted = false;
};

enum class LogToken : uint8_t { literal, text, http_version, status, bytes, response_time, date_clf, date_iso, aborted };

struct LogPiece {
  LogToken token = LogToken::literal;
  LogText text = LogText::ip;
  std::string literal = {};
};

class RequestFormat {
 public:
  static RequestFormat json();
  // The tokens of a text; what is none is told.
  static Error parse(std::string_view tokens, RequestFormat& format);

  bool needs(LogText text) const noexcept { return (needed_ >> static_cast<int>(text) & 1) != 0; }
  bool is_json() const noexcept { return is_json_; }
  void write(const LogRecord& record, std::string& line) const;

 private:
  void need(LogText text) noexcept { needed_ |= 1u << static_cast<int>(text); }
  std::vector<LogPiece> pieces_ = {};
  uint32_t needed_ = 0;
  bool is_json_ = false;
};

void append_iso_date(std::string& line, std::chrono::system_clock::time_point time);
void append_number(std::string& line, uint64_t number);

}  // namespace martlet::guards
