// martlet/request.h: one HTTP request, as its handler sees it.
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet {

namespace session {
struct Exchange;
}

class Request;

// What Request::whole_body() answers, to be awaited.
class WholeBody {
 public:
  explicit WholeBody(const Request& request) noexcept : request_(&request) {}
  const Request& request() const noexcept { return *request_; }

 private:
  const Request* request_;
};

// A borrowed view of the request being handled (RFC 9110, RFC 9112). It and every string_view from it are valid until
// the handler returns, or until res.defer() is called in it; copy what you keep. On the worker's thread only.
class Request {
 public:
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // "GET", "POST", … as sent (case-sensitive).
  std::string_view method() const noexcept;
  // The path of the target, without the query: still percent-encoded, but judged (app.h): escapes of unreserved characters
  // are decoded, the others have upper-case digits. "*" for OPTIONS *.
  std::string_view path() const noexcept;
  // Path and query as sent.
  std::string_view url() const noexcept;
  // The query string as sent, without the '?'.
  std::string_view query_string() const noexcept;

  // The part of the path that `:name` of the route stands for, percent-decoded; what the trailing `*` stands for with
  // the name "*". Empty when the route has no such name. A decoded value may hold '/' and '\', and begin with one, though
  // it has no ".." between them and no NUL.
  std::string_view param(std::string_view name) const noexcept;
  // The first value of a query parameter, decoded ('+' is a space); nothing when it is absent.
  std::optional<std::string_view> query(std::string_view name) const noexcept;
  // The value of the field of this name (any case), without white space around it; nothing when absent. A field that
  // came in several lines has one value (RFC 9110 §5.3): the lines joined with ", ", those of Cookie with "; "; of
  // fields that cannot be lists (Authorization, Content-Type, Origin, User-Agent, …), and of Set-Cookie, the first line.
  // Joining takes memory of the request's; nothing is answered when that is out.
  std::optional<std::string_view> header(std::string_view name) const noexcept;
  // The same, for those who look for it by this name.
  std::optional<std::string_view> header_all(std::string_view name) const noexcept;
  // Field line number `index` in the order of arrival, as sent, for walking all of them; false past the end.
  bool header_at(size_t index, std::string_view& name, std::string_view& value) const noexcept;

  // The whole body, decoded from chunks; empty when there is none.
  std::string_view body() const noexcept;
  // For coroutines (task.h): std::string_view body = co_await req.whole_body(), in a middleware that runs before it is here.
  WholeBody whole_body() const noexcept { return WholeBody(*this); }
  // The body as JSON, whatever its Content-Type says: a Json, or an own type with json<Post>() (json.h).
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json() const {
    return JsonResult<T>::parse(body());
  }
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json(const JsonOptions& options) const {
    return JsonResult<T>::parse(body(), options);
  }

  // The peer's address ("203.0.113.7", "2001:db8::1"), asked of the kernel; empty for a Unix socket.
  std::string ip() const;

  // True when the request asks for a WebSocket.
  bool is_upgrade() const noexcept;
  // 0 or 1: the x of HTTP/1.x. Later minor versions are served as 1 (RFC 9110 §6.2).
  int http_minor_version() const noexcept;

 private:
  friend struct session::Exchange;
  explicit Request(session::Exchange* exchange) noexcept : exchange_(exchange) {}
  session::Exchange* exchange_;
};

}  // namespace martlet
