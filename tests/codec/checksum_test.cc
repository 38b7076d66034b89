// CRC-32 and Adler-32 against their definitions, one byte at a time, and known values; cut into pieces.
#include "codec/checksum.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::base::ByteSpan;
using martlet::codec::adler32;
using martlet::codec::crc32;

namespace {

uint32_t plain_crc(ByteSpan bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

uint32_t plain_adler(ByteSpan bytes) {
  uint32_t a = 1, b = 0;
  for (const uint8_t byte : bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

}  // namespace

TEST_CASE("checksum: known values") {
  CHECK(crc32(0, {}) == 0);
  CHECK(crc32(0, as_bytes("123456789")) == 0xCBF43926);
  CHECK(crc32(0, as_bytes("The quick brown fox jumps over the lazy dog")) == 0x414FA339);
  CHECK(adler32(1, {}) == 1);
  CHECK(adler32(1, as_bytes("Wikipedia")) == 0x11E60398);
  CHECK(adler32(1, as_bytes("123456789")) == 0x091E01DE);
}

TEST_CASE("checksum: every length up to 300, against an unmapped page") {
  std::mt19937 random(1);
  for (size_t size = 0; size <= 300; size++) {
    CAPTURE(size);
    std::string text(size, 0);
    for (char& c : text) c = static_cast<char>(random());
    const martlet::test::Guarded guarded(text);
    CHECK(crc32(0, guarded.span()) == plain_crc(guarded.span()));
    CHECK(adler32(1, guarded.span()) == plain_adler(guarded.span()));
  }
}

TEST_CASE("checksum: the largest sums, and pieces of all sizes") {
  std::mt19937 random(2);
  for (const bool largest : {true, false}) {
    std::string text(300000, '\xff');
    if (!largest) {
      for (char& c : text) c = static_cast<char>(random());
    }
    const ByteSpan bytes = as_bytes(text);
    const uint32_t crc = plain_crc(bytes), adler = plain_adler(bytes);
    CHECK(crc32(0, bytes) == crc);
    CHECK(adler32(1, bytes) == adler);
    for (const size_t most : {5, 100, 5000, 70000}) {
      uint32_t crc_so_far = 0, adler_so_far = 1;
      for (size_t at = 0; at < bytes.size();) {
        const ByteSpan piece = bytes.subspan(at, std::min(bytes.size() - at, random() % most));
        crc_so_far = crc32(crc_so_far, piece);
        adler_so_far = adler32(adler_so_far, piece);
        at += piece.size();
      }
      CHECK(crc_so_far == crc);
      CHECK(adler_so_far == adler);
    }
  }
}
