// src/sys/clock.h: the date of HTTP against known days and against the C library's calendar.
#include "sys/clock.h"

#include <doctest/doctest.h>

#include <cstring>
#include <ctime>
#include <random>
#include <string>

using namespace martlet::sys;

namespace {

std::string http_date(int64_t seconds) {
  char out[kHttpDateSize + 1];
  std::memset(out, '#', sizeof out);
  format_http_date(seconds, out);
  CHECK(out[kHttpDateSize] == '#');
  return std::string(out, kHttpDateSize);
}

std::string reference(int64_t seconds) {
  const time_t when = static_cast<time_t>(seconds);
  tm parts;
  ::gmtime_r(&when, &parts);
  char out[64];
  std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return out;
}

}  // namespace

TEST_CASE("clock: dates of HTTP") {
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110 §5.6.7
  CHECK(http_date(1763629200) == "Thu, 20 Nov 2025 09:00:00 GMT");
  CHECK(http_date(951782399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(http_date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");  // 2000 is a leap year
  CHECK(http_date(951868800) == "Wed, 01 Mar 2000 00:00:00 GMT");
  CHECK(http_date(1709164800) == "Thu, 29 Feb 2024 00:00:00 GMT");
  CHECK(http_date(4107456000) == "Sun, 28 Feb 2100 00:00:00 GMT");
  CHECK(http_date(4107542400) == "Mon, 01 Mar 2100 00:00:00 GMT");  // 2100 is none
  CHECK(http_date(2147483648) == "Tue, 19 Jan 2038 03:14:08 GMT");
  CHECK(http_date(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(http_date(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST_CASE("clock: every day of 400 years agrees with the C library") {
  int wrong = 0;
  for (int64_t day = 0; day < 146097; day++) {
    const int64_t seconds = day * 86400 + day % 86400;
    if (http_date(seconds) != reference(seconds)) wrong++;
  }
  CHECK(wrong == 0);
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; i++) {
    const int64_t seconds = static_cast<int64_t>(random() % 253402300800u);
    if (http_date(seconds) != reference(seconds)) wrong++;
  }
  CHECK(wrong == 0);
}

TEST_CASE("clock: monotonic time does not go back, wall time is about now") {
  uint64_t last = monotonic_ns();
  CHECK(last > 0);
  for (int i = 0; i < 1000; i++) {
    const uint64_t now = monotonic_ns();
    CHECK(now >= last);
    last = now;
  }
  const int64_t difference = wall_seconds() - static_cast<int64_t>(std::time(nullptr));
  CHECK(difference >= -2);
  CHECK(difference <= 2);
}
