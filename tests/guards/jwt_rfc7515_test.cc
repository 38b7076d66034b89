// RFC 7515 (JSON Web Signature), section by section as far as tokens have to do with it, and the examples of its appendix.
#include <martlet/jwt.h>

#include <doctest/doctest.h>

#include <string>

#include "guards/tokens.h"

using namespace martlet;
using namespace martlet::test;
using Why = jwt::Error;

namespace {

const std::string kClaims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr int64_t kThen = 1300819379;  // a second before its exp

const std::string kA1Secret = from_url64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
const std::string kA1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kClaims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const std::string kA2Key = R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT)"
                           R"(-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg66)"
                           R"(5xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
const std::string kA2 = "eyJhbGciOiJSUzI1NiJ9." + kClaims +
                        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAy"
                        "nRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvW"
                        "h6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

const std::string kA3Key = R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
const std::string kA3 = "eyJhbGciOiJFUzI1NiJ9." + kClaims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

void check_example(const jwt::Key& key, const std::string& token) {
  const jwt::Verifier checks(key);
  const auto claims = checks.verify(token, at(kThen));
  REQUIRE(claims);
  CHECK((*claims)["iss"].text_or("") == "joe");
  CHECK((*claims)["http://example.com/is_root"].bool_or(false));
  CHECK(checks.verify(token, at(kThen + 1)).error() == Why::expired);
  std::string changed = token;
  changed[changed.size() - 40] = changed[changed.size() - 40] == 'A' ? 'B' : 'A';
  CHECK(checks.verify(changed, at(kThen)).error() == Why::bad_signature);
  changed = token;
  changed[changed.find('.') + 5] ^= 1;
  CHECK(checks.verify(changed, at(kThen)).error() == Why::bad_signature);
}

}  // namespace

TEST_CASE("jwt, RFC 7515 §2: base64url has no padding, no other letters, and no bits left over") {
  const std::string header = url64(R"({"alg":"HS256"})");
  // {"a":1} is eyJhIjoxfQ: four bits are left over, which must be zero.
  CHECK(judge(signed_parts(header, "eyJhIjoxfQ")) == Why::none);
  for (const char* other : {"eyJhIjoxfR", "eyJhIjoxff", "eyJhIjoxfQ=", "eyJhIjoxfQ==", "eyJhIjoxf", "eyJhIj oxfQ", "eyJhIjoxfQ\n", "eyJhIjoxfQ%3D"}) {
    CAPTURE(std::string(other));
    CHECK(judge(signed_parts(header, other)) == Why::malformed);
  }
  // Each other last letter of a signature is refused, although the bytes would be the same.
  const std::string token = signed_parts(header, "eyJhIjoxfQ");
  for (const char c : std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")) {
    std::string other = token;
    other.back() = c;
    CHECK((judge(other) == Why::none) == (c == token.back()));
  }
  // 'P' has the bits of >>>? with + and / in the other alphabet.
  CHECK(judge(signed_parts(header, "eyJhIjoiPj4-In0")) == Why::none);
  CHECK(judge(signed_parts(header, "eyJhIjoiPj4+In0")) == Why::malformed);
}

TEST_CASE("jwt, RFC 7515 §3.1: the compact form, as bytes of ASCII and nothing around them") {
  const std::string token = claiming("{}");
  CHECK(judge(token) == Why::none);
  for (const std::string& other : {" " + token, token + " ", token + "\n", "\"" + token + "\"", token + '\0', "Bearer " + token, "\xEF\xBB\xBF" + token}) {
    CHECK(judge(other) == Why::malformed);
  }
}

TEST_CASE("jwt, RFC 7515 §4: a name that comes twice in the header is refused, whatever its value") {
  CHECK(judge_header(R"({"alg":"HS256","alg":"HS256"})") == Why::malformed);
  CHECK(judge_header(R"({"alg":"none","alg":"HS256"})") == Why::malformed);
  CHECK(judge_header(R"({"alg":"HS256","kid":"a","kid":"a"})") == Why::malformed);
  CHECK(judge_header(R"({"alg":"HS256","x":1,"x":2})") == Why::malformed);
  CHECK(judge_header(R"({"alg":"HS256","x":1,"\u0078":2})") == Why::malformed);
  CHECK(judge_header(R"({"alg":"HS256","x":1,"":2,"xx":3,"X":4})") == Why::none);
  CHECK(judge_header(R"({"alg":"HS256","":1,"":2})") == Why::malformed);
}

TEST_CASE("jwt, RFC 7515 §4.1.1: alg must be there, and a text") {
  for (const char* header : {"{}", R"({"typ":"JWT"})", R"({"alg":null})", R"({"alg":5})", R"({"alg":["HS256"]})", R"({"alg":{"HS256":1}})"}) {
    CAPTURE(std::string(header));
    CHECK(judge_header(header) == Why::malformed);
  }
  CHECK(judge_header(R"({"alg":"HS256 "})") == Why::wrong_algorithm);
  CHECK(judge_header(R"({"alg":")" + std::string(1000, 'H') + "\"}") == Why::wrong_algorithm);
}

TEST_CASE("jwt, RFC 7515 §4.1.2 to §4.1.8: keys and certificates that the token brings along mean nothing") {
  const std::string key = from_url64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const std::string own = R"("jwk":{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
  for (const std::string& more : {own, std::string(R"("jku":"https://evil.example/keys")"), std::string(R"("x5u":"https://evil.example/cert")"),
                                  std::string(R"("x5c":["MIIB"])"), std::string(R"("x5t":"AA","x5t#S256":"BB")")}) {
    CHECK(judge(token_of("{\"alg\":\"HS256\"," + more + "}", "{}", key)) == Why::bad_signature);
    CHECK(judge(token_of("{\"alg\":\"HS256\"," + more + "}", "{}")) == Why::none);
  }
}

TEST_CASE("jwt, RFC 7515 §4.1.4: kid says which key, and is a text") {
  const std::string other(32, 'o');
  const auto id = [](const char* text) { return jwt::SecretOptions{.id = text}; };
  const jwt::Verifier two({*jwt::Key::secret(kSecret, id("new")), *jwt::Key::secret(other, id("old"))});
  const auto judged = [&](const jwt::Verifier& checks, const std::string& member, const std::string& secret) {
    return checks.verify(token_of("{\"alg\":\"HS256\"" + member + "}", "{}", secret), at(kNow)).error();
  };
  CHECK(judged(two, R"(,"kid":"new")", kSecret) == Why::none);
  CHECK(judged(two, R"(,"kid":"old")", other) == Why::none);
  CHECK(judged(two, R"(,"kid":"old")", kSecret) == Why::bad_signature);
  CHECK(judged(two, R"(,"kid":"New")", kSecret) == Why::unknown_key);
  CHECK(judged(two, R"(,"kid":"")", kSecret) == Why::unknown_key);
  CHECK(judged(two, ",\"kid\":\"" + std::string(300, 'n') + "\"", kSecret) == Why::unknown_key);
  CHECK(judged(two, R"(,"kid":5)", kSecret) == Why::malformed);
  CHECK(judged(two, R"(,"kid":null)", kSecret) == Why::malformed);
  // Without one, each is tried.
  CHECK(judged(two, "", kSecret) == Why::none);
  CHECK(judged(two, "", other) == Why::none);
  CHECK(judged(two, "", std::string(32, 'x')) == Why::bad_signature);
  // A key without a name is tried whatever the token says.
  CHECK(judged(verifier(), R"(,"kid":"../../etc/passwd")", kSecret) == Why::none);
  CHECK(judged(verifier(), ",\"kid\":\"" + std::string(300, 'n') + "\"", kSecret) == Why::none);
}

TEST_CASE("jwt, RFC 7515 §4.1.11: crit is refused, as no extension is known, well formed or not") {
  for (const char* crit : {R"(["b64"])", R"(["exp"])", "[]", "null", R"("exp")", R"(["alg"])", R"(["http://example.invalid/UNDEFINED"])", "{}"}) {
    CAPTURE(std::string(crit));
    CHECK(judge_header(R"({"alg":"HS256","b64":true,"http://example.invalid/UNDEFINED":true,"crit":)" + std::string(crit) + "}") == Why::critical);
  }
  CHECK(judge_header(R"({"alg":"HS256","Crit":["b64"]})") == Why::none);
}

TEST_CASE("jwt, RFC 7515 §5.2: what the header has beside, in any form, does no harm") {
  CHECK(judge_header(R"({"alg":"HS256","x":{"alg":"none","alg":"none"},"y":[[[]]],"z":1e400})") == Why::malformed);  // no number
  CHECK(judge_header(R"({"alg":"HS256","x":{"alg":"none"},"y":[[[]]],"z":1e40,"crib":["x"]})") == Why::none);
  CHECK(judge_header("\r\n {\"alg\" :\t\"HS256\" } \n") == Why::none);
}

TEST_CASE("jwt, RFC 7515 §7.2: the forms in JSON are no tokens") {
  const std::string token = claiming("{}");
  const size_t first = token.find('.'), second = token.rfind('.');
  const std::string flattened = R"({"protected":")" + token.substr(0, first) + R"(","payload":")" + token.substr(first + 1, second - first - 1) +
                                R"(","signature":")" + token.substr(second + 1) + "\"}";
  CHECK(judge(flattened) == Why::malformed);
}

TEST_CASE("jwt, RFC 7515 A.1: HS256") {
  check_example(*jwt::Key::secret(kA1Secret), kA1);
  CHECK(jwt::verify(kA1, kA1Secret).error() == Why::expired);
  CHECK(jwt::Verifier(*jwt::Key::secret(kA1Secret)).verify("eyJhbGciOiJIUzI1NiJ9." + kClaims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", at(kThen)).error() ==
        Why::bad_signature);
}

TEST_CASE("jwt, RFC 7515 A.2: RS256") { check_example(*jwt::Key::jwk(kA2Key), kA2); }

TEST_CASE("jwt, RFC 7515 A.3: ES256") { check_example(*jwt::Key::jwk(kA3Key), kA3); }

TEST_CASE("jwt, RFC 7515 A.2 and A.3: both keys at once") {
  const jwt::Verifier both({*jwt::Key::jwk(kA2Key), *jwt::Key::jwk(kA3Key)});
  CHECK(both.verify(kA2, at(kThen)));
  CHECK(both.verify(kA3, at(kThen)));
  CHECK(both.verify(kA1, at(kThen)).error() == Why::wrong_algorithm);
  CHECK(jwt::verify(kA2, *jwt::Key::jwk(kA2Key)).error() == Why::expired);
}

TEST_CASE("jwt, RFC 7515 A.4 and A.5: ES512 and none are refused") {
  const jwt::Verifier both({*jwt::Key::jwk(kA2Key), *jwt::Key::jwk(kA3Key), *jwt::Key::secret(kA1Secret)});
  CHECK(both.verify("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn", at(kThen)).error() ==
        Why::wrong_algorithm);
  CHECK(both.verify("eyJhbGciOiJub25lIn0." + kClaims + ".", at(kThen)).error() == Why::wrong_algorithm);
}

TEST_CASE("jwt, RFC 7515 E: the negative test case for crit") {
  CHECK(judge("eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.") ==
        Why::critical);
}
