// Dates of HTTP, written and read in their three forms, against known days and against the C library's calendar.
#include "proto/http_date.h"

#include <doctest/doctest.h>

#include <cstring>
#include <ctime>
#include <random>
#include <string>

#include "support/guarded.h"

using martlet::proto::encode_http_date;
using martlet::proto::kHttpDateBytes;
using martlet::test::Guarded;

namespace {

constexpr int64_t kNow = 1763629200;  // Thu, 20 Nov 2025 09:00:00 GMT

std::string written(int64_t seconds) {
  char out[kHttpDateBytes + 1];
  std::memset(out, '#', sizeof out);
  encode_http_date(seconds, out);
  CHECK(out[kHttpDateBytes] == '#');
  return std::string(out, kHttpDateBytes);
}

std::string reference(int64_t seconds) {
  const time_t when = static_cast<time_t>(seconds);
  tm parts;
  ::gmtime_r(&when, &parts);
  char out[64];
  std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return out;
}

std::optional<int64_t> parsed(std::string_view text, int64_t now = kNow) {
  const Guarded guarded(text);
  return martlet::proto::parse_http_date(martlet::base::as_text(guarded.span()), now);
}

// What a date says, written once more; "no" when it is none.
std::string read(std::string_view text, int64_t now = kNow) {
  const std::optional<int64_t> seconds = parsed(text, now);
  return seconds ? written(*seconds) : "no";
}

}  // namespace

TEST_CASE("http_date: written") {
  CHECK(written(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(written(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110 §5.6.7
  CHECK(written(1763629200) == "Thu, 20 Nov 2025 09:00:00 GMT");
  CHECK(written(2147483648) == "Tue, 19 Jan 2038 03:14:08 GMT");
  CHECK(written(951782399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(written(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(written(951868800) == "Wed, 01 Mar 2000 00:00:00 GMT");
  CHECK(written(1709164800) == "Thu, 29 Feb 2024 00:00:00 GMT");
  CHECK(written(4107542399) == "Sun, 28 Feb 2100 23:59:59 GMT");
  CHECK(written(4107542400) == "Mon, 01 Mar 2100 00:00:00 GMT");
  CHECK(written(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
  CHECK(written(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(written(253402300800) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(written(INT64_MAX) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(written(-62167219200) == "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(written(-62167219201) == "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(written(INT64_MIN) == "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST_CASE("http_date: every day of 400 years agrees with the C library, and is read as it was written") {
  int wrong = 0;
  for (int64_t day = -800; day < 146097; day++) {
    const int64_t seconds = day * 86400 + (day + 800) * 7919 % 86400;
    const std::string text = written(seconds);
    if (text != reference(seconds)) wrong++;
    if (martlet::proto::parse_http_date(text, kNow) != seconds) wrong++;
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; i++) {
    const int64_t seconds = static_cast<int64_t>(random() % 253402300800u);
    if (written(seconds) != reference(seconds)) wrong++;
  }
  CHECK(wrong == 0);
}

TEST_CASE("http_date: the three forms of one second") {
  CHECK(parsed("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parsed("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parsed("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parsed("Sun Nov 06 08:49:37 1994") == 784111777);
  CHECK(read("Wednesday, 16-Nov-94 00:00:00 GMT") == "Wed, 16 Nov 1994 00:00:00 GMT");
  CHECK(read("Wed Nov 16 00:00:00 1994") == "Wed, 16 Nov 1994 00:00:00 GMT");
  CHECK(read("Mon, 06 Nov 1994 08:49:37 GMT") == "Sun, 06 Nov 1994 08:49:37 GMT");  // the name of a day proves nothing
  CHECK(read("Sat, 01 Jan 0000 00:00:00 GMT") == "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(read("Fri, 31 Dec 9999 23:59:59 GMT") == "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST_CASE("http_date: both sides of each range") {
  struct Case {
    std::string_view text, said;
  };
  for (const Case& c : {
           Case{"Sun, 01 Nov 1994 08:49:37 GMT", "Tue, 01 Nov 1994 08:49:37 GMT"},
           {"Sun, 00 Nov 1994 08:49:37 GMT", "no"},
           {"Sun, 30 Nov 1994 08:49:37 GMT", "Wed, 30 Nov 1994 08:49:37 GMT"},
           {"Sun, 31 Nov 1994 08:49:37 GMT", "no"},
           {"Sun, 31 Dec 1994 08:49:37 GMT", "Sat, 31 Dec 1994 08:49:37 GMT"},
           {"Sun, 32 Dec 1994 08:49:37 GMT", "no"},
           {"Sun, 28 Feb 1994 08:49:37 GMT", "Mon, 28 Feb 1994 08:49:37 GMT"},
           {"Sun, 29 Feb 1994 08:49:37 GMT", "no"},
           {"Sun, 29 Feb 1996 08:49:37 GMT", "Thu, 29 Feb 1996 08:49:37 GMT"},
           {"Sun, 30 Feb 1996 08:49:37 GMT", "no"},
           {"Sun, 29 Feb 1900 08:49:37 GMT", "no"},
           {"Sun, 29 Feb 2000 08:49:37 GMT", "Tue, 29 Feb 2000 08:49:37 GMT"},
           {"Sun, 06 Nov 1994 23:59:59 GMT", "Sun, 06 Nov 1994 23:59:59 GMT"},
           {"Sun, 06 Nov 1994 24:00:00 GMT", "no"},
           {"Sun, 06 Nov 1994 23:60:00 GMT", "no"},
           {"Sun, 06 Nov 1994 23:59:60 GMT", "Mon, 07 Nov 1994 00:00:00 GMT"},
           {"Sun, 06 Nov 1994 23:59:61 GMT", "no"},
           {"Sat, 31 Dec 2016 23:59:60 GMT", "Sun, 01 Jan 2017 00:00:00 GMT"},
           {"Fri, 31 Dec 9999 23:59:60 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"},
           {"Sunday, 31-Apr-94 08:49:37 GMT", "no"},
           {"Sunday, 30-Apr-94 08:49:37 GMT", "Sat, 30 Apr 1994 08:49:37 GMT"},
           {"Sunday, 29-Feb-23 08:49:37 GMT", "no"},
           {"Sunday, 29-Feb-24 08:49:37 GMT", "Thu, 29 Feb 2024 08:49:37 GMT"},
           {"Sun Nov  0 08:49:37 1994", "no"},
           {"Sun Jun 31 08:49:37 1994", "no"},
       }) {
    CAPTURE(c.text);
    CHECK(read(c.text) == c.said);
  }
}

TEST_CASE("http_date: nothing else is a date") {
  for (const std::string_view text : {
           "", " ", "0", "784111777", "Sun", "Sun,", "Sun, ", "GMT",
           "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 ", "Sun, 06 Nov 1994 08:49:37 GM",
           "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 gmt", "Sun, 06 Nov 1994 08:49:37 GMT ",
           "Sun, 06 Nov 1994 08:49:37 GMTx", " Sun, 06 Nov 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT",
           "SUN, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 NOV 1994 08:49:37 GMT",
           "Sun, 6 Nov 1994 08:49:37 GMT", "Sun,  6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
           "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08-49-37 GMT",
           "Sun, 06-Nov-1994 08:49:37 GMT", "Sun 06 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
           "Sun, 06 Xyz 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
           "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +0000",
           "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z",
           "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 6-Nov-94 08:49:37 GMT",
           "Sunday, 06-Nov-94 08:49:37", "Sunday, 06 Nov 94 08:49:37 GMT", "Sunday 06-Nov-94 08:49:37 GMT",
           "Sundayy, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT ", "Sun Nov 6 08:49:37 1994",
           "Sun Nov  6 08:49:37 94", "Sun Nov  6 08:49:37 1994 GMT", "Sun Nov  06 08:49:37 1994",
           "Sun Nov   6 08:49:37 1994", "Sun Nov  6 08:49:37 1994\n", "Sunday Nov  6 08:49:37 1994",
       }) {
    CAPTURE(text);
    CHECK(!parsed(text));
  }
  CHECK(!parsed(std::string_view("Sun, 06 Nov 1994 08:49:37 GM\0", 29)));
  const std::string_view whole = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (size_t size = 0; size < whole.size(); size++) CHECK(!parsed(whole.substr(0, size)));
}

TEST_CASE("http_date: a year of two digits is the latest that is not more than 50 years ahead") {
  struct Case {
    std::string_view text, said;
    std::string_view now = "Thu, 20 Nov 2025 09:00:00 GMT";
  };
  for (const Case& c : {
           Case{"Sunday, 06-Nov-25 08:49:37 GMT", "Thu, 06 Nov 2025 08:49:37 GMT"},
           {"Sunday, 06-Nov-26 08:49:37 GMT", "Fri, 06 Nov 2026 08:49:37 GMT"},
           {"Sunday, 20-Nov-75 09:00:00 GMT", "Wed, 20 Nov 2075 09:00:00 GMT"},  // to the second
           {"Sunday, 20-Nov-75 09:00:01 GMT", "Thu, 20 Nov 1975 09:00:01 GMT"},
           {"Sunday, 19-Nov-75 23:00:00 GMT", "Tue, 19 Nov 2075 23:00:00 GMT"},
           {"Sunday, 01-Dec-75 00:00:00 GMT", "Mon, 01 Dec 1975 00:00:00 GMT"},
           {"Sunday, 31-Oct-75 00:00:00 GMT", "Thu, 31 Oct 2075 00:00:00 GMT"},
           {"Sunday, 06-Nov-76 08:49:37 GMT", "Sat, 06 Nov 1976 08:49:37 GMT"},
           {"Sunday, 06-Nov-99 08:49:37 GMT", "Sat, 06 Nov 1999 08:49:37 GMT"},
           {"Sunday, 06-Nov-00 08:49:37 GMT", "Mon, 06 Nov 2000 08:49:37 GMT"},
           {"Sunday, 06-Nov-05 08:49:37 GMT", "Fri, 06 Nov 2105 08:49:37 GMT", "Thu, 31 Dec 2099 00:00:00 GMT"},
           {"Sunday, 29-Feb-00 00:00:00 GMT", "Tue, 29 Feb 2000 00:00:00 GMT", "Sat, 01 Jan 2050 00:00:00 GMT"},
           {"Sunday, 29-Feb-00 00:00:00 GMT", "no", "Tue, 01 Mar 2050 00:00:00 GMT"},  // 2100 has none
           {"Sunday, 01-Jan-99 00:00:00 GMT", "no", "Sat, 01 Jan 0000 00:00:00 GMT"},
           {"Sunday, 01-Jan-50 00:00:00 GMT", "Sat, 01 Jan 0050 00:00:00 GMT", "Sat, 01 Jan 0000 00:00:00 GMT"},
           {"Sunday, 01-Jan-00 00:00:00 GMT", "no", "Fri, 31 Dec 9999 00:00:00 GMT"},
       }) {
    CAPTURE(c.text);
    const std::optional<int64_t> now = parsed(c.now);
    REQUIRE(now);
    CHECK(read(c.text, *now) == c.said);
  }
  CHECK(parsed("Sunday, 06-Nov-94 08:49:37 GMT", INT64_MIN) == std::nullopt);
  CHECK(read("Sunday, 06-Nov-94 08:49:37 GMT", INT64_MAX) == "Sun, 06 Nov 9994 08:49:37 GMT");
}
