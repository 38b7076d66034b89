// What own types are written with that is no template: text, growth, and the way into a tree.
#include <martlet/json.h>

#include "json/cells.h"
#include "json/escape.h"
#include "json/names.h"

namespace martlet::json {

char* Put::more(JsonWriter& out, char* at, size_t size) noexcept {
  out.at_ = at;
  return out.grow(size + JsonWriter::kBeside) ? out.at_ : nullptr;
}

char* Put::text(JsonWriter& out, char* at, std::string_view text) noexcept {
  if (text.size() < 16 && copy_plain_short(at + 1, text.data(), text.size())) {
    *at = '"';
    at[text.size() + 1] = '"';
    return at + text.size() + 2;
  }
  *at++ = '"';
  const size_t plain = copy_plain(at, text.data(), text.size());
  at += plain;
  if (plain < text.size()) [[unlikely]] {
    out.at_ = at;
    if (!out.put_escaped(text.substr(plain))) return nullptr;
    at = out.at_;
  }
  *at++ = '"';
  return at;
}

char* Put::name(JsonWriter& out, char* at, std::string_view name) noexcept {
  at = room(out, at, name.size());
  if (at) at = text(out, at, name);
  if (!at) return nullptr;
  *at++ = ':';
  return room(out, at, 0);
}

// No text is refused for what a tree may be.
void read_back(const JsonWriter& written, Json& to) noexcept {
  if (written.ok()) {
    JsonResult<Json> tree = Json::parse(written.text(), {.depth = kMostDepth, .max_bytes = SIZE_MAX});
    if (tree) return void(to = std::move(*tree));
  }
  Access::cell(to).tag = kNull | kIncomplete;
}

}  // namespace martlet::json
