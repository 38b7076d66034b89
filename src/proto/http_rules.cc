// The rules of http_rules.h, each beside its section. Strictness is the point: where RFC 9110 and 9112 let a server
// guess, two servers guess differently, and that is how requests are smuggled.
//
// Everything here runs once per head; the common head (one known Host, Connection: keep-alive or none, no body) takes
// the first branch of each rule.
#include "proto/http_rules.h"

#include <algorithm>
#include <cstring>

#include "proto/http_names.h"

namespace martlet::proto {

namespace {

bool has_class(char c, uint8_t classes) noexcept { return proto::has_class(static_cast<uint8_t>(c), classes); }

// The first character of text[from, end) that is of none of these classes.
size_t skip_class(std::string_view text, size_t from, uint8_t classes) noexcept {
  const auto class_at = [&](size_t i) { return kCharClasses[static_cast<uint8_t>(text[i])]; };
  while (from + 4 <= text.size() &&
         (class_at(from) & class_at(from + 1) & class_at(from + 2) & class_at(from + 3) & classes)) {
    from += 4;
  }
  while (from < text.size() && (class_at(from) & classes)) from++;
  return from;
}

// reg-name with at least one character (RFC 3986 §3.2.2); how long it is, 0 when it is malformed.
size_t reg_name_length(std::string_view text) noexcept {
  size_t at = skip_class(text, 0, char_class::host);
  while (at < text.size() && text[at] == '%') {
    if (skip_class(text.substr(0, std::min(at + 3, text.size())), at + 1, char_class::hex) != at + 3) return 0;
    at = skip_class(text, at + 3, char_class::host);
  }
  return at;
}

// "[" address "]", the address by its characters only; how long it is, 0 when it is malformed.
size_t ip_literal_length(std::string_view text) noexcept {
  size_t at = 1;
  while (at < text.size() && (has_class(text[at], char_class::host) || text[at] == ':')) at++;
  return at > 1 && at < text.size() && text[at] == ']' ? at + 1 : 0;
}

bool is_port(std::string_view text) noexcept { return skip_class(text, 0, char_class::digit) == text.size(); }

// absolute-form (RFC 9112 §3.2.2). `authority` is where it begins in the target, behind "://".
bool split_absolute(const uint8_t* base, size_t authority, RequestHead& head, HttpError& error) noexcept {
  const std::string_view target = head.target(base);
  const size_t end = std::min(target.find_first_of("/?", authority), target.size());
  if (!is_host(target.substr(authority, end - authority))) {
    return refuse(error, 400, "A malformed authority in the request target.");
  }
  head.authority_at = static_cast<uint16_t>(head.target_at + authority);
  head.authority_length = static_cast<uint16_t>(end - authority);
  const size_t question = std::min(target.find('?', end), target.size());
  const bool has_path = question > end;  // an empty one means "/" (RFC 9110 §4.2.3): the last one of "://" serves
  head.path_at = static_cast<uint16_t>(head.target_at + (has_path ? end : authority - 1));
  head.path_length = static_cast<uint16_t>(has_path ? question - end : 1);
  return true;
}

// Content-Length = 1*DIGIT (RFC 9110 §8.6), once. A list of equal numbers, which a recipient may accept, is refused.
bool parse_content_length(std::string_view value, uint64_t& length) noexcept {
  length = 0;
  for (char c : value) {
    if (!has_class(c, char_class::digit)) return false;
    if (__builtin_mul_overflow(length, uint64_t{10}, &length)) return false;
    if (__builtin_add_overflow(length, static_cast<uint64_t>(c - '0'), &length)) return false;
  }
  return !value.empty();
}

// A Transfer-Encoding that is more or other than one plain "chunked" (RFC 9112 §6.1, §7).
[[gnu::cold]] bool refuse_codings(const uint8_t* base, const RequestHead& head, HttpError& error) noexcept {
  bool unknown = false;
  bool chunked = false;
  for (size_t i = 0; i < head.field_count; i++) {
    if (head.fields[i].name != FieldName::transfer_encoding) continue;
    TokenList codings(head.value(base, head.fields[i]));
    for (std::string_view coding; codings.next(coding);) {
      if (chunked) return refuse(error, 400, "A transfer coding behind chunked.");
      chunked = base::equals_lower(coding, "chunked");
      unknown = unknown || !chunked;
    }
  }
  if (unknown) return refuse(error, 501, "A transfer coding other than chunked.");
  return refuse(error, 400, "A malformed Transfer-Encoding.");
}

// RFC 9112 §6.3: the one place where the length of a body is decided.
bool settle_framing(const uint8_t* base, RequestHead& head, HttpError& error) noexcept {
  const Field* length = head.find(FieldName::content_length);
  const Field* coding = head.find(FieldName::transfer_encoding);
  if (length && coding) return refuse(error, 400, "Both Content-Length and Transfer-Encoding.");
  if (coding) {
    if (head.minor_version == 0) return refuse(error, 400, "Transfer-Encoding in HTTP/1.0.");
    if (head.count(FieldName::transfer_encoding) > 1 || !base::equals_lower(head.value(base, *coding), "chunked")) {
      return refuse_codings(base, head, error);
    }
    head.framing = BodyFraming::chunked;
    return true;
  }
  if (!length) return true;
  if (head.count(FieldName::content_length) > 1) return refuse(error, 400, "More than one Content-Length.");
  if (!parse_content_length(head.value(base, *length), head.content_length)) {
    return refuse(error, 400, "A malformed Content-Length.");
  }
  head.framing = BodyFraming::content_length;
  return true;
}

// RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one before it. It may be empty.
bool settle_host(const uint8_t* base, RequestHead& head, HttpError& error) noexcept {
  const size_t count = head.count(FieldName::host);
  if (count == 0) return head.minor_version == 0 || refuse(error, 400, "Host is missing.");
  if (count > 1) return refuse(error, 400, "More than one Host.");
  const uint8_t index = head.last_of[static_cast<size_t>(FieldName::host)];
  Field& field = head.fields[index];
  head.host_field = index;
  if (field.value_length != 0 && !is_host(head.value(base, field))) return refuse(error, 400, "A malformed Host.");
  if (head.authority_length != 0) {  // RFC 9112 §3.2.2: what the target says replaces what Host says
    field.value_at = head.authority_at;
    field.value_length = head.authority_length;
  }
  return true;
}

bool is_keep_alive(std::string_view text) noexcept {
  if (text.size() != 10) return false;
  const uint8_t* p = reinterpret_cast<const uint8_t*>(text.data());
  return (load_raw<uint64_t>(p) | kLowerCase) == raw_word<uint64_t>("keep-ali") &&
         (load_raw<uint16_t>(p + 8) | 0x2020) == raw_word<uint16_t>("ve");
}

// RFC 9110 §7.6.1, and §9.3 of RFC 9112.
void settle_connection(const uint8_t* base, RequestHead& head) noexcept {
  if (head.count(FieldName::connection) == 1 && is_keep_alive(head.value(base, *head.find(FieldName::connection)))) {
    head.keep_alive = head.asks_keep_alive = true;
    return;
  }
  bool close = false;
  for (size_t i = 0; i < head.field_count; i++) {
    if (head.fields[i].name != FieldName::connection) continue;
    TokenList options(head.value(base, head.fields[i]));
    for (std::string_view option; options.next(option);) {
      close = close || base::equals_lower(option, "close");
      head.asks_keep_alive = head.asks_keep_alive || is_keep_alive(option);
      head.connection_upgrade = head.connection_upgrade || base::equals_lower(option, "upgrade");
    }
  }
  head.keep_alive = (head.minor_version == 1 || head.asks_keep_alive) && !close;
}

// RFC 9110 §10.1.1: a 100-continue of HTTP/1.0 is ignored, any other expectation cannot be met.
bool settle_expect(const uint8_t* base, RequestHead& head, HttpError& error) noexcept {
  for (size_t i = 0; i < head.field_count; i++) {
    if (head.fields[i].name != FieldName::expect) continue;
    TokenList expectations(head.value(base, head.fields[i]));
    for (std::string_view expectation; expectations.next(expectation);) {
      if (!base::equals_lower(expectation, "100-continue"))
        return refuse(error, 417, "An expectation other than 100-continue.");
      head.expects_continue = head.minor_version == 1;
    }
  }
  return true;
}

bool has_long_name(const RequestHead& head) noexcept {
  return (head.count(FieldName::sec_websocket_version) | head.count(FieldName::sec_websocket_protocol) |
          head.count(FieldName::sec_websocket_extensions)) != 0;
}

// Takes back what probe_field_name() said of names that it did not see whole and that are others.
[[gnu::cold]] void confirm_long_names(const uint8_t* base, RequestHead& head) noexcept {
  for (size_t n = 0; n < kFieldNameCount; n++) {
    if (is_long(static_cast<FieldName>(n))) head.count_of[n] = 0;
  }
  for (size_t i = 0; i < head.field_count; i++) {
    Field& field = head.fields[i];
    if (!is_long(field.name)) continue;
    const bool is_it = base::equals_lower(head.name(base, field), kFieldNames[static_cast<size_t>(field.name)]);
    if (!is_it) field.name = FieldName::other;
    head.count_of[static_cast<size_t>(field.name)]++;
    head.last_of[static_cast<size_t>(field.name)] = static_cast<uint8_t>(i);
  }
}

}  // namespace

bool refuse(HttpError& error, uint16_t status, const char* cause) noexcept {
  error = {status, cause};
  return false;
}

bool is_host(std::string_view text) noexcept {
  if (text.empty()) return false;
  const size_t length = text[0] == '[' ? ip_literal_length(text) : reg_name_length(text);
  if (length == text.size()) return true;
  return length != 0 && text[length] == ':' && is_port(text.substr(length + 1));
}

bool split_target(const uint8_t* base, RequestHead& head, HttpError& error) noexcept {
  const std::string_view target = head.target(base);
  if (head.method == Method::connect) {  // authority-form (RFC 9112 §3.2.3), with a port
    const size_t colon = target.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == target.size() || target.back() == ']' || !is_host(target)) {
      return refuse(error, 400, "The target of CONNECT is not host:port.");
    }
    head.path_length = head.query_length = 0;
    head.authority_at = head.target_at;
    head.authority_length = head.target_length;
    return true;
  }
  if (target == "*" && head.method == Method::options) return true;
  for (std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (target.size() > scheme.size() && base::equals_lower(target.substr(0, scheme.size()), scheme)) {
      return split_absolute(base, scheme.size(), head, error);
    }
  }
  return refuse(error, 400, "A malformed request target.");
}

bool settle_head(const uint8_t* base, RequestHead& head, HttpError& error) noexcept {
  head.framing = BodyFraming::none;
  head.content_length = 0;
  head.keep_alive = head.minor_version == 1;
  head.asks_keep_alive = false;
  head.connection_upgrade = false;
  head.expects_continue = false;
  head.host_field = -1;
  if (has_long_name(head)) confirm_long_names(base, head);
  if (!settle_host(base, head, error)) return false;
  const bool has_framing = head.count(FieldName::content_length) || head.count(FieldName::transfer_encoding);
  if (has_framing && !settle_framing(base, head, error)) return false;
  if (head.count(FieldName::connection)) settle_connection(base, head);
  return !head.count(FieldName::expect) || settle_expect(base, head, error);
}

}  // namespace martlet::proto
