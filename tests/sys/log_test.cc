// The log as it stands on standard error: a line for each call, whatever is in it.
#include <doctest/doctest.h>
#include <martlet/log.h>

#include <chrono>
#include <string>

#include "support/environment.h"
#include "support/log_lines.h"
#include "support/stderr_text.h"
#include "sys/log_line.h"

using namespace martlet;
using namespace martlet::test;

namespace {

std::string logged(LogLevel level, const std::string& line) {
  set_log_sink({});
  StderrText err;
  log(level, line);
  return err.take();
}

}  // namespace

TEST_CASE("log: a line has its level in front") {
  CHECK(logged(LogLevel::warn, "köy ☃") == "martlet warn: köy ☃\n");
  CHECK(logged(LogLevel::error, "") == "martlet error: \n");
  CHECK(logged(LogLevel::off, "nothing") == "");
}

TEST_CASE("log: what a peer has said makes no lines of its own, and no colours") {
  CHECK(logged(LogLevel::error, "one\nmartlet error: two\r\x1b[31m\x7f") == "martlet error: one.martlet error: two..[31m.\n");
}

TEST_CASE("log: a line may have any length") {
  for (const unsigned size : {1000u, 1008u, 1009u, 1010u, 1011u, 1012u, 2032u, 2033u, 2034u, 10000u}) {
    const std::string line(size, 'x');
    CHECK(logged(LogLevel::error, line) == "martlet error: " + line + "\n");
  }
}

TEST_CASE("log: ten lines a second of a level, and a flood of one level leaves nothing out of another") {
  using Clock = std::chrono::steady_clock;
  LogLines lines(LogLevel::debug);
  const auto begun = Clock::now();
  for (int i = 0; i < 100'000; i++) {
    log_limited(LogLevel::debug, "flood", "of what peers do");
    if (i % 20'000 == 0) log_limited(LogLevel::error, "error", "of the program's");
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun).count();
  CHECK(lines.count(LogLevel::debug, "flood") >= 1);
  CHECK(lines.count(LogLevel::debug, "flood") <= static_cast<size_t>(seconds + 2) * sys::kLinesPerSecond);
  CHECK(lines.count(LogLevel::error, "error: of the program's") == 5);
}

TEST_CASE("log: what is below the level takes nothing from what is not") {
  LogLines lines(LogLevel::error);
  for (int i = 0; i < 1000; i++) CHECK_FALSE(sys::may_log(LogLevel::warn));
  CHECK_FALSE(sys::may_log(LogLevel::off));
  set_log_level(LogLevel::off);
  CHECK_FALSE(sys::may_log(LogLevel::error));
  CHECK_FALSE(sys::may_log(LogLevel::off));
  CHECK(lines.all().empty());
}

TEST_CASE("log: the environment asks for all of it") {
  for (const char* yes : {"true", "1"}) {
    const Variable variable("MARTLET_DEBUG", yes);
    CHECK(sys::debug_is_asked_for());
  }
  for (const char* no : {"", "0", "false", "TRUE", "true ", "yes"}) {
    const Variable variable("MARTLET_DEBUG", no);
    CHECK_FALSE(sys::debug_is_asked_for());
  }
  const Variable none("MARTLET_DEBUG", nullptr);
  CHECK_FALSE(sys::debug_is_asked_for());
}
