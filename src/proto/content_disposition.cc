// See content_disposition.h. A name that is written is cleaned first, into a buffer of the size that a name may have; what
// the two parameters say of it is then a matter of single characters.
#include "proto/content_disposition.h"

#include <cstring>

#include "base/bytes.h"
#include "codec/percent.h"
#include "codec/utf8.h"
#include "proto/http_chars.h"

namespace martlet::proto {

namespace {

constexpr size_t kLongestExtension = 16;  // with its dot; what is longer is no extension
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_control(char c) noexcept { return static_cast<uint8_t>(c) < 0x20 || c == 0x7F; }
bool is_ascii(char c) noexcept { return static_cast<uint8_t>(c) < 0x80; }
bool continues_character(char c) noexcept { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// The size of the character at the front of the text, which is not empty; 0 when it is not UTF-8.
size_t character_size(std::string_view text) noexcept {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return 1;
  const size_t size = first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const bool good = size && size <= text.size() && codec::is_valid_utf8(base::as_bytes(text.substr(0, size)));
  return good ? size : 0;
}

// What is said instead of the character (or the byte that is none) at the front of the text.
std::string_view clean_character(std::string_view text, size_t& taken) noexcept {
  const size_t size = character_size(text);
  taken = size ? size : 1;
  if (size == 0) return kReplacement;
  const bool is_c1 = text[0] == '\xC2' && static_cast<uint8_t>(text[1]) < 0xA0;  // U+0080 to U+009F
  return is_control(text[0]) || is_c1 ? "_" : text.substr(0, size);
}

class CleanName {
 public:
  explicit CleanName(std::string_view base_name) noexcept {
    const size_t dot = base_name.rfind('.');
    const bool has_extension = dot != base_name.npos && base_name.size() - dot <= kLongestExtension;
    const std::string_view extension = has_extension ? base_name.substr(dot) : std::string_view();
    append(base_name.substr(0, base_name.size() - extension.size()), kMaxFileNameBytes - clean_size(extension));
    append(extension, kMaxFileNameBytes);
  }
  std::string_view text() const noexcept { return {bytes_, size_}; }

 private:
  static size_t clean_size(std::string_view text) noexcept {
    size_t size = 0;
    for (size_t taken; !text.empty(); text.remove_prefix(taken)) size += clean_character(text, taken).size();
    return size;
  }
  void append(std::string_view text, size_t most) noexcept {
    for (size_t taken; !text.empty(); text.remove_prefix(taken)) {
      const std::string_view character = clean_character(text, taken);
      if (size_ + character.size() > most) return;
      std::memcpy(bytes_ + size_, character.data(), character.size());
      size_ += character.size();
    }
  }

  char bytes_[kMaxFileNameBytes];
  size_t size_ = 0;
};

bool needs_extended(std::string_view name) noexcept {
  for (size_t i = 0; i < name.size(); i++) {
    if (!is_ascii(name[i]) || name[i] == '"' || codec::escaped_byte(name, i) >= 0) return true;
  }
  return false;
}

char* put(char* out, std::string_view text) noexcept {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_quoted(char* out, std::string_view name) noexcept {
  for (const char c : name) {
    if (continues_character(c)) continue;
    if (c == '"') *out++ = '\\';
    *out++ = is_ascii(c) ? c : '_';
  }
  return out;
}

// attr-char (RFC 8187 §3.2.1)
bool stands_for_itself(char c) noexcept {
  return has_class(static_cast<uint8_t>(c), char_class::token) && c != '*' && c != '\'' && c != '%';
}

char* put_escaped(char* out, std::string_view name) noexcept {
  for (const char c : name) {
    if (stands_for_itself(c)) {
      *out++ = c;
    } else {
      out = codec::put_escape(out, static_cast<uint8_t>(c));
    }
  }
  return out;
}

}  // namespace

std::string_view file_base_name(std::string_view path) noexcept {
  constexpr std::string_view kSeparators = "/\\";
  const size_t last = path.find_last_not_of(kSeparators);
  if (last == path.npos) return {};
  path = path.substr(0, last + 1);
  const size_t separator = path.find_last_of(kSeparators);
  if (separator != path.npos) path.remove_prefix(separator + 1);
  return path == "." || path == ".." ? std::string_view() : path;
}

size_t encode_content_disposition(Disposition disposition, std::string_view file_name, char* out) noexcept {
  const CleanName clean(file_base_name(file_name));
  const std::string_view name = clean.text();
  char* at = put(out, disposition == Disposition::attachment ? "attachment" : "inline");
  if (name.empty()) return static_cast<size_t>(at - out);
  at = put_quoted(put(at, "; filename=\""), name);
  *at++ = '"';
  if (needs_extended(name)) at = put_escaped(put(at, "; filename*=UTF-8''"), name);
  return static_cast<size_t>(at - out);
}

bool ContentDisposition::is_form_data() const noexcept { return base::equals_lower(type, "form-data"); }

std::optional<ContentDisposition> parse_content_disposition(std::string_view value) noexcept {
  ContentDisposition found;
  found.type = value.substr(0, value.find_first_of("; \t"));
  const std::string_view parameters = value.substr(found.type.size());
  if (!is_token(found.type) || !well_formed_parameters(parameters)) return std::nullopt;
  found.name = find_parameter(parameters, "name");
  found.file_name = find_parameter(parameters, "filename");
  found.extended = find_parameter(parameters, "filename*");
  return found;
}

namespace {

size_t decode_value(const ParameterValue& value, bool in_form, char* out) noexcept {
  const std::string_view text = value.text;
  size_t size = 0;
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (value.quoted && c == '\\' && (text[i + 1] == '"' || text[i + 1] == '\\')) {  // another one follows
      c = text[++i];
    } else if (in_form && codec::escaped_byte(text, i) == '"') {
      c = '"';
      i += codec::kEscapeBytes - 1;
    }
    out[size++] = c;
  }
  return size;
}

// Each byte of ISO-8859-1 that UTF-8 says in two came as an escape of three.
size_t put_latin1(char* out, int byte) noexcept {
  if (byte < 0x80) {
    out[0] = static_cast<char>(byte);
    return 1;
  }
  out[0] = static_cast<char>(0xC0 | byte >> 6);
  out[1] = static_cast<char>(0x80 | (byte & 0x3F));
  return 2;
}

// ext-value (RFC 8187 §3.2.1): charset'language'text. Taken for nothing where it is not to the letter, but for "'" and "*"
// in the text, which JavaScript's encodeURIComponent leaves as they are.
std::optional<size_t> decode_extended(const ParameterValue& value, char* out) noexcept {
  const size_t charset_end = value.text.find('\'');
  const size_t language_end = charset_end == value.text.npos ? value.text.npos : value.text.find('\'', charset_end + 1);
  if (value.quoted || language_end == value.text.npos) return std::nullopt;
  const std::string_view charset = value.text.substr(0, charset_end);
  const bool is_latin1 = base::equals_lower(charset, "iso-8859-1");
  if (!is_latin1 && !base::equals_lower(charset, "utf-8")) return std::nullopt;
  const std::string_view text = value.text.substr(language_end + 1);
  size_t size = 0;
  for (size_t i = 0; i < text.size(); i++) {
    const int byte = codec::escaped_byte(text, i);
    if (byte < 0 && text[i] == '%') return std::nullopt;
    if (byte >= 0) i += codec::kEscapeBytes - 1;
    if (is_latin1 && byte >= 0) {
      size += put_latin1(out + size, byte);
    } else {
      out[size++] = byte >= 0 ? static_cast<char>(byte) : text[i];
    }
  }
  if (!codec::is_valid_utf8(base::as_bytes({out, size}))) return std::nullopt;
  return size;
}

size_t keep_base_name(char* name, size_t size) noexcept {
  const std::string_view kept = file_base_name({name, size});
  if (!kept.empty()) std::memmove(name, kept.data(), kept.size());
  for (size_t i = 0; i < kept.size(); i++) {
    if (is_control(name[i])) name[i] = '_';
  }
  return kept.size();
}

}  // namespace

size_t decode_field_name(const ContentDisposition& disposition, char* out) noexcept {
  return disposition.name ? decode_value(*disposition.name, disposition.is_form_data(), out) : 0;
}

size_t decode_file_name(const ContentDisposition& disposition, char* out) noexcept {
  if (disposition.extended) {
    if (const std::optional<size_t> size = decode_extended(*disposition.extended, out)) return keep_base_name(out, *size);
  }
  if (!disposition.file_name) return 0;
  return keep_base_name(out, decode_value(*disposition.file_name, disposition.is_form_data(), out));
}

}  // namespace martlet::proto
