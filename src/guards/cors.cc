// See cors.h. All that does not depend on the request is made into lines of fields once, by cors(). What is reflected is an
// origin, which is one by its grammar, or a list of names, which is one by its grammar.
#include <martlet/cors.h>
#include <martlet/request.h>
#include <martlet/response.h>

#include <algorithm>
#include <atomic>

#include "base/text.h"
#include "codec/origin_pattern.h"
#include "guards/field_text.h"

namespace martlet {

namespace {

constexpr std::string_view kAllowOrigin = "Access-Control-Allow-Origin";
constexpr std::string_view kAllowHeaders = "Access-Control-Allow-Headers";
constexpr std::string_view kAskedHeaders = "Access-Control-Request-Headers";
constexpr std::string_view kAskedMethod = "Access-Control-Request-Method";
constexpr std::string_view kAskedNetwork = "Access-Control-Request-Private-Network";
constexpr size_t kMostAskedBytes = 2048;
constexpr size_t kMostAskedNames = 64;

struct Policy final : detail::Counted {
  explicit Policy(CorsOptions&& o) : Counted([](Counted* self) noexcept { delete static_cast<Policy*>(self); }), options(std::move(o)) {}

  CorsOptions options;
  bool any = false;      // every origin, and without credentials: nothing depends on the request
  FieldLines common;     // of every answer to an origin that is allowed
  FieldLines preflight;  // and of preflights
  // Of answers that are no preflight's, with Vary and all: to who is refused, and to each of `origins` that is one origin.
  FieldLines refused;
  std::vector<FieldLines> allowed;
  Error error;
};

// Set-up --------------------------------------------------------------------------------------------------------------

Error wrong_names(const std::vector<std::string>& names, const char* what) {
  for (const std::string& name : names) {
    if (!guards::is_token(name)) return Error::of({"cors: ", what, ": \"", name, "\" is no name"});
  }
  return {};
}

Error wrong_origins(const CorsOptions& options) {
  for (const std::string& origin : options.origins) {
    if (const char* wrong = codec::wrong_origin(origin)) return Error::of({"cors: origins: ", wrong, ": ", origin});
    if (options.credentials && (origin == "*" || origin == "null")) {
      return Error::of({"cors: credentials are for origins that have a name, and \"", origin, "\" has none"});
    }
  }
  const bool any = options.origins.empty() && !options.allow_origin;
  return any && options.credentials ? Error("cors: credentials are for origins that are named") : Error();
}

Error wrong_options(const CorsOptions& options) {
  if (Error error = wrong_origins(options)) return error;
  if (Error error = wrong_names(options.methods, "methods")) return error;
  if (Error error = wrong_names(options.exposed_headers, "exposed_headers")) return error;
  if (options.headers) {
    if (Error error = wrong_names(*options.headers, "headers")) return error;
  }
  if (options.preflight_status < 200 || options.preflight_status > 299) return Error("cors: preflight_status is not from 200 to 299");
  return options.max_age && options.max_age->count() < 0 ? Error("cors: max_age is negative") : Error();
}

void add_list(FieldLines& lines, std::string_view name, const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& one : names) list.append(list.empty() ? "" : ", ").append(one);
  if (!list.empty()) lines.add(name, list);
}

void prepare(Policy& p) {
  const CorsOptions& o = p.options;
  const auto has_star = std::find(o.origins.begin(), o.origins.end(), "*") != o.origins.end();
  p.any = has_star || (o.origins.empty() && !o.allow_origin);
  for (FieldLines* lines : {&p.common, &p.preflight}) {
    if (p.any) lines->add(kAllowOrigin, "*");
    if (o.credentials) lines->add("Access-Control-Allow-Credentials", "true");
  }
  add_list(p.common, "Access-Control-Expose-Headers", o.exposed_headers);
  add_list(p.preflight, "Access-Control-Allow-Methods", o.methods);
  if (o.headers) add_list(p.preflight, kAllowHeaders, *o.headers);
  if (!p.any) p.refused.add("Vary", "Origin");
  for (const std::string& origin : o.origins) {
    FieldLines& lines = p.allowed.emplace_back(p.common);
    lines.add("Vary", "Origin");
    lines.add(kAllowOrigin, origin);
  }
  if (o.max_age) p.preflight.add("Access-Control-Max-Age", std::to_string(o.max_age->count()));
}

// The request ---------------------------------------------------------------------------------------------------------

// What is asked of a request, apart from it: for answers that come when it is another thread's.
struct Asked {
  std::string_view origin = {};
  std::string_view headers = {};  // that a preflight asks for, where they may be told back
  bool preflight = false;
  bool private_network = false;
};

bool may_be_told_back(std::string_view list) noexcept {
  if (list.size() > kMostAskedBytes) return false;
  size_t names = 0;
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    const std::string_view name = base::trimmed(list.substr(0, end));
    if (!guards::is_token(name) || ++names > kMostAskedNames) return false;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return names > 0;
}

Asked ask(const Policy& p, Request& req, std::string_view origin) noexcept {
  Asked asked{.origin = origin};
  asked.preflight = req.method() == "OPTIONS" && !origin.empty() && req.header(kAskedMethod);
  if (!asked.preflight) return asked;
  if (!p.options.headers) {
    const std::string_view list = req.header(kAskedHeaders).value_or(std::string_view());
    if (may_be_told_back(list)) asked.headers = list;
  }
  asked.private_network = p.options.private_network && req.header(kAskedNetwork) == "true";
  return asked;
}

// Said before anybody decides: the answer depends on it either way.
void set_vary(const Policy& p, const Response& res, bool preflight) noexcept {
  if (!p.any) res.vary("Origin");
  if (!preflight) return;
  if (!p.options.headers) res.vary(kAskedHeaders);
  if (p.options.private_network) res.vary(kAskedNetwork);
}

void allow(const Policy& p, const Response& res, const Asked& asked) noexcept {
  const FieldLines& lines = asked.preflight ? p.preflight : p.common;
  if (!lines.empty()) res.set(lines);
  if (!p.any) res.set(kAllowOrigin, asked.origin);
  if (!asked.headers.empty()) res.set(kAllowHeaders, asked.headers);
  if (asked.private_network) res.set("Access-Control-Allow-Private-Network", "true");
}

void go_on(const Policy& p, const Response& res, const Next& next, bool preflight) noexcept {
  if (!preflight || p.options.pass_preflights) return next();
  res.status(p.options.preflight_status).end();
}

// Nearly all requests: nobody has said Vary before, and who is named is named by all letters. One copy.
bool set_prepared(const Policy& p, const Response& res, std::string_view origin) noexcept {
  if (p.any || res.get("Vary")) return false;
  if (origin.empty()) return res.set(p.refused), true;
  for (size_t i = 0; i < p.allowed.size(); i++) {
    if (p.options.origins[i] == origin && origin.find('*') == origin.npos) return res.set(p.allowed[i]), true;
  }
  return false;
}

bool is_named(const Policy& p, std::string_view origin) noexcept {
  for (const std::string& pattern : p.options.origins) {
    if (codec::is_origin(pattern, origin)) return true;
  }
  return false;
}

}  // namespace

// Answers that come later ---------------------------------------------------------------------------------------------

struct CorsAccess {
  // Of one request whose judge has it.
  struct Question final : detail::Counted {
    Question(const detail::CountedPointer& p, const Response& r, const Next& n, const Asked& a)
        : Counted([](Counted* self) noexcept { drop(static_cast<Question*>(self)); }),
          policy(p), res(r), next(n), origin(a.origin), headers(a.headers), asked(a) {
      asked.origin = origin;
      asked.headers = headers;
    }
    static void drop(Question* self) noexcept {
      self->decide(false);
      delete self;
    }
    void decide(bool allowed) noexcept {
      if (decided.exchange(true)) return;
      const Policy& p = *static_cast<const Policy*>(policy.get());
      if (allowed) allow(p, res, asked);
      go_on(p, res, next, asked.preflight);
    }
    void fail() noexcept {
      if (!decided.exchange(true)) next(HttpError{500});
    }

    detail::CountedPointer policy;
    Response res;  // by name
    Next next;
    std::string origin, headers;
    Asked asked;
    std::atomic<bool> decided = false;
  };

  static Cors make(CorsOptions&& options) {
    auto* policy = new Policy(std::move(options));
    Cors made{detail::CountedPointer(policy)};
    policy->error = wrong_options(policy->options);
    if (!policy->error) prepare(*policy);
    return made;
  }

  static const Policy& policy(const Cors& c) noexcept { return *static_cast<const Policy*>(c.policy_.get()); }
  static Question& question(const AllowOrigin& a) noexcept { return *static_cast<Question*>(a.question_.get()); }

  static void judge_later(const Cors& c, Request& req, Response& res, const Next& next, const Asked& asked) {
    auto* question = new Question(c.policy_, res, next, asked);
    const detail::CountedPointer kept(question);
    if (!(*policy(c).options.allow_origin.later_)(req, asked.origin, AllowOrigin(kept))) question->fail();
  }

  static void run(const Cors& c, Request& req, Response& res, const Next& next) noexcept {
    const Policy& p = policy(c);
    const std::string_view origin = req.header("Origin").value_or(std::string_view());
    const Asked asked = ask(p, req, origin);
    if (!asked.preflight && set_prepared(p, res, origin)) return next();
    set_vary(p, res, asked.preflight);
    bool allowed = p.any;
    if (!allowed && guards::is_serialized_origin(origin)) {
      allowed = is_named(p, origin);
      const OriginJudge& judge = p.options.allow_origin;
      if (!allowed && judge.later_) return judge_later(c, req, res, next, asked);
      if (!allowed && judge.now_ && !judge.now_(req, origin, allowed)) return next(HttpError{500});
    }
    if (allowed) allow(p, res, asked);
    go_on(p, res, next, asked.preflight);
  }
};

void AllowOrigin::decide(bool allowed) const noexcept { CorsAccess::question(*this).decide(allowed); }

void Cors::operator()(Request& req, Response& res, Next next) const noexcept {
  CorsAccess::policy(*this).error ? next(HttpError{500}) : CorsAccess::run(*this, req, res, next);
}

Error Cors::mistake() const noexcept { return CorsAccess::policy(*this).error; }

Cors cors(CorsOptions options) { return CorsAccess::make(std::move(options)); }

}  // namespace martlet
