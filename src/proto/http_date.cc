// See http_date.h. Days are counted from 1 January of the year 0 of the Gregorian calendar, as if it had always been in
// use; so all numbers of a date that can be written are positive.
#include "proto/http_date.h"

#include <algorithm>
#include <cstring>

namespace martlet::proto {

namespace {

constexpr int64_t kSecondsPerDay = 86400;
constexpr int64_t kDaysTo1970 = 719528;
constexpr int64_t kLastYear = 9999;

constexpr std::string_view kDayNames[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonthNames = "JanFebMarAprMayJunJulAugSepOctNovDec";

// Each part from its lowest value; month 0 is January.
struct Date {
  int64_t year = 0;
  int64_t month = 0;
  int64_t day = 1;
  int64_t second = 0;  // of the day
};

constexpr bool is_leap(int64_t year) noexcept { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

// The years before this one that are divisible by 4, 100 and 400 begin with the year 0.
constexpr int64_t days_before_year(int64_t year) noexcept {
  return 365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}
static_assert(days_before_year(1970) == kDaysTo1970);

constexpr int64_t days_before_month(int64_t month, bool leap) noexcept {
  constexpr int64_t kDays[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
  return kDays[month] + (leap && month > 1);
}

constexpr int64_t days_of_month(const Date& date) noexcept {
  const bool leap = is_leap(date.year);
  return days_before_month(date.month + 1, leap) - days_before_month(date.month, leap);
}

constexpr int64_t days_of(const Date& date) noexcept {
  return days_before_year(date.year) + days_before_month(date.month, is_leap(date.year)) + date.day - 1;
}

constexpr int64_t seconds_of(const Date& date) noexcept {
  return (days_of(date) - kDaysTo1970) * kSecondsPerDay + date.second;
}
constexpr int64_t kFirstSecond = seconds_of({});
constexpr int64_t kLastSecond = seconds_of({.year = kLastYear, .month = 11, .day = 31, .second = kSecondsPerDay - 1});

constexpr Date date_of(int64_t seconds) noexcept {
  const int64_t since = std::clamp(seconds, kFirstSecond, kLastSecond) - kFirstSecond;
  const int64_t days = since / kSecondsPerDay;
  Date date{.year = days * 400 / 146097, .second = since % kSecondsPerDay};  // one too few or too many at most
  while (days_before_year(date.year) > days) date.year--;
  while (days_before_year(date.year + 1) <= days) date.year++;
  const bool leap = is_leap(date.year);
  const int64_t day_of_year = days - days_before_year(date.year);
  while (days_before_month(date.month + 1, leap) <= day_of_year) date.month++;
  date.day = day_of_year - days_before_month(date.month, leap) + 1;
  return date;
}

void put_two(char* out, int64_t value) noexcept {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
}

// Takes pieces from the front; each answers whether it was there.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}

  bool at_end() const noexcept { return rest_.empty(); }
  bool text(std::string_view wanted) noexcept {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  bool number(size_t digits, int64_t& value) noexcept {
    if (rest_.size() < digits) return false;
    value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }
  // Of the name of a day the first three letters, or all.
  bool day_name(bool whole) noexcept {
    for (const std::string_view name : kDayNames) {
      if (text(whole ? name : name.substr(0, 3))) return true;
    }
    return false;
  }
  bool month(Date& date) noexcept {
    for (date.month = 0; date.month < 12; date.month++) {
      if (text(kMonthNames.substr(static_cast<size_t>(date.month) * 3, 3))) return true;
    }
    return false;
  }
  bool time(Date& date) noexcept {
    int64_t hour, minute, second;
    if (!number(2, hour) || !text(":") || !number(2, minute) || !text(":") || !number(2, second)) return false;
    date.second = (hour * 60 + minute) * 60 + second;
    return hour < 24 && minute < 60 && second <= 60;
  }

 private:
  std::string_view rest_;
};

bool read_imf_fixdate(Reader in, Date& date) noexcept {
  return in.day_name(false) && in.text(", ") && in.number(2, date.day) && in.text(" ") && in.month(date) &&
         in.text(" ") && in.number(4, date.year) && in.text(" ") && in.time(date) && in.text(" GMT") && in.at_end();
}

bool read_asctime(Reader in, Date& date) noexcept {
  return in.day_name(false) && in.text(" ") && in.month(date) && in.text(" ") &&
         (in.text(" ") ? in.number(1, date.day) : in.number(2, date.day)) && in.text(" ") && in.time(date) &&
         in.text(" ") && in.number(4, date.year) && in.at_end();
}

// The latest year with these last two digits that does not make it more than 50 years after now.
int64_t nearest_year(const Date& date, const Date& now) noexcept {
  const int64_t latest = now.year + 50;
  const int64_t year = latest - (latest + 100 - date.year) % 100;
  const auto in_year = [](const Date& d) { return (d.month * 31 + d.day) * kSecondsPerDay + d.second; };
  return year == latest && in_year(date) > in_year(now) ? year - 100 : year;
}

bool read_rfc850(Reader in, Date& date, int64_t now) noexcept {
  const bool read = in.day_name(true) && in.text(", ") && in.number(2, date.day) && in.text("-") && in.month(date) &&
                    in.text("-") && in.number(2, date.year) && in.text(" ") && in.time(date) && in.text(" GMT") &&
                    in.at_end();
  if (!read) return false;
  date.year = nearest_year(date, date_of(now));
  return date.year >= 0 && date.year <= kLastYear;  // with a clock that is far off it may be neither
}

}  // namespace

void encode_http_date(int64_t seconds, char* out) noexcept {
  const Date date = date_of(seconds);
  std::memcpy(out, "Sun, 01 Jan 0000 00:00:00 GMT", kHttpDateBytes);
  std::memcpy(out, kDayNames[(days_of(date) + 6) % 7].data(), 3);  // 1 January of the year 0 was a Saturday
  put_two(out + 5, date.day);
  std::memcpy(out + 8, kMonthNames.data() + 3 * date.month, 3);
  put_two(out + 12, date.year / 100);
  put_two(out + 14, date.year % 100);
  put_two(out + 17, date.second / 3600);
  put_two(out + 20, date.second / 60 % 60);
  put_two(out + 23, date.second % 60);
}

std::optional<int64_t> parse_http_date(std::string_view text, int64_t now) noexcept {
  const Reader in(text);
  Date date;
  const bool read = text.size() == kHttpDateBytes && text[3] == ',' ? read_imf_fixdate(in, date)
                    : text.find(',') == text.npos                   ? read_asctime(in, date)
                                                                    : read_rfc850(in, date, now);
  if (!read || date.day < 1 || date.day > days_of_month(date)) return std::nullopt;
  return seconds_of(date);
}

}  // namespace martlet::proto
