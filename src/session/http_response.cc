// See http_response.h. The head of the common answer, "200 OK" with the date of the second, is rendered once a second.
#include "session/http_response.h"

#include <charconv>
#include <cstring>
#include <utility>

#include "net/output.h"
#include "proto/http_date.h"
#include "session/answer_fields.h"
#include "session/http_session.h"
#include "session/sessions.h"
#include "sys/clock.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view kDateField = "Date: ";
constexpr size_t kDateBytes = kDateField.size() + proto::kHttpDateBytes + 2;
constexpr std::string_view kTextLines = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ";
constexpr std::string_view kJsonLines = "Content-Type: application/json\r\nContent-Length: ";
constexpr size_t kOkText = kOkLine.size() + kDateBytes + kTextLines.size();
constexpr size_t kOkJson = kOkLine.size() + kDateBytes + kJsonLines.size();
static_assert(kOkText <= sizeof(Sessions::ok_text) && kOkJson <= sizeof(Sessions::ok_json));

// A 426 names Upgrade in Connection (RFC 9110 §7.8). All that is said of the connection stands in one field: there are
// gateways that look at the first one only.
constexpr std::string_view kUpgradeAlone = "Connection: Upgrade\r\n";
constexpr std::string_view kUpgradeAndClose = "Connection: Upgrade, close\r\n";
constexpr std::string_view kUpgradeAndKeepAlive = "Connection: Upgrade, keep-alive\r\n";
constexpr std::string_view kClose = "Connection: close\r\n";

struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {
    {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {205, "Reset Content"},
    {206, "Partial Content"}, {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
    {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
    {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
    {406, "Not Acceptable"}, {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
    {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"}, {417, "Expectation Failed"}, {418, "I'm a teapot"}, {422, "Unprocessable Content"},
    {426, "Upgrade Required"}, {428, "Precondition Required"}, {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
    {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
};

// Writes into room that was reserved for the worst case.
class Writer {
 public:
  explicit Writer(uint8_t* at) noexcept : at_(at) {}
  void put(std::string_view text) noexcept {
    if (text.empty()) return;  // its data may be null
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(uint64_t number) noexcept {
    auto* text = reinterpret_cast<char*>(at_);
    at_ = reinterpret_cast<uint8_t*>(std::to_chars(text, text + 20, number).ptr);
  }
  // Room bytes are copied, which is done faster than just the first `size` of them.
  template <size_t Room>
  void put_padded(const char* text, size_t size) noexcept {
    std::memcpy(at_, text, Room);
    at_ += size;
  }
  uint8_t* at() const noexcept { return at_; }

 private:
  uint8_t* at_;
};

[[gnu::noinline]] void render_starts(Sessions& s) noexcept {
  // The wall clock is asked ten times a second at most; the date is then at most 100 ms old.
  s.date_until_ns = s.reactor.now_ns() + 100'000'000;
  const int64_t second = sys::wall_seconds();
  if (second == s.date_second) return;
  s.date_second = second;
  const auto render = [second](char* to, std::string_view lines) {
    Writer out(reinterpret_cast<uint8_t*>(to));
    out.put(kOkLine);
    out.put(kDateField);
    proto::encode_http_date(second, reinterpret_cast<char*>(out.at()));
    Writer rest(out.at() + proto::kHttpDateBytes);
    rest.put("\r\n");
    rest.put(lines);
  };
  render(s.ok_text, kTextLines);
  render(s.ok_json, kJsonLines);
}

inline void refresh_date(Sessions& s) noexcept {
  if (s.reactor.now_ns() >= s.date_until_ns) [[unlikely]] render_starts(s);
}

void put_start(Sessions& s, Writer& out, int status) noexcept {
  refresh_date(s);
  if (status == 200) [[likely]] {
    out.put({s.ok_text, kOkLine.size() + kDateBytes});
    return;
  }
  out.put("HTTP/1.1 ");
  out.put(static_cast<uint64_t>(status));
  out.put(" ");
  out.put(reason_phrase(status));
  out.put("\r\n");
  out.put({s.ok_text + kOkLine.size(), kDateBytes});
}

// Status line, date, connection (padded), content type, content length and the empty line fit into this.
constexpr size_t kLibraryHead = 384;

}  // namespace

std::string_view reason_phrase(int status) noexcept {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "Unknown";
}

namespace {

// The fields of the common answer, up to the value of Content-Length.
inline bool put_common(Sessions& s, const Exchange& e, Writer& out, BodyType type) noexcept {
  const bool common = e.status == 200 && e.content_type_bytes == 0 && !e.type_in_fields;
  if (!common || (type != BodyType::text && type != BodyType::json)) return false;
  refresh_date(s);
  if (type == BodyType::text) {
    out.put({s.ok_text, kOkText});
  } else {
    out.put({s.ok_json, kOkJson});
  }
  return true;
}

std::string_view type_name(BodyType type) noexcept {
  switch (type) {
    case BodyType::text: return "text/plain; charset=utf-8";
    case BodyType::json: return "application/json";
    case BodyType::bytes: return "application/octet-stream";
    case BodyType::none: break;
  }
  return {};
}

// Any other answer, up to the value of Content-Length if there is one.
void put_fields(Sessions& s, const Exchange& e, Writer& out, BodyType type, bool keep_alive, bool no_body) noexcept {
  put_start(s, out, e.status);
  if (e.flags.offers_upgrade) {
    out.put(!keep_alive ? kUpgradeAndClose : e.head.minor_version == 0 ? kUpgradeAndKeepAlive : kUpgradeAlone);
  }
  const std::string_view own(e.content_type, e.content_type_bytes);
  const std::string_view content_type = own.empty() ? type_name(type) : own;
  if (!content_type.empty() && !no_body && !e.type_in_fields) {
    out.put("Content-Type: ");
    out.put(content_type);
    out.put("\r\n");
  }
  if (!no_body) out.put("Content-Length: ");
}

// Nothing is said where the version says it. Who names keep-alive may be one that needs to hear it (HTTP/1.0), or that
// wants to know for how long: a request that is sent just when we close is lost.
inline void put_connection(const Sessions& s, const Exchange& e, Writer& out, bool keep_alive) noexcept {
  if (e.flags.offers_upgrade) return;  // one Connection field has said it
  if (keep_alive) {
    out.put_padded<sizeof s.keep_alive_lines>(s.keep_alive_lines, s.keep_alive_bytes);
  } else {
    out.put("Connection: close\r\n");
  }
}

}  // namespace

[[gnu::noinline, gnu::cold]] void announce_answer(Exchange& e, size_t body_bytes) noexcept {
  e.flags.watched = false;
  e.flags.responded = true;
  AnswerWatch& watch = *std::exchange(e.watch, nullptr);
  watch.on_answer(watch, e, body_bytes);
}

namespace {

// The body may be what was set (Response::get()), and who is told may change that.
[[gnu::noinline, gnu::cold]] base::ByteSpan announce_body(Exchange& e, base::ByteSpan body) noexcept {
  const auto kept = apart(e, base::as_text(body));
  if (!kept) e.status = 503;
  body = base::as_bytes(kept.value_or(std::string_view()));
  announce_answer(e, body.size());
  return body;
}

}  // namespace

void send_response(Exchange& e, base::ByteSpan body, BodyType type) noexcept {
  if (e.flags.watched) [[unlikely]] body = announce_body(e, body);
  Sessions& s = *e.sessions;
  net::Connection& c = *e.connection;
  const bool no_body = e.status == 204 || e.status == 304;  // RFC 9110 §8.6: no length either
  const bool head_only = no_body || e.head.method == proto::Method::head;
  const bool keep_alive = e.head.keep_alive && !s.draining && !e.flags.close_after;
  const size_t most = kLibraryHead + e.fields.size() + (head_only ? 0 : body.size());
  uint8_t* room = e.fields.failed() ? nullptr : net::append_room(s.reactor, c, most);
  if (!room) {
    e.flags.responded = true;  // a terminal call was made: it is not the handler that failed
    return s.reactor.abort(c);
  }
  Writer out(room);
  if (!put_common(s, e, out, type)) put_fields(s, e, out, type, keep_alive, no_body);
  if (!no_body) {
    out.put(static_cast<uint64_t>(body.size()));
    out.put("\r\n");
  }
  if (!(keep_alive & !e.head.asks_keep_alive)) put_connection(s, e, out, keep_alive);
  if (!e.fields.empty()) out.put(e.fields.text());
  out.put("\r\n");
  if (!head_only && !body.empty()) out.put(base::as_text(body));
  net::trim_room(s.reactor, c, most - static_cast<size_t>(out.at() - room));
  if (!keep_alive) e.flags.close_after = true;
  e.flags.responded = true;
  if (!e.flags.in_handler) settle_exchange(e);
}

void send_error(Sessions& s, net::Connection& c, int status, std::string_view text, std::string_view extra,
                bool head_only) noexcept {
  const size_t most = kLibraryHead + text.size() + extra.size();
  uint8_t* room = net::append_room(s.reactor, c, most);
  if (!room) return s.reactor.abort(c);
  Writer out(room);
  put_start(s, out, status);
  out.put(status == 426 ? kUpgradeAndClose : kClose);
  out.put("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ");
  out.put(static_cast<uint64_t>(text.size()));
  out.put("\r\n");
  out.put(extra);
  out.put("\r\n");
  if (!head_only) out.put(text);
  net::trim_room(s.reactor, c, most - static_cast<size_t>(out.at() - room));
}

void refuse_at_once(Sessions& s, int fd) noexcept {
  constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: 21\r\n\r\nToo many connections.";
  s.stats.bad_requests++;
  sys::transmit(fd, kAnswer.data(), kAnswer.size());
  sys::shutdown_sending(fd);
  sys::receive(fd, s.reactor.receive_buffer, net::Reactor::kReceiveBytes);  // what is unread at the close would become a reset
}

void send_continue(Sessions& s, net::Connection& c) noexcept {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!net::append_copy(s.reactor, c, kContinue.data(), kContinue.size())) s.reactor.abort(c);
}

}  // namespace martlet::session
