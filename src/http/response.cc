// Response: prepares the exchange's answer, or, kept by name, finds the exchange first and carries its calls to the
// worker when it is used on another thread.
#include <martlet/response.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "net/reactor.h"
#include "proto/short_types.h"
#include "session/answer_fields.h"
#include "session/exchange.h"
#include "session/http_response.h"
#include "session/http_session.h"
#include "sys/log_line.h"
#include "worker/worker.h"

namespace martlet {

namespace {

using session::BodyType;

}  // namespace

Response::Response(const Response& other) noexcept { *this = other; }

// The address of the exchange is good during its handler only, and is never copied.
Response& Response::operator=(const Response& other) noexcept {
  if (this == &other) return *this;
  if (other.exchange_) return *this = other.exchange_->deferred_response();
  exchange_ = nullptr;
  worker_ = other.worker_;
  slot_ = other.slot_;
  generation_ = other.generation_;
  request_ = other.request_;
  return *this;
}

session::Exchange* Response::resolve() const noexcept {
  if (exchange_) return exchange_;
  worker::Worker* w = worker::here(worker_);
  return w ? session::find_exchange(w->sessions, {slot_, generation_}, request_) : nullptr;
}

bool Response::elsewhere() const noexcept { return !exchange_ && worker_ != 0 && !worker::here(worker_); }

const Response& Response::status(int code) const noexcept {
  if (elsewhere()) {
    worker::post_to(worker_, [self = *this, code](worker::Worker&) { self.status(code); });
  } else if (session::Exchange* e = resolve()) {
    const bool good = code >= 200 && code <= 599;
    MARTLET_DCHECK(good);
    e->status = static_cast<uint16_t>(good ? code : 500);
  }
  return *this;
}

const Response& Response::set(std::string_view name, std::string_view value) const noexcept {
  if (elsewhere()) {
    base::KeptText kept_name(name);
    base::KeptText kept_value(value);
    if (!kept_name.ok() || !kept_value.ok()) return *this;
    worker::post_to(worker_, [self = *this, n = std::move(kept_name), v = std::move(kept_value)](worker::Worker&) {
      self.set(n.text(), v.text());
    });
  } else if (session::Exchange* e = resolve()) {
    session::set_field(*e, name, value);
  }
  return *this;
}

std::optional<std::string_view> Response::get(std::string_view name) const noexcept {
  const session::Exchange* e = elsewhere() ? nullptr : resolve();
  return e ? session::find_field(*e, name) : std::nullopt;
}

int Response::status_code() const noexcept {
  const session::Exchange* e = elsewhere() ? nullptr : resolve();
  return e ? e->status : 0;
}

const Response& Response::type(std::string_view content_type) const noexcept {
  if (const std::string_view whole = proto::content_type_of(content_type); !whole.empty()) content_type = whole;
  const bool fits = content_type.size() <= session::Exchange::kTypeBytes && session::is_field_value(content_type);
  session::Exchange* e = elsewhere() ? nullptr : resolve();
  if (!e || !fits || content_type.empty()) return set("Content-Type", content_type);
  if (e->type_in_fields) return set("Content-Type", content_type);
  session::set_type(*e, content_type);
  return *this;
}

namespace {

// A terminal call with a body, here or on the exchange's worker. `carried` is the same call there.
void finish(const Response& self, session::Exchange* e, base::ByteSpan body, BodyType type, uint32_t elsewhere,
            void (*carried)(const Response&, std::string_view)) noexcept {
  if (!elsewhere) {
    if (e && !session::is_answered(*e)) session::send_response(*e, body, type);
    return;
  }
  base::KeptText kept(base::as_text(body));
  if (kept.ok()) {
    worker::post_to(elsewhere, [copy = self, carried, kept = std::move(kept)](worker::Worker&) { carried(copy, kept.text()); });
  } else {  // no memory for the body: perhaps there is some for saying so
    worker::post_to(elsewhere, [copy = self](worker::Worker&) { copy.status(503).end(); });
  }
}

}  // namespace

void Response::send(std::string_view text) const noexcept {
  finish(*this, resolve(), base::as_bytes(text), BodyType::text, elsewhere() ? worker_ : 0,
         [](const Response& self, std::string_view kept) { self.send(kept); });
}

void Response::send(std::span<const std::byte> bytes) const noexcept {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  finish(*this, resolve(), base::as_bytes(text), BodyType::bytes, elsewhere() ? worker_ : 0,
         [](const Response& self, std::string_view kept) { self.send(std::as_bytes(base::as_bytes(kept))); });
}

void Response::json(std::string_view text) const noexcept {
  finish(*this, resolve(), base::as_bytes(text), BodyType::json, elsewhere() ? worker_ : 0,
         [](const Response& self, std::string_view kept) { self.json(kept); });
}

void Response::redirect(std::string_view location, int code) const noexcept {
  const bool good = code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
  MARTLET_DCHECK(good);
  status(good ? code : 302);
  set("Location", location);
  end();
}

void Response::end() const noexcept {
  finish(*this, resolve(), {}, BodyType::none, elsewhere() ? worker_ : 0,
         [](const Response& self, std::string_view) { self.end(); });
}

bool Response::sent() const noexcept {
  const session::Exchange* e = resolve();
  return e ? e->flags.responded : is_muted();
}

Response Response::defer(const DeferOptions& options) const noexcept {
  session::Exchange* e = resolve();
  if (!e) return *this;
  if (e->is_kept()) return e->deferred_response();  // a task of it goes on after the answer
  if (const uint32_t deadline_ms = base::to_ms(options.deadline)) {
    net::Reactor& reactor = e->sessions->reactor;
    e->flags.timed = true;
    e->answer_since_ms = reactor.now_ms();
    e->answer_ms = deadline_ms;
    reactor.arm(*e->connection, deadline_ms);  // it may have been kept before, with another deadline or none
  }
  e->flags.deferred = true;
  session::detach_exchange(*e);
  return e->deferred_response();
}

void Response::answer_within(milliseconds limit, std::string_view text) const noexcept {
  session::Exchange* e = elsewhere() ? nullptr : resolve();
  if (!e || e->flags.responded || e->is_kept()) return;
  net::Reactor& reactor = e->sessions->reactor;
  e->flags.timed = e->flags.owns_more = true;
  e->answer_since_ms = reactor.now_ms();
  e->answer_ms = std::max(base::to_ms(limit), uint32_t{1});
  reactor.arm(*e->connection, e->answer_ms);
  bool is_new = false;
  char* const kept = text.empty() ? nullptr : e->text_room(text.size());
  auto* const overdue = kept ? e->find_or_add<session::OverdueText>(is_new) : nullptr;
  if (overdue) overdue->text = {kept, text.copy(kept, text.size())};
}

void Response::on_aborted(Function<void()> fn) const noexcept {
  if (elsewhere()) {
    worker::post_to(worker_, [self = *this, fn = std::move(fn)](worker::Worker&) mutable { self.on_aborted(std::move(fn)); });
  } else if (session::Exchange* e = resolve()) {
    if (e->flags.responded || e->flags.upgraded) return;
    e->flags.owns_more = true;
    e->aborted = std::move(fn);
  } else if (worker::Worker* w = worker::here(worker_); w && !w->reactor.find({slot_, generation_})) {
    // It has gone already. Not here and now: no call runs a callback before it returns.
    worker::post_to(worker_, [fn = std::move(fn)](worker::Worker& worker) mutable {
      if (!fn()) worker.report_failure({});
    });
  }
}

}  // namespace martlet
