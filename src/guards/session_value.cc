// See session_value.h.
#include "guards/session_value.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "codec/base64.h"

namespace martlet::guards {

namespace {

constexpr std::string_view kVersion = "1";

// What stands before the next '.', which is taken off.
std::optional<std::string_view> next_part(std::string_view& text) noexcept {
  const size_t dot = text.find('.');
  if (dot == text.npos) return std::nullopt;
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(dot + 1);
  return part;
}

std::optional<int64_t> seconds_in(const std::optional<std::string_view>& part) noexcept {
  int64_t seconds = 0;
  if (!part) return std::nullopt;
  const char* const end = part->data() + part->size();
  const auto [stop, error] = std::from_chars(part->data(), end, seconds);
  return error == std::errc() && stop == end && seconds >= 0 ? std::optional(seconds) : std::nullopt;
}

bool is_id(std::string_view text) noexcept {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return text.size() == kSessionIdLetters && std::all_of(text.begin(), text.end(), is_letter);
}

}  // namespace

std::optional<SessionValue> parse_session_value(std::string_view text) noexcept {
  if (text.size() > kMostSessionLetters || next_part(text) != kVersion) return std::nullopt;
  const std::optional<int64_t> expires = seconds_in(next_part(text));
  const std::optional<int64_t> born = seconds_in(next_part(text));
  const std::optional<std::string_view> id = next_part(text);
  if (!expires || !born || !id || !is_id(*id)) return std::nullopt;
  return SessionValue{*expires, *born, *id, text};
}

std::string encode_session_value(const SessionValue& value, std::string_view json) {
  std::string text(kVersion);
  text.append(".").append(std::to_string(value.expires)).append(".").append(std::to_string(value.born)).append(".").append(value.id).append(".");
  const size_t begin = text.size();
  text.resize(begin + codec::base64_encoded_size(json.size()));
  text.resize(begin + codec::encode_base64url(base::as_bytes(json), text.data() + begin));
  return text;
}

}  // namespace martlet::guards
