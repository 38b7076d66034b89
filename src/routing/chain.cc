// The way of a request through its chain: middleware and handler by index, so that a step which does not call next()
// costs no stack, and one that calls it later finds its place by number.
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "net/reactor.h"
#include "routing/routes.h"
#include "session/http_response.h"
#include "session/http_session.h"
#include "sys/log_line.h"

namespace martlet {

namespace session {

Response Exchange::deferred_response() const noexcept {
  const auto& w = *static_cast<routing::RoutedWorker*>(sessions->http.context);
  return Response(w.number, connection->slot, connection->generation, request_number);
}

Next Exchange::next_at(uint32_t step) const noexcept {
  const auto& w = *static_cast<routing::RoutedWorker*>(sessions->http.context);
  return Next(w.number, connection->slot, connection->generation, request_number, step);
}

}  // namespace session

namespace routing {

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = base::ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Whether the path, decoded, lies below the prefix: a guard must not be passed by writing "/%61dmin" for "/admin".
bool matches_prefix(const Chain::Entry& entry, std::string_view path) noexcept {
  size_t at = 0;
  const auto next = [&]() -> int {
    if (at == path.size()) return -1;
    const auto c = static_cast<unsigned char>(path[at++]);
    if (c != '%' || path.size() - at < 2) return c;
    const int high = hex_digit(path[at]);
    const int low = hex_digit(path[at + 1]);
    if (high < 0 || low < 0) return c;
    at += 2;
    return high << 4 | low;
  };
  for (const char wanted : entry.prefix) {
    if (next() != static_cast<unsigned char>(wanted)) return false;
  }
  const int after = next();
  return after == -1 || after == '/';
}

void answer(session::Exchange& e, int status, std::string_view text) noexcept {
  if (e.flags.responded || e.flags.upgraded) return;
  e.status = static_cast<uint16_t>(status);
  session::send_response(e, base::as_bytes(text), session::BodyType::text);
}

void failed(RoutedWorker& w, session::Exchange& e, const Chain& chain) noexcept {
  w.report_failure(chain.pattern);
  if (e.flags.upgraded) return session::handler_failed(*e.sessions, *e.connection);  // it is a WebSocket by now
  e.fields.clear();
  e.content_type_bytes = 0;
  e.type_in_fields = false;
  answer(e, 500, "Internal Server Error");
}

void add_fields(session::Exchange& e, std::string_view lines) noexcept {
  e.flags.owns_more = true;
  e.fields.append(lines);
}

// No route takes this request.
void answer_unmatched(RoutedWorker& w, session::Exchange& e) noexcept {
  using proto::Method;
  const std::string_view path = e.head.path(e.base);
  if (e.head.method == Method::options && path == "*" && !e.flags.responded) {  // RFC 9110 §9.3.7: of the server itself
    add_fields(e, w.allow_field);
    e.status = 204;
    return session::send_response(e, {}, session::BodyType::none);
  }
  const bool asks = (e.head.method == Method::get || e.head.method == Method::head) && !e.flags.is_upgrade;
  Router::Match match;
  if (asks) w.ws_router.find(path, Method::get, match);
  if (match.route == Router::kNotFound || e.flags.responded) return answer(e, 404, "Not Found");
  // RFC 9110 §7.8, §15.5.22; RFC 6455 §4.4.
  add_fields(e, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
  answer(e, 426, "This is a WebSocket.");
}

void end_of_chain(RoutedWorker& w, session::Exchange& e, const Chain& chain) noexcept {
  e.flags.chain_over = true;
  if (chain.websocket) return w.upgrade(w, e, *chain.websocket);
  if (&chain == &w.unmatched) return answer_unmatched(w, e);
  answer(e, 404, "Not Found");
}

// The last step. It answers, or defers.
void run_handler(RoutedWorker& w, session::Exchange& e, const Chain& chain,
                 Function<void(Request&, Response&)>& handler) noexcept {
  if (!handler(e.request, e.response)) [[unlikely]] return failed(w, e, chain);
  if (e.flags.responded || e.flags.deferred) [[likely]] return;
  w.stats.handler_failures++;
  sys::log_limited(LogLevel::error, "the handler sent no response", chain.pattern);
  answer(e, 500, "Internal Server Error");
}

// Runs the step at the exchange's position, and the ones after it as far as they are let through.
void run_steps(RoutedWorker& w, session::Exchange& e) noexcept {
  const auto& chain = *static_cast<const Chain*>(e.route);
  for (;;) {
    if (e.position == chain.entries.size()) return end_of_chain(w, e, chain);
    const Chain::Entry& entry = chain.entries[e.position++];
    if (!entry.prefix.empty() && !matches_prefix(entry, e.head.path(e.base))) continue;
    auto& handler = StepAccess::handler(*entry.step);
    if (!handler) {
      auto& middleware = StepAccess::middleware(*entry.step);
      if (!middleware(e.request, e.response, e.next_at(e.position))) failed(w, e, chain);
      return;
    }
    return run_handler(w, e, chain, handler);
  }
}

void set_params(session::Exchange& e, const Chain& chain, const Router::Match& match) noexcept {
  e.param_count = match.param_count;
  for (uint8_t i = 0; i < match.param_count; i++) {
    const auto* begin = reinterpret_cast<const uint8_t*>(match.values[i].data);
    e.params[i] = {chain.params[i], static_cast<uint16_t>(begin - e.base),
                   static_cast<uint16_t>(match.values[i].size)};
  }
}

const Chain* find_chain(const RoutedWorker& w, session::Exchange& e) noexcept {
  const std::string_view path = e.head.path(e.base);
  const Router& router = e.flags.is_upgrade ? w.ws_router : w.http_router;
  const auto& chains = e.flags.is_upgrade ? w.ws_chains : w.chains;
  Router::Match match;
  router.find(path, e.head.method, match);
  if (match.route == Router::kNotFound) return nullptr;
  const Chain& chain = *chains[match.route];
  if (match.param_count) set_params(e, chain, match);
  return &chain;
}

}  // namespace

namespace {

template <bool kWatched>
void take_request(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  const Chain* chain = find_chain(w, e);
  e.route = chain ? chain : &w.unmatched;
  if constexpr (kWatched) w.note_call(chain ? chain->pattern : w.unmatched.pattern);
  if (chain && chain->only) [[likely]] {
    e.position = 1;
    return run_handler(w, e, *chain, *chain->only);
  }
  run_steps(w, e);
}

}  // namespace

void on_request(void* context, session::Exchange& e) { take_request<false>(context, e); }
void on_watched_request(void* context, session::Exchange& e) { take_request<true>(context, e); }

void on_upgrade(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  const Chain* chain = find_chain(w, e);
  e.route = chain;
  if (chain) w.note_call(chain->pattern);
  if (chain) return run_steps(w, e);
  e.flags.close_after = true;
  e.route = &w.unmatched;
  run_steps(w, e);
}

bool has_route(void* context, session::Exchange& e) {
  const auto& w = *static_cast<const RoutedWorker*>(context);
  return find_chain(w, e) != nullptr || !w.unmatched.entries.empty();
}

namespace {

// Goes on at the exchange's position, and settles it when its handler is not on the stack.
void go_on(RoutedWorker& w, session::Exchange& e) noexcept {
  w.note_call(static_cast<const Chain*>(e.route)->pattern);
  if (e.flags.in_handler) return run_steps(w, e);
  e.flags.in_handler = true;
  run_steps(w, e);
  e.flags.in_handler = false;
  if (e.flags.responded || e.flags.upgraded) session::settle_exchange(e);
}

}  // namespace

}  // namespace routing

void Next::operator()() const noexcept {
  worker::Worker* w = worker::here(worker_);
  if (!w) {
    const Next self = *this;
    worker::post_to(worker_, [self](worker::Worker&) { self(); });
    return;
  }
  session::Exchange* e = session::find_exchange(w->sessions, {slot_, generation_}, request_);
  if (!e) return;
  if (e->position != position_ || e->flags.chain_over || e->flags.responded) {
    w->stats.late_nexts++;
    sys::log_limited(LogLevel::warn, "next() was called twice, or after the answer",
                     static_cast<const routing::Chain*>(e->route)->pattern);
    MARTLET_DCHECK(false && "a second next()");
    return;
  }
  routing::go_on(static_cast<routing::RoutedWorker&>(*w), *e);
}

}  // namespace martlet
