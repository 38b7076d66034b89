// SHA-256 against the vectors of FIPS 180-4 and NIST's examples, and against itself cut into pieces.
#include "codec/sha256.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::codec::Sha256;
using martlet::codec::sha256;
using martlet::codec::Sha256Digest;

namespace {

std::string hex(const Sha256Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("sha256: the vectors of FIPS 180-4") {
  CHECK(hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256(as_bytes("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256(as_bytes("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                            "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"))) ==
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

TEST_CASE("sha256: known digests of lengths around the padding") {
  // From coreutils' sha256sum over runs of 'a'.
  constexpr struct {
    size_t length;
    const char* digest;
  } kKnown[] = {
      {1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
      {55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
      {56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
      {57, "f13b2d724659eb3bf47f2dd6af1accc87b81f09f59f2b75e5c0bed6589dfe8c6"},
      {63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
      {64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
      {65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
      {119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
      {120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
      {128, "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e"},
      {1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"},
      {100000, "6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee"},
      {1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& known : kKnown) {
    CAPTURE(known.length);
    CHECK(hex(sha256(as_bytes(std::string(known.length, 'a')))) == known.digest);
  }
}

TEST_CASE("sha256: one byte per update, and two pieces, equal all at once") {
  for (size_t length = 0; length <= 200; length++) {
    std::string text(length, 0);
    for (size_t i = 0; i < length; i++) text[i] = static_cast<char>(i * 7 + length);
    const martlet::test::Guarded guarded(text);
    const Sha256Digest whole = sha256(guarded.span());
    Sha256 bytewise;
    for (size_t i = 0; i < length; i++) bytewise.update(guarded.span().subspan(i, 1));
    CHECK(bytewise.finish() == whole);
    Sha256 pieces;
    pieces.update(guarded.span().first(length / 3));
    pieces.update({});
    pieces.update(guarded.span().subspan(length / 3));
    CHECK(pieces.finish() == whole);
  }
}

TEST_CASE("sha256: cut at every place equals all at once") {
  std::string text(260, 0);
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<char>(i * 11 + 5);
  const martlet::test::Guarded guarded(text);
  for (size_t length : {0u, 1u, 63u, 64u, 65u, 127u, 128u, 129u, 191u, 192u, 200u, 260u}) {
    const Sha256Digest whole = sha256(guarded.span().last(length));
    for (size_t cut = 0; cut <= length; cut++) {
      Sha256 pieces;
      pieces.update(guarded.span().last(length).first(cut));
      pieces.update(guarded.span().last(length).subspan(cut));
      REQUIRE(pieces.finish() == whole);
    }
  }
}

TEST_CASE("sha256: hashing goes on from the state after whole blocks") {
  const std::string text(300, 'x');
  const Sha256Digest whole = sha256(as_bytes(text));
  for (size_t blocks = 0; blocks <= 4; blocks++) {
    Sha256 before;
    before.update(as_bytes(text).first(blocks * Sha256::kBlockBytes));
    Sha256 after(before.state(), blocks);
    after.update(as_bytes(text).subspan(blocks * Sha256::kBlockBytes));
    CHECK(after.finish() == whole);
  }
}
