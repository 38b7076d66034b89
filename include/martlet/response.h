// martlet/response.h: the answer to one request, now or later.
#pragma once

#include <martlet/config.h>
#include <martlet/cookie.h>
#include <martlet/function.h>
#include <martlet/json_forward.h>
#include <martlet/options.h>
#include <martlet/reply.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

class MARTLET_LAYOUT FieldLines;
namespace session {
struct Exchange;
}

// One of those that Response::format() chooses from. It names the function, and is meant for the same expression.
class FormatChoice {
 public:
  template <typename F>
    requires std::is_invocable_v<const F&>
  MARTLET_THUNK FormatChoice(std::string_view of_type, const F& fn) noexcept
      : type(of_type), fn_(&fn), call_([](const void* f) { (*static_cast<const F*>(f))(); }) {}
  MARTLET_THUNK void call() const { call_(fn_); }

  std::string_view type;

 private:
  const void* fn_;
  void (*call_)(const void*);
};

// How an answer went, for Response::on_finish. The texts are good until the callback returns.
struct Finished {
  int status = 0;      // 0: the connection ended before there was an answer; 101: it has become a WebSocket
  uint64_t bytes = 0;  // of the answer's body: none for HEAD
  // Until the answer had left, or the connection ended: from the turn of the loop in which on_finish() was called, whose requests were
  // all there when it began.
  std::chrono::nanoseconds duration{};
  // The connection ended before the answer had left: nobody has it whole. False: the operating system has all of it, which
  // is not to say that the client has.
  bool aborted = false;
  std::string_view method = {};  // of the request
  std::string_view path = {};    // as Request::path()
  std::string_view route = {};   // the pattern of the route; "*" when no route took the request
};

// The answer to a request. status(), set() and type() prepare it, one terminal call (send, json, redirect, end) gives
// it to the connection; nothing is copied from your arguments after a call has returned.
//
// A second terminal call is ignored, counted (Stats::late_responses) and logged; debug builds abort.
// The handler gets a Response& that is good until it returns. defer() gives a Response to keep: it may be copied, used
// from any thread (calls of one thread keep their order) and at any time; once the connection is gone its calls do
// nothing, and it can never answer another request.
class Response {
 public:
  // A copy names the request, as what defer() answers does, but does not keep it open.
  Response(const Response& other) noexcept;
  Response& operator=(const Response& other) noexcept;

  // When a handler fails, what it and the middleware before it have set so far stays on the 500, but for the fields that
  // describe a body (Content-*, ETag, Last-Modified) or let it be cached (Expires, Cache-Control without no-store).

  // The status code, 200 when not set. Values outside 200–599 are programmer errors and become 500.
  const Response& status(int code) const noexcept;
  Response& status(int code) noexcept { return std::as_const(*this).status(code), *this; }
  // Adds a field. Names and values that would break the head (RFC 9110 §5) are refused, counted and logged, so that no
  // text of a peer can split a response. Content-Length, Transfer-Encoding, Connection and Date are the library's and
  // are ignored. Setting a name again replaces it, except Set-Cookie, which is added.
  const Response& set(std::string_view name, std::string_view value) const noexcept;
  Response& set(std::string_view name, std::string_view value) noexcept {
    return std::as_const(*this).set(name, value), *this;
  }
  // The same of many at once, which were checked before (field_lines.h, which has to be included).
  const Response& set(const FieldLines& lines) const noexcept;
  Response& set(const FieldLines& lines) noexcept { return std::as_const(*this).set(lines), *this; }
  // Adds a field beside those of this name: as one more line, which is one more element of a list (RFC 9110 §5.3).
  const Response& append(std::string_view name, std::string_view value) const noexcept;
  Response& append(std::string_view name, std::string_view value) noexcept {
    return std::as_const(*this).append(name, value), *this;
  }
  // Takes back what was set of this name.
  const Response& remove(std::string_view name) const noexcept;
  Response& remove(std::string_view name) noexcept { return std::as_const(*this).remove(name), *this; }
  // What was set of this name (any case), of several the first; nothing on another thread than the worker's. Good until the
  // next change.
  std::optional<std::string_view> get(std::string_view name) const noexcept;
  // The status so far; 0 on another thread than the worker's.
  int status_code() const noexcept;
  // Names request fields that the answer depends on, for caches (RFC 9110 §12.5.5): "Accept", or "Accept, Origin". One that is
  // named already is not added again; "*" stands for all.
  const Response& vary(std::string_view fields) const noexcept;
  Response& vary(std::string_view fields) noexcept { return std::as_const(*this).vary(fields), *this; }
  // The answer is a file to be saved under this name, of which the last part of a path counts (RFC 6266; names beyond ASCII by
  // RFC 8187). By its extension it has a Content-Type, unless one was set.
  const Response& attachment(std::string_view file_name = {}) const noexcept;
  Response& attachment(std::string_view file_name = {}) noexcept { return std::as_const(*this).attachment(file_name), *this; }

  // Sets a cookie, takes one off (with the domain and the path that it was set with), or sets one that is signed: see
  // cookie.h, also for what is refused.
  const Response& cookie(std::string_view name, std::string_view value, const CookieOptions& options = {}) const noexcept;
  Response& cookie(std::string_view name, std::string_view value, const CookieOptions& options = {}) noexcept {
    return std::as_const(*this).cookie(name, value, options), *this;
  }
  const Response& clear_cookie(std::string_view name, const CookieOptions& options = {}) const noexcept;
  Response& clear_cookie(std::string_view name, const CookieOptions& options = {}) noexcept {
    return std::as_const(*this).clear_cookie(name, options), *this;
  }
  const Response& signed_cookie(std::string_view name, std::string_view value, const CookieKeys& keys,
                                const CookieOptions& options = {}) const noexcept;
  Response& signed_cookie(std::string_view name, std::string_view value, const CookieKeys& keys, const CookieOptions& options = {}) noexcept {
    return std::as_const(*this).signed_cookie(name, value, keys, options), *this;
  }

  // Content-Type. Short names stand for whole types: "html", "text", "json", "css", "js", "svg", "png", "xml", "csv", "pdf", "bin"
  // and all others that Request::accepts() knows; what is none is taken as it is.
  const Response& type(std::string_view content_type) const noexcept;
  Response& type(std::string_view content_type) noexcept { return std::as_const(*this).type(content_type), *this; }

  // Ends the response with a body. Content-Type is text/plain; charset=utf-8 unless set.
  void send(std::string_view text) const noexcept;
  // With bytes; Content-Type is application/octet-stream unless set.
  void send(std::span<const std::byte> bytes) const noexcept;
  // With text that is JSON already; Content-Type is application/json unless set.
  void json(std::string_view text) const noexcept;
  // With a Json, a JsonWriter, or an own type (json.h). 503 when memory is out for the text.
  void json(const JsonText& value) const noexcept;
  // With an object: res.json({{"id", 7}, {"name", "Ann"}}).
  void json(std::initializer_list<JsonMember> members) const noexcept;
  // Sends the client elsewhere: Location and a status of 301, 302, 303, 307 or 308.
  void redirect(std::string_view location, int code = 302) const noexcept;
  // Calls the function of the type that the client's Accept wants most, and of equals the first, with that Content-Type set, and
  // Vary: Accept. Types are as in Request::accepts(); the one that is called "default" is for who accepts none of the others,
  // else 406. On the worker's thread.
  //   res.format({{"json", [&] { res.json(post); }}, {"html", [&] { res.send(page); }}});
  MARTLET_THUNK void format(std::initializer_list<FormatChoice> choices) const {
    if (const FormatChoice* chosen = choose_format(choices.begin(), choices.size())) chosen->call();
  }
  // Without a body.
  void end() const noexcept;
  // With an answer as a value (reply.h): what App::inject() has answered, say.
  void reply(const Reply& reply) const noexcept;
  // Gives up: the error handlers run (App::on_error), and where none of them answers, the client gets the status with the
  // text, or the status's own name, as text/plain; or as application/problem+json (RFC 9457) where Accept prefers JSON. What
  // was set so far stays, but for the fields that describe a body. Terminal like the others.
  void fail(int code, std::string_view text = {}) const noexcept;

  // True once a terminal call was made (on the worker's thread; elsewhere false).
  bool sent() const noexcept;

  // Keeps the request open after the handler has returned; the Response that is returned answers it later, and must:
  // until then the connection stays, also when the client has ended its direction and waits. The head
  // and the body are copied aside: views taken from the Request before are no longer valid, ask it again.
  // With a deadline (or AppOptions::handler_timeout) the client gets 503 when no answer has come by then.
  [[nodiscard]] Response defer(const DeferOptions& options = {}) const noexcept;

  // For a step before the handler: however the answer comes later (res.defer(), a Next that is kept, a coroutine), it is to come within
  // this time from now; else the client gets 503 with this text, and a late answer does nothing. A DeferOptions::deadline replaces it.
  // On the worker's thread; the text is copied.
  void answer_within(milliseconds limit, std::string_view text = {}) const noexcept;

  // Calls fn once, on the worker's thread, when the connection ends before the request was answered: the client has reset
  // it, has gone as AppOptions::half_close_is_abort has it, or the App has ended it (a deadline of drain()). What it asked
  // for need not be worked out any more. When it has gone already, fn runs in a later turn. An answer, also the 503 of a
  // deadline, lets go of fn without a call. Another call replaces fn.
  void on_aborted(Function<void()> fn) const noexcept;

  // Calls fn once, on the worker's thread, just before the head of the answer is made, whoever answers: the handler, later or
  // at once, an error handler, the library (a refusal, the 503 of a deadline, the 101 of a WebSocket). It may still set fields
  // and the status (not that of a 101); an answer in it is a second one. Several run in reverse order of registration, so that a step has
  // the last word over the steps after it. One that throws is reported, and the answer leaves. Register before the answer: behind it
  // nothing happens.
  void on_headers(Function<void(Response&)> fn) const noexcept;
  // Calls fn once, on the worker's thread and never within another callback, when the answer has left (all of it is with the operating
  // system) or its connection has ended before: also of late answers, the library's, and those that nobody has given.
  // Several run in order of registration. Register before the answer, as with on_headers(). When memory is out for either
  // the connection ends.
  void on_finish(Function<void(const Finished&)> fn) const noexcept;

 private:
  friend struct session::Exchange;
  explicit Response(session::Exchange* exchange) noexcept : exchange_(exchange) {}
  Response(uint32_t worker, uint32_t slot, uint32_t generation, uint32_t request) noexcept
      : worker_(worker), slot_(slot), generation_(generation), request_(request) {}
  session::Exchange* resolve() const noexcept;
  bool elsewhere() const noexcept;
  const FormatChoice* choose_format(const FormatChoice* choices, size_t count) const noexcept;
  bool is_muted() const noexcept { return !exchange_ && worker_ == 0; }

  session::Exchange* exchange_ = nullptr;  // set in the handler's Response only
  uint32_t worker_ = 0;
  uint32_t slot_ = 0;
  uint32_t generation_ = 0;
  uint32_t request_ = 0;
};

}  // namespace martlet
