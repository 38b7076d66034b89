// Numbers and literals where a scanner stands: that they are whole, and end where a value may.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "json/number.h"
#include "json/scanner.h"
#include "json/unescape.h"

namespace martlet::json {

using Fault = StringFault;

// What may stand right behind a number or literal: white space and structure. A quote may not.
inline constexpr auto kEndsScalar = [] {
  std::array<bool, 256> ends{};
  for (const char c : {' ', '\t', '\n', '\r', ',', ':', '[', ']', '{', '}'}) ends[static_cast<uint8_t>(c)] = true;
  return ends;
}();

inline bool ends_scalar(const Scanner& scanner, size_t end) noexcept {
  return end >= scanner.limit() || kEndsScalar[scanner.byte(end)];
}

inline bool begins_number(uint8_t c) noexcept { return c == '-' || static_cast<uint8_t>(c - '0') < 10; }

// The number at `place`.
inline Fault number_at(const Scanner& scanner, size_t place, Number& number) noexcept {
  number = read_number(scanner.text() + place, scanner.text() + scanner.limit());
  const auto stop = static_cast<size_t>(number.end - scanner.text());
  if (number.kind == NumberKind::too_large) return {place, "the number is too large for a double"};
  if (number.kind != NumberKind::bad && ends_scalar(scanner, stop)) [[likely]] return {};
  return {stop, stop < scanner.limit() ? "this is no number" : scanner.fault_at_end()};
}

// Room behind the first byte of a number that lets short_integer() look without asking where the text ends.
inline constexpr size_t kShortInteger = 24;

// Most numbers are integers of up to 17 digits. False for others, bad ones among them, and for 0.
inline bool short_integer(const uint8_t* at, bool& negative, uint64_t& magnitude) noexcept {
  negative = *at == '-';
  const uint8_t* digit = at + negative;
  if (static_cast<uint8_t>(*digit - '1') > 8) return false;
  magnitude = 0;
  while (static_cast<uint8_t>(*digit - '0') <= 9 && digit < at + 18) magnitude = magnitude * 10 + (*digit++ - uint64_t{'0'});
  return kEndsScalar[*digit];
}

// Where no value is: true, false or null may be, but cut, or before what is not UTF-8. Else there is no fault of these.
Fault word_fault(std::string_view text, size_t place) noexcept;

// Whether this word stands at `place`: true, false or null.
inline bool literal_at(const Scanner& scanner, size_t place, std::string_view word) noexcept {
  return scanner.limit() - place >= word.size() && std::memcmp(scanner.text() + place, word.data(), word.size()) == 0 &&
         ends_scalar(scanner, place + word.size());
}

}  // namespace martlet::json
