// HMAC-SHA-256 against the vectors of RFC 4231 §4, keys around the size of a block, and the comparison in constant time.
#include "codec/hmac.h"

#include <doctest/doctest.h>

#include <string>

#include "base/constant_time.h"
#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::base::equal_in_constant_time;
using martlet::codec::hmac_key;
using martlet::codec::hmac_sha256;
using martlet::codec::HmacSha256;
using martlet::codec::Sha256Digest;
using martlet::test::Guarded;

namespace {

std::string mac(const std::string& key, const std::string& message) {
  const Guarded guarded_key(key);
  const Guarded guarded_message(message);
  std::string text;
  for (const uint8_t byte : hmac_sha256(hmac_key(guarded_key.span()), guarded_message.span())) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string counted(size_t size) {
  std::string text;
  for (size_t i = 1; i <= size; i++) text += static_cast<char>(i);
  return text;
}

}  // namespace

TEST_CASE("hmac: the vectors of RFC 4231") {
  CHECK(mac(std::string(20, '\x0b'), "Hi There") == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(mac("Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(mac(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  CHECK(mac(counted(25), std::string(50, '\xcd')) == "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK(mac(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32) == "a3b6167473100ee06e0c796c2955552b");
  CHECK(mac(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(mac(std::string(131, '\xaa'), "This is a test using a larger than block-size key and a larger than block-size "
                                      "data. The key needs to be hashed before being used by the HMAC algorithm.") ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("hmac: keys around the size of a block, and none") {
  // From Python's hmac module.
  CHECK(mac(std::string(0, 'k'), "message") == "eb08c1f56d5ddee07f7bdf80468083da06b64cf4fac64fe3a90883df5feacae4");
  CHECK(mac(std::string(1, 'k'), "message") == "9831a5afefa770d5fe6c985f6c343796ca3d27651d69e24864f1f9948debfacf");
  CHECK(mac(std::string(32, 'k'), "message") == "63a375b8a62b7025b0b00fb07b716b44a608692b5ff609e31bdc7e2219548646");
  CHECK(mac(std::string(63, 'k'), "message") == "e27efa30bcbfbc25b4d936ffd8553392f398eb2edada1dac2423a961af0c305b");
  CHECK(mac(std::string(64, 'k'), "message") == "890f3a16e0ca0aaa3bf180f70fa8e3970b3fd6505e98fde157988dcc19d1685c");
  CHECK(mac(std::string(65, 'k'), "message") == "0c256505306af48015530c139bb7add5ad7a6a9291cd511278a067e765816fbd");
  CHECK(mac(std::string(128, 'k'), "message") == "a1c1f063bb735c543c0ae6f7337601029f26e4622c4bc0da64151605b384301e");
}

TEST_CASE("hmac: in pieces, and with one key for many messages") {
  const auto key = hmac_key(as_bytes("a key"));
  const std::string text = counted(150);
  const Sha256Digest whole = hmac_sha256(key, as_bytes(text));
  for (size_t cut = 0; cut <= text.size(); cut++) {
    HmacSha256 pieces(key);
    pieces.update(as_bytes(text).first(cut));
    pieces.update(as_bytes(text).subspan(cut));
    CHECK(pieces.finish() == whole);
  }
}

TEST_CASE("constant_time: equal means every byte and the length") {
  CHECK(equal_in_constant_time("", ""));
  CHECK_FALSE(equal_in_constant_time("", "a"));
  CHECK_FALSE(equal_in_constant_time(std::string_view("a\0", 2), "a"));
  for (size_t size = 1; size <= 40; size++) {
    const Guarded one(counted(size));
    Guarded other(counted(size));
    CHECK(equal_in_constant_time(one.span(), other.span()));
    CHECK_FALSE(equal_in_constant_time(one.span(), other.span().first(size - 1)));
    for (size_t bit = 0; bit < size * 8; bit++) {
      other.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      REQUIRE_FALSE(equal_in_constant_time(one.span(), other.span()));
      other.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
  }
}
