// See failures.h.
#include "http/failures.h"

#include <martlet/json_writer.h>

#include <cstring>

#include "base/bytes.h"
#include "base/kept_text.h"
#include "proto/accept.h"
#include "proto/field_views.h"
#include "session/answer_fields.h"
#include "session/http_refusal.h"
#include "session/http_response.h"
#include "session/http_session.h"
#include "sys/log_line.h"

namespace martlet {

namespace http {

namespace {

using routing::Chain;
using routing::RoutedWorker;

const Chain& chain_of(const session::Exchange& e) noexcept { return *static_cast<const Chain*>(e.route); }

// JSON alone, or before text: "*/*" is no wish.
bool prefers_json(const session::Exchange& e) noexcept {
  static constexpr std::string_view kOffers[] = {"text/plain", "text/html", "application/problem+json", "application/json"};
  const auto lines = proto::FieldViews::first(e.head, e.base, "accept");
  const auto chosen = proto::accept_media_type(lines.lines(), kOffers);
  return chosen && *chosen >= 2;
}

// A copy that lasts as long as the exchange: what a text lies in may be the fields, which the error handlers change, or what
// was thrown last, which they throw over. Nothing when memory is out.
std::string_view kept(session::Exchange& e, std::string_view text) noexcept {
  char* const room = text.empty() ? nullptr : e.text_room(text.size());
  if (!room) return {};
  std::memcpy(room, text.data(), text.size());
  return {room, text.size()};
}

std::string_view request_id_of(const session::Exchange& e) noexcept {
  if (const auto set = session::find_field(e, "x-request-id")) return *set;
  return e.request.id();
}

// RFC 9457 §3.1. `type` is about:blank: the status says it all, and `detail` is what there is besides.
void send_problem(session::Exchange& e, const Failure& failure) noexcept {
  const std::string_view title = session::reason_phrase(failure.status);
  JsonWriter out;
  out.object([&] {
    out.member("type", "about:blank");
    out.member("title", title);
    out.member("status", failure.status);
    if (!failure.text.empty() && failure.text != title) out.member("detail", failure.text);
    if (!failure.request_id.empty()) out.member("request_id", failure.request_id);
  });
  session::set_type(e, "application/problem+json");
  session::send_response(e, base::as_bytes(out.text()), session::BodyType::json);
}

void send_failure(session::Exchange& e, const Failure& failure) noexcept {
  if (prefers_json(e)) return send_problem(e, failure);
  const std::string_view text = failure.text.empty() ? session::reason_phrase(failure.status) : failure.text;
  session::send_response(e, base::as_bytes(text), session::BodyType::text);
}

bool is_settled(const session::Exchange& e) noexcept { return e.flags.responded || e.flags.deferred || e.connection->closing; }

// True when one of them has answered, or will.
bool run_error_handlers(RoutedWorker& w, session::Exchange& e, const Failure& failure) noexcept {
  for (routing::ErrorScope* scope = chain_of(e).scope; scope; scope = scope->outer) {
    for (routing::ErrorHandler& handler : scope->handlers) {
      if (!handler(failure, e.request, e.response)) return w.report_failure(failure.route, e), is_settled(e);
      if (is_settled(e)) return true;
    }
  }
  return false;
}

}  // namespace

void answer_failure(routing::RoutedWorker& w, session::Exchange& e, Failure failure) noexcept {
  if (e.flags.responded || e.flags.upgraded) return;
  if (failure.status < 400 || failure.status > 599) failure.status = 500;
  failure.text = kept(e, failure.text);
  failure.exception = kept(e, failure.exception);
  failure.request_id = kept(e, request_id_of(e));
  session::begin_failure(e, failure.status);
  e.flags.chain_over = true;
  const bool first = !e.flags.failed;  // an error handler that fails in its turn is not asked again
  e.flags.failed = true;
  e.flags.deferred = false;  // whoever was to answer later has failed: an error handler that does not answer leaves it to the others
  if (first && run_error_handlers(w, e, failure)) return;
  session::begin_failure(e, failure.status);
  send_failure(e, failure);
}

void fail_with(RoutedWorker& w, session::Exchange& e, const HttpError& error) noexcept {
  answer_failure(w, e, {error.status, error.text, {}, chain_of(e).pattern, {}});
}

void fail_thrown(RoutedWorker& w, session::Exchange& e) noexcept {
  const std::string_view what = detail::last_failure();
  answer_failure(w, e, {500, w.options.production ? "Internal Server Error" : what, what, chain_of(e).pattern, {}});
}

void fail_refused(RoutedWorker& w, session::Exchange& e) noexcept {
  answer_failure(w, e, {e.refusal.status, e.refusal.cause, {}, chain_of(e).pattern, {}});
  if (!e.flags.responded) e.mute();  // an error handler has deferred: a step that ran before the refusal is not heard
}

namespace {

// Outside of a step the exchange is settled as well.
void fail_now(session::Exchange& e, const HttpError& error) noexcept {
  auto& w = *static_cast<RoutedWorker*>(e.sessions->http.context);
  w.fail_thrown = fail_thrown;  // whoever fails so expects it of exceptions, too
  if (e.flags.in_handler) return fail_with(w, e, error);
  e.flags.in_handler = true;
  fail_with(w, e, error);
  e.flags.in_handler = false;
  if (e.flags.responded) session::settle_exchange(e);
}

}  // namespace

void give_up(session::Exchange& e, const HttpError& error) noexcept {
  if (e.flags.responded || e.flags.upgraded || e.flags.muted) return;
  const bool stays = e.flags.in_handler;  // else it may be over and gone
  fail_now(e, error);
  if (stays) e.mute();
}

}  // namespace http

void Next::operator()(const HttpError& error) const noexcept {
  worker::Worker* w = worker::here(worker_);
  if (!w) {
    base::KeptText text(error.text);
    worker::post_to(worker_, [self = *this, status = error.status, text = std::move(text)](worker::Worker&) { self({status, text.text()}); });
    return;
  }
  session::Exchange* e = session::find_exchange(w->sessions, {slot_, generation_}, request_);
  auto& routed = static_cast<routing::RoutedWorker&>(*w);
  if (!e && routed.socket_next) return routed.socket_next(routed, *this, &error);
  if (e && routing::is_next(routed, *e, position_)) http::fail_now(*e, error);
}

void Response::fail(int code, std::string_view text) const noexcept {
  if (elsewhere()) {
    base::KeptText kept(text);
    worker::post_to(worker_, [self = *this, code, kept = std::move(kept)](worker::Worker&) { self.fail(code, kept.text()); });
    return;
  }
  session::Exchange* e = resolve();
  if (e && !session::is_answered(*e)) http::fail_now(*e, {code, text});
}

}  // namespace martlet
