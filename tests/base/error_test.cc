// include/martlet/error.h: Error and Result as values.
#include <martlet/error.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

using martlet::Error;
using martlet::Result;

namespace {

Result<int> half(int n) {
  if (n % 2) return Error("half: an odd number");
  return n / 2;
}

// Counts what is alive, to see that a Result destroys what it holds, once.
struct Counted {
  static inline int alive = 0;
  int value;
  explicit Counted(int v) noexcept : value(v) { alive++; }
  Counted(Counted&& other) noexcept : value(other.value) { alive++; }
  ~Counted() { alive--; }
};

}  // namespace

TEST_CASE("error: none is false, one says what and why") {
  CHECK_FALSE(Error());
  CHECK(Error().what().empty());
  CHECK(Error().os_code() == 0);
  const Error plain("no port is left");
  CHECK(bool(plain));
  CHECK(plain.what() == "no port is left");
  CHECK(plain.message() == "no port is left");
  const Error os("bind", EADDRINUSE);
  CHECK(os.os_code() == EADDRINUSE);
  CHECK(os.message().starts_with("bind: "));
  CHECK(os.message().size() > 10);
  static_assert(std::is_trivially_copyable_v<Error>);
  constexpr Error literal("known when compiled", 3);
  static_assert(literal && literal.os_code() == 3);
}

TEST_CASE("error: a Result holds a value or an Error") {
  const auto good = half(8);
  REQUIRE(good);
  CHECK(good.ok());
  CHECK(*good == 4);
  CHECK_FALSE(good.error());
  const auto bad = half(7);
  CHECK_FALSE(bad);
  CHECK(bad.error().what() == "half: an odd number");
  CHECK(martlet::report(bad.error()) == 1);
  Result<std::string> text = std::string("hello");
  CHECK(text->size() == 5);
  *text += " you";
  CHECK(*text == "hello you");
  const std::string taken = *std::move(text);
  CHECK(taken == "hello you");
}

TEST_CASE("error: a Result can hold what cannot be copied, and destroys it once") {
  Result<std::unique_ptr<int>> pointer = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = *std::move(pointer);
  CHECK(*taken == 3);
  {
    Result<Counted> first{Counted(5)};
    Result<Counted> second(std::move(first));
    CHECK(second->value == 5);
    Result<Counted> none = Error("none");
    const Result<Counted> moved(std::move(none));
    CHECK(moved.error().what() == "none");
  }
  CHECK(Counted::alive == 0);
}
