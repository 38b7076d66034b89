// Signed cookies: written, believed, and not believed.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "proto/cookie_signature.h"
#include "support/guarded.h"

namespace martlet {

namespace {

using namespace std::chrono_literals;
using proto::CookieError;

constexpr std::string_view kNew = "a secret of 24 bytes ...";
constexpr std::string_view kOld = "another one, older than that, and longer than a block of SHA-256 is, which is 64";

CookieKeys keys_of(std::initializer_list<std::string_view> secrets) {
  const auto keys = CookieKeys::of(secrets);
  REQUIRE(keys);
  return *keys;
}

proto::SetCookie encode(std::string_view name, std::string_view value, const CookieKeys& keys, const CookieOptions& options,
                        std::array<char, proto::kSetCookieBytes>& room) {
  return proto::encode_signed_cookie(name, value, keys, options, room);
}

std::string signed_field(std::string_view name, std::string_view value, const CookieKeys& keys,
                         const CookieOptions& options = {}) {
  std::array<char, proto::kSetCookieBytes> room;
  const proto::SetCookie cookie = encode(name, value, keys, options, room);
  return cookie.error == CookieError::none ? std::string(cookie.text) : proto::describe(cookie.error);
}

// "name=value.signature" as a browser sends it back.
std::string sent_back(std::string_view name, std::string_view value, const CookieKeys& keys) {
  const std::string field = signed_field(name, value, keys);
  return field.substr(0, field.find(';'));
}

// The value and the number of the key: "ann 0".
std::string verified(std::string_view name, std::string_view value, const CookieKeys& keys) {
  const test::Guarded guarded(value);
  const auto found = proto::verify_signed_cookie(name, base::as_text(guarded.span()), keys);
  return found ? std::string(found->value) + " " + std::to_string(found->key) : "(none)";
}

}  // namespace

TEST_CASE("cookie_signature: what is signed is name=value, with the first key") {
  // From Python: base64.urlsafe_b64encode(hmac.digest(secret, b"user=ann", "sha256")), without '='.
  CHECK(signed_field("user", "ann", keys_of({kNew, kOld})) == "user=ann.CrJriJ43NZnfmoh7WYQG-bn-VgnkYTotUuR7qXQQ_Nw; Path=/");
  CHECK(signed_field("user", "ann", keys_of({kOld, kNew})) == "user=ann.ZE7-CpULbUSCfk8VqKqX50rTmdFlV7WiT7QR1xdGZ7Q; Path=/");
  CHECK(signed_field("user", "", keys_of({kNew}), {.path = ""}) == "user=.3ywBgseqv3awwePCLVbJHyYVUw5WsNtdHMutX5Y7CNc");
  CHECK(signed_field("user", "\xC3\xBC", keys_of({kNew})) == "user=%C3%BC.NEfKlpKfjUh6ufbv2TC3UrFUMisy6iXRBqHwhYSJan0; Path=/");
}

TEST_CASE("cookie_signature: attributes stay behind the signature; what is signed is encoded") {
  const CookieKeys keys = keys_of({kNew});
  const std::string field = signed_field("a", "x y;", keys, {.max_age = 5s, .path = "/p", .secure = true});
  CHECK(field.starts_with("a=x%20y%3B."));
  CHECK(field.ends_with("; Max-Age=5; Path=/p; Secure"));
  const std::string bare = signed_field("a", "x y;", keys, {.path = ""});
  CHECK(field == bare + "; Max-Age=5; Path=/p; Secure");
  CHECK(verified("a", bare.substr(2), keys) == "x%20y%3B 0");
  CHECK(signed_field("a", "x=\"y", keys, {.raw = true}) == "bytes that a value may not have");
  CHECK(signed_field("a", "\"x\"", keys, {.raw = true}) == "bytes that a value may not have");
  CHECK(signed_field("a", "x=/+", keys, {.raw = true}).starts_with("a=x=/+."));
  CHECK(signed_field("a b", "x", keys) == "the name is not a token");
  CHECK(signed_field("a", "x", CookieKeys()) == "no keys to sign it with");
}

TEST_CASE("cookie_signature: values of all kinds come back, by whichever key they were signed") {
  const CookieKeys old = keys_of({kOld});
  const CookieKeys both = keys_of({kNew, kOld});
  const CookieKeys only_new = keys_of({kNew});
  for (const std::string value : {"", "ann", ".", "a.b.c", "=", "a=b"}) {
    CAPTURE(value);
    const std::string by_old = sent_back("a", value, old).substr(2);
    const std::string by_new = sent_back("a", value, both).substr(2);
    const std::string text = by_old.substr(0, by_old.size() - 44);
    CHECK(verified("a", by_old, old) == text + " 0");
    CHECK(verified("a", by_old, both) == text + " 1");
    CHECK(verified("a", by_old, only_new) == "(none)");
    CHECK(verified("a", by_new, both) == text + " 0");
    CHECK(verified("a", by_new, only_new) == text + " 0");
    CHECK(verified("a", by_new, old) == "(none)");
    CHECK(verified("a", by_new, CookieKeys()) == "(none)");
  }
}

TEST_CASE("cookie_signature: nothing may be changed, cut off, added, or put under another name") {
  const CookieKeys keys = keys_of({kNew, kOld});
  const std::string good = sent_back("user", "ann", keys).substr(5);
  REQUIRE(verified("user", good, keys) == "ann 0");
  CHECK(verified("User", good, keys) == "(none)");
  CHECK(verified("use", good, keys) == "(none)");
  CHECK(verified("admin", good, keys) == "(none)");
  CHECK(verified("", good, keys) == "(none)");
  for (size_t i = 0; i < good.size(); i++) {
    CHECK(verified("user", good.substr(i + 1), keys) == "(none)");
    CHECK(verified("user", good.substr(0, i), keys) == "(none)");
    for (int bit = 0; bit < 8; bit++) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ 1 << bit);
      REQUIRE(verified("user", changed, keys) == "(none)");
    }
  }
  for (const std::string& other : {good + "=", good + "A", " " + good, "\"" + good + "\"", good + " ", "x" + good, good + "." + good,
                                   std::string(), std::string("."), std::string(44, '.'), "ann." + std::string(43, 'A'), std::string(16384, 'x')}) {
    CAPTURE(other);
    CHECK(verified("user", other, keys) == "(none)");
  }
}

TEST_CASE("cookie_signature: 4,096 bytes with the signature and no more") {
  const CookieKeys keys = keys_of({kNew});
  const size_t rest = 4096 - 44 - std::string("a=; Path=/").size();
  CHECK(signed_field("a", std::string(rest, 'v'), keys).size() == 4096);
  CHECK(signed_field("a", std::string(rest + 1, 'v'), keys) == "more than 4096 bytes");
  CHECK(signed_field("a", std::string(rest + 45, 'v'), keys) == "more than 4096 bytes");
  CHECK(verified("a", sent_back("a", std::string(rest, 'v'), keys).substr(2), keys) == std::string(rest, 'v').append(" 0"));
}

TEST_CASE("cookie_signature: which keys are keys") {
  const std::string least(CookieKeys::kLeastBytes, 'k');
  const auto error_of = [](const std::vector<std::string>& secrets) {
    const auto keys = CookieKeys::of(secrets);
    CHECK((!keys || keys->size() == secrets.size()));
    return std::string(keys.error().what());
  };
  CHECK(error_of({least}) == "");
  CHECK(error_of(std::vector<std::string>(8, least)) == "");
  CHECK(error_of(std::vector<std::string>(9, least)) == "signed cookies have 8 keys at most");
  CHECK(error_of({}) == "signed cookies need a key");
  CHECK(error_of({least.substr(1)}) == "a key for signed cookies has less than 16 bytes");
  CHECK(error_of({least, ""}) == "a key for signed cookies has less than 16 bytes");
  CHECK(CookieKeys::of({}).error().what() == "signed cookies need a key");
  CHECK(CookieKeys::of({"short", least}).error().what() == "a key for signed cookies has less than 16 bytes");
  CHECK(CookieKeys::of({least, kOld})->size() == 2);
  CHECK(CookieKeys().size() == 0);
  const std::vector<std::string> texts = {std::string(kNew), std::string(kOld)};
  CHECK(sent_back("a", "x", *CookieKeys::of(texts)) == sent_back("a", "x", keys_of({kNew, kOld})));
}

}  // namespace martlet
