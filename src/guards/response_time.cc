// See request_guards.h.
#include <martlet/request_guards.h>
#include <martlet/response.h>

#include <charconv>
#include <chrono>
#include <cstring>

#include "guards/field_text.h"

namespace martlet {

namespace {

using Clock = std::chrono::steady_clock;

// "1.234", of at most this many bytes.
constexpr size_t kMostFigures = 24;

size_t put_ms(char* to, Clock::duration time) noexcept {
  const auto us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  char* end = std::to_chars(to, to + kMostFigures - 4, us / 1000).ptr;
  *end++ = '.';
  for (uint64_t unit = 100; unit > 0; unit /= 10) *end++ = static_cast<char>('0' + us / unit % 10);
  return static_cast<size_t>(end - to);
}

constexpr size_t kMostMetricBytes = 64;

}  // namespace

ResponseTimeGuard::ResponseTimeGuard(std::string field, std::string metric) : field_(std::move(field)), metric_(std::move(metric)) {
  const bool good = metric_.empty() || (guards::is_token(metric_) && metric_.size() <= kMostMetricBytes);
  if (!good) mistake_ = Error::of({"response_time: \"", metric_, "\" is no name of a metric"});
  if (!guards::is_token(field_)) mistake_ = Error::of({"response_time: \"", field_, "\" is no name of a field"});
}

void ResponseTimeGuard::operator()(Request&, Response& res, Next next) const noexcept {
  if (mistake_) return next(HttpError{500});
  res.on_headers([this, begun = Clock::now()](Response& answer) {
    char text[kMostMetricBytes + 8 + kMostFigures];
    if (metric_.empty()) {
      const size_t size = put_ms(text, Clock::now() - begun);
      std::memcpy(text + size, "ms", 2);
      answer.set(field_, {text, size + 2});
      return;
    }
    size_t size = metric_.copy(text, kMostMetricBytes);
    size += std::string_view(";dur=").copy(text + size, 5);
    size += put_ms(text + size, Clock::now() - begun);
    answer.append("Server-Timing", {text, size});
  });
  next();
}

}  // namespace martlet
