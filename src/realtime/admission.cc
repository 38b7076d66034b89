// See admission.h.
#include "realtime/admission.h"

#include <algorithm>
#include <cstdio>

#include "base/bytes.h"
#include "codec/origin_pattern.h"
#include "proto/ws_handshake.h"
#include "session/http_refusal.h"
#include "session/http_response.h"
#include "sys/log_line.h"

namespace martlet::realtime {

namespace {

constexpr Verdict kFailed{500, "Internal Server Error"};

// A function of the program's has thrown.
Verdict failed(const WsRouteEntry& route, session::Exchange& e) noexcept {
  route.worker->report_failure(route.pattern, e);
  return kFailed;
}

Verdict judge_origin(const WsRouteEntry& route, session::Exchange& e) noexcept {
  const WsOptions& options = route.handlers.options;
  constexpr Verdict kRefused{403, "This origin is not allowed."};
  const proto::Field* field = e.head.find(proto::FieldName::origin);
  if (!field) return options.require_origin ? Verdict{403, "There is no Origin."} : Verdict();
  if (route.origins->empty() && !options.allow_origin) return {};
  if (e.head.count(proto::FieldName::origin) > 1) return kRefused;  // which of them was looked at is nobody's guess
  const std::string_view origin = e.field(field);
  for (const std::string& pattern : *route.origins) {
    if (codec::is_origin(pattern, origin)) return {};
  }
  if (!options.allow_origin) return kRefused;
  bool allowed = false;
  if (!options.allow_origin(origin, allowed)) return failed(route, e);
  return allowed ? Verdict() : kRefused;
}

// A browser that offered subprotocols and is given none ends the connection without a word to anybody.
void tell_of_no_protocol(const WsRouteEntry& route, const session::Exchange& e) noexcept {
  if (log_level() > LogLevel::info) return;
  char line[256];
  const std::string_view offered = e.field(e.head.find(proto::FieldName::sec_websocket_protocol));
  const int size = std::snprintf(line, sizeof line, "%.100s: \"%.*s\" is offered; %s", route.pattern.c_str(),
                                 static_cast<int>(std::min<size_t>(offered.size(), 80)), offered.data(),
                                 route.handlers.options.require_protocol ? "refused" : "browsers end such a connection");
  sys::log_limited(LogLevel::info, "none of the client's subprotocols is chosen", {line, static_cast<size_t>(size)});
}

// The first of the server's subprotocols that the client offers too, in the client's words; empty when there is none.
std::string_view choose_listed(const WsRouteEntry& route, const session::Exchange& e) noexcept {
  for (const std::string& own : route.handlers.options.protocols) {
    proto::OfferedProtocols offered(e.head, e.base);
    std::string_view protocol;
    while (offered.next(protocol)) {
      if (protocol == own) return protocol;
    }
  }
  return {};
}

// The same by the program's function, whose answer may lie anywhere: what is taken are the client's words. False: it has thrown.
bool ask_for_protocol(const WsRouteEntry& route, const session::Exchange& e, std::string_view& chosen) noexcept {
  std::string_view all[proto::OfferedProtocols::kMaxOffered];
  size_t count = 0;
  proto::OfferedProtocols offered(e.head, e.base);
  while (offered.next(all[count])) {
    if (++count == proto::OfferedProtocols::kMaxOffered) break;
  }
  if (count == 0) return true;
  std::optional<std::string_view> answer;
  if (!route.handlers.options.choose_protocol({all, count}, answer)) return false;
  if (!answer) return true;
  const std::string_view* found = std::find(all, all + count, *answer);
  if (found != all + count) return chosen = *found, true;
  sys::log_limited(LogLevel::error, "choose_protocol has chosen what the client did not offer", route.pattern);
  return true;
}

Verdict judge_protocol(const WsRouteEntry& route, session::Exchange& e) noexcept {
  const WsOptions& options = route.handlers.options;
  Verdict verdict;
  const bool offers = e.head.count(proto::FieldName::sec_websocket_protocol) != 0;
  if (offers && options.choose_protocol) {
    if (!ask_for_protocol(route, e, verdict.protocol)) return failed(route, e);
  } else if (offers) {
    verdict.protocol = choose_listed(route, e);
  }
  if (!verdict.protocol.empty()) return verdict;
  if (offers) tell_of_no_protocol(route, e);
  return options.require_protocol ? Verdict{400, "No common subprotocol."} : verdict;
}

}  // namespace

Verdict judge_handshake(const WsRouteEntry& route, session::Exchange& e) noexcept {
  const Verdict origin = judge_origin(route, e);
  return origin.status == 101 ? judge_protocol(route, e) : origin;
}

void refuse_handshake(session::Exchange& e, int status, std::string_view text) noexcept {
  if (e.flags.responded) return;
  session::drop_body_fields(e);
  e.status = static_cast<uint16_t>(status);
  e.flags.close_after = true;
  session::send_response(e, base::as_bytes(text), session::BodyType::text);
}

}  // namespace martlet::realtime
