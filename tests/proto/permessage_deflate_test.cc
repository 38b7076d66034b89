// The negotiation of permessage-deflate (RFC 7692 §5, §7.1), on heads as the parser gives them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "proto/permessage_deflate.h"
#include "support/heads.h"

namespace martlet {

namespace {

using proto::DeflatePreferences;
using proto::DeflateTerms;

// Context both ways, all windows: the answer then says what the offer asked for.
const DeflatePreferences kAll{.server_context_takeover = true, .client_context_takeover = true};

std::string encoded(const DeflateTerms& terms) {
  // To the end of a page that faults: one character too many would be seen.
  test::Guarded room(std::string(proto::kMaxDeflateAnswer, '#'));
  char* out = reinterpret_cast<char*>(room.data());
  const size_t size = proto::encode_deflate_answer(terms, out);
  REQUIRE(size <= proto::kMaxDeflateAnswer);
  return {out, size};
}

// What is answered to these values of Sec-WebSocket-Extensions, "-" when nothing is.
std::string answer(const std::vector<std::string>& fields, const DeflatePreferences& preferences = kAll) {
  std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& field : fields) request += "Sec-WebSocket-Extensions: " + field + "\r\n";
  const test::ParsedHead p = test::parse_head(request + "\r\n");
  REQUIRE(p.done());
  const test::Guarded bytes(p.text);  // nothing is read behind the head
  DeflateTerms terms;
  if (!proto::negotiate_deflate(p.head, bytes.span().data(), preferences, terms)) return "-";
  CHECK(terms.server_max_window_bits >= 8);
  CHECK(terms.server_max_window_bits <= 15);
  CHECK(terms.client_max_window_bits >= 8);
  CHECK(terms.client_max_window_bits <= 15);
  const std::string text = encoded(terms);
  REQUIRE(text.starts_with("permessage-deflate"));
  return text.size() == 18 ? "" : text.substr(20);
}
std::string answer(const std::string& field, const DeflatePreferences& preferences = kAll) {
  return answer(std::vector<std::string>{field}, preferences);
}

// To an offer with these parameters.
std::string to(const std::string& parameters, const DeflatePreferences& preferences = kAll) {
  return answer("permessage-deflate" + parameters, preferences);
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += text;
  return all;
}

}  // namespace

TEST_CASE("permessage_deflate: the offers of RFC 7692 and those of browsers") {
  CHECK(to("") == "");
  CHECK(to("; client_max_window_bits; server_max_window_bits=10") == "server_max_window_bits=10");
  CHECK(answer("permessage-deflate; client_max_window_bits; server_max_window_bits=10, "
               "permessage-deflate; client_max_window_bits") == "server_max_window_bits=10");
  CHECK(to("; client_max_window_bits") == "");
  CHECK(answer("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits") == "");
  CHECK(answer("x-webkit-deflate-frame") == "-");
  CHECK(answer(std::vector<std::string>{}) == "-");
}

TEST_CASE("permessage_deflate: each parameter with each value") {
  const std::vector<std::string> good = {"8", "9", "10", "11", "12", "13", "14", "15"};
  for (const std::string& bits : good) {
    CAPTURE(bits);
    CHECK(to("; server_max_window_bits=" + bits) == "server_max_window_bits=" + bits);
    CHECK(to("; server_max_window_bits=\"" + bits + "\"") == "server_max_window_bits=" + bits);
    const std::string client = bits == "15" ? "" : "client_max_window_bits=" + bits;
    CHECK(to("; client_max_window_bits=" + bits) == client);
    CHECK(to("; client_max_window_bits=\"" + bits + "\"") == client);
  }
  for (const char* bits : {"0", "1", "7", "16", "08", "015", "15x", "x15", "+9", "-9", "1", "17", "19", "20", "80", "85",
                           "150", "1515", "15151", "0x9", "9.0", "99999999999999999999", "256008", "4294967304", "nine",
                           "\"7\"", "\"08\"", "\"1515151515\"", "\"x\""}) {
    CAPTURE(std::string(bits));
    CHECK(to(std::string("; server_max_window_bits=") + bits) == "-");
    CHECK(to(std::string("; client_max_window_bits=") + bits) == "-");
    // It is that offer which is declined, and the next one taken.
    CHECK(to(std::string("; server_max_window_bits=") + bits + ", permessage-deflate; server_no_context_takeover") ==
          "server_no_context_takeover");
  }
  CHECK(to("; server_max_window_bits") == "-");
  CHECK(to("; server_no_context_takeover") == "server_no_context_takeover");
  CHECK(to("; client_no_context_takeover") == "client_no_context_takeover");
  for (const char* value : {"1", "true", "15", "\"1\"", "server_no_context_takeover"}) {
    CAPTURE(std::string(value));
    CHECK(to(std::string("; server_no_context_takeover=") + value) == "-");
    CHECK(to(std::string("; client_no_context_takeover=") + value) == "-");
  }
}

TEST_CASE("permessage_deflate: quoted values are unquoted, escapes and all") {
  CHECK(to("; server_max_window_bits=\"\\1\\0\"") == "server_max_window_bits=10");
  CHECK(to("; server_max_window_bits=\"1\\0\"") == "server_max_window_bits=10");
  CHECK(to("; server_max_window_bits=\"1\\0\"; client_no_context_takeover") ==
        "client_no_context_takeover; server_max_window_bits=10");
  for (const char* value : {"\"\"", "\"10", "\"", "\"\\", "\"10\\", "\"10\\\"", "\"1 0\"", "\" 10\"", "\"10 \"", "\"\\\"\"",
                            "\"1,0\"", "\"1;0\"", "\"10\"0", "10\"\"", "\"\xc3\xbc\"", "'10'"}) {
    CAPTURE(std::string(value));
    CHECK(to(std::string("; server_max_window_bits=") + value) == "-");
  }
  // An unknown parameter's long quoted value is read to its end.
  const std::string longer = "; x=\"" + std::string(300, 'y') + "\"";
  CHECK(to(longer) == "-");
  CHECK(to(longer + ", permessage-deflate") == "");
}

TEST_CASE("permessage_deflate: twice, unknown, in another case") {
  const std::vector<std::string> all = {"; server_no_context_takeover", "; client_no_context_takeover",
                                        "; server_max_window_bits=9", "; client_max_window_bits=9"};
  for (const std::string& one : all) {
    CAPTURE(one);
    CHECK(to(one) == one.substr(2));
    CHECK(to(one + one) == "-");
    CHECK(to(one + "; unknown") == "-");
    CHECK(to("; unknown=1" + one) == "-");
    std::string upper = one;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    CHECK(to(upper) == one.substr(2));
    CHECK(to(one + upper) == "-");
    std::string cut = one.substr(0, one.find('=')) + 'x';
    CHECK(to(cut) == "-");
    cut.resize(cut.size() - 2);
    CHECK(to(cut) == "-");
  }
  CHECK(to("; client_max_window_bits; client_max_window_bits") == "-");
  CHECK(to("; client_max_window_bits; client_max_window_bits=9") == "-");
  CHECK(to("; client_max_window_bits=9; client_max_window_bits") == "-");
  CHECK(to("; server_max_window_bits=9; server_max_window_bits=10") == "-");
  CHECK(answer("PerMessage-Deflate; SERVER_MAX_WINDOW_BITS=9") == "server_max_window_bits=9");
  for (const char* name : {"permessage-deflat", "permessage-deflatee", "permessage_deflate", "perframe-deflate",
                           "permessage-bzip2", "deflate", "\"permessage-deflate\""}) {
    CAPTURE(std::string(name));
    CHECK(answer(name) == "-");
  }
}

TEST_CASE("permessage_deflate: all parameters in every order") {
  std::vector<std::string> order = {"; client_max_window_bits=9", "; client_no_context_takeover",
                                    "; server_max_window_bits=10", "; server_no_context_takeover"};
  int orders = 0;
  do {
    CHECK(to(order[0] + order[1] + order[2] + order[3]) ==
          "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9");
    orders++;
  } while (std::next_permutation(order.begin(), order.end()));
  CHECK(orders == 24);
}

TEST_CASE("permessage_deflate: the first offer that can be taken is, across fields and among others") {
  const std::string first = "permessage-deflate; server_max_window_bits=9";
  const std::string second = "permessage-deflate; server_max_window_bits=10";
  const std::string declined = "permessage-deflate; mode=fast";
  const std::string other = "x-other; permessage-deflate; a=1; b=\"2\"";  // as a parameter's name, which means nothing
  const std::string took = "server_max_window_bits=9";
  for (const std::vector<std::string>& fields : std::vector<std::vector<std::string>>{
           {first + ", " + second},
           {first, second},
           {declined + "," + first, second},
           {declined, first + "," + second},
           {declined + "," + declined, declined, first},
           {other + ", " + first + ", " + other, second},
           {other, first},
           {"", first},
           {",, ,\t, " + first + " ,,"},
           {"permessage-bzip2; x=y," + first},
           {"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=16, " + first},
           {"foo;;bar", first}}) {
    std::string all;
    for (const std::string& field : fields) all += field + " | ";
    CAPTURE(all);
    CHECK(answer(fields) == took);
  }
  CHECK(answer({second, first}) == "server_max_window_bits=10");
  CHECK(answer({declined, other}) == "-");
}

TEST_CASE("permessage_deflate: blanks and tabs where the grammar has them") {
  CHECK(answer(" permessage-deflate ;\tserver_max_window_bits \t=  9 ; client_no_context_takeover\t ") ==
        "client_no_context_takeover; server_max_window_bits=9");
  CHECK(answer("permessage-deflate;server_max_window_bits=9;client_no_context_takeover") ==
        "client_no_context_takeover; server_max_window_bits=9");
  CHECK(answer("permessage-deflate server_max_window_bits=9") == "-");
  CHECK(answer("permessage-deflate; server_max_window_bits= 9 9") == "-");
}

TEST_CASE("permessage_deflate: broken grammar ends its field, and what stood before counts") {
  const std::string good = "permessage-deflate; server_max_window_bits=9";
  for (const char* broken : {"=", ";", "foo=1", "foo;", "foo;=", "foo;a=", "foo;a=,", "foo;a==b", "foo;;a", "foo a",
                             "foo;a b", "foo;a=b c", "foo;a=\"b", "foo;a=\"", "foo;a=\"b\"c", "foo;a=\"b\\", "\"foo\"",
                             "foo;\"a\"", "foo;a=b=c", "@", "foo@", "foo;a@", "foo;a=@", "foo/1", "(foo)", "foo;a=(b)",
                             "foo;a=\"b c\"", "foo;a=\"\"", "foo\xe4", "foo;a=\xe4", "permessage-deflate;",
                             "permessage-deflate; ;", "permessage-deflate; server_max_window_bits=",
                             "permessage-deflate; client_max_window_bits=", "permessage-deflate =1"}) {
    CAPTURE(std::string(broken));
    CHECK(answer(broken) == "-");
    CHECK(answer(good + "," + broken) == "server_max_window_bits=9");
    CHECK(answer(std::string(broken) + "," + good) == "-");
    CHECK(answer({broken, good}) == "server_max_window_bits=9");
    CHECK(answer(std::string("permessage-deflate; unknown,") + broken + "," + good) == "-");
  }
}

TEST_CASE("permessage_deflate: behind 64 extensions nothing is looked at") {
  const std::string offer = "permessage-deflate; server_max_window_bits=9";
  for (const size_t before : {0u, 1u, 62u, 63u}) {
    CAPTURE(before);
    CHECK(answer(repeated("x, ", before) + offer) == "server_max_window_bits=9");
    CHECK(answer(repeated(",", 100) + repeated("x,,", before) + offer) == "server_max_window_bits=9");
    CHECK(answer({repeated("x, ", before), offer}) == "server_max_window_bits=9");
    CHECK(answer({repeated("permessage-deflate; no, ", before), offer}) == "server_max_window_bits=9");
  }
  for (const size_t before : {64u, 65u, 200u}) {
    CAPTURE(before);
    CHECK(answer(repeated("x, ", before) + offer) == "-");
    CHECK(answer({repeated("x, ", before), offer}) == "-");
    CHECK(answer({repeated("x, ", 32), repeated("x, ", before - 32), offer, offer}) == "-");
  }
}

TEST_CASE("permessage_deflate: every prefix of a good field") {
  const std::string field = "foo; a=\"b\", permessage-deflate; client_max_window_bits=10; "
                            "server_max_window_bits=\"1\\2\"; client_no_context_takeover";
  const std::string client = "client_max_window_bits=10";
  const std::string both = "server_max_window_bits=12; " + client;
  for (size_t size = 0; size <= field.size(); size++) {
    const std::string prefix = field.substr(0, size);
    CAPTURE(prefix);
    // What is whole at this length: nothing, the offer's name, then parameter after parameter.
    const auto is = [&](std::string_view end) { return prefix.ends_with(end); };
    std::string wanted = "-";
    if (is(", permessage-deflate")) wanted = "";
    if (is("; client_max_window_bits")) wanted = "";
    if (is("client_max_window_bits=10")) wanted = client;
    if (is("\"1\\2\"")) wanted = both;
    if (is("; client_no_context_takeover")) wanted = "client_no_context_takeover; " + both;
    CHECK(answer(prefix) == wanted);
  }
}

// RFC 7692 §7.1: what an answer may say, by the offer.
TEST_CASE("permessage_deflate: the answer is one that the offer allows, whatever is preferred") {
  int answers = 0;
  for (int offered = 0; offered < 4 * 9 * 10; offered++) {
    const bool server_none = (offered & 1) != 0;
    const bool client_none = (offered & 2) != 0;
    const int server_bits = offered / 4 % 9 + 7;  // 7: not there
    const int client_bits = offered / 36 + 6;     // 6: not there, 7: without a value
    std::string parameters;
    if (server_none) parameters += "; server_no_context_takeover";
    if (client_none) parameters += "; client_no_context_takeover";
    if (server_bits > 7) parameters += "; server_max_window_bits=" + std::to_string(server_bits);
    if (client_bits > 6) parameters += "; client_max_window_bits";
    if (client_bits > 7) parameters += "=" + std::to_string(client_bits);
    const test::ParsedHead p = test::parse_head(
        "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: permessage-deflate" + parameters + "\r\n\r\n");
    for (int preferred = 0; preferred < 4 * 3 * 3; preferred++) {
      const uint8_t windows[] = {8, 11, 15};
      const DeflatePreferences preferences{(preferred & 1) != 0, (preferred & 2) != 0, windows[preferred / 4 % 3],
                                           windows[preferred / 12]};
      DeflateTerms terms;
      REQUIRE(proto::negotiate_deflate(p.head, p.base(), preferences, terms));
      const std::string text = encoded(terms);
      answers++;
      const auto says = [&](const std::string& what) { return (text + ";").find("; " + what + ";") != text.npos; };
      const auto names = [&](const std::string& what) { return text.find("; " + what) != text.npos; };
      bool good = true;
      // Both sides hold to what is said.
      good = good && says("server_no_context_takeover") == !terms.server_context_takeover;
      good = good && says("client_no_context_takeover") == !terms.client_context_takeover;
      // §7.1.1: what the client asks for is confirmed; we may ask for it ourselves.
      good = good && (!server_none || !terms.server_context_takeover);
      good = good && terms.server_context_takeover == (preferences.server_context_takeover && !server_none);
      good = good && terms.client_context_takeover == (preferences.client_context_takeover && !client_none);
      // §7.1.2.1: the same or less, and it must be said.
      good = good && terms.server_max_window_bits <= preferences.server_max_window_bits;
      if (server_bits > 7) {
        good = good && terms.server_max_window_bits <= server_bits;
        good = good && says("server_max_window_bits=" + std::to_string(terms.server_max_window_bits));
      } else {
        good = good && !names("server_max_window_bits");
      }
      // §7.1.2.2: only when it was offered, and no more than that; what is not said is 15.
      if (client_bits == 6) {
        good = good && !names("client_max_window_bits") && terms.client_max_window_bits == 15;
      } else if (terms.client_max_window_bits < 15) {
        good = good && says("client_max_window_bits=" + std::to_string(terms.client_max_window_bits));
        good = good && terms.client_max_window_bits <= preferences.client_max_window_bits;
        good = good && (client_bits < 8 || terms.client_max_window_bits <= client_bits);
      } else {
        good = good && !names("client_max_window_bits") && preferences.client_max_window_bits == 15;
      }
      if (!good) {
        CAPTURE(parameters);
        CAPTURE(text);
        CHECK(good);
      }
    }
  }
  CHECK(answers == 4 * 9 * 10 * 4 * 3 * 3);
}

TEST_CASE("permessage_deflate: the longest answer has just the room that is promised") {
  const DeflateTerms most{false, false, 15, 14, true, true};
  CHECK(encoded(most).size() == proto::kMaxDeflateAnswer);
  CHECK(encoded({true, true, 8, 8, true, true}) ==
        "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8");
  CHECK(encoded({true, true, 15, 15, false, false}) == "permessage-deflate");
}

}  // namespace martlet
