// Guards that compare secrets do as much work whatever of a guess is right, and whoever it is: instructions are counted.
#include <martlet/auth.h>

#include <doctest/doctest.h>

#include <string>

#include "base/bytes.h"
#include "guards/csrf_token.h"
#include "support/steps.h"

using namespace martlet;
using martlet::test::count_steps;

namespace {

std::string with_other(std::string text, size_t at) {
  text[at] = text[at] == 'x' ? 'y' : 'x';
  return text;
}

}  // namespace

TEST_CASE("secret steps: passwords and tokens that are known at the start") {
  const std::string password = "correct horse battery staple";
  const FixedUsers users = fixed_users({{"ann", password}, {"bob", "another one"}, {"eve", password}});
  const auto steps = [&](std::string_view name, const std::string& guess) { return count_steps([&] { (void)users(name, guess); }); };
  const long right = steps("ann", password);
  if (right == 0) {
    MESSAGE("processes cannot be stepped here: not counted");
    return;
  }
  for (size_t at = 0; at < password.size(); at += 3) CHECK(steps("ann", with_other(password, at)) == right);
  CHECK(steps("eve", password) == right);  // the last one
  CHECK(steps("xyz", password) == right);  // nobody
  CHECK(steps("ann", password + std::string(200, 'x')) > right);  // it does count
  const FixedTokens tokens = fixed_tokens({password, "another one"});
  const auto token_steps = [&](const std::string& guess) { return count_steps([&] { (void)tokens(guess); }); };
  const auto same_steps = [&](const std::string& guess) { return count_steps([&] { (void)same_secret(password, guess); }); };
  const long token = token_steps(password), same = same_steps(std::string(password));
  for (size_t at = 0; at < password.size(); at++) {
    CHECK(token_steps(with_other(password, at)) == token);
    CHECK(same_steps(with_other(password, at)) == same);
  }
  MESSAGE("fixed_users " << right << ", fixed_tokens " << token << ", same_secret of 28 bytes " << same);
}

TEST_CASE("secret steps: tokens against cross-site requests") {
  const codec::HmacKey keys[] = {codec::hmac_key(base::as_bytes("a secret of the new one")), codec::hmac_key(base::as_bytes("a secret of the old one"))};
  const std::string token = guards::make_csrf_token(keys[0], "ann"), old = guards::make_csrf_token(keys[1], "ann");
  const auto steps = [&](const std::string& guess) { return count_steps([&] { (void)guards::is_csrf_token(guess, "ann", keys); }); };
  const long right = steps(token);
  if (right == 0) return;
  for (size_t at = 23; at < token.size(); at += 3) CHECK(steps(with_other(token, at)) == right);
  CHECK(steps(old) == right);  // which key it is, is not told either
  MESSAGE("is_csrf_token with 2 keys " << right);
}
