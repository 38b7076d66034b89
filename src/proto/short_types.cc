// See short_types.h.
#include "proto/short_types.h"

#include "base/text.h"

namespace martlet::proto {

namespace {

struct ShortType {
  std::string_view name, type;
};

// What is asked for most stands first.
constexpr ShortType kShortTypes[] = {
    {"html", "text/html; charset=utf-8"}, {"json", "application/json"}, {"text", "text/plain; charset=utf-8"},
    {"css", "text/css; charset=utf-8"}, {"js", "text/javascript; charset=utf-8"}, {"svg", "image/svg+xml"},
    {"png", "image/png"}, {"bin", "application/octet-stream"}, {"atom", "application/atom+xml"}, {"avif", "image/avif"},
    {"csv", "text/csv; charset=utf-8"}, {"form", "application/x-www-form-urlencoded"}, {"gif", "image/gif"},
    {"gz", "application/gzip"}, {"htm", "text/html; charset=utf-8"}, {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"}, {"jpeg", "image/jpeg"}, {"jpg", "image/jpeg"},
    {"jsonld", "application/ld+json"}, {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"}, {"mp3", "audio/mpeg"}, {"mp4", "video/mp4"},
    {"ndjson", "application/x-ndjson"}, {"pdf", "application/pdf"}, {"rss", "application/rss+xml"},
    {"sse", "text/event-stream"}, {"txt", "text/plain; charset=utf-8"},
    {"urlencoded", "application/x-www-form-urlencoded"}, {"wasm", "application/wasm"}, {"webp", "image/webp"},
    {"xhtml", "application/xhtml+xml"}, {"xml", "application/xml"}, {"yaml", "application/yaml"},
    {"yml", "application/yaml"}, {"zip", "application/zip"},
};

}  // namespace

std::string_view content_type_of(std::string_view short_name) noexcept {
  if (short_name.find('/') != short_name.npos) return {};  // most are whole types
  for (const ShortType& known : kShortTypes) {
    if (base::same_text(known.name, short_name)) return known.type;
  }
  return {};
}

std::string_view media_type_of(std::string_view short_name) noexcept {
  const std::string_view type = content_type_of(short_name);
  return type.substr(0, type.find(';'));
}

}  // namespace martlet::proto
