// The text of a session's cookie.
#include "guards/session_value.h"

#include <doctest/doctest.h>

#include <string>

using namespace martlet;

TEST_CASE("session value: what is written is read, and nothing else is") {
  const std::string id = "abcdefghijklmnopqrst-_";
  const std::string text = guards::encode_session_value({2000, 1000, id, {}}, R"({"a":1})");
  CHECK(text == "1.2000.1000." + id + ".eyJhIjoxfQ");
  const auto value = guards::parse_session_value(text);
  REQUIRE(value);
  CHECK(value->expires == 2000);
  CHECK(value->born == 1000);
  CHECK(value->id == id);
  CHECK(value->data == "eyJhIjoxfQ");
  const std::string bad_ones[] = {"", "1", "2.2000.1000." + id + ".e30", "1.-1.1000." + id + ".e30", "1.2000.x." + id + ".e30",
                                 "1.99999999999999999999.1." + id + ".e30", "1.2000.1000.short.e30", "1.2000.1000.abcdefghijklmnopqrst%_.e30", "1.2000.1000." + id,
                                 "1.2000 .1000." + id + ".e30", "1.2000.1000." + id + "." + std::string(5000, 'x')};
  for (const std::string& bad : bad_ones) {
    CAPTURE(bad);
    CHECK_FALSE(guards::parse_session_value(bad));
  }
}
