// CRC-32 eight bytes at a time by eight tables (8 KiB, made at compile time): table k holds what a byte does to the
// remainder when k more bytes follow it, so that the eight look-ups of a step do not wait for each other.
//
// Adler-32 in lanes, which the compiler makes vectors of: rows of 32 bytes are summed by column, and each byte's weight
// is put together from its row and its column at the end of a run. No remainder is taken inside a run.
#include "codec/checksum.h"

#include <array>

namespace martlet::codec {

namespace {

constexpr uint32_t kPolynomial = 0xEDB88320;  // the bits of RFC 1952's, reversed

using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; bit++) remainder = remainder >> 1 ^ (remainder & 1 ? kPolynomial : 0);
    tables[0][byte] = remainder;
  }
  for (size_t k = 1; k < 8; k++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 255];
    }
  }
  return tables;
}

constexpr CrcTables kCrc = make_crc_tables();

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
  for (; left >= 8; p += 8, left -= 8) {
    const uint64_t word = base::load_le64(p) ^ crc;
    const auto byte = [word](int n) { return static_cast<uint8_t>(word >> (8 * n)); };
    crc = kCrc[7][byte(0)] ^ kCrc[6][byte(1)] ^ kCrc[5][byte(2)] ^ kCrc[4][byte(3)] ^  //
          kCrc[3][byte(4)] ^ kCrc[2][byte(5)] ^ kCrc[1][byte(6)] ^ kCrc[0][byte(7)];
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
