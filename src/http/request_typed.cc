// Parameters as values of a type, and the answer to those that are none. In a file of its own so that who asks for none
// links none of it, nor what answers a failure.
#include <martlet/request.h>

#include <charconv>
#include <cstdio>

#include "http/failures.h"
#include "json/number.h"

namespace martlet {

namespace detail {

namespace {

json::Number whole_number(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  json::Number number = json::read_number(at, at + text.size());
  if (number.end != at + text.size()) number.kind = json::NumberKind::bad;
  return number;
}

}  // namespace

// Leading zeros are good, a '+', blanks and "-0" of an unsigned are not: it is digits that are wanted.
bool read_integer(std::string_view text, const Wanted& wanted, uint64_t& to) noexcept {
  const char* const end = text.data() + text.size();
  if (wanted.least < 0) {
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    to = static_cast<uint64_t>(value);
    return error == std::errc() && stop == end && value >= wanted.least && (value < 0 || to <= wanted.most);
  }
  const auto [stop, error] = std::from_chars(text.data(), end, to);
  return error == std::errc() && stop == end && to <= wanted.most;
}

bool read_number(std::string_view text, double& to) noexcept {
  const json::Number number = whole_number(text);
  switch (number.kind) {
    case json::NumberKind::integer: to = static_cast<double>(number.integer); return true;
    case json::NumberKind::natural: to = static_cast<double>(number.natural); return true;
    case json::NumberKind::real: to = number.real; return true;
    case json::NumberKind::bad:
    case json::NumberKind::too_large: break;
  }
  return false;
}

bool read_boolean(std::string_view text, bool& to) noexcept {
  to = text.empty() || text == "true" || text == "1";
  return to || text == "false" || text == "0";
}

}  // namespace detail

namespace {

constexpr size_t kMostNamed = 64;

// "page: an integer from 0 to 255 is wanted". The name is the program's.
std::string_view describe(std::string_view name, const detail::Wanted& wanted, std::span<char> room) noexcept {
  const int shown = static_cast<int>(name.size() < kMostNamed ? name.size() : kMostNamed);
  const bool bounded = wanted.kind == detail::Wanted::Kind::integer;
  const char* const what = wanted.kind == detail::Wanted::Kind::number    ? "a number"
                           : wanted.kind == detail::Wanted::Kind::boolean ? "true or false"
                                                                          : "a text";
  const int size = bounded ? std::snprintf(room.data(), room.size(), "%.*s: an integer from %lld to %llu is wanted", shown, name.data(),
                                           static_cast<long long>(wanted.least), static_cast<unsigned long long>(wanted.most))
                           : std::snprintf(room.data(), room.size(), "%.*s: %s is wanted", shown, name.data(), what);
  return {room.data(), static_cast<size_t>(size)};
}

}  // namespace

void Request::refuse_value(std::string_view name, const detail::Wanted& wanted) const noexcept {
  char room[160];
  http::give_up(*exchange_, {400, describe(name, wanted, room)});
}

}  // namespace martlet
