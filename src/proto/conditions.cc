// See conditions.h.
#include "proto/conditions.h"

#include "base/bytes.h"
#include "proto/entity_tag.h"
#include "proto/http_date.h"

namespace martlet::proto {

namespace {

enum class Match : uint8_t { no, yes, malformed };

// The whole list is looked at: what comes behind a match may still break it.
Match match(std::string_view field, const Representation& current, Comparison how) noexcept {
  if (field == "*") return current.exists ? Match::yes : Match::no;
  const std::optional<EntityTag> own = current.exists ? parse_entity_tag(current.etag) : std::nullopt;
  EntityTagList list(field);
  EntityTag tag;
  TagStep step;
  bool found = false;
  while ((step = list.next(tag)) == TagStep::tag) found |= own && same_tag(tag, *own, how);
  return step == TagStep::malformed ? Match::malformed : found ? Match::yes : Match::no;
}

bool reads_only(Method method) noexcept { return method == Method::get || method == Method::head; }

std::optional<int64_t> date_in(const std::optional<std::string_view>& field, int64_t now) noexcept {
  return field ? parse_http_date(*field, now) : std::nullopt;
}

// Steps 1 and 2: whether a change that somebody else has made forbids this one.
bool is_allowed(const ConditionFields& fields, const Representation& current, int64_t now) noexcept {
  if (fields.if_match) return match(*fields.if_match, current, Comparison::strong) == Match::yes;
  const std::optional<int64_t> since = date_in(fields.if_unmodified_since, now);
  return !since || !current.exists || !current.last_modified || *current.last_modified <= *since;
}

// Steps 3 and 4: whether the client has what it would get.
Verdict unless_same(Method method, const ConditionFields& fields, const Representation& current, int64_t now) noexcept {
  if (fields.if_none_match) {
    const Match found = match(*fields.if_none_match, current, Comparison::weak);
    if (reads_only(method)) return found == Match::yes ? Verdict::not_modified : Verdict::proceed;
    return found == Match::no ? Verdict::proceed : Verdict::precondition_failed;
  }
  if (!reads_only(method) || !current.exists || !current.last_modified) return Verdict::proceed;
  const std::optional<int64_t> since = date_in(fields.if_modified_since, now);
  return since && *current.last_modified <= *since ? Verdict::not_modified : Verdict::proceed;
}

bool has_no_cache(std::string_view cache_control) noexcept {
  TokenList directives(cache_control);
  for (std::string_view directive; directives.next(directive);) {
    if (base::equals_lower(directive, "no-cache")) return true;
  }
  return false;
}

}  // namespace

Verdict evaluate_conditions(Method method, const ConditionFields& fields, const Representation& current,
                            int64_t now) noexcept {
  // They neither choose nor change a representation (RFC 9110 §13.2.1).
  if (method == Method::connect || method == Method::options || method == Method::trace) return Verdict::proceed;
  if (!is_allowed(fields, current, now)) return Verdict::precondition_failed;
  return unless_same(method, fields, current, now);
}

bool range_applies(const ConditionFields& fields, const Representation& current, int64_t now) noexcept {
  if (!fields.if_range) return true;
  const std::optional<EntityTag> tag = parse_entity_tag(*fields.if_range);
  if (tag) {
    const std::optional<EntityTag> own = parse_entity_tag(current.etag);
    return own && same_tag(*tag, *own, Comparison::strong);
  }
  const std::optional<int64_t> date = parse_http_date(*fields.if_range, now);
  return date && current.last_modified && *date == *current.last_modified && *date < now;
}

bool is_fresh(Method method, int status, const ConditionFields& fields, const Representation& current,
              int64_t now) noexcept {
  if (!reads_only(method) || ((status < 200 || status > 299) && status != 304)) return false;
  if (fields.cache_control && has_no_cache(*fields.cache_control)) return false;
  return evaluate_conditions(method, fields, current, now) == Verdict::not_modified;
}

}  // namespace martlet::proto
