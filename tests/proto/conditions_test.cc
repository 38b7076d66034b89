// Conditional requests: one table per step of RFC 9110 §13.2.2, then their order; and what Express calls fresh.
#include "proto/conditions.h"

#include <doctest/doctest.h>

#include <string>

using namespace martlet::proto;

namespace {

constexpr int64_t kChanged = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view kThen = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr int64_t kNow = 1763629200;

const Representation kStrong{.etag = "\"a\"", .last_modified = kChanged};
const Representation kWeak{.etag = "W/\"a\"", .last_modified = kChanged};
const Representation kPlain{};  // neither
const Representation kNone{.exists = false};
const Representation kGone{.etag = "\"a\"", .last_modified = kChanged, .exists = false};

using Value = std::optional<std::string_view>;

int status(Method method, const ConditionFields& fields, const Representation& current = kStrong) {
  switch (evaluate_conditions(method, fields, current, kNow)) {
    case Verdict::proceed: return 200;
    case Verdict::not_modified: return 304;
    case Verdict::precondition_failed: return 412;
  }
  return 0;
}

}  // namespace

TEST_CASE("conditions: If-None-Match") {
  struct Case {
    std::string_view field;
    const Representation& current;
    int get, put;
  };
  for (const Case& c : {
           Case{"\"a\"", kStrong, 304, 412},
           {"W/\"a\"", kStrong, 304, 412},
           {"\"a\"", kWeak, 304, 412},
           {"\"b\"", kStrong, 200, 200},
           {"\"b\", \"a\"", kStrong, 304, 412},
           {"\"a\"", kPlain, 200, 200},
           {"*", kStrong, 304, 412},
           {"*", kPlain, 304, 412},
           {"*", kNone, 200, 200},
           {"\"a\"", kNone, 200, 200},
           {"\"a\"", kGone, 200, 200},
           // malformed: in full, or not at all
           {"a", kStrong, 200, 412},
           {"\"a\" \"b\"", kStrong, 200, 412},
           {"\"a\", b", kStrong, 200, 412},
           {"", kStrong, 200, 412},
           {"*, \"a\"", kStrong, 200, 412},
           {"\"b", kNone, 200, 412},
       }) {
    CAPTURE(c.field);
    CHECK(status(Method::get, {.if_none_match = c.field}, c.current) == c.get);
    CHECK(status(Method::head, {.if_none_match = c.field}, c.current) == c.get);
    CHECK(status(Method::put, {.if_none_match = c.field}, c.current) == c.put);
    CHECK(status(Method::del, {.if_none_match = c.field}, c.current) == c.put);
    CHECK(status(Method::other, {.if_none_match = c.field}, c.current) == c.put);
    CHECK(status(Method::options, {.if_none_match = c.field}, c.current) == 200);
  }
}

TEST_CASE("conditions: If-Match") {
  struct Case {
    std::string_view field;
    const Representation& current;
    int status;
  };
  for (const Case& c : {
           Case{"\"a\"", kStrong, 200}, {"\"b\", \"a\"", kStrong, 200}, {"\"b\"", kStrong, 412}, {"W/\"a\"", kStrong, 412},
           {"\"a\"", kWeak, 412}, {"W/\"a\"", kWeak, 412}, {"\"a\"", kPlain, 412}, {"*", kStrong, 200}, {"*", kPlain, 200},
           {"*", kNone, 412}, {"\"a\"", kNone, 412}, {"a", kStrong, 412}, {"\"a\", b", kStrong, 412}, {"", kStrong, 412},
       }) {
    CAPTURE(c.field);
    for (const Method method : {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::del, Method::other}) {
      CHECK(status(method, {.if_match = c.field}, c.current) == c.status);
    }
    for (const Method method : {Method::options, Method::connect, Method::trace}) {
      CHECK(status(method, {.if_match = c.field}, c.current) == 200);
    }
  }
}

TEST_CASE("conditions: If-Modified-Since and If-Unmodified-Since, a second on either side") {
  struct Case {
    std::string_view field;
    const Representation& current;
    int modified, unmodified;
  };
  for (const Case& c : {
           Case{kBefore, kStrong, 200, 412},
           {kThen, kStrong, 304, 200},
           {kAfter, kStrong, 304, 200},
           {"Sunday, 06-Nov-94 08:49:37 GMT", kStrong, 304, 200},
           {"Sun Nov  6 08:49:36 1994", kStrong, 200, 412},
           {"Fri, 31 Dec 9999 23:59:59 GMT", kStrong, 304, 200},
           {kThen, kPlain, 200, 200},
           {kBefore, kNone, 200, 200},
           {kBefore, kGone, 200, 200},
           {kAfter, kGone, 200, 200},
           // no date: as if it were not there
           {"yesterday", kStrong, 200, 200},
           {"", kStrong, 200, 200},
           {"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", kStrong, 200, 200},
           {"Sun, 31 Nov 1994 08:49:36 GMT", kStrong, 200, 200},
       }) {
    CAPTURE(c.field);
    CHECK(status(Method::get, {.if_modified_since = c.field}, c.current) == c.modified);
    CHECK(status(Method::head, {.if_modified_since = c.field}, c.current) == c.modified);
    CHECK(status(Method::put, {.if_modified_since = c.field}, c.current) == 200);
    CHECK(status(Method::get, {.if_unmodified_since = c.field}, c.current) == c.unmodified);
    CHECK(status(Method::put, {.if_unmodified_since = c.field}, c.current) == c.unmodified);
    CHECK(status(Method::options, {.if_modified_since = c.field, .if_unmodified_since = c.field}, c.current) == 200);
  }
}

TEST_CASE("conditions: the order of RFC 9110 §13.2.2") {
  const Value yes = "\"a\"", no = "\"b\"", before = kBefore, then = kThen;
  CHECK(status(Method::get, {}) == 200);
  CHECK(status(Method::put, {}, kNone) == 200);
  // 1 hides 2, and failing hides 3
  CHECK(status(Method::put, {.if_match = yes, .if_unmodified_since = before}) == 200);
  CHECK(status(Method::put, {.if_match = no, .if_unmodified_since = then}) == 412);
  CHECK(status(Method::get, {.if_match = no, .if_none_match = yes}) == 412);
  CHECK(status(Method::get, {.if_match = yes, .if_none_match = yes}) == 304);
  CHECK(status(Method::put, {.if_match = yes, .if_none_match = yes}) == 412);
  CHECK(status(Method::put, {.if_match = yes, .if_none_match = no}) == 200);
  CHECK(status(Method::get, {.if_none_match = yes, .if_unmodified_since = before}) == 412);
  CHECK(status(Method::get, {.if_none_match = yes, .if_unmodified_since = then}) == 304);
  CHECK(status(Method::get, {.if_modified_since = then, .if_unmodified_since = then}) == 304);
  // 3 hides 4, also when it is malformed
  CHECK(status(Method::get, {.if_none_match = no, .if_modified_since = then}) == 200);
  CHECK(status(Method::get, {.if_none_match = yes, .if_modified_since = before}) == 304);
  CHECK(status(Method::get, {.if_none_match = "b", .if_modified_since = then}) == 200);
  CHECK(status(Method::get, {.if_match = yes, .if_modified_since = then}) == 304);
}

TEST_CASE("conditions: If-Range") {
  const auto applies = [](std::string_view field, const Representation& current, int64_t now = kNow) {
    return range_applies({.if_range = field}, current, now);
  };
  CHECK(range_applies({}, kStrong, kNow));
  CHECK(range_applies({}, kPlain, kNow));
  CHECK(applies("\"a\"", kStrong));
  CHECK(!applies("\"b\"", kStrong));
  CHECK(!applies("W/\"a\"", kStrong));
  CHECK(!applies("W/\"a\"", kWeak));
  CHECK(!applies("\"a\"", kWeak));
  CHECK(!applies("\"a\"", kPlain));
  CHECK(!applies("\"a\", \"a\"", kStrong));
  CHECK(!applies("*", kStrong));
  CHECK(!applies("", kStrong));
  CHECK(applies(kThen, kStrong));
  CHECK(applies(kThen, kWeak));
  CHECK(applies("Sun Nov  6 08:49:37 1994", kStrong));
  CHECK(!applies(kBefore, kStrong));
  CHECK(!applies(kAfter, kStrong));
  CHECK(!applies(kThen, kPlain));
  CHECK(applies(kThen, kStrong, kChanged + 1));
  CHECK(!applies(kThen, kStrong, kChanged));  // it may change once more in this second
}

TEST_CASE("conditions: fresh as in Express") {
  struct Case {
    Value none_match, since, cache_control;
    bool fresh;
    Method method = Method::get;
    int status = 200;
  };
  for (const Case& c : {
           Case{{}, {}, {}, false},
           {"\"a\"", {}, {}, true},
           {"\"a\"", {}, {}, true, Method::head},
           {"\"a\"", {}, {}, false, Method::post},
           {"\"a\"", {}, {}, true, Method::get, 304},
           {"\"a\"", {}, {}, true, Method::get, 299},
           {"\"a\"", {}, {}, false, Method::get, 300},
           {"\"a\"", {}, {}, false, Method::get, 199},
           {"\"a\"", {}, {}, false, Method::get, 404},
           {"\"b\"", {}, {}, false},
           {"*", {}, {}, true},
           {{}, kThen, {}, true},
           {{}, kBefore, {}, false},
           {"\"b\"", kThen, {}, false},
           {"\"a\"", kBefore, {}, true},
           {"\"a\"", {}, "no-cache", false},
           {"\"a\"", {}, "max-age=0, No-Cache", false},
           {"\"a\"", {}, " no-cache ,x", false},
           {"\"a\"", {}, "max-age=0", true},
           {"\"a\"", {}, "no-cachex, xno-cache, foo=no-cache", true},
           {"\"a\"", {}, "", true},
       }) {
    CAPTURE(c.cache_control.value_or("-"));
    const ConditionFields fields{.if_none_match = c.none_match, .if_modified_since = c.since, .cache_control = c.cache_control};
    CHECK(is_fresh(c.method, c.status, fields, kStrong, kNow) == c.fresh);
  }
  CHECK(!is_fresh(Method::get, 200, {.if_match = "\"b\"", .if_none_match = "\"a\""}, kStrong, kNow));
}
