// Doubles are read and written exactly: against the C library, on random bits and digits, and against integers of any size
// at the points half way between two doubles, where it is hardest.
#include <doctest/doctest.h>

#include <bit>
#include <cfenv>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "json/number.h"
#include "support/big_number.h"

// Everything where that takes seconds: elsewhere it is emulated, or slowed down by what it is compiled with.
#if defined(__has_feature)
#define MARTLET_TEST_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MARTLET_TEST_SANITIZED 1
#else
#define MARTLET_TEST_SANITIZED 0
#endif

using namespace martlet::json;
using martlet::base::as_bytes;
using martlet::test::BigNumber;

namespace {

#if defined(__OPTIMIZE__) && defined(__x86_64__) && !MARTLET_TEST_SANITIZED
constexpr int kPatterns = 10000000;
#else
constexpr int kPatterns = 300000;
#endif

constexpr uint64_t kInfinity = 0x7FF0000000000000;
constexpr uint64_t kSmallestNormal = 0x0010000000000000;

uint64_t bits_of(double value) { return std::bit_cast<uint64_t>(value); }

// As a real, whatever it is; infinite where it is too large.
double read(std::string_view text) {
  const auto bytes = as_bytes(text);
  const Number number = read_number(bytes.data(), bytes.data() + bytes.size());
  if (number.end != bytes.data() + bytes.size()) return std::bit_cast<double>(~uint64_t{0});
  switch (number.kind) {
    case NumberKind::integer: return static_cast<double>(number.integer);
    case NumberKind::natural: return static_cast<double>(number.natural);
    case NumberKind::real: return number.real;
    case NumberKind::too_large: return text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
    default: return std::bit_cast<double>(~uint64_t{0});
  }
}

struct RealText {
  char bytes[64];
  size_t size = 0;
  std::string_view view() const { return {bytes, size}; }
};

RealText written(double value) {
  RealText text;
  auto* out = reinterpret_cast<uint8_t*>(text.bytes);
  text.size = static_cast<size_t>(write_real(out, value) - out);
  text.bytes[text.size] = 0;
  return text;
}

bool reads_like_strtod(const char* text) {
  return bits_of(read(text)) == bits_of(std::strtod(text, nullptr));
}

// The digits that count: without sign, point, exponent and the zeros at both ends.
std::string digits_of(std::string_view text) {
  std::string digits;
  for (const char c : text.substr(0, text.find('e'))) {
    if (c >= '0' && c <= '9' && !(digits.empty() && c == '0')) digits += c;
  }
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  return digits;
}

// Reads back as the same, here and by the C library, and no fewer or closer digits do.
bool is_written_well(double value) {
  const RealText text = written(value);
  if (bits_of(read(text.view())) != bits_of(value) || bits_of(std::strtod(text.bytes, nullptr)) != bits_of(value)) return false;
#ifdef __cpp_lib_to_chars
  char shortest[64];
  const char* end = std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::scientific).ptr;
  return digits_of(text.view()) == digits_of({shortest, end});
#else
  char fewer[64];
  const int digits = static_cast<int>(digits_of(text.view()).size());
  std::snprintf(fewer, sizeof fewer, "%.*e", digits > 2 ? digits - 2 : 0, value);
  return digits == 1 || std::strtod(fewer, nullptr) != value;
#endif
}

// Of all sizes alike, and of those that people write.
double random_real(std::mt19937_64& random) {
  const uint64_t bits = random();
  switch (bits & 7) {
    case 0: return static_cast<double>(static_cast<int64_t>(random()) >> (bits >> 8 & 63)) / 1e6;
    case 1: return static_cast<double>(static_cast<int64_t>(random()) >> (bits >> 8 & 63)) * 0x1p-20;
    case 2: return std::bit_cast<double>(bits & 0x800FFFFFFFFFFFFF);  // denormal
    default: return std::bit_cast<double>(random());
  }
}

// The point half way between the double with these bits and the next one: digits * 10^exponent.
struct Halfway {
  std::string digits;
  int exponent;
};

Halfway halfway_above(uint64_t bits) {
  const uint64_t stored = bits & (kSmallestNormal - 1);
  const int field = static_cast<int>(bits >> 52);
  const int twos = (field == 0 ? 1 : field) - 1076;
  BigNumber digits((field == 0 ? stored : stored | kSmallestNormal) * 2 + 1);
  if (twos >= 0) return {digits.times_power(2, twos).text(), 0};
  return {digits.times_power(5, -twos).text(), twos};
}

// One less in the last place.
std::string less_one(std::string digits) {
  size_t at = digits.size() - 1;
  for (; digits[at] == '0'; at--) digits[at] = '9';
  digits[at]--;
  return digits;
}

// The digits with the point behind the first of them, and behind the last, and in front of all.
void check_forms(const std::string& digits, int exponent, uint64_t expected) {
  const int size = static_cast<int>(digits.size());
  const std::string forms[] = {
      digits.substr(0, 1) + "." + digits.substr(1) + "0e" + std::to_string(exponent + size - 1),
      "0.00" + digits + "e" + std::to_string(exponent + size + 2),
      digits + "e" + std::to_string(exponent),
  };
  for (const std::string& form : forms) {
    if (form[0] == '0' && form[1] != '.') continue;
    CAPTURE(form);
    CHECK(bits_of(read(form)) == expected);
  }
}

void check_halfway(uint64_t bits) {
  CAPTURE(bits);
  const auto [digits, exponent] = halfway_above(bits);
  check_forms(digits, exponent, bits + (bits & 1));
  const std::string below = less_one(digits);
  if (below[0] != '0') check_forms(below, exponent, bits);
  if (below[0] != '0') check_forms(below + "9", exponent - 1, bits);
  check_forms(digits + "1", exponent - 1, bits + 1);
  check_forms(digits + std::string(900, '0') + "1", exponent - 901, bits + 1);
}

}  // namespace

TEST_CASE("number: random reals, written and read back") {
  std::mt19937_64 random(1);
  int wrong = 0;
  for (int i = 0; i < kPatterns; i++) {
    const double value = random_real(random);
    if ((bits_of(value) & kInfinity) == kInfinity || is_written_well(value)) continue;
    if (wrong++ == 0) MESSAGE(written(value).view());
  }
  CHECK(wrong == 0);
}

TEST_CASE("number: random reals, printed with 17 digits and read back") {
  std::mt19937_64 random(2);
  int wrong = 0;
  for (int i = 0; i < kPatterns / 10; i++) {
    const double value = random_real(random);
    if ((bits_of(value) & kInfinity) == kInfinity) continue;
    char text[64];
    std::snprintf(text, sizeof text, "%.*g", i % 16 == 0 ? 30 : 17, value);
    const double back = read(text);
    if (back == value || (value == 0 && back == 0)) continue;
    if (wrong++ == 0) MESSAGE(text);
  }
  CHECK(wrong == 0);
}

TEST_CASE("number: random digits of all lengths with random exponents, read as strtod does") {
  std::mt19937_64 random(3);
  int wrong = 0;
  for (int i = 0; i < kPatterns / 10; i++) {
    std::string text = random() & 1 ? "-" : "";
    text += static_cast<char>('1' + random() % 9);
    for (size_t more = random() % (i % 64 == 0 ? 900 : 40); more > 0; more--) text += static_cast<char>('0' + random() % 10);
    if (random() & 1) text.insert(text[0] == '-' ? 2 : 1, text.size() > 2 ? "." : "");
    if (text.find('.') != text.npos || random() & 1) text += "e" + std::to_string(static_cast<int>(random() % 720) - 370);
    if (reads_like_strtod(text.c_str())) continue;
    if (wrong++ == 0) MESSAGE(text);
  }
  CHECK(wrong == 0);
}

TEST_CASE("number: hard cases that are known") {
  const struct {
    const char* text;
    uint64_t bits;
  } rows[] = {
      {"2.2250738585072011e-308", 0x000FFFFFFFFFFFFF}, {"2.2250738585072012e-308", 0x0010000000000000},
      {"2.2250738585072014e-308", 0x0010000000000000}, {"2.2250738585072009e-308", 0x000FFFFFFFFFFFFF},
      {"1.7976931348623157e308", 0x7FEFFFFFFFFFFFFF}, {"1.7976931348623158e308", 0x7FEFFFFFFFFFFFFF},
      {"1.7976931348623159e308", kInfinity}, {"1.797693134862315807e308", 0x7FEFFFFFFFFFFFFF},
      {"1.797693134862315808e308", kInfinity}, {"1e308", 0x7FE1CCF385EBC8A0}, {"1e309", kInfinity},
      {"5e-324", 1}, {"4.9406564584124654e-324", 1}, {"2.4703282292062327e-324", 0}, {"2.4703282292062328e-324", 1},
      {"2.5e-324", 1}, {"2.4e-324", 0}, {"7.4e-324", 1}, {"7.5e-324", 2}, {"1e-324", 0}, {"9007199254740992", 0x4340000000000000},
      {"9007199254740993", 0x4340000000000000}, {"9007199254740993.0", 0x4340000000000000}, {"9007199254740993.0000000000001", 0x4340000000000001},
      {"900719925474099.3e1", 0x4340000000000000}, {"90071992547409930000e-4", 0x4340000000000000}, {"9007199254740995", 0x4340000000000002},
      {"9007199254740994.99999999999999999999", 0x4340000000000001}, {"0.500000000000000166533453693773481063544750213623046875", 0x3FE0000000000002},
      {"3.518437208883201171875e13", 0x42C0000000000002}, {"62.5364939768271845828", 0x404F44ABD5AA7CA4},
      {"8.10109172351e-10", 0x3E0BD5CBAEF0FD0C}, {"1.50000000000000011102230246251565404236316680908203125", 0x3FF8000000000000},
      {"1.50000000000000011102230246251565404236316680908203124", 0x3FF8000000000000},
      {"1.50000000000000011102230246251565404236316680908203126", 0x3FF8000000000001},
      {"6.631236846766476e-316", 0x0000000008000000}, 
      {"0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001", 0},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(reads_like_strtod(row.text));
    if (row.bits != 0) CHECK(bits_of(read(row.text)) == row.bits);
  }
}

TEST_CASE("number: powers of two and of ten, and their neighbours, both ways") {
  int wrong = 0;
  for (int exponent = -1074; exponent <= 1023; exponent++) {
    const uint64_t bits = exponent < -1022 ? uint64_t{1} << (exponent + 1074) : static_cast<uint64_t>(exponent + 1023) << 52;
    for (const uint64_t near : {bits - 1, bits, bits + 1}) wrong += near != 0 && !is_written_well(std::bit_cast<double>(near));
  }
  CHECK(wrong == 0);
  for (int exponent = -400; exponent <= 400; exponent++) {
    for (const char* digits : {"1", "9", "9007199254740993", "99999999999999999", "9999999999999999999", "10000000000000000000",
                               "99999999999999999999", "1.0", "0.1", "0.00000000000000000000000001", "18446744073709551615", "18446744073709551616"}) {
      wrong += !reads_like_strtod((std::string(digits) + "e" + std::to_string(exponent)).c_str());
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("number: half way between two doubles, and next to it") {
  std::mt19937_64 random(4);
  const uint64_t ends[] = {0, 1, 2, 3, kSmallestNormal - 2, kSmallestNormal - 1, kSmallestNormal, kSmallestNormal + 1, 2 * kSmallestNormal - 1,
                           kInfinity - 2, 0x3FF0000000000000, 0x3FEFFFFFFFFFFFFF, 0x433FFFFFFFFFFFFF, 0x4340000000000000, 0x7FDFFFFFFFFFFFFF};
  for (const uint64_t bits : ends) check_halfway(bits);
  for (int i = 0; i < 300; i++) check_halfway(random() % (kInfinity - 1));
  for (int i = 0; i < 100; i++) check_halfway(random() % kSmallestNormal);
}

TEST_CASE("number: the largest double, and the point from which there is none") {
  const auto [digits, exponent] = halfway_above(kInfinity - 1);
  REQUIRE(exponent == 0);
  const auto kind = [](const std::string& text) {
    const auto bytes = as_bytes(text);
    return read_number(bytes.data(), bytes.data() + bytes.size()).kind;
  };
  CHECK(kind(digits) == NumberKind::too_large);
  CHECK(kind("-" + digits) == NumberKind::too_large);
  CHECK(kind(digits + ".0000000000000000001") == NumberKind::too_large);
  CHECK(kind(less_one(digits)) == NumberKind::real);
  CHECK(kind(less_one(digits) + ".999999999999999999") == NumberKind::real);
  CHECK(bits_of(read(less_one(digits))) == kInfinity - 1);
}

#ifdef FE_UPWARD
TEST_CASE("number: the rounding mode of the thread does not matter") {
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const double tenth = read("0.1"), large = read("123456789012345678901234567890"), third = read("0.3333333333333333333");
    const RealText text = written(tenth);
    std::fesetround(FE_TONEAREST);
    CHECK(bits_of(tenth) == 0x3FB999999999999A);
    CHECK(bits_of(large) == 0x45F8EE90FF6C373E);
    CHECK(bits_of(third) == 0x3FD5555555555555);
    CHECK(text.view() == "0.1");
  }
}
#endif
