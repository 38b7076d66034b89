// See http_refusal.h.
#include "session/http_refusal.h"

#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "net/reactor.h"
#include "session/http_response.h"
#include "session/sessions.h"

namespace martlet::session {

namespace {

bool describes_body(std::string_view name) noexcept {
  constexpr std::string_view kContent = "content-";
  if (base::equals_lower(name.substr(0, kContent.size()), kContent)) {
    return !base::equals_lower(name.substr(0, 23), "content-security-policy");  // -report-only as well
  }
  return base::equals_lower(name, "etag") || base::equals_lower(name, "last-modified") ||
         base::equals_lower(name, "expires");
}

// A line of Exchange::fields, without its end.
bool stays(const Exchange& e, std::string_view line) noexcept {
  const Sessions& s = *e.sessions;
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  // What error handlers set, and what a refusal adds, is of the failure.
  if (s.kept_fields && !e.flags.failed && !s.kept_fields->has(*s.kept_fields, name)) return false;
  if (base::equals_lower(name, "cache-control")) return line.find("no-store", colon) != line.npos;
  return !describes_body(name);
}

// What has come of the body is of no use. Tasks may have views of one that is whole.
void drop_body(Exchange& e) noexcept {
  const bool may_be_seen = e.tasks && !e.body.empty();
  e.body = {};
  if (!may_be_seen) e.drop_coming_body();
}

}  // namespace

void drop_body_fields(Exchange& e) noexcept {
  e.content_type_bytes = 0;
  e.type_in_fields = false;
  size_t kept = 0;
  for (size_t at = 0; at < e.fields.size();) {
    const size_t end = e.fields.text().find("\r\n", at) + 2;
    if (stays(e, e.fields.text().substr(at, end - 2 - at))) {
      std::memmove(e.fields.data() + kept, e.fields.data() + at, end - at);
      kept += end - at;
    }
    at = end;
  }
  if (kept < e.fields.size()) e.fields.truncate(kept);
}

void run_refusal(Sessions& s, Exchange& e, const Exchange::Refusal& refusal) noexcept {
  e.set_refusal(refusal);
  e.flags.refused = true;
  e.flags.close_after = true;
  e.flags.in_handler = true;
  e.flags.body_coming = false;  // no step waits for it any more
  drop_body(e);
  s.http.on_refused(s.http.context, e);
  const bool later = !e.flags.responded && !e.connection->closing;
  if (later && !detach_exchange(e)) send_refusal(e);
  e.flags.in_handler = false;
}

void begin_failure(Exchange& e, int status) noexcept {
  drop_body_fields(e);
  e.status = static_cast<uint16_t>(status);
  if (status != e.refusal.status) return;
  e.fields.append(std::exchange(e.refusal.extra, {}));
  e.flags.offers_upgrade = status == 426;  // what the refusal adds names Upgrade, and Connection must
}

void send_refusal(Exchange& e) noexcept {
  begin_failure(e, e.refusal.status);
  send_response(e, base::as_bytes(e.refusal.cause), BodyType::text);
}

uint32_t answer_time_left(const Sessions& s, const Exchange& e, uint32_t since_ms) noexcept {
  const uint32_t limit = e.flags.timed ? e.answer_ms : s.limits.answer_ms;
  if (limit == 0) return kNoLimit;
  const uint32_t spent = s.reactor.now_ms() - (e.flags.timed ? e.answer_since_ms : since_ms);
  return spent < limit ? limit - spent : 0;
}

void answer_overdue(Exchange& e) noexcept {
  const HttpSink& sink = e.sessions->http;
  e.sessions->stats.handler_timeouts++;
  const auto* own = static_cast<const OverdueText*>(e.find_slot(&slot_key_<OverdueText>));
  if (!e.flags.refused) e.set_refusal({503, own ? own->text : "The server took too long to answer.", {}});
  sink.on_overdue(sink.context, e);
}

}  // namespace martlet::session
