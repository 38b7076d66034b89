// HMAC with SHA-256, SHA-384 and SHA-512 against the vectors of RFC 4231 §4 and keys around the size of a block.
#include "codec/hmac.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::codec::hmac_key;
using martlet::codec::hmac_key_of;
using martlet::codec::hmac_of;
using martlet::codec::hmac_sha256;
using martlet::codec::HmacSha256;
using martlet::codec::Sha256Digest;
using martlet::codec::Sha384;
using martlet::codec::Sha512;
using martlet::test::Guarded;

namespace {

template <typename Hash>
std::string mac_of(const std::string& key, const std::string& message) {
  const Guarded guarded_key(key);
  const Guarded guarded_message(message);
  std::string text;
  for (const uint8_t byte : hmac_of<Hash>(hmac_key_of<Hash>(guarded_key.span()), guarded_message.span())) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string mac(const std::string& key, const std::string& message) { return mac_of<martlet::codec::Sha256>(key, message); }

std::string counted(size_t size) {
  std::string text;
  for (size_t i = 1; i <= size; i++) text += static_cast<char>(i);
  return text;
}

const std::string kLargerThanBlock =
    "This is a test using a larger than block-size key and a larger than block-size data. "
    "The key needs to be hashed before being used by the HMAC algorithm.";

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

TEST_CASE("hmac: the vectors of RFC 4231, SHA-384") {
  CHECK(mac_of<Sha384>(std::string(20, '\x0b'), "Hi There") ==
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6");
  CHECK(mac_of<Sha384>("Jefe", "what do ya want for nothing?") ==
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
  CHECK(mac_of<Sha384>(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27");
  CHECK(mac_of<Sha384>(counted(25), std::string(50, '\xcd')) ==
        "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb");
  CHECK(mac_of<Sha384>(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32) == "3abf34c3503b2a23a46efc619baef897");
  CHECK(mac_of<Sha384>(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952");
  CHECK(mac_of<Sha384>(std::string(131, '\xaa'), kLargerThanBlock) ==
        "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e");
}

TEST_CASE("hmac: the vectors of RFC 4231, SHA-512") {
  CHECK(mac_of<Sha512>(std::string(20, '\x0b'), "Hi There") ==
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
  CHECK(mac_of<Sha512>("Jefe", "what do ya want for nothing?") ==
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
  CHECK(mac_of<Sha512>(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb");
  CHECK(mac_of<Sha512>(counted(25), std::string(50, '\xcd')) ==
        "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd");
  CHECK(mac_of<Sha512>(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32) == "415fad6271580a531d4179bc891d87a6");
  CHECK(mac_of<Sha512>(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
  CHECK(mac_of<Sha512>(std::string(131, '\xaa'), kLargerThanBlock) ==
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58");
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

TEST_CASE("hmac: keys around the size of a block, SHA-384") {
  // From Python's hmac module.
  CHECK(mac_of<Sha384>(std::string(0, 'k'), "message") ==
        "a1302a8028a419bb834bfae53c5e98ab48e07aed9ef8b980a821df28685902003746ade315072edd8ce009a1d23705ec");
  CHECK(mac_of<Sha384>(std::string(1, 'k'), "message") ==
        "8ac1d5d65b1d31d600f26f69bd9a9fdb22795ccc1f100f269bfb76c6507e23288af0c52f6665184c0ef5e0408639f124");
  CHECK(mac_of<Sha384>(std::string(127, 'k'), "message") ==
        "0ebbc0e6ebdaf1436fda424d7795f55756075f4e18564ee23c8dd0502689d7677f6cf7d61bd73cd8c6e1b33eaa3b0909");
  CHECK(mac_of<Sha384>(std::string(128, 'k'), "message") ==
        "c0070c9d542588f7ed36da514a4c6f44f3abc151f206f71af3e5636f07376486543044e8b8047bbec2897ea96ba48fe2");
  CHECK(mac_of<Sha384>(std::string(129, 'k'), "message") ==
        "8ee3383d12b7783da835741fe2c87d74c3df46b85c841d19215dc5623d1b30e7fd59a2366574aae3519aeeda2921f023");
  CHECK(mac_of<Sha384>(std::string(300, 'k'), "message") ==
        "33f1ee99300ddafc02321360f5117ae5d9f581064591a846f3731af3677a919d1f24d2f2a30da68c2235e56e07706b48");
}

TEST_CASE("hmac: keys around the size of a block, SHA-512") {
  // From Python's hmac module.
  CHECK(mac_of<Sha512>(std::string(0, 'k'), "message") ==
        "08fce52f6395d59c2a3fb8abb281d74ad6f112b9a9c787bcea290d94dadbc82b2ca3e5e12bf2277c7fedbb0154d5493e41bb7459f63c8e39554ea3651b812492");
  CHECK(mac_of<Sha512>(std::string(1, 'k'), "message") ==
        "64906709a2715107346e6c90d94d00e77d240f50adffb0d08cb204f010a80211af7947ccfd3ed9df99310e464cc6201a8fc03e0f00ecd761e4e9f82ae6fcd13d");
  CHECK(mac_of<Sha512>(std::string(127, 'k'), "message") ==
        "20c981404194ef93f3fa73cbee676c971a7a45272f4990b56eab3c3f55f4d0cb207bd6fca33cb10756eec1b1a54ab1b6ed8ecdddae00440f617d56d95f15ff3a");
  CHECK(mac_of<Sha512>(std::string(128, 'k'), "message") ==
        "805f06d4d6d9c923f1a7efd79ca62a1478d7c4e894197141c86ff559583f500e6c2c704f9dd8c308a9e28e35537b5a8991d8ae7decbd1d3da1807a1c7c45ea55");
  CHECK(mac_of<Sha512>(std::string(129, 'k'), "message") ==
        "45fbc89230c41637233ee17b490378762bbbf97f33ca184570a79d3bd33ec952313f97605c20aa4b2ca01760fe03f3f454cd03db86acb45ec652fb97c66a4878");
  CHECK(mac_of<Sha512>(std::string(300, 'k'), "message") ==
        "01c5c4689ac6c49529b6ede22bce0acd320c0b3977529a1db1518ad7644baf96fb83c076076ffddf001067f2d1005916d8a7dc6c084a21e33c624a7817029daa");
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
