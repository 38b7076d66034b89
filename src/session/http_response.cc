// See http_response.h. The head of the common answer, "200 OK" with the date of the second, is rendered once a second.
#include "session/http_response.h"

#include <charconv>
#include <cstring>

#include "net/output.h"
#include "session/http_session.h"
#include "session/sessions.h"
#include "sys/clock.h"

namespace martlet::session {

namespace {

constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view kDateField = "Date: ";
constexpr size_t kOkStart = kOkLine.size() + kDateField.size() + sys::kHttpDateSize + 2;
static_assert(kOkStart <= sizeof(Sessions::ok_start));

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
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(uint64_t number) noexcept {
    auto* text = reinterpret_cast<char*>(at_);
    at_ = reinterpret_cast<uint8_t*>(std::to_chars(text, text + 20, number).ptr);
  }
  uint8_t* at() const noexcept { return at_; }

 private:
  uint8_t* at_;
};

void refresh_date(Sessions& s) noexcept {
  const uint64_t now_ns = s.reactor.now_ns();
  if (now_ns < s.date_until_ns) return;
  // The wall clock is asked ten times a second at most; the date is then at most 100 ms old.
  s.date_until_ns = now_ns + 100'000'000;
  const int64_t second = sys::wall_seconds();
  if (second == s.date_second) return;
  s.date_second = second;
  Writer out(reinterpret_cast<uint8_t*>(s.ok_start));
  out.put(kOkLine);
  out.put(kDateField);
  sys::format_http_date(second, reinterpret_cast<char*>(out.at()));
  Writer(out.at() + sys::kHttpDateSize).put("\r\n");
}

void put_start(Sessions& s, Writer& out, int status) noexcept {
  refresh_date(s);
  if (status == 200) [[likely]] {
    out.put({s.ok_start, kOkStart});
    return;
  }
  out.put("HTTP/1.1 ");
  out.put(static_cast<uint64_t>(status));
  out.put(" ");
  out.put(reason_phrase(status));
  out.put("\r\n");
  out.put({s.ok_start + kOkLine.size(), kOkStart - kOkLine.size()});
}

// Status line, date, connection, content type, content length and the empty line fit into this.
constexpr size_t kLibraryHead = 256;

}  // namespace

std::string_view reason_phrase(int status) noexcept {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "Unknown";
}

void send_response(Exchange& e, base::ByteSpan body, std::string_view content_type) noexcept {
  Sessions& s = *e.sessions;
  net::Connection& c = *e.connection;
  const bool no_body = e.status == 204 || e.status == 304;
  const bool head_only = no_body || e.head.method == proto::Method::head;
  const bool keep_alive = e.head.keep_alive && !s.draining && !e.close_after;
  const size_t most = kLibraryHead + e.fields.size() + (head_only ? 0 : body.size());
  uint8_t* room = e.fields.failed() ? nullptr : net::append_room(s.reactor, c, most);
  if (!room) return s.reactor.abort(c);
  Writer out(room);
  put_start(s, out, e.status);
  if (!keep_alive) {
    out.put("Connection: close\r\n");
  } else if (e.head.minor_version == 0) {
    out.put("Connection: keep-alive\r\n");
  }
  if (e.content_type_bytes) content_type = {e.content_type, e.content_type_bytes};
  if (!content_type.empty() && !no_body && !e.type_in_fields) {
    out.put("Content-Type: ");
    out.put(content_type);
    out.put("\r\n");
  }
  if (!no_body) {  // RFC 9110 §8.6
    out.put("Content-Length: ");
    out.put(static_cast<uint64_t>(body.size()));
    out.put("\r\n");
  }
  if (!e.fields.empty()) out.put(e.fields.text());
  out.put("\r\n");
  if (!head_only && !body.empty()) out.put(base::as_text(body));
  net::trim_room(s.reactor, c, most - static_cast<size_t>(out.at() - room));
  if (!keep_alive) e.close_after = true;
  e.responded = true;
  settle_exchange(e);
}

void send_error(Sessions& s, net::Connection& c, int status, std::string_view text, std::string_view extra,
                bool head_only) noexcept {
  const size_t most = kLibraryHead + text.size() + extra.size();
  uint8_t* room = net::append_room(s.reactor, c, most);
  if (!room) return s.reactor.abort(c);
  Writer out(room);
  put_start(s, out, status);
  out.put("Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
  out.put(static_cast<uint64_t>(text.size()));
  out.put("\r\n");
  out.put(extra);
  out.put("\r\n");
  if (!head_only) out.put(text);
  net::trim_room(s.reactor, c, most - static_cast<size_t>(out.at() - room));
}

void send_continue(Sessions& s, net::Connection& c) noexcept {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  if (!net::append_copy(s.reactor, c, kContinue.data(), kContinue.size())) s.reactor.abort(c);
}

}  // namespace martlet::session
