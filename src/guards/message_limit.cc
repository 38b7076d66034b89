// Messages: message_limit() of limits.h, a filter of each connection's messages (WebSocket::filter_messages).
#include <martlet/json.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/alloc.h"
#include "guards/connection_limit.h"
#include "guards/mistake.h"

namespace martlet {

namespace {

using detail::MessageLimitState;
using State = detail::Shared<MessageLimitState>;

// What one connection has: its own count, or under which hash it counts in the table. Of sliding_log the times lie behind it.
struct Meter {
  explicit Meter(const State& s, uint64_t h) noexcept : limit(s), hash(h) {}
  uint32_t* log() noexcept { return reinterpret_cast<uint32_t*>(this + 1); }

  State limit;
  uint64_t hash;
  uint64_t state = 0;
  uint64_t count = 0;  // of warn: since `window_end`
  uint64_t window_end = 0;
  int64_t born_ns = 0;
};

// Small enough for a Function to hold it.
class MeterPointer {
 public:
  explicit MeterPointer(Meter* meter) noexcept : meter_(meter) {}
  MeterPointer(MeterPointer&& other) noexcept : meter_(std::exchange(other.meter_, nullptr)) {}
  MeterPointer& operator=(MeterPointer&&) = delete;
  ~MeterPointer() { base::destroy(meter_); }
  explicit operator bool() const noexcept { return meter_; }
  Meter& operator*() const noexcept { return *meter_; }

 private:
  Meter* meter_;
};

MeterPointer make_meter(const State& s, uint64_t hash) noexcept {
  const size_t log_bytes = s->table ? 0 : s->policy.log_size() * sizeof(uint32_t);
  void* memory = base::allocate(sizeof(Meter) + log_bytes);
  if (memory) std::memset(static_cast<char*>(memory) + sizeof(Meter), 0, log_bytes);
  return MeterPointer(memory ? new (memory) Meter(s, hash) : nullptr);
}

int64_t read(MonotonicClock clock) noexcept {
  return (clock ? clock() : std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch())).count();
}

// Since the connection opened; a clock that goes back behind that stands still.
uint64_t time_of(const Meter& m) noexcept {
  const int64_t since = read(m.limit->options.clock) - m.born_ns;
  return since < 0 ? 0 : static_cast<uint64_t>(since);
}

void warn(const Meter& m, const WebSocket& ws) noexcept {
  char number[24];
  const char* end = std::to_chars(number, number + sizeof number, m.count).ptr;
  const size_t digits = static_cast<size_t>(end - number);
  const std::string& text = m.limit->reply;
  char whole[1024];
  std::memcpy(whole, text.data(), text.size());  // take() has seen to it that there is room
  std::memcpy(whole + text.size(), number, digits);
  whole[text.size() + digits] = '}';
  ws.send(std::string_view(whole, text.size() + digits + 1));
}

// Every message is told; those over the limit come with a warning.
void count_and_warn(Meter& m, const WebSocket& ws) noexcept {
  const uint64_t now = time_of(m) / 1'000'000;
  const uint64_t per = m.limit->policy.per_ms;
  if (m.count == 0 || now >= m.window_end || m.window_end - now > per) m.count = 0, m.window_end = now + per;
  if (++m.count > m.limit->options.max) warn(m, ws);
}

bool is_allowed(Meter& m) noexcept {
  MessageLimitState& s = *m.limit;
  return s.table ? (*s.table)->decide(m.hash, 1, true).allowed : s.policy.decide(m.state, m.log(), time_of(m), 1, true).allowed;
}

bool passes(Meter& m, const WebSocket& ws) noexcept {
  const MessageLimitOptions& o = m.limit->options;
  if (o.action == LimitAction::warn) return count_and_warn(m, ws), true;
  if (is_allowed(m)) return true;
  if (o.action == LimitAction::reply) ws.send(m.limit->reply);
  else ws.close(CloseCode::policy_violation, o.reason);
  return false;
}

Limit algorithm_of(const MessageLimitOptions& o) noexcept {
  if (o.action == LimitAction::warn) return Limit::gcra;  // counted here, without a bound of its own
  return o.algorithm.value_or(o.max <= 64 ? Limit::sliding_log : Limit::sliding_window);
}

std::string reply_of(const MessageLimitOptions& o) {
  const std::string_view message = !o.message.empty()              ? std::string_view(o.message)
                                   : o.action == LimitAction::warn ? "⚠️ Message rate limit approaching"
                                                                   : "Rate limit exceeded";
  if (o.action != LimitAction::warn) return Json{{"type", "error"}, {"message", message}}.dump();
  return R"({"type":"warning","message":)" + Json(message).dump() + R"(,"limit":)" + std::to_string(o.max) + R"(,"current":)";
}

constexpr size_t kMostReply = 960;  // with the number it fits into warn()'s text

// Makes of the options what they say, or answers what is wrong with them.
const char* take(MessageLimitState& s) {
  const RateLimiterOptions rate = guards::rate_options(algorithm_of(s.options), s.options);
  const bool by_socket = detail::LimitKeyAccess::is_by_socket(s.options.key);
  if (const char* key = detail::LimitKeyAccess::wrong(s.options.key)) return key;
  if (!by_socket && s.options.action == LimitAction::warn) return "a warning is for each connection: by_socket()";
  s.reply = reply_of(s.options);
  if (s.reply.size() > kMostReply) return "message is longer than 900 bytes";
  if (const char* wrong = s.policy.take(rate)) return wrong;
  return by_socket ? nullptr : s.table.emplace(rate)->wrong();
}

}  // namespace

detail::MessageLimitState::MessageLimitState(std::string_view guard, MessageLimitOptions&& o) : options(std::move(o)) {
  mistake = guards::mistake_in(guard, take(*this));
}

bool guards::limit_messages(const State& s, const WebSocket& ws, const Request& req) noexcept {
  if (s->mistake) return ws.close(CloseCode::internal_error), false;
  uint64_t hash = 0;
  if (s->table) {
    const std::optional<uint64_t> found = detail::LimitKeyAccess::hash(s->options.key, req, (*s->table)->secret());
    if (!found) return ws.close(CloseCode::internal_error), false;
    hash = *found;
  }
  MeterPointer meter = make_meter(s, hash);
  if (!meter) return ws.close(CloseCode::try_again, "Out of memory"), false;
  (*meter).born_ns = read(s->options.clock);
  ws.filter_messages([meter = std::move(meter)](WebSocket from, const Message&) { return passes(*meter, from); });
  return true;
}

MessageLimitStep::MessageLimitStep(MessageLimitOptions&& options) : state_(State::make("message_limit", std::move(options))) {}

void MessageLimitStep::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  if (guards::limit_messages(state_, ws, req)) next();
}

Error MessageLimitStep::mistake() const noexcept { return state_->mistake; }

MessageLimitStep message_limit(MessageLimitOptions options) { return MessageLimitStep(std::move(options)); }

}  // namespace martlet
