// martlet/cors.h: which pages of other origins may read what this server answers (CORS, https://fetch.spec.whatwg.org/#cors-protocol).
//
//   app.use(cors());                                                            any page may read, without cookies
//   app.use(cors({.credentials = true, .origins = {"https://a.example", "https://*.b.example"}}));
//
// Register it before what authenticates: browsers send preflights without credentials. As a step of use() it answers preflights
// for every path, also where there is no route for OPTIONS, and its fields are in every answer that use() sees: errors, 404, 405, and
// what the library refuses (413, 408); a path that is malformed is refused before any step. With App::keep_fields() name the fields that are to stay there. As a route's own step it
// sees that route's method only.
//
// CORS keeps no request away; it keeps pages from reading answers. What a request changes is guarded otherwise: who is asked is
// WsOptions::origins for WebSockets, and a check of Origin for the rest.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/field_lines.h>
#include <martlet/function.h>
#include <martlet/middleware.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

class Request;
class Response;
struct CorsAccess;

// What an `allow_origin` that decides later does so by. Copies name the same request; any thread; the first answer counts. When the
// last copy goes without one, the answer was no.
class AllowOrigin {
 public:
  void yes() const noexcept { decide(true); }
  void no() const noexcept { decide(false); }

 private:
  friend struct CorsAccess;
  explicit AllowOrigin(detail::CountedPointer question) noexcept : question_(std::move(question)) {}
  void decide(bool allowed) const noexcept;
  detail::CountedPointer question_;
};

// An option: a function that is called with (std::string_view origin), or (Request&, std::string_view origin), and answers bool; or
// with (Request&, std::string_view origin, AllowOrigin) and decides now or later, which costs an allocation. The views are good until it returns.
// One that throws has refused: 500. Copies share it, as those of a Decision.
class OriginJudge {
 public:
  OriginJudge() noexcept = default;
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, OriginJudge>)
  MARTLET_THUNK OriginJudge(F&& fn) {
    using Stored = std::decay_t<F>;
    constexpr bool of_text = std::is_invocable_r_v<bool, Stored&, std::string_view>;
    constexpr bool of_request = std::is_invocable_r_v<bool, Stored&, Request&, std::string_view>;
    constexpr bool later = std::is_invocable_v<Stored&, Request&, std::string_view, AllowOrigin>;
    static_assert(of_text || of_request || later, "allow_origin is called with (std::string_view) or (Request&, std::string_view) and answers bool, or with (Request&, std::string_view, AllowOrigin)");
    if constexpr (of_text) {
      now_ = [kept = Stored(std::forward<F>(fn))](Request&, std::string_view origin) mutable { return kept(origin); };
    } else if constexpr (of_request) {
      now_ = std::forward<F>(fn);
    } else if constexpr (later) {
      later_ = detail::Shared<Later>::make(std::forward<F>(fn));
    }
  }

  explicit operator bool() const noexcept { return now_ || later_; }

 private:
  friend struct CorsAccess;
  using Later = Function<void(Request&, std::string_view, AllowOrigin)>;
  Decision<bool(Request&, std::string_view)> now_ = {};
  detail::Shared<Later> later_ = {};
};

struct MARTLET_LAYOUT CorsOptions {
  // Asked about the origins that `origins` does not name; "null" as well, which pages have that are a file's or in a sandbox.
  OriginJudge allow_origin = {};
  // Whether pages may send cookies and other credentials along, and read what is answered then. Who says so names the origins:
  // with "*" or "null" among them it is a mistake, as every page would act for its visitor.
  bool credentials = false;
  // Fields of answers that pages may read beside the usual ones (Cache-Control, Content-Language, -Length, -Type, Expires,
  // Last-Modified, Pragma).
  std::vector<std::string> exposed_headers = {};
  // Fields that pages may send beside the usual ones. Nothing: whichever a preflight asks for (of at most 64 names and 2 KiB, else none).
  std::optional<std::vector<std::string>> headers = {};
  // How long a browser may remember a preflight's answer. Browsers have bounds of their own (2 hours and 24 hours). Nothing: not said,
  // which they take for 5 s.
  std::optional<std::chrono::seconds> max_age = {};
  // Methods that pages may use beside GET, HEAD and POST, which need no permission.
  std::vector<std::string> methods = {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"};
  // Origins as WsOptions::origins has them: "https://a.example", "https://*.a.example" for what is below, "http://localhost:*" for
  // every port, "*" for any, "null". Empty: those of allow_origin; without that any.
  std::vector<std::string> origins = {};
  // Preflights go on to what comes after, with their fields set, in place of being answered.
  bool pass_preflights = false;
  // Of the answer to a preflight, 200 to 299.
  int preflight_status = 204;
  // Whether pages on the internet may reach this server in a private network or on the visitor's machine (Private Network Access).
  bool private_network = false;
};

// What cors() makes: a middleware. Copies share what was prepared, which nobody changes: one may be used by several workers.
class Cors {
 public:
  void operator()(Request& req, Response& res, Next next) const noexcept;
  // Of the options; the Error of listen(). Called all the same it answers 500.
  Error mistake() const noexcept;

 private:
  friend struct CorsAccess;
  explicit Cors(detail::CountedPointer policy) noexcept : policy_(std::move(policy)) {}
  detail::CountedPointer policy_;
};

// Answers preflights, and sets Access-Control-Allow-Origin and what belongs to it. Where that depends on the origin, Vary: Origin is in
// every answer, also when there is none or it is refused; add to it by res.vary(), as res.set("Vary", …) would replace it. A
// preflight of an origin that is refused is answered with the same status, without the fields. Origins that are no origins
// (RFC 6454) are refused, whatever the options say.
Cors cors(CorsOptions options = {});

}  // namespace martlet
