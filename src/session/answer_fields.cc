// See answer_fields.h.
#include "session/answer_fields.h"

#include <cstdint>

#include "base/check.h"
#include "base/text.h"
#include "proto/http_chars.h"
#include "session/sessions.h"
#include "sys/log_line.h"

namespace martlet::session {

namespace {

// Fields that say how the message is framed: the library's own.
bool is_reserved(std::string_view name) noexcept {
  return base::equals_lower(name, "content-length") || base::equals_lower(name, "transfer-encoding") ||
         base::equals_lower(name, "connection") || base::equals_lower(name, "date");
}

// False: it is not to be set.
bool may_be_set(Exchange& e, std::string_view name, std::string_view value) noexcept {
  if (is_reserved(name)) return false;
  if (proto::is_token(name) && is_field_value(value)) return true;
  e.sessions->stats.refused_headers++;
  sys::log_limited(LogLevel::warn, "a response field was refused", name.substr(0, 64));
  return false;
}

struct Line {
  size_t begin, end;  // with its CRLF
  std::string_view name, value;
};

// The line at `at`; its end is where the next one begins.
Line line_at(std::string_view text, size_t at) noexcept {
  const size_t end = text.find("\r\n", at);
  const size_t colon = text.find(':', at);
  return {at, end + 2, text.substr(at, colon - at), text.substr(colon + 2, end - colon - 2)};
}

void add_line(Exchange& e, std::string_view name, std::string_view value) noexcept {
  e.flags.owns_more = true;
  // A line is there whole or not at all: what walks the lines relies on their ends.
  const size_t size = name.size() + 2 + value.size() + 2;
  uint8_t* to = e.fields.reserve(size);
  if (!to) return;
  std::memcpy(to, name.data(), name.size());
  to += name.size();
  std::memcpy(to, ": ", 2);
  if (!value.empty()) std::memcpy(to + 2, value.data(), value.size());
  std::memcpy(to + 2 + value.size(), "\r\n", 2);
  e.fields.commit(size);
}

bool is_type(std::string_view name) noexcept { return base::equals_lower(name, "content-type"); }

// In its own place, unless it is too long for that.
void set_any_type(Exchange& e, std::string_view name, std::string_view type) noexcept {
  remove_field(e, name);
  if (type.size() <= Exchange::kTypeBytes) return set_type(e, type);
  e.type_in_fields = true;
  add_line(e, name, type);
}

}  // namespace

namespace {

bool is_in_fields(const Exchange& e, std::string_view value) noexcept {
  return reinterpret_cast<uintptr_t>(value.data()) - reinterpret_cast<uintptr_t>(e.fields.data()) < e.fields.size();
}

// False when memory is out.
inline bool take_apart(Exchange& e, std::string_view& value) noexcept {
  if (!is_in_fields(e, value)) [[likely]] return true;
  const auto kept = apart(e, value);
  value = kept.value_or(std::string_view());
  return kept.has_value();
}

}  // namespace

std::optional<std::string_view> apart(Exchange& e, std::string_view value) noexcept {
  if (value.empty() || !is_in_fields(e, value)) return value;
  char* const room = e.text_room(value.size());
  if (!room) return std::nullopt;
  std::memcpy(room, value.data(), value.size());
  return std::string_view(room, value.size());
}

bool is_field_value(std::string_view value) noexcept {
  for (const char c : value) {
    if (!proto::has_class(static_cast<uint8_t>(c), proto::char_class::field_value)) return false;
  }
  return true;
}

namespace {

bool has_line(std::string_view lines, std::string_view name) noexcept {
  for (size_t at = 0; at < lines.size();) {
    const Line line = line_at(lines, at);
    if (base::same_text(line.name, name)) return true;
    at = line.end;
  }
  return false;
}

void remove_lines(Exchange& e, std::string_view name) noexcept {
  size_t kept = 0;
  for (size_t at = 0; at < e.fields.size();) {
    const Line line = line_at(e.fields.text(), at);
    if (!base::same_text(line.name, name)) {
      if (kept != at) std::memmove(e.fields.data() + kept, e.fields.data() + at, line.end - at);
      kept += line.end - at;
    }
    at = line.end;
  }
  if (kept < e.fields.size()) e.fields.truncate(kept);
}

}  // namespace

void set_lines(Exchange& e, std::string_view lines, uint64_t names) noexcept {
  e.flags.owns_more = true;
  size_t kept = 0;
  for (size_t at = 0; at < e.fields.size();) {
    const Line line = line_at(e.fields.text(), at);
    if (!(names & name_bit(line.name)) || !has_line(lines, line.name)) {
      if (kept != at) std::memmove(e.fields.data() + kept, e.fields.data() + at, line.end - at);
      kept += line.end - at;
    }
    at = line.end;
  }
  if (kept < e.fields.size()) e.fields.truncate(kept);
  e.fields.append(lines);
}

void remove_field(Exchange& e, std::string_view name) noexcept {
  if (is_type(name)) {
    e.content_type_bytes = 0;
    e.type_in_fields = false;
  }
  remove_lines(e, name);
}

void set_field(Exchange& e, std::string_view name, std::string_view value) noexcept {
  if (!take_apart(e, value) || !may_be_set(e, name, value)) return;
  if (is_type(name)) return set_any_type(e, name, value);
  if (!e.fields.empty() && !base::equals_lower(name, "set-cookie")) remove_lines(e, name);
  add_line(e, name, value);
}

void append_field(Exchange& e, std::string_view name, std::string_view value) noexcept {
  if (!take_apart(e, value) || !may_be_set(e, name, value)) return;
  is_type(name) ? set_any_type(e, name, value) : add_line(e, name, value);
}

std::optional<std::string_view> find_field(const Exchange& e, std::string_view name) noexcept {
  if (is_type(name) && e.content_type_bytes) return std::string_view(e.content_type, e.content_type_bytes);
  size_t at = 0;
  return next_field(e, name, at);
}

std::optional<std::string_view> next_field(const Exchange& e, std::string_view name, size_t& at) noexcept {
  while (at < e.fields.size()) {
    const Line line = line_at(e.fields.text(), at);
    at = line.end;
    if (base::same_text(line.name, name)) return line.value;
  }
  return std::nullopt;
}

bool note_second_answer(Exchange& e) noexcept {
  if (e.flags.settled || e.is_kept()) return true;  // a task goes on after it: somebody else, or a deadline, has answered
  e.sessions->stats.late_responses++;
  sys::log_limited(LogLevel::warn, "a second response to one request was ignored", {});
  MARTLET_DCHECK(false && "a second terminal call on a response");
  return true;
}

}  // namespace martlet::session
