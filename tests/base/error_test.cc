// include/martlet/error.h: Error and Result as values.
#include <martlet/error.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

#include "support/stderr_text.h"

using martlet::Error;
using martlet::Result;

namespace {

Result<int> half(int n) {
  if (n % 2) return Error("half: an odd number");
  return n / 2;
}

// What report() prints.
std::string reported(const Error& error) {
  martlet::test::StderrText printed;
  return martlet::report(error) == 1 ? printed.take() : std::string();
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

TEST_CASE("error: one that names what it is about carries the text itself") {
  std::string name = "127.0.0.1:3000";
  const Error error = Error::of({"bind ", name}, EADDRINUSE);
  name.assign(name.size(), 'x');
  CHECK(bool(error));
  CHECK(error.what() == "bind 127.0.0.1:3000");
  CHECK(error.message().starts_with("bind 127.0.0.1:3000: "));
  CHECK(error.message().size() > error.what().size() + 2);
  const Error copy = error;
  CHECK(copy.what() == error.what());
  CHECK(copy.what().data() != error.what().data());
  CHECK(copy.os_code() == EADDRINUSE);
  CHECK(Error::of({"listen: '", "foo", "' is no address"}).message() == "listen: 'foo' is no address");
  CHECK(Error::of({std::string_view("a\0b\n\x7f", 5), "c\xc3\xa9"}).what() == "a.b..c\xc3\xa9");
  CHECK(bool(Error::of({})));
  CHECK_FALSE(Error::of({""}).what().empty());
}

TEST_CASE("error: a text that is too long is cut, and says so") {
  const std::string fits(Error::kTextBytes, 'a');
  CHECK(Error::of({fits}).what() == fits);
  CHECK(Error::of({fits.substr(1), "b", ""}).what() == fits.substr(1) + "b");
  for (const Error& cut : {Error::of({fits, "b"}), Error::of({fits + "b"}), Error::of({"", fits, "", "b", "c"})}) {
    CHECK(cut.what() == fits.substr(3) + "...");
  }
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
  CHECK(reported(bad.error()) == "martlet: half: an odd number\n");
  CHECK(reported(Error::of({"bind ", "::"}, EACCES)).starts_with("martlet: bind ::: "));
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
