// The grammar of numbers, with every cut at an unmapped page; integers at all limits; the form in which numbers are written.
#include "json/number.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/guarded.h"

using namespace martlet::json;
using martlet::base::as_bytes;
using martlet::test::Guarded;
using martlet::test::GuardedRoom;

namespace {

Number read(std::string_view text) {
  const auto bytes = as_bytes(text);
  return read_number(bytes.data(), bytes.data() + bytes.size());
}

size_t length(std::string_view text, const Number& number) {
  return static_cast<size_t>(number.end - as_bytes(text).data());
}

template <class Value>
std::string written(uint8_t* (*write)(uint8_t*, Value), Value value) {
  uint8_t out[kNumberBytes];
  return {reinterpret_cast<char*>(out), reinterpret_cast<char*>(write(out, value))};
}

struct Grammar {
  size_t end;
  bool good;
};

// RFC 8259 §6, letter by letter.
Grammar grammar(std::string_view text) {
  size_t at = 0;
  const auto is = [&](std::string_view set) { return at < text.size() && set.find(text[at]) != set.npos; };
  const auto digits = [&] {
    const size_t first = at;
    while (is("0123456789")) at++;
    return at - first;
  };
  if (is("-")) at++;
  if (is("0")) {
    at++;
    if (is("0123456789")) return {at, false};
  } else if (digits() == 0) {
    return {at, false};
  }
  if (is(".")) {
    at++;
    if (digits() == 0) return {at, false};
  }
  if (is("eE")) {
    at++;
    if (is("+-")) at++;
    if (digits() == 0) return {at, false};
  }
  return {at, true};
}

bool follows_grammar(std::string_view text) {
  const Number number = read(text);
  const Grammar expected = grammar(text);
  return length(text, number) == expected.end && (number.kind != NumberKind::bad) == expected.good;
}

constexpr std::string_view kTexts[] = {
    "0", "-0", "7", "-7", "10", "12345678", "123456789", "1234567890123456789", "-9223372036854775808", "18446744073709551615",
    "18446744073709551616", "0.5", "-0.0", "3.14159265358979323846264338327950288", "1e5", "1E+05", "1.5e-0007", "-1.25E300",
    "1e400", "-1e400", "1e-400", "0e999999999999999999999", "1e99999999999999999999999999999", "1e-99999999999999999999999999",
    "0.00000000000000000000000000000000000000001", "100000000000000000000000000000000000", "12345678.87654321", "1.00000001e-8",
    "", "-", "+1", ".5", "01", "-01", "00", "1.", "1.e5", "-.5", "1e", "1e+", "1e-", "1ee", "1e5.5", "--1", "1.2.3", "0x10",
    "1 ", "1,", "1]", "1e5}", "1.5,2", "Infinity", "-Infinity", "NaN", "1_000", "1:", "1/", "123456789012345678901234567890x"};

}  // namespace

TEST_CASE("number: the grammar, in one table") {
  struct Row {
    const char* text;
    NumberKind kind;
    size_t end;
  };
  using enum NumberKind;
  const Row rows[] = {
      {"0", integer, 1},        {"-0", real, 2},          {"-0.0", real, 4},       {"0e0", real, 3},        {"42,", integer, 2},
      {"-42 ", integer, 3},     {"1.5]", real, 3},        {"1e5", real, 3},        {"1E5", real, 3},        {"1e+5", real, 4},
      {"1e-5", real, 4},        {"1.25e10}", real, 7},    {"1e400", too_large, 5}, {"-1e400", too_large, 6}, {"1e-400", real, 6},
      {"0e400", real, 5},       {"1:2", integer, 1},      {"1/2", integer, 1},     {"5-3", integer, 1},     {"1..2", bad, 2},
      {"", bad, 0},             {"-", bad, 1},            {"-a", bad, 1},          {"--1", bad, 1},         {"+1", bad, 0},
      {".5", bad, 0},           {"-.5", bad, 1},          {"01", bad, 1},          {"-01", bad, 2},         {"00", bad, 1},
      {"00000000000", bad, 1},  {"012345678901", bad, 1}, {"01.5", bad, 1},        {"1.", bad, 2},          {"1.e5", bad, 2},
      {"1.x", bad, 2},          {"1e", bad, 2},           {"1e+", bad, 3},         {"1e-", bad, 3},         {"1e+x", bad, 3},
      {"1ex", bad, 2},          {"1.5e", bad, 4},         {"1.5e--1", bad, 5},     {"abc", bad, 0},         {"\xff", bad, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const Number number = read(row.text);
    CHECK(number.kind == row.kind);
    CHECK(length(row.text, number) == row.end);
  }
}

TEST_CASE("number: every cut, at an unmapped page") {
  for (const std::string_view text : kTexts) {
    for (size_t size = 0; size <= text.size(); size++) {
      const Guarded guarded(text.substr(0, size));
      CAPTURE(guarded.size());
      CAPTURE(text);
      const std::string_view cut = martlet::base::as_text(guarded.span());
      CHECK(follows_grammar(cut));
    }
  }
}

TEST_CASE("number: the grammar, on random texts") {
  std::mt19937 random(1);
  constexpr std::string_view kSigns = "00112233445566778899--+..eE ,:/";
  int wrong = 0;
  for (int i = 0; i < 200000; i++) {
    std::string text(random() % 30, '0');
    const bool mostly_digits = random() % 2;
    for (char& c : text) c = mostly_digits && random() % 8 ? static_cast<char>('0' + random() % 10) : kSigns[random() % kSigns.size()];
    wrong += !follows_grammar(text);
  }
  CHECK(wrong == 0);
}

TEST_CASE("number: any byte behind or inside of digits ends them") {
  for (int byte = 0; byte < 256; byte++) {
    if ((byte >= '0' && byte <= '9') || byte == '.' || (byte | 0x20) == 'e') continue;
    for (size_t digits = 1; digits <= 18; digits++) {
      std::string text = std::string(digits, '9') + static_cast<char>(byte) + "99999999999999999999";
      CHECK(length(text, read(text)) == digits);
      text.insert(0, "0.");
      CHECK(length(text, read(text)) == digits + 2);
    }
  }
}

TEST_CASE("number: integers at their limits") {
  const auto integer = [](std::string_view text) {
    const Number number = read(text);
    CHECK(number.kind == NumberKind::integer);
    return number.integer;
  };
  const auto natural = [](std::string_view text) {
    const Number number = read(text);
    CHECK(number.kind == NumberKind::natural);
    return number.natural;
  };
  const auto real = [](std::string_view text) {
    const Number number = read(text);
    CHECK(number.kind == NumberKind::real);
    return number.real;
  };
  CHECK(integer("9223372036854775807") == INT64_MAX);
  CHECK(natural("9223372036854775808") == uint64_t{INT64_MAX} + 1);
  CHECK(integer("-9223372036854775807") == -INT64_MAX);
  CHECK(integer("-9223372036854775808") == INT64_MIN);
  CHECK(real("-9223372036854775809") == -9223372036854775808.0);
  CHECK(natural("9999999999999999999") == 9999999999999999999u);
  CHECK(real("-9999999999999999999") == -1e19);
  CHECK(natural("10000000000000000000") == 10000000000000000000u);
  CHECK(natural("18446744073709551615") == UINT64_MAX);
  CHECK(real("18446744073709551616") == 18446744073709551616.0);
  CHECK(real("19999999999999999999") == 2e19);
  CHECK(real("20000000000000000000") == 2e19);
  CHECK(real("28446744073709551616") == 28446744073709551616.0);
  CHECK(real("99999999999999999999") == 1e20);
  CHECK(real("-18446744073709551615") == -18446744073709551615.0);
  CHECK(real("100000000000000000000") == 1e20);
  CHECK(real("184467440737095516150") == 184467440737095516150.0);
  CHECK(integer("0") == 0);
  CHECK(std::signbit(real("-0")));
  CHECK(real("-0") == 0);
}

TEST_CASE("number: integers are written as std::to_string does, and read back") {
  const auto check = [](uint64_t value) {
    const auto as_signed = static_cast<int64_t>(value);
    const std::string text = written(write_natural, value), with_sign = written(write_integer, as_signed);
    const Number number = read(text), back = read(with_sign);
    return text == std::to_string(value) && with_sign == std::to_string(as_signed) && back.kind == NumberKind::integer &&
           back.integer == as_signed && number.natural == value &&
           number.kind == (value > INT64_MAX ? NumberKind::natural : NumberKind::integer);
  };
  uint64_t power = 1;
  for (int digits = 1; digits <= 20; digits++, power *= 10) {
    CAPTURE(digits);
    for (const uint64_t value : {power - 1, power, power + 1, 0 - power, power * 9, power / 2}) CHECK(check(value));
  }
  for (int bit = 0; bit < 64; bit++) {
    CAPTURE(bit);
    CHECK(check(uint64_t{1} << bit));
    CHECK(check((uint64_t{1} << bit) - 1));
  }
  std::mt19937_64 random(1);
  int wrong = 0;
  for (int i = 0; i < 300000; i++) wrong += !check(random() >> random() % 64);
  CHECK(wrong == 0);
}

TEST_CASE("number: reals are written as JavaScript writes them, but so that they stay reals") {
  constexpr double kLargest = std::numeric_limits<double>::max(), kSmallest = std::numeric_limits<double>::denorm_min();
  struct Row {
    double value;
    const char* text;
  };
  const Row rows[] = {
      {0.0, "0.0"}, {-0.0, "-0.0"}, {1.0, "1.0"}, {-1.0, "-1.0"}, {10.0, "10.0"}, {123456789.0, "123456789.0"},
      {0.1, "0.1"}, {-0.25, "-0.25"}, {0.3, "0.3"}, {0.1 + 0.2, "0.30000000000000004"}, {3.14, "3.14"}, {1.5, "1.5"}, {100.25, "100.25"},
      {123456789.125, "123456789.125"}, {1234567.125, "1234567.125"}, {12345678.5, "12345678.5"}, {1922616640276132.2, "1922616640276132.2"},
      {-65.613616999999977, "-65.61361699999998"}, {1e-6, "0.000001"}, {1.5e-6, "0.0000015"}, {9.999999999999997e-7, "9.999999999999997e-7"},
      {1e-7, "1e-7"}, {1.5e-7, "1.5e-7"}, {-1.2345678901234567e-6, "-0.0000012345678901234567"}, {9007199254740991.0, "9007199254740991.0"},
      {9007199254740992.0, "9007199254740992.0"}, {9007199254740994.0, "9007199254740994.0"}, {1e17, "100000000000000000.0"},
      {1e20, "100000000000000000000.0"}, {123456789012345680000.0, "123456789012345680000.0"}, {999999999999999900000.0, "999999999999999900000.0"},
      {1e21, "1e21"}, {-1.5e21, "-1.5e21"}, {1e22, "1e22"}, {1e23, "1e23"}, {1.2345678901234567e100, "1.2345678901234567e100"},
      {kLargest, "1.7976931348623157e308"}, {-kLargest, "-1.7976931348623157e308"}, {kSmallest, "5e-324"}, {2 * kSmallest, "1e-323"},
      {3 * kSmallest, "1.5e-323"}, {-2.2250738585072014e-308, "-2.2250738585072014e-308"}, {2.225073858507201e-308, "2.225073858507201e-308"},
      {std::numeric_limits<double>::infinity(), "null"}, {-std::numeric_limits<double>::infinity(), "null"},
      {std::numeric_limits<double>::quiet_NaN(), "null"}, {-std::numeric_limits<double>::quiet_NaN(), "null"},
      {2e-44, "2e-44"}, {9.5367431640625e-7, "9.5367431640625e-7"}, {5.764607523034235e39, "5.764607523034235e39"}, {2e23, "2e23"},
      {9.007199254740992e15 * 1024, "9223372036854776000.0"},
  };
  for (const Row& row : rows) {
    CHECK(written(write_real, row.value) == std::string(row.text));
  }
}

TEST_CASE("number: writing stays in its room") {
  const GuardedRoom room(kNumberBytes);
  std::mt19937_64 random(1);
  size_t longest = 0;
  for (int i = 0; i < 100000; i++) {
    const uint64_t bits = random() >> random() % 64;
    for (const auto side : {GuardedRoom::Side::begin, GuardedRoom::Side::end}) {
      uint8_t* out = room.place(kNumberBytes, side);
      const uint8_t* ends[] = {write_integer(out, static_cast<int64_t>(bits)), write_natural(out, bits),
                               write_real(out, std::bit_cast<double>(bits)), write_real(out, -static_cast<double>(bits) * 0x1p-40),
                               write_real(out, -1.0000000000000002e-6), write_real(out, static_cast<double>(bits))};
      for (const uint8_t* end : ends) longest = std::max(longest, static_cast<size_t>(end - out));
    }
  }
  CHECK(longest <= kNumberBytes);
}

TEST_CASE("number: a megabyte of digits") {
  const size_t size = 1 << 20;
  const std::string zeros(size, '0'), nines(size, '9');
  const auto real = [](const std::string& text) {
    const Number number = read(text);
    CHECK(number.kind == NumberKind::real);
    CHECK(length(text, number) == text.size());
    return number.real;
  };
  CHECK(read("1" + zeros).kind == NumberKind::too_large);
  CHECK(read(nines).kind == NumberKind::too_large);
  CHECK(real("1" + zeros + "e-1048576") == 1.0);
  CHECK(real("0." + zeros + "1e1048577") == 1.0);
  CHECK(real("0." + zeros + "15e1048577") == 1.5);
  CHECK(real("0." + zeros) == 0.0);
  CHECK(std::signbit(real("-0." + zeros)));
  CHECK(real("0." + zeros + "1") == 0.0);
  CHECK(real("0." + nines) == 1.0);
  CHECK(real("1." + nines) == 2.0);
  CHECK(real("1e" + zeros + "5") == 1e5);
  CHECK(real("1e-" + zeros + "5") == 1e-5);
  CHECK(real("1e-" + nines) == 0.0);
  CHECK(real("0e" + nines) == 0.0);
  CHECK(read("1e" + nines).kind == NumberKind::too_large);
  // The point half way between 2^53 and the next double, and what one digit at the far end makes of it.
  CHECK(real("9007199254740993." + zeros) == 9007199254740992.0);
  CHECK(real("9007199254740993." + zeros + "1") == 9007199254740994.0);
  CHECK(real("9007199254740992." + nines) == 9007199254740992.0);
  CHECK(real("9007199254740995." + zeros) == 9007199254740996.0);
  CHECK(real("9007199254740994." + nines) == 9007199254740994.0);
}
