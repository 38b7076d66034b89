// Json: values by their place (JSON pointers, RFC 6901).
#include "json/cells.h"
#include "json/names.h"

namespace martlet {

namespace {

// One token of a pointer: the text up to the next '/', in which ~1 stands for '/' and ~0 for '~'.
struct Token {
  std::string_view raw;
  bool escaped;

  std::string text() const {
    std::string plain;
    for (size_t i = 0; i < raw.size(); i++) {
      const bool pair = raw[i] == '~';
      if (pair) i++;
      plain += pair ? (raw[i] == '1' ? '/' : '~') : raw[i];
    }
    return plain;
  }
};

// Takes the first token off; false when the pointer has none, or is none.
bool take_token(std::string_view& pointer, Token& token) noexcept {
  if (!pointer.starts_with('/')) return false;
  const size_t end = std::min(pointer.find('/', 1), pointer.size());
  token = {pointer.substr(1, end - 1), false};
  pointer.remove_prefix(end);
  for (size_t at = token.raw.find('~'); at != token.raw.npos; at = token.raw.find('~', at + 1)) {
    token.escaped = true;
    if (at + 1 == token.raw.size() || (token.raw[at + 1] != '0' && token.raw[at + 1] != '1')) return false;
  }
  return true;
}

// An index has no leading zeros (RFC 6901 §4).
bool parse_index(std::string_view text, size_t& index) noexcept {
  if (text.empty() || text.size() > 10 || (text.size() > 1 && text[0] == '0')) return false;
  index = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    index = index * 10 + static_cast<size_t>(c - '0');
  }
  return true;
}

const Json* child(const Json& parent, const Token& token) noexcept {
  size_t index = 0;
  if (parent.is_array()) return parse_index(token.raw, index) && index < parent.size() ? &parent[index] : nullptr;
  return token.escaped ? parent.find(token.text()) : parent.find(token.raw);
}

}  // namespace

const Json* Json::find_pointer(std::string_view pointer) const noexcept {
  const Json* at = this;
  Token token;
  while (at && !pointer.empty()) at = take_token(pointer, token) ? child(*at, token) : nullptr;
  return at;
}

Json* Json::find_pointer(std::string_view pointer) noexcept {
  Json* at = this;
  Token token;
  while (at && !pointer.empty()) {
    if (!take_token(pointer, token)) return nullptr;
    // By the way that tells the document that its parts may change.
    Json* const parent = at;
    at = const_cast<Json*>(child(*parent, token));
    if (at && parent->is_array()) (void)parent->items();
    if (at && parent->is_object()) (void)parent->members();
  }
  return at;
}

const Json& Json::pointer(std::string_view pointer) const noexcept {
  const Json* found = find_pointer(pointer);
  return found ? *found : json::Access::value(json::null_cell);
}

bool Json::set_pointer(std::string_view pointer, Json value) noexcept {
  const size_t last = pointer.rfind('/');
  Json* parent = pointer.empty() ? nullptr : last == pointer.npos ? nullptr : find_pointer(pointer.substr(0, last));
  if (pointer.empty()) return *this = std::move(value), true;
  Token token;
  std::string_view rest = pointer.substr(last == pointer.npos ? 0 : last);
  if (!parent || !take_token(rest, token)) return false;
  if (parent->is_object()) {
    const std::string name = token.text();
    Json* member = parent->find(name);
    if (!member) member = json::append_member(json::Access::cell(*parent), name);
    return member && (*member = std::move(value), true);
  }
  size_t index = 0;
  if (!parent->is_array()) return false;
  if (token.raw == "-" || (parse_index(token.raw, index) && index == parent->size())) return parent->push_back(std::move(value));
  if (!parse_index(token.raw, index) || index >= parent->size()) return false;
  (*parent)[index] = std::move(value);
  return true;
}

}  // namespace martlet
