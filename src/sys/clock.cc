// The clocks of clock.h, and the calendar that a Date header needs (no gmtime: it takes a lock and reads the
// environment in some C libraries, and strftime speaks the locale's language).
#include "sys/clock.h"

#include <cstring>

#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

constexpr int64_t kSecondsPerDay = 86400;

struct CivilDate {
  int year;
  int month;  // 1 to 12
  int day;    // 1 to 31
};

// Days since 1970-01-01 to the proleptic Gregorian calendar. Years are counted from 1 March, so that the leap day
// is the last of its year; an era is 400 years, after which the calendar repeats.
CivilDate civil_from_days(int64_t days) noexcept {
  days += 719468;  // from 0000-03-01
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {.year = static_cast<int>(year_of_era + era * 400 + (month <= 2)),
          .month = static_cast<int>(month),
          .day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

void put_two(char* out, int64_t value) noexcept {
  out[0] = static_cast<char>('0' + value / 10 % 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

uint64_t monotonic_ns() noexcept {
  timespec now;
  syscalls.clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

int64_t wall_seconds() noexcept {
  timespec now;
  syscalls.clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

uint64_t wall_ms() noexcept {
  timespec now;
  syscalls.clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec < 0 ? 0 : static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

void format_http_date(int64_t wall_seconds, char* out) noexcept {
  static constexpr char kDays[] = "ThuFriSatSunMonTueWed";  // 1970-01-01 was a Thursday
  static constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

  int64_t days = wall_seconds / kSecondsPerDay;
  int64_t second_of_day = wall_seconds % kSecondsPerDay;
  if (second_of_day < 0) {
    second_of_day += kSecondsPerDay;
    days--;
  }
  const CivilDate date = civil_from_days(days);
  const int64_t weekday = (days % 7 + 7) % 7;

  std::memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", kHttpDateSize);
  std::memcpy(out, kDays + 3 * weekday, 3);
  put_two(out + 5, date.day);
  std::memcpy(out + 8, kMonths + 3 * (date.month - 1), 3);
  put_two(out + 12, date.year / 100);
  put_two(out + 14, date.year % 100);
  put_two(out + 17, second_of_day / 3600);
  put_two(out + 20, second_of_day / 60 % 60);
  put_two(out + 23, second_of_day % 60);
}

}  // namespace martlet::sys
