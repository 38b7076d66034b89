// martlet/security_headers.h: the fields by which a server tells browsers to be careful with its pages.
//
//   app.use(security_headers());
//   app.use(security_headers({.content_security_policy = ContentSecurityPolicy().add("script-src", {ContentSecurityPolicy::nonce})}));
//   app.get("/", [](Request& req, Response& res) { res.type("html").send(page(csp_nonce(req))); });    <script nonce="…">
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/middleware.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

class Request;
class Response;
struct SecurityHeadersAccess;

// A Content-Security-Policy (https://www.w3.org/TR/CSP3/), put together directive by directive during set-up. A name or a source that
// is none, and a keyword without its quotes (self for 'self'), are the Error of listen().
class MARTLET_LAYOUT ContentSecurityPolicy {
 public:
  // A source that stands for a nonce that is made anew for each request: 'nonce-…'. See csp_nonce().
  static constexpr std::string_view nonce = "'nonce'";

  // default-src 'self'; base-uri 'self'; font-src 'self' https: data:; form-action 'self'; frame-ancestors 'self'; img-src 'self' data:;
  // object-src 'none'; script-src 'self'; script-src-attr 'none'; style-src 'self' https: 'unsafe-inline'; upgrade-insecure-requests.
  ContentSecurityPolicy();
  // One without directives; as long as it has none the field is not sent.
  static ContentSecurityPolicy none() { return ContentSecurityPolicy(std::vector<Directive>()); }

  // The directive has these sources, and no others; with none of them it stands by itself (upgrade-insecure-requests).
  ContentSecurityPolicy& set(std::string_view directive, std::initializer_list<std::string_view> sources = {});
  // The same beside those that it has; 'none' gives way.
  ContentSecurityPolicy& add(std::string_view directive, std::initializer_list<std::string_view> sources);
  ContentSecurityPolicy& remove(std::string_view directive);
  // Browsers report what it forbids, and allow it: Content-Security-Policy-Report-Only.
  ContentSecurityPolicy& report_only(bool yes = true);

 private:
  friend struct SecurityHeadersAccess;
  struct MARTLET_LAYOUT Directive {
    std::string name = {};
    std::vector<std::string> sources = {};
  };
  explicit ContentSecurityPolicy(std::vector<Directive> directives) : directives_(std::move(directives)) {}
  Directive* find(std::string_view name) noexcept;
  std::vector<Directive> directives_;
  bool report_only_ = false;
};

// The values of the fields, each by the name of its own; an empty one is not sent. The defaults are those that the field has settled
// on (helmet 8 for Node has the same). X-Powered-By is not among them: this library sends none.
struct MARTLET_LAYOUT SecurityHeadersOptions {
  // What a page may load, and from where. Say what yours need, or begin with report_only().
  ContentSecurityPolicy content_security_policy = {};
  // "require-corp" for pages that are to be isolated (SharedArrayBuffer); it keeps from them what does not ask for it.
  std::string cross_origin_embedder_policy = {};
  // Windows that this one opens, or is opened by, have nothing to do with it.
  std::string cross_origin_opener_policy = "same-origin";
  // Pages of other sites do not load these answers (as images, scripts). "cross-origin" for what is public.
  std::string cross_origin_resource_policy = "same-origin";
  std::string origin_agent_cluster = "?1";
  // Which features pages may use: "camera=(), geolocation=(self)". Not sent unless said.
  std::string permissions_policy = {};
  std::string referrer_policy = "no-referrer";
  // A year of HTTPS and nothing else. Browsers heed it where it comes by HTTPS.
  std::string strict_transport_security = "max-age=31536000; includeSubDomains";
  std::string x_content_type_options = "nosniff";
  std::string x_dns_prefetch_control = "off";
  std::string x_download_options = "noopen";
  std::string x_frame_options = "SAMEORIGIN";
  std::string x_permitted_cross_domain_policies = "none";
  // "0": the filters of old browsers did more harm than good.
  std::string x_xss_protection = "0";
};

// What security_headers() makes: a middleware. Copies share what was prepared; one may be used by several workers.
class SecurityHeaders {
 public:
  void operator()(Request& req, Response& res, Next next) const noexcept;
  // Of the options; the Error of listen(). Called all the same it answers 500.
  Error mistake() const noexcept;

 private:
  friend struct SecurityHeadersAccess;
  explicit SecurityHeaders(detail::CountedPointer fields) noexcept : fields_(std::move(fields)) {}
  detail::CountedPointer fields_;
};

// Sets these fields in every answer that use() sees, errors too. A step or handler behind it may replace or remove each
// (Response::set). They are put together once: a request costs one copy, and a policy with nonces some hundred nanoseconds.
SecurityHeaders security_headers(SecurityHeadersOptions options = {});

// The nonce of this request: 128 random bits as Base64, 24 characters, the same whenever it is asked for. Where no
// security_headers() with a nonce has run it is one that no field names. As long valid as other views of the request.
// Whoever can read an answer knows its nonce: pages with nonces are not for shared caches.
std::string_view csp_nonce(const Request& req) noexcept;

}  // namespace martlet
