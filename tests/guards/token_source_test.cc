// What is a token, and which one a list of subprotocols has.
#include "guards/token_source.h"

#include <doctest/doctest.h>

#include <string>

using namespace martlet;
using State = guards::SentToken::State;

TEST_CASE("token source: the letters of RFC 6750, and their number") {
  for (const char* good : {"a", "mF_9.B5f-4.1JqM", "abc~+/=", "0==", "eyJhbGciOiJub25lIn0.e30."}) CHECK(guards::is_token_text(good));
  for (const char* bad : {"", "=", "a b", "a=b", "a,b", "\"a\"", "\xC3\xA4", "a\n", "a%20"}) {
    CAPTURE(bad);
    CHECK_FALSE(guards::is_token_text(bad));
  }
  CHECK(guards::is_token_text(std::string(guards::kMostTokenLetters, 'x')));
  CHECK_FALSE(guards::is_token_text(std::string(guards::kMostTokenLetters + 1, 'x')));
}

TEST_CASE("token source: the subprotocol behind bearer, or the rest of one that begins so") {
  const auto text = [](std::string_view offered) { return std::string(guards::token_of_protocols(offered).text); };
  CHECK(text("bearer, abc.d-e_f") == "abc.d-e_f");
  CHECK(text("chat,bearer , abc,v2") == "abc");
  CHECK(text("bearer.abc.def, chat") == "abc.def");
  CHECK(text("bearer, bearer.abc") == "bearer.abc");
  CHECK(text("bearer, bearer") == "bearer");
  for (const char* none : {"", "chat", "bearer", "bearer,", "bearer.", "Bearer, abc", "xbearer.abc", ","}) {
    CAPTURE(none);
    CHECK(guards::token_of_protocols(none).state == State::missing);
  }
  CHECK(guards::token_of_protocols("bearer, a, bearer, b").state == State::malformed);
  CHECK(guards::token_of_protocols("bearer.a, bearer.b").state == State::malformed);
  CHECK(guards::token_of_protocols("bearer, a!b").state == State::bad);
}
