// CRC-32 sixteen bytes at a time by sixteen tables (16 KiB, made at compile time): table k holds what a byte does to the
// remainder when k more bytes follow it, so that the look-ups of a step do not wait for each other, and half of them not
// even for the step before.
//
// Adler-32 in lanes, which the compiler makes vectors of: rows of 32 bytes are summed by column, and each byte's weight
// is put together from its row and its column at the end of a run. No remainder is taken inside a run.
#include "codec/checksum.h"

#include <array>

namespace martlet::codec {

namespace {

constexpr uint32_t kPolynomial = 0xEDB88320;  // the bits of RFC 1952's, reversed

constexpr size_t kCrcStep = 16;

using CrcTables = std::array<std::array<uint32_t, 256>, kCrcStep>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; bit++) remainder = remainder >> 1 ^ (remainder & 1 ? kPolynomial : 0);
    tables[0][byte] = remainder;
  }
  for (size_t k = 1; k < kCrcStep; k++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 255];
    }
  }
  return tables;
}

constexpr CrcTables kCrc = make_crc_tables();

// What these eight bytes do when `more` bytes follow them.
inline uint32_t crc_of_eight(uint64_t word, size_t more) {
  const auto entry = [=](size_t n) { return kCrc[more + 7 - n][static_cast<uint8_t>(word >> (8 * n))]; };
  return entry(0) ^ entry(1) ^ entry(2) ^ entry(3) ^ entry(4) ^ entry(5) ^ entry(6) ^ entry(7);
}

constexpr uint32_t kAdlerBase = 65521;  // the largest prime below 65536
constexpr size_t kLanes = 32;
// Rows of a run: the sums of a lane stay below 2^32 (255 * 128 * 129 / 2), and so do those of the bytes by weight.
constexpr size_t kRows = 128;

struct AdlerSums {
  uint32_t a, b;
};

// Takes `rows` rows of kLanes bytes. b grows by a for each byte; the byte in row r and column c counts in it
// (rows - r) * kLanes - c times.
inline AdlerSums add_rows(AdlerSums sums, const uint8_t* p, size_t rows) {
  uint32_t columns[kLanes] = {};
  uint32_t by_row[kLanes] = {};  // byte (r, c) counts rows - r times
  for (size_t r = 0; r < rows; r++, p += kLanes) {
    for (size_t c = 0; c < kLanes; c++) {
      columns[c] += p[c];
      by_row[c] += columns[c];
    }
  }
  uint64_t a = sums.a;
  uint64_t b = sums.b + uint64_t{sums.a} * (rows * kLanes);
  for (size_t c = 0; c < kLanes; c++) {
    a += columns[c];
    b += uint64_t{by_row[c]} * kLanes - uint64_t{columns[c]} * c;
  }
  return {static_cast<uint32_t>(a % kAdlerBase), static_cast<uint32_t>(b % kAdlerBase)};
}

}  // namespace

uint32_t crc32(uint32_t crc, base::ByteSpan bytes) noexcept {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  crc = ~crc;
  for (; left >= kCrcStep; p += kCrcStep, left -= kCrcStep) {
    const uint32_t second = crc_of_eight(base::load_le64(p + 8), 0);
    crc = crc_of_eight(base::load_le64(p) ^ crc, 8) ^ second;
  }
  for (; left > 0; left--) crc = crc >> 8 ^ kCrc[0][(crc ^ *p++) & 255];
  return ~crc;
}

uint32_t adler32(uint32_t adler, base::ByteSpan bytes) noexcept {
  AdlerSums sums{adler & 0xFFFF, adler >> 16};
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  while (left >= kLanes) {
    const size_t rows = left / kLanes < kRows ? left / kLanes : kRows;
    sums = add_rows(sums, p, rows);
    p += rows * kLanes;
    left -= rows * kLanes;
  }
  for (; left > 0; left--) {
    sums.a += *p++;
    sums.b += sums.a;
  }
  return sums.b % kAdlerBase << 16 | sums.a % kAdlerBase;
}

}  // namespace martlet::codec
