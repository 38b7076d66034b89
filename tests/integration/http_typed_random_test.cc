// Random texts as typed parameters and as request ids, each beside a plain model of what it should become. The text that fails
// is shown.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

using Random = std::mt19937;

size_t below(Random& random, size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); }

// Numbers that are at, or next to, the end of some type's range, and others; most of them then edited somewhere.
std::string random_text(Random& random) {
  static constexpr std::string_view kSeeds[] = {
      "0", "-0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "-32769", "65535", "65536", "2147483647", "2147483648",
      "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
      "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1.5", "-0.25e3", "1e308", "1e309", "-1e400", "1e-400", "3.5e38",
      "0.1", "2.2250738585072011e-308", "true", "false", "TRUE", "nan", "inf", "-", "", "+1", "0x10", "1,5", "007"};
  static constexpr std::string_view kBytes = "0123456789-+.eE xXtrufalsnif,_%&=?#~\t\x7F\x80\xFF";
  std::string text(kSeeds[below(random, std::size(kSeeds))]);
  for (size_t edits = below(random, 4); edits > 0; edits--) {
    const size_t at = below(random, text.size() + 1);
    const char c = kBytes[below(random, kBytes.size())];
    switch (below(random, 3)) {
      case 0: text.insert(at, 1, c); break;
      case 1: text.erase(at, 1); break;
      default: if (at < text.size()) text[at] = c;
    }
  }
  if (below(random, 20) == 0) text.insert(0, below(random, 60), '0');
  return text;
}

std::string escaped(Random& random, std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '~';
    if (plain && below(random, 4)) {
      out += c;
      continue;
    }
    char escape[4];
    std::snprintf(escape, sizeof escape, below(random, 2) ? "%%%02X" : "%%%02x", static_cast<unsigned char>(c));
    out += escape;
  }
  return out;
}

// The models: what is answered, or "400".

template <typename T>
std::string model(std::string_view text) requires std::is_integral_v<T> {
  const bool negative = std::is_signed_v<T> && text.starts_with('-');
  std::string_view digits = text.substr(negative);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return "400";
  const size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  digits.remove_prefix(zeros);
  const std::string least = std::to_string(std::numeric_limits<T>::min());
  const std::string most = negative ? least.substr(1) : std::to_string(std::numeric_limits<T>::max());
  const bool fits = digits.size() < most.size() || (digits.size() == most.size() && digits <= most);
  return !fits ? "400" : (negative && digits != "0" ? "-" : "") + std::string(digits);
}

std::string shown(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%a", number);
  return text;
}

// RFC 8259 §6.
bool is_json_number(std::string_view text) {
  const auto digits = [&] {
    const size_t n = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(n);
    return n;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (digits() == 0) {
    return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

template <typename T>
std::string model(std::string_view text) requires std::is_floating_point_v<T> {
  if (!is_json_number(text)) return "400";
  const double number = std::strtod(std::string(text).c_str(), nullptr);
  const bool fits = std::abs(number) <= static_cast<double>(std::numeric_limits<T>::max());
  return fits ? shown(static_cast<double>(static_cast<T>(number))) : "400";
}

std::string model_of_bool(std::string_view text) {
  if (text.empty() || text == "true" || text == "1") return "yes";
  return text == "false" || text == "0" ? "no" : "400";
}

template <typename T>
std::string said(T value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "yes" : "no";
  else if constexpr (std::is_floating_point_v<T>) return shown(static_cast<double>(value));
  else return std::to_string(value);
}

template <typename T>
void add(App& app, const std::string& name) {
  app.get("/q/" + name, [](Request& req, Response& res) {
    const Typed<T> n = req.query<T>("n");
    CHECK(static_cast<bool>(n) != res.sent());
    res.send(said(*n));
  });
  app.get("/p/" + name + "/:n", [](Request& req, Response& res) { res.send(said(*req.param<T>("n"))); });
}

std::string answer(App& app, const std::string& path) {
  const Reply reply = app.inject({.path = path});
  return reply.status == 200 ? std::string(reply.body) : std::to_string(reply.status);
}

}  // namespace

TEST_CASE("http_typed_random: parameters of every type are what a plain reader makes of them, or 400") {
  App app;
  add<int8_t>(app, "i8"), add<uint8_t>(app, "u8"), add<int16_t>(app, "i16"), add<uint16_t>(app, "u16");
  add<int32_t>(app, "i32"), add<uint32_t>(app, "u32"), add<int64_t>(app, "i64"), add<uint64_t>(app, "u64");
  add<double>(app, "f64"), add<float>(app, "f32"), add<bool>(app, "bool");
  Random random(20'250);
  for (int i = 0; i < 1500; i++) {
    const std::string text = random_text(random);
    const std::string path = escaped(random, text);
    CAPTURE(text);
    const auto check = [&](const char* type, const std::string& wanted) {
      CAPTURE(type);
      CHECK(answer(app, "/q/" + std::string(type) + "?x=1&n=" + path + "&n=later") == wanted);
      const bool is_dots = text == "." || text == "..";  // no path has these
      if (!text.empty() && !is_dots) CHECK(answer(app, "/p/" + std::string(type) + "/" + path) == wanted);
    };
    check("i8", model<int8_t>(text)), check("u8", model<uint8_t>(text)), check("i16", model<int16_t>(text)), check("u16", model<uint16_t>(text));
    check("i32", model<int32_t>(text)), check("u32", model<uint32_t>(text)), check("i64", model<int64_t>(text)), check("u64", model<uint64_t>(text));
    check("f64", model<double>(text)), check("f32", model<float>(text)), check("bool", model_of_bool(text));
  }
  CHECK(app.stats().late_responses == 0);
}

TEST_CASE("http_typed_random: a request id of a trusted proxy is kept as it is, or replaced by a fresh one") {
  static constexpr std::string_view kHarmless = "abcxyzABCXYZ0189-_.:=+/@";
  static constexpr std::string_view kOther = " \t\"'<>&;,%\\()[]{}!?#$*^|~`\x80\xC3\xFF";
  TestServer server([](App& app) { app.get("/", [](Request& req, Response& res) { res.send(req.id()); }); }, {.app = {.trusted_proxies = "loopback"}});
  Client client(server.port());
  Random random(20'251);
  std::set<std::string> made;
  for (int i = 0; i < 1500; i++) {
    std::string id;
    const size_t size = below(random, 8) ? 1 + below(random, 40) : 120 + below(random, 16);
    for (size_t n = 0; n < size; n++) id += kHarmless[below(random, kHarmless.size())];
    bool is_harmless = id.size() <= 128;
    if (below(random, 2)) {
      const char other = kOther[below(random, kOther.size())];
      const size_t at = below(random, id.size());
      id[at] = other;
      const bool trimmed = (other == ' ' || other == '\t') && (at == 0 || at == id.size() - 1) && id.size() > 1;
      if (trimmed) id.erase(at, 1);
      is_harmless = trimmed && id.size() <= 128;
    }
    CAPTURE(id);
    const std::string got = client.get("/", "X-Request-Id: " + id + "\r\n").body;
    if (is_harmless) {
      CHECK(got == id);
    } else {
      CHECK(got.size() == 24);
      CHECK(got.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos);
      CHECK(made.insert(got).second);
    }
  }
  CHECK(made.size() > 500);
}
