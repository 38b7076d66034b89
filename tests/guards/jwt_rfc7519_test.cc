// RFC 7519 (JSON Web Token), section by section.
#include <martlet/jwt.h>

#include <doctest/doctest.h>

#include <string>

#include "guards/tokens.h"

using namespace martlet;
using namespace std::chrono_literals;
using namespace martlet::test;
using Why = jwt::Error;

namespace {
const std::string kUsual = R"({"alg":"HS256","typ":"JWT"})";
}

TEST_CASE("jwt, RFC 7519 §2: a NumericDate is a number, whole or not, of seconds") {
  CHECK(judge_claims(R"({"exp":1800000001})") == Why::none);
  CHECK(judge_claims(R"({"exp":1800000000.5})") == Why::none);
  CHECK(judge_claims(R"({"exp":1.800000001e9})") == Why::none);
  CHECK(judge_claims(R"({"exp":1799999999.5})") == Why::expired);
  CHECK(judge_claims(R"({"exp":1e300})") == Why::none);
  CHECK(judge_claims(R"({"exp":18446744073709551615})") == Why::none);
  CHECK(judge_claims(R"({"exp":-1})") == Why::expired);
  CHECK(judge_claims(R"({"nbf":-1e300})") == Why::none);
  for (const char* name : {"exp", "nbf", "iat"}) {
    for (const char* value : {R"("1800000001")", "true", "null", "[1800000001]", "{}", R"("2030-01-01T00:00:00Z")", R"("")"}) {
      CAPTURE(std::string(value));
      CHECK(judge_claims("{\"" + std::string(name) + "\":" + value + "}") == Why::malformed);
    }
  }
}

TEST_CASE("jwt, RFC 7519 §3: claims are a JSON object, nothing else") {
  CHECK(judge_claims("{}") == Why::none);
  CHECK(judge_claims(" { } ") == Why::none);
  for (const char* text : {"", "null", "[]", "7", R"("text")", "true", "{", "{}}", "{} {}", "{'sub':1}", "{\"sub\"}", "{\"sub\":1,}", "\xEF\xBB\xBF{}", "{\"sub\":\"\xFF\"}"}) {
    CAPTURE(std::string(text));
    CHECK(judge_claims(text) == Why::malformed);
  }
}

TEST_CASE("jwt, RFC 7519 §4: claims that come twice are refused; those that nobody knows are there") {
  CHECK(judge_claims(R"({"exp":1,"exp":1800000001})") == Why::malformed);
  CHECK(judge_claims(R"({"exp":1800000001,"exp":1})") == Why::malformed);
  CHECK(judge_claims(R"({"sub":"7","s\u0075b":"8"})") == Why::malformed);
  const auto claims = verifier().verify(claiming(R"({"http://example.com/is_root":true,"Exp":1})"), at(kNow));
  REQUIRE(claims);
  CHECK((*claims)["http://example.com/is_root"].bool_or(false));
}

TEST_CASE("jwt, RFC 7519 §4.1.1: iss") {
  const jwt::VerifyOptions joe{.issuer = "joe"};
  CHECK(judge_claims(R"({"iss":"joe"})") == Why::none);
  CHECK(judge_claims(R"({"iss":"joe"})", joe) == Why::none);
  CHECK(judge_claims(R"({"iss":"Joe"})", joe) == Why::wrong_issuer);
  CHECK(judge_claims(R"({"iss":"joe "})", joe) == Why::wrong_issuer);
  CHECK(judge_claims(R"({"iss":""})", joe) == Why::wrong_issuer);
  CHECK(judge_claims("{}", joe) == Why::wrong_issuer);
  CHECK(judge_claims(R"({"iss":["joe"]})", joe) == Why::malformed);
  CHECK(judge_claims(R"({"iss":7})") == Why::malformed);
  CHECK(judge_claims(R"({"iss":null})") == Why::malformed);
}

TEST_CASE("jwt, RFC 7519 §4.1.2: sub") {
  const jwt::VerifyOptions seven{.subject = "7"};
  CHECK(judge_claims(R"({"sub":"7"})", seven) == Why::none);
  CHECK(judge_claims(R"({"sub":"8"})", seven) == Why::wrong_subject);
  CHECK(judge_claims("{}", seven) == Why::wrong_subject);
  CHECK(judge_claims(R"({"sub":7})", seven) == Why::malformed);
  CHECK(judge_claims(R"({"sub":7})") == Why::malformed);
}

TEST_CASE("jwt, RFC 7519 §4.1.3: aud, one or several, must name us where it is said") {
  const jwt::VerifyOptions api{.audience = {"api", "https://api.example"}};
  CHECK(judge_claims(R"({"aud":"api"})", api) == Why::none);
  CHECK(judge_claims(R"({"aud":["web","https://api.example"]})", api) == Why::none);
  CHECK(judge_claims(R"({"aud":["api","api"]})", api) == Why::none);
  CHECK(judge_claims(R"({"aud":"web"})", api) == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":"API"})", api) == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":"api web"})", api) == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":["web"]})", api) == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":[]})", api) == Why::wrong_audience);
  CHECK(judge_claims("{}", api) == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":[["api"]]})", api) == Why::malformed);
  CHECK(judge_claims(R"({"aud":["api",7]})", api) == Why::malformed);
  CHECK(judge_claims(R"({"aud":{"api":1}})", api) == Why::malformed);
  CHECK(judge_claims(R"({"aud":7})") == Why::malformed);
  // Who has no name is not meant.
  CHECK(judge_claims(R"({"aud":"api"})") == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":[]})") == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":""})") == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":"api"})", {.any_audience = true}) == Why::none);
  CHECK(judge_claims(R"({"aud":"web"})", {.any_audience = true, .audience = {"api"}}) == Why::wrong_audience);
}

TEST_CASE("jwt, RFC 7519 §4.1.4: exp is over when it is reached, and some leeway after") {
  CHECK(judge_claims(R"({"exp":1799999999})") == Why::expired);
  CHECK(judge_claims(R"({"exp":1800000000})") == Why::expired);
  CHECK(judge_claims(R"({"exp":1800000001})") == Why::none);
  CHECK(judge_claims(R"({"exp":0})") == Why::expired);
  CHECK(judge_claims(R"({"exp":1799999970})", {.leeway = 30s}) == Why::expired);
  CHECK(judge_claims(R"({"exp":1799999971})", {.leeway = 30s}) == Why::none);
  CHECK(judge_claims(R"({"exp":1800000001})", {.leeway = -30s}) == Why::none);  // less than none is none
  CHECK(judge_claims(R"({"exp":1})", {.leeway = std::chrono::seconds::max()}) == Why::none);
  CHECK(judge_claims("{}") == Why::none);
  CHECK(judge_claims("{}", {.required = {"exp"}}) == Why::missing_claim);
}

TEST_CASE("jwt, RFC 7519 §4.1.5: nbf begins when it is reached, and some leeway before") {
  CHECK(judge_claims(R"({"nbf":1800000000})") == Why::none);
  CHECK(judge_claims(R"({"nbf":1800000000.5})") == Why::not_yet_valid);
  CHECK(judge_claims(R"({"nbf":1800000001})") == Why::not_yet_valid);
  CHECK(judge_claims(R"({"nbf":1800000030})", {.leeway = 30s}) == Why::none);
  CHECK(judge_claims(R"({"nbf":1800000031})", {.leeway = 30s}) == Why::not_yet_valid);
}

TEST_CASE("jwt, RFC 7519 §4.1.6: iat tells the age, where that matters") {
  CHECK(judge_claims(R"({"iat":1800009999})") == Why::none);
  const jwt::VerifyOptions minute{.leeway = 5s, .max_age = 60s};
  CHECK(judge_claims(R"({"iat":1799999935})", minute) == Why::none);
  CHECK(judge_claims(R"({"iat":1799999934})", minute) == Why::too_old);
  CHECK(judge_claims(R"({"iat":1800000005})", minute) == Why::none);
  CHECK(judge_claims(R"({"iat":1800000006})", minute) == Why::not_yet_valid);
  CHECK(judge_claims("{}", minute) == Why::missing_claim);
}

TEST_CASE("jwt, RFC 7519 §4.1.7: jti") {
  CHECK(judge_claims(R"({"jti":"a1"})", {.id = "a1"}) == Why::none);
  CHECK(judge_claims(R"({"jti":"a2"})", {.id = "a1"}) == Why::wrong_id);
  CHECK(judge_claims("{}", {.id = "a1"}) == Why::wrong_id);
  CHECK(judge_claims(R"({"jti":1})") == Why::malformed);
}

TEST_CASE("jwt, RFC 7519 §4.2: claims that must be there") {
  CHECK(judge_claims(R"({"sub":"7","role":null})", {.required = {"sub", "role"}}) == Why::none);
  CHECK(judge_claims(R"({"sub":"7"})", {.required = {"sub", "role"}}) == Why::missing_claim);
  CHECK(judge_claims(R"({"sub":"7"})", {.required = {"Sub"}}) == Why::missing_claim);
}

TEST_CASE("jwt, RFC 7519 §5.1: typ, which is only looked at when it is asked for") {
  const auto with = [](const char* type) { return R"({"alg":"HS256","typ":)" + std::string(type) + "}"; };
  CHECK(judge_header(with(R"("JWT")")) == Why::none);
  CHECK(judge_header(with(R"("anything")")) == Why::none);
  CHECK(judge_header(with(R"("JWT")"), {.type = "jwt"}) == Why::none);
  CHECK(judge_header(with(R"("jwt")"), {.type = "JWT"}) == Why::none);
  CHECK(judge_header(with(R"("anything")"), {.type = "JWT"}) == Why::wrong_type);
  CHECK(judge_header(R"({"alg":"HS256"})", {.type = "JWT"}) == Why::wrong_type);
  CHECK(judge_header(with("7")) == Why::malformed);
}

TEST_CASE("jwt, RFC 7519 §5.2: a token inside of a token is none") {
  const std::string inner = claiming(R"({"sub":"7"})");
  CHECK(judge(token_of(R"({"alg":"HS256","cty":"JWT"})", inner)) == Why::malformed);
}

TEST_CASE("jwt, RFC 7519 §5.3: claims in the header are not believed") {
  CHECK(judge(token_of(R"({"alg":"HS256","iss":"joe","sub":"7"})", "{}"), {.issuer = "joe"}) == Why::wrong_issuer);
  CHECK(judge(token_of(R"({"alg":"HS256","exp":1})", "{}")) == Why::none);
}

TEST_CASE("jwt, RFC 7519 §6: unsecured tokens are refused, the one of §6.1 too") {
  CHECK(judge("eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.") ==
        Why::wrong_algorithm);
  for (const char* none : {"none", "None", "NONE", "nOnE", "none ", ""}) {
    const std::string header = url64(R"({"alg":")" + std::string(none) + "\"}");
    CHECK(judge(header + "." + url64("{}") + ".") == Why::wrong_algorithm);
    CHECK(judge(signed_parts(header, url64("{}"))) == Why::wrong_algorithm);
  }
}

TEST_CASE("jwt, RFC 7519 §7.1: what is made here is checked there, whatever the claims hold") {
  const Json claims = {{"sub", "Zo\xC3\xAB \xF0\x9D\x84\x9E"}, {"quote\"", "\\\n"}, {"n", -1.5}, {"big", INT64_MAX}, {"none", nullptr},
                       {"list", Json::array({1, "two", Json::array({true})})}, {"iat", 1}};
  const auto token = jwt::sign(claims, kSecret);
  REQUIRE(token);
  const auto read = jwt::verify(*token, kSecret);
  REQUIRE(read);
  CHECK(*read == claims);
}

TEST_CASE("jwt, RFC 7519 §7.2: the steps of validation, each of them missed") {
  const std::string header = url64(kUsual), claims = url64("{}");
  const std::string mac = url64(mac_of(header + "." + claims, kSecret));
  CHECK(judge(header + "." + claims + "." + mac) == Why::none);
  // 1: at least one dot.
  CHECK(judge("") == Why::malformed);
  CHECK(judge("eyJhbGciOiJIUzI1NiJ9") == Why::malformed);
  // 2 and 3: the header is base64url, without line breaks, white space or anything else.
  CHECK(judge(header + "\n." + claims + "." + mac) == Why::malformed);
  CHECK(judge(" " + header + "." + claims + "." + mac) == Why::malformed);
  CHECK(judge(header + "=." + claims + "." + mac) == Why::malformed);
  // 4: it is UTF-8 and a JSON object.
  CHECK(judge_header("{\"alg\":\"HS256\",\"x\":\"\xC3\"}") == Why::malformed);
  CHECK(judge_header(R"(["HS256"])") == Why::malformed);
  CHECK(judge_header(R"("HS256")") == Why::malformed);
  CHECK(judge_header("") == Why::malformed);
  CHECK(judge_header(kUsual + "x") == Why::malformed);
  // 5: what it says is understood.
  CHECK(judge_header("{}") == Why::malformed);
  CHECK(judge_header(R"({"alg":"HS257"})") == Why::wrong_algorithm);
  // 6: five parts are an encrypted token, which is none for us.
  CHECK(judge("a.b.c.d.e") == Why::malformed);
  CHECK(judge(header + "." + claims + "." + mac + "." + mac + "." + mac) == Why::malformed);
  // 7: three parts with a good signature.
  CHECK(judge(header + "." + claims) == Why::malformed);
  CHECK(judge(header + "." + claims + ".") == Why::bad_signature);
  CHECK(judge(header + "." + claims + "." + mac + ".") == Why::malformed);
  CHECK(judge(header + "..") == Why::bad_signature);
  CHECK(judge("..") == Why::malformed);
  CHECK(judge(header + "." + claims + "." + mac + "=") == Why::malformed);
  // 9 and 10: the claims are base64url, UTF-8, and a JSON object (§3), also where the signature is right.
  CHECK(judge(signed_parts(header, "e30=")) == Why::malformed);
  CHECK(judge(signed_parts(header, "e3 0")) == Why::malformed);
  CHECK(judge(signed_parts(header, "")) == Why::malformed);
}

TEST_CASE("jwt, RFC 7519 §7.3: texts are compared as they are, once their escapes are read, with no folding") {
  CHECK(judge_header(R"({"alg":"HS25\u0036"})") == Why::none);
  CHECK(judge_header(R"({"\u0061lg":"HS256"})") == Why::none);
  CHECK(judge_header(R"({"alg":"hs256"})") == Why::wrong_algorithm);
  CHECK(judge_header(R"({"Alg":"HS256"})") == Why::malformed);
  CHECK(judge_header(R"({"alg":"HS256\u0000"})") == Why::wrong_algorithm);
  CHECK(judge_claims(R"({"iss":"jo\u0065"})", {.issuer = "joe"}) == Why::none);
  CHECK(judge_claims(R"({"iss":"joe\u0000"})", {.issuer = "joe"}) == Why::wrong_issuer);
}
