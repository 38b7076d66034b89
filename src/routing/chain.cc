// The way of a request through its chain: middleware and handler by index, in one loop, so that a chain of any length costs
// the stack of one step, and a step that calls next() later finds its place by number.
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "net/reactor.h"
#include "routing/path.h"
#include "routing/routes.h"
#include "session/http_refusal.h"
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

void note_bad_next(RoutedWorker& w, std::string_view pattern) noexcept {
  w.stats.late_nexts++;
  sys::log_limited(LogLevel::warn, "next() was called twice, or beside an answer", pattern);
  MARTLET_DCHECK(false && "next() twice, or beside an answer");
}

namespace {

// An error of the library's own.
void refuse(RoutedWorker& w, session::Exchange& e, const session::Exchange::Refusal& refusal) noexcept {
  if (e.flags.responded || e.flags.upgraded) return;
  e.set_refusal(refusal);
  w.fail_refused ? w.fail_refused(w, e) : session::send_refusal(e);
}

void failed(RoutedWorker& w, session::Exchange& e, const Chain& chain) noexcept {
  e.flags.goes_on = false;
  w.report_failure(chain.pattern, e);
  if (e.flags.upgraded) return session::handler_failed(*e.sessions, *e.connection);  // it is a WebSocket by now
  if (w.fail_thrown) return w.fail_thrown(w, e);
  refuse(w, e, {500, "Internal Server Error", {}});
}

void add_fields(session::Exchange& e, std::string_view lines) noexcept {
  e.flags.owns_more = true;
  e.fields.append(lines);
}

// RFC 9110 §10.2.1. A WebSocket is opened by GET, and by nothing else. Good until the next one is made.
std::string_view allow_line(RoutedWorker& w, uint32_t methods, bool is_websocket) noexcept {
  using proto::Method;
  size_t size = 0;
  const auto add = [&](std::string_view text) { size += text.copy(w.allow_line + size, text.size()); };
  add("Allow: OPTIONS");
  const auto has = [methods](Method method) { return (methods >> static_cast<int>(method) & 1) != 0; };
  for (const Method method : {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::del}) {
    const bool implied = method == Method::head ? has(Method::get) : method == Method::get && is_websocket;
    if (!implied && !has(method)) continue;
    add(", ");
    add(proto::method_name(method));
  }
  add("\r\n");
  return {w.allow_line, size};
}

// What is missing from a request for a WebSocket's path. Who sees this is somebody whose gateway keeps the handshake to
// itself, more often than not.
std::string_view why_no_websocket(const proto::RequestHead& head) noexcept {
  if (head.count(proto::FieldName::upgrade) == 0) {
    return "This is a WebSocket, and the Upgrade field did not arrive: is there a proxy in between?";
  }
  if (head.minor_version == 0) return "This is a WebSocket, and HTTP/1.0 has no Upgrade: is there a proxy in between?";
  if (!head.connection_upgrade) {
    return "This is a WebSocket, and Connection did not name upgrade: is there a proxy in between?";
  }
  return "This is a WebSocket, and Upgrade did not name websocket.";
}

void run_handler(RoutedWorker& w, session::Exchange& e, const Chain& chain, Function<void(Request&, Response&)>& handler) noexcept;

// Sends the client to the path with a slash more, or less. False: there is nothing either, or no memory to say so.
bool redirect_slash(const RoutedWorker& w, session::Exchange& e) noexcept {
  if (w.options.trailing_slash != TrailingSlash::redirect) return false;
  std::string_view path = e.path();
  if (!w.http_router.finds_other_slash(path, e.head.method)) return false;
  const bool has_slash = path.ends_with('/');
  if (has_slash) path.remove_suffix(1);
  const std::string_view query = e.head.query(e.base);
  const size_t most = std::string_view("Location: ").size() + path.size() + 2 + query.size() + 2;
  session::drop_body_fields(e);
  e.flags.owns_more = true;
  if (!e.fields.reserve(most)) return false;
  add_fields(e, "Location: ");
  add_fields(e, path);
  if (!has_slash) add_fields(e, "/");
  if (!query.empty()) add_fields(e, "?");
  add_fields(e, query);
  add_fields(e, "\r\n");
  e.status = 308;
  session::send_response(e, {}, session::BodyType::none);
  return true;
}

void answer_not_found(RoutedWorker& w, session::Exchange& e) noexcept {
  if (!e.flags.is_upgrade && redirect_slash(w, e)) return;
  if (!w.not_found) return refuse(w, e, {404, "Not Found", {}});
  e.status = 404;
  run_handler(w, e, w.unmatched, StepAccess::handler(*w.not_found));
}

// What there is for a path when no route of it takes the request's method.
void answer_unmatched(RoutedWorker& w, session::Exchange& e) noexcept {
  using proto::Method;
  if (e.flags.responded || e.flags.upgraded) return;
  const Method method = e.head.method;
  const bool of_server = method == Method::options && e.path() == "*";  // RFC 9110 §9.3.7
  if (method == Method::other) return refuse(w, e, {501, "Not Implemented", {}});
  uint32_t methods = of_server ? w.methods : w.http_router.methods_of(e.path());
  const bool is_websocket = !of_server && w.ws_router.methods_of(e.path()) != 0;
  const bool reads = method == Method::get || method == Method::head;
  if (e.flags.is_upgrade || (!methods && !is_websocket && !of_server)) return answer_not_found(w, e);
  // RFC 9110 §7.8, §15.5.22; RFC 6455 §4.4.
  if (is_websocket && reads) return refuse(w, e, {426, why_no_websocket(e.head), session::kUpgradeFields});
  const std::string_view allow = allow_line(w, methods, is_websocket);
  if (method != Method::options) return refuse(w, e, {405, "Method Not Allowed", allow});
  session::drop_body_fields(e);  // what is added now is the answer's own
  add_fields(e, allow);
  e.status = 204;
  session::send_response(e, {}, session::BodyType::none);
}

void end_of_chain(RoutedWorker& w, session::Exchange& e, const Chain& chain) noexcept {
  e.flags.chain_over = true;
  if (e.flags.refused) return refuse(w, e, e.refusal);
  if (chain.websocket) return w.upgrade(w, e, *chain.websocket);
  if (&chain == &w.unmatched) return answer_unmatched(w, e);
  if (&chain == &w.refused) return refuse(w, e, {400, "A malformed or misleading path.", {}});
  refuse(w, e, {404, "Not Found", {}});
}

void answer_missing(RoutedWorker& w, session::Exchange& e, const Chain& chain) noexcept {
  w.stats.handler_failures++;
  w.log_request(LogLevel::error, "the handler sent no response: ", chain.pattern, e);
  refuse(w, e, {500, "Internal Server Error", {}});
}

// The last step. It answers, or defers, or its task goes on.
void run_handler(RoutedWorker& w, session::Exchange& e, const Chain& chain,
                 Function<void(Request&, Response&)>& handler) noexcept {
  if (!handler(e.request, e.response)) [[unlikely]] return failed(w, e, chain);
  if (e.flags.responded || e.flags.deferred) [[likely]] return;
  if (e.tasks && e.tasks->is_handler) return;
  answer_missing(w, e, chain);
}

// Whether the step that has returned lets the request through.
inline bool goes_on(RoutedWorker& w, session::Exchange& e, const Chain& chain) noexcept {
  if (!e.flags.goes_on) return false;
  e.flags.goes_on = false;
  if (!(e.flags.responded | e.flags.chain_over)) [[likely]] return true;  // it has answered, or given up
  if (!e.flags.muted) note_bad_next(w, chain.pattern);
  return false;
}

// Runs the step at the exchange's position, and the ones after it as far as they are let through.
void run_steps(RoutedWorker& w, session::Exchange& e) noexcept {
  const auto& chain = *static_cast<const Chain*>(e.route);
  for (;;) {
    if (e.position == e.steps) return end_of_chain(w, e, chain);
    const Chain::Entry& entry = chain.entries[e.position];
    if (e.flags.body_coming & entry.wants_body) [[unlikely]] return void(e.flags.wants_body = e.flags.chain_waits = true);
    e.position++;
    if (!entry.prefix.empty() && !lies_below(e.path(), entry.prefix)) continue;
    auto& handler = StepAccess::handler(*entry.step);
    if (!handler) {
      auto& middleware = StepAccess::middleware(*entry.step);
      if (!middleware(e.request, e.response, e.next_at(e.position))) [[unlikely]] return failed(w, e, chain);
      if (goes_on(w, e, chain)) continue;
      return;
    }
    return run_handler(w, e, chain, handler);
  }
}

void run_all_steps(RoutedWorker& w, session::Exchange& e) noexcept {
  e.steps = static_cast<uint32_t>(static_cast<const Chain*>(e.route)->entries.size());
  run_steps(w, e);
}

void set_params(session::Exchange& e, const Chain& chain, const RouteTree::Match& match) noexcept {
  const auto* const from = e.judged_path ? e.judged_path : reinterpret_cast<const char*>(e.base);
  e.param_count = match.param_count;
  for (uint8_t i = 0; i < match.param_count; i++) {
    e.params[i] = {chain.params[i], static_cast<uint16_t>(match.values[i].data - from),
                   static_cast<uint16_t>(match.values[i].size)};
  }
}

// Judges a path that is not plain (path.h). False: it is refused; that memory is out is no reason to let it pass.
bool judge(const RoutedWorker& w, session::Exchange& e) noexcept {
  if (e.judged_path) return true;
  std::string_view path = e.head.path(e.base);
  char* const room = e.text_room(path.size());
  size_t size = 0;
  if (w.options.path_policy == PathPolicy::resolve && path.starts_with('/')) {
    char* const resolved = e.text_room(path.size());
    if (!resolved || !resolve_path(path, resolved, size)) return false;
    path = {resolved, size};
  }
  if (!room || !judge_path(path, room, size)) return false;
  e.judged_path = room;
  e.judged_bytes = static_cast<uint16_t>(size);
  return true;
}

// The route of a path that is none of those without parameters.
[[gnu::noinline]] bool find_variable(const RoutedWorker& w, const RouteTree& router, session::Exchange& e, RouteTree::Match& match) noexcept {
  const bool unusual = e.head.may_be_unusual && is_unusual(e.head.path(e.base));
  if (unusual && !judge(w, e)) return false;
  if (unusual || e.head.method == proto::Method::head) {
    router.find(e.path(), e.head.method, match);
  } else {
    router.find_variable(e.path(), e.head.method, match);
  }
  return true;
}

// The chain that this request runs through.
const Chain& find_chain(const RoutedWorker& w, session::Exchange& e) noexcept {
  const RouteTree& router = e.flags.is_upgrade ? w.ws_router : w.http_router;
  RouteTree::Match match;
  const bool plain = router.find_plain(e.head.path(e.base), e.head.method, match);
  if (!plain && !find_variable(w, router, e, match)) return w.refused;
  if (match.route == RouteTree::kNotFound) return w.unmatched;
  const Chain& chain = *(e.flags.is_upgrade ? w.ws_chains : w.chains)[match.route];
  if (match.param_count) set_params(e, chain, match);
  return chain;
}

}  // namespace

namespace {

template <bool kWatched>
void take_request(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  const Chain& chain = find_chain(w, e);
  e.route = &chain;
  if constexpr (kWatched) w.note_call(chain.pattern);
  if (chain.only) [[likely]] {
    e.position = 1;
    return run_handler(w, e, chain, *chain.only);
  }
  run_all_steps(w, e);
}

}  // namespace

void on_request(void* context, session::Exchange& e) { take_request<false>(context, e); }
void on_watched_request(void* context, session::Exchange& e) { take_request<true>(context, e); }

void on_upgrade(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  const Chain& chain = find_chain(w, e);
  e.route = &chain;
  w.note_call(chain.pattern);
  if (!chain.websocket) e.flags.close_after = true;
  run_all_steps(w, e);
}

void find_chain_of(void* context, session::Exchange& e) {
  const auto& w = *static_cast<const RoutedWorker*>(context);
  const Chain& chain = find_chain(w, e);
  e.route = &chain;
  e.steps = static_cast<uint32_t>(chain.entries.size());
  e.body_limit = chain.max_body_bytes ? chain.max_body_bytes : w.sessions.limits.body_bytes;
}

void run_chain(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  w.note_call(static_cast<const Chain*>(e.route)->pattern);
  run_steps(w, e);
}

// The steps of use() that its route would have run through, so that who registered them later than the route (a page for
// what is not found, say) does not answer for it.
void on_refused(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  if (e.position) {  // its steps have run, or are still at it
    w.note_call(static_cast<const Chain*>(e.route)->pattern);
    return refuse(w, e, e.refusal);
  }
  const Chain& chain = find_chain(w, e);
  e.route = &chain;
  e.steps = chain.uses;
  w.note_call(chain.pattern);
  run_steps(w, e);
}

void on_overdue(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  const std::string& pattern = static_cast<const Chain*>(e.route)->pattern;
  w.log_request(LogLevel::warn, "no answer came in time: ", pattern, e);
  if (!w.fail_refused) return session::send_refusal(e);
  w.note_call(pattern);
  e.flags.in_handler = true;
  w.fail_refused(w, e);
  e.flags.in_handler = false;
  if (!e.flags.responded) return session::send_refusal(e);  // there is no more time for an error handler that defers
  session::settle_exchange(e);
}

void on_aborted(void* context, session::Exchange& e) {
  auto& w = *static_cast<RoutedWorker*>(context);
  const std::string& pattern = static_cast<const Chain*>(e.route)->pattern;
  w.note_call(pattern);
  if (!e.aborted()) w.report_failure(pattern, e);
}

namespace {

// Goes on at the exchange's position: at once when no step is on the stack, else when that has returned.
void go_on(RoutedWorker& w, session::Exchange& e) noexcept {
  if (e.flags.in_handler) [[likely]] return void(e.flags.goes_on = true);
  w.note_call(static_cast<const Chain*>(e.route)->pattern);
  e.flags.in_handler = true;
  run_steps(w, e);
  e.flags.in_handler = false;
  if (e.flags.responded || e.flags.upgraded) return session::settle_exchange(e);
  if (e.flags.wants_body) session::want_body(e);
}

}  // namespace

void task_ended(RoutedWorker& w, session::Exchange& e, bool good) noexcept {
  const auto& chain = *static_cast<const Chain*>(e.route);
  const bool answered = e.flags.responded || e.flags.upgraded;
  if (answered) return good ? void() : w.report_failure(chain.pattern, e);
  const bool inside = e.flags.in_handler;
  e.flags.in_handler = true;
  good ? answer_missing(w, e, chain) : failed(w, e, chain);
  e.flags.in_handler = inside;
  if (!inside && e.flags.responded) session::settle_exchange(e);
}

bool is_next(RoutedWorker& w, const session::Exchange& e, uint32_t position) noexcept {
  const bool over = e.flags.goes_on | e.flags.chain_over | e.flags.responded;
  if (e.position == position && !over) [[likely]] return true;
  if (!e.flags.muted) note_bad_next(w, static_cast<const Chain*>(e.route)->pattern);
  return false;
}

}  // namespace routing

void Next::operator()() const noexcept {
  worker::Worker* w = worker::here(worker_);
  if (!w) {
    const Next self = *this;
    worker::post_to(worker_, [self](worker::Worker&) { self(); });
    return;
  }
  session::Exchange* e = session::find_exchange(w->sessions, {slot_, generation_}, request_);
  auto& routed = static_cast<routing::RoutedWorker&>(*w);
  if (!e && routed.socket_next) return routed.socket_next(routed, *this, nullptr);
  if (e && routing::is_next(routed, *e, position_)) routing::go_on(routed, *e);
}

}  // namespace martlet
