// The Basic scheme's credentials, strictly.
#include "guards/basic_credentials.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "codec/base64.h"

using namespace martlet;
using guards::BasicCredentials;
using State = guards::BasicCredentials::State;

namespace {

std::string encoded(std::string_view text) {
  std::string letters(codec::base64_encoded_size(text.size()), '\0');
  letters.resize(codec::encode_base64(base::as_bytes(text), letters.data()));
  return letters;
}

struct Parsed {
  explicit Parsed(const std::string& field) {
    uint8_t room[guards::kBasicRoom];
    const BasicCredentials credentials = guards::parse_basic(field, room);
    state = credentials.state;
    if (state != State::good) return;
    name = credentials.name;
    password = credentials.password;
  }
  State state;
  std::string name, password;
};

}  // namespace

TEST_CASE("basic credentials: the examples of RFC 7617, and the scheme in any case") {
  const Parsed aladdin("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(aladdin.state == State::good);
  CHECK(aladdin.name == "Aladdin");
  CHECK(aladdin.password == "open sesame");
  const Parsed pound("bAsIc   dGVzdDoxMjPCow==");
  CHECK(pound.state == State::good);
  CHECK(pound.name == "test");
  CHECK(pound.password == "123\xC2\xA3");
}

TEST_CASE("basic credentials: the first colon ends the name; both may be empty") {
  CHECK(Parsed("Basic " + encoded("a:b:c")).password == "b:c");
  CHECK(Parsed("Basic " + encoded(":")).state == State::good);
  CHECK(Parsed("Basic " + encoded(":x")).password == "x");
  CHECK(Parsed("Basic " + encoded("a:")).name == "a");
  CHECK(Parsed("Basic " + encoded("no colon")).state == State::malformed);
}

TEST_CASE("basic credentials: what is not strictly base64, UTF-8 and text is none") {
  for (const char* field : {"Basic", "Basic ", "Basic =", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", "Basic QWxh ZGRpbg==",
                            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, x", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==", "Basic _-__", "Basic \tQTpi"}) {
    CAPTURE(field);
    CHECK(Parsed(field).state == State::malformed);
  }
  using namespace std::string_view_literals;
  for (const std::string_view text : {"a\0:b"sv, "a:b\n"sv, "a:\x7F"sv, "\x1F:b"sv, "a:\xFF"sv, "\xC3:b"sv, "a:\xED\xA0\x80"sv}) {
    CHECK(Parsed("Basic " + encoded(text)).state == State::malformed);
  }
}

TEST_CASE("basic credentials: other schemes are none of its business") {
  for (const char* field : {"", "Bearer QTpi", "Basics QTpi", "Basi", "Basic,QTpi", "Digest username=\"a\""}) {
    CAPTURE(field);
    CHECK(Parsed(field).state == State::other_scheme);
  }
}

TEST_CASE("basic credentials: of 1,024 letters and no more") {
  const std::string fits = encoded(std::string(400, 'n') + ":" + std::string(367, 'p'));
  REQUIRE(fits.size() == guards::kMostBasicLetters);
  CHECK(Parsed("Basic " + fits).password.size() == 367);
  CHECK(Parsed("Basic " + fits + "QUFB").state == State::malformed);
  CHECK(Parsed("Basic " + std::string(1 << 20, 'Q')).state == State::malformed);
}
