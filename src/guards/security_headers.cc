// See security_headers.h. What is the same for every request lies in FieldLines. A policy with nonces lies ready as a text with room for
// them, and is copied to the stack for each request, where they are put in.
#include <martlet/security_headers.h>

#include <martlet/field_lines.h>
#include <martlet/random.h>
#include <martlet/request.h>
#include <martlet/response.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/bytes.h"
#include "codec/base64.h"

namespace martlet {

namespace {

constexpr size_t kRandomBytes = 16;
constexpr size_t kNonceBytes = codec::base64_encoded_size(kRandomBytes);
constexpr size_t kMostPolicyBytes = 3000;  // of one with nonces: it is made on the stack
constexpr std::string_view kNone = "'none'";

struct Nonce {
  char text[kNonceBytes];
  bool made = false;
  std::string_view view() const noexcept { return {text, sizeof text}; }
};

// Null when memory is out.
const Nonce* nonce_of(const Request& req) noexcept {
  Nonce* nonce = req.try_data<Nonce>();
  if (!nonce || nonce->made) return nonce;
  std::byte bytes[kRandomBytes];
  random_bytes(bytes);
  codec::encode_base64({reinterpret_cast<const uint8_t*>(bytes), sizeof bytes}, nonce->text);
  nonce->made = true;
  return nonce;
}

struct Fields final : detail::Counted {
  Fields() : Counted([](Counted* self) noexcept { delete static_cast<Fields*>(self); }) {}
  FieldLines lines;
  std::string_view policy_name;
  std::string policy;          // with nonces; else empty
  std::vector<size_t> nonces;  // where they stand in it
  Error error;
};

// The policy ----------------------------------------------------------------------------------------------------------

bool is_directive(std::string_view name) noexcept {
  if (name.empty()) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

// CSP3 §2.3.1: visible ASCII without what ends a source, a directive or a policy.
bool is_source(std::string_view text) noexcept {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != ';' && c != ','; });
}

// Meant as a keyword, and taken for a host by browsers.
bool lacks_quotes(std::string_view source) noexcept {
  for (const char* keyword : {"none", "self", "strict-dynamic", "report-sample", "inline-speculation-rules", "unsafe-inline", "unsafe-eval",
                              "unsafe-hashes", "wasm-unsafe-eval", "nonce"}) {
    if (source == keyword) return true;
  }
  for (const char* beginning : {"nonce-", "sha256-", "sha384-", "sha512-"}) {
    if (source.starts_with(beginning)) return true;
  }
  return false;
}

}  // namespace

struct SecurityHeadersAccess {
  using Directive = ContentSecurityPolicy::Directive;

  static Error wrong(const Directive& d) {
    if (!is_directive(d.name)) return Error::of({"security_headers: \"", d.name, "\" is no directive of a Content-Security-Policy"});
    for (const std::string& source : d.sources) {
      if (!is_source(source)) return Error::of({"security_headers: ", d.name, ": \"", source, "\" is no source"});
      if (lacks_quotes(source)) return Error::of({"security_headers: ", d.name, ": a keyword stands in quotes: '", source, "'"});
    }
    return {};
  }

  static void write(Fields& f, const Directive& d) {
    f.policy.append(f.policy.empty() ? "" : ";").append(d.name);
    for (const std::string& source : d.sources) {
      if (source != ContentSecurityPolicy::nonce) {
        f.policy.append(" ").append(source);
        continue;
      }
      f.policy.append(" 'nonce-");
      f.nonces.push_back(f.policy.size());
      f.policy.append(kNonceBytes, '-').append("'");
    }
  }

  static Error take_policy(Fields& f, const ContentSecurityPolicy& policy) {
    for (const Directive& d : policy.directives_) {
      if (Error error = wrong(d)) return error;
      write(f, d);
    }
    f.policy_name = policy.report_only_ ? "Content-Security-Policy-Report-Only" : "Content-Security-Policy";
    if (f.policy.empty()) return {};
    if (f.nonces.empty()) {
      f.lines.add(f.policy_name, f.policy);
      f.policy.clear();
    }
    return f.policy.size() > kMostPolicyBytes ? Error("security_headers: a policy with nonces has at most 3000 bytes") : Error();
  }

  static Error take(Fields& f, const SecurityHeadersOptions& o) {
    if (Error error = take_policy(f, o.content_security_policy)) return error;
    const std::pair<const char*, const std::string*> values[] = {
        {"Cross-Origin-Embedder-Policy", &o.cross_origin_embedder_policy}, {"Cross-Origin-Opener-Policy", &o.cross_origin_opener_policy},
        {"Cross-Origin-Resource-Policy", &o.cross_origin_resource_policy}, {"Origin-Agent-Cluster", &o.origin_agent_cluster},
        {"Permissions-Policy", &o.permissions_policy}, {"Referrer-Policy", &o.referrer_policy},
        {"Strict-Transport-Security", &o.strict_transport_security}, {"X-Content-Type-Options", &o.x_content_type_options},
        {"X-DNS-Prefetch-Control", &o.x_dns_prefetch_control}, {"X-Download-Options", &o.x_download_options},
        {"X-Frame-Options", &o.x_frame_options}, {"X-Permitted-Cross-Domain-Policies", &o.x_permitted_cross_domain_policies},
        {"X-XSS-Protection", &o.x_xss_protection}};
    for (const auto& [name, value] : values) {
      if (!value->empty() && !f.lines.add(name, *value)) return Error::of({"security_headers: ", name, ": \"", *value, "\" is no value of a field"});
    }
    return {};
  }

  static SecurityHeaders make(const SecurityHeadersOptions& options) {
    auto* fields = new Fields();
    SecurityHeaders made{detail::CountedPointer(fields)};
    fields->error = take(*fields, options);
    return made;
  }

  static const Fields& fields(const SecurityHeaders& h) noexcept { return *static_cast<const Fields*>(h.fields_.get()); }
};

namespace {

// False when memory is out: a page without its policy must not leave.
bool set_policy(const Fields& f, const Request& req, const Response& res) noexcept {
  const Nonce* nonce = nonce_of(req);
  if (!nonce) return false;
  char text[kMostPolicyBytes];
  std::memcpy(text, f.policy.data(), f.policy.size());
  for (const size_t at : f.nonces) std::memcpy(text + at, nonce->text, sizeof nonce->text);
  res.set(f.policy_name, {text, f.policy.size()});
  return true;
}

}  // namespace

void SecurityHeaders::operator()(Request& req, Response& res, Next next) const noexcept {
  const Fields& f = SecurityHeadersAccess::fields(*this);
  if (f.error) return next(HttpError{500});
  const bool good = f.policy.empty() || set_policy(f, req, res);  // first: what is set by itself is looked for among what is there
  if (!f.lines.empty()) res.set(f.lines);
  good ? next() : next(HttpError{503});
}

Error SecurityHeaders::mistake() const noexcept { return SecurityHeadersAccess::fields(*this).error; }

SecurityHeaders security_headers(SecurityHeadersOptions options) { return SecurityHeadersAccess::make(options); }

std::string_view csp_nonce(const Request& req) noexcept {
  const Nonce* nonce = nonce_of(req);
  return nonce ? nonce->view() : std::string_view();
}

// ContentSecurityPolicy -----------------------------------------------------------------------------------------------

ContentSecurityPolicy::ContentSecurityPolicy()
    : directives_{{"default-src", {"'self'"}}, {"base-uri", {"'self'"}}, {"font-src", {"'self'", "https:", "data:"}},
                  {"form-action", {"'self'"}}, {"frame-ancestors", {"'self'"}}, {"img-src", {"'self'", "data:"}},
                  {"object-src", {"'none'"}}, {"script-src", {"'self'"}}, {"script-src-attr", {"'none'"}},
                  {"style-src", {"'self'", "https:", "'unsafe-inline'"}}, {"upgrade-insecure-requests", {}}} {}

ContentSecurityPolicy::Directive* ContentSecurityPolicy::find(std::string_view name) noexcept {
  const auto found = std::find_if(directives_.begin(), directives_.end(), [name](const Directive& d) { return d.name == name; });
  return found == directives_.end() ? nullptr : &*found;
}

ContentSecurityPolicy& ContentSecurityPolicy::set(std::string_view directive, std::initializer_list<std::string_view> sources) {
  Directive* d = find(directive);
  if (!d) d = &directives_.emplace_back(Directive{std::string(directive), {}});
  d->sources.assign(sources.begin(), sources.end());
  return *this;
}

ContentSecurityPolicy& ContentSecurityPolicy::add(std::string_view directive, std::initializer_list<std::string_view> sources) {
  Directive* d = find(directive);
  if (!d) return set(directive, sources);
  std::erase(d->sources, kNone);
  for (const std::string_view source : sources) d->sources.emplace_back(source);
  return *this;
}

ContentSecurityPolicy& ContentSecurityPolicy::remove(std::string_view directive) {
  std::erase_if(directives_, [directive](const Directive& d) { return d.name == directive; });
  return *this;
}

ContentSecurityPolicy& ContentSecurityPolicy::report_only(bool yes) {
  report_only_ = yes;
  return *this;
}

}  // namespace martlet
