// Cookies beside plain models: lines that are read beside a reader that splits and trims; fields that are written beside a
// browser, which must keep exactly the cookie that was asked for, and for no other place, or the model must know why nothing
// was written; signatures, which are believed for what was signed and for nothing else.
#include <cctype>
#include <chrono>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "fuzz/fuzz.h"
#include "proto/cookie.h"
#include "proto/cookie_signature.h"

using namespace martlet;
using proto::CookieError;

namespace {

using Pair = std::pair<std::string, std::string>;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

std::string trimmed(const std::string& text) {
  const size_t from = text.find_first_not_of(" \t");
  return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(" \t") + 1 - from);
}

// The name and the value of "name=value" or "value".
Pair parse_pair(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {"", trimmed(text)};
  return {trimmed(text.substr(0, equals)), trimmed(text.substr(equals + 1))};
}

std::vector<Pair> read_plainly(const std::string& line) {
  std::vector<Pair> pairs;
  for (const std::string& text : split(line, ';')) {
    const Pair pair = parse_pair(text);
    if (!pair.first.empty() || !pair.second.empty()) pairs.push_back(pair);
  }
  return pairs;
}

// What was encoded, from any escapes of two hexadecimal digits; nothing when there is another '%'.
std::optional<std::string> decode_plainly(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const std::string digits = text.substr(i + 1, 2);
    if (digits.size() != 2 || !std::isxdigit(static_cast<unsigned char>(digits[0])) ||
        !std::isxdigit(static_cast<unsigned char>(digits[1]))) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
    i += 2;
  }
  return out;
}

std::string decoded(const std::string& value) {
  const fuzz::Exact bytes(base::as_bytes(value));
  const fuzz::Exact room(value.size());
  return std::string(proto::decode_cookie_value(base::as_text(bytes.span()), reinterpret_cast<char*>(room.data())));
}

void check_reading(base::ByteSpan bytes) {
  const fuzz::Exact line(bytes);
  const std::string_view text = base::as_text(line.span());
  const std::vector<Pair> wanted = read_plainly(std::string(text));
  std::map<std::string, std::string> first;
  proto::CookiePairs pairs(text);
  std::string_view name, value;
  for (const Pair& pair : wanted) {
    FUZZ_CHECK(pairs.next(name, value));
    FUZZ_CHECK(name == pair.first && value == pair.second);
    first.emplace(pair);
    FUZZ_CHECK(decoded(pair.second) == decode_plainly(pair.second).value_or(pair.second));
  }
  FUZZ_CHECK(!pairs.next(name, value));
  for (const auto& [known, its_value] : first) FUZZ_CHECK(proto::find_cookie(text, known) == its_value);
  if (!first.contains("sid")) FUZZ_CHECK(!proto::find_cookie(text, "sid"));
}

// A cookie as a browser keeps it (RFC 6265bis §5.6, §5.7).
struct Kept {
  std::string name, value;
  std::map<std::string, std::string> attributes;  // names in lower case
};

bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; });
}

// What a browser makes of a field; nothing when it drops the cookie.
std::optional<Kept> receive(const std::string& field) {
  if (has_control(field)) return std::nullopt;
  const std::vector<std::string> parts = split(field, ';');
  Kept kept;
  std::tie(kept.name, kept.value) = parse_pair(parts[0]);
  if (parts[0].find('=') == std::string::npos || kept.name.empty() || kept.name.size() + kept.value.size() > 4096) return std::nullopt;
  for (size_t i = 1; i < parts.size(); i++) {
    std::string text = parts[i];
    if (text.find('=') == std::string::npos) text += '=';
    const Pair attribute = parse_pair(text);
    if (attribute.second.size() > 1024) continue;
    FUZZ_CHECK(!kept.attributes.contains(fuzz::lower(attribute.first)));  // servers must not (§4.1.1)
    kept.attributes[fuzz::lower(attribute.first)] = attribute.second;
  }
  const auto has = [&](const char* name) { return kept.attributes.contains(name); };
  const std::string lower = fuzz::lower(kept.name);
  const bool http = has("secure") && has("httponly");
  const bool host = has("secure") && !has("domain") && has("path") && kept.attributes["path"] == "/";
  if (lower.starts_with("__secure-") && !has("secure")) return std::nullopt;
  if (lower.starts_with("__host-") && !host) return std::nullopt;
  if ((lower.starts_with("__http-") || lower.starts_with("__host-http-")) && !http) return std::nullopt;
  if (has("samesite") && kept.attributes["samesite"] == "None" && !has("secure")) return std::nullopt;
  if (has("partitioned") && !has("secure")) return std::nullopt;
  if (has("path") && !kept.attributes["path"].starts_with('/')) kept.attributes.erase("path");
  return kept;
}

struct Asked {
  std::string name, value, domain, path;
  CookieOptions options;
};

// Name, value, path and domain stand in four lines; the rest is steered.
Asked take_asked(fuzz::Input& input) {
  Asked asked;
  const uint8_t flags = input.control();
  const uint8_t enums = input.control();
  int64_t number = static_cast<int64_t>(input.control_below(65536));
  number = number * static_cast<int64_t>(input.control_below(65536) + 1) - 1000;
  asked.options.http_only = flags & 1;
  asked.options.partitioned = flags & 2;
  asked.options.raw = flags & 4;
  asked.options.secure = flags & 8;
  if (flags & 16) asked.options.max_age = std::chrono::seconds(number);
  if (flags & 32) asked.options.expires = std::chrono::sys_seconds(std::chrono::seconds(number));
  asked.options.same_site = static_cast<SameSite>(enums & 3);
  asked.options.priority = static_cast<CookiePriority>(enums >> 2 & 3);
  std::vector<std::string> lines = split(std::string(base::as_text(input.rest())), '\n');
  lines.resize(4);
  asked.name = lines[0];
  asked.value = lines[1];
  if (enums & 16) asked.value.append(static_cast<size_t>(number & 8191), 'v');
  asked.path = lines[2];
  asked.domain = lines[3];
  return asked;
}

void check_kept(const Kept& kept, const Asked& asked) {
  const CookieOptions& options = asked.options;
  const auto said = [&](const char* name) {
    const auto found = kept.attributes.find(name);
    return found == kept.attributes.end() ? std::string("-") : found->second;
  };
  FUZZ_CHECK(kept.name == asked.name);
  FUZZ_CHECK((options.raw ? kept.value : decoded(kept.value)) == asked.value);
  FUZZ_CHECK(said("path") == (asked.path.empty() ? "-" : asked.path));
  FUZZ_CHECK(said("domain") == (asked.domain.empty() ? "-" : asked.domain.substr(asked.domain[0] == '.')));
  FUZZ_CHECK((said("httponly") == "") == options.http_only);
  FUZZ_CHECK((said("secure") == "") == options.secure);
  FUZZ_CHECK((said("partitioned") == "") == options.partitioned);
  const char* const sites[] = {"-", "Lax", "None", "Strict"};
  FUZZ_CHECK(said("samesite") == sites[static_cast<size_t>(options.same_site)]);
  const char* const priorities[] = {"-", "Low", "Medium", "High"};
  FUZZ_CHECK(said("priority") == priorities[static_cast<size_t>(options.priority)]);
  const int64_t age = options.max_age ? std::clamp<int64_t>(options.max_age->count(), 0, 34560000) : 0;
  FUZZ_CHECK(said("max-age") == (options.max_age ? std::to_string(age) : "-"));
  FUZZ_CHECK(said("expires").size() == (options.expires ? 29 : 1));
  size_t count = 0;
  for (const char* name : {"path", "domain", "httponly", "secure", "partitioned", "samesite", "priority", "max-age", "expires"}) {
    count += said(name) != "-";
  }
  FUZZ_CHECK(kept.attributes.size() == count);
}

bool is_label(const std::string& label) {
  return !label.empty() && label.size() < 64 && label[0] != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return c == '-' || (c > 0 && std::isalnum(c)); });
}

bool is_domain(std::string domain) {
  if (domain.starts_with('.')) domain.erase(0, 1);
  const std::vector<std::string> labels = split(domain, '.');
  return domain.size() < 254 && std::all_of(labels.begin(), labels.end(), is_label);
}

// Where nothing was written there must be a reason: put down without any checks, a browser would not have kept what was
// asked for, or it is too long.
void check_refusal(const Asked& asked, CookieError error) {
  const auto has_any = [](const std::string& text, const char* bytes) { return text.find_first_of(bytes) != std::string::npos; };
  const auto is_odd = [&](const std::string& text) {
    return has_control(text) || has_any(text, "; \",\\") ||
           std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 126; });
  };
  const std::string lower = fuzz::lower(asked.name);
  const CookieOptions& options = asked.options;
  switch (error) {
    case CookieError::none: FUZZ_CHECK(false); break;
    case CookieError::bad_name: FUZZ_CHECK(asked.name.empty() || is_odd(asked.name) || has_any(asked.name, "()<>@:/[]?={}")); break;
    case CookieError::bad_value: FUZZ_CHECK(options.raw && is_odd(asked.value)); break;
    case CookieError::bad_path: FUZZ_CHECK(asked.path[0] != '/' || asked.path.size() > 1024 || is_odd(asked.path)); break;
    case CookieError::bad_domain: FUZZ_CHECK(!asked.domain.empty() && !is_domain(asked.domain)); break;
    case CookieError::secure_prefix: FUZZ_CHECK(lower.starts_with("__secure-") && !options.secure); break;
    case CookieError::host_prefix: FUZZ_CHECK(lower.starts_with("__host-") && !(options.secure && asked.path == "/" && asked.domain.empty())); break;
    case CookieError::http_prefix: FUZZ_CHECK(lower.find("http-") < 8 && !(options.secure && options.http_only)); break;
    case CookieError::same_site_none: FUZZ_CHECK(options.same_site == SameSite::none && !options.secure); break;
    case CookieError::partitioned: FUZZ_CHECK(options.partitioned && !options.secure); break;
    case CookieError::too_large: FUZZ_CHECK(asked.name.size() + 3 * asked.value.size() + asked.path.size() + asked.domain.size() > 3800); break;
    case CookieError::no_keys: FUZZ_CHECK(false); break;
  }
}

const CookieKeys& keys() {
  static const CookieKeys two = *CookieKeys::of({"the first of two secrets", "the second of two secrets"});
  return two;
}

const CookieKeys& old_keys() {
  static const CookieKeys one = *CookieKeys::of({"the second of two secrets"});
  return one;
}

// The field is the plain one with a signature behind the value; changed anywhere, it is not believed.
void check_signed(const Asked& asked, std::string_view plain, size_t at, uint8_t change) {
  const fuzz::Exact room(proto::kSetCookieBytes);
  const proto::SetCookie cookie = proto::encode_signed_cookie(asked.name, asked.value, old_keys(), asked.options,
                                                              proto::SetCookieRoom(reinterpret_cast<char*>(room.data()), room.size()));
  if (cookie.error == CookieError::too_large) FUZZ_CHECK(plain.size() + 44 > proto::kSetCookieBytes);
  if (cookie.error != CookieError::none) return;
  FUZZ_CHECK(cookie.text.size() == plain.size() + 44);
  const std::string pair(cookie.text.substr(0, cookie.text.find(';')));
  FUZZ_CHECK(pair.substr(0, pair.size() - 44) + std::string(cookie.text.substr(pair.size())) == plain);
  std::string value(*proto::find_cookie(pair, asked.name));
  const auto found = proto::verify_signed_cookie(asked.name, value, keys());
  FUZZ_CHECK(found && found->key == 1 && found->value == value.substr(0, value.size() - 44));
  FUZZ_CHECK(!proto::verify_signed_cookie(asked.name + "x", value, keys()));
  value[at % value.size()] = static_cast<char>(value[at % value.size()] ^ (change ? change : 1));
  FUZZ_CHECK(!proto::verify_signed_cookie(asked.name, value, keys()));
}

void check_writing(fuzz::Input input) {
  const size_t at = input.control_below(4096);
  const uint8_t change = input.control();
  Asked asked = take_asked(input);
  asked.options.path = asked.path;
  asked.options.domain = asked.domain;
  const fuzz::Exact room(proto::kSetCookieBytes);
  const proto::SetCookieRoom chars(reinterpret_cast<char*>(room.data()), room.size());
  const proto::SetCookie cookie = proto::encode_set_cookie(asked.name, asked.value, asked.options, chars);
  if (cookie.error != CookieError::none) return check_refusal(asked, cookie.error);
  const std::string field(cookie.text);
  const std::optional<Kept> kept = receive(field);
  FUZZ_CHECK(kept.has_value());
  check_kept(*kept, asked);
  check_signed(asked, field, at, change);
  const proto::SetCookie cleared = proto::encode_cleared_cookie(asked.name, asked.options, chars);
  FUZZ_CHECK(cleared.error == CookieError::none || cleared.error == CookieError::too_large);
  if (cleared.error == CookieError::none) FUZZ_CHECK(receive(std::string(cleared.text))->attributes["max-age"] == "0");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check_reading({data, size});
  FUZZ_CHECK(!proto::verify_signed_cookie("a", base::as_text({data, size}), keys()));
  check_writing(fuzz::Input(data, size));
  return 0;
}
