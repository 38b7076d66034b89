// The fields of security_headers(), policies with nonces, and what is refused as one.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <set>
#include <stdexcept>
#include <string>

#include "codec/base64.h"
#include "support/client.h"
#include "support/in_child.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr std::string_view kPolicy = "content-security-policy";

std::string mistake_of(SecurityHeadersOptions options) {
  App app;
  app.use(security_headers(std::move(options)));
  const auto port = app.listen("127.0.0.1", 0);
  return port ? "" : std::string(port.error().what());
}

Reply answer_with(SecurityHeadersOptions options) {
  App app;
  app.use(security_headers(std::move(options)));
  app.get("/", [](Request&, Response& res) { res.send("ok"); });
  return app.inject();
}

std::string nonce_in(std::string_view policy) {
  const size_t at = policy.find("'nonce-");
  return at == policy.npos ? "" : std::string(policy.substr(at + 7, policy.find('\'', at + 7) - at - 7));
}

}  // namespace

TEST_CASE("guards_security_headers: thirteen fields with the defaults that the field has settled on") {
  const Reply got = answer_with({});
  const std::pair<const char*, const char*> fields[] = {
      {"content-security-policy", "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests"},
      {"cross-origin-opener-policy", "same-origin"}, {"cross-origin-resource-policy", "same-origin"}, {"origin-agent-cluster", "?1"},
      {"referrer-policy", "no-referrer"}, {"strict-transport-security", "max-age=31536000; includeSubDomains"}, {"x-content-type-options", "nosniff"},
      {"x-dns-prefetch-control", "off"}, {"x-download-options", "noopen"}, {"x-frame-options", "SAMEORIGIN"},
      {"x-permitted-cross-domain-policies", "none"}, {"x-xss-protection", "0"}};
  for (const auto& field : fields) {
    CAPTURE(field.first);
    CHECK(got.field(field.first) == field.second);
  }
  for (const char* none : {"cross-origin-embedder-policy", "permissions-policy", "x-powered-by", "content-security-policy-report-only"}) CHECK(got.field(none) == "");
}

TEST_CASE("guards_security_headers: each may be another, or not be there") {
  const Reply other = answer_with({.cross_origin_embedder_policy = "require-corp", .permissions_policy = "camera=()", .strict_transport_security = "max-age=1", .x_frame_options = "DENY"});
  CHECK(other.field("cross-origin-embedder-policy") == "require-corp");
  CHECK(other.field("permissions-policy") == "camera=()");
  CHECK(other.field("strict-transport-security") == "max-age=1");
  CHECK(other.field("x-frame-options") == "DENY");
  const Reply none = answer_with({.content_security_policy = ContentSecurityPolicy::none(), .cross_origin_opener_policy = "", .cross_origin_resource_policy = "",
                                  .origin_agent_cluster = "", .referrer_policy = "", .strict_transport_security = "", .x_content_type_options = "",
                                  .x_dns_prefetch_control = "", .x_download_options = "", .x_frame_options = "", .x_permitted_cross_domain_policies = "", .x_xss_protection = ""});
  CHECK(none.fields.size() == Reply(App().inject({.path = "/"})).fields.size());  // date, type and length
}

TEST_CASE("guards_security_headers: in errors and refusals, once, and what comes behind may replace them") {
  TestServer server([](App& app) {
    app.use(security_headers());
    app.use("/inner", security_headers({.x_frame_options = "DENY"}));
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
    app.get("/inner", [](Request&, Response& res) { res.remove("x-xss-protection").set("Referrer-Policy", "origin").send("ok"); });
    app.post("/small", {.max_body_bytes = 4}, [](Request&, Response& res) { res.send("ok"); });
  });
  const auto check = [](const HttpResponse& got, int status) {
    CHECK(got.status == status);
    CHECK(got.count("content-security-policy") == 1);
    CHECK(got.count("x-content-type-options") == 1);
    CHECK(got.count("strict-transport-security") == 1);
  };
  Client client(server.port());
  check(client.get("/throws"), 500);
  check(client.get("/nowhere"), 404);
  check(client.post("/throws", ""), 405);
  check(Client(server.port()).post("/small", "12345"), 413);
  const HttpResponse inner = Client(server.port()).get("/inner");
  check(inner, 200);
  CHECK(inner.field("x-frame-options") == "DENY");
  CHECK(inner.count("x-xss-protection") == 0);
  CHECK(inner.field("referrer-policy") == "origin");
}

TEST_CASE("guards_security_headers: a policy is put together directive by directive") {
  auto policy = ContentSecurityPolicy::none();
  policy.set("default-src", {"'none'"}).add("img-src", {"https:"}).add("img-src", {"data:"}).set("sandbox").set("report-to", {"here"});
  policy.add("default-src", {"'self'"}).remove("report-to").remove("unknown");
  CHECK(answer_with({.content_security_policy = policy}).field(kPolicy) == "default-src 'self';img-src https: data:;sandbox");
  const Reply reported = answer_with({.content_security_policy = policy.report_only()});
  CHECK(reported.field(kPolicy) == "");
  CHECK(reported.field("content-security-policy-report-only") == "default-src 'self';img-src https: data:;sandbox");
}

TEST_CASE("guards_security_headers: nonces are 128 random bits, one for each request, which its handler knows") {
  App app;
  app.use("/page", security_headers({.content_security_policy = ContentSecurityPolicy().add("script-src", {ContentSecurityPolicy::nonce}).set("style-src", {ContentSecurityPolicy::nonce})}));
  app.get("/page", [](Request& req, Response& res) { res.send(csp_nonce(req)); });
  app.get("/without", [](Request& req, Response& res) { res.send(std::string(csp_nonce(req)) + " " + std::string(csp_nonce(req))); });
  std::set<std::string> seen;
  for (int i = 0; i < 100; i++) {
    const Reply got = app.inject({.path = "/page"});
    const std::string nonce = nonce_in(got.field(kPolicy));
    CHECK(got.body == nonce);
    CHECK(got.field(kPolicy).find("script-src 'self' 'nonce-" + nonce + "';") != std::string_view::npos);
    CHECK(got.field(kPolicy).find("style-src 'nonce-" + nonce + "';") != std::string_view::npos);
    uint8_t bytes[32];
    CHECK(codec::decode_base64(nonce, bytes) == 16u);
    CHECK(seen.insert(nonce).second);
  }
  const Reply without = app.inject({.path = "/without"});
  CHECK(without.body.size() == 49);
  CHECK(without.body.substr(0, 24) == without.body.substr(25));
}

TEST_CASE("guards_security_headers: wrong options are the error of listen()") {
  const auto with = [](std::string_view directive, std::initializer_list<std::string_view> sources) {
    return mistake_of({.content_security_policy = ContentSecurityPolicy::none().set(directive, sources)});
  };
  CHECK(with("script-src", {"'self'", "https://a.example", "'nonce-abc'", "'sha256-abc='"}) == "");
  CHECK(with("script-src", {"self"}) == "security_headers: script-src: a keyword stands in quotes: 'self'");
  CHECK(with("script-src", {"sha256-abc="}) == "security_headers: script-src: a keyword stands in quotes: 'sha256-abc='");
  CHECK(with("script-src", {"a; default-src *"}) == "security_headers: script-src: \"a; default-src *\" is no source");
  for (const char* bad : {"", "a b", "a,b", "a;b", "a\nb", "\xc3\xa9"}) CHECK(with("img-src", {bad}) != "");
  for (const char* bad : {"", "Script-Src", "script src", "img-src:"}) CHECK(with(bad, {"'self'"}) != "");
  CHECK(mistake_of({.referrer_policy = "a\r\nX-Evil: 1"}) == "security_headers: Referrer-Policy: \"a..X-Evil: 1\" is no value of a field");
  const std::string most(3000 - std::string_view("img-src 'nonce-123456789012345678901234' ").size(), 'x');
  CHECK(with("img-src", {ContentSecurityPolicy::nonce, most}) == "");
  CHECK(with("img-src", {ContentSecurityPolicy::nonce, most + "x"}) == "security_headers: a policy with nonces has at most 3000 bytes");
}

TEST_CASE("guards_security_headers: random bytes are never the same, on any thread and of any number") {
  std::set<std::string> seen;
  const auto draw = [](size_t size) {
    std::string text(size, '\0');
    random_bytes(std::as_writable_bytes(std::span(text)));
    return text;
  };
  for (int i = 0; i < 1000; i++) CHECK(seen.insert(draw(16)).second);
  for (const size_t size : {8u, 33u, 64u, 65u, 512u, 5000u}) CHECK(seen.insert(draw(size)).second);
  random_bytes({});
}
