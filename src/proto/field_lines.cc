// See field_lines.h. Fields that the library knows by number have been counted by the parser: nearly always there is one
// line, and no look at the others.
#include "proto/field_lines.h"

#include <cstring>

#include "base/text.h"

namespace martlet::proto {

namespace {

// Fields of requests that have one value, and the ones of responses that find their way into requests.
constexpr std::string_view kSingletons[] = {
    "access-control-request-method", "age", "authorization", "content-disposition", "content-length",
    "content-location", "content-range", "content-type", "date", "etag", "expires", "from", "host", "if-modified-since",
    "if-range", "if-unmodified-since", "last-event-id", "last-modified", "location", "max-forwards", "origin",
    "proxy-authorization", "range", "referer", "retry-after", "sec-websocket-key", "sec-websocket-version", "server",
    "set-cookie", "upgrade-insecure-requests", "user-agent",
};

bool is_singleton(std::string_view name) noexcept {
  for (std::string_view singleton : kSingletons) {
    if (base::equals_lower(name, singleton)) return true;
  }
  return false;
}

// The next line of this field behind `line`; null when there is none.
const Field* next_line(const RequestHead& head, const uint8_t* base, const Field& line) noexcept {
  if (line.name != FieldName::other && head.count(line.name) == 1) return nullptr;
  const std::string_view name = head.name(base, line);
  for (const Field* f = &line + 1; f != head.fields + head.field_count; f++) {
    if (f->name == line.name && (line.name != FieldName::other || base::same_text(head.name(base, *f), name))) return f;
  }
  return nullptr;
}

constexpr size_t kSeparatorBytes = 2;

const char* separator(const RequestHead& head, const uint8_t* base, const Field& first) noexcept {
  return base::equals_lower(head.name(base, first), "cookie") ? "; " : ", ";
}

}  // namespace

size_t joined_size(const RequestHead& head, const uint8_t* base, const Field& first) noexcept {
  const Field* line = next_line(head, base, first);
  if (!line || is_singleton(head.name(base, first))) return first.value_length;
  size_t size = first.value_length;
  for (; line; line = next_line(head, base, *line)) size += kSeparatorBytes + line->value_length;
  return size;
}

void join_lines(const RequestHead& head, const uint8_t* base, const Field& first, char* out) noexcept {
  const char* const between = separator(head, base, first);
  for (const Field* line = &first;;) {
    const std::string_view value = head.value(base, *line);
    if (!value.empty()) std::memcpy(out, value.data(), value.size());
    out += value.size();
    line = next_line(head, base, *line);
    if (!line) return;
    std::memcpy(out, between, kSeparatorBytes);
    out += kSeparatorBytes;
  }
}

}  // namespace martlet::proto
