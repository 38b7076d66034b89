// The log as it stands on standard error: a line for each call, whatever is in it.
#include <doctest/doctest.h>
#include <martlet/log.h>

#include <string>

#include "support/stderr_text.h"

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
