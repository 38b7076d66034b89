// SHA-1 against the vectors of FIPS 180-4 and NIST's examples, and against itself cut into pieces.
#include "codec/sha1.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "codec/base64.h"
#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::codec::Sha1;
using martlet::codec::sha1;
using martlet::codec::Sha1Digest;

namespace {

std::string hex(const Sha1Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("sha1: the vectors of FIPS 180-4") {
  CHECK(hex(sha1({})) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex(sha1(as_bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex(sha1(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(hex(sha1(as_bytes("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                          "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"))) ==
        "a49b2446a02c645bf419f995b67091253a04a259");
  CHECK(hex(sha1(as_bytes(std::string(1000000, 'a')))) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_CASE("sha1: the accept key of RFC 6455 section 1.3") {
  const Sha1Digest digest = sha1(as_bytes("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
  CHECK(hex(digest) == "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
  char text[28];
  CHECK(martlet::codec::encode_base64(digest, text) == sizeof text);
  CHECK(std::string_view(text, sizeof text) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("sha1: lengths around the padding, one byte per update equals all at once") {
  for (size_t length = 0; length <= 200; length++) {
    std::string text(length, 0);
    for (size_t i = 0; i < length; i++) text[i] = static_cast<char>(i * 7 + length);
    const martlet::test::Guarded guarded(text);
    const Sha1Digest whole = sha1(guarded.span());
    Sha1 bytewise;
    for (size_t i = 0; i < length; i++) bytewise.update(guarded.span().subspan(i, 1));
    CHECK(bytewise.finish() == whole);
    Sha1 halves;
    halves.update(guarded.span().first(length / 3));
    halves.update({});
    halves.update(guarded.span().subspan(length / 3));
    CHECK(halves.finish() == whole);
  }
}

TEST_CASE("sha1: known digests of 55, 56, 63, 64 and 65 bytes") {
  // From coreutils' sha1sum over runs of 'a'.
  CHECK(hex(sha1(as_bytes(std::string(55, 'a')))) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
  CHECK(hex(sha1(as_bytes(std::string(56, 'a')))) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
  CHECK(hex(sha1(as_bytes(std::string(63, 'a')))) == "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
  CHECK(hex(sha1(as_bytes(std::string(64, 'a')))) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
  CHECK(hex(sha1(as_bytes(std::string(65, 'a')))) == "11655326c708d70319be2610e8a57d9a5b959d3b");
}
