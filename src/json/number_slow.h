// What number_read.cc leaves to number_slow.cc: numbers of more than 19 digits, and those that the product of nearest.h is too
// short for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace martlet::json {

struct DecimalText {
  const uint8_t* at;
  const uint8_t* end;  // between them digits, and a point at most
  int64_t exponent;    // the value of the last digit is 10^exponent
};

// The bits of the nearest double, or at least those of infinity.
uint64_t nearest_of_text(const DecimalText& text) noexcept;

}  // namespace martlet::json
