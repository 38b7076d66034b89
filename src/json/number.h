// Numbers of JSON as text and back, exact both ways: reading gives the nearest double, writing the shortest digits that read
// back as the same. No allocation, no locale, no errno, no arithmetic of floating point (so that neither rounding modes nor
// the x87 matter); any thread. Linear in the length of the text.
#pragma once

#include <cstddef>
#include <cstdint>

namespace martlet::json {

enum class NumberKind : uint8_t {
  bad,        // not a number ("-", "01", "1.", "1e", ".5", "+1")
  integer,    // without point and exponent, and fits int64_t; but not "-0"
  natural,    // the same above INT64_MAX that fits uint64_t
  real,       // everything else: the nearest double, ties to even. "-0" is -0.0; what is too small is 0.0 or -0.0
  too_large,  // no finite double
};

struct Number {
  const uint8_t* end;  // behind the number; of a bad one the first byte that is wrong (of "01" the 1), or the end of the text
  NumberKind kind;
  union {
    int64_t integer;
    uint64_t natural;
    double real;
  };
};

// Reads the number (RFC 8259 §6) that starts at `at` and ends before `end`: the longest prefix that the grammar allows. What
// follows it is the caller's business. Reads no byte outside.
Number read_number(const uint8_t* at, const uint8_t* end) noexcept;

// Room that each of these needs at `out`; they may write anywhere in it. They answer the end of the text.
inline constexpr size_t kNumberBytes = 32;

uint8_t* write_integer(uint8_t* out, int64_t value) noexcept;
uint8_t* write_natural(uint8_t* out, uint64_t value) noexcept;

// The shortest digits that read back as the same double, and of those the closest. There is always a '.' or an 'e', so that
// it is read as a real again: "1.0". With an exponent below 1e-6 and from 1e21 on, as JavaScript does ("1.5e-7", "1e21").
// Negative zero is "-0.0"; NaN and the infinities, which JSON has no numbers for, are "null".
uint8_t* write_real(uint8_t* out, double value) noexcept;

}  // namespace martlet::json
