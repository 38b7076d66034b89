// Content-Disposition: what is written of any name is printable, bounded and read back as the name that a plain cleaner
// makes of it. What is read is taken apart once more by a plain parser that copies. Media types have the same parameters.
#include <map>
#include <optional>

#include "fuzz/fuzz.h"
#include "proto/content_disposition.h"
#include "proto/media_type.h"

using namespace martlet;

namespace {

bool is_token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

std::string take_token(std::string_view text, size_t& at) {
  std::string token;
  while (at < text.size() && is_token_char(text[at])) token += text[at++];
  return token;
}

struct PlainValue {
  std::string raw, meant;
  bool quoted = false;
};
using PlainParameters = std::map<std::string, PlainValue>;

bool take_value(std::string_view text, size_t& at, PlainValue& value) {
  value.quoted = at < text.size() && text[at] == '"';
  if (!value.quoted) {
    value.raw = value.meant = take_token(text, at);
    return !value.raw.empty();
  }
  for (at++; at < text.size() && text[at] != '"'; at++) {
    if (text[at] == '\\') {
      value.raw += text[at++];
      if (at == text.size()) return false;
    }
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte < 32 && byte != 9) || byte == 127) return false;
    value.raw += text[at];
    value.meant += text[at];
  }
  return at++ < text.size();
}

std::optional<PlainParameters> parameters_plainly(std::string_view text) {
  PlainParameters all;
  size_t at = 0;
  const auto skip = [&](std::string_view some) {
    const size_t before = at;
    while (at < text.size() && some.find(text[at]) != some.npos) at++;
    return text.substr(before, at - before).find(';') != text.npos;
  };
  while (at < text.size()) {
    const bool separate = skip(" \t;");
    if (at == text.size()) return all;
    const std::string name = fuzz::lower(take_token(text, at));
    PlainValue value;
    if (!separate || name.empty() || at == text.size() || text[at++] != '=' || !take_value(text, at, value)) return std::nullopt;
    if (!all.emplace(name, value).second || all.size() > 16) return std::nullopt;
  }
  return all;
}

std::string base_plainly(std::string name) {
  while (!name.empty() && (name.back() == '/' || name.back() == '\\')) name.pop_back();
  for (size_t i = name.size(); i-- > 0;) {
    if (name[i] == '/' || name[i] == '\\') {
      name = name.substr(i + 1);
      break;
    }
  }
  return name == "." || name == ".." ? "" : name;
}

int escape_at(std::string_view text, size_t at) {
  const bool is = text.size() - at > 2 && text[at] == '%' && std::isxdigit(static_cast<unsigned char>(text[at + 1])) &&
                  std::isxdigit(static_cast<unsigned char>(text[at + 2]));
  return is ? std::stoi(std::string(text.substr(at + 1, 2)), nullptr, 16) : -1;
}

// Code points one by one: the size of the character at `at`, or 0.
size_t character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const auto more = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xC2 && byte(0) < 0xE0) return more(1) ? 2 : 0;
  if (byte(0) >= 0xE0 && byte(0) < 0xF0 && more(1) && more(2)) {
    const unsigned point = (byte(0) & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
    return point >= 0x800 && (point < 0xD800 || point > 0xDFFF) ? 3 : 0;
  }
  if (byte(0) >= 0xF0 && byte(0) < 0xF5 && more(1) && more(2) && more(3)) {
    const unsigned point = (byte(0) & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63);
    return point >= 0x10000 && point <= 0x10FFFF ? 4 : 0;
  }
  return 0;
}

std::string clean_plainly(const std::string& name, std::vector<size_t>* ends = nullptr) {
  std::string clean;
  for (size_t at = 0; at < name.size();) {
    const size_t size = character_at(name, at);
    const auto byte = static_cast<unsigned char>(name[at]);
    const bool c1 = size == 2 && byte == 0xC2 && static_cast<unsigned char>(name[at + 1]) < 0xA0;
    clean += size == 0 ? "\xEF\xBF\xBD" : byte < 32 || byte == 127 || c1 ? "_" : name.substr(at, size);
    if (ends) ends->push_back(clean.size());
    at += std::max<size_t>(size, 1);
  }
  return clean;
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0, size; at < text.size(); at += size) {
    if ((size = character_at(text, at)) == 0) return false;
  }
  return true;
}

template <typename Decode>
std::string decoded(const proto::ContentDisposition& from, size_t bytes, Decode decode) {
  const fuzz::Exact room(bytes);
  auto* out = reinterpret_cast<char*>(room.data());
  return {out, decode(from, out)};
}

std::string quoted_plainly(const PlainValue& value, bool in_form) {
  std::string out;
  for (size_t i = 0; i < value.raw.size(); i++) {
    const char next = i + 1 < value.raw.size() ? value.raw[i + 1] : '\0';
    if (value.quoted && value.raw[i] == '\\' && (next == '"' || next == '\\')) {
      out += value.raw[++i];
    } else if (in_form && value.raw.compare(i, 3, "%22") == 0) {
      out += '"';
      i += 2;
    } else {
      out += value.raw[i];
    }
  }
  return out;
}

std::optional<std::string> extended_plainly(const PlainValue& value) {
  const size_t first = value.raw.find('\'');
  const size_t second = first == std::string::npos ? first : value.raw.find('\'', first + 1);
  if (value.quoted || second == std::string::npos) return std::nullopt;
  const std::string charset = fuzz::lower(value.raw.substr(0, first));
  if (charset != "utf-8" && charset != "iso-8859-1") return std::nullopt;
  std::string out;
  for (size_t i = second + 1; i < value.raw.size(); i++) {
    const int byte = escape_at(value.raw, i);
    if (byte < 0 && value.raw[i] == '%') return std::nullopt;
    if (byte >= 0x80 && charset == "iso-8859-1") {
      out += static_cast<char>(byte < 0xC0 ? 0xC2 : 0xC3);
      out += static_cast<char>(byte < 0xC0 ? byte : byte - 0x40);
    } else {
      out += byte >= 0 ? static_cast<char>(byte) : value.raw[i];
    }
    if (byte >= 0) i += 2;
  }
  return is_utf8(out) ? std::optional(out) : std::nullopt;
}

void check_read(std::string_view text) {
  const fuzz::Exact bytes(base::as_bytes(text));
  const auto found = proto::parse_content_disposition(base::as_text(bytes.span()));
  size_t at = 0;
  const std::string type = take_token(text, at);
  const bool ends = at == text.size() || text[at] == ';' || text[at] == ' ' || text[at] == '\t';
  const auto wanted = parameters_plainly(text.substr(at));
  FUZZ_CHECK(found.has_value() == (!type.empty() && ends && wanted));
  if (!found) return;
  FUZZ_CHECK(found->type == type && found->is_form_data() == (fuzz::lower(type) == "form-data"));
  const auto value = [&](const char* name) {
    const auto it = wanted->find(name);
    return it == wanted->end() ? std::optional<PlainValue>() : it->second;
  };
  FUZZ_CHECK(found->name.has_value() == value("name").has_value());
  const std::string name = decoded(*found, found->name_room(), proto::decode_field_name);
  FUZZ_CHECK(name == (value("name") ? quoted_plainly(*value("name"), found->is_form_data()) : ""));
  FUZZ_CHECK(found->is_file() == (value("filename") || value("filename*")));
  std::optional<std::string> file = value("filename*") ? extended_plainly(*value("filename*")) : std::nullopt;
  if (!file && value("filename")) file = quoted_plainly(*value("filename"), found->is_form_data());
  std::string base = base_plainly(file.value_or(""));
  for (char& c : base) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '_';
  }
  FUZZ_CHECK(decoded(*found, found->file_name_room(), proto::decode_file_name) == base);
}

void check_media_type(std::string_view text) {
  const fuzz::Exact bytes(base::as_bytes(text));
  const auto found = proto::parse_media_type(base::as_text(bytes.span()));
  size_t at = 0;
  const std::string type = take_token(text, at);
  const bool slash = at < text.size() && text[at++] == '/';
  const std::string subtype = slash ? take_token(text, at) : "";
  const bool ends = at == text.size() || text[at] == ';' || text[at] == ' ' || text[at] == '\t';
  const auto wanted = parameters_plainly(text.substr(std::min(at, text.size())));
  FUZZ_CHECK(found.has_value() == (!type.empty() && !subtype.empty() && ends && wanted));
  if (!found) return;
  FUZZ_CHECK(found->type() == type && found->subtype() == subtype && subtype.ends_with(found->suffix()));
  FUZZ_CHECK(found->is(fuzz::lower(type + "/" + subtype)));
  for (const auto& [name, value] : *wanted) {
    const auto parameter = found->find(name);
    FUZZ_CHECK(parameter && parameter->text == value.raw && parameter->quoted == value.quoted);
    FUZZ_CHECK(parameter->equals(value.meant) && parameter->equals_lower(fuzz::lower(value.meant)));
    FUZZ_CHECK(!parameter->equals(value.meant + "x"));
    const fuzz::Exact room(value.raw.size());
    auto* out = reinterpret_cast<char*>(room.data());
    FUZZ_CHECK(std::string_view(out, parameter->unquote(out)) == value.meant);
  }
}

void check_written(std::string_view name, proto::Disposition disposition) {
  const fuzz::Exact bytes(base::as_bytes(name));
  const fuzz::Exact room(proto::kContentDispositionBytes);
  auto* out = reinterpret_cast<char*>(room.data());
  const size_t size = proto::encode_content_disposition(disposition, base::as_text(bytes.span()), out);
  FUZZ_CHECK(size <= room.size());
  const std::string_view value(out, size);
  FUZZ_CHECK(std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < 127; }));
  const auto found = proto::parse_content_disposition(value);
  FUZZ_CHECK(found && !found->name);
  const std::string file = decoded(*found, found->file_name_room(), proto::decode_file_name);
  std::vector<size_t> ends;
  const std::string clean = clean_plainly(base_plainly(std::string(name)), &ends);
  FUZZ_CHECK(found->is_file() == !clean.empty());
  if (clean.size() <= proto::kMaxFileNameBytes) {
    FUZZ_CHECK(file == clean);
  } else {  // the front, to the end of a character, and perhaps the extension
    FUZZ_CHECK(file.size() <= proto::kMaxFileNameBytes && file.size() > proto::kMaxFileNameBytes - 4);
    size_t same = 0;
    while (same < file.size() && file[same] == clean[same]) same++;
    FUZZ_CHECK(same == file.size() || clean.ends_with(file.substr(file.rfind('.'))));
    FUZZ_CHECK(is_utf8(file));
  }
  if (!found->extended && found->file_name) FUZZ_CHECK(found->file_name->equals(file));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const bool shown = input.control() & 1;
  const std::string_view text = base::as_text(input.rest());
  check_read(text);
  check_read("form-data; name=\"" + std::string(text));
  check_read("form-data; filename*=UTF-8''" + std::string(text));
  check_media_type(text);
  check_media_type("a/b;" + std::string(text));
  check_written(text, shown ? proto::Disposition::inline_content : proto::Disposition::attachment);
  check_written(std::string(text) + std::string(200, 'x') + std::string(text), proto::Disposition::attachment);
  return 0;
}
