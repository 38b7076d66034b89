// See constraint.h. A judged path has no escaped letters, digits, '-' or '_': the built-in ones need no decoding.
#include "routing/constraint.h"

#include "base/bytes.h"
#include "codec/percent.h"

namespace martlet::routing {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_alnum(char c) noexcept {
  const char lower = base::ascii_lower(c);
  return is_digit(c) || (lower >= 'a' && lower <= 'z');
}

bool is_number(std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_digit(c)) return false;
  }
  return !text.empty();
}

// A number that fits int64_t, so that who asked for an int gets one. (from_chars is a kilobyte more, in every program.)
bool is_int(std::string_view text) noexcept {
  const bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative);
  if (!is_number(digits)) return false;
  while (digits.starts_with('0')) digits.remove_prefix(1);
  constexpr std::string_view kMost = "9223372036854775807";
  if (digits.size() != kMost.size()) return digits.size() < kMost.size();
  return digits <= kMost || (negative && digits == "9223372036854775808");
}

// RFC 9562 §4, in letters of either case.
bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); i++) {
    const char lower = base::ascii_lower(text[i]);
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? lower != '-' : !is_digit(lower) && (lower < 'a' || lower > 'f')) return false;
  }
  return true;
}

bool is_slug(std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_alnum(c) && c != '-' && c != '_') return false;
  }
  return true;
}

bool is_all_alnum(std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_alnum(c)) return false;
  }
  return true;
}

[[gnu::noinline]] bool ask_decoded(Predicate& predicate, std::string_view segment) noexcept {
  char room[kMaxDecodedSegment];
  if (segment.size() > sizeof room) return false;
  const auto size = codec::decode_percent(segment, room);
  bool holds = false;
  if (size) predicate(std::string_view(room, *size), holds);
  return holds;
}

}  // namespace

bool Constraint::holds(std::string_view segment) const noexcept {
  if (builtin) return builtin(segment);
  if (!codec::is_plain(segment)) return ask_decoded(*predicate, segment);
  bool answer = false;
  (*predicate)(segment, answer);
  return answer;
}

const Constraint* Constraints::find_builtin(std::string_view name) noexcept {
  static constexpr Constraint kBuiltin[] = {{"int", is_int}, {"uuid", is_uuid}, {"slug", is_slug}, {"alnum", is_all_alnum}};
  for (const Constraint& constraint : kBuiltin) {
    if (constraint.name == name) return &constraint;
  }
  return nullptr;
}

const char* Constraints::add(std::string_view name, Predicate predicate) {
  if (name.empty() || !is_name(name)) return "a constraint's name has letters, digits and '_'";
  if (find_builtin(name)) return "this constraint is built in";
  for (const Own& own : own_) {
    if (own.name == name) return "there is a constraint of this name";
  }
  if (!predicate) return "a constraint needs a predicate";
  Own& own = own_.emplace_back(name, std::move(predicate));
  own.constraint = {own.name, nullptr, &own.predicate};
  return nullptr;
}

const Constraint* Constraints::find(std::string_view name) const noexcept {
  for (const Own& own : own_) {
    if (own.name == name) return &own.constraint;
  }
  return outer_ ? outer_->find(name) : find_builtin(name);
}

bool is_name(std::string_view name) noexcept {
  for (const char c : name) {
    if (!is_alnum(c) && c != '_' && static_cast<unsigned char>(c) < 0x80) return false;
  }
  return true;
}

}  // namespace martlet::routing
