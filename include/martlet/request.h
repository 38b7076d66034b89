// martlet/request.h: one HTTP request, as its handler sees it.
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>
#include <martlet/typed_data.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

class CookieKeys;
class Form;
class Response;
struct FormOptions;
namespace session {
struct Exchange;
}

// A name with its value: a cookie, a field of a form.
struct NamedText {
  std::string_view name, value;
};

// A typed parameter: its value, or T{} when it was not sent or has been refused. So `*` is always good.
template <typename T>
class Typed {
 public:
  Typed() = default;
  explicit Typed(T value) : value_(std::move(value)), is_there_(true) {}
  explicit operator bool() const noexcept { return is_there_; }
  const T& operator*() const& noexcept { return value_; }
  T operator*() && { return std::move(value_); }
  const T* operator->() const noexcept { return &value_; }
  T value_or(T other) const { return is_there_ ? value_ : other; }

 private:
  T value_{};
  bool is_there_ = false;
};

namespace detail {

// What a text is to be. The bounds are those of integers.
struct Wanted {
  enum class Kind : uint8_t { integer, number, boolean, text } kind;
  int64_t least = 0;
  uint64_t most = 0;
};
bool read_integer(std::string_view text, const Wanted& wanted, uint64_t& to) noexcept;
bool read_number(std::string_view text, double& to) noexcept;
bool read_boolean(std::string_view text, bool& to) noexcept;

template <typename T>
constexpr Wanted wanted() noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return {Wanted::Kind::boolean};
  } else if constexpr (std::is_integral_v<T>) {
    constexpr T least = std::is_signed_v<T> ? static_cast<T>(T{1} << (sizeof(T) * 8 - 1)) : T{0};
    return {Wanted::Kind::integer, static_cast<int64_t>(least), static_cast<uint64_t>(static_cast<T>(~least))};
  } else if constexpr (std::is_floating_point_v<T>) {
    return {Wanted::Kind::number};
  } else {
    return {Wanted::Kind::text};
  }
}

template <typename T>
bool read_typed(std::string_view text, T& to) {
  if constexpr (std::is_same_v<T, bool>) {
    return read_boolean(text, to);
  } else if constexpr (std::is_integral_v<T>) {
    uint64_t bits = 0;
    if (!read_integer(text, wanted<T>(), bits)) return false;
    to = static_cast<T>(bits);
    return true;
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (!read_number(text, number)) return false;
    to = static_cast<T>(number);
    return !__builtin_isinf(to);
  } else {
    static_assert(std::is_constructible_v<T, std::string_view>, "a parameter is an integer, a floating-point number, a bool or a text");
    to = T(text);
    return true;
  }
}

#if MARTLET_HAS_EXCEPTIONS
[[noreturn]] inline void no_room_for_data() { throw std::bad_alloc(); }
#else
[[noreturn]] MARTLET_THUNK inline void no_room_for_data() { std::terminate(); }
#endif

}  // namespace detail

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
// the handler returns: those that an earlier step has taken, too, also when the body has come after them. But where the request
// is held, head and body are copied aside, and views that were taken before are no longer valid; ask it again. That is so from
// res.defer() on, when a step has returned that keeps its Next, and in a step that is a coroutine (its own views are valid as
// long as its task: task.h). Copy what you keep. On the worker's thread only.
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
  // The first value of a query parameter, decoded ('+' is a space, and a '%' that begins no escape one itself, as in form());
  // nothing when it is absent.
  std::optional<std::string_view> query(std::string_view name) const noexcept;
  // All of its values, in order; none when memory is out.
  std::span<const std::string_view> query_all(std::string_view name) const noexcept;

  // The same as values of a type: *req.param<int>("id"), req.query<unsigned>("page", 1). T is an integer (digits, a '-' where it
  // is signed), a floating-point number (as in JSON), a bool ("true", "1" or nothing, "false", "0"), std::string or std::string_view.
  // What was sent and is none, or does not fit, is answered at once with a 400 that names the parameter, as
  // Response::fail() does it, and counts as absent. The handler goes on with that; what it then answers, and a call of
  // next(), is ignored, which is no mistake: Response::sent() is true.
  template <typename T>
  MARTLET_THUNK Typed<T> param(std::string_view name) const {
    const std::string_view text = param(name);
    return text.empty() ? Typed<T>() : typed<T>(name, text);
  }
  template <typename T>
  MARTLET_THUNK Typed<T> query(std::string_view name) const {
    const std::optional<std::string_view> text = query(name);
    return text ? typed<T>(name, *text) : Typed<T>();
  }
  template <typename T>
  MARTLET_THUNK T query(std::string_view name, std::type_identity_t<T> otherwise) const {
    Typed<T> sent = query<T>(name);
    return sent ? *std::move(sent) : std::move(otherwise);
  }

  // The value of the field of this name (any case), without white space around it; nothing when absent. A field that
  // came in several lines has one value (RFC 9110 §5.3): the lines joined with ", ", those of Cookie with "; "; of
  // fields that cannot be lists (Authorization, Content-Type, Origin, User-Agent, …), and of Set-Cookie, the first line.
  // Joining takes memory of the request's; nothing is answered when that is out.
  std::optional<std::string_view> header(std::string_view name) const noexcept;
  // The lines of that field one by one, as sent; none when memory is out.
  std::span<const std::string_view> header_all(std::string_view name) const noexcept;
  // Field line number `index` in the order of arrival, as sent, for walking all of them; false past the end.
  bool header_at(size_t index, std::string_view& name, std::string_view& value) const noexcept;

  // The first cookie of this name (cookie.h), decoded.
  std::optional<std::string_view> cookie(std::string_view name) const noexcept;
  // The same of one that Response::signed_cookie() has set; nothing when none of the keys has signed it.
  std::optional<std::string_view> signed_cookie(std::string_view name, const CookieKeys& keys) const noexcept;
  // All cookies in the order in which they came, decoded; none when memory is out.
  std::span<const NamedText> cookies() const noexcept;

  // Negotiation (RFC 9110 §12): the offer that the client's Accept, Accept-Language, Accept-Encoding or Accept-Charset wants
  // most, and of equals the first; nothing when it accepts none. Without the field all are accepted, but of encodings
  // "identity" alone. Media types are offered whole or by a short name: "json", "html", "text", "xml", …
  std::optional<std::string_view> accepts(std::initializer_list<std::string_view> types) const noexcept;
  std::optional<std::string_view> accepts_languages(std::initializer_list<std::string_view> languages) const noexcept;
  std::optional<std::string_view> accepts_encodings(std::initializer_list<std::string_view> encodings) const noexcept;
  std::optional<std::string_view> accepts_charsets(std::initializer_list<std::string_view> charsets) const noexcept;
  // Whether the body is of this type by Content-Type: a media type ("text/*" and "+json" as well), or a short name, of which "json"
  // means everything that ends in +json, too. False without a body.
  bool is(std::string_view type) const noexcept;
  // The first of them that it is of.
  std::optional<std::string_view> is(std::initializer_list<std::string_view> types) const noexcept;
  // Whether the client has what would be answered now (RFC 9110 §13), by the ETag and Last-Modified that `res` has: a 304 without a
  // body does. Only for GET and HEAD with a status of 2xx, and not when the client reloads (Cache-Control: no-cache).
  bool fresh(const Response& res) const noexcept;

  // Where the request came from. Behind proxies that AppOptions::trusted_proxies names, these are what they say of the
  // client; else, what the socket and the request say themselves.

  // The client's address ("203.0.113.7", "2001:db8::1"); of a connection without one (a Unix socket) empty.
  std::string ip() const;
  // The same as 16 bytes in network order, for tables and ranges: IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2); all zero where there is
  // none. Makes no text. The system is asked once for a connection, as by ip(), in most cases.
  std::array<uint8_t, 16> ip_bytes() const noexcept;
  // The addresses on the way from the client to this server as trusted proxies tell them: the client's first, this server's
  // neighbour is not among them. Empty when nobody tells.
  MARTLET_LAYOUT std::vector<std::string> ips() const;
  // What the client calls this server: "example.com:8080", "[::1]:3000"; and without the port. Chosen by the client.
  std::string_view host() const noexcept;
  std::string_view hostname() const noexcept;
  // "http", or "https" when a trusted proxy says so.
  std::string_view protocol() const noexcept;
  bool secure() const noexcept { return protocol() == "https"; }
  // A name for this request, for logs: the X-Request-Id that a trusted proxy has sent, where it is one of at most 128 letters,
  // digits and "-_.:=+/@"; else one that is made when it is first asked for (24 letters and digits, never the same twice).
  std::string_view id() const noexcept;

  // A T of this request's own, found by its type: what a step leaves for later ones. Made (as T()) when it is first asked for;
  // it ends with the request, after the answer. It had better own its texts: views of the request in it are valid as told above.
  // Where memory is out it throws std::bad_alloc, as `new` does, or aborts in a program without exceptions.
  //   req.data<User>() = user;
  template <typename T>
  MARTLET_THUNK T& data() const {
    T* object = try_data<T>();
    if (!object) detail::no_room_for_data();
    return *object;
  }
  // The same, but null when memory is out.
  template <typename T>
  MARTLET_THUNK T* try_data() const {
    void* object = find_slot(&detail::slot_key<T>);
    return object ? static_cast<T*>(object) : make_slot<T>();
  }
  // The same if it is there, else null.
  template <typename T>
  T* find_data() const noexcept {
    return static_cast<T*>(find_slot(&detail::slot_key<T>));
  }

  // For a step before the handler: no more than this of a body is received, if its route takes more. False: more is announced, or here
  // already; what comes in chunks is refused with 413 when it is more, as the route's own limit would have it.
  bool limit_body(size_t max_bytes) const noexcept;
  // The whole body, decoded from chunks; empty when there is none.
  std::string_view body() const noexcept;
  // For coroutines (task.h): std::string_view body = co_await req.whole_body(), in a middleware that runs before it is here.
  WholeBody whole_body() const noexcept { return WholeBody(*this); }
  // The body as JSON, whatever its Content-Type says: a Json, or an own type with json<Post>() (json.h). A Json that
  // json_body() has read is copied, not read again.
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json() const {
    if constexpr (std::is_same_v<T, Json>) {
      if (const Json* parsed = json_body()) return JsonResult<T>(*parsed);
    }
    return JsonResult<T>::parse(body());
  }
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json(const JsonOptions& options) const {
    return JsonResult<T>::parse(body(), options);
  }
  // The same for a handler that has nothing to say when it is none: then it is answered with 415 (the Content-Type is not
  // JSON), 400 (it is no JSON; the text tells the place) or 422 (an own type cannot be read from it; the text tells which
  // member). As with query<T>(), what is answered after that is ignored.
  //   if (auto post = req.json<Post>(res)) res.status(201).json(*post);
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json(Response& res) const {
    if (const JsonError* error = refuse_json_type(res)) return JsonResult<T>(*error);
    JsonResult<T> result = json<T>();
    if (!result) refuse_json(res, result.error(), !std::is_same_v<T, Json>);
    return result;
  }
  // What the middleware json_body() has read; null where it has not.
  const Json* json_body() const noexcept;
  // The body as a form (form.h).
  Form form() const noexcept;
  Form form(const FormOptions& options) const noexcept;
  // The same for a handler that has nothing to say when it is none: then it is answered with 415 or 413.
  Form form(Response& res) const noexcept;
  Form form(Response& res, const FormOptions& options) const noexcept;

  // True when the request asks for a WebSocket.
  bool is_upgrade() const noexcept;
  // 0 or 1: the x of HTTP/1.x. Later minor versions are served as 1 (RFC 9110 §6.2).
  int http_minor_version() const noexcept;

 private:
  friend struct session::Exchange;
  template <typename T>
  MARTLET_THUNK Typed<T> typed(std::string_view name, std::string_view text) const {
    T value{};
    if (detail::read_typed(text, value)) return Typed<T>(std::move(value));
    refuse_value(name, detail::wanted<T>());
    return Typed<T>();
  }
  void refuse_value(std::string_view name, const detail::Wanted& wanted) const noexcept;
  const JsonError* refuse_json_type(Response& res) const noexcept;
  void refuse_json(Response& res, const JsonError& error, bool own_type) const noexcept;

  void* find_slot(const void* key) const noexcept;
  // Room for an object and for what finds it, which lasts as long as the request; null when memory is out.
  void* slot_room(size_t size, size_t alignment) const noexcept;
  void keep_slot(const void* key, void* object, void (*destroy)(void*) noexcept) const noexcept;
  template <typename T>
  MARTLET_THUNK T* make_slot() const {
    void* room = slot_room(sizeof(T), alignof(T));
    if (!room) return nullptr;
    T* object = new (room) T();
    if constexpr (std::is_trivially_destructible_v<T>) {
      keep_slot(&detail::slot_key<T>, object, nullptr);
    } else {
      keep_slot(&detail::slot_key<T>, object, [](void* it) noexcept { static_cast<T*>(it)->~T(); });
    }
    return object;
  }

  explicit Request(session::Exchange* exchange) noexcept : exchange_(exchange) {}
  session::Exchange* exchange_;
};

}  // namespace martlet
