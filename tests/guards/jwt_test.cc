// Tokens: signed and checked here, as applications do it; and what it costs: memory, and how much the library takes.
#include <martlet/jwt.h>

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guards/tokens.h"
#include "support/failing_alloc.h"

using namespace martlet;
using namespace std::chrono_literals;
using namespace martlet::test;

TEST_CASE("jwt: what was signed is believed, until its time is over") {
  const auto token = jwt::sign({{"sub", "7"}, {"admin", true}}, kSecret, 1h, {.now = at(kNow)});
  REQUIRE(token);
  auto claims = verifier().verify(*token, at(kNow));
  REQUIRE(claims);
  CHECK(claims.error() == jwt::Error::none);
  CHECK((*claims)["sub"].text_or("") == "7");
  CHECK(claims->find("admin")->bool_or(false));
  CHECK((*claims)["iat"].int_or(0) == kNow);
  CHECK((*claims)["exp"].int_or(0) == kNow + 3600);
  CHECK(verifier().verify(*token, at(kNow + 3599)));
  CHECK(verifier().verify(*token, at(kNow + 3600)).error() == jwt::Error::expired);
  const Json taken = *std::move(claims);
  CHECK(taken.size() == 4);
}

TEST_CASE("jwt: by the clock") {
  const auto token = jwt::sign({{"sub", "7"}}, kSecret, 1h);
  REQUIRE(token);
  CHECK(jwt::verify(*token, kSecret));
  CHECK(jwt::verify(*token, *jwt::Key::secret(kSecret)));
  CHECK(verifier().verify(*token));
  CHECK(jwt::verify(*token, kSecret, {.max_age = 1min}));
  const auto old = jwt::sign({{"sub", "7"}}, kSecret, -1s);
  CHECK(jwt::verify(*old, kSecret).error() == jwt::Error::expired);
  CHECK(jwt::verify(*old, kSecret, {.leeway = 1h}));
  CHECK(jwt::verify(*jwt::sign({{"sub", "7"}}, kSecret), kSecret));
}

TEST_CASE("jwt: the bytes of a token that is signed here") {
  const auto token = jwt::sign({{"sub", "7"}, {"name", "Ann"}}, kSecret, 60s, {.key_id = "k1", .now = at(kNow)});
  REQUIRE(token);
  CHECK(*token == token_of(R"({"alg":"HS256","typ":"JWT","kid":"k1"})", R"({"sub":"7","name":"Ann","iat":1800000000,"exp":1800000060})"));
  CHECK(*jwt::sign({{"iat", 5}, {"exp", 6.5}}, kSecret, {}, {.now = at(kNow), .type = ""}) ==
        token_of(R"({"alg":"HS256"})", R"({"iat":5,"exp":6.5})"));
}

TEST_CASE("jwt: each algorithm of secrets, and none for another") {
  const std::string secret(64, 's');
  constexpr jwt::Algorithm kAll[] = {jwt::Algorithm::hs256, jwt::Algorithm::hs384, jwt::Algorithm::hs512};
  for (const jwt::Algorithm algorithm : kAll) {
    const auto token = jwt::sign({{"sub", "7"}}, secret, 1h, {.algorithm = algorithm, .now = at(kNow)});
    REQUIRE(token);
    for (const jwt::Algorithm other : kAll) {
      const jwt::Verifier checks(*jwt::Key::secret(secret, {.algorithm = other}));
      CHECK(checks.verify(*token, at(kNow)).error() == (other == algorithm ? jwt::Error::none : jwt::Error::wrong_algorithm));
    }
  }
  CHECK(jwt::sign({{"sub", "7"}}, secret, {}, {.algorithm = jwt::Algorithm::hs384, .now = at(kNow)})->size() > 64);
  CHECK(*jwt::sign({{"iat", 1}}, secret, {}, {.algorithm = jwt::Algorithm::hs384}) ==
        token_of<codec::Sha384>(R"({"alg":"HS384","typ":"JWT"})", R"({"iat":1})", secret));
  CHECK(*jwt::sign({{"iat", 1}}, secret, {}, {.algorithm = jwt::Algorithm::hs512}) ==
        token_of<codec::Sha512>(R"({"alg":"HS512","typ":"JWT"})", R"({"iat":1})", secret));
  CHECK(jwt::sign({{"iat", 1}}, secret, {}, {.algorithm = jwt::Algorithm::rs256}).error().what() == "this algorithm is not one of secrets");
  CHECK_FALSE(jwt::sign({{"iat", 1}}, secret, {}, {.algorithm = jwt::Algorithm::es256}));
  CHECK_FALSE(jwt::Key::secret(secret, {.algorithm = jwt::Algorithm::rs256}));
}

TEST_CASE("jwt: what cannot be signed") {
  CHECK(jwt::sign(Json::array({1}), kSecret).error().what() == "the claims of a token are an object");
  CHECK_FALSE(jwt::sign("text", kSecret));
  CHECK_FALSE(jwt::sign(Json(), kSecret));
  CHECK(jwt::sign({{"exp", 5}}, kSecret, 1h).error().what() == "a token has a lifetime, and its claims say another");
  CHECK_FALSE(jwt::sign({{"sub", "7"}}, kSecret, {}, {.key_id = std::string(256, 'k')}));
  CHECK(jwt::sign({{"sub", "7"}}, kSecret, {}, {.key_id = std::string(255, 'k')}));
  CHECK(jwt::sign(Json::object(), kSecret));
}

TEST_CASE("jwt: lifetimes that no number holds end at the end of time") {
  const auto end = [](std::chrono::seconds lifetime) {
    return (*verifier({.leeway = 1s}).verify(*jwt::sign({{"a", 1}}, kSecret, lifetime, {.now = at(kNow)}), at(0)))["exp"].int_or(0);
  };
  CHECK(end(std::chrono::seconds::max()) == std::numeric_limits<int64_t>::max());
  CHECK(end(24h * 365 * 1000) == kNow + int64_t{86400} * 365 * 1000);
  const auto past = jwt::sign({{"a", 1}}, kSecret, std::chrono::seconds::min(), {.now = at(-5)});
  CHECK(verifier().verify(*past, at(kNow)).error() == jwt::Error::expired);
}

TEST_CASE("jwt: a clock that jumps is believed at once, and harms nothing") {
  const auto token = jwt::sign({{"nbf", kNow}}, kSecret, 1h, {.now = at(kNow)});
  const jwt::Verifier checks = verifier({.max_age = 2h});
  CHECK(checks.verify(*token, at(kNow)));
  CHECK(checks.verify(*token, at(kNow - 1)).error() == jwt::Error::not_yet_valid);
  CHECK(checks.verify(*token, at(0)).error() == jwt::Error::not_yet_valid);
  CHECK(checks.verify(*token, at(-kNow)).error() == jwt::Error::not_yet_valid);
  CHECK(checks.verify(*token, std::chrono::system_clock::time_point::min()).error() == jwt::Error::not_yet_valid);
  CHECK(checks.verify(*token, std::chrono::system_clock::time_point::max()).error() == jwt::Error::expired);
  CHECK(checks.verify(*token, at(kNow)));
}

TEST_CASE("jwt: a token with any byte changed is refused") {
  const std::string token = claiming(R"({"sub":"7","name":"Ann"})");
  REQUIRE(judge(token) == jwt::Error::none);
  for (size_t i = 0; i < token.size(); i++) {
    for (const char c : {'A', '.', '=', '\0', '+', static_cast<char>(token[i] ^ 1)}) {
      if (token[i] == c) continue;
      std::string changed = token;
      changed[i] = c;
      CAPTURE(changed);
      REQUIRE(judge(changed) != jwt::Error::none);
    }
    REQUIRE(judge(token.substr(0, i)) != jwt::Error::none);
    REQUIRE(judge(token.substr(i + 1)) != jwt::Error::none);
  }
}

TEST_CASE("jwt: too large is refused before anything else is done") {
  const std::string token = claiming(R"({"sub":"7"})");
  CHECK(judge(token, {.max_bytes = token.size()}) == jwt::Error::none);
  CHECK(judge(token, {.max_bytes = token.size() - 1}) == jwt::Error::too_large);
  CHECK(judge(std::string(8193, 'x')) == jwt::Error::too_large);
  CHECK(judge(std::string(8192, 'x')) == jwt::Error::malformed);
  CHECK(judge(std::string((1 << 20) + 1, 'x'), {.max_bytes = SIZE_MAX}) == jwt::Error::too_large);
  CHECK(judge(std::string(1 << 20, '.'), {.max_bytes = SIZE_MAX}) == jwt::Error::malformed);
  // Claims that do not fit on the stack.
  for (const size_t size : {1500u, 2000u, 2040u, 2100u, 3000u, 5900u}) {
    const auto claims = verifier().verify(claiming(R"({"text":")" + std::string(size, 'y') + "\"}"), at(kNow));
    REQUIRE(claims);
    CHECK((*claims)["text"].text_or("").size() == size);
  }
  const std::string large = claiming(R"({"text":")" + std::string(700'000, 'y') + "\"}");
  CHECK(judge(large) == jwt::Error::too_large);
  CHECK(judge(large, {.max_bytes = 1 << 20}) == jwt::Error::none);
}

TEST_CASE("jwt: a header has 2,048 bytes and 32 members at most") {
  const auto header = [](size_t bytes) {
    std::string text = R"({"alg":"HS256","x":")";
    return text + std::string(bytes - text.size() - 2, 'x') + "\"}";
  };
  CHECK(judge_header(header(2048)) == jwt::Error::none);
  CHECK(judge_header(header(2049)) == jwt::Error::too_large);
  CHECK(judge_header(header(2051)) == jwt::Error::too_large);
  CHECK(judge_header(header(4000)) == jwt::Error::too_large);
  const auto members = [](size_t count) {
    std::string text = R"({"alg":"HS256")";
    for (size_t i = 1; i < count; i++) text += ",\"m" + std::to_string(i) + "\":1";
    return text + "}";
  };
  CHECK(judge_header(members(32)) == jwt::Error::none);
  CHECK(judge_header(members(33)) == jwt::Error::too_large);
  std::string deep = R"({"alg":"HS256","x":)";
  CHECK(judge_header(deep + std::string(15, '[') + std::string(15, ']') + "}") == jwt::Error::none);
  CHECK(judge_header(deep + std::string(16, '[') + std::string(16, ']') + "}") == jwt::Error::malformed);
  CHECK(judge_header(deep + std::string(1500, '[')) == jwt::Error::malformed);
}

TEST_CASE("jwt: errors have names of letters and blanks, each its own") {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(jwt::Error::no_memory); i++) {
    const std::string name(name_of(static_cast<jwt::Error>(i)));
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz ") == name.npos);
    for (const std::string& other : names) CHECK(name != other);
    names.push_back(name);
  }
  CHECK(name_of(jwt::Error::not_yet_valid) == "not yet valid");
  CHECK(name_of(jwt::Error::bad_signature) == "bad signature");
  CHECK(name_of(jwt::Algorithm::es256) == "ES256");
}

TEST_CASE("jwt: copies of a Verifier are the same, and outlive what they were made of") {
  std::optional<jwt::Verifier> copy;
  {
    std::string secret = kSecret, issuer = "https://issuer.example/with a long name";
    const jwt::Verifier made(*jwt::Key::secret(secret), {.issuer = issuer});
    copy = made;
    secret.assign(secret.size(), 'x');
    issuer.assign(issuer.size(), 'x');
  }
  CHECK(copy->verify(claiming(R"({"iss":"https://issuer.example/with a long name"})"), at(kNow)));
  CHECK(copy->verify(claiming(R"({"iss":"https://issuer.example/"})"), at(kNow)).error() == jwt::Error::wrong_issuer);
  jwt::Verifier moved = std::move(*copy);
  CHECK(moved.verify(claiming(R"({"iss":"https://issuer.example/with a long name"})"), at(kNow)));
  CHECK(jwt::Verifier(jwt::Keys()).verify(claiming("{}"), at(kNow)).error() == jwt::Error::unknown_key);
}

TEST_CASE("jwt: where memory is out, that is what is said, and nothing is believed") {
  const std::string small = claiming(R"({"sub":"a text that is too long for its cell","list":[1,2,3]})");
  const std::string large = claiming(R"({"text":")" + std::string(3000, 'y') + "\"}");
  const jwt::Verifier checks = verifier();
  for (const std::string& token : {small, large}) {
    bool done = false;
    for (size_t allowed = 0; !done && allowed < 20; allowed++) {
      FailingAlloc failing(allowed);
      const jwt::Verified claims = checks.verify(token, at(kNow));
      done = claims.ok();
      if (!done) CHECK(claims.error() == jwt::Error::no_memory);
    }
    CHECK(done);
  }
}

TEST_CASE("jwt: a token without claims that need memory allocates nothing") {
  const jwt::Verifier checks = verifier({.issuer = "i", .required = {"iss"}});
  const std::string good = claiming("{}"), named = token_of(R"({"kid":"k","alg":"HS256","typ":"JWT","x":[1,{"y":2}]})", "{}");
  FailingAlloc failing(0);
  CHECK(checks.verify(good, at(kNow)).error() == jwt::Error::wrong_issuer);
  CHECK(checks.verify(named, at(kNow)).error() == jwt::Error::wrong_issuer);
  CHECK(checks.verify(std::string_view(good).substr(1), at(kNow)).error() == jwt::Error::malformed);
}
