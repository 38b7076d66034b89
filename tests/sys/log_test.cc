// src/sys/log.cc: what reaches the sink.
#include <martlet/log.h>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace martlet;

TEST_CASE("log: what somebody has said makes no lines of its own") {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  log(LogLevel::error, "closed: bye\nmartlet error: the disk is full\r\n");
  log(LogLevel::error, std::string_view("\x1b[2J\0\x7f\t", 7));
  log(LogLevel::error, "d\xC3\xA9j\xC3\xA0 vu");
  log(LogLevel::error, "");
  set_log_sink({});
  CHECK(lines == std::vector<std::string>{"closed: bye.martlet error: the disk is full..", ".[2J...", "d\xC3\xA9j\xC3\xA0 vu", ""});
}
