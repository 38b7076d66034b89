// See cookie.h. Section numbers are those of RFC 6265bis (draft 22, in the queue of the RFC editor).
//
// What is written is held against what browsers do with it: where they would drop the cookie, or an attribute and with it a
// limit of the cookie, nothing is written.
#include "proto/cookie.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/text.h"
#include "codec/percent.h"
#include "proto/http_chars.h"
#include "proto/http_date.h"

namespace martlet::proto {

namespace {

constexpr std::chrono::seconds kMostAge = std::chrono::hours(24 * 400);
constexpr size_t kPathBytes = 1024;                         // browsers drop a longer one, and take another (§5.6)
constexpr size_t kDomainBytes = 253;                        // RFC 1035 §2.3.4, without the dots at the ends
constexpr size_t kLabelBytes = 63;
constexpr std::string_view kUnescaped = "-_.!~*'()";  // besides letters and digits (encodeURIComponent)

bool is_letter_or_digit(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE ) (§4.1.1)
bool is_cookie_value(std::string_view value) noexcept {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < '\x7F' && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

// Also not the blanks that the grammar allows: the path of a request has none, so that such a path would never match.
bool is_path(std::string_view path) noexcept {
  if (path.empty()) return true;
  return path[0] == '/' && path.size() <= kPathBytes &&
         std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < '\x7F' && c != ';'; });
}

bool is_label(std::string_view label) noexcept {
  return !label.empty() && label.size() <= kLabelBytes && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

// <subdomain> of RFC 1034 §3.5, labels beginning with a digit as well (RFC 1123 §2.1): addresses of IPv4, too.
bool is_domain(std::string_view domain) noexcept {
  if (domain.size() > kDomainBytes) return false;
  for (;;) {
    const size_t dot = domain.find('.');
    if (!is_label(domain.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    domain.remove_prefix(dot + 1);
  }
}

std::string_view domain_of(const CookieOptions& options) noexcept {
  return options.domain.substr(options.domain.starts_with('.') ? 1 : 0);
}

// Browsers look at prefixes in any case of letters (§5.4), and so whoever sets such a name.
bool has_prefix(std::string_view name, std::string_view lower) noexcept {
  return base::equals_lower(name.substr(0, lower.size()), lower);
}

bool is_secure_prefixed(std::string_view name) noexcept { return has_prefix(name, "__secure-"); }
bool is_host_prefixed(std::string_view name) noexcept { return has_prefix(name, "__host-"); }
bool is_http_prefixed(std::string_view name) noexcept {
  return has_prefix(name, "__http-") || has_prefix(name, "__host-http-");
}

CookieError check(std::string_view name, const CookieOptions& options) noexcept {
  if (!is_token(name)) return CookieError::bad_name;
  if (!options.domain.empty() && !is_domain(domain_of(options))) return CookieError::bad_domain;
  if (!is_path(options.path)) return CookieError::bad_path;
  if (is_secure_prefixed(name) && !options.secure) return CookieError::secure_prefix;
  if (is_host_prefixed(name) && !(options.secure && options.path == "/" && options.domain.empty())) {
    return CookieError::host_prefix;
  }
  if (is_http_prefixed(name) && !(options.secure && options.http_only)) return CookieError::http_prefix;
  if (options.same_site == SameSite::none && !options.secure) return CookieError::same_site_none;
  if (options.partitioned && !options.secure) return CookieError::partitioned;
  return CookieError::none;
}

// Appends to the room; what does not fit is left out, and from then on everything.
class Writer {
 public:
  explicit Writer(SetCookieRoom room) noexcept : room_(room) {}

  void put(std::string_view text) noexcept {
    fits_ = fits_ && text.size() <= room_.size() - size_;
    if (!fits_) return;
    std::copy(text.begin(), text.end(), room_.data() + size_);
    size_ += text.size();
  }
  void put(char c) noexcept { put({&c, 1}); }

  void put_encoded(std::string_view value) noexcept {
    for (size_t i = 0; i < value.size() && fits_; i++) {
      if (is_letter_or_digit(value[i]) || kUnescaped.find(value[i]) != std::string_view::npos) {
        put(value[i]);
      } else {
        char escape[codec::kEscapeBytes];
        codec::put_escape(escape, static_cast<uint8_t>(value[i]));
        put({escape, sizeof escape});
      }
    }
  }

  void put_number(int64_t number) noexcept {
    char text[20];
    put({text, static_cast<size_t>(std::to_chars(text, text + sizeof text, number).ptr - text)});
  }

  SetCookie finish() const noexcept {
    if (!fits_) return {.error = CookieError::too_large};
    return {.text = {room_.data(), size_}};
  }

 private:
  SetCookieRoom room_;
  size_t size_ = 0;
  bool fits_ = true;
};

void put_times(Writer& out, const CookieOptions& options) noexcept {
  constexpr std::chrono::seconds kNone(0);
  if (options.max_age) {
    out.put("; Max-Age=");
    out.put_number(std::clamp(*options.max_age, kNone, kMostAge).count());
  }
  if (options.expires) {
    const auto expires = std::chrono::floor<std::chrono::seconds>(options.expires->time_since_epoch());
    char date[kHttpDateBytes];
    encode_http_date(std::max(expires, kNone).count(), date);
    out.put("; Expires=");
    out.put({date, sizeof date});
  }
}

std::string_view attribute_of(SameSite same_site) noexcept {
  switch (same_site) {
    case SameSite::lax: return "; SameSite=Lax";
    case SameSite::none: return "; SameSite=None";
    case SameSite::strict: return "; SameSite=Strict";
    case SameSite::unset: break;
  }
  return {};
}

std::string_view attribute_of(CookiePriority priority) noexcept {
  switch (priority) {
    case CookiePriority::low: return "; Priority=Low";
    case CookiePriority::medium: return "; Priority=Medium";
    case CookiePriority::high: return "; Priority=High";
    case CookiePriority::unset: break;
  }
  return {};
}

void put_attributes(Writer& out, const CookieOptions& options) noexcept {
  put_times(out, options);
  if (!options.domain.empty()) out.put("; Domain=");
  out.put(domain_of(options));
  if (!options.path.empty()) out.put("; Path=");
  out.put(options.path);
  if (options.http_only) out.put("; HttpOnly");
  if (options.secure) out.put("; Secure");
  if (options.partitioned) out.put("; Partitioned");
  out.put(attribute_of(options.priority));
  out.put(attribute_of(options.same_site));
}

}  // namespace

bool CookiePairs::next(std::string_view& name, std::string_view& value) noexcept {
  while (!rest_.empty()) {
    const size_t end = rest_.find(';');
    const std::string_view pair = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    const size_t equals = pair.find('=');
    const bool named = equals != std::string_view::npos;
    name = named ? base::trimmed(pair.substr(0, equals)) : std::string_view();
    value = base::trimmed(named ? pair.substr(equals + 1) : pair);
    if (!name.empty() || !value.empty()) return true;
  }
  return false;
}

bool HeadCookies::next(std::string_view& name, std::string_view& value) noexcept {
  while (!line_.next(name, value)) {
    while (next_field_ < head_.field_count && head_.fields[next_field_].name != FieldName::cookie) next_field_++;
    if (next_field_ == head_.field_count) return false;
    line_ = CookiePairs(head_.value(base_, head_.fields[next_field_++]));
  }
  return true;
}

std::optional<std::string_view> find_cookie(std::string_view line, std::string_view name) noexcept {
  CookiePairs pairs(line);
  for (std::string_view found, value; pairs.next(found, value);) {
    if (found == name) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> find_cookie(const RequestHead& head, const uint8_t* base, std::string_view name) noexcept {
  if (head.count(FieldName::cookie) == 0) return std::nullopt;
  HeadCookies pairs(head, base);
  for (std::string_view found, value; pairs.next(found, value);) {
    if (found == name) return value;
  }
  return std::nullopt;
}

std::string_view decode_cookie_value(std::string_view value, char* room) noexcept {
  if (codec::is_plain(value)) return value;
  const std::optional<size_t> size = codec::decode_percent(value, room);
  return size ? std::string_view(room, *size) : value;
}

const char* describe(CookieError error) noexcept {
  switch (error) {
    case CookieError::none: break;
    case CookieError::bad_name: return "the name is not a token";
    case CookieError::bad_value: return "bytes that a value may not have";
    case CookieError::bad_domain: return "the domain is not a host name";
    case CookieError::bad_path: return "the path does not begin with /, or has bytes that paths do not have";
    case CookieError::secure_prefix: return "__Secure- needs secure";
    case CookieError::host_prefix: return "__Host- needs secure, the path / and no domain";
    case CookieError::http_prefix: return "__Http- needs secure and http_only";
    case CookieError::same_site_none: return "SameSite::none needs secure";
    case CookieError::partitioned: return "partitioned needs secure";
    case CookieError::too_large: return "more than 4096 bytes";
    case CookieError::no_keys: return "no keys to sign it with";
  }
  return "";
}

SetCookie encode_set_cookie(std::string_view name, std::string_view value, const CookieOptions& options,
                            SetCookieRoom room) noexcept {
  if (const CookieError error = check(name, options); error != CookieError::none) return {.error = error};
  if (options.raw && !is_cookie_value(value)) return {.error = CookieError::bad_value};
  Writer out(room);
  out.put(name);
  out.put('=');
  if (options.raw) {
    out.put(value);
  } else {
    out.put_encoded(value);
  }
  put_attributes(out, options);
  return out.finish();
}

SetCookie encode_cleared_cookie(std::string_view name, const CookieOptions& options, SetCookieRoom room) noexcept {
  CookieOptions cleared = options;
  cleared.expires = std::chrono::system_clock::time_point();
  cleared.max_age = std::chrono::seconds(0);
  cleared.http_only = options.http_only || is_http_prefixed(name);
  cleared.secure = options.secure || is_secure_prefixed(name) || is_host_prefixed(name) || is_http_prefixed(name);
  return encode_set_cookie(name, {}, cleared, room);
}

}  // namespace martlet::proto
