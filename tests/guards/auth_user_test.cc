// What a user may do, and what is compared in the same time.
#include <martlet/auth.h>
#include <martlet/auth_user.h>

#include <doctest/doctest.h>

#include <string>


using namespace martlet;

TEST_CASE("auth user: roles and permissions are whole texts; nobody has none") {
  const AuthUser ann{.id = "7", .username = "ann", .roles = {"admin"}, .permissions = {"broadcast", "room:lobby", "room:"}};
  CHECK(has_role(ann, "admin"));
  CHECK_FALSE(has_role(ann, "admi"));
  CHECK_FALSE(has_role(ann, "Admin"));
  CHECK(can(ann, "broadcast"));
  CHECK_FALSE(can(ann, "moderate"));
  CHECK_FALSE(can(ann, ""));
  CHECK_FALSE(has_role(nullptr, "admin"));
  CHECK_FALSE(can(nullptr, "broadcast"));
}

TEST_CASE("auth user: rooms by their permission, and public ones for everybody") {
  const AuthUser ann{.permissions = {"room:lobby", "room:a/b"}};
  CHECK(can_join(ann, "lobby"));
  CHECK(can_join(ann, "a/b"));
  CHECK_FALSE(can_join(ann, "lobby2"));
  CHECK_FALSE(can_join(ann, "room:lobby"));
  CHECK_FALSE(can_join(ann, ""));
  CHECK(can_join(ann, "public-news"));
  CHECK(can_join(nullptr, "public-news"));
  CHECK_FALSE(can_join(nullptr, "publi"));
  CHECK_FALSE(can_join(nullptr, "lobby"));
}

TEST_CASE("fixed users and tokens: name and password belong together") {
  const FixedUsers users = fixed_users({{"ann", "secret"}, {"bob", ""}});
  CHECK(users("ann", "secret"));
  CHECK(users("bob", ""));
  CHECK_FALSE(users("ann", ""));
  CHECK_FALSE(users("bob", "secret"));
  CHECK_FALSE(users("anns", "ecret"));
  CHECK_FALSE(users("annsecret", ""));
  CHECK_FALSE(users("", ""));
  CHECK_FALSE(fixed_users({})("", ""));
  const FixedTokens tokens = fixed_tokens({"one", "two"});
  CHECK(tokens("two"));
  CHECK_FALSE(tokens("onetwo"));
  CHECK_FALSE(tokens(""));
  CHECK(same_secret("abc", "abc"));
  CHECK_FALSE(same_secret("abc", "abd"));
  CHECK_FALSE(same_secret("abc", "ab"));
  CHECK(same_secret("", ""));
}
