// Of requests: rate_limit() of limits.h, and the fields by which clients are told.
#include <martlet/common.h>
#include <martlet/limits.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>

#include "guards/limit_key.h"
#include "guards/mistake.h"
#include "guards/rate_table.h"

namespace martlet {

struct detail::RateLimitState {
  explicit RateLimitState(RateLimitOptions&& o) : options(std::move(o)), table(guards::rate_options(options.algorithm, options)) {}

  RateLimitOptions options;
  Common<RateTable> table;
  Error mistake = {};
  std::string item = {};    // "default" in quotes, a String of RFC 9651
  std::string policy = {};  // the whole value of RateLimit-Policy
};

namespace {

using detail::RateLimitState;

// What a String may hold without escapes.
bool is_plain(std::string_view name) noexcept {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

const char* wrong(const RateLimitState& s) noexcept {
  if (const char* key = detail::LimitKeyAccess::wrong_but_for_messages(s.options.key)) return key;
  const std::string_view name = s.options.name;
  if (name.empty() || name.size() > 64 || !is_plain(name)) return "name is not 1 to 64 plain characters";
  return s.table->wrong();
}

// Whole seconds, which is what fields can say: not earlier than it is.
int64_t seconds_of(milliseconds time) noexcept { return std::chrono::ceil<std::chrono::seconds>(time).count(); }

// A value of a field, made in place.
class FieldText {
 public:
  FieldText& operator<<(std::string_view text) noexcept {
    const size_t fits = std::min(text.size(), sizeof text_ - size_);
    std::copy_n(text.data(), fits, text_ + size_);
    size_ += fits;
    return *this;
  }
  FieldText& operator<<(int64_t number) noexcept {
    size_ = static_cast<size_t>(std::to_chars(text_ + size_, text_ + sizeof text_, number).ptr - text_);
    return *this;
  }
  operator std::string_view() const noexcept { return {text_, size_}; }

 private:
  char text_[160];
  size_t size_ = 0;
};

// draft-ietf-httpapi-ratelimit-headers-10 §3 and §4. `w` is whole seconds: a window that is not has none.
std::string policy_of(const RateLimitState& s) {
  const uint32_t quota = s.table->policy().max;
  std::string policy = s.item + ";q=" + std::to_string(quota);
  const milliseconds per = s.options.per;
  if (per.count() % 1000 == 0) policy += ";w=" + std::to_string(per.count() / 1000);
  return policy;
}

void tell_standard(const RateLimitState& s, const RateDecision& d, Response& res) noexcept {
  FieldText text;
  text << s.item << ";r=" << int64_t{d.remaining} << ";t=" << seconds_of(d.reset);
  res.append("RateLimit", text);  // elements of a list: each limit before a route has one
  res.append("RateLimit-Policy", s.policy);
}

int64_t time_of_day(milliseconds from_now) noexcept {
  return std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::now() + from_now).time_since_epoch().count();
}

void tell_separate(const RateDecision& d, Response& res) noexcept {
  res.set("RateLimit-Limit", FieldText() << int64_t{d.limit});
  res.set("RateLimit-Remaining", FieldText() << int64_t{d.remaining});
  res.set("RateLimit-Reset", FieldText() << seconds_of(d.reset));
}

void tell_x_ratelimit(const RateDecision& d, Response& res) noexcept {
  res.set("X-RateLimit-Limit", FieldText() << int64_t{d.limit});
  res.set("X-RateLimit-Remaining", FieldText() << int64_t{d.remaining});
  res.set("X-RateLimit-Reset", FieldText() << time_of_day(d.reset));
}

void tell(const RateLimitState& s, const RateDecision& d, Response& res) noexcept {
  switch (s.options.fields) {
    case LimitFields::standard: return tell_standard(s, d, res);
    case LimitFields::separate: return tell_separate(d, res);
    case LimitFields::x_ratelimit: return tell_x_ratelimit(d, res);
    case LimitFields::none: return;
  }
}

// §5: not earlier than the field says that there is more.
void refuse(const RateLimitState& s, const RateDecision& d, Response& res) noexcept {
  const int64_t seconds = std::max(seconds_of(std::max(d.retry_after, d.reset)), int64_t{1});
  res.set("Retry-After", FieldText() << seconds);
  res.fail(429, s.options.message);
}

}  // namespace

RateLimitStep::RateLimitStep(RateLimitOptions&& options) : state_(detail::Shared<RateLimitState>::make(std::move(options))) {
  state_->mistake = guards::mistake_in("rate_limit", wrong(*state_));
  state_->item = "\"" + state_->options.name + "\"";
  state_->policy = policy_of(*state_);
}

void RateLimitStep::operator()(Request& req, Response& res, Next next) const noexcept {
  RateLimitState& s = *state_;
  if (s.mistake) return next(HttpError{500});
  bool skips = false;
  if (s.options.skip && !s.options.skip(req, skips)) return next(HttpError{500});
  if (skips) return next();
  const std::optional<uint64_t> hash = detail::LimitKeyAccess::hash(s.options.key, req, s.table->secret());
  if (!hash) return next(HttpError{500});
  const RateDecision decision = s.table->decide(*hash, 1, true);
  tell(s, decision, res);
  decision ? next() : refuse(s, decision, res);
}

Error RateLimitStep::mistake() const noexcept { return state_->mistake; }

RateLimitStep rate_limit(RateLimitOptions options) { return RateLimitStep(std::move(options)); }

}  // namespace martlet
