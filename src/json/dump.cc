// Trees as text. The compact form has a way of its own, with the end of the text in a register; the others go through the
// writer's calls. No deeper than a text may be.
#include "json/cells.h"
#include "json/escape.h"
#include "json/names.h"
#include "json/number.h"

namespace martlet::json {

namespace {

class Dumper {
 public:
  explicit Dumper(JsonWriter& out) noexcept : out_(out), end_(Access::end(out)) {}

  // The end of the text behind the value; null when memory is out.
  char* value(const Cell& cell, char* at) noexcept;

 private:
  // What stands beside a text, or is a number.
  static constexpr size_t kBeside = 48;

  char* room(char* at, size_t size) noexcept {
    if (static_cast<size_t>(end_ - at) >= size + kBeside) [[likely]] return at;
    at = Access::more(out_, at, size + kBeside);
    end_ = Access::end(out_);
    return at;
  }
  char* text(const Cell& cell, char* at) noexcept;
  char* escaped(std::string_view text, char* at) noexcept;
  char* scalar(const Cell& cell, char* at) noexcept;
  char* container(const Cell& cell, char* at, uint32_t depth) noexcept;

  JsonWriter& out_;
  char* end_;
};

char* put(char* at, std::string_view word) noexcept {
  std::memcpy(at, word.data(), word.size());
  return at + word.size();
}

[[gnu::noinline]] char* Dumper::escaped(std::string_view text, char* at) noexcept {
  while (!text.empty()) {
    at = room(at, text.size() + kEscapeBytes);
    if (!at) return nullptr;
    const size_t plain = copy_plain(at, text.data(), text.size());
    at += plain;
    text.remove_prefix(plain);
    if (text.empty()) break;
    at = put_escape(at, text.front());
    text.remove_prefix(1);
  }
  return at;
}

// Most are known to need no escapes.
[[gnu::always_inline]] inline char* Dumper::text(const Cell& cell, char* at) noexcept {
  const std::string_view text = text_of(cell);
  at = room(at, text.size());
  if (!at) return nullptr;
  *at++ = '"';
  if (!(cell.tag & kPlain)) {
    at = escaped(text, at);
    if (!at) return nullptr;
  } else if (cell.tag & kShort) {
    std::memcpy(at, &cell, sizeof cell);
    at += text.size();
  } else {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }
  *at++ = '"';
  return at;
}

// What is no string; there is room for it.
[[gnu::always_inline]] inline char* Dumper::scalar(const Cell& cell, char* at) noexcept {
  const auto number = reinterpret_cast<uint8_t*>(at);
  switch (kind_of(cell)) {
    case kBoolean: return put(at, cell.natural ? std::string_view("true") : std::string_view("false"));
    case kInteger: return reinterpret_cast<char*>(write_integer(number, cell.integer));
    case kNatural: return reinterpret_cast<char*>(write_natural(number, cell.natural));
    case kReal: return reinterpret_cast<char*>(write_real(number, cell.real));
    default: return put(at, "null");
  }
}

// What is no container is written here, without a call for each. There is room for a bracket, before and behind.
char* Dumper::container(const Cell& cell, char* at, uint32_t depth) noexcept {
  if (depth == kMostDepth) return put(at, "null");
  const bool object = kind_of(cell) == kObject;
  const char bracket = object ? '{' : '[';
  *at++ = bracket;
  const Cell* const end = cell.cells + cell_count(cell);
  for (const Cell* next = cell.cells; next != end; next++) {
    if (object) {
      if (!(at = text(*next++, at))) return nullptr;
      *at++ = ':';
    }
    if (kind_of(*next) == kString) {
      at = text(*next, at);
    } else if ((at = room(at, 0))) {
      at = is_container(*next) ? container(*next, at, depth + 1) : scalar(*next, at);
    }
    if (!at) return nullptr;
    *at++ = ',';
  }
  if (cell.size) at--;
  *at = static_cast<char>(bracket + 2);
  return room(at + 1, 0);
}

char* Dumper::value(const Cell& cell, char* at) noexcept {
  if (kind_of(cell) == kString) return text(cell, at);
  at = room(at, 0);
  if (!at) return nullptr;
  return is_container(cell) ? container(cell, at, 0) : scalar(cell, at);
}

// Any format, by the writer's own calls.
void write_formatted(JsonWriter& out, const Json& value, uint32_t depth) noexcept {
  const Cell& cell = Access::cell(value);
  switch (kind_of(cell)) {
    case kBoolean: return out.value(cell.natural != 0);
    case kInteger: return out.value(cell.integer);
    case kNatural: return out.value(cell.natural);
    case kReal: return out.value(cell.real);
    case kString: return out.value(text_of(cell));
    case kArray: case kObject: break;
    default: return out.value(nullptr);
  }
  if (depth >= kMostDepth) return out.value(nullptr);
  if (value.is_array()) {
    out.begin_array();
    for (const Json& item : value.items()) write_formatted(out, item, depth + 1);
    out.end_array();
  } else {
    out.begin_object();
    for (const auto& [name, member] : value.members()) {
      out.key(name);
      write_formatted(out, member, depth + 1);
    }
    out.end_object();
  }
}

}  // namespace

}  // namespace martlet::json

namespace martlet {

void JsonWriter::value(const Json& tree) noexcept {
  if (format_.html || format_.indent) return json::write_formatted(*this, tree, 0);
  if (!lead(0)) return;
  json::Dumper dumper(*this);
  // null: memory was out, and fail() has been called
  if (char* end = dumper.value(json::Access::cell(tree), at_)) at_ = end;
}

std::string Json::dump(uint32_t indent) const { return dump(JsonFormat{.indent = indent}); }

std::string Json::dump(const JsonFormat& format) const {
  JsonWriter out(format);
  out.value(*this);
  return std::string(out.text());
}

}  // namespace martlet
