// The head of an HTTP/1.1 request (RFC 9112), parsed strictly and once.
//
// parse_request_head() is given all bytes of the connection that are not yet consumed. It answers done, need_more or
// error, and touches nothing but the bytes and the head it fills. What it fills are offsets from the first byte, not
// pointers: the bytes may move afterwards (a deferred request copies them), the head stays valid.
//
// One framing decision is made per message, here (RFC 9112 §6.3): no body, content_length bytes, or chunked. What
// would let two parsers disagree (both framings, differing or malformed lengths, bare CR, NUL, a space before the
// colon, folded lines, a missing or second Host) is 400 and the connection closes.
//
// Nothing is scanned twice: when the end of the head has not come, `scanned` says how far it was looked for, and is
// passed in again. No allocation, no clock, no descriptor; one parser per worker (it holds 10 KiB of scratch memory:
// not for the stack).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "simd/kernels.h"

namespace martlet::proto {

enum class ParseStatus : uint8_t { done, need_more, error };

enum class Method : uint8_t { get, head, post, put, patch, del, options, connect, trace, other };

// The name as on the wire ("DELETE" for del); empty for other.
std::string_view method_name(Method method) noexcept;

// Field names that the library itself looks at are known by number; the rest are `other`.
enum class FieldName : uint8_t {
  other, accept, accept_encoding, authorization, connection, content_length, content_type, cookie, expect, host,
  if_modified_since, if_none_match, origin, range, referer, sec_websocket_extensions, sec_websocket_key,
  sec_websocket_protocol, sec_websocket_version, te, transfer_encoding, upgrade, user_agent, x_forwarded_for,
};
inline constexpr size_t kFieldNameCount = 24;

// The number of a field name, whatever its case.
FieldName field_name_of(std::string_view name) noexcept;

struct Field {
  uint16_t name_at, name_length;
  uint16_t value_at, value_length;  // without the white space around it
  FieldName name;
};

enum class BodyFraming : uint8_t { none, content_length, chunked };

struct HeadLimits {
  uint32_t head_bytes = 16 * 1024;  // request line and fields; at most 65,535
  uint32_t fields = 100;            // at most kMaxFields
};

struct RequestHead {
  static constexpr uint32_t kMaxFields = 100;

  uint32_t head_bytes = 0;  // how many bytes the head takes, its empty line included (and empty lines before it)
  uint64_t content_length = 0;
  bool may_be_unusual = false;  // the target: it may have a '%', a '.' or a '\'
  Method method = Method::other;
  BodyFraming framing = BodyFraming::none;
  uint8_t minor_version = 1;   // of HTTP/1.x: 0, or 1, which all later ones are read as
  bool keep_alive = true;      // by version and Connection (RFC 9112 §9.3)
  bool asks_keep_alive = false;  // Connection has the token "keep-alive"
  bool expects_continue = false;
  bool connection_upgrade = false;  // Connection has the token "upgrade"
  uint8_t field_count = 0;
  uint16_t method_at = 0, method_length = 0;
  uint16_t target_at = 0, target_length = 0;  // as sent
  uint16_t path_at = 0, path_length = 0;      // of origin-form and absolute-form; "*" for OPTIONS *
  uint16_t query_at = 0, query_length = 0;    // without the '?'
  uint16_t authority_at = 0, authority_length = 0;  // host and port of absolute-form and authority-form
  int16_t host_field = -1;                    // index into fields, or -1
  uint8_t count_of[kFieldNameCount] = {};     // by FieldName: how many there are,
  uint8_t last_of[kFieldNameCount] = {};      // and the index of the last of them, if there is one
  Field fields[kMaxFields];                   // Host's value is the target's authority, where that has one

  static std::string_view slice(const uint8_t* base, uint16_t at, uint16_t length) noexcept {
    return {reinterpret_cast<const char*>(base) + at, length};
  }
  std::string_view path(const uint8_t* base) const noexcept { return slice(base, path_at, path_length); }
  std::string_view query(const uint8_t* base) const noexcept { return slice(base, query_at, query_length); }
  std::string_view target(const uint8_t* base) const noexcept { return slice(base, target_at, target_length); }
  std::string_view name(const uint8_t* base, const Field& f) const noexcept {
    return slice(base, f.name_at, f.name_length);
  }
  std::string_view value(const uint8_t* base, const Field& f) const noexcept {
    return slice(base, f.value_at, f.value_length);
  }

  // How many fields of this name there are.
  size_t count(FieldName name) const noexcept { return count_of[static_cast<size_t>(name)]; }

  // The first field of this name, or null. The name may have any case. By number it is rarely a search.
  const Field* find(FieldName name) const noexcept {
    const size_t n = count(name);
    return n == 0 ? nullptr : n == 1 ? &fields[last_of[static_cast<size_t>(name)]] : find_first(name);
  }
  const Field* find(const uint8_t* base, std::string_view name) const noexcept;

 private:
  const Field* find_first(FieldName name) const noexcept;
};

struct HttpError {
  uint16_t status = 400;    // what the peer gets
  const char* cause = "";   // one static sentence, for the answer's body and the log
};

class HttpParser {
 public:
  // `scanned` is 0 at the first call for a request and is given back as it was left until done or error.
  // done: `head` is filled and bytes[head.head_bytes] is the first byte after it.
  // error: `error` is filled (400, 414, 417, 431, 501 or 505); nothing after these bytes can be trusted.
  ParseStatus parse_request_head(base::ByteSpan bytes, const HeadLimits& limits, uint32_t& scanned, RequestHead& head,
                                 HttpError& error) noexcept;

 private:
  static constexpr size_t kMaxHead = 65535;  // offsets have 16 bits
  static constexpr size_t kBlock = 64;       // bytes that one HeadBits describes
  static constexpr size_t kMaxStep = 16;     // blocks that are classified at once, at most

  struct Walk;

  ParseStatus parse_lines(Walk& walk, RequestHead& head, HttpError& error) noexcept;
  size_t list_line_ends(Walk& walk) noexcept;

  size_t step_ = 4;                                  // blocks to classify at first: as many as the last head had
  simd::HeadBits classes_[kMaxStep];                 // of the blocks that were classified last
  uint16_t line_ends_[kMaxStep * kBlock / 2 + 2];    // in those blocks
  uint64_t not_token_[kMaxHead / kBlock + 2] = {};   // of the head, one bit for each byte
};

// Walks a comma-separated list (RFC 9110 §5.6.1): skips empty elements and white space. False at the end.
class TokenList {
 public:
  explicit TokenList(std::string_view list) noexcept : rest_(list) {}
  bool next(std::string_view& element) noexcept;

 private:
  std::string_view rest_;
};

}  // namespace martlet::proto
