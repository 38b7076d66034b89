// WsOptions::verify: two steps at the end of the route's chain. The first applies the rules of the options, so that nobody is asked
// about who may not come in anyway; the second is the program's function, as a middleware, so that it decides later, from another
// thread, never or twice as one does. What the first has found is kept for the 101. The worker's thread, but for Verify.
#include <martlet/request.h>

#include <cstring>

#include "base/byte_buffer.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/kept_text.h"
#include "realtime/admission.h"
#include "session/answer_fields.h"
#include "session/http_response.h"
#include "session/http_session.h"

namespace martlet {

namespace realtime {

namespace {

// Of a request that has passed: where the subprotocol lies in its head, which is copied when the decision comes later.
struct Passed {
  uint32_t protocol_at = 0;
  uint32_t protocol_bytes = 0;
};

bool is_full(const WsRouteEntry& route) noexcept {
  const RealtimeWorker& w = *route.worker;
  const uint32_t most = route.handlers.options.max_connections;
  if (!most) return false;
  if (!w.group) return route.connections >= most;
  const worker::Directory::Found found = w.group->directory.find(worker::AudienceKind::route, route.pattern);
  return found && found.entry->members.load(std::memory_order_relaxed) >= most;
}

Verdict look_first(const WsRouteEntry& route, session::Exchange& e) noexcept {
  if (is_full(route)) return {503, "Too many connections."};
  const Verdict verdict = judge_handshake(route, e);
  if (verdict.status != 101) return verdict;
  bool is_new = false;
  Passed* passed = e.find_or_add<Passed>(is_new);
  if (!passed) return {503, "Out of memory."};
  if (verdict.protocol.empty()) return verdict;
  passed->protocol_at = static_cast<uint32_t>(base::as_bytes(verdict.protocol).data() - e.base);
  passed->protocol_bytes = static_cast<uint32_t>(verdict.protocol.size());
  return verdict;
}

std::string_view protocol_of(const session::Exchange& e) noexcept {
  const auto* passed = static_cast<const Passed*>(e.find_slot(&session::slot_key_<Passed>));
  if (!passed) return {};
  return {reinterpret_cast<const char*>(e.base) + passed->protocol_at, passed->protocol_bytes};
}

void install(WsRouteEntry& route, routing::Chain& chain) {
  RealtimeWorker& w = *route.worker;
  w.steps.push_back(Step([&route](Request& req, Response&, Next next) {
    session::Exchange& e = *session::Exchange::of(req);
    const Verdict verdict = look_first(route, e);
    verdict.status == 101 ? next() : refuse_handshake(e, verdict.status, verdict.text);
  }));
  chain.entries.push_back({&w.steps.back()});
  chain.entries.push_back({&VerifyAccess::step(route.handlers.options.verify)});
  route.verified_protocol = protocol_of;
}

}  // namespace

}  // namespace realtime

constinit const detail::VerifyParts detail::verify_parts{realtime::install};

namespace {

// The request, if this is the first decision about it and it is still waited for.
session::Exchange* decide(worker::Worker& w, const Next& next) noexcept {
  session::Exchange* e = session::find_exchange(w.sessions, NextAccess::connection(next), NextAccess::request(next));
  const bool first = e && routing::is_next(static_cast<routing::RoutedWorker&>(w), *e, NextAccess::position(next));
  return first ? e : nullptr;
}

void send_refusal(session::Exchange& e, int status, std::string_view body) noexcept {
  e.status = static_cast<uint16_t>(status);
  e.flags.close_after = true;  // what it has sent meanwhile are frames
  session::send_response(e, base::as_bytes(body), session::BodyType::text);
}

// A field on its way to the worker: the sizes of both texts, and the texts.
void pack(base::ByteBuffer& to, const NamedText& field) noexcept {
  const size_t sizes[] = {field.name.size(), field.value.size()};
  to.append(sizes, sizeof sizes);
  to.append(field.name);
  to.append(field.value);
}

NamedText unpack(std::string_view& from) noexcept {
  size_t sizes[2];
  std::memcpy(sizes, from.data(), sizeof sizes);
  from.remove_prefix(sizeof sizes);
  const NamedText field{from.substr(0, sizes[0]), from.substr(sizes[0], sizes[1])};
  from.remove_prefix(sizes[0] + sizes[1]);
  return field;
}

}  // namespace

void Verify::answer(int status, std::string_view body, const NamedText* fields, size_t count) const noexcept {
  if (worker::Worker* w = worker::here(NextAccess::worker(next_))) {
    session::Exchange* e = decide(*w, next_);
    if (!e) return;
    for (size_t i = 0; i < count; i++) session::set_field(*e, fields[i].name, fields[i].value);
    return send_refusal(*e, status, body);
  }
  base::ByteBuffer packed;
  for (size_t i = 0; i < count; i++) pack(packed, fields[i]);
  packed.append(body);
  base::KeptText kept(packed.text());
  if (packed.failed() || !kept.ok()) return;  // as if nothing had been decided
  worker::post_to(NextAccess::worker(next_), [next = next_, status, count, kept = std::move(kept)](worker::Worker& w) {
    session::Exchange* e = decide(w, next);
    if (!e) return;
    std::string_view rest = kept.text();
    for (size_t i = 0; i < count; i++) {
      const NamedText field = unpack(rest);
      session::set_field(*e, field.name, field.value);
    }
    send_refusal(*e, status, rest);
  });
}

void Verify::refuse(int status, std::string_view body, std::initializer_list<NamedText> fields) const noexcept {
  const bool good = status >= 400 && status <= 599;
  MARTLET_DCHECK(good);
  answer(good ? status : 403, body, fields.begin(), fields.size());
}

void Verify::refuse(int status, std::string_view body) const noexcept { refuse(status, body, {}); }

void Verify::redirect(std::string_view location, int status) const noexcept {
  const bool good = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  MARTLET_DCHECK(good);
  const NamedText field{"Location", location};
  answer(good ? status : 307, {}, &field, 1);
}

}  // namespace martlet
