// Json: values by their place (JSON pointers, RFC 6901).
#include "json/cells.h"
#include "json/document.h"

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

// The child that is there, or is put there as a null; null when there can be none.
Json* child_to_set(Json& parent, std::string_view pointer) noexcept {
  Token token;
  if (!take_token(pointer, token)) return nullptr;
  if (parent.is_object()) return json::find_or_append(parent, token.text());
  size_t index = parent.size();
  if (!parent.is_array() || (token.raw != "-" && !parse_index(token.raw, index))) return nullptr;
  if (index > parent.size() || (index == parent.size() && !parent.push_back(Json()))) return nullptr;
  return &parent[index];
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
    json::touch(json::Access::cell(*at));
    at = const_cast<Json*>(child(*at, token));
  }
  return at;
}

const Json& Json::pointer(std::string_view pointer) const noexcept {
  const Json* found = find_pointer(pointer);
  return found ? *found : json::nobodys();
}

bool Json::set_pointer(std::string_view pointer, Json value) noexcept {
  const size_t last = pointer.rfind('/');
  if (last == pointer.npos && !pointer.empty()) return false;
  Json* place = this;
  if (!pointer.empty()) {
    Json* parent = find_pointer(pointer.substr(0, last));
    place = parent ? child_to_set(*parent, pointer.substr(last)) : nullptr;
  }
  if (!place || json::is_nobodys(json::Access::cell(*place))) return false;
  *place = std::move(value);
  return true;
}

}  // namespace martlet
